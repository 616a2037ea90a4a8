"""The USGS as a catalogue of Landsat 8 and 9, through its machine-to-machine interface (see `usgs_session`).

A driver of its own, not a provider of eodag: eodag's plugin for this interface keeps its key in a file of the user and
leaves requests to a package that knows neither our gate nor our errors; nothing of eodag would be left in use.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from s4c_lib.errors import InputError, ProductGoneError, ProductOfflineError, SourceError
from s4c_lib.sources.catalogue import CatalogueOptions, Download, Taken, is_address_without_account, untold
from s4c_lib.sources.credentials import Credentials, without_secrets
from s4c_lib.sources.found_products import FoundProduct, halves, named, search_result
from s4c_lib.sources.model import Candidate, HealthReport, Query, SearchResult, StorageState
from s4c_lib.sources.product_kinds import ProductName
from s4c_lib.sources.usgs_answers import (
    DATASETS,
    Bundle,
    Delivery,
    bundles,
    deliveries,
    found_product,
    is_delivery_of,
    parsed_address,
    refusals,
)
from s4c_lib.sources.usgs_queries import searches
from s4c_lib.sources.usgs_session import UsgsSession

API_URL: Final = "https://m2m.cr.usgs.gov/api/api/json/stable/"
MOST_LISTED: Final = 50_000
"""Scenes of one search; M2M lists no more."""
MOST_AT_A_TIME: Final = 100
"""Scenes of one question about downloads."""
# By which the owner of the account tells our downloads from others.
LABEL: Final = "sen4cap"


class UsgsCatalogue:
    """M2M. Nothing is sent before the first question; searching takes an account as well.

    Parameters
    ----------
    satellite : ``l8`` (Landsat 8 and 9).
    params : optional ``api_url``, of the interface with its version.
    credentials : ERS user name and application token (as password).

    Raises
    ------
    InputError : another satellite, or an address that is none or holds an account.
    """

    def __init__(
        self,
        name: str,
        satellite: str,
        params: Mapping[str, Any],
        credentials: Credentials | None,
        options: CatalogueOptions,
    ) -> None:
        if satellite != "l8":
            raise InputError(f"{name}: the USGS has Landsat only, not '{satellite}'", hint="give it satellite l8")
        url = str(params.get("api_url") or API_URL)
        if not is_address_without_account(url):
            raise InputError(f"{name}: api_url is no address of an M2M interface", hint=f"leave it out for {API_URL}")
        self.name = name
        self._url = url
        self._options = options
        self._session = UsgsSession(name, url, credentials, options)

    def search(self, query: Query) -> SearchResult:
        """See `Catalogue.search`. Sizes are those M2M states; whether a bundle can be had now is asked as well."""
        result = search_result(list(self._found(query)), query)
        return SearchResult(tuple(self._with_bundles(result.candidates)), result.rejected)

    def find(self, name: ProductName) -> Candidate | None:
        """See `Catalogue.find`."""
        dataset = DATASETS.get(name.kind)
        if dataset is None:
            return None
        what = f"cannot look up {name.name}"
        asked = {"datasetName": dataset, "entityId": name.name, "idType": "displayId", "metadataType": "full"}
        try:
            scene = self._session.call("scene-metadata", asked, what, product=True)
        except ProductGoneError:
            return None
        if not scene:
            return None
        with self._understood(what):
            candidate = named([found_product(dataset, scene)], name)
        return None if candidate is None else self._with_bundles([candidate])[0]

    def locate(self, candidate: Candidate, *, renew: bool = False) -> Download:
        """See `Catalogue.locate`. The address is signed and made anew each time: there is nothing to renew.

        Raises
        ------
        ProductOfflineError : its bundle is being prepared, or must be.
        ProductGoneError : M2M has no such product any more; scenes keep their id when they are processed anew.
        """
        name = candidate.name.name
        scene = parsed_address(candidate.address)[1]
        bundle = self._bundles([candidate]).get(name)
        if bundle is None:
            raise ProductGoneError(
                f"{self.name}: no bundle of {name} is offered any more", hint="it may have been processed anew"
            )
        if not bundle.available:
            raise ProductOfflineError(f"{self.name}: {name} cannot be had at once", hint="it is ordered first")
        ready, waiting, refused = self._request([bundle], f"cannot fetch {name}")
        if scene in waiting:
            # The queue may have it by now, or have had it for long: a download asked for twice is queued once.
            ready.update((scene, item) for item in self._queue()[0] if is_delivery_of(item, name))
        if scene in ready:
            return self._download(candidate, bundle, ready[scene])
        if scene in waiting:
            raise ProductOfflineError(f"{self.name}: {name} is being prepared", hint="it is fetched when it is there")
        reason = self._clean(_reason(refused, scene))
        raise SourceError(f"{self.name}: cannot fetch {name}: {reason}", hint="it is tried again")

    def order(self, candidates: Sequence[Candidate], taken: Taken = untold) -> Mapping[str, str]:
        """See `Catalogue.order`. Asking again for what is being prepared does no harm."""
        refusal: dict[str, str] = {}
        for _, some in _by_dataset(candidates):
            offered = self._bundles(some)
            missing = [item.name.name for item in some if item.name.name not in offered]
            refusal |= dict.fromkeys(missing, "no bundle of it is offered")
            asked = [offered[name] for name in sorted(offered)]
            if not asked:
                continue
            ready, waiting, refused = self._request(asked, "cannot order")
            accepted = waiting | ready.keys()
            for bundle in asked:
                # Where accepted ones come without their ids, only those named as refused are.
                if bundle.scene in accepted or ("" in accepted and bundle.scene not in refused):
                    taken(bundle.name)
                    continue
                refusal[bundle.name] = self._clean(_reason(refused, bundle.scene))
        return refusal

    def storage_states(self, candidates: Sequence[Candidate]) -> Mapping[str, StorageState]:
        """See `Catalogue.storage_states`. What is not in the queue of downloads is judged by what is offered."""
        states: dict[str, StorageState] = {}
        if not candidates:
            return states
        ready, waiting = self._queue()
        left = []
        for candidate in candidates:
            name = candidate.name.name
            if any(is_delivery_of(item, name) for item in ready):
                states[name] = StorageState.ONLINE
            elif any(is_delivery_of(item, name) for item in waiting):
                states[name] = StorageState.OFFLINE
            else:
                left.append(candidate)
        for name, bundle in self._bundles(left).items():
            states[name] = StorageState.ONLINE if bundle.available else StorageState.OFFLINE
        return states

    def health(self) -> HealthReport:
        """See `Catalogue.health`: the login, and whether the account may download."""
        details = {"url": self._url}
        try:
            rights = self._session.call("permissions", {}, "does not answer as it should")
        except SourceError as error:
            return HealthReport(self.name, False, error.one_line, details)
        if not isinstance(rights, list) or "download" not in rights:
            text = "takes the account, which may not download (ask for M2M at ers.cr.usgs.gov/profile/access)"
            return HealthReport(self.name, False, text, details)
        return HealthReport(self.name, True, "answers and takes the account", details)

    def close(self) -> None:
        """Give the key back."""
        self._session.close()

    def _found(self, query: Query) -> Iterator[FoundProduct]:
        for dataset, scene_filter in searches(query):
            first, total = self._page(dataset, scene_filter, 1)
            if total > MOST_LISTED:
                parts = halves(query)
                if parts is None:
                    raise SourceError(
                        f"{self.name}: cannot search: {total} scenes on one day, {MOST_LISTED} are listed",
                        hint="search a smaller area",
                    )
                for part in parts:
                    yield from self._found(part)
                return
            yield from first
            yield from self._further(dataset, scene_filter, len(first), total)

    def _further(self, dataset: str, scene_filter: Mapping[str, Any], seen: int, total: int) -> Iterator[FoundProduct]:
        while seen < total:
            if self._options.page_delay_seconds > 0:
                time.sleep(self._options.page_delay_seconds)
            page, total = self._page(dataset, scene_filter, seen + 1)
            if not page:
                raise SourceError(
                    f"{self.name}: cannot search: {seen} of {total} scenes were listed",
                    hint="the window is queried again",
                )
            yield from page
            seen += len(page)

    def _page(self, dataset: str, scene_filter: Mapping[str, Any], start: int) -> tuple[list[FoundProduct], int]:
        """Scenes from the given one on (the first is 1), and how many there are."""
        answer = self._session.call(
            "scene-search",
            {
                "datasetName": dataset,
                "maxResults": self._options.page_size,
                "startingNumber": start,
                "metadataType": "full",
                "sceneFilter": dict(scene_filter),
            },
            "cannot search",
        )
        with self._understood("cannot search"):
            return [found_product(dataset, scene) for scene in answer["results"]], int(answer["totalHits"])

    def _with_bundles(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        offered = self._bundles(candidates)
        filled = []
        for candidate in candidates:
            bundle = offered.get(candidate.name.name)
            online = bundle is not None and bundle.available
            state = StorageState.ONLINE if online else StorageState.OFFLINE
            size = None if bundle is None else bundle.size_bytes
            filled.append(replace(candidate, storage_state=state, size_bytes=size))
        return filled

    def _bundles(self, candidates: Iterable[Candidate]) -> dict[str, Bundle]:
        """The bundle of each product that has one, by product name."""
        found: dict[str, Bundle] = {}
        activity = "cannot ask for download options"
        for dataset, some in _by_dataset(candidates):
            scenes = {item.name.name: parsed_address(item.address)[1] for item in some}
            asked = {"datasetName": dataset, "entityIds": sorted(set(scenes.values()))}
            options = self._session.call("download-options", asked, activity)
            with self._understood(activity):
                # A scene processed anew has another name under the same id.
                found |= {name: bundle for name, bundle in bundles(options or []).items() if name in scenes}
        return found

    def _request(
        self, asked: Sequence[Bundle], activity: str
    ) -> tuple[dict[str, Delivery], frozenset[str], dict[str, str]]:
        """Ask for bundles of one dataset: those ready, those being prepared, why others are refused; by scene."""
        downloads = [{"entityId": bundle.scene, "productId": bundle.product} for bundle in asked]
        answer = self._session.call("download-request", {"downloads": downloads, "label": LABEL}, activity)
        with self._understood(activity):
            # An answer about one scene need not say which.
            only = asked[0].scene if len(asked) == 1 else ""
            available, preparing = (answer.get(f"{state}Downloads") for state in ("available", "preparing"))
            ready = {item.scene or only: item for item in deliveries(available) if item.url}
            waiting = frozenset(item.scene or only for item in deliveries(preparing))
            return ready, waiting, refusals(answer)

    def _queue(self) -> tuple[list[Delivery], list[Delivery]]:
        """Downloads of the account that are ready, and those being prepared.

        All of the account, not of our label only: what its owner asked for elsewhere keeps the label of then.
        """
        activity = "cannot ask what is ready"
        answer = self._session.call("download-retrieve", {}, activity)
        with self._understood(activity):
            ready = [item for item in deliveries(answer.get("available")) if item.url]
            return ready, list(deliveries(answer.get("requested")))

    def _download(self, candidate: Candidate, bundle: Bundle, delivery: Delivery) -> Download:
        return Download(
            url=delivery.url,
            file_name=f"{candidate.name.name}.tar",
            signed=True,
            # What M2M states is that of the files in the bundle: the server's own word counts, and the checksum.
            size_bytes=None,
            checksum=delivery.checksum or bundle.checksum,
        )

    def _clean(self, text: str) -> str:
        return without_secrets(text, self._session.secrets())

    @contextmanager
    def _understood(self, activity: str) -> Iterator[None]:
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # What the answer holds is not repeated: signed addresses may be in it.
            raise SourceError(
                f"{self.name}: {activity}: its answer is not understood ({type(error).__name__})",
                hint="is the address that of an M2M interface?",
            ) from None


def _reason(refused: Mapping[str, str], scene: str) -> str:
    return refused.get(scene) or refused.get("") or "no reason given"


def _by_dataset(candidates: Iterable[Candidate]) -> Iterator[tuple[str, tuple[Candidate, ...]]]:
    """Candidates a hundred at a time, those of one dataset together: scenes have one id in all of them."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(parsed_address(candidate.address)[0], []).append(candidate)
    for dataset in sorted(groups):
        ordered = sorted(groups[dataset], key=lambda item: item.name.name)
        for first in range(0, len(ordered), MOST_AT_A_TIME):
            yield dataset, tuple(ordered[first : first + MOST_AT_A_TIME])
