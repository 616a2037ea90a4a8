"""Parameters of the features of L4A (l4a-crop-type.md 13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PREFIX: Final = "processor.s4c_l4a."


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """How observations become features; the defaults are those of profile ``default``.

    Profile ``reference`` has the same code and ``grid_from_first_product`` True, ``period_min_coverage`` 1,
    ``amplitude`` True and no ``repairs``.

    Parameters
    ----------
    mode : ``both``, ``s1-only`` or ``s2-only``.
    allow_missing_sensor : with mode ``both``, go on with one sensor.
    step_days : step of the optical dates.
    grid_from_first_product : first of them is the day of the first product instead of the start of the season.
    bin_weeks, bin_months : length of the short and of the long radar periods.
    period_min_coverage : a radar period is used when at least this share of the parcels has an observation in it; at 1
        when every tile has one (D-10).
    amplitude : linear radar values are 10^(x/20) instead of 10^(x/10) (B3).
    repairs : corrected defects D-nn of the reference: 3, 5, 6, 8, 9, 11.
    further_variables : other variables become features of the optical dates too (tables that users bring).
    """

    mode: str = "both"
    allow_missing_sensor: bool = False
    step_days: int = 10
    grid_from_first_product: bool = False
    bin_weeks: int = 1
    bin_months: int = 2
    period_min_coverage: float = 0.8
    amplitude: bool = False
    repairs: frozenset[int] = frozenset((3, 5, 6, 8, 9, 11))
    further_variables: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any], *, further_variables: bool = False) -> FeatureSettings:
        """Take them from checked values by registry key; others are not looked at.

        Raises
        ------
        KeyError : a value is not there.
        """
        return cls(
            mode=values[f"{PREFIX}mode"],
            allow_missing_sensor=values[f"{PREFIX}allow_missing_sensor"],
            step_days=values[f"{PREFIX}optical_step_days"],
            grid_from_first_product=values[f"{PREFIX}optical_grid_origin"] == "first_product",
            bin_weeks=values[f"{PREFIX}s1_bin_weeks"],
            bin_months=values[f"{PREFIX}s1_bin_months"],
            period_min_coverage=values[f"{PREFIX}s1_period_min_coverage"],
            amplitude=values[f"{PREFIX}sar_scale"] == "amplitude",
            repairs=frozenset(values[f"{PREFIX}repairs"]),
            further_variables=further_variables,
        )

    @property
    def optical(self) -> bool:
        """Whether Sentinel-2 is wanted."""
        return self.mode != "s1-only"

    @property
    def radar(self) -> bool:
        """Whether Sentinel-1 is wanted."""
        return self.mode != "s2-only"
