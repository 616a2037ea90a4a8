"""What an L3B product is made of: the options that parameters give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from s4c_lib.errors import InputError
from s4c_lib.readers.flags import MaskRules
from s4c_lib.reasons import Reason
from s4c_lib.vegetation.biophysical import OutputRules
from s4c_lib.vegetation.networks import MODEL_SETS, VARIABLES

PRODUCIBLE: Final = ("ndvi", *VARIABLES, "ndwi", "brightness")


@dataclass(frozen=True, slots=True)
class L3bOptions:
    """Choices for an L3B product.

    Parameters
    ----------
    produce : of `PRODUCIBLE`. model_set : of `MODEL_SETS`; those of SNAP decide on the resolution of Sentinel-2.
    resolution : m, 10 or 20; Landsat stays at 30 m. rules : of the masks.
    keep_negative_ndvi, rounding (``nearest``, ``truncate``), clip_to_range : false, truncate, false in Sen4CAP.
    in_domain_flags : bit 0 of the quality bytes is set.
    profile, config_hash : recorded; the hash is part of the product's name.

    Raises
    ------
    InputError : nothing or something unknown is to be made, or another value is none of those above.
    """

    produce: tuple[str, ...] = ("ndvi", *VARIABLES)
    model_set: str = "s4c"
    resolution: int = 10
    rules: MaskRules = field(default_factory=MaskRules)
    keep_negative_ndvi: bool = True
    rounding: str = "nearest"
    clip_to_range: bool = True
    in_domain_flags: bool = False
    profile: str = "default"
    config_hash: str = "0" * 8

    def __post_init__(self) -> None:
        for value, known, what in (
            *((name, PRODUCIBLE, "processor.l3b.filter.produce_*") for name in self.produce),
            (self.model_set, tuple(MODEL_SETS), "processor.l3b.model_set"),
            (self.resolution, (10, 20), "processor.l3b.resolution"),
            (self.rounding, ("nearest", "truncate"), "processor.l3b.rounding"),
        ):
            if value not in known:
                raise InputError(
                    f"L3B knows no {value!r}",
                    hint=f"{what}: one of {', '.join(map(str, known))}",
                    code=Reason.CONFIG,
                )
        if not self.produce or len(set(self.produce)) < len(self.produce):
            raise InputError(
                f"L3B is to make {', '.join(self.produce) or 'nothing'}",
                hint="switch on processor.l3b.filter.produce_ndvi or another, each once",
                code=Reason.CONFIG,
            )
        if len(self.config_hash) < 8 or not self.config_hash.isalnum():
            raise InputError(
                f"{self.config_hash!r} is no hash of a configuration",
                hint="give eight or more letters and digits",
                code=Reason.CONFIG,
            )

    @classmethod
    def of(cls, parameters: Mapping[str, Any], config_hash: str) -> L3bOptions:
        """Read the options from resolved parameters."""
        prefix = "processor.l3b"
        return cls(
            produce=tuple(name for name in PRODUCIBLE if parameters[f"{prefix}.filter.produce_{name}"]),
            model_set=str(parameters[f"{prefix}.model_set"]),
            resolution=int(parameters[f"{prefix}.resolution"]),
            rules=MaskRules.of(parameters),
            keep_negative_ndvi=bool(parameters[f"{prefix}.keep_negative_ndvi"]),
            rounding=str(parameters[f"{prefix}.rounding"]),
            clip_to_range=bool(parameters[f"{prefix}.clip_to_range"]),
            in_domain_flags=bool(parameters[f"{prefix}.filter.produce_in_domain_flags"]),
            profile=str(parameters["profile"]),
            config_hash=config_hash,
        )

    @property
    def output(self) -> OutputRules:
        """How the networks' values become numbers."""
        return OutputRules(clip=self.clip_to_range, truncate=self.rounding == "truncate", domain=self.in_domain_flags)
