from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import export_cases as cases
import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from s4c_lib.errors import InputError
from s4c_lib.products.export import export_parcels
from s4c_lib.products.export_geometry import outlines, transformer_between
from s4c_lib.products.export_model import ExportOptions

SHAPES = [
    None,
    cases.square(0),
    shapely.MultiPolygon([cases.square(1), cases.square(2)]),
    shapely.force_3d(cases.square(3), 7.0),
    shapely.Polygon(),
]


@given(st.lists(st.sampled_from(SHAPES), max_size=6), st.sampled_from([0, 1]), st.integers(0, 2))
def test_all_become_flat_multipolygons_of_the_same_shape(
    shapes: list[shapely.Geometry | None], byte_order: int, skipped: int
) -> None:
    encoded = [None if item is None else shapely.to_wkb(item, byte_order=byte_order) for item in shapes]
    given_wkb = pa.array([None] * skipped + encoded, pa.binary()).slice(skipped)
    found = shapely.from_wkb(outlines(given_wkb, None).to_numpy(zero_copy_only=False))
    for shape, result in zip(shapes, found, strict=True):
        if shape is None:
            assert result is None
        else:
            assert result.geom_type == "MultiPolygon"
            assert not result.has_z
            assert result.equals(shapely.force_2d(shape))


def test_same_system_by_another_name_moves_nothing() -> None:
    assert transformer_between(CRS("EPSG:32631"), CRS(CRS("EPSG:32631").to_wkt())) is None


def test_x_stays_before_y_in_geographic_systems() -> None:
    transformer = transformer_between(CRS("EPSG:32631"), CRS("EPSG:4326"))
    moved = shapely.from_wkb(outlines(cases.wkb(cases.square(0)), transformer)[0].as_py())
    assert np.allclose(moved.centroid.coords[0], (5.18, 51.88), atol=0.02)


def test_a_point_outside_the_wished_system_is_named_not_swallowed_by_the_driver(tmp_path: Path) -> None:
    far = cases.declarations().set_column(10, "geometry", cases.wkb(*[shapely.box(1e12, 1e12, 2e12, 2e12)] * 5))
    with pytest.raises(InputError, match=r"The point 2000000000000\.000, .* has no place in the wished system"):
        export_parcels(replace(cases.frame(), declarations=far), tmp_path, ExportOptions(crs="EPSG:3035"))
    assert list(tmp_path.iterdir()) == []
