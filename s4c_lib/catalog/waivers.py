"""Waivers: an operator accepts that the runs of a processor go without an acquisition or a product.

What is waived holds nothing back (rules R2, R3 and R6 of operations.md §2.6); what there is of it is read all the same.
A waiver that was withdrawn stays on record, with who gave it and who took it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.vocabulary import PROCESSORS, processor_name
from s4c_lib.errors import ConflictError, InputError, NotFoundError, TransitionError
from s4c_lib.scheduling.dates import midnight


@dataclass(frozen=True, slots=True)
class Waiver:
    """What runs of a processor of a season go without.

    Attributes
    ----------
    acquisition, product : name of what is waived; one of them is None.
    time : sensing time of it.
    """

    id: int
    processor: str
    acquisition: str | None
    product: str | None
    time: datetime
    reason: str
    created_by: str
    created_at: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """Return what a product says of it."""
        what = {"acquisition": self.acquisition} if self.product is None else {"product": self.product}
        return {**what, "reason": self.reason, "by": self.created_by, "at": self.created_at.isoformat()}


_SELECT = """
    SELECT w.id, w.processor_id, a.source_product_name AS acquisition, p.name AS product,
           coalesce(a.sensing_start, p.acquired_at) AS time, w.reason, w.created_by, w.created_at,
           w.withdrawn_by, w.withdrawn_at
    FROM s4c.waiver w
    LEFT JOIN s4c.acquisition a ON a.id = w.acquisition_id
    LEFT JOIN s4c.product p ON p.id = w.product_id
"""


def _waiver(row: RowMapping) -> Waiver:
    values = dict(row)
    values["processor"] = processor_name(values.pop("processor_id"))
    return Waiver(**values)


def list_waivers(
    connection: Connection, season_id: int, processor: str | None = None, *, withdrawn: bool = False
) -> list[Waiver]:
    """Return the waivers of a season in force, by processor and sensing time.

    Parameters
    ----------
    withdrawn : also those taken back.
    """
    statement = text(
        f"""
        {_SELECT}
        WHERE w.season_id = :season_id
          AND (CAST(:processor_id AS smallint) IS NULL OR w.processor_id = :processor_id)
          AND (:withdrawn OR w.withdrawn_at IS NULL)
        ORDER BY w.processor_id, time, w.id
        """
    )
    values = {
        "season_id": season_id,
        "processor_id": None if processor is None else PROCESSORS[processor],
        "withdrawn": withdrawn,
    }
    return [_waiver(row) for row in connection.execute(statement, values).mappings()]


def waivers_of_run(
    connection: Connection, season_id: int, processor: str, interval_start: date, as_of: date
) -> list[Waiver]:
    """Return the waivers in force that a run with this interval relies on, by sensing time."""
    first, stop = midnight(interval_start), midnight(as_of + timedelta(days=1))
    return [item for item in list_waivers(connection, season_id, processor) if first <= item.time < stop]


def add_waiver(
    connection: Connection,
    season: Season,
    processor: str,
    *,
    reason: str,
    actor: str,
    acquisition: str | None = None,
    product: str | None = None,
) -> Waiver:
    """Let the runs of a processor go without an acquisition, or without what is missing of a product.

    Parameters
    ----------
    acquisition, product : name; exactly one.

    Raises
    ------
    NotFoundError : the site has none of that name.
    ConflictError : it is waived already.
    InputError : no reason, or several products of that name.
    """
    if not reason.strip():
        raise InputError("A waiver needs a reason.", hint="--reason 'why runs may go without it'")
    if (acquisition is None) == (product is None):
        raise InputError("A waiver is for one acquisition or for one product.", hint="give --acquisition or --product")
    values = {
        "season_id": season.id,
        "processor_id": PROCESSORS[processor],
        "acquisition_id": None if acquisition is None else _acquisition_id(connection, season, acquisition),
        "product_id": None if product is None else _product_id(connection, season, product),
        "reason": reason.strip(),
        "actor": actor,
    }
    number = connection.execute(
        text(
            """
            INSERT INTO s4c.waiver (season_id, processor_id, acquisition_id, product_id, reason, created_by)
            VALUES (:season_id, :processor_id, :acquisition_id, :product_id, :reason, :actor)
            ON CONFLICT DO NOTHING RETURNING id
            """
        ),
        values,
    ).scalar_one_or_none()
    if number is None:
        raise ConflictError(
            f"{acquisition or product} is waived already for {processor} of season {season.short_name!r}.",
            hint=f"s4c season waivers {season.site} {season.short_name}",
        )
    return get_waiver(connection, season.id, int(number))


def get_waiver(connection: Connection, season_id: int, waiver_id: int) -> Waiver:
    """Return a waiver of a season by number."""
    row = (
        connection.execute(
            text(f"{_SELECT} WHERE w.season_id = :season_id AND w.id = :id"), {"season_id": season_id, "id": waiver_id}
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFoundError(f"The season has no waiver {waiver_id}.", hint="'s4c season waivers' names them")
    return _waiver(row)


def withdraw(connection: Connection, season: Season, waiver_id: int, *, actor: str) -> Waiver:
    """Take a waiver back: runs wait again for what it was for.

    Raises
    ------
    NotFoundError, TransitionError : there is none of that number; it was taken back before.
    """
    done = connection.execute(
        text(
            "UPDATE s4c.waiver SET withdrawn_by = :actor, withdrawn_at = clock_timestamp() "
            "WHERE season_id = :season_id AND id = :id AND withdrawn_at IS NULL"
        ),
        {"season_id": season.id, "id": waiver_id, "actor": actor},
    ).rowcount
    found = get_waiver(connection, season.id, waiver_id)
    if not done:
        raise TransitionError(f"Waiver {waiver_id} was withdrawn by {found.withdrawn_by} on {found.withdrawn_at:%F}.")
    return found


def _acquisition_id(connection: Connection, season: Season, name: str) -> int:
    statement = text(
        """
        SELECT a.id FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.source_product_name = :name
        ORDER BY a.id
        """
    )
    found = connection.execute(statement, {"site_id": season.site_id, "name": name}).scalars().first()
    if found is None:
        raise NotFoundError(
            f"Site {season.site!r} uses no acquisition {name!r}.",
            hint=f"s4c acquisitions list {season.site} {season.short_name}",
        )
    return int(found)


def _product_id(connection: Connection, season: Season, name: str) -> int:
    statement = text(
        """
        SELECT p.id, t.name AS type FROM s4c.product p
        JOIN s4c.product_site s ON s.product_id = p.id
        JOIN s4c.product_type t ON t.id = p.product_type_id
        WHERE s.site_id = :site_id AND p.state <> 'superseded' AND p.name = :name
        ORDER BY p.id
        """
    )
    found = list(connection.execute(statement, {"site_id": season.site_id, "name": name}))
    if not found:
        raise NotFoundError(
            f"Site {season.site!r} has no product {name!r} in force.", hint=f"s4c products list {season.site}"
        )
    if len(found) > 1:
        types = ", ".join(row.type for row in found)
        raise InputError(f"{name!r} is the name of several products ({types}).", hint="waive the acquisition instead")
    return int(found[0].id)
