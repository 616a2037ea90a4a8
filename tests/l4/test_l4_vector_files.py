"""Vector files of L4 products: names, tables beside the layer, bytes that do not depend on the day."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyogrio
import pytest

from s4c_lib.errors import InputError
from s4c_lib.l4.vector_files import write_geopackage, write_shapefile
from s4c_lib.products.export_model import Provenance, ResultTable
from tests.products.export_cases import PROVENANCE, declarations

CRS = "EPSG:32631"
RESULT = ResultTable("l4x_result", "01234567", pa.table({"NewID": [1, 3], "status": ["processed", "geometry"]}))


def parcels() -> pa.Table:
    return declarations().select(["NewID", "ori_id", "Area_meters", "geometry"])


def test_a_geopackage_holds_parcels_with_a_result_and_further_tables(tmp_path: Path) -> None:
    events = pa.table({"parcel_id": [1, 1], "seq": [1, 2]})
    for folder in ("a", "b"):
        write_geopackage(tmp_path / folder, "stem", parcels(), CRS, RESULT, PROVENANCE, tables={"l4x_event": events})
    path = tmp_path / "a" / "stem.gpkg"
    layer = pyogrio.read_dataframe(path, layer="l4x_result")
    assert layer[["NewID", "ori_id", "status"]].values.tolist() == [[1, "P1", "processed"], [3, "P3", "geometry"]]
    assert len(pyogrio.read_dataframe(path, layer="l4x_event")) == 2
    assert {"columns", "about"} <= set(pyogrio.list_layers(path)[:, 0])
    assert path.read_bytes() == (tmp_path / "b" / "stem.gpkg").read_bytes()


def test_a_shapefile_has_the_names_it_is_given_and_the_day_of_the_product(tmp_path: Path) -> None:
    files = write_shapefile(
        tmp_path, "stem", parcels(), CRS, PROVENANCE, names={"Area_meters": "Area_meter", "ori_id": "Ori_id"}
    )
    assert [path.name for path in files] == [
        "stem.shp", "stem.cpg", "stem.dbf", "stem.prj", "stem.shx", "stem_columns.csv",
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
    frame = pyogrio.read_dataframe(files[0])
    assert list(frame.columns) == ["NewID", "Ori_id", "Area_meter", "geometry"]
    assert frame.crs == CRS
    created = PROVENANCE.created_at
    head = (tmp_path / "stem.dbf").read_bytes()[1:4]
    assert tuple(head) == (created.year - 1900, created.month, created.day)


def test_a_shapefile_can_come_as_an_archive(tmp_path: Path) -> None:
    origin = Provenance("noord", 2026, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=3), "L", "s4c")
    (path,) = write_shapefile(tmp_path, "stem", parcels(), CRS, origin, zipped=True)
    assert path.name == "stem_shp.zip"
    with zipfile.ZipFile(path) as archive:
        assert "stem.dbf" in archive.namelist()


@pytest.mark.parametrize("name", ["much_too_long", "sp ace"])
def test_a_name_that_does_not_fit_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=name):
        write_shapefile(tmp_path, "stem", parcels(), CRS, PROVENANCE, names={"ori_id": name})
