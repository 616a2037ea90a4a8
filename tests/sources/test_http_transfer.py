from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from product_server import Fault, Hub, serving

from s4c_lib.errors import Sen4capError, SourceError, StorageError
from s4c_lib.sources.http_transfer import fetch_http
from s4c_lib.sources.model import FetchMode
from s4c_lib.sources.part_folder import holding
from s4c_lib.sources.product_names import product_name
from s4c_lib.sources.transfer import fetch_local
from s4c_lib.sources.transfer_limits import Meter, TransferLimits
from tests.sources.http_fetching import HALF, ONE_TRY, QUICK, asked, fetch, parts


def changed(body: bytes) -> bytes:
    """The same product packed anew: a zip may be followed by a comment."""
    comment = b"packed anew"
    return body[:-2] + len(comment).to_bytes(2, "little") + comment


@pytest.mark.parametrize("stated", [".zip", ".tar", ".tar.gz"])
def test_an_archive_is_called_after_what_it_is(
    product_copy: Callable[[str], Path], stated: str, tmp_path: Path
) -> None:
    """A catalogue says nothing of how a Landsat bundle is packed, or is wrong about it."""
    bundle = product_copy(".tar")
    with serving(bundle.read_bytes(), f"{bundle.stem}{stated}") as hub:
        result = fetch(hub, tmp_path / "target")
        assert result.path == tmp_path / "target" / f"{bundle.stem}.tar"
        assert result.path.read_bytes() == bundle.read_bytes()
        assert [path.name for path in (tmp_path / "target").iterdir() if path.is_file()] == [bundle.name]
        again = fetch(hub, tmp_path / "target")
        assert (again.path, again.checksum) == (result.path, result.checksum)
        assert len(hub.served.requests) == 1, "a file of the other name is known to be the product"
    copied = fetch_local(bundle, product_name(bundle.name), tmp_path / "copy", FetchMode.COPY)
    assert result.checksum == copied.checksum


def test_a_zip_that_is_called_a_tar_is_checked_as_a_zip(zipped_product: Path, tmp_path: Path) -> None:
    with serving(zipped_product.read_bytes(), zipped_product.name.replace(".zip", ".tar")) as hub:
        assert fetch(hub, tmp_path / "target").path.name == zipped_product.name


def test_a_product_arrives_whole_and_is_counted(hub: Hub, zipped_product: Path, tmp_path: Path) -> None:
    meter, seen, passed = Meter(), [], []
    result = fetch(
        hub,
        tmp_path / "target",
        meter=meter,
        progress=lambda done, total: seen.append((done, total)),
        gate=lambda: passed.append(1),
    )
    size = zipped_product.stat().st_size
    assert result.path == tmp_path / "target" / zipped_product.name
    assert result.path.read_bytes() == zipped_product.read_bytes()
    assert (result.mode, result.size_bytes, result.warnings) == (FetchMode.DOWNLOAD, size, ())
    assert (meter.requests, meter.bytes_received, len(passed)) == (1, size, 1)
    assert seen[-1] == (size, size)
    assert parts(tmp_path / "target") == []
    copied = fetch_local(zipped_product, product_name(zipped_product.name), tmp_path / "copy", FetchMode.COPY)
    assert (result.checksum, result.checksum_of) == (copied.checksum, copied.checksum_of)


def test_a_raster_product_arrives_as_it_is(raster_product: Path, tmp_path: Path) -> None:
    with serving(raster_product.read_bytes(), raster_product.name) as hub:
        assert fetch(hub, tmp_path).path.read_bytes() == raster_product.read_bytes()


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_breaks_off_is_continued_where_it_ended(hub: Hub, tmp_path: Path, reset: bool) -> None:
    hub.served.faults = [Fault(cut=HALF, reset=reset), Fault(cut=20_000, reset=reset)]
    meter = Meter()
    result = fetch(hub, tmp_path, meter=meter)
    assert result.path.read_bytes() == hub.served.body
    first, second, third = asked(hub)
    assert first is None
    if not reset:  # a reset may overtake bytes that were sent
        assert (second, third) == (f"bytes={HALF}-", f"bytes={HALF + 20_000}-")
    assert [headers.get("if-range") for _, headers in hub.served.requests] == [None, '"v1"', '"v1"']
    assert (meter.requests, meter.bytes_received) == (3, len(hub.served.body))
    assert hub.located == [False]


def test_a_connection_that_goes_on_breaking_ends_the_call_and_the_next_one_continues(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [Fault(cut=30_000), Fault(cut=30_000), Fault(cut=30_000)]
    meter = Meter()
    with pytest.raises(SourceError, match="broke the connection off") as caught:
        fetch(hub, tmp_path, meter=meter)
    assert caught.value.retryable
    assert (meter.requests, meter.bytes_received) == (3, 90_000)
    assert not (tmp_path / hub.served.file_name).exists()
    fetch(hub, tmp_path, meter=meter)
    assert asked(hub)[-1] == "bytes=90000-"
    assert meter.bytes_received == len(hub.served.body)
    assert parts(tmp_path) == []


def test_a_connection_that_brings_nothing_is_not_tried_again_at_once(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [Fault(cut=0), Fault(cut=0)]
    with pytest.raises(SourceError):
        fetch(hub, tmp_path)
    assert len(hub.served.requests) == 1


def test_a_server_without_ranges_begins_anew(hub: Hub, tmp_path: Path) -> None:
    hub.served.ranges = False
    hub.served.faults = [Fault(cut=HALF)]
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body


def test_a_server_that_gives_short_ranges_is_asked_for_the_rest(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [Fault(cut=10_000)]
    hub.served.longest_range = 20_000
    assert fetch(hub, tmp_path, TransferLimits(stall_seconds=5, reconnects=1)).path.read_bytes() == hub.served.body


@pytest.mark.parametrize(
    ("etag", "last_modified", "honours", "validator"),
    [
        ('"v2"', "Sat, 02 Mar 2024 12:00:00 GMT", True, '"v1"'),
        ('"v2"', "Sat, 02 Mar 2024 12:00:00 GMT", False, '"v1"'),
        (None, "Sat, 02 Mar 2024 12:00:00 GMT", True, "Fri, 01 Mar 2024 12:00:00 GMT"),
        (None, "Sat, 02 Mar 2024 12:00:00 GMT", False, "Fri, 01 Mar 2024 12:00:00 GMT"),
        ('W/"v2"', "Sat, 02 Mar 2024 12:00:00 GMT", True, "Fri, 01 Mar 2024 12:00:00 GMT"),
        (None, None, True, None),
    ],
)
def test_a_product_that_changed_meanwhile_is_fetched_from_its_start(
    hub: Hub, tmp_path: Path, etag: str | None, last_modified: str | None, honours: bool, validator: str | None
) -> None:
    served = hub.served
    if etag is None or etag.startswith("W/"):
        served.etag = etag.replace("2", "1") if etag else None
    if last_modified is None:
        served.last_modified = None
    served.faults = [Fault(cut=HALF)]
    with pytest.raises(SourceError):
        fetch(hub, tmp_path, ONE_TRY)
    served.body, served.etag, served.last_modified = changed(served.body), etag, last_modified
    served.honours_if_range = honours
    assert fetch(hub, tmp_path, ONE_TRY).path.read_bytes() == served.body
    assert served.requests[1][1].get("if-range") == validator


@pytest.mark.parametrize("what", ["size", "checksum"])
def test_a_part_the_catalogue_no_longer_describes_is_not_continued(hub: Hub, tmp_path: Path, what: str) -> None:
    served = hub.served
    hub.states("md5", hashlib.md5(served.body).hexdigest(), size=len(served.body))
    served.faults = [Fault(cut=HALF)]
    with pytest.raises(SourceError):
        fetch(hub, tmp_path, ONE_TRY)
    served.body = changed(served.body)
    served.etag = '"v2"'
    if what == "size":
        hub.states("", "", size=len(served.body))
    else:
        hub.states("md5", hashlib.md5(served.body).hexdigest())
    assert fetch(hub, tmp_path, ONE_TRY).path.read_bytes() == served.body
    assert asked(hub)[1:] == [None]


@pytest.mark.parametrize("noted", ["", "{", "[]", '{"host": 1}', '{"checksum": null, "unknown": 1}', "gone"])
def test_a_part_without_a_readable_note_is_begun_anew(hub: Hub, tmp_path: Path, noted: str) -> None:
    hub.served.faults = [Fault(cut=HALF)]
    with pytest.raises(SourceError):
        fetch(hub, tmp_path, ONE_TRY)
    note = next((tmp_path / ".part").rglob("origin.json"))
    if noted == "gone":
        note.unlink()
    else:
        note.write_text(noted)
    fetch(hub, tmp_path, ONE_TRY)
    assert asked(hub) == [None, None]


def test_a_size_nobody_states_is_no_obstacle(hub: Hub, tmp_path: Path) -> None:
    hub.served.chunked = True
    hub.served.faults = [Fault(cut=HALF)]
    seen: list[tuple[int, int]] = []
    result = fetch(hub, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert result.path.read_bytes() == hub.served.body
    assert asked(hub) == [None, f"bytes={HALF}-"]
    assert all(done <= total for done, total in seen)


def test_a_part_that_lacks_nothing_is_not_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    size = len(hub.served.body)

    def interrupt(done: int, total: int) -> None:
        if done == size:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(hub, tmp_path, progress=interrupt)
    assert not (tmp_path / hub.served.file_name).exists()
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body
    assert len(hub.served.requests) == 1


def test_a_part_beyond_which_there_is_nothing_is_complete(hub: Hub, tmp_path: Path) -> None:
    hub.served.chunked = True
    hub.served.faults = [Fault(cut=len(hub.served.body))]  # all, but for the mark of the end
    with pytest.raises(SourceError):
        fetch(hub, tmp_path, ONE_TRY)
    assert fetch(hub, tmp_path, ONE_TRY).path.read_bytes() == hub.served.body
    assert asked(hub)[1:] == [f"bytes={len(hub.served.body)}-"]


def test_a_part_longer_than_the_product_is_begun_anew(hub: Hub, tmp_path: Path) -> None:
    hub.served.chunked = True
    hub.served.etag = hub.served.last_modified = None
    body = hub.served.body
    hub.served.body = body + b"\0" * 50_000
    hub.served.faults = [Fault(cut=len(body) + 20_000)]
    hub.states("sha256", hashlib.sha256(body).hexdigest())
    with pytest.raises(SourceError):
        fetch(hub, tmp_path, ONE_TRY)
    hub.served.body = body
    assert fetch(hub, tmp_path, ONE_TRY).path.read_bytes() == body
    assert asked(hub)[1:] == [f"bytes={len(body) + 20_000}-", None]


def test_answers_to_ranges_that_do_not_fit_do_not_go_on_for_ever(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [Fault(cut=HALF), Fault(wrong_range=True), Fault(cut=HALF), Fault(wrong_range=True)]
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body
    (tmp_path / hub.served.file_name).unlink()
    hub.served.faults = [Fault(cut=HALF), Fault(wrong_range=True)] * 3
    with pytest.raises(SourceError, match="contradict"):
        fetch(hub, tmp_path, TransferLimits(reconnects=9))


def test_two_transfers_of_one_product_do_not_meet(hub: Hub, tmp_path: Path) -> None:
    with holding(tmp_path, hub.served.file_name), pytest.raises(StorageError, match="another process") as caught:
        fetch(hub, tmp_path)
    assert caught.value.code == "transfer_busy"


@pytest.mark.parametrize("file_name", ["../outside.zip", "a/b.zip", ".part", "", "/etc/x.zip"])
def test_a_name_that_is_no_file_name_is_refused(hub: Hub, tmp_path: Path, file_name: str) -> None:
    hub.served.file_name, name = file_name, product_name(hub.served.file_name)
    with pytest.raises(SourceError, match="no file name"):
        fetch_http(hub.locate, name, tmp_path / "target", QUICK)
    assert not (tmp_path / "target").exists()


def test_a_terminated_process_leaves_a_part_that_is_continued(hub: Hub, tmp_path: Path) -> None:
    class TerminatedError(Exception):
        """As Airflow's handler raises one in the task."""

    def terminated(number: int, frame: object) -> None:
        raise TerminatedError

    arrived = 5 * 16384

    def terminate() -> None:
        while sum(path.stat().st_size for path in (tmp_path / ".part").rglob("*.zip") if path.is_file()) < arrived:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGTERM)

    hub.served.faults = [Fault(cut=arrived, hold=True)]
    before = signal.signal(signal.SIGTERM, terminated)
    watcher = threading.Thread(target=terminate)
    watcher.start()
    try:
        with pytest.raises(TerminatedError):
            fetch(hub, tmp_path)
    finally:
        signal.signal(signal.SIGTERM, before)
        watcher.join()
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body
    assert asked(hub) == [None, f"bytes={arrived}-"]


IN_A_PROCESS = """
import sys
from pathlib import Path
from s4c_lib.sources.catalogue import Download
from s4c_lib.sources.http_transfer import fetch_http
from s4c_lib.sources.product_names import product_name
from s4c_lib.sources.transfer_limits import TransferLimits

url, file_name, target = sys.argv[1:]
fetch_http(lambda renew: Download(url, file_name), product_name(file_name), Path(target), TransferLimits())
"""


def test_a_process_killed_at_any_point_leaves_nothing_half_visible_and_is_continued(hub: Hub, tmp_path: Path) -> None:
    """Once after some bytes, once when all are sent: while it receives, checks, flushes or renames."""
    command = [sys.executable, "-c", IN_A_PROCESS, f"{hub.url}/product", hub.served.file_name, str(tmp_path)]
    for point in (3 * 16384, len(hub.served.body)):
        with subprocess.Popen(command) as child:

            def kill(sent: int, point: int = point, child: subprocess.Popen[bytes] = child) -> None:
                if sent >= point:
                    child.kill()

            hub.served.sent = 0
            hub.served.on_sent = kill
            assert child.wait(60) == -signal.SIGKILL
        final = tmp_path / hub.served.file_name
        assert not final.exists() or final.read_bytes() == hub.served.body
    hub.served.on_sent = None
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body
    assert parts(tmp_path) == []


def test_the_note_beside_a_part_says_what_it_is_of(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [Fault(cut=HALF)]
    hub.states("md5", hashlib.md5(hub.served.body).hexdigest())
    with pytest.raises(SourceError):
        fetch(hub, tmp_path, ONE_TRY)
    folder = tmp_path / ".part" / f"{hub.served.file_name}.1"
    assert (folder / hub.served.file_name).read_bytes() == hub.served.body[:HALF]
    assert json.loads((folder / "origin.json").read_text()) == {
        "host": hub.url.removeprefix("http://"),
        "size_bytes": len(hub.served.body),
        "stated_bytes": None,
        "checksum": {"algorithm": "md5", "digest": hashlib.md5(hub.served.body).hexdigest()},
        "etag": '"v1"',
        "last_modified": "Fri, 01 Mar 2024 12:00:00 GMT",
    }


def members(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


FAULTS = st.one_of(
    st.builds(Fault, cut=st.integers(0, 160_000), reset=st.booleans()),
    st.builds(Fault, flip=st.integers(0, 160_000)),
    st.builds(Fault, cut=st.integers(0, 160_000), flip=st.integers(0, 160_000)),
    st.builds(Fault, status=st.sampled_from([401, 403, 404, 429, 500, 502, 503, 416])),
    st.builds(Fault, wrong_range=st.just(True)),
    st.just(Fault(status=200, headers=(("Content-Type", "text/html"),), body=b"<html>please log in</html>")),
)


@settings(max_examples=20)
@given(
    faults=st.lists(FAULTS, max_size=8),
    ranges=st.booleans(),
    chunked=st.booleans(),
    honours=st.booleans(),
    checksum=st.booleans(),
    validators=st.booleans(),
    changes_after=st.integers(0, 12),
)
def test_whatever_goes_wrong_the_product_arrives_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory,
    zipped_product: Path,
    faults: list[Fault],
    ranges: bool,
    chunked: bool,
    honours: bool,
    checksum: bool,
    validators: bool,
    changes_after: int,
) -> None:
    target = tmp_path_factory.mktemp("any")
    with serving(zipped_product.read_bytes(), zipped_product.name) as hub:
        served = hub.served
        served.ranges, served.chunked, served.honours_if_range = ranges, chunked, honours
        served.faults = list(faults)
        if not validators:
            served.etag = served.last_modified = None
        failures: list[Sen4capError] = []
        for turn in range(len(faults) + 2):
            if turn == changes_after:
                served.body = changed(served.body)
                served.etag = '"v2"' if validators else None
            if checksum:
                hub.states("md5", hashlib.md5(served.body).hexdigest(), size=len(served.body))
            try:
                result = fetch(hub, target, ONE_TRY)
                break
            except Sen4capError as error:
                failures.append(error)
                visible = (target / served.file_name).exists()
            assert not visible
        assert all(failure.retryable for failure in failures)
        if checksum or all(fault.flip is None for fault in faults):
            assert result.path.read_bytes() == served.body
        # Without any checksum a wrong byte can only hide where a zip holds no content.
        assert members(result.path.read_bytes()) == members(served.body)
        assert parts(target) == []
