"""What the weighing of radar and optical evidence is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

PREFIX: Final = "processor.s4c_l4b.s1."
_OTHERS: Final = {"polarisations": "pol_types", "apart_days": "non_overlap_interval_days"}


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """Parameters of `evidence`, by their registry keys below ``processor.s4c_l4b.s1.``.

    Parameters
    ----------
    polarisations : ``VH``, ``VV``; the mean of both where both are there.
    apart_days : least distance of two radar events.
    min_cohe_var : least variance of the coherence of one pixel.
    window_days : pairs within it after a possible date are compared with those within it before.
    expected_rise, rise_spread : of coherence after mowing, mean and standard deviation of mowings, as a share of what
        is usual on the date.
    spread : of coherence from date to date beyond pixel noise, as such a share; spread_alone : where too few parcels
        tell what is usual on a date.
    min_parcels : that tell it; trend_parcels : of consecutive numbers, that tell it for one another.
    prior : log odds that a possible date is right when nothing speaks for or against it.
    orbit_limit : evidence of one orbit tends to this.
    least_confidence : dates of lower confidence are no candidates.
    optical_drop : of NDVI by mowing; optical_recovery_days : in which all but 1/e of it is made up for.
    optical_spread : of the difference of two clear observations without mowing; optical_spread_a_day : more for each
        day between them.
    optical_limit : evidence of the optical series tends to this, for and against.
    unseen_share : of the mowings, that coherence does not show: bounds what radar says against an optical event.
    support_weight, support_level : radar evidence within the interval of an optical event counts by the weight, less
        the level, which the best of several gaps reaches without mowing.
    agreement : log odds by which an optical event at its date speaks for a radar event, and none against it.
    """

    polarisations: tuple[str, ...]
    apart_days: float
    min_cohe_var: float
    window_days: float
    expected_rise: float
    rise_spread: float
    spread: float
    spread_alone: float
    min_parcels: int
    trend_parcels: int
    prior: float
    orbit_limit: float
    least_confidence: float
    optical_drop: float
    optical_recovery_days: float
    optical_spread: float
    optical_spread_a_day: float
    optical_limit: float
    unseen_share: float
    support_weight: float
    support_level: float
    agreement: float

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> EvidenceSettings:
        """Take them from checked values by registry key; others are not looked at.

        Raises
        ------
        KeyError : a value is not there.
        """
        taken = {field.name: values[PREFIX + _OTHERS.get(field.name, field.name)] for field in fields(cls)}
        return cls(**{**taken, "polarisations": tuple(taken["polarisations"])})
