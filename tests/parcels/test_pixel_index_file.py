"""The pixel index in its file: mapped, whole, and refused when it is not what it should be."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely

from s4c_lib.errors import InputError, NotFoundError, StorageError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels import pixel_index_file
from s4c_lib.parcels.inner_buffer import LocatedParcels
from s4c_lib.parcels.pixel_index import PixelIndex, build_pixel_index
from s4c_lib.parcels.pixel_index_file import read_pixel_index, write_pixel_index

GRID = PixelGrid(32631, 600_000, 5_800_020, 10, 300, 400)
ARRAYS = ("parcel_id", "count", "offsets", "start", "length")


@pytest.fixture(scope="module")
def index() -> PixelIndex:
    corners = np.random.default_rng(2).uniform((600_000, 5_797_120), (602_800, 5_799_920), (500, 2))
    boxes = shapely.box(*corners.T, *(corners + np.array([150, 80])).T)
    parcels = LocatedParcels(32631, np.arange(10, 510, dtype=np.int32), boxes)
    return build_pixel_index(parcels, GRID, buffer_m=5, parcel_set_id=42)


@pytest.fixture
def path(index: PixelIndex, tmp_path: Path) -> Path:
    file = tmp_path / "v001" / "31UFT_10m.arrow"
    write_pixel_index(index, file)
    return file


def altered(path: Path, change: dict[str, object]) -> None:
    """Write the file anew with another header."""
    with pa.ipc.open_file(path) as reader:
        table = reader.read_all()
    header = json.loads(table.schema.metadata[b"s4c_pixel_index"]) | change
    schema = table.schema.with_metadata({"s4c_pixel_index": json.dumps(header)})
    with pa.ipc.new_file(str(path), schema) as out:
        out.write_table(table.replace_schema_metadata(schema.metadata))


def test_reopened_it_is_the_same_and_mapped(index: PixelIndex, path: Path) -> None:
    found = read_pixel_index(path, verify=True)
    for name in ARRAYS:
        array = getattr(found, name)
        assert array.dtype == getattr(index, name).dtype
        assert (array == getattr(index, name)).all()
        assert not array.flags.writeable
        assert not array.flags.owndata
    assert (found.grid, found.buffer_m, found.parcel_set_id, found.sha256) == (GRID, 5.0, 42, index.sha256)
    mapped = Path("/proc/self/maps").read_text() if Path("/proc/self/maps").exists() else str(path)
    assert str(path) in mapped


def test_any_reader_of_arrow_can_use_it(index: PixelIndex, path: Path) -> None:
    with pa.ipc.open_file(path) as reader:
        table = reader.read_all()
    assert table.column_names == ["parcel_id", "count", "runs"]
    row = table.slice(7, 1).to_pylist()[0]
    pixels = [run["start"] + k for run in row["runs"] for k in range(run["length"])]
    assert pixels == index.pixels_of(row["parcel_id"]).tolist()


def test_replacing_leaves_open_readers_their_version(index: PixelIndex, path: Path) -> None:
    before = read_pixel_index(path)
    write_pixel_index(index.select([10, 11]), path)
    assert (before.start == index.start).all()
    assert read_pixel_index(path).parcel_id.tolist() == [10, 11]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_same_index_gives_the_same_bytes(index: PixelIndex, path: Path) -> None:
    first = path.read_bytes()
    write_pixel_index(index, path)
    assert path.read_bytes() == first


def test_no_parcels(tmp_path: Path) -> None:
    nobody = LocatedParcels(32631, np.empty(0, np.int32), np.empty(0, object))
    write_pixel_index(build_pixel_index(nobody, GRID, buffer_m=5, parcel_set_id=1), tmp_path / "a.arrow")
    found = read_pixel_index(tmp_path / "a.arrow", verify=True)
    assert len(found) == found.pixels == 0
    assert found.offsets.tolist() == [0]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no pixel index"):
        read_pixel_index(tmp_path / "a.arrow")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_file_cut_off_is_refused(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"31UFT_10m.arrow (is cut off at|is no pixel index)") as raised:
        read_pixel_index(path)
    assert "build the pixel index" in raised.value.hint


def test_a_file_with_its_middle_missing_is_refused(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3] + content[2 * len(content) // 3 :])
    with pytest.raises(InputError, match="cut off or damaged"):
        read_pixel_index(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    text, table = tmp_path / "a.arrow", tmp_path / "b.arrow"
    text.write_text("NewID,S2Pix\n1,81\n")
    with pytest.raises(InputError, match="is no pixel index"):
        read_pixel_index(text)
    with pa.ipc.new_file(str(table), pa.schema([("a", pa.int32())])) as out:
        out.write_batch(pa.record_batch({"a": pa.array([1], pa.int32())}))
    with pytest.raises(InputError, match="is an Arrow file but no pixel index"):
        read_pixel_index(table)


@pytest.mark.parametrize(("change", "version"), [({"format": 2}, "2.1"), ({"algorithm": 9}, "1.9")])
def test_another_version_is_refused(path: Path, change: dict[str, object], version: str) -> None:
    altered(path, change)
    with pytest.raises(InputError, match=f"has version {version}, this release reads 1.1"):
        read_pixel_index(path)


@pytest.mark.parametrize(
    "change",
    [
        {"parcels": 3},
        {"pixels": 1},
        {"grid": {"epsg": 32631, "west": 0, "north": 0, "pixel": 10, "rows": 5, "columns": 5}},
        {"grid": {"epsg": 32631}},
        {"grid": {"epsg": 32631, "west": 0, "north": 0, "pixel": 10, "rows": 0, "columns": 5}},
    ],
)
def test_a_header_that_does_not_fit_is_refused(path: Path, change: dict[str, object]) -> None:
    altered(path, change)
    with pytest.raises(InputError, match="damaged") as raised:
        read_pixel_index(path)
    assert raised.value.code == "pixel_index"


def overwritten(path: Path, array: np.ndarray, position: int, value: int) -> None:
    """Change one number of an array inside the file."""
    content = bytearray(path.read_bytes())
    at = content.find(array.tobytes()[:400]) + position * array.itemsize
    content[at : at + array.itemsize] = np.array(value, array.dtype).tobytes()
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "position", "value"),
    [("start", 5, 2**30), ("start", 5, -1), ("length", 5, 0), ("parcel_id", 5, 1), ("offsets", 5, 10**9)],
)
def test_numbers_out_of_range_are_refused(index: PixelIndex, path: Path, name: str, position: int, value: int) -> None:
    overwritten(path, getattr(index, name), position, value)
    with pytest.raises(InputError, match="damaged"):
        read_pixel_index(path)


def test_a_changed_pixel_is_found_on_verification(index: PixelIndex, path: Path) -> None:
    overwritten(path, index.start, 5, int(index.start[5]) + 1)
    read_pixel_index(path)
    with pytest.raises(InputError, match="SHA-256"):
        read_pixel_index(path, verify=True)


def test_failed_writing_keeps_the_old_file_and_leaves_nothing(
    index: PixelIndex, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        write_pixel_index(index, path / "below_a_file.arrow")
    monkeypatch.setattr(pixel_index_file.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(StorageError, match="no space left") as raised:
        write_pixel_index(index.select([10]), path)
    assert raised.value.code == "disk_full"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert len(read_pixel_index(path)) == len(index)
