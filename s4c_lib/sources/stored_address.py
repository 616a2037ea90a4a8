"""How a catalogue finds its product again: the text kept in `Candidate.address`, JSON without secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from s4c_lib.errors import SourceError


def address_text(fields: Mapping[str, str]) -> str:
    """Compact JSON, the same for equal addresses."""
    return json.dumps(dict(fields), separators=(",", ":"), sort_keys=True)


def address_fields(address: str, needed: Sequence[str], *, provider: str) -> dict[str, str]:
    """Read what `address_text` wrote.

    Parameters
    ----------
    needed : names that every address of this catalogue has.
    provider : as the message calls it, ``the USGS``.

    Raises
    ------
    SourceError : another catalogue made it.
    """
    try:
        fields = json.loads(address)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or any(name not in fields for name in needed):
        raise SourceError(
            f"'{address[:80]}' is no address of {provider}", hint="query the window again: the source was changed"
        )
    return {name: str(value) for name, value in fields.items()}
