"""From what a user says (trigger form, REST, command line) to an import request, with a site's parameters."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from s4c_lib.catalog import auxdata, parcel_sets
from s4c_lib.catalog.auxdata import AuxdataVersion
from s4c_lib.catalog.config_values import snapshot as resolve_snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_sets import ParcelSet
from s4c_lib.catalog.sites import Site
from s4c_lib.errors import InputError
from s4c_lib.parameters import Snapshot
from s4c_lib.parcels.checking import CheckOptions
from s4c_lib.parcels.code_matching import rule_in_words
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.parcels.identity import Mode
from s4c_lib.parcels.inspection import Inspection, inspect
from s4c_lib.parcels.mapping import PRESETS, mapping_as_dict, validated
from s4c_lib.uploads.declarations import ImportRequest
from s4c_lib.uploads.site_settings import site_settings

ROLES: Final = ("parcel_id", "holding", "crop", "area", "area_unit", "second_crop", "organic")
SETTINGS: Final = ("layer", "encoding", "epsg", "country", "na_is_crop", "profile", "code_normalisation")
_SEVERAL: Final = ("parcel_id", "holding")
_KINDS: Final[Mapping[str, tuple[type, str]]] = {
    "epsg": (int, "a number such as 3035"),
    "na_is_crop": (bool, "true or false"),
}
_EXAMPLE: Final = "write it as parcel_id=A,B;holding=C;crop=D"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asks for.

    Parameters
    ----------
    file : absolute, or a name in the folder ``site.upload-path``.
    columns : `ROLES` by name, the same as text (``parcel_id=A,B;holding=C;crop=D``), or nothing: those of the site's
        last import, or of a known layout.
    settings : of `SETTINGS`; what is missing is as configured or as the file says.
    """

    file: str
    year: int
    mode: str = Mode.UPDATE.value
    columns: Mapping[str, Any] | str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def import_request(database: Database, site: Site, wish: Wish, *, today: date) -> tuple[ImportRequest, Path, str]:
    """Return the request, the folder of the site's declarations, and where the columns come from, in one line.

    Raises
    ------
    InputError : the file is not there or too large, a setting or column is not one, or no columns are given and none
        are known.
    """
    if wish.mode not in list(Mode):
        raise InputError(f"{wish.mode!r} is no mode.", hint=f"modes are {', '.join(Mode)}")
    given = columns_of(wish.columns)
    with database.begin() as connection:
        snapshot = resolve_snapshot(connection, today=today, site=site)
        configured = site_settings(connection, site, today)
        last = max(parcel_sets.list_sets(connection, site.id), key=lambda item: item.created_at, default=None)
        uploaded = None if last is None else auxdata.get_version(connection, last.auxdata_version_id)
    options = check_options(wish.settings, configured.options)
    path = file_of(wish.file, site, snapshot)
    if given is None:
        given, country, origin = _known_columns(last, uploaded, path, options)
        options = replace(options, country=options.country or country)
    else:
        origin = "Columns as given."
    return ImportRequest(path, given, wish.year, Mode(wish.mode), options), configured.folder, origin


def file_of(name: str, site: Site, snapshot: Snapshot) -> Path:
    """Return the uploaded file, after a look whether it can be taken.

    Raises
    ------
    InputError : it is not there, or larger than ``upload.max_bytes``.
    """
    folder = snapshot.path("site.upload-path", site=site.short_name)
    path = folder / name
    try:
        size = path.stat().st_size if path.is_file() else None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be looked at: {error}.", hint="check its name and permissions") from error
    if size is None:
        raise InputError(
            f"{path} is no file on this machine.", hint=f"give a path that the workers can read, or a name in {folder}"
        )
    limit = int(snapshot["upload.max_bytes"])
    if size > limit:
        raise InputError(f"{path} has {size} bytes, {limit} are allowed.", hint="see upload.max_bytes")
    return path


def columns_of(said: Mapping[str, Any] | str | None) -> ColumnMapping | None:
    """Return the mapping that a user wrote, or None when there is none.

    Raises
    ------
    InputError : a role is unknown, given twice, of the wrong form, or missing.
    """
    if said is None or (isinstance(said, str) and not said.strip()) or not said:
        return None
    pairs = _parts(said) if isinstance(said, str) else list(said.items())
    values: dict[str, Any] = {}
    for role, value in pairs:
        _known("column role", role, ROLES)
        if role in values:
            raise InputError(f"columns: {role} is given twice.", hint=_EXAMPLE)
        names = _names(role, value)
        if not names:
            continue
        values[role] = tuple(names) if role in _SEVERAL else names[0]
    for role in ("parcel_id", "crop"):
        if role not in values:
            raise InputError(f"columns: {role} is missing.", hint=_EXAMPLE)
    return ColumnMapping(**values)


def _parts(said: str) -> list[tuple[str, str]]:
    parts = []
    for part in filter(str.strip, said.split(";")):
        role, equals, names = part.partition("=")
        if not equals:
            raise InputError(f"columns: {part.strip()!r} names no role.", hint=_EXAMPLE)
        parts.append((role.strip(), names))
    return parts


def _names(role: str, value: Any) -> list[str]:
    listed = value.split(",") if isinstance(value, str) and role in _SEVERAL else value
    names = [listed] if isinstance(listed, str) else ([] if listed is None else listed)
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise InputError(f"columns: {role} must be names of columns, not {value!r}.", hint=_EXAMPLE)
    names = [name.strip() for name in names if name.strip()]
    if role not in _SEVERAL and len(names) > 1:
        raise InputError(f"columns: {role} is one column, not {len(names)}.", hint=_EXAMPLE)
    return names


def columns_as_text(mapping: ColumnMapping) -> str:
    """Return a mapping as `columns_of` reads it."""
    said = {role: value for role, value in mapping_as_dict(mapping).items() if value}
    if mapping.area is None:
        said.pop("area_unit")
    return ";".join(f"{role}={value if isinstance(value, str) else ','.join(value)}" for role, value in said.items())


def check_options(settings: Mapping[str, Any], configured: CheckOptions) -> CheckOptions:
    """Return how a file is read and judged: as a user says, else as the site is configured.

    Raises
    ------
    InputError : a setting is unknown or of the wrong kind.
    """
    said = {name: value for name, value in settings.items() if value not in (None, "")}
    for name, value in said.items():
        _known("setting", name, SETTINGS)
        kind, words = _KINDS.get(name, (str, "text"))
        if type(value) is not kind:
            raise InputError(f"Setting {name} is {value!r}, not {words}.")
    if said.get("profile", "default") not in ("default", "reference"):
        raise InputError(f"{said['profile']!r} is no profile.", hint="profiles are default and reference")
    if "code_normalisation" in said:
        rule_in_words(said["code_normalisation"])
    return replace(configured, **said)


def _known(what: str, name: str, names: Iterable[str]) -> None:
    if name in (listed := list(names)):
        return
    near = difflib.get_close_matches(name, listed, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(listed)}"
    raise InputError(f"{name!r} is no {what}.", hint=hint)


def _known_columns(
    last: ParcelSet | None, uploaded: AuxdataVersion | None, path: Path, options: CheckOptions
) -> tuple[ColumnMapping, str | None, str]:
    """Columns nobody named: those of the last import where they are in the file, else those of a known layout.

    With them comes the country they were read with, so that the same file again is the same upload.
    """
    found = inspect(
        path,
        options.layer,
        encoding=options.encoding,
        epsg=options.epsg,
        country=options.country,
        limits=options.limits,
    )
    names = [column.name for column in found.columns]
    before = None if last is None else _fitting(last, names)
    if last is not None and uploaded is not None and before is not None:
        origin = f"Columns as in version {last.version} of {last.year}: {columns_as_text(before)}."
        return before, uploaded.parameters.get("country"), origin
    suggestion = found.suggestion
    complete = {item.name for item in PRESETS if item.mapping.crop}
    if suggestion is None or suggestion.preset not in complete:
        raise _unknown_columns(path, found)
    return suggestion.mapping, suggestion.country, f"{suggestion.reason} {columns_as_text(suggestion.mapping)}."


def _fitting(last: ParcelSet, names: Sequence[str]) -> ColumnMapping | None:
    """The columns of the last import, or None when this file has another layout."""
    values: dict[str, Any] = {key: tuple(item) if key in _SEVERAL else item for key, item in last.mapping.items()}
    try:
        return validated(ColumnMapping(**values), names)
    except InputError as error:
        if error.code != "DECL-20":
            raise
        return None


def _unknown_columns(path: Path, found: Inspection) -> InputError:
    message = f"{path.name} has the columns of no known layout, nor those of the site's last import."
    if found.suggestion is not None:
        return InputError(message, hint=f"perhaps columns: {columns_as_text(found.suggestion.mapping)}")
    listed = ", ".join(column.name for column in found.columns)
    return InputError(message, hint=f"name the columns; the file has {listed}")
