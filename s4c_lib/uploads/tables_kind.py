"""Which configuration a file is, told by its sections."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from s4c_lib.catalog.auxdata import Kind
from s4c_lib.errors import InputError
from s4c_lib.parcels.configuration_file import read_sections
from s4c_lib.parcels.delimited_text import LineFindings
from s4c_lib.parcels.l4b_configuration_keys import SECTIONS
from s4c_lib.parcels.l4c_configuration_keys import PRACTICES
from s4c_lib.uploads.tables import table_content

_SUFFIX: Final = "_time_series_analysis_params"
_OF_L4C: Final = frozenset({"default", *(practice.lower() for practice in PRACTICES)})


def configuration_kind(path: Path) -> Kind:
    """Tell an L4B from an L4C configuration.

    Raises
    ------
    InputError : there is no such file, or its sections do not tell.
    StorageError : it cannot be read.
    """
    content, _ = table_content(Kind.L4B_CONFIG, path)
    names = [section.name.casefold() for section in read_sections(content, LineFindings())]
    mowing = sum(name in SECTIONS for name in names)
    practices = sum(name.removesuffix(_SUFFIX) in _OF_L4C for name in names)
    if mowing == practices:
        raise InputError(
            f"The sections of {path.name} do not tell what it is for.", hint="add --kind l4b or --kind l4c"
        )
    return Kind.L4B_CONFIG if mowing > practices else Kind.L4C_CONFIG
