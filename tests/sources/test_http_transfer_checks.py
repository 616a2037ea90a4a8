"""What a transfer over HTTP compares: checksums, sizes, the archive itself, and a file that stands there already."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from product_server import Fault, Hub, serving

from s4c_lib.errors import ProductCorruptError, SourceError
from s4c_lib.sources.transfer_limits import Meter
from tests.sources.http_fetching import HALF, ONE_TRY, asked, fetch, parts


@pytest.mark.parametrize("algorithm", ["md5", "MD5", "sha256", "SHA-256", "sha3-256", "SHA3_256", "sha512"])
def test_the_checksum_of_the_catalogue_is_compared(hub: Hub, tmp_path: Path, algorithm: str) -> None:
    spelling = algorithm.lower().replace("sha-", "sha").replace("-", "_")
    right = hashlib.new(spelling, hub.served.body).hexdigest()
    hub.states(algorithm, right.upper(), size=len(hub.served.body))
    hub.served.faults = [Fault(cut=HALF)]
    assert fetch(hub, tmp_path / "right").warnings == ()
    hub.states(algorithm, hashlib.new(spelling, b"other").hexdigest())
    with pytest.raises(ProductCorruptError, match=right) as caught:
        fetch(hub, tmp_path / "wrong")
    assert caught.value.retryable
    assert list((tmp_path / "wrong").iterdir()) == [tmp_path / "wrong" / ".part"]
    assert parts(tmp_path / "wrong") == []


@pytest.mark.parametrize(("algorithm", "digest"), [("crc-of-its-own", "00"), ("shake_128", "0" * 64), ("md5", "n/a")])
def test_a_checksum_that_cannot_be_compared_is_a_warning_and_the_archive_is_tested(
    hub: Hub, tmp_path: Path, algorithm: str, digest: str
) -> None:
    hub.states(algorithm, digest)
    assert "not compared" in fetch(hub, tmp_path).warnings[0]
    (tmp_path / hub.served.file_name).unlink()
    hub.served.faults = [Fault(flip=len(hub.served.body) // 2)]
    with pytest.raises(ProductCorruptError, match=r"checksum differs|damaged"):
        fetch(hub, tmp_path)


@pytest.mark.parametrize("stated", [True, False])
def test_a_wrong_byte_is_found_and_leaves_nothing_to_continue(hub: Hub, tmp_path: Path, stated: bool) -> None:
    if stated:
        hub.states("md5", hashlib.md5(hub.served.body).hexdigest())
    hub.served.faults = [Fault(flip=HALF, cut=100_000)]
    with pytest.raises(ProductCorruptError):
        fetch(hub, tmp_path)
    assert parts(tmp_path) == []
    assert not (tmp_path / hub.served.file_name).exists()
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body


def test_a_size_other_than_the_catalogues_is_said_before_the_bytes_come(hub: Hub, tmp_path: Path) -> None:
    hub.states("md5", hashlib.md5(hub.served.body).hexdigest(), size=len(hub.served.body) + 1)
    meter = Meter()
    with pytest.raises(ProductCorruptError, match="catalogue states"):
        fetch(hub, tmp_path, meter=meter)
    assert meter.bytes_received < 1000


@pytest.mark.parametrize("chunked", [False, True])
def test_a_size_that_is_only_about_right_does_not_keep_a_sound_zip_away(
    hub: Hub, tmp_path: Path, chunked: bool
) -> None:
    hub.served.chunked = chunked
    hub.states("", "", size=len(hub.served.body) + 5000)
    hub.served.faults = [Fault(cut=HALF)]
    with pytest.raises(SourceError):
        fetch(hub, tmp_path, ONE_TRY)
    result = fetch(hub, tmp_path, ONE_TRY)
    assert result.path.read_bytes() == hub.served.body
    assert asked(hub) == [None, f"bytes={HALF}-"]
    assert str(len(hub.served.body) + 5000) in result.warnings[0]


def test_a_raster_of_another_size_than_stated_is_refused(raster_product: Path, tmp_path: Path) -> None:
    with serving(raster_product.read_bytes(), raster_product.name) as hub:
        hub.states("", "", size=raster_product.stat().st_size - 1)
        with pytest.raises(ProductCorruptError, match="catalogue states"):
            fetch(hub, tmp_path)


def test_a_catalogue_that_states_no_bytes_does_not_know_the_size(hub: Hub, tmp_path: Path) -> None:
    hub.states("md5", hashlib.md5(hub.served.body).hexdigest(), size=0)
    assert fetch(hub, tmp_path).warnings == ()


def test_an_archive_cut_short_by_its_provider_is_found_although_the_checksum_is_that_of_the_short_one(
    hub: Hub, tmp_path: Path
) -> None:
    """Seen at hubs that restored products from tape."""
    hub.served.body = hub.served.body[:HALF]
    hub.states("md5", hashlib.md5(hub.served.body).hexdigest(), size=HALF)
    with pytest.raises(ProductCorruptError, match="zip"):
        fetch(hub, tmp_path)
    assert not (tmp_path / hub.served.file_name).exists()


def test_a_file_that_stands_there_already_is_checked_and_not_fetched(hub: Hub, tmp_path: Path) -> None:
    hub.states("md5", hashlib.md5(hub.served.body).hexdigest(), size=len(hub.served.body))
    first = fetch(hub, tmp_path)
    before = first.path.stat()
    again = fetch(hub, tmp_path)
    assert len(hub.served.requests) == 1
    assert again.path.stat().st_ino == before.st_ino
    assert (again.checksum, again.size_bytes) == (first.checksum, first.size_bytes)
    assert parts(tmp_path) == []


@pytest.mark.parametrize("stated", ["checksum", "size", "nothing"])
@pytest.mark.parametrize("damage", ["flipped", "short", "link"])
def test_a_file_that_stands_there_unsound_is_replaced(hub: Hub, tmp_path: Path, stated: str, damage: str) -> None:
    body = hub.served.body
    size = len(body) if stated != "nothing" else None
    hub.states("md5" if stated == "checksum" else "", hashlib.md5(body).hexdigest(), size=size)
    standing = tmp_path / hub.served.file_name
    if damage == "link":
        standing.symlink_to(tmp_path / "elsewhere.zip")
    else:
        standing.write_bytes(body[:-300] if damage == "short" else body[:HALF] + b"\0" * 64 + body[HALF + 64 :])
    fetch(hub, tmp_path)
    assert standing.read_bytes() == body
    assert not standing.is_symlink()
