"""Who visits the hub in tests: a client, and the clock it goes by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import requests

from s4c_lib.synthetic.hub import Hub


@dataclass
class Clock:
    """The hub's time: what a test makes it."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Visitor:
    """A client that logs in and asks."""

    hub: Hub

    def login(self, user: str = "user", password: str = "password") -> dict[str, Any]:
        form = {"client_id": "cdse-public", "grant_type": "password", "username": user, "password": password}
        answer = requests.post(self.hub.token_url, data=form, timeout=10)
        answer.raise_for_status()
        return dict(answer.json())

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.login()['access_token']}"}

    def search(self, **parameters: Any) -> requests.Response:
        query = {f"${name}": value for name, value in parameters.items()}
        return requests.get(f"{self.hub.url}/odata/v1/Products", params=query, timeout=10)

    def address(self, title: str) -> str:
        return f"{self.hub.url}/odata/v1/Products({self.hub.product(title).id})/$value"

    def fetch(self, title: str, headers: dict[str, str] | None = None) -> requests.Response:
        return requests.get(self.address(title), headers=headers or self.bearer(), timeout=10)

    def switch(self, **document: Any) -> requests.Response:
        return requests.post(f"{self.hub.url}/_hub/faults", data=json.dumps(document), timeout=10)
