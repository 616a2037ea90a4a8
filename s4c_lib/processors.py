"""The processors that make a season's products, declared once: everything that lists them follows this table.

An L4 package announces itself here by its entry point, a function of a `SeasonRun` that writes its files into the
run's work folder and returns a `RunResult`; `season_run.load` imports it when a run reaches it. Parameters, schedules,
database and Airflow derive from what is declared here, so this module imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol


class Settings(Protocol):
    """Parameters by key, as a `Snapshot` has them."""

    def __getitem__(self, name: str, /) -> Any:
        """Return a value."""


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

    @property
    def satellites(self) -> tuple[str, ...]:
        """The satellites a run waits for; Landsat is never one of them."""
        return (*(("s1",) if self.radar else ()), *(("s2",) if self.optical else ()))


@dataclass(frozen=True, slots=True)
class FirstSchedule:
    """When the runs of a new season are due: every so many days, or on a day of the month (31: its last).

    Attributes
    ----------
    anchor, anchor_days : the first run is so many days after the season's start or middle.
    """

    anchor: Literal["start", "mid"]
    anchor_days: int = 0
    n_days: int | None = None
    month_day: int | None = None


RequiredTypes = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Processor:
    """An L4 processor.

    Attributes
    ----------
    number : in table ``s4c.processor``; Sen4CAP's own where it has the processor.
    makes : in words. purpose : a sentence or two, shown with its DAG.
    product_type, product_type_number : of its product, also the last part of its asset; in ``s4c.product_type``.
    level : its folder and, in capitals, part of its products' names (``l4a``).
    dag_name : last part of the name of its DAGs.
    schedule : in a new season. early_days : of a season, in which a run means nothing.
    required_types : product types a run cannot do without, by its settings; of each group one is enough.
    variables : that it reads, by its settings.
    entry_point : ``module:function``, None while this release does not compute the product.
    uploads : kinds of uploads it reads (`auxdata.Kind`). needed_uploads : of these, what no run starts without.
    soft_satellites : read where there is something, never waited for.
    radar_before : whether it reads radar of the days before the interval that a pair reaches back.
    """

    name: str
    number: int
    makes: str
    purpose: str
    product_type: str
    product_type_number: int
    level: str
    dag_name: str
    schedule: FirstSchedule
    required_types: Callable[[Settings], RequiredTypes]
    variables: Callable[[Settings], Variables]
    early_days: int = 0
    entry_point: str | None = None
    uploads: tuple[str, ...] = ("declarations", "lut")
    needed_uploads: tuple[str, ...] = ("declarations", "lut")
    soft_satellites: tuple[str, ...] = ()
    radar_before: bool = False


_OPTICAL, _BACKSCATTER, _COHERENCE = "l3b", "s1_l2a_amp", "s1_l2a_cohe"
_BACKSCATTER_VARIABLES: Final = ("vv", "vh")
_COHERENCE_VARIABLES: Final = ("coherence_vv", "coherence_vh")
_L4A_OPTICAL: Final = ("ndvi", "ndwi", "brightness_l4a", "b03", "b04", "b08", "b11")
_L4A_RED_EDGE: Final = ("b05", "b06", "b07", "b12")
_PRACTICES: Final = ("practices_cc", "practices_fl", "practices_nfc", "practices_na")


def _crop_type_types(settings: Settings) -> RequiredTypes:
    """Of optical and radar what its mode names (spec/README.md E1, E5)."""
    match settings["processor.s4c_l4a.mode"]:
        case "s1-only":
            return ((_BACKSCATTER,),)
        case "both" if settings["processor.s4c_l4a.allow_missing_sensor"]:
            return ((_OPTICAL, _BACKSCATTER),)
        case "both":
            return ((_OPTICAL,), (_BACKSCATTER,))
        case _:
            return ((_OPTICAL,),)


def _crop_type_variables(settings: Settings) -> Variables:
    """Variables of its features, red edge with radar only (spec/README.md 2.4, B14; l4a §5-6)."""
    match settings["processor.s4c_l4a.mode"]:
        case "s1-only":
            return Variables(radar=_BACKSCATTER_VARIABLES + _COHERENCE_VARIABLES)
        case "s2-only":
            return Variables(optical=_L4A_OPTICAL)
        case _:
            return Variables(_L4A_OPTICAL + _L4A_RED_EDGE, _BACKSCATTER_VARIABLES + _COHERENCE_VARIABLES)


def _mowing_types(settings: Settings) -> RequiredTypes:
    """Of optical and coherence what its inputs name (spec/README.md E5)."""
    match settings["processor.s4c_l4b.input_product_types"]:
        case "S1_S2":
            return ((_OPTICAL, _COHERENCE),)
        case "S1":
            return ((_COHERENCE,),)
        case _:
            return ((_OPTICAL,),)


def _mowing_variables(settings: Settings) -> Variables:
    """NDVI and coherence of VH; that of VV tells what kind of loss it is (l4b §2.3)."""
    match settings["processor.s4c_l4b.input_product_types"]:
        case "S1":
            return Variables(radar=("coherence_vh",), extra=("coherence_vv",))
        case "S2":
            return Variables(optical=("ndvi",))
        case _:
            return Variables(("ndvi",), ("coherence_vh",), ("coherence_vv",))


def _practices_types(_: Settings) -> RequiredTypes:
    return ((_OPTICAL,), (_BACKSCATTER,), (_COHERENCE,))


def _practices_variables(_: Settings) -> Variables:
    """Return what l4c §2 names."""
    return Variables(("ndvi",), (*_BACKSCATTER_VARIABLES, "coherence_vv"))


_DECLARED: Final = (
    Processor(
        name="s4c_l4a",
        number=9,
        makes="crop type per declared parcel",
        purpose="Crop type of every declared parcel and a verdict on its declaration; crop diversification if on.",
        product_type="s4c_l4a",
        product_type_number=12,
        level="l4a",
        dag_name="l4a_crop_type",
        schedule=FirstSchedule("mid", month_day=31),
        required_types=_crop_type_types,
        variables=_crop_type_variables,
        entry_point="s4c_lib.l4.crop_type:run_crop_type",
    ),
    Processor(
        name="s4c_l4b",
        number=10,
        makes="mowing events per grassland parcel",
        purpose="Mowing events of every grassland parcel, with date and confidence.",
        product_type="s4c_l4b",
        product_type_number=13,
        level="l4b",
        dag_name="l4b_mowing",
        schedule=FirstSchedule("start", 31, month_day=31),
        early_days=30,
        required_types=_mowing_types,
        variables=_mowing_variables,
        entry_point="s4c_lib.l4.mowing:run_mowing",
        uploads=("declarations", "lut", "l4b_config"),
        radar_before=True,
    ),
    Processor(
        name="s4c_l4c",
        number=11,
        makes="agricultural practices per parcel",
        purpose="Agricultural practices per parcel: harvest, catch crops, fallow, nitrogen-fixing crops.",
        product_type="s4c_l4c",
        product_type_number=15,
        level="l4c",
        dag_name="l4c_practices",
        schedule=FirstSchedule("start", 7, n_days=7),
        early_days=30,
        required_types=_practices_types,
        variables=_practices_variables,
        entry_point="s4c_lib.l4.practices:run_practices",
        uploads=("declarations", "lut", "l4c_config", *_PRACTICES),
        needed_uploads=("declarations", "lut", "l4c_config"),
        soft_satellites=("l8",),
    ),
)

PROCESSORS: Mapping[str, Processor] = {one.name: one for one in _DECLARED}
L4_PROCESSORS: Final = tuple(PROCESSORS)
L4_PRODUCT_TYPES: Final = tuple(one.product_type for one in _DECLARED)


def required_types(name: str, settings: Settings) -> RequiredTypes:
    """Return the product types a run of a processor cannot do without; of each group one is enough."""
    return PROCESSORS[name].required_types(settings)


def variables_read(name: str, settings: Settings) -> Variables:
    """Return the variables a processor reads."""
    return PROCESSORS[name].variables(settings)
