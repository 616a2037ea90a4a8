"""Products moved into the archive: whole there, in force, and never lost between the two places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kept_products import Place
from sqlalchemy import text

from s4c_lib.errors import ParameterError
from s4c_lib.retention import keeping
from s4c_lib.retention.archive_copy import archive_copy


class KilledError(BaseException):
    """As a process that is killed: nothing catches it."""


def archived_files(place: Place) -> list[str]:
    return sorted(str(path.relative_to(place.root / "archive")) for path in (place.root / "archive").rglob("*.tif"))


def test_archived_it_is_whole_in_another_place_and_in_force(place: Place) -> None:
    (place.root / "archive").mkdir()
    for key, value in (("retention.l2a.action", "archive"), ("retention.archive_path", str(place.root / "archive"))):
        place.set(key, value)
    number = place.l2a("A", content=b"abc")
    done = place.night(91)
    assert (done.archived, done.removed, done.faults) == (1, 0, [])
    found = place.product(number)
    assert found.full_path == str(place.root / "archive" / "l2a" / "product" / str(number) / "A")
    assert (Path(found.full_path) / "a.tif").read_bytes() == b"abc"
    assert (found.state, found.removed_at, found.files[:8]) == ("active", None, "archived")
    assert not (place.root / "products" / "l2a" / "A").exists()
    assert place.rows("file_removal") == 0
    assert place.night(400).archived == 0


@pytest.mark.parametrize("when", ["noted", "half copied", "copied", "switched", "half removed"])
def test_a_night_that_is_killed_leaves_a_whole_product_and_the_next_one_finishes(
    place: Place, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    (place.root / "archive").mkdir()
    for key, value in (("retention.l2a.action", "archive"), ("retention.archive_path", str(place.root / "archive"))):
        place.set(key, value)
    number = place.l2a("A", content=b"abc")

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    def after(real: Callable[..., object]) -> Callable[..., None]:
        def run(*args: object, **more: object) -> None:
            real(*args, **more)
            raise KilledError

        return run

    def halfway(source: Path, target: Path, known: object) -> int:
        part = target.with_name(f".{target.name}.part")
        part.mkdir(parents=True)
        (part / "a.tif").write_bytes(b"a")
        raise KilledError

    def half_removed(path: Path) -> bool:
        (path / "a.tif").unlink()
        raise KilledError

    with monkeypatch.context() as patch:
        match when:
            case "noted":
                patch.setattr(keeping, "archive_copy", killed)
            case "half copied":
                patch.setattr(keeping, "archive_copy", halfway)
            case "copied":
                patch.setattr(keeping, "archive_copy", after(archive_copy))
            case "switched":
                patch.setattr(keeping, "remove_stored", killed)
            case "half removed":
                patch.setattr(keeping, "remove_stored", half_removed)
        with pytest.raises(KilledError):
            place.night(91)
    assert (Path(place.product(number).full_path) / "a.tif").read_bytes() == b"abc"
    place.night(92)
    found = place.product(number)
    assert (Path(found.full_path) / "a.tif").read_bytes() == b"abc"
    assert archived_files(place) == [f"l2a/product/{number}/A/a.tif"]
    assert list((place.root / "archive").rglob(".*")) == []
    assert not (place.root / "products" / "l2a" / "A").exists()
    assert place.rows("file_removal") == 0


def test_a_copy_that_nobody_wants_any_more_is_removed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.root / "archive").mkdir()
    for key, value in (("retention.l2a.action", "archive"), ("retention.archive_path", str(place.root / "archive"))):
        place.set(key, value)
    number = place.l2a("A")
    with monkeypatch.context() as patch:
        real = archive_copy

        def copied(*args: object, **more: object) -> int:
            real(*args, **more)  # type: ignore[arg-type]
            raise KilledError

        patch.setattr(keeping, "archive_copy", copied)
        with pytest.raises(KilledError):
            place.night(91)
    place.set("retention.l2a.action", "none")
    place.night(92)
    assert archived_files(place) == []
    assert (Path(place.product(number).full_path) / "a.tif").exists()


def test_what_cannot_be_archived_stays_and_is_told(place: Place) -> None:
    place.set("retention.l2a.action", "archive")
    number = place.l2a("A")
    assert "retention.archive_path is not set for alpha" in place.night(91).faults[0]
    archive = place.root / "mnt"
    place.set("retention.archive_path", str(archive))
    assert "is not a folder that exists" in place.night(91).faults[0]
    (place.root / "elsewhere").mkdir()
    archive.mkdir()
    (archive / "l2a").symlink_to(place.root / "elsewhere")
    assert "leads out of the archive, by a link" in place.night(91).faults[0]
    (archive / "l2a").unlink()
    foreign = archive / "l2a" / "product" / str(number)
    foreign.mkdir(parents=True)
    assert "is there already and not of this database" in place.night(91).faults[0]
    foreign.rmdir()
    with place.database.begin() as connection:
        connection.execute(
            text("INSERT INTO s4c.product_file VALUES (:id, 'a.tif', 1, :sha)"), {"id": number, "sha": "0" * 64}
        )
    assert "is not what was registered" in place.night(91).faults[0]
    assert (place.root / "products" / "l2a" / "A" / "a.tif").exists()
    assert list(archive.rglob("*.tif")) == []
    with pytest.raises(ParameterError, match="s3"):
        place.set("retention.archive_path", "s3://bucket/products")
