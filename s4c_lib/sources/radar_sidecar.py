"""The sidecar ``NAME.s1.json`` that says what a user's own Sentinel-1 raster ``NAME.tif`` holds.

A raster in dB becomes power when it is read; amplitude in dB is refused, because 10 log10 and 20 log10 of it are both
in use (``preprocessing.md`` 3.8).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from s4c_lib.errors import ProductCorruptError
from s4c_lib.sources.product_kinds import ProductName
from s4c_lib.sources.product_names import product_name

_TIME: Final = "%Y%m%dT%H%M%S"
_LARGEST_BYTES: Final = 65536
_HINT: Final = "correct the sidecar"


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _platform(value: Any) -> Any:
    return value.upper().replace("SENTINEL-1", "S1") if isinstance(value, str) else value


def _number(value: Any) -> Any:
    # JSON has no spelling of not-a-number.
    return float("nan") if isinstance(value, str) and value.lower() == "nan" else value


class RadarSidecar(BaseModel):
    """What one raster of backscatter or coherence is.

    Parameters
    ----------
    scale : ``linear`` (power; the root of it for ``amplitude``) or ``db``.
    factor, offset : value in that scale = DN * factor + offset; None takes those the raster states itself.
    time : of the acquisition, for coherence of the later one. previous_time : of the earlier one.
    platform : ``S1A`` to ``S1D``.
    tile : MGRS, five characters; None where the raster follows no tile.
    no_data : DN; None takes that of the raster, and for linear rasters that state none, 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    quantity: Annotated[Literal["sigma0", "gamma0", "amplitude", "coherence"], BeforeValidator(_lower)]
    scale: Annotated[Literal["linear", "db"], BeforeValidator(_lower)]
    polarisation: Annotated[Literal["VV", "VH"], BeforeValidator(_upper)]
    time: AwareDatetime
    platform: Annotated[Literal["S1A", "S1B", "S1C", "S1D"], BeforeValidator(_platform)]
    relative_orbit: Annotated[int, Field(ge=1, le=175)]
    direction: Annotated[Literal["ascending", "descending"], BeforeValidator(_lower)]
    previous_time: AwareDatetime | None = None
    tile: Annotated[str, BeforeValidator(_upper), Field(pattern=r"^[0-9]{2}[A-Z]{3}$")] | None = None
    factor: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    offset: Annotated[float, Field(allow_inf_nan=False)] | None = None
    no_data: Annotated[float, BeforeValidator(_number)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> RadarSidecar:
        coherence = self.quantity == "coherence"
        if self.scale == "db" and coherence:
            raise ValueError("scale: coherence has no dB, it is 'linear'")
        if self.scale == "db" and self.quantity == "amplitude":
            raise ValueError(
                "scale: an amplitude in dB may be 10 or 20 log10 of it; say quantity 'sigma0', with factor 2 "
                "if it is 10 log10 (Sen4CAP's half dB)"
            )
        if coherence and self.previous_time is None:
            raise ValueError("previous_time: missing, coherence is of two acquisitions")
        if not coherence and self.previous_time is not None:
            raise ValueError(f"previous_time: {self.quantity} is of one acquisition, leave it out")
        if self.previous_time is not None and _second(self.previous_time) >= _second(self.time):
            raise ValueError(f"previous_time: {self.previous_time} is not before time, {self.time}")
        return self

    @property
    def decibel(self) -> bool:
        """Whether the values are in dB."""
        return self.scale == "db"

    def product_name(self) -> ProductName:
        """Name the raster goes by: that of V2 and ``_OWN``; whatever its file is called.

        ``S1A_L2_BCK_20210502T055000_VV_037_31UFS_OWN``; without a tile ``..._037_OWN``.
        """
        kind, times = "BCK", [_second(self.time)]
        if self.previous_time is not None:
            kind, times = "COH", [*times, _second(self.previous_time)]
        dates = "_".join(time.strftime(_TIME) for time in times)
        tile = "" if self.tile is None else f"{self.tile}_"
        return product_name(
            f"{self.platform}_L2_{kind}_{dates}_{self.polarisation}_{self.relative_orbit:03d}_{tile}OWN"
        )


def parse_sidecar(content: bytes, where: str) -> RadarSidecar:
    """Read a sidecar.

    Raises
    ------
    ProductCorruptError : no JSON object, a field is missing, unknown or wrong, or fields contradict each other; names
        each field and the file.
    """
    if len(content) > _LARGEST_BYTES:
        raise ProductCorruptError(f"{where} has {len(content)} bytes: it is no sidecar", hint=_HINT)
    try:
        return RadarSidecar.model_validate_json(content.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        faults = "; ".join(_fault(dict(item)) for item in error.errors(include_url=False, include_context=False))
        raise ProductCorruptError(f"{where}: {faults}", hint=_HINT) from error


def _fault(item: dict[str, Any]) -> str:
    field = ".".join(str(part) for part in item["loc"][:1])
    text = str(item["msg"]).removeprefix("Value error, ")
    return f"{field}: {text}" if field else text


def _second(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(microsecond=0)
