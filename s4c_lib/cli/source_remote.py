"""Remote catalogues as data sources: from options of ``s4c source`` to what is stored, checked before it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from s4c_lib.errors import InputError, NotFoundError, Sen4capError

if TYPE_CHECKING:
    from s4c_lib.cli.session import Session

# A description is only built here; nothing is asked of the provider.
_NO_WAIT = 10.0


class Driver(StrEnum):
    """Who speaks to a data source."""

    LOCAL = "local"
    EODAG = "eodag"
    ASF = "asf"
    DHUS = "dhus"
    USGS = "usgs"


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """What the command line says of a remote source; None where it says nothing."""

    provider: str | None = None
    url: str | None = None
    definition: Path | None = None
    collections: Sequence[str] = ()
    others: Sequence[str] = ()

    def given(self) -> list[str]:
        """Return the names of the options that are given."""
        named = {
            "--provider": self.provider,
            "--url": self.url,
            "--definition": self.definition,
            "--collection": self.collections,
            "--param": self.others,
        }
        return [name for name, value in named.items() if value]


# What each driver understands besides its account.
_UNDERSTOOD = {
    Driver.LOCAL: frozenset[str](),
    Driver.EODAG: frozenset({"--provider", "--definition", "--collection"}),
    Driver.ASF: frozenset({"--url", "--param"}),
    Driver.DHUS: frozenset({"--url", "--collection", "--param"}),
    Driver.USGS: frozenset({"--url"}),
}
_OTHERS: Mapping[Driver, Mapping[str, type]] = {Driver.ASF: {"login_host": str}, Driver.DHUS: {"ask_online": bool}}
_SERVED = {Driver.ASF: frozenset({"s1"}), Driver.DHUS: frozenset({"s1", "s2"}), Driver.USGS: frozenset({"l8"})}


def remote_params(driver: Driver, options: RemoteOptions, satellites: Sequence[str]) -> dict[str, Any]:
    """Return the params of a new source (see `SourceSpec`), after looking whether the driver can work with them.

    Raises
    ------
    InputError : an option that the driver does not understand, a provider that eodag does not know, a definition that
        cannot be read, an address that is none, a satellite that it does not have.
    """
    if strange := sorted(set(options.given()) - _UNDERSTOOD[driver]):
        raise InputError(f"{strange[0]} means nothing to the driver {driver}.", hint=_hint(driver))
    if strangers := sorted(set(satellites) - _SERVED.get(driver, set(satellites))):
        raise InputError(
            f"The driver {driver} has nothing of {strangers[0]}.", hint=f"it has {', '.join(sorted(_SERVED[driver]))}"
        )
    if driver is Driver.EODAG:
        return _eodag_params(options, satellites)
    params: dict[str, Any] = _other_params(driver, options.others)
    if driver is Driver.DHUS:
        if options.url is None:
            raise InputError("The driver 'dhus' needs the address of the server.", hint="give --url https://HOST/dhus")
        if chosen := _chosen_collections(options.collections):
            params["product_types"] = chosen
    if options.url is not None:
        _check_url(options.url)
        params["host" if driver is Driver.ASF else "api_url"] = options.url
    return params


def _other_params(driver: Driver, texts: Sequence[str]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for text in texts:
        key, _, value = text.partition("=")
        kind = _OTHERS[driver].get(key)
        if kind is None or not value:
            known = ", ".join(f"{name}={'true' if kind is bool else 'TEXT'}" for name, kind in _OTHERS[driver].items())
            raise InputError(f"--param {text!r} means nothing to the driver {driver}.", hint=f"it understands {known}")
        if kind is bool and value not in {"true", "false"}:
            raise InputError(f"--param {key} is true or false, not {value!r}.", hint=f"give --param {key}=true")
        params[key] = value == "true" if kind is bool else value
    return params


def _hint(driver: Driver) -> str:
    understood = sorted(_UNDERSTOOD[driver])
    return f"it understands {', '.join(understood)}" if understood else "give --driver eodag, asf, dhus or usgs with it"


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"--url is no address: {error}.", hint="it looks like https://HOST/dhus") from error
    if parts.username is not None or parts.password is not None:
        raise InputError(
            "The address in --url holds an account.",
            hint="put it into an Airflow connection and name that with --connection",
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InputError(f"--url is no address of the web: {url!r}.", hint="it looks like https://HOST/dhus")


def _eodag_params(options: RemoteOptions, satellites: Sequence[str]) -> dict[str, Any]:
    from s4c_lib.sources.eodag_collections import collections_of
    from s4c_lib.sources.eodag_definition import check_definition
    from s4c_lib.sources.eodag_provider import describe_provider

    if options.provider is None:
        raise InputError("The driver 'eodag' needs a provider.", hint="give --provider cop_dataspace, for example")
    definition = {} if options.definition is None else read_definition(options.definition, options.provider)
    if not definition:
        _check_known(options.provider)
    described = describe_provider(options.provider, definition, timeout_seconds=_NO_WAIT)
    if definition:
        check_definition(options.provider, definition, described)
    chosen = _chosen_collections(options.collections)
    found = collections_of(options.provider, chosen, described.products)
    for satellite in satellites:
        prefix = {"s1": ("s1_",), "s2": ("s2_", "muscate_"), "l8": ("landsat_",)}[satellite]
        if not any(kind.startswith(prefix) for kind in found):
            raise InputError(
                f"Provider {options.provider} has no products of {satellite} that are known here.",
                hint=f"leave {satellite} out, or name the collection with --collection KIND=ID",
            )
    params: dict[str, Any] = {"provider": options.provider}
    if definition:
        params["definition"] = definition
    if chosen:
        params["collections"] = chosen
    return params


def _check_known(provider: str) -> None:
    from eodag.config import DEFAULT_PROVIDERS_DIR

    known = sorted(path.stem for path in Path(DEFAULT_PROVIDERS_DIR).glob("*.yml"))
    if provider in known:
        return
    near = get_close_matches(provider, known, n=4, cutoff=0.4)
    hint = f"near it: {', '.join(near)}" if near else f"it knows {', '.join(known)}"
    raise InputError(
        f"eodag knows no provider {provider!r}.", hint=f"{hint}; a provider of your own needs --definition FILE"
    )


def read_definition(path: Path, provider: str) -> dict[str, Any]:
    """Read the definition of a provider as eodag's configuration files have it, with the provider's name or without.

    Raises
    ------
    InputError : the file cannot be read, is no YAML, or holds something else.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The definition {path} cannot be read: {error.strerror}.", hint="check --definition"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"The definition {path} is no text.", hint="it is a YAML file") from error
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f", line {mark.line + 1}"
        # the message of the parser quotes the file, which may hold what it should not
        raise InputError(f"The definition {path} is no YAML{place}.", hint="see eodag's user configuration") from None
    if isinstance(found, Mapping) and set(found) == {provider} and isinstance(found[provider], Mapping):
        found = found[provider]
    if not isinstance(found, Mapping) or not found:
        raise InputError(
            f"The definition {path} does not describe a provider.",
            hint="it has sections such as search, download and auth, as in eodag's user configuration",
        )
    return {str(key): value for key, value in found.items()}


def _chosen_collections(texts: Sequence[str]) -> dict[str, str]:
    from s4c_lib.sources.product_kinds import ProductKind

    chosen = {}
    for text in texts:
        kind, _, collection = text.partition("=")
        if not kind or not collection:
            raise InputError(f"--collection {text!r} is not KIND=ID.", hint="for example s2_l2a=S2_MSI_L2A")
        if kind.strip().lower() not in set(ProductKind):
            raise InputError(f"There is no kind of product {kind!r}.", hint=f"choose from {', '.join(ProductKind)}")
        chosen[kind.strip().lower()] = collection.strip()
    return chosen


def quota_of(texts: Sequence[str]) -> dict[str, float | None]:
    """Read ``--quota`` options; an empty value, None, removes a limit."""
    from s4c_lib.sources.quotas import parse_quota

    return dict(parse_quota(text) for text in texts)


def account_problem(session: Session, connection_id: str) -> tuple[str, str] | None:
    """Return what is wrong with an account and what to do; None where the environment or Airflow has it."""
    from s4c_lib.vault import environment_vault

    try:
        environment_vault()(connection_id)
    except NotFoundError as error:
        return None if airflow_has(session, connection_id) else (error.message, error.hint)
    except InputError as error:
        return error.message, error.hint
    return None


def account_elsewhere(session: Session, connection_id: str, error: NotFoundError) -> NotFoundError | None:
    """Return what to say of an account that only Airflow has: the DAGs can use it; None where Airflow has none."""
    if not airflow_has(session, connection_id):
        return None
    return NotFoundError(
        f"cannot be tried from here: {error.message} Airflow has the connection {connection_id!r}, so its DAGs get it.",
        hint=error.hint.partition("; for DAGs")[0],
    )


def airflow_has(session: Session, connection_id: str) -> bool:
    """Tell whether Airflow answers and knows a connection."""
    from s4c_lib.airflow_api import AirflowApi

    try:
        with AirflowApi.from_settings(session.settings) as api:
            api.request("GET", f"connections/{connection_id}")
    except Sen4capError:
        # the caller says what to do about the account; that Airflow is away is said elsewhere
        return False
    return True
