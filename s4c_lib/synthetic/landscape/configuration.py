"""The look-up table and the L4B and L4C configurations that go with `CROPS`, as texts in their upload formats."""

from __future__ import annotations

import csv
import io
from typing import Final

from s4c_lib.synthetic.crops import CROPS

LUT_COLUMNS: Final = (
    "Ori_crop", "CTnum", "CT", "LC", "CTnumL4A", "CTL4A", "CTnumDIV", "CTDIV",
    "EAA", "AL", "PGrass", "TGrass", "Fallow", "Cwater", "Legum", "CT_en",
)  # fmt: skip
# Code, first and last day of the period, rule (l4b-grassland-mowing.md section 7): cut or grazed in the period;
# nature grass must be mown within it and nowhere else.
_COMPLIANCY: Final = (
    ("265", "01/04", "31/10", 0),
    ("266", "01/04", "31/10", 0),
    ("331", "01/06", "31/10", 0),
    ("332", "15/06", "31/10", 1),
)
_L4B: Final = """\
[GENERAL_CONFIG]
CTNUM_FILTER = {grass}
s1_orbit_list_filter =
s1_orbit_type_list_filter =
s2_tiles_list_filter =
s2_tiles_type_list_filter =

[S1_constants]
S1_time_interval = 6
SAR_spacing = 20
cohe_ENL = 100
min_cohe_var = 0.024
locAcqTimeASC = 18:00:00
locAcqTimeDESC = 06:00:00

[S2_constants]
S2_time_interval = 5
locAcqTime = 10:30:00

[S2_model]
apply_model = False

[S1_processing]
pol_types = VH
data_types = COHE
invalid_data = nan
saturate_sigma = True
pfa = 3.0e-8
stat_smpl_n = 5
non_overlap_interval_days = 28
options_layer_burning = ALL_TOUCHED=False
erode_pixels = 0

[S2_processing]
prod_type_list = SNDVI
sc_fact = 1000
corrupted_th = 0.1
invalid_data = -10000
decreasing_abs_th = 0.12
decreasing_rate_th = -0.000001
increasing_rate_th = 0.05
high_abs_th = 0.75
low_abs_th = 0.5
no_mowing_after_det = 30
non_overlap_interval_days = 45
stat_smpl_n = 0
erode_pixels = 0

[compliancy]
crop_codes = {codes}
crop_time_intervals = {periods}
crop_rule = {rules}

[validation]
fwd_tol_days = 3
bkw_tol_days = 3
validation_temporal_range_str = ('01/04/{year}','31/10/{year}')
"""
# Section 5.2 of lpis-and-inputs.md and section 4 of l4c-practices.md. The Dutch file sets catch crops and harvest; for
# fallow and nitrogen-fixing crops the radar thresholds that all other countries share are added.
_L4C_DEFAULT: Final = """\
OPTTHRVEGCYCLE=350
NDVIDW=300
NDVIUP=350
NDVISTEP=5
OPTTHRMIN=100
OPTTHRBUFDEN=4
COHTHRBASE=0.05
COHTHRHIGH=0.15
COHTHRABS=0.75
AMPTHRMIN=0.1
AMPTHRBREAKDEN=6
AMPTHRVALDEN=2
STDDEVINAMPTHR=1
CATCHMAIN=
CATCHPERIOD=56
CATCHPERIODSTART=
CATCHCROPISMAIN=
CATCHPROPORTION=
EFANDVITHR=325
EFANDVIUP=400
EFANDVIDW=300
EFANDVIMIN=-10000
EFAAMPTHR=-10000
EFACOHCHANGE=0.2
EFACOHVALUE=0.7
FLMARKSTARTDATE=
FLMARKSTENDDATE=
TLCOHTHRBASE=0.05
TLCOHTHRABS=0.75
TLMONITORINGENDDATE=
"""
_RADAR: Final = {
    "AMPTHRMIN": "0.2",
    "AMPTHRBREAKDEN": "3",
    "AMPTHRVALDEN": "3",
    "COHTHRBASE": "0.1",
    "COHTHRABS": "0.7",
}
_L4C: Final[dict[str, dict[str, str]]] = {
    "CC": {
        "NDVIUP": "500",
        **_RADAR,
        "EFAAMPTHR": "0.03",
        "CATCHMAIN": "CatchCrop_3",
        "CATCHPERIODSTART": "${YEAR}-07-15",
    },
    "FL": dict(_RADAR),
    "NFC": dict(_RADAR),
    "NA": {
        "NDVIUP": "500",
        **_RADAR,
        **dict.fromkeys(
            ("EFANDVITHR", "EFANDVIUP", "EFANDVIDW", "EFANDVIMIN", "EFAAMPTHR", "EFACOHCHANGE", "EFACOHVALUE"), "-10000"
        ),
    },
}


def crop_lut() -> str:
    """``crop_lut.csv``: a row for each crop, in the order of `CROPS`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(LUT_COLUMNS)
    for number, crop in enumerate(CROPS, start=1):
        flags = (
            True,
            crop.arable,
            crop.permanent_grass,
            crop.temporary_grass,
            crop.fallow,
            False,
            crop.nitrogen_fixing,
        )
        table.writerow(
            [crop.code, number, crop.name, int(crop.land_cover), *crop.group, *crop.species]
            + [int(flag) for flag in flags]
            + [crop.english]
        )
    return text.getvalue()


def l4b_configuration(year: int) -> str:
    """``l4b.cfg``: the reference's defaults, the grass of the LUT and its mowing periods."""
    return _L4B.format(
        year=year,
        grass=", ".join(str(number) for number, crop in enumerate(CROPS, start=1) if crop.grassland),
        codes=", ".join(code for code, *_ in _COMPLIANCY),
        periods=", ".join(f"('{first}/{year}','{last}/{year}')" for _, first, last, _ in _COMPLIANCY),
        rules=", ".join(str(rule) for *_, rule in _COMPLIANCY),
    )


def l4c_configuration() -> str:
    """``l4c.cfg`` with the values of the Netherlands; ``${YEAR}`` is left for the reader to fill in."""
    sections = [f"[COMMON]\n\n[DEFAULT_TIME_SERIES_ANALYSIS_PARAMS]\n{_L4C_DEFAULT}"]
    for practice, values in _L4C.items():
        lines = "".join(f"{practice}_{key}={value}\n" for key, value in values.items())
        sections.append(f"[{practice}_TIME_SERIES_ANALYSIS_PARAMS]\n{lines}")
    return "\n".join(sections)
