"""Bytes that the hub sends: the same every time, whole or in parts."""

from __future__ import annotations

import hashlib
import io
import socket
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from hub_visitors import Visitor
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError, NotFoundError
from s4c_lib.sources.archive_scan import scan_folder
from s4c_lib.synthetic.hub import Hub, HubLimits
from s4c_lib.synthetic.hub.byte_ranges import Sendable, file_answer
from s4c_lib.synthetic.hub.exchange import FilePart


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_product_arrives_as_it_lies_in_the_archive(hub: Hub, visitor: Visitor, hub_folder: Path) -> None:
    headers = visitor.bearer()
    lying = {found.name.name: found.path for found in scan_folder(hub_folder).found}
    assert {product.name.name for product in hub.products} == set(lying)
    with requests.Session() as session:
        for product in hub.products:
            answer = session.get(visitor.address(product.title), headers=headers, timeout=10)
            assert hashlib.md5(answer.content, usedforsecurity=False).hexdigest() == product.md5
            assert len(answer.content) == product.size_bytes
            source = lying[product.name.name]
            if source.is_file():
                assert answer.content == source.read_bytes()
                continue
            with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
                top = f"{product.title}.SAFE/" if product.is_safe else f"{product.title}/"
                sent = {name.removeprefix(top): archive.read(name) for name in archive.namelist()}
            assert sent == files_of(source)


def test_zips_have_the_same_bytes_in_every_hub(hub: Hub, hub_folder: Path, tmp_path: Path) -> None:
    with Hub(hub_folder, cache=tmp_path / "zips") as other:
        assert [(one.id, one.md5) for one in other.products] == [(one.id, one.md5) for one in hub.products]
    assert not list((tmp_path / "zips").glob(".*"))


@given(data=st.data())
def test_ranges_are_slices(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 60))
    file = Sendable(Path("unread"), "x.zip", size, '"tag"', 0.0)
    first, last = data.draw(st.integers(0, 80)), data.draw(st.integers(0, 80))
    for text, expected in (
        (f"bytes={first}-", range(first, size)),
        (f"bytes={first}-{last}", range(first, min(last + 1, size))),
        (f"bytes=-{last}", range(max(0, size - last), size)),
    ):
        answer = file_answer(file, {"range": text})
        if text == f"bytes={first}-{last}" and last < first:
            assert answer.status == 200
        elif len(expected) == 0:
            assert answer.status == 416
            assert answer.headers["Content-Range"] == f"bytes */{size}"
        else:
            assert isinstance(answer.body, FilePart)
            assert range(answer.body.start, answer.body.start + answer.body.length) == expected
            assert answer.headers["Content-Range"] == f"bytes {expected[0]}-{expected[-1]}/{size}"


def test_a_download_is_continued_where_it_stopped(hub: Hub, visitor: Visitor) -> None:
    product = next(one for one in hub.products if one.file_name.endswith(".zip"))
    content = product.path.read_bytes()
    headers = visitor.bearer()
    address = visitor.address(product.title)
    head = requests.head(address, headers=headers, timeout=10)
    assert int(head.headers["Content-Length"]) == len(content)
    assert head.content == b""
    assert product.file_name in head.headers["Content-Disposition"]
    for same in (head.headers["ETag"], head.headers["Last-Modified"]):
        rest = requests.get(address, headers={**headers, "Range": "bytes=1000-", "If-Range": same}, timeout=10)
        assert (rest.status_code, rest.content) == (206, content[1000:])
    for changed in ('"another"', "Mon, 01 Jan 2018 00:00:00 GMT", "yesterday"):
        whole = requests.get(address, headers={**headers, "Range": "bytes=1000-", "If-Range": changed}, timeout=10)
        assert (whole.status_code, whole.content) == (200, content)
    beyond = requests.get(address, headers={**headers, "Range": f"bytes={len(content)}-"}, timeout=10)
    assert beyond.status_code == 416


def test_without_login_nothing_is_sent(hub: Hub, visitor: Visitor) -> None:
    answer = requests.get(visitor.address(hub.products[0].title), timeout=10)
    assert answer.status_code == 401
    assert hub.requests[-1].bytes_sent == len(answer.content) < 100


def test_downloads_of_one_account_are_limited(make_hub: Callable[..., Hub]) -> None:
    with make_hub(limits=HubLimits(connection_limit=2)) as hub:
        visitor = Visitor(hub)
        headers = visitor.bearer()
        title = max(hub.products, key=lambda product: product.size_bytes).title
        # One after the other is no problem, however fast.
        for _ in range(5):
            assert visitor.fetch(title, headers).status_code == 200
        hub.faults.aim("slow", times=2, seconds_per_chunk=3600)
        with requests.Session() as session, ExitStack() as running:
            for _ in range(2):
                answer = session.get(visitor.address(title), headers=headers, stream=True, timeout=10)
                running.callback(answer.close)
                assert answer.status_code == 200
            refused = visitor.fetch(title, headers)
        assert refused.status_code == 429
        assert refused.json()["message"] == "Max session number exceeded"
        counted = hub.ledger()
        assert counted["most_downloads"] == 2
        assert counted["most_connections"] >= 3


def test_folders_without_products_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError), Hub(folder):
            pass


def test_a_port_that_is_taken_is_said(hub: Hub, make_hub: Callable[..., Hub]) -> None:
    taken = int(hub.url.rsplit(":", 1)[1])
    with pytest.raises(InputError, match=str(taken)), make_hub(port=taken):
        pass


def test_damaged_products_are_not_served_and_named(hub_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    sound = next(found for found in scan_folder(hub_folder).found if found.path.suffix == ".tif")
    folder.mkdir()
    (folder / sound.path.name).write_bytes(sound.path.read_bytes())
    damaged = next(found for found in scan_folder(hub_folder).found if found.path.suffix == ".SAFE")
    (folder / damaged.path.name).mkdir()
    (folder / damaged.path.name / "manifest.safe").write_bytes(b"<no")
    with Hub(folder) as hub:
        assert [product.path.name for product in hub.products] == [sound.path.name]
        assert [(item.code, item.name and item.name.name) for item in hub.rejected] == [
            ("input_corrupt", damaged.name.name)
        ]
        with pytest.raises(NotFoundError):
            hub.product(damaged.path.name)


@pytest.fixture
def defective(make_hub: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    return SimpleNamespace(hub=make_hub(), patch=monkeypatch)


def test_a_defect_of_the_hub_fails_the_test_that_met_it(defective: SimpleNamespace) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("defect")

    defective.patch.setattr("s4c_lib.synthetic.hub.odata.parse_filter", broken)
    with pytest.raises(OSError, match="defect"), defective.hub as hub:
        assert Visitor(hub).search(filter="Name eq 'x'").status_code == 500


def test_the_hub_names_one_address(make_hub: Callable[..., Hub]) -> None:
    with pytest.raises(InputError, match="cannot listen"), make_hub(host="0.0.0.0"):
        pass


def test_a_hub_ends_while_clients_hold_on(make_hub: Callable[..., Hub]) -> None:
    with make_hub() as hub, requests.Session() as session:
        session.get(hub.stac_url, timeout=10)
        hub.faults.aim("slow", seconds_per_chunk=3600)
        held = session.get(f"{hub.stac_url}/collections", stream=True, timeout=10)
        address = hub.stac_url
        hub.__exit__(None, None, None)
        with pytest.raises(requests.RequestException):
            held.json()
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=10)


@pytest.mark.parametrize(("length", "status"), [("many", 400), ("999999999", 413)])
def test_bodies_are_bounded(hub: Hub, length: str, status: int) -> None:
    host = hub.url.removeprefix("http://")
    with socket.create_connection((host.split(":")[0], int(host.split(":")[1])), timeout=10) as connection:
        connection.sendall(f"POST /stac/search HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode())
        assert connection.makefile().readline().split()[1] == str(status)
