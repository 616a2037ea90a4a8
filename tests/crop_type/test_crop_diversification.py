"""Crop diversification: acceptance cases AC-25 and AC-26, soundness, limits, reasons."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from diversification_cases import LUT, crop_table, holding_of, parcels_of
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.crop_type.diversification import Diversification, diversify
from s4c_lib.crop_type.diversification_parcels import (
    CLASSIF_R,
    NONE,
    DiversificationSettings,
    HoldingParcels,
    parcel_verdicts,
)
from s4c_lib.crop_type.diversification_quantities import holding_quantities
from s4c_lib.crop_type.diversification_rules import (
    CD_DIAGN,
    COMPLIANT,
    NOT_COMPLIANT,
    NOT_REQUIRED,
    holding_verdicts,
)
from s4c_lib.errors import ParameterError
from s4c_lib.parcels.crop_lut import CropLut, read_crop_lut

AC_25 = (
    (1, "WW 8", "Exemption1, Not_required", None),
    (2, "WW 12, MZ 8", "Category1, Compliant", None),
    (3, "WW 16, MZ 4", "Category1, Not_compliant", None),
    (4, "WW 25, MZ 10, SB 5", "Category2, Compliant", None),
    (5, "WW 28, MZ 11, SB 1", "Category2, Not_compliant", None),
    (6, "TG 70, FL 10, WW 20", "Exemption2, Not_required", None),
    (7, "TG 160, WW 25, MZ 15", "Category3, Compliant", "Exemption2, Not_required"),
    (8, "WW 10", "Category1, Not_compliant", None),
    (9, "WW 12, MZ 8?", "Category1, Missing_info", None),
    (10, "PG 60, TG 10, WW 15", "Exemption3, Not_required", None),
    (11, "RI 25", "Exemption3, Not_required", None),
    (12, "WW 30, MZ 6, SB 4?", "Category2, Missing_info", None),
    (13, "WW 18, MZ 9, SB 6, SB 2?", "Category2, Compliant", None),
    (14, "WW 6, MZ 5, PG 50, WW 2?", "Exemption3, Not_required", None),
    (15, "WW 7.5, MZ 2.5?", "Exemption_or_Category1, Missing_info", None),
    (16, "WW 5, MZ 4, SB 3?", "Exemption_or_Category1, Compliant", None),
    (17, "WW 20, MZ 6, SB 6?", "Category1_or_2, Missing_info", None),
)


def judged(text: str, rule_set: str = "eu_2018", **more: object) -> Diversification:
    lut = crop_table()
    return diversify(parcels_of(lut, holding_of(text)), lut, DiversificationSettings(rule_set, **more))  # type: ignore[arg-type]


def verdict(result: Diversification, row: int = 0) -> str:
    table = result.holding_table
    return f"{table['CD_cat'][row]}, {table['CD_diagn'][row]}"


@pytest.mark.parametrize("rule_set", ["eu_2015", "eu_2018"])
@pytest.mark.parametrize(("number", "text", "eu_2015", "eu_2018"), AC_25)
def test_ac_25(number: int, text: str, eu_2015: str, eu_2018: str | None, rule_set: str) -> None:
    expected = eu_2018 if rule_set == "eu_2018" and eu_2018 else eu_2015
    assert verdict(judged(text, rule_set)) == expected, number


def test_all_holdings_at_once_are_judged_as_one_by_one() -> None:
    lut = crop_table()
    rows = [row for number, text, *_ in AC_25 for row in holding_of(text, number)]
    shuffled = [rows[place] for place in np.random.default_rng(1).permutation(len(rows))]
    result = diversify(parcels_of(lut, shuffled), lut, DiversificationSettings("eu_2015"))
    assert result.holding_table["HoldID"].to_pylist() == [number for number, *_ in AC_25]
    assert [verdict(result, row) for row in range(len(AC_25))] == [expected for _, _, expected, _ in AC_25]
    assert result.counts() == {"Not_required": 5, "Compliant": 5, "Not_compliant": 3, "Missing_info": 4}


def test_a_crop_that_is_both_grass_and_a_legume_counts_once() -> None:
    both = LUT.replace("CL;8;Clover;1;8;Clover;8;Clover;1;1;0;0;0;0;1", "CL;8;Clover;3;8;Clover;8;Clover;1;1;0;1;0;0;1")
    lut, _ = read_crop_lut(both.encode(), "lut.csv")
    assert lut is not None
    result = diversify(parcels_of(lut, holding_of("CL 40, WW 30, MZ 30")), lut, DiversificationSettings("eu_2018"))
    assert verdict(result) == "Category2, Compliant"


def test_legumes_exempt_by_the_rules_of_2018_only() -> None:
    assert verdict(judged("CL 80, WW 20", "eu_2018")) == "Exemption2, Not_required"
    assert verdict(judged("CL 80, WW 20", "eu_2015")) == "Category2, Not_compliant"


def test_30_ha_of_the_rest_exempt_and_a_little_more_does_not() -> None:
    """D-18: the limits themselves belong to the exemption and to the smaller size class."""
    assert verdict(judged("TG 170, WW 30", "eu_2015")) == "Exemption2, Not_required"
    assert verdict(judged("TG 170, WW 30.01", "eu_2015")) == "Category3, Not_compliant"
    assert verdict(judged("WW 20, MZ 10")) == "Category1, Compliant"
    assert verdict(judged("WW 20, MZ 10.01")) == "Category2, Not_compliant"
    assert verdict(judged("WW 9.99")) == "Exemption1, Not_required"


def test_areas_that_no_float_can_hold_still_meet_their_limit() -> None:
    # 3 x 3.3333 ha and 0.0001 ha are 10 ha, and 30 parts of 0.1 ha are 3 ha
    tenths = ", ".join(["WW 0.1"] * 30)
    assert verdict(judged(f"WW 3.3333, MZ 3.3333, SB 3.3333, SB 0.0001, {tenths}")) == "Category1, Compliant"
    assert verdict(judged(", ".join(["WW 0.1"] * 100))) == "Category1, Not_compliant"


def test_the_number_of_crops_of_grassy_holdings_is_tested_on_request() -> None:
    """Grass and rice are two crops of a holding above 30 ha that needs three; the rest itself is diverse enough."""
    text = "TG 160, WW 30, MZ 10"
    assert verdict(judged(text, "eu_2015", check_crop_number=True)) == "Category3, Compliant"
    two = "TG 160, WW 31"
    assert verdict(judged("TG 160, WW 31, MZ 11", "eu_2015")) == "Category3, Compliant"
    assert "2 crops, 3 needed (failed)" in reason(judged(two, "eu_2015", check_crop_number=True))


def test_an_organic_holding_is_exempt() -> None:
    lut = crop_table()
    parcels = parcels_of(lut, holding_of("WW 16, MZ 4", 7) + holding_of("WW 16, MZ 4", 8))
    result = diversify(parcels, lut, DiversificationSettings(), organic=np.array([8]))
    assert [verdict(result, row) for row in (0, 1)] == ["Category1, Not_compliant", "Exemption_organic, Not_required"]


def test_a_parcel_without_a_holding_is_judged_alone_and_listed() -> None:
    lut = crop_table()
    result = diversify(
        parcels_of(lut, [(NONE, "WW", 12.0, True), (3, "WW", 12.0, True)]), lut, DiversificationSettings()
    )
    assert result.parcel_table["HoldID"].to_pylist() == [None, 3]
    assert result.parcel_table["CD_cat"].to_pylist() == [None, "Category1"]
    assert result.parcel_table["Classif_r"].to_pylist() == ["Classified_conform"] * 2


def test_a_code_that_the_crop_table_lacks_may_be_agricultural() -> None:
    result = judged("WW 16, MZ 4, XX 5?")
    assert verdict(result) == "Category1, Missing_info"
    assert "1 of them with a crop code that the crop table lacks" in reason(result)
    assert (
        result.parcel_table["reason"][2].as_py()
        == "class 999 is predicted with confidence 0.800, declared is class unknown"
    )


def test_the_columns_are_those_of_the_specification() -> None:
    result = judged("TG 70, FL 10, WW 20, RI 3, PG 5, MZ 6?", "eu_2015")
    assert result.parcel_table.column_names[:5] == ["NewID", "Classif_r", "CD_cat", "CD_diagn", "Area_meters"]
    row = result.holding_table.to_pylist()[0]
    hectares = {name: value / 10_000 for name, value in row.items() if name.startswith("area_")}
    assert hectares == {
        "area_eaa_c": 108, "area_tal_c": 103, "area_tempGrass_c": 70, "area_permGrass_c": 5, "area_llf_c": 10,
        "area_cwater_c": 3, "area_remAl_ex2_c": 23, "area_remAl_ex3_c": 30, "area_mainCrop_c": 70,
        "area_2mainCrop_c": 20, "area_nc": 6,
    }  # fmt: skip
    assert (row["nb_types_c"], row["nb_parcels_nc"]) == (4, 1)


# AC-26


def one_parcel(lut: CropLut, code: str, **given: object) -> HoldingParcels:
    columns = {name: np.array([value]) for name, value in given.items()}
    return parcels_of(lut, [(1, code, 5.0, True)], **columns)


def parcel_verdict(parcels: HoldingParcels, lut: CropLut, **thresholds: float) -> tuple[str, str]:
    result = diversify(parcels, lut, DiversificationSettings(**thresholds))  # type: ignore[arg-type]
    return CLASSIF_R[result.parcels.classif_r[0]], result.parcel_table["reason"][0].as_py()


def test_ac_26_predictions() -> None:
    lut = crop_table()
    second = one_parcel(lut, "MZ", ct_pred_1=7, ct_conf_1=0.60, ct_pred_2=2, ct_conf_2=0.05)
    assert parcel_verdict(second, lut) == (
        "Classified_conform",
        "declared class 2 is the second choice, confidence 0.050; the first is class 7, 0.600",
    )
    assert parcel_verdict(second, lut, accept_second_min_conf=0.06)[0] == "Classified_not_conform"
    foreign = one_parcel(lut, "MZ", ct_pred_1=7, ct_conf_1=0.95, ct_pred_2=8)
    assert parcel_verdict(foreign, lut)[0] == "Classified_not_conform"
    assert parcel_verdict(foreign, lut, conf_threshold=0.9) == (
        "Classified_not_conform_prediction_used",
        "class 7 is predicted with confidence 0.950, 0.9 replaces declared class 2",
    )


def test_a_prediction_counts_as_its_crop_only_if_the_class_is_one_crop() -> None:
    """D-17: class 4 is grass of two kinds, class 7 is rice and nothing else."""
    lut = crop_table()
    sure = DiversificationSettings("eu_2015", conf_threshold=0.9)
    rows = holding_of("WW 20, MZ 5")
    as_rice = diversify(parcels_of(lut, rows, ct_pred_1=np.array([1, 7]), ct_conf_1=np.array([1.0, 0.95])), lut, sure)
    assert as_rice.parcels.counted_as.tolist() == [0, 6]
    assert as_rice.holding_table["area_cwater_c"].to_pylist() == [50_000]
    as_grass = diversify(parcels_of(lut, rows, ct_pred_1=np.array([1, 4]), ct_conf_1=np.array([1.0, 0.95])), lut, sure)
    assert CLASSIF_R[as_grass.parcels.classif_r[1]] == "Classified_not_conform"


@pytest.mark.parametrize(
    ("expected", "reason", "given"),
    [
        ("Not_classified_geometry", "the parcel overlaps others", {"overlap": True, "lc": 5}),
        ("Not_classified_geometry", "another parcel has the same geometry", {"duplic": True}),
        ("Not_classified_geometry", "the geometry is not valid", {"geom_valid": False}),
        ("Not_classified_land_cover", "land cover 5 is not classified", {"lc": 5, "s2_pix": 1}),
        ("Not_classified_land_cover", "the crop table lacks the declared crop code", {"lc": NONE}),
        ("Not_classified_minS2pix", "2 Sentinel-2 pixels, 3 needed", {"s2_pix": 2}),
        ("Not_classified_minS2pix", "0 Sentinel-2 pixels, 3 needed", {"s2_pix": NONE}),
        ("Not_classified_noS1pix", "0 Sentinel-1 pixels, 1 needed", {"s2_pix": 8, "s1_pix": 0}),
        (
            "Not_classified_undefined",
            "not classified: too few observations, or too few parcels of the crop",
            {"s2_pix": 8, "s1_pix": 2},
        ),
    ],
)
def test_ac_26_without_prediction(expected: str, reason: str, given: dict[str, object]) -> None:
    lut = crop_table()
    parcels = one_parcel(lut, "WW", ct_pred_1=NONE, ct_pred_2=NONE, ct_conf_1=np.nan, **given)
    assert parcel_verdict(parcels, lut) == (expected, reason)


# reasons


def reason(result: Diversification) -> str:
    text: str = result.holding_table["reason"][0].as_py()
    return text


def test_reasons_tell_the_numbers() -> None:
    assert reason(judged("WW 8")) == "The holding has 8.00 ha of arable land, less than 10 ha."
    assert reason(judged("WW 16, MZ 4")) == (
        "Category 1: 2 crops, 2 needed (met), Wheat on 16.00 of 20.00 ha of arable land, 80.0 %, 75 % allowed (failed)."
    )
    assert reason(judged("WW 12, MZ 8?")) == (
        "Cannot be decided: 8.00 ha in 1 parcel is not confirmed. Category 1: 1 crop and 1 unconfirmed parcel, "
        "2 needed (open), Wheat on 12.00 of 20.00 ha of arable land, 60.0 to 100.0 %, 75 % allowed (open)."
    )
    assert reason(judged("TG 70, FL 10, WW 20", "eu_2015")) == (
        "Temporary grass and fallow are 80.00 of 100.00 ha of arable land, 80.0 %, more than 75 %; the rest of the "
        "arable land is 20.00 ha, no more than 30 ha."
    )
    assert reason(judged("WW 6, MZ 5, PG 50, WW 2?")) == (
        "Grass and crops under water are 50.00 of at most 63.00 ha of eligible land, at least 79.4 %, more than 75 %."
    )
    assert "Wheat and Maize on 39.00 of 40.00 ha of arable land, 97.5 %, 95 % allowed (failed)" in reason(
        judged("WW 28, MZ 11, SB 1")
    )


def test_settings_come_from_parameters() -> None:
    from s4c_lib.cli.run_by_hand import parameters

    values = parameters("default", ["processor.s4c_l4a.lc=All", "processor.s4c_l4a.mode=s2-only"]).values
    found = DiversificationSettings.of(values)
    assert (found.rule_set, found.min_s2_pix, found.min_s1_pix, found.conf_threshold) == ("eu_2018", 3, 0, 2.0)
    assert found.land_covers == {0, 1, 2, 3, 4, 5}
    with pytest.raises(ParameterError, match="no rule set 'eu_2023'"):
        replace(found, rule_set="eu_2023")


# soundness (§12.4)

CROPS = [row["Ori_crop"] for row in csv.DictReader(io.StringIO(LUT), delimiter=";")]
HOLDINGS, WORLDS = 20_000, 3


def diagnoses(parcels: HoldingParcels, lut: CropLut, rules: DiversificationSettings) -> npt.NDArray[np.int8]:
    """Return what `diversify` does, without tables and texts."""
    quantities, _ = holding_quantities(parcels, parcel_verdicts(parcels, lut, rules), lut, rules.rule_set)
    return holding_verdicts(quantities, rules).diagnosis


@pytest.mark.parametrize(("rule_set", "check_crop_number"), [("eu_2015", True), ("eu_2015", False), ("eu_2018", False)])
def test_a_verdict_holds_whatever_the_unknown_parcels_turn_out_to_be(rule_set: str, check_crop_number: bool) -> None:
    rng = np.random.default_rng(12)
    lut = crop_table()
    rules = DiversificationSettings(rule_set, check_crop_number=check_crop_number)
    parcels = rng.integers(1, 8, HOLDINGS)
    holding = np.repeat(np.arange(HOLDINGS), parcels)
    # few crops a holding and sizes around the limits, or hardly a case would be one
    favourite = rng.integers(0, len(CROPS) - 1, HOLDINGS)[holding]
    crop = np.where(rng.random(len(holding)) < 0.5, favourite, rng.integers(0, len(CROPS) - 1, len(holding)))
    scale = rng.choice([3.0, 8.0, 20.0, 60.0], HOLDINGS)[holding]
    area = np.maximum(np.round(rng.random(len(holding)) * scale * 2) / 2, 0.5)
    known = rng.random(len(holding)) < 0.75
    rows = [
        (int(hold), CROPS[code], float(size), bool(sure))
        for hold, code, size, sure in zip(holding, crop, area, known, strict=True)
    ]
    before = diagnoses(parcels_of(lut, rows), lut, rules)
    assert np.bincount(before, minlength=4).min() > HOLDINGS // 25, "the holdings do not try every diagnosis"
    lenient = np.isin(before, (COMPLIANT, NOT_REQUIRED))
    template = parcels_of(lut, [(hold, code, size, True) for hold, code, size, _ in rows])
    for _ in range(WORLDS):
        # a farm's unknown parcels are often alike, which is what it takes to tip a verdict
        one = rng.integers(0, len(CROPS), HOLDINGS)[holding]
        drawn = np.where(rng.random(HOLDINGS)[holding] < 0.5, one, rng.integers(0, len(CROPS), len(holding)))
        truth = np.where(known, crop, drawn).astype(np.int64)
        declared = lut.ctnuml4a[truth].astype(np.int64)
        world = replace(template, crop=truth, ct_decl=declared, ct_pred_1=declared, lc=lut.lc[truth].astype(np.int64))
        after = diagnoses(world, lut, rules)
        assert not (lenient & (after == NOT_COMPLIANT)).any()
        assert (after[before == NOT_COMPLIANT] == NOT_COMPLIANT).all()
        assert set(np.unique(after)) <= {NOT_REQUIRED, COMPLIANT, NOT_COMPLIANT}, [CD_DIAGN[code] for code in after[:9]]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(CROPS), st.sampled_from([0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 22.5, 30.0]), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["eu_2015", "eu_2018"]),
    st.data(),
)
def test_no_small_holding_changes_its_verdict(
    holding: list[tuple[str, float, bool]], rule_set: str, data: st.DataObject
) -> None:
    lut = crop_table()
    rules = DiversificationSettings(rule_set)
    before = diagnoses(parcels_of(lut, [(1, *parcel) for parcel in holding]), lut, rules)[0]
    world = []
    for code, area, sure in holding:
        # wood whose prediction differs is not agricultural by its declaration and stays out
        open_ = not sure and code != "WD"
        world.append((1, data.draw(st.sampled_from(CROPS)) if open_ else code, area, sure or open_))
    after = diagnoses(parcels_of(lut, world), lut, rules)[0]
    if before == NOT_COMPLIANT:
        assert after == NOT_COMPLIANT
    elif before in (COMPLIANT, NOT_REQUIRED):
        assert after != NOT_COMPLIANT
