"""Whether a run can read the inputs that a user chose for it, and which statistics they stand for.

A product stands for its acquisition: with an L3B the band statistics of its L2A are read, with an L2A those of its L3B.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from datetime import date, timedelta
from typing import Final

from sqlalchemy import Connection, text

from s4c_lib.catalog.readiness_rules import MOST_NAMED, RuleResult, look_back_days
from s4c_lib.catalog.sites import Site, site_tiles
from s4c_lib.chosen_inputs import ChosenInputs
from s4c_lib.errors import InputError
from s4c_lib.parameters import Snapshot
from s4c_lib.processors import PROCESSORS, variables_read
from s4c_lib.scheduling.dates import midnight

_MOST_PROPOSED: Final = 3


def check_chosen(
    connection: Connection,
    site: Site,
    processor: str,
    snapshot: Snapshot,
    chosen: ChosenInputs,
    *,
    interval_start: date,
    as_of: date,
) -> None:
    """Refuse a tile that the site does not use, and a product whose statistics the run could not read.

    Raises
    ------
    InputError : the hint names the nearest that could be chosen.
    """
    known = [item.tile for item in site_tiles(connection, site.id) if item.selected]
    if strangers := sorted(set(chosen.tiles) - set(known)):
        near = difflib.get_close_matches(strangers[0], known, n=1, cutoff=0.7)
        possible = f"its tiles are {', '.join(known[:MOST_NAMED])}"
        raise InputError(
            f"Tile {', '.join(strangers)} is not used by site {site.short_name!r}.",
            hint=f"did you mean {near[0]}? {possible}" if near else possible,
        )
    for number in chosen.products:
        _check_product(connection, site, processor, snapshot, number, interval_start, as_of)


def _check_product(
    connection: Connection,
    site: Site,
    processor: str,
    snapshot: Snapshot,
    number: int,
    interval_start: date,
    as_of: date,
) -> None:
    types = _types_read(processor, snapshot)
    row = connection.execute(
        text(
            """
            SELECT p.name, p.state::text AS state, p.acquired_at, t.name AS type,
                   EXISTS (SELECT 1 FROM s4c.product_site s WHERE s.product_id = p.id AND s.site_id = :site) AS here
            FROM s4c.product p JOIN s4c.product_type t ON t.id = p.product_type_id WHERE p.id = :id
            """
        ),
        {"id": number, "site": site.id},
    ).one_or_none()
    before = look_back_days("s1", snapshot) if PROCESSORS[processor].radar_before else 0
    fault = ""
    if row is None or not row.here:
        fault = f"Site {site.short_name!r} has no product {number}."
    elif row.type not in types:
        fault = f"Product {number} is of type {row.type}; this run of {processor} reads {', '.join(types)}."
    elif row.state != "active":
        fault = f"Product {number} ({row.name}) is {row.state}."
    else:
        first = interval_start - timedelta(days=before if row.type.startswith("s1") else 0)
        if not midnight(first) <= row.acquired_at < midnight(as_of + timedelta(days=1)):
            fault = f"Product {number} is of {row.acquired_at:%Y-%m-%d}, outside {first} to {as_of}."
    if fault:
        raise InputError(fault, hint=_proposed(connection, site, types, number, interval_start, as_of))


def _types_read(processor: str, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the types of the products whose statistics a run reads."""
    read = variables_read(processor, snapshot)
    radar = [name for name in read.all if name not in read.optical]
    return (
        *(("l3b", "l2a") if read.optical else ()),
        *(("s1_l2a_amp",) if {"vv", "vh"} & set(radar) else ()),
        *(("s1_l2a_cohe",) if any(name.startswith("coherence") for name in radar) else ()),
    )


def _proposed(
    connection: Connection, site: Site, types: Collection[str], number: int, interval_start: date, as_of: date
) -> str:
    rows = connection.execute(
        text(
            """
            SELECT p.id, t.name AS type, p.acquired_at
            FROM s4c.product p JOIN s4c.product_type t ON t.id = p.product_type_id
            JOIN s4c.product_site s ON s.product_id = p.id AND s.site_id = :site
            WHERE p.state = 'active' AND t.name = ANY(:types) AND p.acquired_at >= :first AND p.acquired_at < :stop
            ORDER BY abs(p.id - :id), p.id LIMIT :most
            """
        ),
        {
            "site": site.id,
            "types": list(types),
            "id": number,
            "first": midnight(interval_start),
            "stop": midnight(as_of + timedelta(days=1)),
            "most": _MOST_PROPOSED,
        },
    ).all()
    listed = f"'s4c products list {site.short_name}' names all"
    if not rows:
        return f"there is no such product from {interval_start} to {as_of}; {listed}"
    return f"nearest: {', '.join(f'{row.id} ({row.type}, {row.acquired_at:%Y-%m-%d})' for row in rows)}; {listed}"


def require_in_force(connection: Connection, chosen: ChosenInputs) -> None:
    """Refuse to go on without a chosen product that was superseded or removed after the run was opened.

    Raises
    ------
    InputError : names the products.
    """
    statement = text("SELECT id FROM s4c.product WHERE id = ANY(:ids) AND state = 'active'")
    there = set(connection.execute(statement, {"ids": list(chosen.products)}).scalars())
    if gone := [str(number) for number in chosen.products if number not in there]:
        raise InputError(
            f"Product {', '.join(gone)}, chosen for this run, is not in force any more.",
            hint="choose the product that took its place, and start a new run",
        )


def of_same_acquisition(connection: Connection, numbers: Collection[int]) -> list[int]:
    """Return products with the L3B made of the L2A among them, and the L2A of the L3B, ascending."""
    statement = text(
        """
        SELECT unnest(CAST(:ids AS bigint[])) AS id
        UNION
        SELECT CASE WHEN i.input_product_id = ANY(:ids) THEN i.product_id ELSE i.input_product_id END
        FROM s4c.product_input i
        JOIN s4c.product a ON a.id = i.input_product_id
        JOIN s4c.product b ON b.id = i.product_id
        JOIN s4c.product_type ta ON ta.id = a.product_type_id AND ta.name = 'l2a'
        JOIN s4c.product_type tb ON tb.id = b.product_type_id AND tb.name = 'l3b'
        WHERE i.input_product_id = ANY(:ids) OR i.product_id = ANY(:ids)
        ORDER BY id
        """
    )
    return list(connection.execute(statement, {"ids": sorted(numbers)}).scalars())


def chosen_products(
    connection: Connection, chosen: ChosenInputs, processor: str, snapshot: Snapshot, parcel_set_id: int | None
) -> RuleResult:
    """Judge the products chosen for a run, in place of R1, R2, R3 and R6: each has statistics the run reads."""
    statement = text(
        """
        SELECT p.id FROM s4c.product p WHERE p.id = ANY(:ids) AND NOT EXISTS (
            SELECT 1 FROM s4c.marker_file m
            WHERE m.parcel_set_id = :parcel_set_id AND m.state = 'active' AND m.variable = ANY(:variables)
              AND (m.product_id = p.id OR EXISTS (
                  SELECT 1 FROM s4c.product_input i
                  WHERE (i.product_id = p.id AND i.input_product_id = m.product_id)
                     OR (i.product_id = m.product_id AND i.input_product_id = p.id)))
        ) ORDER BY p.id
        """
    )
    values = {
        "ids": list(chosen.products),
        "parcel_set_id": parcel_set_id,
        "variables": list(variables_read(processor, snapshot).all),
    }
    rows = [str(number) for number in connection.execute(statement, values).scalars()]
    total = len(chosen.products)
    words = f"{len(rows)} of {total} chosen products without statistics" if rows else f"{total} chosen products"
    return RuleResult("R3", not rows, words, len(rows), tuple(rows[:MOST_NAMED]))
