"""Whether products in force are where the database says: the cheap form of ``s4c products check``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from s4c_lib.catalog import product_files
from s4c_lib.cli.check import Check, Verdict
from s4c_lib.cli.session import Session
from s4c_lib.product_check import presence

# Listing one takes a millisecond where the disk is on a network; a season has a folder a month and site.
MOST_FOLDERS: Final = 2000


def check_files(session: Session) -> Iterator[Check]:
    """Look products up in the lists of the folders they lie in, without a look at each of them."""
    with session.read() as connection:
        paths = product_files.places(connection)
    found = presence(paths, most_folders=MOST_FOLDERS)
    looked = "" if found.looked_at == found.total else f" of {found.looked_at} looked at"
    if found.gone:
        yield Check(
            "product files",
            Verdict.BROKEN,
            f"{len(found.gone)}{looked} of {found.total} products in force are gone, the first is {found.gone[0]}",
            "'s4c products check SITE' names all, with --repair they are made again",
        )
    else:
        yield Check("product files", Verdict.OK, f"{found.total} products in force{looked} are where they should be")
