"""``s4c synthetic serve``: products served as remote providers serve them, with their faults if wanted."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, examples
from s4c_lib.cli.output import note, print_record, warn
from s4c_lib.errors import InputError
from s4c_lib.sources.product_kinds import ProductKind

if TYPE_CHECKING:
    from s4c_lib.synthetic.hub import Hub

_PORT = 8765
_PASSWORD = "password"
"""Of an account that opens nothing but invented products."""
_NOT_ESAS = frozenset({ProductKind.S1_AMP, ProductKind.S1_COHE, ProductKind.MUSCATE_L2A})
_SATELLITES = {"sentinel1": "s1", "sentinel2": "s2", "landsat8": "l8", "landsat9": "l8"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "s4c synthetic serve season/archive",
            "s4c synthetic serve season/archive --port 9000 --user anna --password-file anna.txt",
            "s4c synthetic serve season/archive --storm 0.2 --seed 7",
        )
    )(serve)


def serve(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Products, such as a season's archive/.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = _PORT,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; default: this machine only.")] = (
        "127.0.0.1"
    ),
    user: Annotated[str, typer.Option(metavar="NAME", help="The account that may fetch.")] = "user",
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Its password, first line; default: '{_PASSWORD}'.")
    ] = None,
    storm: Annotated[float, typer.Option(min=0, max=1, help="Share of the requests that meet a fault.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same faults in the same order.")] = 1,
    sessions: Annotated[int, typer.Option(min=1, help="Token sessions of the account at once.")] = 100,
    connections: Annotated[int | None, typer.Option(min=1, help="Downloads at once; default: no limit.")] = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the zips that are sent here; default: until it ends.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve products over HTTP as the Copernicus Data Space (OData), a STAC API and a DHuS do, until Ctrl-C.

    POST /_hub/faults switches faults while it runs, GET /_hub/ledger counts the requests; see docs/synthetic.md.
    """
    from s4c_lib.synthetic.hub import Hub, HubLimits

    password = _PASSWORD if password_file is None else _password(password_file)
    limits = HubLimits(session_limit=sessions, connection_limit=connections)
    with tempfile.TemporaryDirectory(prefix="s4c-serve-") as scratch:
        hub = Hub(
            folder,
            seed=seed,
            accounts={user: password},
            cache=cache or Path(scratch) / "zips",
            host=host,
            port=port,
            limits=limits,
        )
        with hub:
            hub.faults.storm(storm)
            for rejected in hub.rejected:
                warn(f"not served: {rejected.text}")
            definition = Path(scratch) / "hub.yml"
            definition.write_text(json.dumps(hub.eodag_definition(), indent=1), encoding="utf-8")
            print_record(_addresses(hub, user, password_file, definition), as_json=as_json)
            sys.stdout.flush()
            note("it serves until Ctrl-C")
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                counted = hub.ledger()
                note(f"stopped after {counted['requests']} requests, {counted['failed']} of them failed")


def _password(file: Path) -> str:
    try:
        password = file.read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise InputError(f"no password can be read from {file}", hint="a text file, the password in line 1") from error
    if not password:
        raise InputError(f"the first line of {file} is empty", hint="write the password there")
    return password


def _addresses(hub: Hub, user: str, password_file: Path | None, definition: Path) -> dict[str, Any]:
    from s4c_lib.synthetic.hub.provider_definition import PROVIDER
    from s4c_lib.synthetic.hub.served_product import words_of

    served = {product.name.satellite.value for product in hub.products}
    satellites = " ".join(f"--satellite {name}" for name in dict.fromkeys(_SATELLITES[one] for one in sorted(served)))
    dhus = " ".join(part for part in satellites.replace("--satellite l8", "").split(" ") if part)
    # ESA has no names for the products of others
    kinds = "".join(
        f" --collection {kind}={words_of(kind).dhus_type}"
        for kind in sorted({product.name.kind for product in hub.products} & _NOT_ESAS)
    )
    secret = f'"$(head -n 1 {quote(str(password_file))})"' if password_file is not None else _PASSWORD
    return {
        "url": hub.url,
        "products": len(hub.products),
        "token": hub.token_url,
        "odata": f"{hub.url}/odata/v1",
        "stac": hub.stac_url,
        "dhus": hub.dhus_url,
        "eodag_definition": str(definition),
        "account": (
            f"airflow connections add hub --conn-type generic --conn-login {quote(user)} --conn-password {secret}"
        ),
        "source_by_eodag": (
            f"s4c source add hub --driver eodag --provider {PROVIDER} --definition {quote(str(definition))}"
            f" {satellites} --connection hub"
        ),
        "source_by_dhus": (
            f"s4c source add hub_dhus --driver dhus --url {hub.dhus_url} {dhus}{kinds} --param ask_online=true"
            " --connection hub"
        ),
    }
