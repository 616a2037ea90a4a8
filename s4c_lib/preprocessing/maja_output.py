"""What a run of MAJA has left: the product if it is complete, else why there is none (``preprocessing.md`` 2.6)."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from s4c_lib.errors import ProductCorruptError
from s4c_lib.preprocessing.executor_log import last_line, program_lines, says_disk_full
from s4c_lib.preprocessing.executor_reports import (
    cloud_and_snow,
    joined,
    log_messages,
    report_messages,
    says_not_valid,
    stopper,
)
from s4c_lib.preprocessing.process_run import ProcessEnd
from s4c_lib.readers.raster_opening import open_raster, single_thread, unreadable
from s4c_lib.reasons import Reason
from s4c_lib.sources.metadata_files import elements, parse_xml
from s4c_lib.sources.product_names import ProductName, parse_product_name, product_name
from s4c_lib.sources.verify import verify_product

_NO_DATA = -10_000
_ROWS = 512


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one run: a product, or a reason.

    Parameters
    ----------
    cloud_pct, snow_pct : whole numbers, %, as stored; None where nothing says.
    """

    product: Path | None
    reason: Reason | None = None
    text: str = ""
    cloud_pct: float | None = None
    snow_pct: float | None = None


def judge(
    end: ProcessEnd,
    output: Path,
    log: Path,
    *,
    l1c: ProductName,
    tile: str,
    version: tuple[int, ...],
    max_cloud_pct: float,
    may_lack: frozenset[str],
) -> Outcome:
    """Decide on one run.

    Messages that an image is unfit count only where there is no complete product: MAJA also warns so of single bands
    or intermediate images.

    Parameters
    ----------
    may_lack : reflectances (``FRE``, ``SRE``) that are not wanted and so need not be there.
    """
    lines = program_lines(log, end.output_from)
    messages = [*report_messages(output), *log_messages(lines)]
    cloud, snow = cloud_and_snow(version, messages, lines)
    complaints = joined(messages)
    if end.timed_out:
        return Outcome(None, Reason.EXEC_TIMEOUT, f"MAJA was ended after {end.seconds:.0f} s")
    if end.out_of_memory:
        return Outcome(None, Reason.OUT_OF_MEMORY, "MAJA was killed: memory ran out")
    product, lack = complete_product(output, l1c, tile, may_lack)
    if product is not None:
        cloud, snow = _from_metadata(product, cloud, snow)
    rounded = (None if cloud is None else float(round(cloud)), None if snow is None else float(round(snow)))

    def no_product(reason: Reason, text: str) -> Outcome:
        return Outcome(None, reason, text, *rounded)

    not_valid = says_not_valid(output)
    if not_valid is not None:
        return no_product(Reason.NOTV, f"{not_valid.name} says L2NOTV{': ' * bool(complaints)}{complaints}")
    if end.exit_code != 0 and says_disk_full(lines):
        return no_product(Reason.OUT_OF_DISK, complaints or last_line(log, end.output_from))
    if product is None or end.exit_code != 0:
        unfit = stopper([*(message.text for message in messages), *lines])
        if unfit is not None:
            return no_product(*unfit)
    if cloud is not None and cloud > max_cloud_pct:
        return no_product(Reason.TOO_CLOUDY, f"{cloud:g} % clouds, more than {max_cloud_pct:g} %")
    if end.exit_code != 0:
        said = complaints or last_line(log, end.output_from) or "MAJA said nothing"
        return no_product(Reason.EXEC_NONZERO, f"exit code {end.exit_code}: {said}")
    if product is None:
        return no_product(Reason.OUTPUT_INCOMPLETE, f"{lack}{'; ' * bool(complaints)}{complaints}")
    try:
        if is_all_no_data(product):
            return no_product(Reason.NO_VALID_PIXEL, f"{product.name} holds no data at all")
    except ProductCorruptError as error:
        return no_product(Reason.OUTPUT_INCOMPLETE, error.message)
    return Outcome(product, None, complaints, *rounded)


def complete_product(
    output: Path, l1c: ProductName, tile: str, may_lack: frozenset[str] = frozenset()
) -> tuple[Path | None, str]:
    """The product of this tile and date if it is complete, else what it lacks."""
    folders = []
    for path in sorted(output.glob(f"*_T{tile}_[CHD]_V*")):
        name = parse_product_name(path.name)
        if path.is_dir() and name is not None and name.product_date == l1c.product_date:
            folders.append(path)
    if len(folders) != 1:
        return None, f"MAJA left {len(folders)} products of tile {tile} and {l1c.product_date}, one is expected"
    product = folders[0]
    names = [path.name for path in product.iterdir() if path.is_file()]
    wanted = {
        "ATB rasters": r"_L2A_.*ATB.*\.tif",
        "FRE reflectances": r"_L2A_.*FRE.*\.tif",
        "SRE reflectances": r"_L2A_.*SRE.*\.tif",
        "a quicklook": r"_L2A_.*QKL.*\.jpg",
        "metadata": r"_L2A_.*MTD.*\.xml",
    }
    lack = [
        what
        for what, pattern in wanted.items()
        if what[:3] not in may_lack and not any(re.search(pattern + "$", name, re.IGNORECASE) for name in names)
    ]
    lack += [f"{folder}/" for folder in ("DATA", "MASKS") if not (product / folder).is_dir()]
    if lack:
        return None, f"{product.name} lacks {', '.join(lack)}"
    try:
        verify_product(product, product_name(product.name))
    except ProductCorruptError as error:
        return None, error.message
    return product, ""


def is_all_no_data(product: Path) -> bool:
    """Whether a MUSCATE product has not a single pixel of data, judged by one of its 20 m bands.

    Raises
    ------
    ProductCorruptError : that band is missing, or damaged before its first data.
    """
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    bands = sorted(product.glob("*_FRE_B11.tif")) or sorted(product.glob("*_SRE_B11.tif"))
    if not bands:
        raise ProductCorruptError(f"{product.name} lacks B11", hint="run MAJA again")
    path = str(bands[0])
    with single_thread(), open_raster(path) as raster:
        for first in range(0, raster.height, _ROWS):
            window = Window(0, first, raster.width, min(_ROWS, raster.height - first))
            try:
                if (raster.read(1, window=window) != _NO_DATA).any():
                    return False
            except RasterioError as error:
                raise unreadable(path, error) from error
    return True


def drop_reflectances(product: Path, kinds: frozenset[str]) -> None:
    """Delete the reflectances of these kinds (``FRE``, ``SRE``)."""
    for kind in sorted(kinds):
        for path in sorted(product.glob(f"*_{kind}_*.tif")):
            path.unlink()


def add_mosaic(product: Path) -> None:
    """Give the product its ``mosaic.jpg``: MAJA's own quicklook."""
    quicklook = sorted(path for path in product.iterdir() if re.search(r"QKL.*\.jpg$", path.name, re.IGNORECASE))
    shutil.copyfile(quicklook[0], product / "mosaic.jpg")


def _from_metadata(product: Path, cloud: float | None, snow: float | None) -> tuple[float | None, float | None]:
    """Fill in what neither report nor log say."""
    if cloud is not None and snow is not None:
        return cloud, snow
    document = next(path for path in sorted(product.iterdir()) if re.search(r"MTD.*\.xml$", path.name, re.IGNORECASE))
    stated = {
        item.get("name"): item.text
        for item in elements(parse_xml(document.read_bytes(), str(document)), "QUALITY_INDEX")
    }

    def value(name: str) -> float | None:
        written = (stated.get(name) or "").strip()
        return float(written) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", written) else None

    return (value("CloudPercent") if cloud is None else cloud), (value("SnowPercent") if snow is None else snow)
