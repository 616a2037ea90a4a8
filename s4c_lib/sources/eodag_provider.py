"""A provider as eodag describes it, set up in memory: no file in the user's home, no network, no environment.

eodag's usual entrance, `EODataAccessGateway`, writes its configuration into the home folder, reads the environment and
fetches lists of collections. The parts below it do not: a provider's description and its plugins are all that is used
here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final

from s4c_lib.errors import InputError, Sen4capError, SourceError
from s4c_lib.sources.http_faults import source_error

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_SECTIONS: Final = ("search", "download", "auth", "search_auth", "download_auth")
# Properties that eodag's descriptions of OData catalogues leave out.
FILE_PROPERTY: Final = "s4c:file"
CHECKSUMS_PROPERTY: Final = "s4c:checksums"
_ODATA_PROPERTIES: Final = {FILE_PROPERTY: "$.Name", CHECKSUMS_PROPERTY: "$.Checksum"}


class Translated:
    """Whatever eodag raises in a ``with`` block becomes a `SourceError` without secrets.

    Parameters
    ----------
    what : beginning of the message.
    secrets : gives what is blotted out; asked at the end, when a new token may be among it.
    product : whether it is about one product, so that a 404 means that it is gone.
    """

    def __init__(self, what: str, secrets: Callable[[], Iterable[str]] = tuple, *, product: bool = False) -> None:
        self._what = what
        self._secrets = secrets
        self._product = product

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, Exception) and not isinstance(error, Sen4capError):
            # eodag raises what an unexpected answer leads to, KeyError and TypeError among them.
            raise source_error(error, self._what, self._secrets(), product=self._product) from None


def describe_provider(provider: str, definition: Mapping[str, Any], *, timeout_seconds: float) -> Any:
    """Return eodag's description of a provider, changed as the data source and our rules want it.

    Tokens go into headers, never into an address. eodag's own repetitions are off: it would sleep through a
    ``Retry-After`` and hide it.

    Parameters
    ----------
    definition : laid over eodag's own description, in the form of eodag's user configuration; of a provider that eodag
        does not know, the whole description.

    Returns
    -------
    eodag.api.provider.ProviderConfig

    Raises
    ------
    InputError : eodag does not know the provider, or the definition is not one.
    SourceError : this provider cannot be used here.
    """
    silence()
    config = _merged(provider, definition)
    if hasattr(config, "api"):
        raise SourceError(
            f"provider {provider} of eodag cannot be used: its plugin keeps its key in a file and gives addresses that"
            " hold secrets",
            hint="take the driver usgs, which speaks to the same interface without eodag",
        )
    for topic in _SECTIONS:
        section = getattr(config, topic, None)
        if section is not None:
            section.retry_total = 0
            section.retry_status_forcelist = []
            section.timeout = timeout_seconds
        if section is not None and topic.endswith("auth") and getattr(section, "token_provision", None) == "qs":
            # A server that takes bearer tokens takes them in the header (RFC 6750, 2.1), and logs hold addresses.
            section.token_provision = "header"
    if config.search.type == "ODataV4Search":
        config.search.metadata_mapping = {**config.search.metadata_mapping, **_ODATA_PROPERTIES}
        # The link to the next page is left out at the limit to paging, which looks like the end: pages are counted.
        config.search.pagination = {**config.search.pagination, "next_page_url_key_path": None}
    return config


def search_plugin(config: Any) -> Any:
    """Build the plugin that searches (eodag.plugins.search.base.Search)."""
    from eodag.plugins.search.base import Search

    Search.ensure_plugins_loaded()
    config.search.products = config.products
    config.search.priority = config.priority
    return Search.get_plugin_by_class_name(config.search.type)(config.name, config.search)


def download_plugin(config: Any) -> Any | None:
    """Build the plugin that orders and would download; None where it does not speak HTTP."""
    from eodag.plugins.download.base import Download
    from eodag.plugins.download.http import HTTPDownload

    section = getattr(config, "download", None)
    if section is None:
        return None
    Download.ensure_plugins_loaded()
    kind = Download.get_plugin_by_class_name(section.type)
    return kind(config.name, section) if issubclass(kind, HTTPDownload) else None


def login_section(config: Any) -> Any:
    """The part of the description that says how to log in to fetch; None where no login is needed."""
    return getattr(config, "download_auth", None) or getattr(config, "auth", None)


def silence() -> None:
    """Keep eodag from writing into logs: it writes requests and answers, tokens among them, whatever their level."""
    # What it has to say reaches the user in the errors.
    logging.getLogger("eodag").setLevel(logging.CRITICAL + 1)


def _untyped(definition: Mapping[str, Any]) -> str:
    sections = {topic: definition[topic] for topic in _SECTIONS if isinstance(definition.get(topic), Mapping)}
    return " and ".join(topic for topic, section in sections.items() if "type" not in section)


def _merged(provider: str, definition: Mapping[str, Any]) -> Any:
    from eodag.api.provider import Provider
    from eodag.config import DEFAULT_PROVIDERS_DIR, load_config
    from eodag.utils.exceptions import EodagError

    if not _NAME.fullmatch(provider):
        raise InputError(f"'{provider}' is no name of an eodag provider", hint="cop_dataspace, geodes, creodias, ...")
    for topic in _SECTIONS:
        if isinstance(section := definition.get(topic), Mapping) and "credentials" in section:
            raise InputError(
                f"the definition of provider {provider} holds credentials", hint="keep them in an Airflow connection"
            )
    file = DEFAULT_PROVIDERS_DIR / f"{provider}.yml"
    if not file.is_file() and not definition:
        known = sorted(path.stem for path in DEFAULT_PROVIDERS_DIR.glob("*.yml"))
        raise InputError(
            f"eodag knows no provider '{provider}'", hint=f"one of {', '.join(known)}; or give its definition"
        )
    try:
        if not file.is_file():
            return Provider({**definition, "name": provider}).config
        described = Provider(load_config(str(file))[provider])
        if definition:
            described.update_from_config({**definition, "name": provider})
    except (EodagError, AttributeError, TypeError, KeyError, ValueError) as error:
        # of a provider that eodag knows, it takes the plugins from its own description
        if not file.is_file() and (untyped := _untyped(definition)):
            raise InputError(
                f"the definition of provider {provider} does not name the plugin of its section {untyped}",
                hint=f"give {untyped} a type, as in eodag's user configuration",
            ) from error
        raise InputError(
            f"the definition of provider {provider} is not one of eodag's: {error}",
            hint="it has the form of a provider in eodag's user configuration",
        ) from error
    return described.config
