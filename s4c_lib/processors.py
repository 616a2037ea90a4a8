"""The processors that make a season's products: what each reads, and where its code is.

An L4 package announces itself here by its entry point, a function of (database, job id) that writes
and registers the product. It is imported only when a run reaches it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from s4c_lib.catalog.database import Database
from s4c_lib.errors import ProcessorUnavailableError
from s4c_lib.parameters import Snapshot

EntryPoint = Callable[[Database, int], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Processor:
    """An L4 processor.

    Attributes
    ----------
    entry_point : ``module:function``, None while this release does not compute the product.
    """

    name: str
    makes: str
    entry_point: str | None = None


PROCESSORS: Mapping[str, Processor] = {
    "s4c_l4a": Processor("s4c_l4a", "crop type per declared parcel"),
    "s4c_l4b": Processor("s4c_l4b", "mowing events per grassland parcel"),
    "s4c_l4c": Processor("s4c_l4c", "agricultural practices per parcel"),
}

_OPTICAL, _BACKSCATTER, _COHERENCE = "l3b", "s1_l2a_amp", "s1_l2a_cohe"


def required_types(name: str, settings: Snapshot) -> tuple[tuple[str, ...], ...]:
    """Return the product types a run cannot do without; of each group one is enough (spec/README.md E1, E5)."""
    match name, settings["processor.s4c_l4a.mode"], settings["processor.s4c_l4b.input_product_types"]:
        case ("s4c_l4a", "both", _) if settings["processor.s4c_l4a.allow_missing_sensor"]:
            return ((_OPTICAL, _BACKSCATTER),)
        case ("s4c_l4a", "both", _):
            return ((_OPTICAL,), (_BACKSCATTER,))
        case ("s4c_l4a", "s1-only", _):
            return ((_BACKSCATTER,),)
        case ("s4c_l4b", _, "S1_S2"):
            return ((_OPTICAL, _COHERENCE),)
        case ("s4c_l4b", _, "S1"):
            return ((_COHERENCE,),)
        case ("s4c_l4c", _, _):
            return ((_OPTICAL,), (_BACKSCATTER,), (_COHERENCE,))
        case _:
            return ((_OPTICAL,),)


def load(name: str) -> EntryPoint:
    """Return the function that computes a processor's product.

    Raises
    ------
    ProcessorUnavailableError : this release has none.
    """
    processor = PROCESSORS[name]
    if processor.entry_point is None:
        raise ProcessorUnavailableError(
            f"This release does not compute {name} ({processor.makes}).", hint="see CHANGELOG.md for what it does"
        )
    module, _, function = processor.entry_point.partition(":")
    found: EntryPoint = getattr(importlib.import_module(module), function)
    return found
