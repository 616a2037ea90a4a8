"""Passwords and keys: generated once, kept in files only their owner can read."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

OWNER_ONLY = 0o600


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 600, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)


def read_or_create(path: Path, generate: Callable[[], str]) -> str:
    """Return the secret kept in a file, generated when the file is absent."""
    if path.exists():
        return path.read_text(encoding="utf-8").strip()
    secret = generate()
    write_private(path, secret + "\n")
    return secret


def password() -> str:
    """Return a random password that is safe in a URL and can be typed."""
    return secrets.token_urlsafe(18).replace("-", "x").replace("_", "y")


def signing_key() -> str:
    """Return a random key for signing (512 bits, what HS512 asks for)."""
    return secrets.token_hex(64)


def fernet_key() -> str:
    """Return a random Fernet key: 32 bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")


def login_file(path: Path, user: str) -> str:
    """Return the password of a user of Airflow's SimpleAuthManager, from its JSON file (made when absent)."""
    if path.exists():
        known: str | None = json.loads(path.read_text(encoding="utf-8")).get(user)
        if known:
            return known
    secret = password()
    write_private(path, json.dumps({user: secret}) + "\n")
    return secret
