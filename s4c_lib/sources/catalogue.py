"""The one interface of remote catalogues: they search, log in and give addresses; they move no product.

Bytes are moved by `s4c_lib.sources.http_transfer`, whichever library found them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from s4c_lib.sources.model import Candidate, HealthReport, Query, SearchResult, StorageState
from s4c_lib.sources.product_kinds import ProductName

Gate = Callable[[], None]
"""Called before each request to a provider; returns when the provider's rate limit allows it."""


def open_gate() -> None:
    """Let every request pass: the gate of a source without a rate limit."""


Taken = Callable[[str], None]
"""Told the name of each product whose order a provider has taken."""


def untold(_: str) -> None:
    """Tell nobody which orders were taken."""


def order_each(
    candidates: Iterable[Candidate], taken: Taken, order_one: Callable[[Candidate], str | None]
) -> dict[str, str]:
    """Order one by one, for a provider that takes no lists; see `Catalogue.order`.

    Parameters
    ----------
    order_one : why it was refused, None where it was not.
    """
    refused: dict[str, str] = {}
    for candidate in candidates:
        reason = order_one(candidate)
        if reason is None:
            taken(candidate.name.name)
        else:
            refused[candidate.name.name] = reason
    return refused


def is_address_without_account(url: str) -> bool:
    """Whether a configured address can be used and shown: an account in it would end up in logs."""
    return url.startswith(("https://", "http://")) and "@" not in url


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a provider says of the bytes: ``algorithm`` as hashlib names it, ``digest`` in lower-case hex."""

    algorithm: str
    digest: str


@dataclass(frozen=True, slots=True)
class Download:
    """Where the bytes of a product are, and how to ask for them.

    Attributes
    ----------
    url : without any secret, unless it is ``signed``.
    headers : with the token; sent to ``hosts`` only, never after a redirection elsewhere.
    file_name : under which the product is kept, its name and ``.zip``, ``.tar`` or ``.tif``.
    signed : whoever knows the address can fetch the file: it is kept out of messages and logs as a token is.
    """

    url: str = field(repr=False)
    file_name: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hosts: frozenset[str] = frozenset()
    size_bytes: int | None = None
    checksum: Checksum | None = None
    signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueOptions:
    """What every catalogue heeds.

    Attributes
    ----------
    timeout_seconds : longest wait for one answer (``downloader.query.timeout``).
    page_delay_seconds : pause between two pages (``downloader.query.delay``).
    page_size : products asked for at a time.
    gate : called before each request.
    """

    timeout_seconds: float = 90.0
    page_delay_seconds: float = 0.0
    page_size: int = 100
    gate: Gate = open_gate


class Catalogue(Protocol):
    """A provider as one library speaks to it. Errors are `SourceError` and its classes, free of secrets."""

    @property
    def name(self) -> str:
        """Of the data source, as messages call it."""

    def search(self, query: Query) -> SearchResult:
        """Everything the provider has for the query, over all pages.

        `Candidate.address` is a text from which `locate`, `order` and `storage_states` work without searching again; it
        holds no secret. Products of other kinds and names that are not understood are passed over or rejected with a
        code, as `LocalArchive.search` does.

        Raises
        ------
        SourceThrottledError, SourceRefusedError, SourceError : see `s4c_lib.errors`.
        """

    def find(self, name: ProductName) -> Candidate | None:
        """The product of this name, with its present storage state; None where the provider does not list it."""

    def locate(self, candidate: Candidate, *, renew: bool = False) -> Download:
        """Log in where needed and say where the bytes are.

        Parameters
        ----------
        renew : the token given before was refused: get a new one.

        Raises
        ------
        ProductOfflineError : it must be ordered first.
        """

    def order(self, candidates: Sequence[Candidate], taken: Taken = untold) -> Mapping[str, str]:
        """Ask for products that are offline, as many as given.

        Parameters
        ----------
        taken : told each product as soon as the provider has taken its order.

        Returns
        -------
        By product name, for those the provider refused to order, why; empty when all are ordered.

        Raises
        ------
        SourceThrottledError, SourceRefusedError, SourceError : of the provider, not of one product. What ``taken`` was
            told stays ordered; the rest was not asked for, and is by the next call.
        """

    def storage_states(self, candidates: Sequence[Candidate]) -> Mapping[str, StorageState]:
        """By product name, whether each can be fetched now; asked in batches where the provider allows it."""

    def health(self) -> HealthReport:
        """One cheap query: does it answer, does it take the account?"""

    def close(self) -> None:
        """End the session at the provider, if there is one; never raises for a provider that is away."""
