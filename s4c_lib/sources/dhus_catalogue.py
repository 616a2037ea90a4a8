"""DHuS servers (national mirrors of the former SciHub) as catalogues, through sentinelsat."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from s4c_lib.errors import (
    InputError,
    ProductGoneError,
    ProductOfflineError,
    Sen4capError,
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
)
from s4c_lib.sources.catalogue import CatalogueOptions, Download, Taken, is_address_without_account, order_each, untold
from s4c_lib.sources.credentials import Credentials, without_secrets
from s4c_lib.sources.dhus_answers import checksum_of, found_product, parsed_address
from s4c_lib.sources.dhus_queries import PLATFORMS, product_types, queries
from s4c_lib.sources.dhus_session import DhusSession, basic_header, open_session
from s4c_lib.sources.found_products import FoundProduct, file_name_of, named, search_result, with_states
from s4c_lib.sources.http_faults import source_error
from s4c_lib.sources.model import Candidate, HealthReport, Query, SearchResult, StorageState
from s4c_lib.sources.product_kinds import ProductName, Satellite

MOST_ROWS = 100
"""Rows of one answer; DHuS refuses more."""

_SATELLITES = {"s1": Satellite.SENTINEL1, "s2": Satellite.SENTINEL2, "l8": Satellite.LANDSAT8}


class DhusCatalogue:
    """A DHuS server. Nothing is sent before the first question.

    Parameters
    ----------
    satellite : ``s1``, ``s2`` or ``l8`` (Landsat 8 and 9).
    params : ``api_url``; optional ``product_types`` ({kind: producttype, or several}) and ``ask_online``: ask for the
        storage state of each product found, a request each, where the server keeps products on tape without saying so
        in its answers.
    credentials : user name and password.

    Raises
    ------
    InputError : no ``api_url``, one with an account in it, an unknown satellite or kind.
    """

    def __init__(
        self,
        name: str,
        satellite: str,
        params: Mapping[str, Any],
        credentials: Credentials | None,
        options: CatalogueOptions,
    ) -> None:
        url = str(params.get("api_url") or "")
        if not is_address_without_account(url):
            raise InputError(
                f"{name}: a DHuS source needs api_url, the address of the server without an account",
                hint="set params api_url to something like https://dhus.example.org/dhus",
            )
        if satellite not in _SATELLITES:
            raise InputError(f"{name}: there is no satellite '{satellite}'", hint=f"known: {', '.join(_SATELLITES)}")
        self.name = name
        self._url = url if url.endswith("/") else url + "/"
        self._platform = PLATFORMS[_SATELLITES[satellite]]
        self._types = product_types(params)
        self._asks_online = bool(params.get("ask_online", False))
        self._credentials = credentials
        self._secrets = () if credentials is None else credentials.secrets()
        self._options = options
        self._opened: DhusSession | None = None

    def search(self, query: Query) -> SearchResult:
        """See `Catalogue.search`. Sizes are rounded by the server; `locate` knows the exact ones."""
        found = [item for keywords in queries(query, self._types) for item in self._pages(keywords)]
        result = search_result(found, query)
        return with_states(result, self.storage_states(result.candidates)) if self._asks_online else result

    def find(self, name: ProductName) -> Candidate | None:
        """See `Catalogue.find`."""
        candidate = named(self._pages({"identifier": name.name}), name)
        if candidate is None:
            return None
        result = with_states(SearchResult((candidate,)), self.storage_states([candidate]))
        return result.candidates[0]

    def locate(self, candidate: Candidate, *, renew: bool = False) -> Download:
        """See `Catalogue.locate`. The account goes with each request: there is nothing to renew.

        Raises
        ------
        ProductOfflineError : it lies on tape.
        ProductGoneError : the server does not know it any more.
        """
        uuid, written = parsed_address(candidate.address)
        with self._faults(f"cannot look up {candidate.name.name}", product=True):
            info = self._session().api.get_product_odata(uuid)
            online, size, checksum = bool(info["Online"]), int(info["size"]), checksum_of(info)
        if not online:
            raise ProductOfflineError(
                f"{self.name}: {candidate.name.name} lies on tape", hint="it is ordered and fetched when it is online"
            )
        url = f"{self._url}odata/v1/Products('{uuid}')/$value"
        return Download(
            url=url,
            file_name=file_name_of(candidate.name, written),
            headers=basic_header(self._credentials),
            hosts=frozenset({urlsplit(url).netloc.lower()}),
            size_bytes=size,
            checksum=checksum,
        )

    def order(self, candidates: Sequence[Candidate], taken: Taken = untold) -> Mapping[str, str]:
        """See `Catalogue.order`.

        Raises
        ------
        SourceThrottledError : the account's quota of retrievals is used up, or as the following.
        SourceRefusedError, SourceError : of the server, not of one product.
        """
        return order_each(candidates, taken, self._trigger)

    def storage_states(self, candidates: Sequence[Candidate]) -> Mapping[str, StorageState]:
        """See `Catalogue.storage_states`. One request each: DHuS tells it in no list. Those it has not are left out."""
        states: dict[str, StorageState] = {}
        for candidate in candidates:
            uuid, _ = parsed_address(candidate.address)
            try:
                with self._faults(f"cannot ask for the state of {candidate.name.name}", product=True):
                    online = bool(self._session().api.is_online(uuid))
            except ProductGoneError:
                continue
            states[candidate.name.name] = StorageState.ONLINE if online else StorageState.OFFLINE
        return states

    def health(self) -> HealthReport:
        """See `Catalogue.health`: one search for one product, which DHuS answers to accounts only."""
        details = {"url": self._url}
        try:
            with self._faults("does not answer as it should"):
                session = self._session()
                session.api.query(platformname=self._platform, limit=1)
        except SourceError as error:
            return HealthReport(self.name, False, error.one_line, details)
        return HealthReport(self.name, True, f"answers; {session.listed} products of {self._platform} listed", details)

    def close(self) -> None:
        """Close the connections; DHuS knows no session to end."""
        if self._opened is not None:
            self._opened.api.session.close()
            self._opened = None

    def _session(self) -> DhusSession:
        if self._opened is None:
            self._opened = open_session(self._url, self._credentials, self._options)
        return self._opened

    def _pages(self, keywords: Mapping[str, Any]) -> Iterator[FoundProduct]:
        """Everything listed, oldest publication first: what is published meanwhile comes last and shifts no page."""
        rows = min(self._options.page_size, MOST_ROWS)
        session = self._session()
        seen = 0
        while True:
            with self._faults("cannot search"):
                page = session.api.query(**keywords, order_by="ingestiondate", limit=rows, offset=seen)
                found = [found_product(uuid, properties) for uuid, properties in page.items()]
            yield from found
            seen += len(found)
            if session.listed is not None and seen >= session.listed:
                return
            if not found:
                if session.listed is None:
                    return
                raise SourceError(
                    f"{self.name}: cannot search: {seen} of {session.listed} products were listed",
                    hint="the window is queried again",
                )
            if self._options.page_delay_seconds > 0:
                time.sleep(self._options.page_delay_seconds)

    def _trigger(self, candidate: Candidate) -> str | None:
        """Ask for one product; why it was refused, None where it was not."""
        from sentinelsat.exceptions import LTAError

        uuid, _ = parsed_address(candidate.address)
        what = f"cannot order {candidate.name.name}"
        try:
            with self._faults(what, product=True):
                try:
                    self._session().api.trigger_offline_retrieval(uuid)
                except LTAError as error:
                    reason = str(error.response.headers.get("cause-message") or "")
                    translated = source_error(error, f"{self.name}: {what}", self._secrets)
                    text = " ".join(without_secrets(reason, self._secrets).split()) or translated.message
                    if "quota" in reason.lower():
                        raise SourceThrottledError(
                            f"{self.name}: {text}", hint="the quota 'orders' of the source keeps below it"
                        ) from None
                    # A 403 without that word refuses the account, a 503 with a time speaks for the whole server.
                    if isinstance(translated, SourceThrottledError | SourceRefusedError):
                        raise translated from None
                    return text
        except ProductGoneError as error:
            return error.message
        return None

    @contextmanager
    def _faults(self, activity: str, *, product: bool = False) -> Iterator[None]:
        from requests import RequestException
        from sentinelsat.exceptions import InvalidKeyError, SentinelAPIError

        what = f"{self.name}: {activity}"
        try:
            yield
        except Sen4capError:  # of the gate, or translated already
            raise
        except InvalidKeyError:
            raise ProductGoneError(
                f"{what}: the server does not have it any more", hint="it may have been replaced: search again"
            ) from None
        except (SentinelAPIError, RequestException) as error:
            raise source_error(error, what, self._secrets, product=product) from None
        except (LookupError, TypeError, ValueError) as error:
            fault = f"{type(error).__name__}: {error}"
            raise SourceError(
                f"{what}: its answer is not understood ({without_secrets(fault, self._secrets)})",
                hint="is api_url the address of a DHuS server?",
            ) from None
