import json
import struct

import numpy as np
import pytest
import shapely
from geometry_cases import BOW_TIE, GOLDEN, HOLE_OUTSIDE, LONLAT, SPIKE, UTM, box, column, drawn, in_lonlat
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.findings import Severity
from s4c_lib.parcels.geometry_blocks import reproject
from s4c_lib.parcels.geometry_checks import geometry_facts
from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.declarations import write_declarations

SCALE = 1.000247  # equal-area ground for a metre of the grid, at the place of the golden set


def facts_of(*shapes, crs=UTM, **how):
    return geometry_facts(column(*shapes), crs, **how)


def codes(findings):
    return {item.code: item for item in findings}


@pytest.mark.parametrize("profile", ["reference", "default"])
def test_golden_table(profile):
    facts, _ = geometry_facts(GOLDEN, UTM, profile=profile)
    assert facts.geom_valid.tolist() == [True] * 6 + [False, False, True]
    areas = np.array([10000, 10000, 40000, 2500, 10000, 10000, 5000, 9500, 3600])
    if profile == "reference":
        assert facts.area_m2 == pytest.approx(areas, abs=1e-6)
    else:
        assert facts.area_m2 == pytest.approx(areas * SCALE, rel=1e-5)
        assert facts.area_m2[0] == pytest.approx(10002.47, abs=0.005)
    expected = [1.1284] * 6 + [1.9263, 1.5107, 2.9338]
    assert facts.shape_ind == pytest.approx(expected, abs=5e-5)
    assert facts.overlap_amount == pytest.approx([0.15, 0.15, 0.0625, 1, 1, 1, 0, 0, 0], abs=1e-9)
    assert facts.overlap.tolist() == [True, True, False, True, True, True, False, False, False]
    assert facts.duplic.tolist() == [False] * 4 + [True, True] + [False] * 3
    assert facts.duplic_group.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0]
    assert facts.geom_repaired.tolist() == [False] * 7 + [profile == "default", False]
    assert facts.n_parts.tolist() == [1] * 9
    # crop type classification: P3 and P8, and P7 where it is repaired
    eligible = (facts.geom_valid | facts.geom_repaired) & ~facts.overlap & ~facts.duplic
    assert np.flatnonzero(eligible).tolist() == ([2, 8] if profile == "reference" else [2, 7, 8])
    assert {shape.geom_type for shape in facts.geometry} == {"MultiPolygon"}


@pytest.mark.parametrize("profile", ["reference", "default"])
def test_golden_set_in_degrees_has_the_same_flags_and_areas(profile):
    facts, _ = geometry_facts(in_lonlat(GOLDEN), LONLAT, profile=profile)
    expected, _ = geometry_facts(GOLDEN, UTM)
    assert facts.area_m2 == pytest.approx(expected.area_m2, rel=2e-6)
    assert facts.shape_ind == pytest.approx(expected.shape_ind, rel=1e-5)
    assert facts.overlap_amount == pytest.approx(expected.overlap_amount, abs=1e-5)
    assert facts.overlap.tolist() == expected.overlap.tolist()
    assert facts.duplic.tolist() == expected.duplic.tolist()
    alone, _ = geometry_facts(in_lonlat(GOLDEN[:1]), LONLAT, profile=profile)
    assert alone.area_m2[0] == pytest.approx(10002.47, abs=0.005)


@pytest.mark.parametrize("epsg", [28992, 31370, 3035, 3857])
def test_another_system_changes_no_flag_and_no_area(epsg):
    crs = CRS.from_epsg(epsg)
    facts, _ = geometry_facts(reproject(GOLDEN, UTM, crs), crs)
    expected, _ = geometry_facts(GOLDEN, UTM)
    assert facts.area_m2 == pytest.approx(expected.area_m2, rel=2e-5)  # transformations of datums differ by that
    assert facts.overlap_amount == pytest.approx(expected.overlap_amount, abs=1e-4)
    assert facts.overlap.tolist() == expected.overlap.tolist()
    assert facts.duplic.tolist() == expected.duplic.tolist()


def test_shapes_of_case_3():
    hole = drawn((0, 0), (100, 0), (100, 100), (0, 100), holes=[((35, 35), (35, 65), (65, 65), (65, 35))])
    two = shapely.MultiPolygon([box(1000, 0, 50), box(1100, 0, 50)])
    facts, findings = facts_of(
        box(2000, 0, 30), box(3000, 0, 9, 300), box(4000, 0, 22, 300), hole, two, profile="reference"
    )
    assert facts.area_m2 == pytest.approx([900, 2700, 6600, 9100, 5000])
    assert facts.shape_ind[3:] == pytest.approx([1.5377, 1.5958], abs=5e-5)
    assert facts.n_parts.tolist() == [1, 1, 1, 1, 2]
    assert codes(findings)["DECL-33"].rows == (5,)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_null_empty_and_broken_parcels_are_kept_without_size(value):
    nothing = shapely.Polygon()
    wkb = shapely.to_wkb(shapely.Polygon([(0, 0), (1, 77), (1, 1), (0, 0)]))
    with np.errstate(invalid="ignore"):
        broken = shapely.from_wkb(wkb.replace(struct.pack("<d", 77.0), struct.pack("<d", value)))
    facts, findings = facts_of(None, nothing, broken, box(0, 0, 100))
    assert facts.geom_valid.tolist() == [False, False, False, True]
    assert facts.area_m2[:3].tolist() == [0, 0, 0]
    assert np.isnan(facts.shape_ind[:3]).all()
    assert facts.n_parts.tolist() == [0, 0, 1, 1]
    assert facts.geometry[0] is None
    assert facts.geometry[1] is None
    found = codes(findings)
    assert found["DECL-30"].rows == (1, 2)
    assert found["DECL-30"].severity == Severity.EXCLUDED
    assert found["DECL-31"].rows == (3,)


def test_every_code_has_its_message():
    thin = box(0, 5000, 1, 400)  # ShapeInd 5.65
    shapes = (
        None,  # 1: -30
        BOW_TIE,  # 2: -31
        SPIKE,  # 3: -32
        shapely.MultiPolygon([box(2000, 0, 50), box(2100, 0, 50)]),  # 4: -33
        box(3000, 0, 100),  # 5 and 6: -34, -35
        box(3000, 0, 100),
        box(4000, 0, 9),  # 7: -36, small
        box(10000, 0, 3200),  # 8: -36, large
        thin,  # 9: -36, shape
        box(5000, 0, 100),  # 10: -36, declared 2 ha
        box(6000, 0, 100),  # 11 and 12: -38, 500 m2 in common
        box(6095, 0, 100),
    )
    declared = np.full(len(shapes), np.nan)
    declared[9], declared[10] = 20000.0, 11000.0
    names = [f"P{number}" for number in range(1, 13)]
    rows = np.arange(101, 113)
    _, findings = facts_of(*shapes, src_row=rows, names=names, declared_area=declared)
    found = {item.code: (item.severity.value, item.rows, item.message) for item in findings}
    assert {code: (severity, numbers) for code, (severity, numbers, _) in found.items()} == {
        "DECL-30": ("X", (101,)),
        "DECL-31": ("X", (102,)),
        "DECL-32": ("W", (103,)),
        "DECL-33": ("W", (104,)),
        "DECL-34": ("X", (105, 106)),
        "DECL-35": ("X", (105, 106)),
        "DECL-36": ("W", (107, 108, 109, 110)),
        "DECL-38": ("W", (111, 112)),
    }
    assert found["DECL-30"][2].startswith("1 parcel has no geometry (first: row 101): kept and left out")
    assert "1 smaller than 100 m², 1 larger than 10 km², 1 ShapeInd above 5, 1 declared area" in found["DECL-36"][2]
    assert "2 parcels overlap by more than 10 m² in 1 pair (first: row 111), each below" in found["DECL-38"][2]
    assert codes(findings)["DECL-38"].examples == ("P11", "P12")
    assert [item.severity.rank for item in findings] == sorted(item.severity.rank for item in findings)


def test_reference_repairs_nothing_and_leaves_invalid_parcels_out():
    facts, findings = facts_of(SPIKE, SPIKE, HOLE_OUTSIDE, profile="reference")
    assert not facts.geom_repaired.any()
    assert not facts.overlap.any()
    assert not facts.duplic.any()
    assert codes(findings)["DECL-31"].count == 3
    assert "DECL-32" not in codes(findings)


def test_threshold_is_a_parameter():
    shapes = (box(0, 0, 100), box(99, 0, 100))
    assert facts_of(*shapes, overlap_threshold=0.001)[0].overlap.all()
    assert not facts_of(*shapes, overlap_threshold=0.1)[0].overlap.any()


def test_web_mercator_does_not_inflate_shared_ground():
    crs = CRS.from_epsg(3857)
    # 8 m2 in common, 21 in the plane of the layer
    shapes = reproject(column(box(0, 0, 100), box(99.92, 0, 100)), UTM, crs)
    assert "DECL-38" not in codes(geometry_facts(shapes, crs)[1])


def test_points_and_lines_are_refused():
    with pytest.raises(InputError, match="Point at position 2") as caught:
        facts_of(box(0, 0, 100), shapely.Point(1, 2))
    assert caught.value.code == "DECL-22"


def test_outside_europe_area_is_the_geodesic_one():
    crs = CRS.from_epsg(32736)
    facts, _ = geometry_facts(column(shapely.box(500000, 9800000, 500100, 9800100)), crs)
    expected, _ = geometry_facts(reproject(facts.geometry, crs, LONLAT), LONLAT, profile="reference")
    assert facts.area_m2 == pytest.approx(expected.area_m2, abs=1e-2)
    assert facts.area_m2[0] == pytest.approx(10000 / 0.9996**2, rel=1e-6)


def test_default_area_equals_the_geodesic_one():
    facts, _ = geometry_facts(GOLDEN[:1], UTM)
    exact, _ = geometry_facts(in_lonlat(GOLDEN[:1]), LONLAT, profile="reference")
    assert facts.area_m2[0] == pytest.approx(exact.area_m2[0], abs=1e-3)


def test_no_parcels():
    facts, findings = facts_of()
    assert len(facts.geometry) == 0
    assert findings == []


def test_a_parcel_beyond_the_reach_of_the_system_is_kept():
    far = shapely.box(1e12, 1e12, 1e12 + 100, 1e12 + 100)
    facts, findings = facts_of(box(0, 0, 100), far)
    assert facts.area_m2[1] == 0
    assert np.isnan(facts.shape_ind[1])
    assert codes(findings)["DECL-36"].rows == (2,)


squares = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from([20, 20, 30]), st.sampled_from([20, 40])),
    min_size=1,
    max_size=14,
)


@settings(max_examples=40, deadline=None)
@given(squares, st.randoms(use_true_random=False))
def test_order_of_the_rows_changes_nothing_but_the_order(boxes, random):
    shapes = column(*(box(*item) for item in boxes), BOW_TIE, SPIKE, None)
    order = list(range(len(shapes)))
    random.shuffle(order)
    facts, findings = geometry_facts(shapes, UTM)
    mixed, mixed_findings = geometry_facts(shapes[order], UTM)
    for name in ("geom_valid", "geom_repaired", "n_parts", "overlap", "duplic", "duplic_group"):
        assert getattr(mixed, name).tolist() == getattr(facts, name)[order].tolist(), name
    for name in ("area_m2", "shape_ind", "overlap_amount"):
        assert getattr(mixed, name) == pytest.approx(getattr(facts, name)[order], rel=1e-12, nan_ok=True)
    assert [(item.code, item.count) for item in mixed_findings] == [(item.code, item.count) for item in findings]
    assert {item.code: {order[row - 1] for row in item.rows} for item in mixed_findings} == {
        item.code: {row - 1 for row in item.rows} for item in findings
    }


@pytest.mark.parametrize("profile", ["reference", "default"])
def test_synthetic_delivery_with_every_fault(tmp_path, profile):
    pyogrio = pytest.importorskip("pyogrio")
    landscape = make_landscape(PixelGrid(32631, 650040.0, 5750040.0, 10, 600, 600), 1200, 3)
    write_declarations(landscape, tmp_path, 3)
    truth = json.loads((tmp_path / "declarations_truth.json").read_text())
    meta, _, wkb, fields = pyogrio.raw.read(tmp_path / "declarations.gpkg")
    shapes = shapely.force_2d(shapely.from_wkb(wkb))
    polygonal = np.isin(shapely.get_type_id(shapes), (-1, 3, 6))
    rows = np.flatnonzero(polygonal) + 1
    facts, findings = geometry_facts(shapes[polygonal], CRS(meta["crs"]), profile=profile, src_row=rows)
    found = {item.code: set(item.rows) for item in findings}
    place = {int(row): position for position, row in enumerate(rows)}
    for fault in truth["faults"]:
        row = fault["row"]["geopackage"]
        if row not in place:
            continue
        at = place[row]
        expected = {
            code for code in fault["codes"]["geopackage"] if code in ("DECL-30", "DECL-31", "DECL-32", "DECL-36")
        }
        if profile == "default":
            for code in expected:
                assert row in found[code], fault
        assert facts.duplic[at] == fault["Duplic"][profile], fault
        assert facts.overlap[at] == fault["Overlap"] or fault["fault"] in ("touching_ring", "spike", "hole_on_shell")
        if facts.geom_valid[at]:
            assert facts.overlap_amount[at] == pytest.approx(fault["overlap_amount"], abs=2e-6), fault
    ids = fields[list(meta["fields"]).index(truth["mapping"]["parcel"][0])]
    first = {name: row for row, name in reversed(list(enumerate(ids[rows - 1])))}
    for touched in truth["parcels_touched"]:
        at = first[touched["id"]]
        assert facts.overlap[at] == touched["Overlap"]
        assert facts.duplic[at] == touched["Duplic"][profile]
