"""The hub itself: started, asked, stopped."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from s4c_lib.errors import InputError, Sen4capError, StorageError
from s4c_lib.sources.model import Rejected
from s4c_lib.synthetic.hub.delivery import Delivery
from s4c_lib.synthetic.hub.dhus import ROOT as DHUS_ROOT
from s4c_lib.synthetic.hub.dhus import DhusCatalogue
from s4c_lib.synthetic.hub.exchange import Answer, Call, Route, json_answer, route
from s4c_lib.synthetic.hub.faults import Faults
from s4c_lib.synthetic.hub.holdings import holdings_of
from s4c_lib.synthetic.hub.identity import Identity
from s4c_lib.synthetic.hub.keycloak import REALM, Keycloak
from s4c_lib.synthetic.hub.ledger import Ledger, Request
from s4c_lib.synthetic.hub.odata import ODataCatalogue
from s4c_lib.synthetic.hub.provider_definition import eodag_definition
from s4c_lib.synthetic.hub.served_product import ServedProduct
from s4c_lib.synthetic.hub.server import CONTROL, Desk, HubServer
from s4c_lib.synthetic.hub.shelf import Shelf
from s4c_lib.synthetic.hub.stac import ROOT as STAC_ROOT
from s4c_lib.synthetic.hub.stac import StacCatalogue

_POLL_SECONDS = 0.02
_EVERYWHERE = ("", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class HubLimits:
    """What the hub allows; the defaults are those the Copernicus Data Space publishes, where it does.

    Attributes
    ----------
    session_limit : token sessions of one account.
    connection_limit : downloads of one account at once; None: as many as come.
    access_seconds, refresh_seconds : life of an access token, and of a session that is not refreshed.
    top_limit, skip_limit : of OData paging. dhus_rows : of DHuS paging.
    order_quota, lta_quota : products of one account on their way from tape, by OData and by DHuS.
    """

    session_limit: int = 100
    connection_limit: int | None = None
    access_seconds: float = 600
    refresh_seconds: float = 3600
    top_limit: int = 1000
    skip_limit: int = 10_000
    dhus_rows: int = 100
    order_quota: int | None = None
    lta_quota: int = 20


class Hub:
    """A real HTTP server on this machine that serves a folder of products as remote providers do.

    It speaks as the Copernicus Data Space (tokens of Keycloak, OData), as a STAC API and as DHuS; see `Faults` for what
    can go wrong with it. Use it as a context manager.

    Parameters
    ----------
    folder : any tree of products, such as a season's ``archive``; never written to.
    seed : of storms of faults.
    accounts : user -> password.
    cache : folder for the zips that are sent; kept when given, else one that is removed at the end.
    port : 0 takes a free one.
    open_assets : STAC assets need no token.
    clock : Unix seconds.

    Raises
    ------
    InputError : when entered: no folder, no product in it, an impossible address.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int = 1,
        accounts: Mapping[str, str] | None = None,
        cache: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: HubLimits | None = None,
        open_assets: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._seed = seed
        self._accounts = {"user": "password"} if accounts is None else dict(accounts)
        self._cache = cache
        self._host, self._port = host, port
        self._limits = limits or HubLimits()
        self._open_assets = open_assets
        self._clock = clock
        self._resources = ExitStack()
        self._server: HubServer | None = None
        self._rejected: tuple[Rejected, ...] = ()

    def __enter__(self) -> Hub:
        if self._host in _EVERYWHERE:
            raise InputError(f"the hub cannot listen on {self._host!r}", hint="one address: its answers name it")
        with ExitStack() as resources:
            cache = self._cache
            if cache is None:
                cache = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="s4c-hub-")))
            holdings = holdings_of(self._folder, cache)
            self._rejected = holdings.rejected
            try:
                server = HubServer(self._host, self._port)
            except OSError as error:
                raise InputError(
                    f"cannot listen on {self._host} port {self._port}: {error.strerror}", hint="give another --port"
                ) from error
            resources.callback(server.stop)
            self._server = server
            server.desk = self._desk(Shelf(holdings.products, clock=self._clock, cache=cache))
            thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name="hub", daemon=True)
            thread.start()
            resources.callback(thread.join)
            resources.callback(server.shutdown)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()
        defects = self._running.defects
        if defects and error is None:
            raise StorageError(f"the hub failed to answer: {defects[0]!r}", code="hub_defect") from defects[0]

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        host, port = self._running.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def dhus_url(self) -> str:
        """What sentinelsat takes as ``api_url``."""
        return f"{self.url}{DHUS_ROOT}/"

    @property
    def stac_url(self) -> str:
        """Landing page of the STAC API."""
        return f"{self.url}{STAC_ROOT}"

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.url}{REALM}/protocol/openid-connect/token"

    def eodag_definition(self) -> dict[str, Any]:
        """What makes eodag's provider ``cop_dataspace`` ask this hub; see `provider_definition`."""
        return eodag_definition(self.url)

    @property
    def products(self) -> tuple[ServedProduct, ...]:
        """What can be fetched, by sensing time and title."""
        return self._running.desk.shelf.products()

    def product(self, name: str) -> ServedProduct:
        """A product by title, id or file name.

        Raises
        ------
        NotFoundError : none is called so.
        """
        return self._running.desk.shelf.of_name(name)

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """What lies in the folder and is not served, with the reason."""
        return self._rejected

    @property
    def faults(self) -> Faults:
        """Switches what goes wrong."""
        return self._running.desk.faults

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request so far."""
        return self._running.desk.ledger.requests

    def ledger(self) -> dict[str, Any]:
        """Counts over all requests, and the most sessions, connections and downloads at once."""
        desk = self._running.desk
        return {
            **desk.ledger.summary(),
            "most_downloads": desk.delivery.most_downloads,
            "most_sessions": desk.identity.most_sessions,
            "open_sessions": desk.identity.open_sessions(),
        }

    @property
    def _running(self) -> HubServer:
        if self._server is None:
            raise StorageError("the hub has not been started", hint="with Hub(folder) as hub: ...", code="hub_stopped")
        return self._server

    def _desk(self, shelf: Shelf) -> Desk:
        limits, url = self._limits, self.url
        identity = Identity(
            self._accounts,
            access_seconds=limits.access_seconds,
            refresh_seconds=limits.refresh_seconds,
            session_limit=limits.session_limit,
            clock=self._clock,
        )
        delivery = Delivery(shelf, identity, connection_limit=limits.connection_limit)
        odata = ODataCatalogue(
            shelf,
            identity,
            delivery,
            url,
            top_limit=limits.top_limit,
            skip_limit=limits.skip_limit,
            order_quota=limits.order_quota,
        )
        dhus = DhusCatalogue(
            shelf, identity, delivery, url, row_limit=limits.dhus_rows, quota=limits.lta_quota, clock=self._clock
        )
        stac = StacCatalogue(shelf, delivery, url, open_assets=self._open_assets)
        routes = (
            *Keycloak(identity, url).routes(),
            *odata.routes(),
            *dhus.routes(),
            *stac.routes(),
            *self._control_routes(),
        )
        faults = Faults(shelf, seed=self._seed)
        return Desk(routes, shelf, identity, delivery, faults, Ledger(), self._clock)

    def _control_routes(self) -> tuple[Route, ...]:
        return (
            route("info", "GET", rf"{CONTROL}ledger", lambda call, found: json_answer(self.ledger())),
            route("info", "GET", rf"{CONTROL}faults", lambda call, found: json_answer(self.faults.states())),
            route("info", "POST", rf"{CONTROL}faults", lambda call, found: self._change_faults(call)),
        )

    def _change_faults(self, call: Call) -> Answer:
        try:
            self.faults.change(call.json())
        except Sen4capError as error:
            return json_answer({"detail": error.one_line}, 400)
        return json_answer(self.faults.states())
