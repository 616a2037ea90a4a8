"""The processors that make a season's products: what each reads, and where its code is.

An L4 package announces itself here by its entry point, a function of a `SeasonRun` that writes its files into the
run's work folder and returns a `RunResult`; the frame publishes them. It is imported only when a run reaches it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from s4c_lib.errors import ProcessorUnavailableError
from s4c_lib.parameters import Snapshot

if TYPE_CHECKING:
    from s4c_lib.season_run import RunResult, SeasonRun

    EntryPoint = Callable[[SeasonRun], RunResult]


@dataclass(frozen=True, slots=True)
class Processor:
    """An L4 processor.

    Attributes
    ----------
    makes : in words.
    product_type : of its product, also the last part of its asset.
    level : its folder and, in capitals, part of its products' names (``l4a``).
    entry_point : ``module:function``, None while this release does not compute the product.
    uploads : kinds of uploads it reads (`auxdata.Kind`).
    soft_satellites : read where there is something, never waited for.
    radar_before : whether it reads radar of the days before the interval that a pair reaches back.
    """

    name: str
    makes: str
    product_type: str
    level: str
    entry_point: str | None = None
    uploads: tuple[str, ...] = ("declarations", "lut")
    soft_satellites: tuple[str, ...] = ()
    radar_before: bool = False


_PRACTICES = ("practices_cc", "practices_fl", "practices_nfc", "practices_na")

PROCESSORS: Mapping[str, Processor] = {
    "s4c_l4a": Processor(
        "s4c_l4a",
        "crop type per declared parcel",
        "s4c_l4a",
        "l4a",
        entry_point="s4c_lib.l4.crop_type:run_crop_type",
    ),
    "s4c_l4b": Processor(
        "s4c_l4b",
        "mowing events per grassland parcel",
        "s4c_l4b",
        "l4b",
        entry_point="s4c_lib.l4.mowing:run_mowing",
        uploads=("declarations", "lut", "l4b_config"),
        radar_before=True,
    ),
    "s4c_l4c": Processor(
        "s4c_l4c",
        "agricultural practices per parcel",
        "s4c_l4c",
        "l4c",
        entry_point="s4c_lib.l4.practices:run_practices",
        uploads=("declarations", "lut", "l4c_config", *_PRACTICES),
        soft_satellites=("l8",),
    ),
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


@dataclass(frozen=True, slots=True)
class Variables:
    """Variables of the observation table a run reads.

    Attributes
    ----------
    optical, radar : a run waits until they are there for every product.
    extra : read where there are any, not waited for.
    """

    optical: tuple[str, ...] = ()
    radar: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Everything that is read."""
        return (*self.optical, *self.radar, *self.extra)


_BACKSCATTER_VARIABLES: Final = ("vv", "vh")
_COHERENCE_VARIABLES: Final = ("coherence_vv", "coherence_vh")
_L4A_OPTICAL: Final = ("ndvi", "ndwi", "brightness_l4a", "b03", "b04", "b08", "b11")
_L4A_RED_EDGE: Final = ("b05", "b06", "b07", "b12")


def variables_read(name: str, settings: Snapshot) -> Variables:
    """Return the variables a processor reads (spec/README.md 2.4, B14, E5; l4a §5-6, l4b §2.3, l4c §2)."""
    match name, settings["processor.s4c_l4a.mode"], settings["processor.s4c_l4b.input_product_types"]:
        case ("s4c_l4a", "s1-only", _):
            return Variables(radar=_BACKSCATTER_VARIABLES + _COHERENCE_VARIABLES)
        case ("s4c_l4a", "s2-only", _):
            return Variables(optical=_L4A_OPTICAL)
        case ("s4c_l4a", _, _):
            return Variables(_L4A_OPTICAL + _L4A_RED_EDGE, _BACKSCATTER_VARIABLES + _COHERENCE_VARIABLES)
        case ("s4c_l4b", _, "S1"):
            return Variables(radar=("coherence_vh",), extra=("coherence_vv",))
        case ("s4c_l4b", _, "S2"):
            return Variables(optical=("ndvi",))
        case ("s4c_l4b", _, _):
            return Variables(("ndvi",), ("coherence_vh",), ("coherence_vv",))
        case _:
            return Variables(("ndvi",), (*_BACKSCATTER_VARIABLES, "coherence_vv"))


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
