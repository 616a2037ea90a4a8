"""One parcel of a version of the declarations by what people call it: our number or the agency's identifier."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from s4c_lib.catalog.parcel_sets import ParcelSet
from s4c_lib.errors import InputError, NotFoundError

_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class NamedParcel:
    """A parcel: its number (NewID) and the agency's identifier."""

    new_id: int
    ori_id: str


def find_parcel(connection: Connection, parcel_set: ParcelSet, name: str) -> NamedParcel:
    """Return the parcel with this number or identifier; ``new_id:12`` and ``ori_id:12`` say which is meant.

    Raises
    ------
    NotFoundError : there is none. InputError : it is the number of one parcel and the identifier of another.
    """
    kind, colon, given = name.partition(":")
    if not colon or kind not in {"new_id", "ori_id"}:
        kind, given = "", name
    number = int(given) if given.isascii() and given.isdigit() and int(given) <= _LARGEST else None
    statement = text(
        """
        SELECT new_id, ori_id FROM s4c.parcel
        WHERE site_id = :site_id AND year = :year AND parcel_set_id = :set_id
          AND (new_id = CAST(:number AS integer) OR ori_id = CAST(:identifier AS text))
        ORDER BY new_id
        """
    )
    values = {
        "site_id": parcel_set.site_id,
        "year": parcel_set.year,
        "set_id": parcel_set.id,
        "number": None if kind == "ori_id" else number,
        "identifier": None if kind == "new_id" else given,
    }
    found = [NamedParcel(row.new_id, row.ori_id) for row in connection.execute(statement, values)]
    if not found:
        raise NotFoundError(
            f"The declarations of {parcel_set.year} have no parcel {given!r}.",
            hint="give its NewID or the identifier of the agency",
        )
    if len(found) > 1:
        other = next(item for item in found if item.new_id != number)
        raise InputError(
            f"{given} is the NewID of one parcel and the agency's identifier of another (NewID {other.new_id}).",
            hint=f"write new_id:{given} or ori_id:{given}",
        )
    return found[0]
