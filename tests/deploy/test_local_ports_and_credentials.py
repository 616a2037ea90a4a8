import base64
import socket
import stat
from pathlib import Path
from urllib.parse import quote

from deploy.local_stack import credentials, ports


def test_a_taken_port_gives_the_next_free_one() -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOCALHOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not ports.is_free(port)
        chosen = ports.next_free(port)
        assert chosen != port
        assert ports.is_free(chosen)


def test_a_free_port_is_kept() -> None:
    port = ports.any_free()
    assert ports.next_free(port) == port


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "jwt"
    first = credentials.read_or_create(path, credentials.signing_key)
    assert credentials.read_or_create(path, credentials.signing_key) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(first)) == 64


def test_a_password_needs_no_quoting() -> None:
    for _ in range(50):
        secret = credentials.password()
        assert quote(secret, safe="") == secret
        assert len(secret) == 24


def test_a_fernet_key_is_32_bytes() -> None:
    assert len(base64.urlsafe_b64decode(credentials.fernet_key())) == 32


def test_the_login_file_keeps_the_password_of_a_user(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    first = credentials.login_file(path, "admin")
    assert credentials.login_file(path, "admin") == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
