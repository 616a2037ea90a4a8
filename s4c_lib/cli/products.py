"""``s4c products``: what was made, and of what."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from s4c_lib.cli import products_check, products_export
from s4c_lib.cli.acquisitions import check_choices
from s4c_lib.cli.options import AsJson, FromDay, OfOrbits, OfSatellites, OfTiles, SiteName, ToDay, examples, noun
from s4c_lib.cli.output import note, plain, print_record, print_records, print_table, say, size
from s4c_lib.cli.session import session_of
from s4c_lib.errors import InputError

app = noun("Products in force.")
products_export.register(app)
products_check.register(app)


@app.command(
    "list",
    epilog=examples(
        "s4c products list my_region --type l2a --from 2026-05-01 --to 2026-05-31",
        "s4c products list my_region --tile 31UFS --orbit 51",
        "s4c products list my_region --job 815",
    ),
)
def list_products(
    context: typer.Context,
    site_name: SiteName,
    product_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only of this type.")] = None,
    satellite: OfSatellites = None,
    of_tile: OfTiles = None,
    orbit: OfOrbits = None,
    job: Annotated[int | None, typer.Option("--job", metavar="ID", help="Only what this job made.")] = None,
    first: FromDay = None,
    last: ToDay = None,
    as_json: AsJson = False,
) -> None:
    """List the products of a site by acquisition time."""
    from s4c_lib.catalog import products
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.catalog.vocabulary import PRODUCT_TYPES
    from s4c_lib.scheduling.dates import midnight

    if product_type is not None and product_type not in PRODUCT_TYPES:
        raise InputError(
            f"There is no product type {product_type!r}.", hint=f"choose from {', '.join(sorted(PRODUCT_TYPES))}"
        )
    check_choices(None, satellite)
    with session_of(context).read() as connection:
        found = products.list_products(
            connection,
            get_site(connection, site_name).id,
            product_type=product_type,
            date_from=None if first is None else midnight(first),
            date_to=None if last is None else midnight(last + timedelta(days=1)),
            satellites=satellite,
            tiles=of_tile,
            orbits=orbit,
            job_id=job,
        )
    columns = {
        "id": "id",
        "product_type": "type",
        "acquired_at": "acquired",
        "name": "name",
        "version": "version",
        "quality": "quality",
        "tiles": "tiles",
        "files": "files",
    }
    records = [{**plain(item), "acquired_at": item.acquired_at, "files": item.files} for item in found]
    print_records(records, columns, as_json=as_json, none="no product fits")
    if records and not as_json:
        note(f"{len(records)} products")


@app.command(epilog=examples("s4c products show 815"))
def show(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="Number of the product.")],
    as_json: AsJson = False,
) -> None:
    """Show a product: where it lies, what it was made from, its files."""
    from s4c_lib.catalog import product_events, products

    with session_of(context).read() as connection:
        found = products.get_product(connection, number)
        events = product_events.of_product(connection, number)
        inputs = products.inputs_of(connection, number)
        files = products.files_of(connection, number)
    if as_json:
        print_record({**plain(found), "inputs": inputs, "files": files, "events": events}, as_json=True)
        return
    print_record({**plain(found), "made_from": inputs, "files": found.files}, as_json=False)
    if events:
        say()
        print_table(
            ("when", "who", "what", "why"),
            [(event.at, event.actor, event.action.replace("_", " "), event.reason) for event in events],
            title="history",
        )
    if files:
        say()
        print_table(
            ("file", "size", "sha256"), [(item.path, size(item.size_bytes), item.sha256[:12]) for item in files]
        )
