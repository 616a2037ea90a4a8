"""Providers that eodag speaks to: the Copernicus Data Space, CREODIAS, GEODES, USGS, Earth Search and others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import Any, Final

from shapely.geometry import Polygon, box

from s4c_lib.errors import InputError, NotFoundError, ProductOfflineError, SourceError
from s4c_lib.sources.catalogue import CatalogueOptions, Download, Taken, untold
from s4c_lib.sources.credentials import Credentials
from s4c_lib.sources.eodag_collections import collections_of
from s4c_lib.sources.eodag_login import Login, hosts_of
from s4c_lib.sources.eodag_orders import EodagOrders, waiting_slices
from s4c_lib.sources.eodag_products import EodagAddress
from s4c_lib.sources.eodag_provider import (
    Translated,
    describe_provider,
    download_plugin,
    login_section,
    search_plugin,
)
from s4c_lib.sources.eodag_search import EodagSearch, Slice
from s4c_lib.sources.footprints import polygon_of_tiles
from s4c_lib.sources.found_products import FoundProduct, candidate_of, named, search_result
from s4c_lib.sources.model import Candidate, HealthReport, Query, SearchResult, StorageState
from s4c_lib.sources.product_kinds import ProductKind, ProductName, Satellite
from s4c_lib.sources.search_area import search_parts

# Catalogues know the moment of sensing; a name may hold that of the whole pass, some minutes before.
_MARGIN: Final = timedelta(hours=1)
_KINDS: Final[Mapping[str, tuple[ProductKind, ...]]] = {
    "s1": (ProductKind.S1_SLC, ProductKind.S1_GRD, ProductKind.S1_AMP, ProductKind.S1_COHE),
    "s2": (ProductKind.S2_L2A, ProductKind.S2_L1C, ProductKind.MUSCATE_L2A),
    "l8": (ProductKind.LANDSAT_L2SP, ProductKind.LANDSAT_L2SR, ProductKind.LANDSAT_L1, ProductKind.LANDSAT_L2A),
}
_SOME_DAY: Final = datetime(2024, 6, 1, tzinfo=UTC)
_SOME_AREA: Final = box(5.0, 50.0, 5.1, 50.1)


class EodagCatalogue:
    """A provider of eodag as a `Catalogue`.

    Nothing is imported or sent before the first request. eodag is configured in memory (`eodag_provider`).

    Parameters
    ----------
    name : of the data source.
    satellite : ``s1``, ``s2``, ``l8``.
    params : ``provider`` (``cop_dataspace``, ``geodes``, ...); optional ``definition``, the provider as eodag's user
        configuration has it, laid over eodag's own; optional ``collections``, {kind: eodag collection}.
    credentials : the account; None can search where searching is open.

    Raises
    ------
    InputError : a parameter is missing or is not what it should be.
    """

    def __init__(
        self,
        name: str,
        satellite: str,
        params: Mapping[str, Any],
        credentials: Credentials | None,
        options: CatalogueOptions,
    ) -> None:
        if satellite not in _KINDS:
            raise InputError(f"data source {name}: no satellite '{satellite}'", hint=f"one of {', '.join(_KINDS)}")
        self._name = name
        self._satellite = satellite
        self._provider = _given(name, params, "provider", str)
        self._definition: Mapping[str, Any] = _given(name, params, "definition", Mapping, {})
        self._wanted: Mapping[str, str] = _given(name, params, "collections", Mapping, {})
        self._credentials = credentials
        self._options = options

    @property
    def name(self) -> str:
        """Of the data source."""
        return self._name

    def search(self, query: Query) -> SearchResult:
        """Everything the provider lists for the query; see `Catalogue.search`.

        Rejected: ``not_a_product``, ``no_footprint``, ``outside_site``, ``duplicate``, ``superseded``.

        Raises
        ------
        NotFoundError : the provider has none of the kinds.
        SourceThrottledError, SourceRefusedError, SourceError : see `s4c_lib.errors`.
        """
        return search_result(self._found(query), query)

    def find(self, name: ProductName) -> Candidate | None:
        """The product of this name as the provider lists it now; None where it does not."""
        collection = self._collections.get(name.kind)
        if collection is None:
            return None
        start = datetime.combine(name.start.date(), time(), UTC) - _MARGIN
        end = datetime.combine(name.sensing_stop.date(), time(), UTC) + timedelta(days=1) + _MARGIN
        return named(self._search.by_id(collection, name.name, start, end), name)

    def locate(self, candidate: Candidate, *, renew: bool = False) -> Download:
        """Address and headers of a product; see `Catalogue.locate`.

        Raises
        ------
        ProductOfflineError : it must be ordered first.
        SourceRefusedError : no account, or it is not taken.
        SourceError : the provider can be searched, but its products cannot be fetched by HTTP.
        """
        if candidate.storage_state is StorageState.OFFLINE:
            raise ProductOfflineError(
                f"{self._name}: {candidate.name.name} lies on tape", hint="it is ordered and fetched when it is online"
            )
        address = EodagAddress.read(candidate.address)
        if address.url is None or self._downloads is None:
            raise SourceError(
                f"{self._name}: provider {self._provider} can be searched, not fetched by HTTP: it has no single"
                f" address for {candidate.name.name}",
                hint="set up another source to fetch from, or a local archive",
            )
        headers = self._login.headers(address.url, renew=renew)
        return Download(
            url=address.url,
            file_name=address.file,
            headers=headers,
            hosts=hosts_of(address.url),
            size_bytes=candidate.size_bytes,
            checksum=address.stated_checksum,
        )

    def order(self, candidates: Sequence[Candidate], taken: Taken = untold) -> Mapping[str, str]:
        """Ask for products on tape, one request for each; see `Catalogue.order`."""
        return self._orders.order(candidates, taken)

    def storage_states(self, candidates: Sequence[Candidate]) -> Mapping[str, StorageState]:
        """By product name, whether each can be fetched now; from few searches. What is not listed is left out."""
        wanted = {candidate.name.name for candidate in candidates}
        states: dict[str, StorageState] = {}
        for asked in waiting_slices(candidates):
            for product in self._search.products(asked).values():
                outcome = candidate_of(product)
                if outcome.name is not None and outcome.name.name in wanted and isinstance(outcome, Candidate):
                    states[outcome.name.name] = outcome.storage_state
        return states

    def health(self) -> HealthReport:
        """Search for one product and log in where there is an account."""
        details = {"provider": self._provider}
        try:
            collections = self._collections
            kind = next((kind for kind in _KINDS[self._satellite] if kind in collections), None)
            if kind is None:
                raise self._nothing_of(_KINDS[self._satellite])
            self._search.one(Slice(collections[kind], _SOME_DAY, _SOME_DAY + timedelta(days=1), _SOME_AREA))
            text = f"{self._provider} answers searches for {collections[kind]}"
            if self._downloads is None:
                text += "; its products cannot be fetched by HTTP"
            elif self._login.needed and self._credentials is None:
                text += "; fetching needs an account and there is none"
            elif self._login.needed:
                self._login.headers(self._downloads_from)
                text += " and takes the account"
        except (SourceError, InputError, NotFoundError) as error:
            return HealthReport(self._name, False, error.one_line, details)
        return HealthReport(self._name, True, text, details)

    def close(self) -> None:
        """End the session at the provider."""
        if "_login" in self.__dict__:
            self._login.close()

    def _found(self, query: Query) -> Iterator[FoundProduct]:
        wanted = {kind: self._collections[kind] for kind in sorted(query.kinds) if kind in self._collections}
        if not wanted:
            raise self._nothing_of(sorted(query.kinds))
        start = datetime.combine(query.date_from, time(), UTC) - _MARGIN
        end = datetime.combine(query.date_to, time(), UTC) + timedelta(days=1) + _MARGIN
        areas = _areas(query)
        for collection in sorted(set(wanted.values())):
            for area in areas:
                yield from self._search.products(Slice(collection, start, end, area)).values()

    def _nothing_of(self, kinds: Sequence[ProductKind]) -> NotFoundError:
        has = ", ".join(sorted(self._collections)) or "nothing that is read here"
        return NotFoundError(
            f"{self._name}: provider {self._provider} has no {' or '.join(kinds)}",
            hint=f"it has {has}; name collections of its own in the source's parameter 'collections'",
        )

    @cached_property
    def _config(self) -> Any:
        return describe_provider(self._provider, self._definition, timeout_seconds=self._options.timeout_seconds)

    @cached_property
    def _collections(self) -> dict[ProductKind, str]:
        return collections_of(self._provider, self._wanted, self._config.products)

    @cached_property
    def _search(self) -> EodagSearch:
        with Translated(f"{self._name}: eodag cannot speak to provider {self._provider}"):
            plugin = search_plugin(self._config)
        signature = self._login if getattr(self._config.search, "need_auth", False) else None
        return EodagSearch(self._name, plugin, self._options, self._login_secrets, signature)

    @cached_property
    def _downloads(self) -> Any | None:
        with Translated(f"{self._name}: eodag cannot speak to provider {self._provider}"):
            return download_plugin(self._config)

    @cached_property
    def _login(self) -> Login:
        section = login_section(self._config)
        return Login(self._name, section, self._credentials, self._options.gate, self._options.timeout_seconds)

    @cached_property
    def _orders(self) -> EodagOrders:
        gate, timeout = self._options.gate, self._options.timeout_seconds
        return EodagOrders(self._name, self._provider, self._downloads, self._login, gate, timeout)

    def _login_secrets(self) -> tuple[str, ...]:
        return self._login.secrets()

    @property
    def _downloads_from(self) -> str:
        return str(self._config.search.api_endpoint)


def _areas(query: Query) -> tuple[Polygon | None, ...]:
    """What to search: the site, or where it has tiles their part of it."""
    area = query.geometry
    if query.tiles and query.satellite is Satellite.SENTINEL2:
        squares = polygon_of_tiles(query.tiles)
        area = squares if area is None else area.intersection(squares)
        if area.area == 0:
            return ()
    return (None,) if area is None else search_parts(area)


def _given(name: str, params: Mapping[str, Any], key: str, kind: Any, default: Any = None) -> Any:
    value = params.get(key, default)
    if not isinstance(value, kind) or value == "":
        raise InputError(
            f"data source {name}: parameter '{key}' is {'missing' if value is None else 'not what it should be'}",
            hint="eodag sources take provider (a name), definition (an object) and collections (an object)",
        )
    return value
