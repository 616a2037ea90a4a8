"""Keys of an L4C parameter file: type, bounds, what holds when they are not set (l4c-practices.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from s4c_lib.parameters.model import Kind, Parameter

NOT_SET: Final = "-10000"
PRACTICES: Final = ("CC", "FL", "NFC", "NA")
FALLOW_RULES: Final = ("default", "ita", "cze_mowing", "ltu")
NITROGEN_FIXING_RULES: Final = ("default", "strict", "rou", "cze")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the rules of one practice work with: every value is set, dates and texts where the rule is on.

    Parameters
    ----------
    opt… : NDVI x 1000. ndvi…, efandvi… : NDVI x 1000. coh…, efacoh…, tlcoh… : coherence, 0..1.
    amp… : ratio of VV to VH in the scale of ``processor.s4c_l4c.amp_scale``; efaampthr per day.
    catchmain : P_TYPE of catch crops sown in or under the main crop; ``-`` for none.
    catchperiod : days. catchproportion : share of the NDVI range.
    flrule, nfcrule : variant of the fallow and of the nitrogen-fixing rule.
    """

    optthrvegcycle: float
    ndvidw: float
    ndviup: float
    ndvistep: float
    optthrmin: float
    optthrbufden: float
    ampthrmin: float
    ampthrbreakden: float
    stddevinampthr: bool
    ampthrvalden: float
    cohthrbase: float
    cohthrhigh: float
    cohthrabs: float
    catchmain: str
    catchcropismain: str
    catchperiod: int
    catchperiodstart: date | None
    catchproportion: float
    efandvithr: float
    efandviup: float
    efandvidw: float
    efandvimin: float
    efaampthr: float
    efacohchange: float
    efacohvalue: float
    flmarkstartdate: date | None
    flmarkstenddate: date | None
    tlcohthrbase: float
    tlcohthrabs: float
    tlmonitoringenddate: date | None
    flrule: str
    nfcrule: str


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the file.

    Parameters
    ----------
    shipped : in the default file; empty for not set.
    unset : used when the key is missing or empty.
    substitute : key whose value is used when this one is -10000; without one, -10000 means ``unset`` too.
    """

    parameter: Parameter
    shipped: str
    unset: Any
    substitute: str = ""


def _ndvi(name: str, shipped: int, text: str, *, unset: float | None = None, substitute: str = "") -> Key:
    parameter = Parameter(name, Kind.FLOAT, shipped, text, unit="NDVI x 1000", minimum=-1000, maximum=1000)
    return Key(parameter, str(shipped), float(shipped) if unset is None else unset, substitute)


def _share(name: str, shipped: str, text: str, unset: float, *, substitute: str = "", maximum: float = 1) -> Key:
    return Key(Parameter(name, Kind.FLOAT, unset, text, minimum=0, maximum=maximum), shipped, unset, substitute)


def _divisor(name: str, shipped: int, text: str, unset: float) -> Key:
    parameter = Parameter(name, Kind.FLOAT, unset, text, minimum=0, maximum=1000, exclusive=True)
    return Key(parameter, str(shipped), unset)


def _day(name: str, text: str) -> Key:
    return Key(Parameter(name, Kind.DATE, None, text, optional=True), "", None)


def _text(name: str, text: str, unset: str) -> Key:
    return Key(Parameter(name, Kind.STR, None, text, optional=True), "", unset)


def _rule(name: str, text: str, choices: tuple[str, ...]) -> Key:
    return Key(Parameter(name, Kind.CHOICE, None, text, choices=choices, optional=True), "", None)


_KEYS: Final = (
    _ndvi("OPTTHRVEGCYCLE", 350, "NDVI that proves a vegetation cycle."),
    _ndvi("NDVIDW", 300, "Lower limit of the loss threshold."),
    _ndvi("NDVIUP", 350, "Upper limit of the loss threshold."),
    Key(
        Parameter(
            "NDVISTEP", Kind.FLOAT, 5, "The threshold is a multiple of it.", minimum=0, maximum=1000, exclusive=True
        ),
        "5",
        5.0,
    ),
    _ndvi("OPTTHRMIN", 100, "NDVI before the loss exceeds it."),
    _divisor("OPTTHRBUFDEN", 4, "Divisor of the buffer of the loss threshold.", 6.0),
    _share("AMPTHRMIN", "0.1", "Least rise of VV - VH.", 0.1, maximum=100),
    _divisor("AMPTHRBREAKDEN", 6, "The rise is at least the deviation divided by it.", 6.0),
    Key(
        Parameter("STDDEVINAMPTHR", Kind.BOOL, False, "The level is the mean minus a share of the deviation."),
        "1",
        False,
    ),
    _divisor("AMPTHRVALDEN", 2, "The share of the deviation.", 2.0),
    _share("COHTHRBASE", "0.05", "Rise of coherence.", 0.05),
    _share("COHTHRHIGH", "0.15", "Strong rise of coherence.", 0.15),
    _share("COHTHRABS", "0.75", "High coherence.", 0.75),
    _text("CATCHMAIN", "P_TYPE of catch crops in or under the main crop.", "-"),
    _text("CATCHCROPISMAIN", "A second such P_TYPE.", "CatchCropIsMain"),
    Key(
        Parameter("CATCHPERIOD", Kind.INT, 56, "Length of the practice period.", unit="d", minimum=1, maximum=366),
        "56",
        56,
    ),
    _day("CATCHPERIODSTART", "Earliest start of the computed period."),
    _share("CATCHPROPORTION", "", "Share of the NDVI range taken for bare land.", 1 / 3),
    _ndvi("EFANDVITHR", 325, "NDVI of vegetation."),
    _ndvi("EFANDVIUP", 400, "Upper limit of the loss threshold of the practice.", substitute="NDVIUP"),
    _ndvi("EFANDVIDW", 300, "Lower limit of the loss threshold of the practice.", substitute="NDVIDW"),
    _ndvi("EFANDVIMIN", int(NOT_SET), "Least NDVI of growth.", unset=300.0),
    _share("EFAAMPTHR", NOT_SET, "Slope of VV - VH.", 0.01, maximum=100),
    _share("EFACOHCHANGE", "0.2", "Rise of coherence in the practice period.", 0.2, substitute="COHTHRHIGH"),
    _share("EFACOHVALUE", "0.7", "High coherence in the practice period.", 0.7, substitute="COHTHRABS"),
    _day("FLMARKSTARTDATE", "Start of the mowing window, or end of the window without harvest."),
    _day("FLMARKSTENDDATE", "End of the mowing window."),
    _share("TLCOHTHRBASE", "0.05", "Rise of coherence, for tillage.", 0.05),
    _share("TLCOHTHRABS", "0.75", "High coherence, for tillage.", 0.75),
    _day("TLMONITORINGENDDATE", "Last day on which tillage is looked for."),
    _rule("FLRULE", "Variant of the fallow rule.", FALLOW_RULES),
    _rule("NFCRULE", "Variant of the rule for nitrogen-fixing crops.", NITROGEN_FIXING_RULES),
)
KEYS: Final = {key.parameter.key: key for key in _KEYS}

_FALLOW_OF: Final = {"CZE": "cze_mowing", "LTU": "ltu", "ITA": "ita"}
_NITROGEN_FIXING_OF: Final = {"CZE": "cze", "ROU": "rou", "ESP": "strict", "ITA": "strict"}


def rules_of(country: str) -> dict[str, str]:
    """``FLRULE`` and ``NFCRULE`` of a country whose file names none; region codes such as ``ITA1`` count."""
    return {
        "FLRULE": _FALLOW_OF.get(country[:3].upper(), "default"),
        "NFCRULE": _NITROGEN_FIXING_OF.get(country[:3].upper(), "default"),
    }
