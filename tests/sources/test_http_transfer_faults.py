from __future__ import annotations

import logging
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from product_server import SIGNATURE, TOKEN, Fault, Hub, serving

from s4c_lib.errors import (
    DiskFullError,
    ProductCorruptError,
    ProductGoneError,
    ProductOfflineError,
    Sen4capError,
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    StorageError,
)
from s4c_lib.sources.bandwidth import Bandwidth
from s4c_lib.sources.transfer_limits import Meter, TransferLimits
from tests.sources.http_fetching import HALF, ONE_TRY, fetch


def part_size(hub: Hub, target: Path) -> int:
    found = [path for path in (target / ".part").rglob(hub.served.file_name) if path.is_file()]
    return found[0].stat().st_size if found else 0


@pytest.fixture
def half_there(hub: Hub, tmp_path: Path) -> Hub:
    """A hub of whose product one half stands in ``tmp_path`` already."""
    hub.served.faults = [Fault(cut=HALF)]
    with pytest.raises(SourceError):
        fetch(hub, tmp_path, ONE_TRY)
    hub.located.clear()
    hub.served.requests.clear()
    return hub


@pytest.mark.parametrize(
    ("status", "headers", "kind", "wait"),
    [
        (429, (("Retry-After", "17"),), SourceThrottledError, 17.0),
        (429, (), SourceThrottledError, None),
        (503, (("Retry-After", "120"),), SourceThrottledError, 120.0),
        (503, (), SourceError, None),
        (500, (), SourceError, None),
        (404, (), ProductGoneError, None),
        (410, (), ProductGoneError, None),
        (202, (), ProductOfflineError, None),
        (204, (), SourceError, None),
        (304, (), SourceError, None),
    ],
)
def test_an_answer_is_told_by_its_class_and_the_part_is_kept(
    half_there: Hub,
    tmp_path: Path,
    status: int,
    headers: tuple[tuple[str, str], ...],
    kind: type[SourceError],
    wait: float | None,
) -> None:
    half_there.served.faults = [Fault(status=status, headers=headers)]
    with pytest.raises(SourceError) as caught:
        fetch(half_there, tmp_path)
    assert type(caught.value) is kind
    assert getattr(caught.value, "retry_after", None) == wait
    assert half_there.served.file_name.split(".")[0] in caught.value.message
    assert part_size(half_there, tmp_path) == HALF
    assert fetch(half_there, tmp_path).path.read_bytes() == half_there.served.body
    assert half_there.served.requests[-1][1]["range"] == f"bytes={HALF}-"


def test_a_date_to_wait_for_is_understood(hub: Hub, tmp_path: Path) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    hub.served.faults = [Fault(status=503, headers=(("Retry-After", until),))]
    with pytest.raises(SourceThrottledError) as caught:
        fetch(hub, tmp_path)
    assert caught.value.retry_after is not None
    assert 60 < caught.value.retry_after <= 91


def test_the_providers_own_words_are_passed_on(hub: Hub, tmp_path: Path) -> None:
    body = b'{"detail": "Max session number 4 exceeded."}'
    hub.served.faults = [Fault(status=429, headers=(("Content-Type", "application/json"),), body=body)]
    with pytest.raises(SourceThrottledError, match="Max session number 4"):
        fetch(hub, tmp_path)


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_refused_in_mid_transfer_is_renewed_once_and_the_transfer_goes_on(
    hub: Hub, tmp_path: Path, status: int
) -> None:
    hub.token = hub.served.token = TOKEN
    hub.fresh_token = "another"
    hub.served.faults = [Fault(cut=HALF, revoke=True), *([Fault(status=403)] if status == 403 else [])]
    meter = Meter()
    result = fetch(hub, tmp_path, meter=meter)
    assert result.path.read_bytes() == hub.served.body
    assert hub.located == [False, True]
    assert [headers.get("range") for _, headers in hub.served.requests] == [None, f"bytes={HALF}-", f"bytes={HALF}-"]
    assert (meter.requests, meter.bytes_received) == (3, len(hub.served.body))


def test_a_token_may_expire_again_once_it_has_brought_something(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [Fault(cut=HALF), Fault(status=401), Fault(cut=20_000), Fault(status=401)]
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body
    assert hub.located == [False, True, True]


@pytest.mark.parametrize("status", [401, 403])
def test_a_fresh_token_refused_as_well_ends_the_transfer(half_there: Hub, tmp_path: Path, status: int) -> None:
    half_there.served.faults = [Fault(status=status), Fault(status=status)]
    with pytest.raises(SourceRefusedError):
        fetch(half_there, tmp_path)
    assert half_there.located == [False, True]
    assert part_size(half_there, tmp_path) == HALF


PAGE = b"<!DOCTYPE html><html><title>Sign in</title>" + b" " * 2000


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "said"),
    [
        ("text/html; charset=utf-8", PAGE, SourceRefusedError, "text/html"),
        ("application/octet-stream", PAGE, SourceRefusedError, "page"),
        ("text/html", b"", SourceRefusedError, "text/html"),
        ("application/json", b'{"message": "busy"}', SourceError, "application/json"),
        ("application/octet-stream", b'\n{"message": "busy"}', SourceError, "text"),
        ("application/xml", b"<Error><Code>SlowDown</Code></Error>", SourceError, "application/xml"),
        ("text/plain", b"try again", SourceError, "text/plain"),
        ("application/zip", b"\x1f\x8b" + b"\0" * 3000, ProductCorruptError, "does not begin"),
        ("application/zip", b"", ProductCorruptError, "does not begin"),
    ],
)
def test_something_else_with_status_200_is_named_and_costs_the_part_nothing(
    half_there: Hub, tmp_path: Path, content_type: str, body: bytes, kind: type[Sen4capError], said: str
) -> None:
    half_there.served.faults = [Fault(status=200, headers=(("Content-Type", content_type),), body=body)]
    meter = Meter()
    with pytest.raises(Sen4capError, match=said) as caught:
        fetch(half_there, tmp_path, meter=meter)
    assert type(caught.value) is kind
    assert meter.bytes_received <= 512
    assert part_size(half_there, tmp_path) == HALF
    assert fetch(half_there, tmp_path).path.read_bytes() == half_there.served.body


def test_a_product_wrongly_called_a_text_is_taken(hub: Hub, tmp_path: Path) -> None:
    hub.served.content_type = "text/plain"
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body


def test_a_coding_that_was_not_asked_for_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [Fault(status=200, headers=(("Content-Encoding", "gzip"),), body=b"\x1f\x8b")]
    with pytest.raises(SourceError, match="gzip-coded"):
        fetch(hub, tmp_path)


def test_a_silent_connection_is_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [Fault(cut=HALF, hold=True)]
    with pytest.raises(SourceError, match="in time"):
        fetch(hub, tmp_path, TransferLimits(stall_seconds=0.2, reconnects=0))
    assert part_size(hub, tmp_path) == HALF


def test_a_slow_drip_is_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [Fault(drip=100)]
    limits = TransferLimits(slowest_bytes_per_second=50_000, slow_window_seconds=0.2)
    with pytest.raises(SourceError, match="bytes a second"):
        fetch(hub, tmp_path, limits)
    assert 0 < part_size(hub, tmp_path) < HALF
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body


def test_a_transfer_that_takes_too_long_is_given_up_and_kept(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [Fault(drip=2000)]
    with pytest.raises(SourceError, match=r"not done after 0\.3 s"):
        fetch(hub, tmp_path, TransferLimits(timeout_seconds=0.3))
    assert part_size(hub, tmp_path) > 0


def test_a_server_that_is_not_there_is_said(hub: Hub, tmp_path: Path) -> None:
    with serving(b"", "x.zip") as gone:
        pass
    hub.url = gone.url
    with pytest.raises(SourceError, match="refuses connections"):
        fetch(hub, tmp_path)


def test_a_bandwidth_is_kept_and_is_no_slowness_of_the_provider(hub: Hub, tmp_path: Path) -> None:
    waits: list[float] = []
    clock = iter(range(0, 10**9))  # a clock that leaps: waiting is noted, not done
    bandwidth = Bandwidth(100_000, clock=lambda: next(clock) * 1e-6, sleep=waits.append)
    fetch(hub, tmp_path, bandwidth=bandwidth)
    # Everything but the half second's burst is paid for; nobody waited in between, so the waits add up.
    assert max(waits) == pytest.approx(len(hub.served.body) / 100_000 - 0.5, rel=0.01)
    limits = TransferLimits(slowest_bytes_per_second=1_000_000, slow_window_seconds=0.1)
    assert fetch(hub, tmp_path / "slow", limits, bandwidth=Bandwidth(400_000)).path.is_file()


def test_a_product_larger_than_the_disk_is_not_begun(hub: Hub, tmp_path: Path) -> None:
    hub.served.faults = [
        Fault(status=200, headers=(("Content-Length", str(10**16)),), body=b"PK\x03\x04" + b"\0" * 2000)
    ]
    with pytest.raises(DiskFullError, match="are free"):
        fetch(hub, tmp_path)
    assert part_size(hub, tmp_path) == 0
    assert not list((tmp_path / ".part").iterdir())


@pytest.mark.parametrize(("chunked", "said"), [(False, "are free"), (True, "no space left")])
def test_a_full_disk_is_said_and_leaves_nothing_behind(
    hub: Hub, small_disk: Callable[[str], Path], chunked: bool, said: str
) -> None:
    disk = small_disk("size=96k")
    hub.served.chunked = chunked  # nobody states the size: met in the middle
    with pytest.raises(DiskFullError, match=said):
        fetch(hub, disk)
    assert not list((disk / ".part").iterdir())


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
from pathlib import Path
from s4c_lib.errors import StorageError
from s4c_lib.sources.catalogue import Download
from s4c_lib.sources.http_transfer import fetch_http
from s4c_lib.sources.product_names import product_name
from s4c_lib.sources.transfer_limits import TransferLimits

url, file_name, target = sys.argv[1:]
try:
    fetch_http(lambda renew: Download(url, file_name), product_name(file_name), Path(target), TransferLimits())
except StorageError as error:
    print(type(error).__name__, error.one_line)
"""


def test_a_write_that_fails_is_a_storage_error_and_the_part_is_kept(hub: Hub, tmp_path: Path) -> None:
    command = [sys.executable, "-B", "-c", LIMITED, f"{hub.url}/product", hub.served.file_name, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.startswith("StorageError")
    assert "File too large" in said
    assert part_size(hub, tmp_path) == 50_000
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body


@pytest.fixture
def storage(zipped_product: Path) -> Iterator[Hub]:
    """Another server that has the product: the storage to which hubs redirect."""
    with serving(zipped_product.read_bytes(), zipped_product.name) as running:
        yield running


def redirected(hub: Hub, to: str) -> None:
    hub.token = TOKEN
    hub.states("", "")
    assert hub.download is not None
    hub.download = type(hub.download)(f"{hub.url}/away", hub.served.file_name, hosts=hub.download.hosts)
    hub.served.redirect = to


def test_a_token_goes_to_the_hosts_it_is_for_and_to_no_other(hub: Hub, storage: Hub, tmp_path: Path) -> None:
    redirected(hub, f"{storage.url}/product?X-Amz-Signature={SIGNATURE}".replace("127.0.0.1", "localhost"))
    storage.served.faults = [Fault(cut=HALF)]
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body
    assert all(headers["authorization"] == f"Bearer {TOKEN}" for _, headers in hub.served.requests)
    assert len(storage.served.requests) == 2
    assert all("authorization" not in headers for _, headers in storage.served.requests)
    assert storage.served.requests[1][1]["range"] == f"bytes={HALF}-"


def test_a_host_may_be_named_with_its_port(hub: Hub, storage: Hub, tmp_path: Path) -> None:
    redirected(hub, f"{storage.url}/product")
    assert hub.download is not None
    only = frozenset({hub.url.removeprefix("http://")})
    hub.download = type(hub.download)(hub.download.url, hub.download.file_name, hosts=only)
    fetch(hub, tmp_path)
    assert "authorization" in hub.served.requests[0][1]
    assert "authorization" not in storage.served.requests[0][1]


def test_a_token_follows_a_redirection_to_a_host_it_is_for(hub: Hub, tmp_path: Path) -> None:
    hub.served.token = TOKEN
    redirected(hub, "/product")
    assert fetch(hub, tmp_path).path.read_bytes() == hub.served.body


def test_redirections_without_end_are_given_up(hub: Hub, tmp_path: Path) -> None:
    redirected(hub, "/away")
    meter = Meter()
    with pytest.raises(SourceError, match="more than 10 times"):
        fetch(hub, tmp_path, meter=meter)
    assert meter.requests == 11


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://:80/x"])
def test_a_redirection_that_is_no_web_address_is_refused(hub: Hub, tmp_path: Path, to: str) -> None:
    redirected(hub, to)
    with pytest.raises(SourceError, match="not http"):
        fetch(hub, tmp_path)


def test_no_token_goes_over_a_line_that_others_read(
    zipped_product: Path, storage: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(b"", zipped_product.name, certificate) as secure:
        redirected(secure, f"{storage.url}/product")
        fetch(secure, tmp_path / "target")
        assert "authorization" in secure.served.requests[0][1]
    assert "authorization" not in storage.served.requests[0][1]


def test_a_certificate_nobody_vouches_for_ends_the_transfer(zipped_product: Path, tmp_path: Path) -> None:
    with serving(b"", zipped_product.name, self_signed(tmp_path)) as secure, pytest.raises(SourceError, match="TLS"):
        fetch(secure, tmp_path)


def test_an_account_of_the_machine_is_never_sent(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    hub.token = hub.served.token = TOKEN
    fetch(hub, tmp_path / "with")
    hub.token = hub.served.token = None
    fetch(hub, tmp_path / "without")
    assert [headers.get("authorization") for _, headers in hub.served.requests] == [f"Bearer {TOKEN}", None]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut=HALF),
        Fault(cut=HALF, reset=True),
        Fault(cut=100, hold=True),
        Fault(status=500, headers=(("Content-Type", "application/json"),), body=b'{"error": "%b"}' % TOKEN.encode()),
        Fault(status=403),
        Fault(status=429),
        Fault(status=200, headers=(("Content-Type", "text/html"),), body=PAGE),
        Fault(status=302, headers=(("Location", f"http://x:{TOKEN}@127.0.0.1:1/?token={SIGNATURE}"),)),
        Fault(flip=HALF),
    ],
)
def test_no_secret_is_ever_seen(
    hub: Hub, storage: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level(logging.DEBUG)
    redirected(hub, f"{storage.url}/product?X-Amz-Signature={SIGNATURE}&token={SIGNATURE}")
    storage.served.faults = [fault] * 2
    with pytest.raises(Sen4capError) as caught:
        fetch(hub, tmp_path, TransferLimits(stall_seconds=0.2, reconnects=0))
    error: BaseException | None = caught.value
    seen = ["".join(traceback.format_exception(caught.value)), caplog.text]
    while error is not None:
        seen += [repr(error), str(error.__dict__)]
        error = error.__cause__ or error.__context__
    seen += [path.read_text() for path in (tmp_path / ".part").rglob("*.json")]
    seen.append(repr(hub.locate(False)))
    for text in seen:
        for secret in (TOKEN, TOKEN.split(".")[1], SIGNATURE):
            assert secret not in text
    assert "urllib3" in caplog.text  # which says what it asks for, and so would have shown it


def test_importing_the_engine_imports_no_library_of_the_network() -> None:
    code = (
        "import sys, s4c_lib.sources.http_transfer; print(sorted({'requests', 'urllib3', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_locked_away_target_is_a_storage_error(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        fetch(hub, tmp_path / "file")


def self_signed(folder: Path) -> Path:
    """A key and a certificate of its own for 127.0.0.1, in one file."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
