"""Elevation models on disk: which there are, how one is recognised by its files, where the file of a cell lies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from s4c_lib.errors import ElevationMissingError, InputError
from s4c_lib.preprocessing.elevation import cells
from s4c_lib.preprocessing.elevation.cells import Cell
from s4c_lib.reasons import Reason

SRTM_LIMIT_DEG = 60.0


class SourceKind(StrEnum):
    """Elevation models that are read, as ``dem.source`` names them."""

    COPERNICUS_GLO30 = "copernicus_glo30"
    SRTM_3S = "srtm_3s"
    SRTM_1S = "srtm_1s"
    ASTER_V3 = "aster_v3"
    EU_DEM = "eu_dem"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A raster on disk, or in a zip archive on disk.

    Parameters
    ----------
    path : the file.
    member : name within it, when it is an archive.
    """

    path: Path
    member: str | None = None

    @property
    def address(self) -> str:
        """What rasterio opens."""
        return str(self.path) if self.member is None else f"zip+file://{self.path}!/{self.member}"


@dataclass(frozen=True, slots=True)
class _Model:
    """What is common to all files of one model."""

    epsg: int
    size: float  # of a cell, in the unit of epsg
    geoid: str
    pattern: str  # of its file names, in lower case
    name: Callable[[Cell], str]
    files: tuple[tuple[str, str | None], ...]  # places of a cell's file, and its name in there when it is an archive
    offset: tuple[float, float] = (0.0, 0.0)
    limit: float | None = None  # latitude where it ends


_MODELS: dict[SourceKind, _Model] = {
    SourceKind.COPERNICUS_GLO30: _Model(
        4326,
        1,
        "EGM2008",
        r"copernicus_dsm_cog_10_[ns]\d\d_00_[ew]\d{3}_00_dem(\.tif)?",
        cells.copernicus_name,
        (("{0}.tif", None), ("{0}/{0}.tif", None)),
    ),
    SourceKind.SRTM_3S: _Model(
        4326,
        cells.SRTM_3S_SIZE,
        "EGM96",
        r"srtm_\d\d_\d\d(\.tif|\.zip)?",
        cells.srtm_3s_name,
        (("{0}.tif", None), ("{0}/{0}.tif", None), ("{0}.zip", "{0}.tif")),
        # The origins in the headers lie half a pixel too far south-west (spec §7.3).
        offset=(0.5, 0.5),
        limit=SRTM_LIMIT_DEG,
    ),
    SourceKind.SRTM_1S: _Model(
        4326,
        1,
        "EGM96",
        r"[ns]\d\d[ew]\d{3}(\.srtmgl1)?\.hgt(\.zip)?",
        cells.one_degree_name,
        (("{0}.hgt", None), ("{0}.SRTMGL1.hgt.zip", "{0}.hgt"), ("{0}.hgt.zip", "{0}.hgt")),
        limit=SRTM_LIMIT_DEG,
    ),
    SourceKind.ASTER_V3: _Model(
        4326,
        1,
        "EGM96",
        r"astgtmv003_[ns]\d\d[ew]\d{3}(_dem\.tif|_dem\.zip|\.zip)",
        cells.one_degree_name,
        tuple(
            (place.format("ASTGTMV003_{0}"), None if place.endswith("tif") else "ASTGTMV003_{0}_dem.tif")
            for place in ("{0}_dem.tif", "{0}.zip", "{0}_dem.zip")
        ),
    ),
    SourceKind.EU_DEM: _Model(
        3035,
        cells.EU_DEM_SIZE_M,
        "EVRS",
        r"eu_dem_v11_e\d\dn\d\d(\.tif)?",
        cells.eu_dem_name,
        (("{0}.TIF", None), ("{0}.tif", None), ("{0}/{0}.TIF", None), ("{0}/{0}.tif", None)),
    ),
}


@dataclass(frozen=True, slots=True)
class ElevationSource:
    """An elevation model in a folder, which is only read. Made by `elevation_source`.

    Parameters
    ----------
    kind : the model.
    path : folder with its files.
    water_path : folder with water bodies (SWBD shapefiles, or the water layer of GLO-30); None looks for the latter
        in `path`.
    registration_offset : east and north, in pixels of the model: how far its heights lie from where its files say.
    """

    kind: SourceKind
    path: Path
    water_path: Path | None = None
    registration_offset: tuple[float, float] = (0.0, 0.0)

    @property
    def epsg(self) -> int:
        """System of its coordinates."""
        return _MODELS[self.kind].epsg

    @property
    def cell_size(self) -> float:
        """Side of a cell, degrees or metres."""
        return _MODELS[self.kind].size

    @property
    def geographic(self) -> bool:
        """Whether its coordinates are longitude and latitude."""
        return self.epsg == 4326

    @property
    def geoid(self) -> str:
        """Surface its heights are counted from."""
        return _MODELS[self.kind].geoid

    def name(self, cell: Cell) -> str:
        """Name of a cell in this model."""
        return _MODELS[self.kind].name(cell)

    def file(self, cell: Cell) -> SourceFile | None:
        """File of a cell, None when the folder has none."""
        name = self.name(cell)
        for place, member in _MODELS[self.kind].files:
            path = self.path / place.format(name)
            if path.is_file():
                return SourceFile(path, None if member is None else member.format(name))
        return None

    def check_latitude(self, south: float, north: float, what: str) -> None:
        """Refuse ground beyond the end of the model.

        Raises
        ------
        ElevationMissingError : the latitudes reach beyond 60 degrees and the model is SRTM.
        """
        limit = _MODELS[self.kind].limit
        if limit is not None and (north > limit or south < -limit):
            raise ElevationMissingError(
                f"{what} reaches from latitude {south:.2f} to {north:.2f}, and {self.kind} ends at {limit:.0f} degrees",
                hint="use the Copernicus elevation model there: dem.source = copernicus_glo30",
            )


def elevation_source(
    kind: str,
    path: Path,
    water_path: Path | None = None,
    registration_offset: tuple[float, float] | None = None,
) -> ElevationSource:
    """An elevation model as the parameters ``dem.source``, ``dem.path`` and ``dem.water_path`` describe it.

    Parameters
    ----------
    kind : a `SourceKind`, or ``auto``: the first in the order of `SourceKind` that has a file in the folder.
    registration_offset : None is the known one of the model: (0.5, 0.5) for SRTM 3", else (0, 0).

    Raises
    ------
    InputError : there is no such model.
    ElevationMissingError : the folder does not exist, nor that of the water bodies (code ``aux_missing``); or it is
        ``auto`` and no file is recognised.
    """
    if kind != "auto" and kind not in [*SourceKind]:
        raise InputError(f"dem.source {kind!r} is not known", hint=f"one of auto, {', '.join(SourceKind)}")
    if not path.is_dir():
        raise ElevationMissingError(f"the folder of elevation {path} does not exist", hint="mount it, or set dem.path")
    if water_path is not None and not water_path.is_dir():
        raise ElevationMissingError(
            f"the folder of water bodies {water_path} does not exist",
            hint="mount it, or leave dem.water_path empty",
            code=Reason.AUX_MISSING.value,
        )
    known = recognised(path) if kind == "auto" else SourceKind(kind)
    offset = _MODELS[known].offset if registration_offset is None else registration_offset
    return ElevationSource(known, path, water_path, offset)


def recognised(path: Path) -> SourceKind:
    """The model whose files a folder holds (spec §7.1; Copernicus first, then the order of the reference).

    Raises
    ------
    ElevationMissingError : no file name is that of a known model.
    """
    names = [entry.name.lower() for entry in path.iterdir()]
    for kind, model in _MODELS.items():
        if any(re.fullmatch(model.pattern, name) for name in names):
            return kind
    raise ElevationMissingError(
        f"no elevation model is recognised in {path}",
        hint="names like Copernicus_DSM_COG_10_N50_00_E006_00_DEM.tif, srtm_38_02.tif, N50E006.hgt, "
        "ASTGTMV003_N50E006_dem.tif or eu_dem_v11_E40N30.TIF are; or set dem.source",
    )


def water_layers(source: ElevationSource, cell: Cell) -> Iterator[Path]:
    """Places where the water layer of a GLO-30 cell may lie, the likeliest first."""
    name, elevation = cells.copernicus_name(cell, "WBM"), cells.copernicus_name(cell)
    for folder in (source.water_path or source.path,):
        yield folder / f"{name}.tif"
        yield folder / elevation / "AUXFILES" / f"{name}.tif"
        yield folder / elevation / f"{name}.tif"
        yield folder / name / f"{name}.tif"
