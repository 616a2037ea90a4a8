"""Sen2Cor's options, command line, and the settings and maps it reads (``preprocessing.md`` 2.7).

Built against the documented command line, the element names of the settings and the names of the ESA CCI maps. Sen2Cor
finds the maps in its own installation: in a container they are mounted there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from s4c_lib.errors import InputError
from s4c_lib.preprocessing.executor import ExecutorError, ExecutorOptions
from s4c_lib.preprocessing.program_settings import value_of, with_values
from s4c_lib.reasons import Reason

RESOLUTIONS: Final = (60, 20, 10)
_GIPPS = {
    "--GIP_L2A": "L2A_GIPP.xml",
    "--GIP_L2A_SC": "L2A_CAL_SC_GIPP.xml",
    "--GIP_L2A_AC": "L2A_CAL_AC_GIPP.xml",
    "--GIP_L2A_PB": "L2A_PB_GIPP.xml",
}
_MAPS = ("ESACCI-LC-L4-WB-Map-150m-P13Y-2000-v4.0.tif", "ESACCI-LC-L4-LCCS-Map-300m-P1Y-2015-v2.0.7.tif")
_SNOW_WEEKLY = "ESACCI-LC-L4-Snow-Cond-500m-P13Y7D-2000-2012-v2.0"
_SNOW_MONTHLY = "ESACCI-LC-L4-Snow-Cond-500m-MONTHLY-2000-2012-v2.4"
_MONTHLY_FROM = (2, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sen2CorOptions(ExecutorOptions):
    """What the configuration says about Sen2Cor.

    Parameters
    ----------
    resolutions : metres, of 60, 20, 10; none asks for all three.
    min_valid_pct : a product with fewer clear pixels (%) is rejected.
    maps_in_image : folder inside a container's image where Sen2Cor looks for the ESA CCI maps; None leaves the image's.
    """

    resolutions: tuple[int, ...] = ()
    min_valid_pct: float = 10.0
    maps_in_image: PurePosixPath | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.resolutions) - set(RESOLUTIONS))
        if unknown:
            raise InputError(f"Sen2Cor has no resolution of {unknown} m", hint="choose of 60, 20 and 10")

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Sen2CorOptions:
        """Options from resolved parameters, by their keys."""
        return cls(
            timeout_hours=float(parameters["processor.l2a.executor_timeout"]),
            max_cloud_pct=float(parameters["processor.l2a.max_cloud_pct"]),
            min_valid_pct=float(parameters["processor.l2a.sen2cor.min_valid_pct"]),
        )


def sen2cor_arguments(
    l1c: Path, work: Path, output: Path, resolution: int, gipps: Sequence[tuple[str, Path]]
) -> tuple[str, ...]:
    """Arguments of one run; ``l1c`` is the product or one granule of it."""
    arguments = [str(l1c), "--work_dir", str(work), "--output_dir", str(output), "--resolution", str(resolution)]
    for option, path in gipps:
        arguments += [option, str(path)]
    return tuple(arguments)


def assemble_gipps(gipp: Path, elevation_dir: Path | None, folder: Path) -> list[tuple[str, Path]]:
    """Options and files of the settings: the main one adapted into ``folder``, the others as they are.

    One process, for tiles run side by side as processes of ours; atmosphere found by Sen2Cor itself, 40 km visibility
    where it finds no dark vegetation, cirrus corrected.

    Raises
    ------
    ExecutorError : the main settings are missing (``aux_missing``), or the elevation model is (``dem_missing``).
    """
    main = gipp / _GIPPS["--GIP_L2A"]
    if not main.is_file():
        raise ExecutorError(
            f"{main} is missing", hint="complete processor.l2a.sen2cor.gipp-path", code=Reason.AUX_MISSING
        )
    content = main.read_bytes()
    cirrus = (value_of(content, "Cirrus_Correction") or "").lower()
    values = {
        "Nr_Processes": "1",
        "Aerosol_Type": "AUTO",
        "Mid_Latitude": "AUTO",
        "Ozone_Content": "0",
        "Visibility": "40.0",
        "Cirrus_Correction": "Yes" if cirrus in ("yes", "no") else "TRUE",
    }
    if elevation_dir is not None:
        if not any(elevation_dir.glob("*")):
            raise ExecutorError(
                f"{elevation_dir} holds no elevation model", hint="set dem.path", code=Reason.DEM_MISSING
            )
        values["DEM_Directory"] = str(elevation_dir)
    adapted = folder / main.name
    adapted.write_bytes(with_values(content, values))
    others = [(option, gipp / name) for option, name in _GIPPS.items() if name != main.name]
    return [("--GIP_L2A", adapted), *((option, path) for option, path in others if path.is_file())]


def esa_cci_maps(folder: Path, version: tuple[int, ...]) -> list[Path]:
    """The three maps a version needs: water bodies, land cover, snow conditions.

    Raises
    ------
    ExecutorError : one is missing; all that are missing are named (``aux_missing``).
    """
    snow = _SNOW_MONTHLY if version >= _MONTHLY_FROM else _SNOW_WEEKLY
    paths = [folder / name for name in (*_MAPS, snow)]
    missing = [path.name for path in paths[:2] if not path.is_file()]
    missing += [snow] if not any(paths[2].glob("*")) else []
    if missing:
        raise ExecutorError(
            f"{folder} lacks {', '.join(missing)}", hint="fetch the ESA CCI package", code=Reason.AUX_MISSING
        )
    return paths
