from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import ManifestError, StorageError
from s4c_lib.manifest import DagEntry, Manifest, last_good_path, parse_manifest, read_manifest, write_manifest

ENTRY = DagEntry(
    dag_id="alpha__2024__ingest",
    processor="ingest",
    site="alpha",
    site_name="Alpha",
    season="2024",
    season_name="2024",
    start="2024-03-01",
    end="2024-09-30",
    phase="past",
    enabled=True,
    schedule="daily",
    interval=("2024-02-18", "2024-10-31", 60),
    sources=("archive",),
)
L4A = replace(
    ENTRY,
    dag_id="alpha__2024__l4a_crop_type",
    processor="s4c_l4a",
    interval=None,
    sources=(),
    dates=("2024-05-01", "2024-06-30"),
)
MANIFEST = Manifest(dags=(ENTRY, L4A), pools={"cpu": 2, "ds_archive": 4}, sync_minutes=5)


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "dag_manifest.json"
    assert write_manifest(path, MANIFEST)
    assert read_manifest(path) == MANIFEST
    assert {one.name for one in path.parent.iterdir()} == {"dag_manifest.json", "dag_manifest.last_good.json"}
    assert path.stat().st_mode & 0o777 == 0o644


def test_equal_manifests_are_equal_bytes_and_are_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_manifest(path, MANIFEST)
    before = path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino
    other_order = Manifest(dags=(L4A, ENTRY), pools={"ds_archive": 4, "cpu": 2}, sync_minutes=5)
    assert not write_manifest(path, other_order)
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert write_manifest(path, replace(MANIFEST, sync_minutes=6))


@given(
    st.lists(
        st.builds(
            DagEntry,
            dag_id=st.text(),
            processor=st.text(),
            site=st.text(),
            site_name=st.text(),
            season=st.text(),
            season_name=st.text(),
            start=st.text(),
            end=st.text(),
            phase=st.text(),
            enabled=st.booleans(),
            schedule=st.text(),
            dates=st.lists(st.text()).map(tuple),
            interval=st.none() | st.tuples(st.text(), st.text(), st.integers()),
            sources=st.lists(st.text()).map(tuple),
        ),
        unique_by=lambda entry: entry.dag_id,
    )
)
def test_any_manifest_can_be_read_back(entries: list[DagEntry]) -> None:
    text = Manifest(dags=tuple(entries)).to_json()
    found = parse_manifest(text, "here")
    assert sorted(found.dags, key=lambda one: one.dag_id) == sorted(entries, key=lambda one: one.dag_id)
    assert found.to_json() == text


def test_where_nothing_was_ever_written_there_are_no_dags(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "m.json") == Manifest()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace('"enabled": true', '"enabled": false'))


def garble(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00 no text")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def list_instead(path: Path) -> None:
    path.write_text("[1, 2]")


def other_format(path: Path) -> None:
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def gone(path: Path) -> None:
    path.unlink()


DAMAGES = [cut, edit, garble, empty, list_instead, other_format, folder_instead]


@pytest.mark.parametrize("damage", [*DAMAGES, gone], ids=lambda one: one.__name__)
def test_the_last_good_one_serves_for_a_damaged_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: type
) -> None:
    path = tmp_path / "m.json"
    write_manifest(path, MANIFEST)
    damage(path)
    with caplog.at_level(logging.WARNING):
        assert read_manifest(path) == MANIFEST
    assert "stays in force" in caplog.text


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
def test_when_both_are_damaged_it_says_so(tmp_path: Path, damage: type) -> None:
    path = tmp_path / "m.json"
    write_manifest(path, MANIFEST)
    for one in (path, last_good_path(path)):
        damage(one)
    with pytest.raises(ManifestError) as raised:
        read_manifest(path)
    assert str(last_good_path(path)) in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize("damage", [cut, edit, garble, empty, list_instead, other_format], ids=lambda one: one.__name__)
def test_writing_heals_a_damaged_one(tmp_path: Path, damage: type) -> None:
    path = tmp_path / "m.json"
    write_manifest(path, MANIFEST)
    damage(path)
    assert write_manifest(path, MANIFEST)
    assert read_manifest(path) == MANIFEST


def test_a_folder_that_cannot_be_written_leaves_everything(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written") as raised:
        write_manifest(tmp_path / "file" / "m.json", MANIFEST)
    assert "stay as they are" in raised.value.hint


def test_a_full_disk_leaves_the_old_one(tmp_path: Path) -> None:
    """A limit on file sizes stands for the full disk: the write ends in an error of the system in mid-file."""
    path = tmp_path / "m.json"
    write_manifest(path, MANIFEST)
    before = path.read_bytes()
    script = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from s4c_lib.errors import StorageError
        from s4c_lib.manifest import Manifest, read_manifest, write_manifest
        path = Path(sys.argv[1])
        manifest = read_manifest(path)
        pools = {f"pool_{number}": number for number in range(1000)}
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            write_manifest(path, Manifest(dags=manifest.dags, pools=pools))
        except StorageError as error:
            print(error.one_line)
        """
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60)
    assert "cannot be written: File too large" in done.stdout, done.stderr
    assert path.read_bytes() == before
    assert read_manifest(path) == MANIFEST
    assert len(list(tmp_path.iterdir())) == 2, "no half file stays behind"
