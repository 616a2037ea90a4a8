"""Sessions with the Alaska Satellite Facility and NASA's Earthdata login, as asf_search makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from s4c_lib.errors import InputError
from s4c_lib.sources.catalogue import CatalogueOptions
from s4c_lib.sources.gated_adapter import as_it_is, gated_adapter, pass_through_gate

if TYPE_CHECKING:
    from asf_search import ASFSession

CATALOGUE_HOST = "cmr.earthdata.nasa.gov"
LOGIN_HOST = "urs.earthdata.nasa.gov"
# Where products lie and where they send a client on the way; the last hop (CloudFront, S3) has a signed address and
# must not see the token.
_DOMAINS = (".asf.alaska.edu", ".earthdata.nasa.gov", ".earthdatacloud.nasa.gov")
_WAYPOINTS = frozenset(
    {
        "datapool.asf.alaska.edu",
        "sentinel1.asf.alaska.edu",
        "cumulus.asf.alaska.edu",
        "auth.asf.alaska.edu",
        LOGIN_HOST,
    }
)


@dataclass(frozen=True, slots=True)
class Host:
    """A host as configured; asf_search writes ``https://`` before it, whatever it is.

    Attributes
    ----------
    netloc : with the port where there is one.
    plain : configured as ``http://...``.
    """

    netloc: str
    plain: bool = False


def host_of(text: str) -> Host:
    """Read a configured host, with or without scheme.

    Raises
    ------
    InputError : an account or a path in it, or nothing.
    """
    scheme, separator, rest = text.strip().rpartition("://")
    netloc = rest.rstrip("/")
    if not netloc or any(letter in netloc for letter in "@/?# ") or (separator and scheme not in ("http", "https")):
        raise InputError(
            f"'{rest.rpartition('@')[2]}' is no host of ASF", hint=f"give a host name, as {CATALOGUE_HOST}"
        )
    return Host(netloc.lower(), scheme == "http")


def open_session(
    options: CatalogueOptions, what: str, secrets: tuple[str, ...], hosts: tuple[Host, Host]
) -> ASFSession:
    """Prepare a session; nothing is sent.

    One for each activity: asf_search keeps the place in the list of a search that failed in the session, and the next
    search would begin there.

    Parameters
    ----------
    what : beginning of messages. Failed requests are translated below asf_search, which would repeat them after
        seconds, drop ``Retry-After``, and report them to ASF by mail.
    hosts : of the catalogue and of the login.
    """
    import asf_search

    # Its own switch is a global of the library. No search of ours is anyone else's business.
    asf_search.REPORT_ERRORS = False
    catalogue, login = hosts
    session = asf_search.ASFSession(edl_host=login.netloc, cmr_host=catalogue.netloc)
    session.auth = as_it_is
    pass_through_gate(session, options, what=what, secrets=secrets)
    for host in hosts:
        if host.plain:
            plain = gated_adapter(options, what=what, secrets=secrets, plain=True)
            session.mount(f"https://{host.netloc}/", plain)
    return session


def trusted_hosts(netloc: str, configured: tuple[Host, Host]) -> frozenset[str] | None:
    """Hosts that may see the token on the way to an address on this one; None where this one may not see it itself."""
    netloc = netloc.lower()
    name = netloc.partition(":")[0]
    if name.endswith(_DOMAINS):
        return _WAYPOINTS | {netloc}
    if netloc in {host.netloc for host in configured}:
        return frozenset(host.netloc for host in configured)
    return None
