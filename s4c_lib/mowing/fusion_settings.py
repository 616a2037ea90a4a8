"""How events of several passes are combined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PREFIX: Final = "processor.s4c_l4b."


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """Parameters of fusion and selection (section 6).

    Parameters
    ----------
    optical_days : least outer span of two events of the optical pass.
    radar_days : least distance between the ends of two events, once radar has its say.
    max_events : most events of a parcel; 0 means all.
    intersection : a fused event lies in what both intervals have in common; else it has that of the more confident.
    stepwise : as Sen4CAP: confidences are rounded to 3 decimals after every pass, the later of two equal events wins,
        and a pass selects anew also where it adds nothing. Else the earlier of two equals wins and nothing is rounded.
    """

    optical_days: int = 45
    radar_days: int = 28
    max_events: int = 0
    intersection: bool = False
    stepwise: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> FusionSettings:
        """Take them from checked values by registry key; others are not looked at.

        Raises
        ------
        KeyError : a value is not there.
        """
        return cls(
            optical_days=values[f"{PREFIX}s2.non_overlap_interval_days"],
            radar_days=values[f"{PREFIX}s1.non_overlap_interval_days"],
            max_events=values[f"{PREFIX}max_events"],
            intersection=values[f"{PREFIX}fusion_interval"] == "intersection",
            stepwise=values[f"{PREFIX}stepwise_fusion"],
        )
