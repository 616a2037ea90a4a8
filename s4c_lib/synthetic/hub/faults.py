"""What goes wrong at the hub, when it is told to: by chance under one seed, or aimed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from typing import Any

from s4c_lib.errors import InputError
from s4c_lib.synthetic.hub.exchange import Answer, Call, json_answer
from s4c_lib.synthetic.hub.shelf import Shelf

ENDPOINTS = frozenset({"download", "identity", "info", "order", "product", "search", "token"})


class FaultKind(StrEnum):
    """What a fault does to an answer."""

    UNAUTHORIZED = "unauthorized"
    UNAUTHORIZED_MIDWAY = "unauthorized_midway"
    NOT_FOUND = "not_found"
    UNPROCESSABLE = "unprocessable"
    TOO_MANY_REQUESTS = "too_many_requests"
    SERVER_ERROR = "server_error"
    TRUNCATED = "truncated"
    FLIPPED_BYTES = "flipped_bytes"
    SLOW = "slow"
    RESET = "reset"


STATUS_KINDS = frozenset(
    {
        FaultKind.UNAUTHORIZED,
        FaultKind.NOT_FOUND,
        FaultKind.UNPROCESSABLE,
        FaultKind.TOO_MANY_REQUESTS,
        FaultKind.SERVER_ERROR,
    }
)
"""Kinds that replace the answer; the others spoil its body."""
_DOWNLOAD_ONLY = frozenset({FaultKind.UNAUTHORIZED_MIDWAY, FaultKind.FLIPPED_BYTES})
# A storm breaks requests; it neither takes products away nor merely slows them down, unless told so.
STORM_KINDS = (
    FaultKind.UNAUTHORIZED_MIDWAY,
    FaultKind.TOO_MANY_REQUESTS,
    FaultKind.SERVER_ERROR,
    FaultKind.TRUNCATED,
    FaultKind.FLIPPED_BYTES,
    FaultKind.RESET,
)
_OPTIONS: Mapping[str, float | bool | None] = {
    "retry_after": None,
    "as_date": False,
    "status": 503,
    "share": 0.5,
    "seconds_per_chunk": 0.05,
    "chunk": 16384,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to happen to one answer.

    Attributes
    ----------
    retry_after : seconds, of ``too_many_requests`` and ``server_error``; None: not said. ``as_date``: said as a time.
    status : of ``server_error``.
    share : of the body that is sent before ``truncated``, ``reset`` and ``unauthorized_midway`` end it.
    seconds_per_chunk, chunk : pause of ``slow`` before each so many bytes.
    """

    kind: FaultKind
    retry_after: float | None = None
    as_date: bool = False
    status: int = 503
    share: float = 0.5
    seconds_per_chunk: float = 0.05
    chunk: int = 16384


@dataclass(slots=True, eq=False)
class _Aim:
    fault: Fault
    endpoint: str | None
    product: str | None
    times: int
    after: int


@dataclass(frozen=True, slots=True)
class _Storm:
    share: float
    kinds: tuple[FaultKind, ...]
    endpoints: frozenset[str]
    retry_after: float
    statuses: tuple[int, ...] = (500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A fault that was drawn for a request; ``aim`` where it was aimed."""

    fault: Fault
    aim: Any = field(default=None, repr=False)


class Faults:
    """Faults of one hub; safe for threads, can be changed while it runs.

    Parameters
    ----------
    seed : of the storm: request number n of two hubs with the same seed meets the same fault.
    """

    def __init__(self, shelf: Shelf, *, seed: int) -> None:
        self._shelf = shelf
        self._seed = seed
        self._lock = threading.Lock()
        self._storm: _Storm | None = None
        self._aims: list[_Aim] = []

    def storm(
        self,
        share: float,
        *,
        kinds: Iterable[str] | None = None,
        endpoints: Iterable[str] | None = None,
        retry_after: float = 1,
    ) -> None:
        """Let a share of all requests meet a fault; 0 ends the storm.

        Parameters
        ----------
        kinds : drawn from with equal chance; of them those that make sense for a request. Default: `STORM_KINDS`.
        endpoints : only requests of these groups; default: all.
        retry_after : seconds said by half of the 429 and 503 answers, as a number or as a time.

        Raises
        ------
        InputError : a share outside 0..1, an unknown kind or endpoint.
        """
        if not 0 <= share <= 1:
            raise InputError(f"a storm of {share} is no share", hint="give a number from 0 to 1")
        chosen = STORM_KINDS if kinds is None else tuple(_kind(kind) for kind in kinds)
        groups = ENDPOINTS if endpoints is None else frozenset(_endpoint(name) for name in endpoints)
        with self._lock:
            self._storm = _Storm(share, chosen, groups, retry_after) if share > 0 and chosen else None

    def aim(
        self,
        kind: str,
        *,
        endpoint: str | None = None,
        product: str | None = None,
        times: int = 1,
        after: int = 0,
        **options: Any,
    ) -> None:
        """Let the next requests that match meet a fault.

        Parameters
        ----------
        endpoint, product : what matches; without them everything, or every download for kinds that need one.
        times : how many; a burst of server errors is one aim of several times.
        after : how many pass unharmed before.
        options : fields of `Fault`.

        Raises
        ------
        InputError : an unknown kind, endpoint or option.
        NotFoundError : no such product.
        """
        chosen = _kind(kind)
        if times < 1 or after < 0:
            raise InputError("a fault happens at least once, after no less than 0 requests", hint="times=1, after=0")
        unknown = sorted(set(options) - set(_OPTIONS))
        if unknown:
            raise InputError(f"a fault has no option {unknown[0]}", hint=f"one of {', '.join(sorted(_OPTIONS))}")
        if endpoint is not None:
            _endpoint(endpoint)
        if chosen in _DOWNLOAD_ONLY:
            if endpoint not in {None, "download"}:
                raise InputError(f"{kind} happens to downloads only", hint="leave the endpoint out")
            endpoint = "download"
        title = None if product is None else self._shelf.of_name(product).title
        with self._lock:
            self._aims.append(_Aim(Fault(chosen, **options), endpoint, title, times, after))

    def offline(self, name: str, *, polls: int | None = None, seconds: float | None = None) -> None:
        """Move a product to tape: once ordered, it is online after so many looks at its state, or seconds.

        With neither it is online as soon as it is ordered.
        """
        self._shelf.put_offline(name, polls=polls, seconds=seconds)

    def republish(self, name: str, *, after_searches: int = 0) -> str:
        """Publish the acquisition again with the next processing baseline.

        Parameters
        ----------
        after_searches : how many searches do not yet see it.

        Returns
        -------
        Title of the new product.
        """
        return self._shelf.republish(name, after_searches=after_searches)

    def withdraw(self, name: str, *, listed: bool = True) -> None:
        """Take a product away: its bytes are gone (404); the catalogues go on listing it, or do not."""
        self._shelf.withdraw(name, listed=listed)

    def wrong_checksum(self, name: str) -> None:
        """State a checksum that is not that of the bytes."""
        self._shelf.state_wrong_checksum(name)

    def clear(self) -> None:
        """End the storm, forget what was aimed, put every product online and list it."""
        with self._lock:
            self._storm = None
            self._aims.clear()
        self._shelf.restore()

    def draw(self, number: int, endpoint: str, product: str | None) -> Drawn | None:
        """The fault of a request, if it meets one; what was aimed comes before the storm."""
        with self._lock:
            for aim in self._aims:
                if aim.endpoint not in {None, endpoint} or aim.product not in {None, product}:
                    continue
                if aim.after > 0:
                    aim.after -= 1
                    continue
                aim.times -= 1
                if aim.times == 0:
                    self._aims.remove(aim)
                return Drawn(aim.fault, aim)
            fault = None if self._storm is None else _drawn(self._storm, self._seed, number, endpoint)
            return None if fault is None else Drawn(fault)

    def give_back(self, drawn: Drawn) -> None:
        """Keep an aimed fault for the next request: this one had no body to spoil."""
        if drawn.aim is not None:
            with self._lock:
                drawn.aim.times += 1
                if drawn.aim.times == 1:
                    self._aims.insert(0, drawn.aim)

    def change(self, document: Mapping[str, Any]) -> None:
        """Do what a JSON object says: ``clear``, then ``storm``, ``aim``, ``offline``, ``republish``, ``withdraw``.

        Raises
        ------
        InputError : something it says is not known.
        NotFoundError : no such product.
        """
        many: dict[str, Callable[[dict[str, Any]], Any]] = {
            "aim": lambda item: self.aim(item.pop("kind", ""), **item),
            "offline": lambda item: self.offline(item.pop("product", ""), **item),
            "republish": lambda item: self.republish(item.pop("product", ""), **item),
            "withdraw": lambda item: self.withdraw(item.pop("product", ""), **item),
            "wrong_checksum": lambda item: self.wrong_checksum(item.pop("product", ""), **item),
        }
        unknown = sorted(set(document) - set(many) - {"clear", "storm"})
        if unknown:
            raise InputError(f"the hub knows no fault {unknown[0]}", hint=f"one of {', '.join(sorted(many))}, storm")
        try:
            if document.get("clear"):
                self.clear()
            if "storm" in document:
                storm = dict(document["storm"])
                self.storm(storm.pop("share"), **storm)
            for name, do in many.items():
                for item in document.get(name, ()):
                    do(dict(item))
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"the faults are not understood: {error}", hint="see the hub's description") from error

    def states(self) -> dict[str, Any]:
        """What is switched on, for people."""
        with self._lock:
            storm = None
            if self._storm is not None:
                storm = {"share": self._storm.share, "kinds": [kind.value for kind in self._storm.kinds]}
            aims = [
                {"kind": aim.fault.kind.value, "endpoint": aim.endpoint, "product": aim.product, "times": aim.times}
                for aim in self._aims
            ]
        return {"seed": self._seed, "storm": storm, "aim": aims, **self._shelf.states()}


def replaced_answer(fault: Fault, call: Call, now: float) -> Answer:
    """The answer that stands in for the true one, as the catalogue asked would word it.

    Parameters
    ----------
    now : Unix seconds, for a ``Retry-After`` that is a time.
    """
    status, text = _WORDING.get(fault.kind, (fault.status, "Internal error, try again later"))
    headers = {"Content-Type": "text/plain"}
    if fault.retry_after is not None and status in {429, 503}:
        later = formatdate(now + fault.retry_after, usegmt=True)
        headers["Retry-After"] = later if fault.as_date else f"{fault.retry_after:g}"
    if call.path.startswith("/dhus/"):
        return Answer(status, text.encode(), {**headers, "cause-message": text})
    answer = json_answer({"detail": {"message": text, "request_id": f"{call.number:032x}"}}, status)
    return Answer(status, answer.body, {**headers, **answer.headers})


_WORDING = {
    FaultKind.UNAUTHORIZED: (401, "Expired signature!"),
    FaultKind.NOT_FOUND: (404, "Product not found"),
    FaultKind.UNPROCESSABLE: (422, "Input should be less than or equal to 10000"),
    FaultKind.TOO_MANY_REQUESTS: (429, "Too many requests"),
}


def _drawn(storm: _Storm, seed: int, number: int, endpoint: str) -> Fault | None:
    # The number alone decides: threads that come in another order meet the same sequence of faults.
    chance = random.Random(f"{seed}:{number}")
    if chance.random() >= storm.share or endpoint not in storm.endpoints:
        return None
    kinds = [kind for kind in storm.kinds if endpoint == "download" or kind not in _DOWNLOAD_ONLY]
    if not kinds:
        return None
    kind = chance.choice(kinds)
    said = storm.retry_after if chance.random() < 0.5 else None
    return Fault(
        kind,
        retry_after=said,
        as_date=chance.random() < 0.5,
        status=chance.choice(storm.statuses),
        share=round(chance.uniform(0.1, 0.9), 3),
    )


def _kind(name: str) -> FaultKind:
    try:
        return FaultKind(name)
    except ValueError as error:
        known = ", ".join(kind.value for kind in FaultKind)
        raise InputError(f"'{name}' is no fault", hint=f"one of {known}") from error


def _endpoint(name: str) -> str:
    if name not in ENDPOINTS:
        raise InputError(f"'{name}' is no group of requests", hint=f"one of {', '.join(sorted(ENDPOINTS))}")
    return name
