"""All that the practice rules are told: parameters of the registry and the configuration file of the season."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from s4c_lib.errors import InputError
from s4c_lib.parcels.l4c_configuration import L4cConfiguration
from s4c_lib.parcels.l4c_configuration_keys import PRACTICES, Thresholds

PREFIX: Final = "processor.s4c_l4c."
_POOLED_OF_SEN4CAP: Final = 16  # written into its code, whatever the key says
REPAIRS: Final = frozenset((2, 3, 4, 5, 6, 8, 11, 13, 14, 19))


@dataclass(frozen=True, slots=True)
class PracticeSettings:
    """Parameters of one practice in one run.

    Parameters
    ----------
    practice : of CC, FL, NFC, NA. thresholds : those of its configuration file.
    repairs : numbers of the corrected defects (l4c-practices.md section 18); none in ``reference``.
    min_acquisitions : least coherence values of one orbit. min_pooled : of all orbits together.
    pair_days : longest interval over which coherence is compared.
    same_baseline : coherence of pairs whose images lie apart differently is not compared (section 19: it falls with
        the interval). Sen4CAP did not know the interval.
    full_db : thresholds are for dB of sigma0; else for half of it, as Sen4CAP has them.
    shorten_veg_weeks : the harvest is looked for until the week after a second crop is sown only.
    """

    practice: str
    thresholds: Thresholds
    repairs: frozenset[int] = REPAIRS
    min_acquisitions: int = 15
    min_pooled: int = 15
    pair_days: int = 6
    same_baseline: bool = True
    s1_pix_min: int = 1
    s2_pix_min: int = 0
    full_db: bool = False
    shorten_veg_weeks: bool = False
    freeze_harvest: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any], configuration: L4cConfiguration, practice: str) -> PracticeSettings:
        """Combine registry values, such as ``snapshot.values``, with the season's file.

        Raises
        ------
        InputError : no such practice.
        """
        if practice not in PRACTICES:
            raise InputError(f'"{practice}" is not a practice', hint=f"use one of {', '.join(PRACTICES)}")
        repairs = frozenset(values[f"{PREFIX}repairs"])
        fewest = values[f"{PREFIX}tsa_min_acqs_no"]
        return cls(
            practice=practice,
            thresholds=configuration.thresholds[practice],
            repairs=repairs,
            min_acquisitions=fewest,
            min_pooled=fewest if repairs else _POOLED_OF_SEN4CAP,
            pair_days=values[f"{PREFIX}coh_change_max_days"],
            s1_pix_min=values[f"{PREFIX}s1_pix_min"],
            s2_pix_min=values[f"{PREFIX}s2_pix_min"],
            same_baseline=bool(repairs),
            full_db=values[f"{PREFIX}amp_scale"] == "db",
            shorten_veg_weeks=values[f"{PREFIX}cc_shorten_veg_weeks"],
            freeze_harvest=values[f"{PREFIX}freeze_harvest"],
        )

    def repaired(self, defect: int) -> bool:
        """Whether a defect of section 18 is corrected."""
        return defect in self.repairs
