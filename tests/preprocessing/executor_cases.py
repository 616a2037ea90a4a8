"""Inputs of executor tests: small real L1C products, auxiliary folders, and starters of the doubles.

The starter is an executable of its own that fixes the double's behaviour and runs it with this Python: the executor
under test sees nothing but a program.
"""

from __future__ import annotations

import functools
import shlex
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from s4c_lib.geography.sentinel2_tiles import tile as tile_of
from s4c_lib.preprocessing.executor import ExecutorOptions, ExecutorRequest
from s4c_lib.preprocessing.launcher import Launcher
from s4c_lib.preprocessing.maja import MajaExecutor, MajaOptions
from s4c_lib.preprocessing.sen2cor import Sen2CorExecutor
from s4c_lib.preprocessing.sen2cor_settings import Sen2CorOptions
from s4c_lib.synthetic.archive_files import write_folder
from s4c_lib.synthetic.archive_sentinel2 import Datatake, TileImages, l1c_files, product_name

DOUBLES = Path(__file__).resolve().parents[1] / "doubles"
TILE = "31UFS"
DAY = datetime(2021, 4, 2, 10, 46, 59, tzinfo=UTC)
NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
OLD_NAME = "S2A_OPER_PRD_MSIL1C_PDMC_20160209T182417_R022_V20160209T101210_20160209T101210.SAFE"
MAPS = (
    "ESACCI-LC-L4-WB-Map-150m-P13Y-2000-v4.0.tif",
    "ESACCI-LC-L4-LCCS-Map-300m-P1Y-2015-v2.0.7.tif",
    "ESACCI-LC-L4-Snow-Cond-500m-MONTHLY-2000-2012-v2.4/snow_01.tif",
    "ESACCI-LC-L4-Snow-Cond-500m-P13Y7D-2000-2012-v2.0/snow_0101.tif",
)


@functools.cache
def images(tile: str) -> TileImages:
    return TileImages(tile_of(tile), np.random.default_rng(5))


def make_l1c(folder: Path, *, baseline: int = 301, start: datetime = DAY, tile: str = TILE) -> Path:
    """A compact L1C in ``folder``."""
    take = Datatake("S2A", start, 8, baseline)
    product = folder / f"{product_name(take, tile, 'L1C')}.SAFE"
    write_folder(product, l1c_files(take, images(tile), 0))
    return product


def make_old_l1c(folder: Path, tiles: tuple[str, ...] = ("31UFS", "31UGS")) -> Path:
    """A multi-tile L1C of before December 2016."""
    product = folder / OLD_NAME
    granules = []
    for tile in tiles:
        stem = f"S2A_OPER_MSI_L1C_TL_SGS__20160209T154640_A003313_T{tile}"
        compact = l1c_files(Datatake("S2A", DAY, 22, 204), images(tile), 0)
        bands = {path.rsplit("_", 1)[-1]: content for path, content in compact.items() if path.endswith(".jp2")}
        granule = f"GRANULE/{stem}_N02.01"
        files = {f"{granule}/IMG_DATA/{stem}_{band}": content for band, content in bands.items() if band[0] == "B"}
        files[f"{granule}/{stem.replace('_MSI_', '_MTD_')}.xml"] = (
            f"<Tile><TILE_ID>{stem}_N02.01</TILE_ID></Tile>".encode()
        )
        write_folder(product, files)
        listed = "".join(f"<IMAGE_ID>{stem}_{band[:3]}</IMAGE_ID>" for band in sorted(bands) if band[0] == "B")
        granules.append(f'<Granules granuleIdentifier="{stem}_N02.01">{listed}</Granules>')
    metadata = OLD_NAME.replace("_PRD_MSIL1C_", "_MTD_SAFL1C_").replace(".SAFE", ".xml")
    documents = {
        "manifest.safe": b"<XFDU/>",
        metadata: f"<P><PROCESSING_BASELINE>02.01</PROCESSING_BASELINE>{''.join(granules)}</P>".encode(),
        "DATASTRIP/S2A_OPER_MSI_L1C_DS_SGS__20160209T154640_N02.01/DS.xml": b"<DS/>",
    }
    write_folder(product, documents)
    return product


def starter(folder: Path, name: str, script: str, environment: Mapping[str, str]) -> Path:
    """An executable ``name`` that runs a double with this environment."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in environment.items())
    program = f"{shlex.quote(sys.executable)} {shlex.quote(str(DOUBLES / script))}"
    path.write_text(f'#!/bin/sh\n{exports}exec {program} "$@"\n')
    path.chmod(0o755)
    return path


def maja(folder: Path, behaviour: str = "", version: str = "4.5.4") -> MajaExecutor:
    program = starter(folder / "bin", "maja", "maja/maja_double.py", {"MAJA_DOUBLE": behaviour})
    return MajaExecutor(Launcher(str(program)), version)


def sen2cor(folder: Path, behaviour: str = "", version: str = "2.10.1") -> Sen2CorExecutor:
    environment = {
        "SEN2COR_DOUBLE": behaviour,
        "SEN2COR_DOUBLE_VERSION": version,
        "SEN2COR_DOUBLE_CALLS": str(folder / "bin" / "calls.txt"),
    }
    program = starter(folder / "bin", "L2A_Process", "sen2cor/l2a_process_double.py", environment)
    return Sen2CorExecutor(Launcher(str(program)), version)


def sen2cor_calls(folder: Path) -> list[str]:
    """Resolutions the double was called with, in order, and forgets them."""
    calls = folder / "bin" / "calls.txt"
    lines = calls.read_text().splitlines() if calls.exists() else []
    calls.unlink(missing_ok=True)
    return [line.split("--resolution ")[1].split()[0] for line in lines]


def make_maja_folders(folder: Path) -> tuple[Path, Path]:
    """A set of parameter files and an elevation model, as an administrator installs them."""
    gipp, elevation = folder / "gipp", folder / "dem"
    satellite = gipp / "SENTINEL2"
    satellite.mkdir(parents=True)
    for unit in "AB":
        for kind in ("L2COMM", "L2SMAC"):
            (satellite / f"S2{unit}_TEST_GIP_{kind}_L_ALLSITES_10008_20150703_21000101.EEF").write_text("<E/>")
        for kind in ("L2ALBD", "L2DIFT", "L2DIRT", "L2TOCR", "L2WATV"):
            stem = f"S2{unit}_TEST_GIP_{kind}_L_CONTINEN_10003_20150703_21000101"
            (satellite / f"{stem}.HDR").write_text("<E/>")
            (satellite / f"{stem}.DBL.DIR").mkdir()
            (satellite / f"{stem}.DBL.DIR" / "table.txt").write_text("1 2 3")
    for kind in ("L2SITE", "CKEXTL", "CKQLTL"):
        stem = f"S2__TEST_GIP_{kind}_S_ALLSITES_10001_00000000_99999999"
        (satellite / f"{stem}.EEF").write_text(
            f'<?xml version="1.0"?>\n<E><File_Name>{stem}</File_Name>\n<!-- for ALLSITES -->'
            "<Applicability_NickName_En>x</Applicability_NickName_En>"
            "<Applicability_NickName>ALLSITES</Applicability_NickName>\n"
            '<Applicable_SiteDefinition_Id sn="1">ALLSITES</Applicable_SiteDefinition_Id>'
            "<Note>ALLSITES stays</Note></E>\n"
        )
    configuration = gipp / "UserConfiguration"
    configuration.mkdir()
    (configuration / "MAJAUserConfigSystem.xml").write_text("<Config><NbThreads>2</NbThreads></Config>")
    (configuration / "MAJAUserConfig_SENTINEL2.xml").write_text(
        "<Config><L2InitProcessing>100</L2InitProcessing><L2CoarseResolution>120</L2CoarseResolution></Config>"
    )
    make_elevation(elevation, TILE)
    return gipp, elevation


def make_elevation(folder: Path, tile: str) -> None:
    stem = f"S2_TEST_AUX_REFDE2_{tile}_20240101_0001"
    data = folder / f"{stem}.DBL.DIR"
    data.mkdir(parents=True)
    (folder / f"{stem}.HDR").write_text("<E/>")
    for layer in ("ALT_R1", "ALT_R2", "ALC", "SLP_R1", "SLP_R2", "SLC", "ASP_R1", "ASP_R2", "ASC", "MSK"):
        (data / f"S2_TEST_AUX_REFDE2_{tile}_0001_{layer}.TIF").write_bytes(b"II*")


def make_sen2cor_folders(folder: Path) -> tuple[Path, Path]:
    """Settings with the maps beside them, and an elevation model."""
    gipp, elevation = folder / "gipp", folder / "dem"
    elevation.mkdir(parents=True)
    (elevation / "srtm_38_02.tif").write_bytes(b"II*")
    write_folder(gipp, dict.fromkeys(MAPS, b"II*"))
    (gipp / "L2A_GIPP.xml").write_text(
        "<Level-2A_Ground_Image_Processing_Parameter><!-- kept --><Common_Section><Nr_Processes>AUTO</Nr_Processes>"
        "<DEM_Directory>dem/srtm</DEM_Directory></Common_Section><Aerosol_Type>RURAL</Aerosol_Type>"
        "<Mid_Latitude>SUMMER</Mid_Latitude><Ozone_Content>331</Ozone_Content><Visibility>23.0</Visibility>"
        "<Cirrus_Correction>FALSE</Cirrus_Correction></Level-2A_Ground_Image_Processing_Parameter>"
    )
    (gipp / "L2A_CAL_SC_GIPP.xml").write_text("<SC/>")
    return gipp, elevation


def request(folder: Path, l1c: Path, options: ExecutorOptions, **changes: Any) -> ExecutorRequest:
    """A request whose auxiliary folders are those of ``folder``; work and output lie in it too."""
    values: dict[str, Any] = {
        "l1c_path": l1c,
        "tile": TILE,
        "previous_l2a": None,
        "elevation_dir": folder / "dem",
        "auxiliary_dirs": {"gipp": folder / "gipp"},
        "work_dir": folder / "work" / "north" / f"12_{TILE}_1",
        "output_dir": folder / "out" / "2021" / "04" / "02",
        "options": options,
        "now": NOW,
    }
    return ExecutorRequest(**{**values, **changes})


def maja_request(folder: Path, l1c: Path, **changes: Any) -> ExecutorRequest:
    return request(folder, l1c, changes.pop("options", MajaOptions()), **changes)


def sen2cor_request(folder: Path, l1c: Path, **changes: Any) -> ExecutorRequest:
    return request(folder, l1c, changes.pop("options", Sen2CorOptions()), **changes)


def contents(folder: Path) -> dict[str, bytes]:
    """Path -> bytes of every file, to see that nothing was written."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def private_copy(product: Path, folder: Path) -> Path:
    target = folder / "private" / product.name
    shutil.copytree(product, target)
    return target


def alive(process: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
