"""L4C parameter files: inheritance, what is not set, presets, and everything that can be wrong."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import NotFoundError
from s4c_lib.parcels.findings import Finding, Report, Severity
from s4c_lib.parcels.l4c_configuration import L4cConfiguration, read_l4c_configuration
from s4c_lib.parcels.l4c_configuration_keys import KEYS, PRACTICES
from s4c_lib.parcels.l4c_presets import COUNTRIES, preset, preset_text
from s4c_lib.synthetic.landscape.configuration import l4c_configuration

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "practices_reference"
DEFAULT = "[DEFAULT_TIME_SERIES_ANALYSIS_PARAMS]\n"
CC = "[CC_TIME_SERIES_ANALYSIS_PARAMS]\n"
FL = "[FL_TIME_SERIES_ANALYSIS_PARAMS]\n"


def read(text: str, country: str = "NLD", practices: str = "CC, FL, NFC, NA") -> tuple[L4cConfiguration | None, Report]:
    return read_l4c_configuration(text.encode(), "l4c.cfg", year=2021, country=country, practices=practices)


def sound(text: str, country: str = "NLD") -> L4cConfiguration:
    configuration, report = read(text, country)
    assert configuration is not None
    assert report.findings == ()
    return configuration


def problem(text: str, code: str, severity: Severity = Severity.REFUSED, **options: str) -> Finding:
    configuration, report = read(text, **options)
    (found,) = report.findings
    assert (found.code, found.severity) == (code, severity)
    assert (configuration is None) == (severity == Severity.REFUSED) == report.refused
    assert report.rows == report.accepted + report.set_aside
    return found


def test_the_synthetic_file_is_read_whole() -> None:
    thresholds = sound(l4c_configuration()).thresholds
    assert thresholds["CC"].catchmain == "CatchCrop_3"
    assert thresholds["CC"].catchperiodstart == date(2021, 7, 15)
    assert (thresholds["CC"].ndviup, thresholds["FL"].ndviup) == (500, 350)
    assert (thresholds["CC"].efaampthr, thresholds["FL"].efaampthr) == (0.03, 0.01)
    assert thresholds["NFC"].ampthrbreakden == 3
    # the NA section sets its EFA keys to -10000
    harvest = thresholds["NA"]
    assert (harvest.efandviup, harvest.efandvidw, harvest.efandvimin) == (500, 300, 300)
    assert (harvest.efacohchange, harvest.efacohvalue) == (0.15, 0.7)


def test_minus_10000_means_the_substitute_and_empty_the_built_in() -> None:
    keys = ("EFANDVIUP", "EFANDVIDW", "EFACOHCHANGE", "EFACOHVALUE", "EFANDVIMIN", "EFAAMPTHR", "CATCHPERIOD")
    base = "NDVIUP=480\nNDVIDW=210\nCOHTHRHIGH=0.25\nCOHTHRABS=0.55\n"
    unset = sound(DEFAULT + base + "".join(f"{key}=-10000\n" for key in keys)).thresholds["CC"]
    empty = sound(DEFAULT + base + "".join(f"{key}=\n" for key in keys)).thresholds["CC"]
    absent = sound(DEFAULT + base).thresholds["CC"]
    values = [[getattr(one, key.lower()) for key in keys] for one in (unset, empty, absent)]
    assert values == [
        [480, 210, 0.25, 0.55, 300, 0.01, 56],
        [400, 300, 0.2, 0.7, 300, 0.01, 56],
        [400, 300, 0.2, 0.7, 300, 0.01, 56],
    ]


def test_a_practice_takes_the_rest_from_default_and_may_unset_it() -> None:
    text = f"{DEFAULT}CATCHPERIOD=70\nNDVIUP=460\n{CC}CC_NDVIUP='490'\n{FL}FL_CATCHPERIOD=-10000\n"
    thresholds = sound(text).thresholds
    assert [(thresholds[one].ndviup, thresholds[one].catchperiod) for one in PRACTICES] == [
        (490, 70), (460, 56), (460, 70), (460, 70),
    ]  # fmt: skip


def test_a_substitute_is_that_of_the_practice() -> None:
    text = f"{DEFAULT}EFANDVIUP=-10000\n{CC}CC_NDVIUP=490\n"
    assert sound(text).thresholds["CC"].efandviup == 490
    assert sound(text).thresholds["FL"].efandviup == 350


def test_nothing_set_at_all_still_gives_every_value() -> None:
    thresholds = sound(DEFAULT).thresholds["CC"]
    assert thresholds.catchmain == "-"
    assert thresholds.catchcropismain == "CatchCropIsMain"
    assert thresholds.optthrbufden == 6
    assert thresholds.stddevinampthr is False
    assert thresholds.catchproportion == pytest.approx(1 / 3)
    assert thresholds.tlmonitoringenddate is None


@pytest.mark.parametrize(
    ("country", "fallow", "fixing"),
    [("NLD", "default", "default"), ("CZE", "cze_mowing", "cze"), ("LTU", "ltu", "default"),
     ("ROU", "default", "rou"), ("ESP", "default", "strict"), ("ITA", "ita", "strict")],
)  # fmt: skip
def test_the_country_gives_the_rules_that_the_file_does_not(country: str, fallow: str, fixing: str) -> None:
    dates = "FLMARKSTARTDATE=${YEAR}-06-04\nFLMARKSTENDDATE=${YEAR}-08-31\n"
    given = sound(DEFAULT + dates, country).thresholds
    assert (given["FL"].flrule, given["NFC"].nfcrule) == (fallow, fixing)
    chosen = sound(f"{DEFAULT}{dates}FLRULE=ltu\n[NFC]\nNFCRULE=strict\n", country).thresholds
    assert (chosen["FL"].flrule, chosen["NFC"].nfcrule) == ("ltu", "strict")


def test_our_form_has_plain_section_names() -> None:
    legacy = sound(f"{DEFAULT}NDVIUP=460\n{CC}CC_NDVIUP=490\n")
    assert sound("[DEFAULT]\nNDVIUP=460\n[CC]\nNDVIUP=490\n") == legacy
    assert sound("[default]\nndviup=460\n[cc]\ncc_ndviup=490\n") == legacy


def test_tlcohthrabs_written_twice_means_base_then_absolute() -> None:
    thresholds = sound(f"{DEFAULT}TLCOHTHRABS=0.04\nTLCOHTHRABS=0.8\n").thresholds["NA"]
    assert (thresholds.tlcohthrbase, thresholds.tlcohthrabs) == (0.04, 0.8)


def test_cfg_01_a_key_twice() -> None:
    found = problem(f"{DEFAULT}NDVIUP=460\nndviup=470\n", "CFG-01")
    assert found.message == ("Line 3: ndviup of [DEFAULT_TIME_SERIES_ANALYSIS_PARAMS] is already given on line 2.")
    assert problem("[CC]\nNDVIUP=460\nCC_NDVIUP=470\n", "CFG-01")


def test_cfg_01_a_file_of_another_kind() -> None:
    _, report = read("[compliancy]\ncrop_codes = A\n")
    found = report.of("CFG-01")
    assert found is not None
    assert found.message == (
        "The file has no section of an L4C parameter file, such as [DEFAULT_TIME_SERIES_ANALYSIS_PARAMS]."
    )


def test_cfg_02_unknown_names_come_with_the_nearest() -> None:
    found = problem(f"{CC}CC_NDVI_UP=460\n", "CFG-02", Severity.WARNING)
    assert found.message == (
        "Line 2: [CC_TIME_SERIES_ANALYSIS_PARAMS] has no key CC_NDVI_UP (did you mean CC_NDVIUP?); it has no effect."
    )
    found = problem(f"[CC_TIME_SERIES_PARAMS]\n{DEFAULT}", "CFG-02", Severity.WARNING)
    assert found.message == (
        "Line 1: there is no section [CC_TIME_SERIES_PARAMS] (did you mean CC_TIME_SERIES_ANALYSIS_PARAMS?); "
        "it has no effect."
    )
    assert problem(f"[COMMON]\nNDVIUP=460\n{DEFAULT}", "CFG-02", Severity.WARNING)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("NDVIUP=high", "Line 2: NDVIUP = high: must be a number, -1,000 to 1,000."),
        ("COHTHRABS=7", "Line 2: COHTHRABS = 7: must be 0 to 1."),
        ("OPTTHRBUFDEN=0", "Line 2: OPTTHRBUFDEN = 0: must be above 0, below 1,000."),
        ("STDDEVINAMPTHR=2", "Line 2: STDDEVINAMPTHR = 2: must be true or false."),
        ("CATCHPERIOD=0", "Line 2: CATCHPERIOD = 0: must be 1 to 366 d."),
        ("CATCHPERIODSTART=15/07", "Line 2: CATCHPERIODSTART = 15/07: must be a date written YYYY-MM-DD or YYYYMMDD."),
        ("FLRULE=none", "Line 2: FLRULE = none: must be one of default, ita, cze_mowing, ltu."),
    ],
)
def test_cfg_03_values_out_of_bounds(line: str, message: str) -> None:
    assert problem(f"{DEFAULT}{line}\n", "CFG-03").message == message


def test_cfg_03_a_rule_without_its_dates() -> None:
    found = problem(DEFAULT, "CFG-03", country="ITA")
    assert found.message == (
        "The fallow rule ita needs FLMARKSTARTDATE; give FL_FLMARKSTARTDATE, or choose another FLRULE."
    )
    assert (
        problem(DEFAULT, "CFG-03", country="CZE").examples[1].startswith("The fallow rule cze_mowing needs FLMARKSTEND")
    )
    configuration, report = read(DEFAULT, "ITA", "NFC")
    assert configuration is not None
    assert not report.findings


def test_cfg_03_country() -> None:
    found = problem(DEFAULT, "CFG-03", country="Nl")
    assert found.message == 'Country "Nl" is not a code of three capital letters (ISO 3166), such as NLD.'


def test_cfg_10_unknown_practice() -> None:
    """Case 22."""
    assert problem(DEFAULT, "CFG-10", practices="CC, XX").message == '"XX" is not a practice; use CC, FL, NFC, NA.'
    assert problem(DEFAULT, "CFG-10", practices="").message == '"" is not a practice; use CC, FL, NFC, NA.'


def test_practices_may_be_written_in_any_case_and_order() -> None:
    configuration, _ = read(DEFAULT, practices="na,cc")
    assert configuration is not None
    assert configuration.practices == ("CC", "NA")


def test_cfg_11_key_without_the_prefix_of_its_section() -> None:
    """Case 22."""
    found = problem(f"{CC}NDVIUP=500\n", "CFG-11")
    assert found.message == "Line 2: Key NDVIUP must start with CC_"
    assert found.rows == (2,)
    assert problem("[CC]\nFL_NDVIUP=500\n", "CFG-11").message == "Line 2: Key FL_NDVIUP must start with CC_"


def test_cfg_12_lower_limit_above_the_upper() -> None:
    found = problem(f"{DEFAULT}NDVIDW=400\n", "CFG-12")
    assert found.message == "Line 2: CC has NDVIDW 400 above NDVIUP 350."
    assert found.count == 1  # inherited by all four practices, wrong once
    found = problem(f"{DEFAULT}NDVIDW=400\nNDVIUP=450\n{FL}FL_EFANDVIUP=290\n", "CFG-12")
    assert found.message == "Line 5: FL has EFANDVIDW 300 above EFANDVIUP 290."


def test_cfg_13_unknown_name_in_braces() -> None:
    found = problem(f"{CC}CC_CATCHPERIODSTART=${{SEASON}}-07-15\n", "CFG-13")
    assert found.message == "Line 2: CC_CATCHPERIODSTART holds ${SEASON}; only ${YEAR} is replaced."


@pytest.mark.parametrize("country", COUNTRIES)
def test_presets_are_sound_and_survive_json(country: str) -> None:
    configuration = sound(preset_text(country), country)
    assert L4cConfiguration.from_dict(json.loads(json.dumps(configuration.as_dict()))) == configuration


def test_presets_hold_what_the_specification_lists() -> None:
    assert preset("nld")["CC"] == {
        "NDVIUP": "500", "AMPTHRMIN": "0.2", "AMPTHRBREAKDEN": "3", "AMPTHRVALDEN": "3", "COHTHRBASE": "0.1",
        "COHTHRABS": "0.7", "EFAAMPTHR": "0.03", "CATCHMAIN": "CatchCrop_3", "CATCHPERIODSTART": "${YEAR}-07-15",
    }  # fmt: skip
    assert "FL" not in preset("NLD")
    assert "CC" not in preset("ESP")
    spain = sound(preset_text("ESP"), "ESP").thresholds
    assert (spain["FL"].ndvidw, spain["FL"].ndviup, spain["NFC"].optthrbufden) == (150, 400, 8)
    assert spain["FL"].efandviup == 400  # -10000: that of NDVIUP
    lithuania = sound(preset_text("LTU"), "LTU").thresholds
    assert (lithuania["FL"].cohthrhigh, lithuania["FL"].efacohvalue, lithuania["CC"].catchmain) == (0.2, 0.7, "IS")
    czechia = sound(preset_text("CZE"), "CZE").thresholds["FL"]
    assert (czechia.efandviup, czechia.efandvidw) == (600, 600)
    assert (czechia.flmarkstartdate, czechia.flmarkstenddate) == (date(2021, 6, 4), date(2021, 8, 31))
    romania = sound(preset_text("ROU"), "ROU").thresholds
    assert (romania["CC"].ndviup, romania["CC"].efacohvalue, romania["NA"].ampthrbreakden) == (400, 0.6, 4)
    with pytest.raises(NotFoundError, match="There is no L4C preset for FRA"):
        preset("FRA")


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference seasons are not on this machine")
@pytest.mark.parametrize("name", ["case1_NA_NLD", "case2_CC_NLD", "case3_FL_LTU", "case4_NFC_ESP", "case5_NA_NLD"])
def test_reference_seasons_are_read(name: str) -> None:
    _, practice, country = name.split("_")
    content = (REFERENCE / name / "config.cfg").read_bytes()
    configuration, report = read_l4c_configuration(content, name, year=2019, country=country, practices=practice)
    assert configuration is not None
    assert report.findings == ()
    thresholds = configuration.thresholds[practice]
    assert thresholds.catchmain == "CatchCrop_3"
    assert thresholds.cohthrbase == 0.1
    assert len({repr(one) for one in configuration.thresholds.values()}) == 1  # only DEFAULT is filled there


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.text("0123456789.-$ {}YEARab", max_size=12)))
def test_any_values_end_in_a_configuration_or_a_refusal(values: dict[str, str]) -> None:
    text = DEFAULT + "".join(f"{key}={value}\n" for key, value in values.items())
    configuration, report = read(text)
    assert (configuration is None) == report.refused
    assert report.rows == len(values)
    if configuration is not None:
        assert L4cConfiguration.from_dict(json.loads(json.dumps(configuration.as_dict()))) == configuration
