"""The Alaska Satellite Facility as a catalogue of Sentinel-1 scenes, through asf_search."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from s4c_lib.errors import InputError, Sen4capError, SourceError, SourceRefusedError
from s4c_lib.sources.asf_answers import found_product, parsed_address
from s4c_lib.sources.asf_queries import LEVELS, PLATFORM, searches
from s4c_lib.sources.asf_session import CATALOGUE_HOST, LOGIN_HOST, host_of, open_session, trusted_hosts
from s4c_lib.sources.catalogue import CatalogueOptions, Download, Taken, untold
from s4c_lib.sources.credentials import Credentials, without_secrets
from s4c_lib.sources.found_products import FoundProduct, file_name_of, named, search_result
from s4c_lib.sources.http_faults import source_error
from s4c_lib.sources.model import Candidate, HealthReport, Query, SearchResult, StorageState
from s4c_lib.sources.product_kinds import ProductName

if TYPE_CHECKING:
    from asf_search import ASFSession

_ACCOUNT_HINT = "make an Earthdata account (urs.earthdata.nasa.gov), accept ASF's terms there, and store it or a token"
# A day and a place with few scenes: enough to see whether the catalogue answers.
_HEALTH = {
    "start": datetime(2021, 6, 1, tzinfo=UTC),
    "end": datetime(2021, 6, 2, tzinfo=UTC),
    "intersectsWith": "POINT (4.35 50.85)",
}


class AsfCatalogue:
    """ASF. Nothing is sent before the first question; searching needs no account, downloading does.

    Parameters
    ----------
    satellite : ``s1``.
    params : optional ``host`` of the catalogue (CMR) and ``login_host`` of the Earthdata login; ``http://`` before them
        makes them plain.
    credentials : an Earthdata token (``token`` in the extra fields, or a password without user name), or user name and
        password, with which a token is asked for at the first download.

    Raises
    ------
    InputError : another satellite, or a host that is none.
    """

    def __init__(
        self,
        name: str,
        satellite: str,
        params: Mapping[str, Any],
        credentials: Credentials | None,
        options: CatalogueOptions,
    ) -> None:
        if satellite != "s1":
            raise InputError(f"{name}: ASF has Sentinel-1 only, not '{satellite}'", hint="give the source satellite s1")
        self.name = name
        self._hosts = (
            host_of(str(params.get("host") or CATALOGUE_HOST)),
            host_of(str(params.get("login_host") or LOGIN_HOST)),
        )
        self._credentials = credentials
        self._options = options
        self._given = _given_token(credentials)
        self._token = self._given

    def search(self, query: Query) -> SearchResult:
        """See `Catalogue.search`. Products of the interferometric wide swath mode only (``operations.md`` §3.4)."""
        found = [item for keywords in searches(query) for item in self._pages(keywords)]
        return search_result(found, query)

    def find(self, name: ProductName) -> Candidate | None:
        """See `Catalogue.find`."""
        levels = LEVELS.get(name.kind)
        if levels is None:
            return None
        keywords = {"granule_list": [name.name], "platform": [PLATFORM], "processingLevel": list(levels)}
        return named(self._pages(keywords), name)

    def locate(self, candidate: Candidate, *, renew: bool = False) -> Download:
        """See `Catalogue.locate`.

        The token goes to the hosts of ASF and Earthdata only; from there the way leads to a signed address elsewhere.

        Raises
        ------
        SourceRefusedError : no account, or one that is not taken.
        SourceError : the address leads out of ASF.
        """
        url, checksum = parsed_address(candidate.address)
        hosts = trusted_hosts(urlsplit(url).netloc, self._hosts)
        if hosts is None:
            raise SourceError(
                f"{self.name}: {candidate.name.name} lies at {urlsplit(url).netloc}, which is not a host of ASF",
                hint="the account is not sent there",
            )
        return Download(
            url=url,
            file_name=file_name_of(candidate.name, urlsplit(url).path),
            headers={"Authorization": f"Bearer {self._logged_in(renew=renew)}"},
            hosts=hosts,
            size_bytes=candidate.size_bytes,
            checksum=checksum,
        )

    def order(self, candidates: Sequence[Candidate], taken: Taken = untold) -> Mapping[str, str]:
        """See `Catalogue.order`: everything is online, nothing is refused."""
        for candidate in candidates:
            taken(candidate.name.name)
        return {}

    def storage_states(self, candidates: Sequence[Candidate]) -> Mapping[str, StorageState]:
        """See `Catalogue.storage_states`: ASF keeps everything online."""
        return {candidate.name.name: StorageState.ONLINE for candidate in candidates}

    def health(self) -> HealthReport:
        """See `Catalogue.health`: a search of one day at one place, and the login where there is an account."""
        details = {"host": self._hosts[0].netloc}
        try:
            listed = len(list(self._pages({"platform": [PLATFORM], "processingLevel": ["SLC"], **_HEALTH})))
            if self._credentials is None:
                text = "answers; no account, so nothing can be downloaded"
                return HealthReport(self.name, True, f"{text} ({listed} scenes listed)", details)
            self._check_account()
        except SourceError as error:
            return HealthReport(self.name, False, error.one_line, details)
        return HealthReport(self.name, True, f"answers and takes the account ({listed} scenes listed)", details)

    def close(self) -> None:
        """Forget the token that was asked for; Earthdata knows no session to end."""
        self._token = self._given

    def _pages(self, keywords: Mapping[str, Any]) -> Iterator[FoundProduct]:
        """Everything listed for one search, pages of 250 as the library asks for them."""
        from asf_search import ASFSearchOptions, search_generator

        complete = False
        with self._faults("cannot search"), self._session("cannot search") as session:
            search = ASFSearchOptions(**keywords, host=self._hosts[0].netloc, session=session)
            for page in search_generator(opts=search):
                yield from [found_product(product) for product in page]
                complete = bool(page.searchComplete)
                if not complete and not page:
                    break  # it would ask for this page for ever
                if not complete and self._options.page_delay_seconds > 0:
                    time.sleep(self._options.page_delay_seconds)
        if not complete:
            raise SourceError(
                f"{self.name}: cannot search: the catalogue listed fewer products than it counts",
                hint="the window is queried again",
            )

    def _logged_in(self, *, renew: bool) -> str:
        """The token, asked for where there is none."""
        credentials = self._credentials
        if renew and self._given is not None:
            raise SourceRefusedError(
                f"{self.name}: the Earthdata token was refused", hint="make a new one: they end after 60 days"
            )
        if self._token is not None and not renew:
            return self._token
        if credentials is None or not credentials.username or not credentials.password:
            raise SourceRefusedError(f"{self.name}: no Earthdata account is configured", hint=_ACCOUNT_HINT)
        activity = "cannot log in to Earthdata"
        with self._faults(activity), self._session(activity) as session:
            # As bytes: requests writes text in Latin-1, which has not every letter of a password.
            session.auth_with_creds(credentials.username.encode(), credentials.password.encode())
            token = str(session.headers.get("Authorization", "")).partition(" ")[2]
        if token in ("", "None"):
            raise SourceError(f"{self.name}: {activity}: it gave no token", hint="try again later")
        self._token = token
        return token

    def _check_account(self) -> None:
        if self._given is None:
            self._logged_in(renew=False)
            return
        activity = "the Earthdata token is not taken"
        with self._faults(activity), self._session(activity) as session:
            session.auth_with_token(self._given)

    def _session(self, activity: str) -> ASFSession:
        return open_session(self._options, f"{self.name}: {activity}", self._secrets(), self._hosts)

    def _secrets(self) -> tuple[str, ...]:
        known = () if self._credentials is None else self._credentials.secrets()
        return known if self._token is None else (*known, self._token)

    @contextmanager
    def _faults(self, activity: str) -> Iterator[None]:
        from asf_search.exceptions import ASFError, CMRError
        from requests import RequestException

        what = f"{self.name}: {activity}"
        try:
            yield
        except Sen4capError:  # of the gate, or translated already
            raise
        except (ASFError, CMRError, RequestException) as error:
            raise source_error(error, what, self._secrets(), product=False) from None
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            fault = f"{type(error).__name__}: {error}"
            raise SourceError(
                f"{what}: its answer is not understood ({without_secrets(fault, self._secrets())})",
                hint="is the host that of NASA's CMR?",
            ) from None


def _given_token(credentials: Credentials | None) -> str | None:
    if credentials is None:
        return None
    return credentials.extra.get("token") or (None if credentials.username else credentials.password)
