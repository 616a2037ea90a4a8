"""What the radar detector is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, Final

PREFIX: Final = "processor.s4c_l4b.s1."
EVENING: Final = time(18)
MORNING: Final = time(6)


@dataclass(frozen=True, slots=True)
class RadarSettings:
    """Parameters of the radar detector, by their registry keys below ``processor.s4c_l4b.s1.`` (section 5).

    Parameters
    ----------
    polarisations : ``VH``, ``VV``; VV only raises what VH shows, and stands for it where VH is not among them.
    pfa : accepted probability of a false alarm.
    stat_smpl_n : earlier pairs that predict the next.
    min_cohe_var : least variance of the coherence of one pixel.
    saturate_sigma : never take the spread of a series for smaller than pixel noise allows.
    time_interval_days : days between passes, where they are not taken from the data.
    non_overlap_interval_days : least distance between the ends of two events.
    evening, morning : time of day of both ends of an interval, of ascending and of descending orbits.
    hour_of_orbit : repair 6; else every orbit has that of the ascending ones.
    true_dates : repair 7: an event lies between the passes before the pair's first image; else it has
        ``time_interval_days``, up to the observation before.
    bridge_gaps : repair 8: the history is the last valid pairs; else a missing one mutes every test it is in.
    """

    polarisations: tuple[str, ...]
    pfa: float
    stat_smpl_n: int
    min_cohe_var: float
    saturate_sigma: bool
    time_interval_days: int
    non_overlap_interval_days: int
    hour_of_orbit: bool = True
    true_dates: bool = True
    bridge_gaps: bool = True
    evening: time = EVENING
    morning: time = MORNING

    @classmethod
    def of(
        cls, values: Mapping[str, Any], repairs: tuple[int, ...], *, evening: time = EVENING, morning: time = MORNING
    ) -> RadarSettings:
        """Take them from checked values by registry key; others are not looked at.

        Raises
        ------
        KeyError : a value is not there.
        """
        return cls(
            polarisations=tuple(values[f"{PREFIX}pol_types"]),
            pfa=values[f"{PREFIX}pfa"],
            stat_smpl_n=values[f"{PREFIX}stat_smpl_n"],
            min_cohe_var=values[f"{PREFIX}min_cohe_var"],
            saturate_sigma=values[f"{PREFIX}saturate_sigma"],
            time_interval_days=values[f"{PREFIX}time_interval_days"],
            non_overlap_interval_days=values[f"{PREFIX}non_overlap_interval_days"],
            hour_of_orbit=6 in repairs,
            true_dates=7 in repairs,
            bridge_gaps=8 in repairs,
            evening=evening,
            morning=morning,
        )
