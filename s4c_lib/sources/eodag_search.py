"""Everything that a provider lists for an area and a time, over all pages, whatever its limit to paging is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shapely.geometry import Polygon

from s4c_lib.errors import SourceError
from s4c_lib.sources.catalogue import CatalogueOptions
from s4c_lib.sources.eodag_products import found_product
from s4c_lib.sources.eodag_provider import Translated
from s4c_lib.sources.found_products import FoundProduct

# Statuses with which catalogues refuse a page that is too far on; OpenSearch behind some of them answers 500 there.
_TOO_FAR: Final = frozenset({400, 413, 414, 416, 422})
_FAR: Final = 9000
_SHORTEST: Final = timedelta(minutes=1)
# Catalogues compare sometimes with <, sometimes with <=: what lies on the cut would belong to neither half.
_OVERLAP: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Slice:
    """What one series of pages is asked for."""

    collection: str
    start: datetime
    end: datetime
    area: Polygon | None = None

    def halves(self) -> tuple[Slice, Slice] | None:
        """The two halves in time; None where it is too short to be cut."""
        if self.end - self.start <= _SHORTEST:
            return None
        middle = self.start + (self.end - self.start) / 2
        return replace(self, end=middle), replace(self, start=middle)


class EodagSearch:
    """Searches with one search plugin of eodag.

    Parameters
    ----------
    name : of the data source, for messages.
    signature : puts a login on requests of a provider that wants one for searching; None: it wants none.
    """

    def __init__(
        self,
        name: str,
        plugin: Any,
        options: CatalogueOptions,
        secrets: Callable[[], tuple[str, ...]],
        signature: Callable[[Any], Any] | None = None,
    ) -> None:
        self._name = name
        self._plugin = plugin
        self._options = options
        self._secrets = secrets
        self._signature = signature
        self._paging = plugin.config.pagination
        most = int(self._paging.get("max_limit") or 0)
        self._limit = min(options.page_size, most) if most > 0 else options.page_size
        # A catalogue that links to its next page knows whether there is one; else pages are asked for until all came.
        self._linked = any(self._paging.get(key) for key in ("next_page_url_key_path", "next_page_query_obj_key_path"))

    def products(self, asked: Slice) -> dict[str, FoundProduct]:
        """Return every product of the slice by the provider's identifier.

        Where the provider refuses a page, repeats one, or lists fewer products than it counts, the slice is cut in two
        and asked for again.

        Raises
        ------
        SourceError : the provider does not list everything of a single minute.
        """
        found = self._pages(asked)
        if found is not None:
            return found
        halves = asked.halves()
        if halves is None:
            raise SourceError(
                f"{self._name}: cannot search: the provider does not list all products of {asked.collection} from"
                f" {asked.start:%Y-%m-%dT%H:%M:%SZ} to {asked.end:%Y-%m-%dT%H:%M:%SZ}",
                hint="search a smaller area",
            )
        return self.products(halves[0]) | self.products(halves[1])

    def by_id(self, collection: str, title: str, start: datetime, end: datetime) -> list[FoundProduct]:
        """Products of this name or identifier; one request."""
        result = self._page(Slice(collection, start, end), self._limit, None, None, count=False, id=title)
        return [] if result is None else [found_product(product) for product in result]

    def one(self, asked: Slice) -> None:
        """Ask for a single product, to see whether the provider answers."""
        self._page(asked, 1, None, None, count=False)

    def _pages(self, asked: Slice) -> dict[str, FoundProduct] | None:
        """All pages; None where the provider does not give all of them."""
        found: dict[str, FoundProduct] = {}
        listed, counted = 0, None
        key: str | None = self._paging.get("next_page_token_key", "page")
        token: str | None = None
        while True:
            if token is not None and self._options.page_delay_seconds > 0:
                time.sleep(self._options.page_delay_seconds)
            result = self._page(asked, self._limit, token, key, count=token is None, listed=listed)
            if result is None:
                return None
            if token is None:
                counted = result.number_matched
            known = len(found)
            found |= {_key(product): found_product(product) for product in result}
            if len(result) > 0 and len(found) == known:
                return None
            listed += len(result)
            token, key = self._next(result, listed, counted), result.next_page_token_key or key
            if token is None:
                # Distinct ones: pages sorted by a time that many products share give some twice and others never.
                return found if counted is None or len(found) >= counted else None

    def _next(self, result: Any, listed: int, counted: int | None) -> str | None:
        if len(result) == 0 or not result.next_page_token:
            return None
        more = len(result) >= self._limit if counted is None else listed < counted
        return str(result.next_page_token) if self._linked or more else None

    def _page(
        self,
        asked: Slice,
        limit: int,
        token: str | None,
        key: str | None,
        *,
        count: bool,
        listed: int = 0,
        **criteria: str,
    ) -> Any | None:
        """One page; None where the provider refuses it for lying too far on."""
        from eodag.plugins.search import PreparedSearch
        from eodag.utils.exceptions import RequestError

        if asked.area is not None:
            criteria = {**criteria, "geometry": asked.area}  # type: ignore[dict-item]
        prepared = PreparedSearch(limit=limit, count=count, next_page_token=token, next_page_token_key=key, page=None)
        prepared.auth = self._signature
        self._options.gate()
        with Translated(f"{self._name}: cannot search", self._secrets):
            try:
                return self._plugin.query(
                    prepared,
                    collection=asked.collection,
                    start_datetime=_iso(asked.start - _OVERLAP),
                    end_datetime=_iso(asked.end + _OVERLAP),
                    **criteria,
                )
            except RequestError as error:
                if token is not None and (
                    error.status_code in _TOO_FAR or (error.status_code == 500 and listed > _FAR)
                ):
                    return None
                raise


def _key(product: Any) -> str:
    return str(product.properties.get("uid") or product.properties.get("id") or product.properties.get("title"))


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
