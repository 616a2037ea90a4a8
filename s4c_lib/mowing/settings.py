"""All that a run of L4B is told: parameters of the registry and the configuration file of the season."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any, Final

from s4c_lib.errors import InputError
from s4c_lib.mowing.events import Mission
from s4c_lib.mowing.evidence_settings import EvidenceSettings
from s4c_lib.mowing.fusion_settings import FusionSettings
from s4c_lib.mowing.optical_settings import OpticalSettings
from s4c_lib.mowing.radar_settings import RadarSettings
from s4c_lib.parcels.l4b_configuration import L4bConfiguration
from s4c_lib.parcels.l4b_configuration_compliance import MowingPeriod
from s4c_lib.parcels.l4b_configuration_keys import SHIPPED_TIMES
from s4c_lib.statistics.matrices import EnoughPixels

PREFIX: Final = "processor.s4c_l4b."
_MISSIONS: Final = {"S1": Mission.S1, "S2": Mission.S2, "S1_S2": Mission.S1 | Mission.S2}
_LAST_DAY: Final = 11


@dataclass(frozen=True, slots=True)
class MowingSettings:
    """Parameters of one run.

    Parameters
    ----------
    evidence : how that of all radar orbits is weighed; None where each orbit detects by itself.
    missions : which satellites are used.
    orbits : relative orbit and direction of the radar passes to use; empty for all.
    radar_delay_days : days after the first day from which radar is used.
    min_pixels_s2, min_pixels_s1 : parcels with fewer have no detection of that mission.
    min_valid_share : of a parcel's pixels, in an observation that counts.
    min_conf : events of lower confidence are not reported and do not count for compliance.
    periods : asked of crops; none makes every parcel's compliance -1.
    last_day_counts : repair 11: the last day of a period belongs to it.
    crop_filter, every_crop, additional_columns : as the configuration file has them; they choose parcels and columns.
    start_date, end_date, start_season_offset_days : see `period`.
    """

    optical: OpticalSettings
    radar: RadarSettings
    fusion: FusionSettings
    evidence: EvidenceSettings | None = None
    missions: Mission = Mission.S1 | Mission.S2
    orbits: tuple[tuple[int, str], ...] = ()
    radar_delay_days: int = 0
    min_pixels_s2: int = 3
    min_pixels_s1: int = 1
    min_valid_share: float = 0.5
    min_conf: float = 0.0
    periods: tuple[MowingPeriod, ...] = ()
    last_day_counts: bool = True
    crop_filter: tuple[int, ...] = ()
    every_crop: bool = False
    additional_columns: tuple[str, ...] = ()
    start_date: date | None = None
    end_date: date | None = None
    start_season_offset_days: int = 0

    @classmethod
    def of(
        cls, values: Mapping[str, Any], configuration: L4bConfiguration | None = None, *, own: Collection[str] = ()
    ) -> MowingSettings:
        """Combine both: a value of the file wins over one of the registry, unless that was set for this very run.

        In which of the wider scopes (season, site, everywhere) a value was set does not matter: the file is the
        season's own word on how mowing is detected.

        Parameters
        ----------
        values : checked values by registry key, such as ``snapshot.values``.
        own : keys that were set for this run (a job's own parameters, ``--set``); the file does not change these.

        Raises
        ------
        KeyError : a value is not there.
        """
        given = {} if configuration is None else {k: v for k, v in configuration.settings.items() if k not in own}
        taken = {**values, **given}
        shown = dict(SHIPPED_TIMES) | dict(configuration.acquisition_times if configuration else {})
        clock = {name: time.fromisoformat(text) for name, text in shown.items()}
        repairs = tuple(taken[f"{PREFIX}repairs"])
        of_file: dict[str, Any] = {}
        if configuration is not None:
            of_file = {
                "orbits": configuration.orbits,
                "periods": configuration.compliance,
                "crop_filter": configuration.crop_filter,
                "every_crop": configuration.every_crop,
                "additional_columns": configuration.additional_columns,
            }
        return cls(
            optical=OpticalSettings.of(taken, clock["s2"]),
            radar=RadarSettings.of(taken, repairs, evening=clock["s1_ascending"], morning=clock["s1_descending"]),
            fusion=FusionSettings.of(taken),
            evidence=EvidenceSettings.of(taken) if taken[f"{PREFIX}s1.all_orbits"] else None,
            missions=_MISSIONS[taken[f"{PREFIX}input_product_types"]],
            radar_delay_days=taken[f"{PREFIX}s1_s2_startdate_diff"],
            min_pixels_s2=taken[f"{PREFIX}min_pixels_s2"],
            min_pixels_s1=taken[f"{PREFIX}min_pixels_s1"],
            min_valid_share=taken[f"{PREFIX}min_valid_share"],
            min_conf=taken[f"{PREFIX}min_conf"],
            last_day_counts=_LAST_DAY in repairs,
            start_date=taken[f"{PREFIX}start_date"],
            end_date=taken[f"{PREFIX}end_date"],
            start_season_offset_days=taken[f"{PREFIX}start_season_offset"],
            **of_file,
        )

    @property
    def enough_optical(self) -> EnoughPixels:
        """Which optical observations count, for `series_of`."""
        return EnoughPixels(min_total=self.min_pixels_s2, min_share=self.min_valid_share)

    @property
    def enough_radar(self) -> EnoughPixels:
        """Which radar observations count, for `series_of`."""
        return EnoughPixels(min_total=self.min_pixels_s1, min_share=self.min_valid_share)

    def period(self, season_start: date, as_of: date) -> tuple[date, date]:
        """Return the first and last day on which mowing is looked for; both count.

        Raises
        ------
        InputError : the last day comes before the first.
        """
        first = self.start_date or season_start + timedelta(days=self.start_season_offset_days)
        last = min(self.end_date, as_of) if self.end_date else as_of
        if last < first:
            raise InputError(
                f"mowing is looked for from {first} to {last}: the last day comes first",
                hint=f"change {PREFIX}start_date or {PREFIX}end_date",
            )
        return first, last
