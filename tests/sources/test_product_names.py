from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.sources.product_names import (
    ProductKind,
    Satellite,
    granule_tile,
    l2a_name,
    parse_product_name,
    product_name,
    relative_orbit,
)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


# preprocessing.md, acceptance 9.1, row by row.
ACCEPTANCE = {
    "S2A_MSIL2A_20200205T100211_N0214_R122_T33UVQ_20200205T114355.SAFE": {
        "name": "S2A_MSIL2A_20200205T100211_N0214_R122_T33UVQ_20200205T114355",
        "satellite": Satellite.SENTINEL2,
        "platform": "sentinel-2a",
        "kind": ProductKind.S2_L2A,
        "sensing_start": at(2020, 2, 5, 10, 2, 11),
        "baseline": 214,
        "relative_orbit": 122,
        "tile": "33UVQ",
    },
    "S2A_OPER_PRD_MSIL1C_PDMC_20160209T182417_R022_V20160209T101210_20160209T101210.SAFE": {
        "platform": "sentinel-2a",
        "kind": ProductKind.S2_L1C,
        "relative_orbit": 22,
        "sensing_start": at(2016, 2, 9, 10, 12, 10),
        "created": at(2016, 2, 9, 18, 24, 17),
        "tile": None,
    },
    "SENTINEL2A_20160928-105637-665_L2A_T31UDS_C_V1-0": {
        "platform": "sentinel-2a",
        "kind": ProductKind.MUSCATE_L2A,
        "sensing_start": at(2016, 9, 28, 10, 56, 37, 665000),
        "tile": "31UDS",
        "version": "1.0",
    },
    "S1A_IW_SLC__1SDV_20220104T170557_20220104T170624_041314_04E951_F1F1.SAFE": {
        "satellite": Satellite.SENTINEL1,
        "platform": "sentinel-1a",
        "kind": ProductKind.S1_SLC,
        "mode": "IW",
        "polarisations": ("VV", "VH"),
        "sensing_start": at(2022, 1, 4, 17, 5, 57),
        "sensing_stop": at(2022, 1, 4, 17, 6, 24),
        "absolute_orbit": 41314,
        "relative_orbit": 117,
    },
    "SEN4CAP_L2A_S7_V20200404T165041_20200329T165122_VH_146_AMP.tif": {
        "site_id": 7,
        "kind": ProductKind.S1_AMP,
        "polarisations": ("VH",),
        "relative_orbit": 146,
        "start": at(2020, 3, 29, 16, 51, 22),
        "sensing_start": at(2020, 4, 4, 16, 50, 41),
        "baseline_days": 6,
    },
    "S1A_L2_COH_20200114T070238_20200108T070156_VV_096_28RBR.tif": {
        "kind": ProductKind.S1_COHE,
        "platform": "sentinel-1a",
        "polarisations": ("VV",),
        "relative_orbit": 96,
        "tile": "28RBR",
        "product_date": at(2020, 1, 14).date(),
        "previous_time": at(2020, 1, 8, 7, 1, 56),
        "baseline_days": 6,
    },
    "SEN4CAP_L2A_S7_V20200404T165041_20200329T165122_VV_022_S1_L2A_COHE.tif": {
        "kind": ProductKind.S1_COHE,
        "polarisations": ("VV",),
        "relative_orbit": 22,
    },
    "LC08_L1TP_005004_20170410_20170414_01_T1": {
        "satellite": Satellite.LANDSAT8,
        "kind": ProductKind.LANDSAT_L1,
        "tile": "005004",
        "sensing_start": at(2017, 4, 10),
        "collection": 1,
        "tier": "T1",
    },
    "LC81970242016120LGN00": {
        "satellite": Satellite.LANDSAT8,
        "tile": "197024",
        "sensing_start": at(2016, 4, 29),
        "date_only": True,
    },
}


@pytest.mark.parametrize("written", ACCEPTANCE, ids=lambda name: name[:24])
def test_acceptance_9_1(written: str) -> None:
    parsed = product_name(written)
    assert {key: getattr(parsed, key) for key in ACCEPTANCE[written]} == ACCEPTANCE[written]


@pytest.mark.parametrize("written", ACCEPTANCE, ids=lambda name: name[:24])
def test_case_and_archive_suffix_make_no_difference(written: str) -> None:
    bare = product_name(written)
    assert parse_product_name(written.lower()) == bare
    assert bare.name == bare.name.upper()
    if not written.endswith(".tif"):
        assert parse_product_name(f"{written}.zip") == bare
        assert parse_product_name(f"{written.removesuffix('.SAFE')}.tar.gz") == bare


@pytest.mark.parametrize(
    ("platform", "absolute", "expected"),
    [
        ("sentinel-1a", 40964, 117),
        ("sentinel-1a", 41314, 117),
        ("sentinel-1b", 30148, 22),
        ("sentinel-1b", 26269, 168),
        ("sentinel-1b", 29893, 117),
        ("sentinel-1d", 1000, None),
    ],
)
def test_relative_orbit_of_sentinel1(platform: str, absolute: int, expected: int | None) -> None:
    assert relative_orbit(platform, absolute) == expected


@pytest.mark.parametrize(
    ("l1", "l2"),
    [
        (
            "S2B_MSIL1C_20210401T103619_N0300_R008_T31UFS_20210401T125233.SAFE",
            "S2B_MSIL2A_20210401T103619_N0300_R008_T31UFS_20210401T125233.SAFE",
        ),
        ("LC08_L1TP_005004_20170410_20170414_01_T1", "LC08_L2A_005004_20170410_20170414_01_T1"),
        ("LC81970242016120LGN00", "LC81970242016120LGN00_L2A"),
    ],
)
def test_l2a_name(l1: str, l2: str) -> None:
    assert l2a_name(l1) == l2
    assert product_name(l2).sensing_start == product_name(l1).sensing_start


def test_only_level_1_has_an_l2a_name() -> None:
    with pytest.raises(InputError, match="is not a level-1 product"):
        l2a_name("S2B_MSIL2A_20210401T103619_N0300_R008_T31UFS_20210401T125233")


@pytest.mark.parametrize(
    ("written", "kind", "more"),
    [
        (
            "S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371.SAFE",
            ProductKind.S1_GRD,
            {"relative_orbit": 22, "datatake": "S1B_039993"},
        ),
        (
            "S1A_IW_GRDH_1SSV_20211223T051122_20211223T051147_030148_039993_5371_COG.SAFE",
            ProductKind.S1_GRD,
            {"polarisations": ("VV",)},
        ),
        ("S1A_L2_BCK_20200114T070238_VH_096_28RBR.tif", ProductKind.S1_AMP, {"previous_time": None}),
        ("LC09_L2SP_197024_20240304_20240312_02_T1", ProductKind.LANDSAT_L2SP, {"satellite": Satellite.LANDSAT9}),
        ("LC08_L1TP_197024_20240304_20240312_02_RT.tar", ProductKind.LANDSAT_L1, {"tier": "RT", "collection": 2}),
    ],
)
def test_other_names(written: str, kind: ProductKind, more: dict[str, object]) -> None:
    parsed = product_name(written)
    assert parsed.kind is kind
    assert {key: getattr(parsed, key) for key in more} == more


@pytest.mark.parametrize(
    "written",
    [
        "",
        "notes.txt",
        "S2A_MSIL2A_20201340T100211_N0214_R122_T33UVQ_20200205T114355.SAFE",  # 13th month
        "S2A_MSIL2A_20200205T100211_N0214_R122_T33UVQ_20200205T114355.tif",  # a SAFE is no raster
        "S2A_MSIL2A_20200205T100211_N0214_R122_T33UVQ.SAFE",
        "S2X_MSIL2A_20200205T100211_N0214_R122_T33UVQ_20200205T114355.SAFE",
        "S1A_IW_GRD__1SDV_20220104T170557_20220104T170624_041314_04E951_F1F1",  # GRD needs a resolution letter
        "S1A_IW_SLCH_1SDV_20220104T170557_20220104T170624_041314_04E951_F1F1",
        "LC81970242015366LGN00",  # no 366th day in 2015
        "LE07_L1TP_005004_20170410_20170414_01_T1",
        "S2A_MSIL2A_٢٠٢٠0205T100211_N0214_R122_T33UVQ_20200205T114355",
        "archive/S2A_MSIL2A_20200205T100211_N0214_R122_T33UVQ_20200205T114355",
    ],
)
def test_unknown_names_are_none_and_said_so(written: str) -> None:
    assert parse_product_name(written) is None
    with pytest.raises(InputError, match="is not the name of"):
        product_name(written)


@pytest.mark.parametrize(
    ("folder", "tile"),
    [
        ("L1C_T46RER_A032448_20210908T043714", "46RER"),
        ("S2A_OPER_MSI_L1C_TL_SGS__20160905T073438_A006291_T53HNV_N02.04", "53HNV"),
        ("QI_DATA", None),
    ],
)
def test_granule_folders(folder: str, tile: str | None) -> None:
    assert granule_tile(folder) == tile


@given(st.text(max_size=90))
def test_any_text_is_either_a_name_or_none(written: str) -> None:
    parsed = parse_product_name(written)
    assert parsed is None or parsed.name


moments = st.datetimes(datetime(2014, 1, 1), datetime(2049, 12, 31)).map(lambda t: t.replace(microsecond=0, tzinfo=UTC))


@given(
    moments, st.integers(0, 9999), st.integers(1, 143), st.from_regex(r"[0-9]{2}[C-X][A-Z]{2}", fullmatch=True), moments
)
def test_every_field_of_a_compact_name_comes_back(
    start: datetime, baseline: int, orbit: int, tile: str, created: datetime
) -> None:
    written = f"S2C_MSIL2A_{start:%Y%m%dT%H%M%S}_N{baseline:04d}_R{orbit:03d}_T{tile}_{created:%Y%m%dT%H%M%S}.SAFE"
    parsed = product_name(written)
    assert (parsed.sensing_start, parsed.baseline, parsed.relative_orbit, parsed.tile, parsed.created) == (
        start,
        baseline,
        orbit,
        tile,
        created,
    )
    assert product_name(parsed.name) == parsed


@given(moments, st.timedeltas(timedelta(0), timedelta(days=24)), st.booleans())
def test_a_pair_is_dated_by_its_later_acquisition_in_either_order(
    later: datetime, apart: timedelta, swapped: bool
) -> None:
    earlier = (later - apart).replace(microsecond=0)
    first, second = (earlier, later) if swapped else (later, earlier)
    parsed = product_name(f"SEN4CAP_L2A_S1_V{first:%Y%m%dT%H%M%S}_{second:%Y%m%dT%H%M%S}_VV_022_COHE.tif")
    assert (parsed.sensing_start, parsed.previous_time) == (later, earlier)
