"""``s4c kernels``: loops that are compiled for this machine."""

from __future__ import annotations

import time

import typer

from s4c_lib.cli.options import AsJson, examples, noun
from s4c_lib.cli.output import print_record, progress
from s4c_lib.cli.session import session_of

app = noun("Compiled loops of this machine.")


@app.callback()
def _group() -> None:
    """Keep ``compile`` a command of its own: a group of one command would become that command."""


@app.command("compile", epilog=examples("s4c kernels compile"))
def compile_kernels(context: typer.Context, as_json: AsJson = False) -> None:
    """Compile all kernels now, so that the first product does not wait for it; those of former versions go.

    They are kept in S4C_KERNEL_CACHE, by default in the user's cache folder; nothing happens when they are there.
    """
    from s4c_lib.kernel_cache import compile_into, fingerprint

    begun = time.monotonic()
    with progress("compiling kernels") as step:
        folder, fresh = compile_into(session_of(context).settings.kernel_folder, step)
    record = {
        "fingerprint": fingerprint(),
        "compiled": fresh,
        "seconds": round(time.monotonic() - begun, 1),
        "folder": str(folder),
    }
    print_record(record, as_json=as_json)
