"""Products on tape: asking a provider for them, and asking later which have come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import shapely

from s4c_lib.errors import SourceRefusedError
from s4c_lib.sources.catalogue import Gate, Taken, order_each
from s4c_lib.sources.eodag_login import Login, hosts_of
from s4c_lib.sources.eodag_products import EodagAddress
from s4c_lib.sources.eodag_provider import Translated
from s4c_lib.sources.eodag_search import Slice
from s4c_lib.sources.http_faults import of_response, source_error
from s4c_lib.sources.model import Candidate

# Candidates further apart are asked for in two searches: one over the gap would list what nobody waits for.
_LONGEST_GAP: Final = timedelta(days=3)
_MARGIN: Final = timedelta(minutes=30)
_MOST_REDIRECTIONS: Final = 5


class EodagOrders:
    """Orders at one provider: at its order address where it has one, else by asking for the product's first byte.

    Parameters
    ----------
    plugin : eodag's download plugin; None where the provider does not speak HTTP.
    """

    def __init__(self, name: str, provider: str, plugin: Any, login: Login, gate: Gate, timeout_seconds: float) -> None:
        self._name = name
        self._provider = provider
        self._plugin = plugin
        self._login = login
        self._gate = gate
        self._timeout = timeout_seconds

    def order(self, candidates: Sequence[Candidate], taken: Taken) -> dict[str, str]:
        """Order each; by product name, why not. See `Catalogue.order`.

        Raises
        ------
        SourceError : the provider is away, asks to wait or refuses the account. The next product would meet the same,
            and asking on would use up what the provider allows.
        """
        return order_each(candidates, taken, self._one)

    def _one(self, candidate: Candidate) -> str | None:
        address = EodagAddress.read(candidate.address)
        if self._plugin is None or (address.order is None and address.url is None):
            return f"{self._name}: the provider has no way to order {candidate.name.name} over HTTP"
        url = address.order or address.url or ""
        headers = self._login.headers(url)
        with suppress(SourceRefusedError):
            return self._send(candidate, address, headers)
        # A token may have ended at the provider before its time. Not in a handler: what fails now is another fault.
        return self._send(candidate, address, self._login.headers(url, renew=True))

    def _send(self, candidate: Candidate, address: EodagAddress, headers: dict[str, str]) -> str | None:
        self._gate()
        what = f"{self._name}: cannot order {candidate.name.name}"
        with Translated(what, self._login.secrets, product=True):
            if address.order is not None:
                return self._by_link(candidate, address, headers, what)
            return self._by_first_byte(address.url or "", headers, what)

    def _by_link(self, candidate: Candidate, address: EodagAddress, headers: dict[str, str], what: str) -> str | None:
        from eodag.utils.exceptions import RequestError

        try:
            self._plugin._order(self._product(candidate, address), auth=_signature(headers))
        except RequestError as error:
            if _about_product(error.status_code):
                return str(source_error(error, what, self._login.secrets()))
            raise
        return None

    def _product(self, candidate: Candidate, address: EodagAddress) -> Any:
        from eodag.api.product import EOProduct

        told = {
            "id": address.id,
            "title": candidate.name.name,
            "eodag:order_link": address.order,
            "eodag:download_link": address.url or "",
            "order:status": "orderable",
        }
        return EOProduct(self._provider, told, collection=address.collection)

    def _by_first_byte(self, url: str, headers: dict[str, str], what: str) -> str | None:
        """Where there is no order address, a request for the bytes is the order (202), if there is any."""
        import requests

        hosts, first = hosts_of(url), {"Range": "bytes=0-0"}
        for _ in range(_MOST_REDIRECTIONS):
            # requests would carry a key in a header of its own on to any other host.
            asked = first | headers if hosts & {urlsplit(url).netloc, urlsplit(url).hostname} else first
            with requests.get(url, headers=asked, timeout=self._timeout, stream=True, allow_redirects=False) as answer:
                if not answer.is_redirect:
                    break
                url = urljoin(url, answer.headers["Location"])
        if answer.ok:
            return None
        error = of_response(answer.status_code, answer.headers, what, secrets=self._login.secrets())
        if _about_product(answer.status_code):
            return f"{error}; the provider offers no way to order it"
        raise error


def waiting_slices(candidates: Sequence[Candidate]) -> Iterator[Slice]:
    """Searches that list all candidates again: one for each collection and run of days, over their area."""
    by_collection: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_collection.setdefault(EodagAddress.read(candidate.address).collection, []).append(candidate)
    for collection, members in sorted(by_collection.items()):
        members.sort(key=lambda member: member.name.start)
        run: list[Candidate] = []
        for member in members:
            if run and member.name.start - run[-1].name.sensing_stop > _LONGEST_GAP:
                yield _slice(collection, run)
                run = []
            run.append(member)
        yield _slice(collection, run)


def _slice(collection: str, run: Sequence[Candidate]) -> Slice:
    area = shapely.box(*shapely.total_bounds([member.footprint for member in run]))
    first, last = min(member.name.start for member in run), max(member.name.sensing_stop for member in run)
    whole_day = timedelta(days=1) if any(member.name.date_only for member in run) else timedelta()
    return Slice(collection, first - _MARGIN, last + _MARGIN + whole_day, area)


def _about_product(status: int | None) -> bool:
    """Whether an answer turns down this product only: neither the account, nor all requests of now."""
    return status is not None and 400 <= status < 500 and status not in (401, 403, 408, 429)


def _signature(headers: dict[str, str]) -> Callable[[Any], Any]:
    def sign(request: Any) -> Any:
        request.headers.update(headers)
        return request

    return sign
