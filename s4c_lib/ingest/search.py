"""Searching one query window: which sources are asked, for what, and what their answers come to.

Local archives are always searched. Of the remote catalogues of a satellite the first by priority that answers serves a
window; the next one is asked only when it did not. Source: operations.md §3.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import structlog

from s4c_lib.catalog.data_sources import DataSource
from s4c_lib.catalog.query_windows import QueryWindow
from s4c_lib.errors import InputError, NotFoundError, Sen4capError, SourceError, SourceThrottledError
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.remote import RemoteSources
from s4c_lib.ingest.selection import SelectionRules, why_left_out
from s4c_lib.reasons import Reason
from s4c_lib.sources.archive_index import ArchiveIndex
from s4c_lib.sources.local_archive import LocalArchive
from s4c_lib.sources.model import Candidate, Query, Rejected, SearchResult
from s4c_lib.sources.opening import SEARCHED, open_archive
from s4c_lib.sources.product_kinds import ProductKind

log = structlog.get_logger(__name__)

# What a catalogue may be asked for, by satellite; the levels that nothing here reads are not among them.
REMOTE_KINDS: dict[str, tuple[ProductKind, ...]] = {
    "s1": (ProductKind.S1_SLC, ProductKind.S1_GRD, ProductKind.S1_AMP, ProductKind.S1_COHE),
    "s2": (ProductKind.S2_L1C, ProductKind.S2_L2A, ProductKind.MUSCATE_L2A),
    "l8": (ProductKind.LANDSAT_L2SP,),
}


def asked_kinds(satellite: str, rules: SelectionRules) -> frozenset[ProductKind]:
    """Return the product kinds that remote catalogues are asked for: those the season uses.

    Of raw kinds for which no program is configured here one is asked for all the same (spec/README C9): what there is
    becomes known, and is fetched as soon as there is a program.
    """
    reasons = {kind: why_left_out(kind, "T1", rules) for kind in REMOTE_KINDS[satellite]}
    raw = {kind for kind, reason in reasons.items() if reason is Reason.NO_EXECUTOR}
    if raw >= {ProductKind.S1_SLC, ProductKind.S1_GRD}:
        raw.remove(ProductKind.S1_GRD if rules.radar.coherence else ProductKind.S1_SLC)
    return frozenset(raw | {kind for kind, reason in reasons.items() if reason is None})


@dataclass(slots=True)
class WindowAnswer:
    """What the search of one window came to.

    Attributes
    ----------
    candidates : by name, each with the sources that offer it, the one to supply it last.
    asked : kinds that a remote catalogue was asked for.
    errors : what hindered the search, a line each; the window is searched again after its pause.
    warnings : of sources in whose place another one answered.
    put_off : moment at which the first of the remote sources may be asked again, where that is all that hinders.
    """

    candidates: dict[str, list[tuple[DataSource, Candidate]]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    asked: frozenset[ProductKind] = frozenset()
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    put_off: datetime | None = None


class Searcher:
    """Asks the sources of a season; archives are indexed and catalogues opened once a run."""

    def __init__(self, context: IngestContext, rules: SelectionRules, remote: RemoteSources) -> None:
        self._context = context
        self._rules = rules
        self._remote = remote
        self._archives: dict[tuple[str | None, str | None], tuple[LocalArchive, ArchiveIndex]] = {}

    def search(self, item: QueryWindow) -> WindowAnswer:
        """Search a window at the sources of its satellite."""
        answer = WindowAnswer()
        sources = [source for source in self._context.sources[item.satellite] if source.can_query]
        for source in sources:
            if not source.remote:
                self._search_archive(source, item, answer)
        catalogues = [source for source in sources if source.remote]
        if catalogues:
            self._search_catalogues(catalogues, item, answer)
        # of several sources that offer a product, the first by priority supplies it
        rank = {source.id: place for place, source in enumerate(self._context.sources[item.satellite])}
        for offers in answer.candidates.values():
            offers.sort(key=lambda offer: rank[offer[0].id], reverse=True)
        return answer

    def _search_archive(self, source: DataSource, item: QueryWindow, answer: WindowAnswer) -> None:
        try:
            archive, index = self._archive(source)
        except Sen4capError as error:
            answer.errors.append(error.one_line)
            log.warning("source does not answer", source=source.name, error=error.one_line, code=error.code)
            return
        for query in self._queries(item, frozenset(ProductKind)):
            _add(answer, source, archive.search(query, index))

    def _search_catalogues(self, catalogues: list[DataSource], item: QueryWindow, answer: WindowAnswer) -> None:
        kinds = asked_kinds(item.satellite, self._rules)
        closed: list[datetime] = []
        failed: list[str] = []
        for source in catalogues:
            circuit = self._remote.open_circuit(source)
            if circuit is not None:
                closed.append(circuit.open_until)
                answer.warnings.append(circuit.text)
                continue
            try:
                with self._remote.heeded(source):
                    catalogue = self._remote.catalogue(source)
                    # all of them before any is used: half an answer is none
                    found = [catalogue.search(query) for query in self._queries(item, kinds)]
            except SourceThrottledError as error:
                # it was asked nothing more than to wait: the window is no worse for it
                circuit = self._remote.open_circuit(source)
                if circuit is not None:
                    closed.append(circuit.open_until)
                answer.warnings.append(_named(source, error) if circuit is None else circuit.text)
                continue
            except (SourceError, NotFoundError, InputError) as error:
                # one that is not configured as it should be hinders none of the others
                failed.append(_named(source, error))
                log.warning("source does not answer", source=source.name, error=error.one_line, code=error.code)
                continue
            for result in found:
                _add(answer, source, result)
            answer.asked = kinds
            answer.warnings.extend(failed)
            return
        if failed or not closed:
            answer.errors.extend([*failed, *answer.warnings])
        else:
            answer.put_off = min(closed)

    def _queries(self, item: QueryWindow, kinds: frozenset[ProductKind]) -> list[Query]:
        if not kinds:
            return []
        return [
            Query(
                satellite=satellite,
                kinds=kinds,
                date_from=item.window.date_from,
                date_to=item.window.date_to,
                geometry=self._context.site.geometry,
                tiles=self._context.tiles,
            )
            for satellite in SEARCHED[item.satellite]
        ]

    def _archive(self, source: DataSource) -> tuple[LocalArchive, ArchiveIndex]:
        """Open a local archive once a run: its index is shared by all windows and satellites."""
        key = (source.local_root, source.path_template)
        if key not in self._archives:
            archive = open_archive(source.spec())
            self._archives[key] = (archive, archive.open_index())
        return self._archives[key]


def _named(source: DataSource, error: Sen4capError) -> str:
    """Return an error in one line that says whose it is."""
    text = error.one_line
    return text if text.startswith(source.name) else f"{source.name}: {text}"


def _add(answer: WindowAnswer, source: DataSource, result: SearchResult) -> None:
    for candidate in result.candidates:
        offers = answer.candidates.setdefault(candidate.name.name, [])
        # a second archive of the same source name, or a second satellite's query
        if all(other.id != source.id for other, _ in offers):
            offers.append((source, candidate))
    answer.rejected.extend(result.rejected)
