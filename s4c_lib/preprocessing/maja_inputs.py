"""The input folder of a MAJA run: links to what it reads, copies of what is adapted (``preprocessing.md`` 2.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from s4c_lib.preprocessing.executor import ExecutorError
from s4c_lib.preprocessing.maja_gipp import assemble_gipp
from s4c_lib.preprocessing.program_settings import with_values
from s4c_lib.preprocessing.work_folder import copied_tree, linked_tree
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_names import ProductKind, parse_product_name

USER_CONFIGURATION: Final = "UserConfiguration"
ELEVATION_LAYERS: Final = ("ALT_R1", "ALT_R2", "ALC", "SLP_R1", "SLP_R2", "SLC", "ASP_R1", "ASP_R2", "ASC", "MSK")


@dataclass(frozen=True, slots=True)
class MajaSettings:
    """Values written into the user configuration, where it has the field.

    Parameters
    ----------
    coarse_metres : must be that of the elevation model's coarse layers; MAJA 4.2 would take 120 m by default.
    strip_lines : lines of an image held at a time.
    """

    coarse_metres: int = 240
    threads: int = 8
    strip_lines: int = 500
    constant_ozone: bool = True

    def fields(self) -> Mapping[str, str]:
        """Element -> text."""
        strips = dict.fromkeys(("L2InitProcessing", "L2NominalProcessing", "L2BackwardProcessing"), self.strip_lines)
        return {
            "L2CoarseResolution": str(self.coarse_metres),
            "NbThreads": str(self.threads),
            **{name: str(lines) for name, lines in strips.items()},
            "Use_Default_Constant_Ozone_Amount": str(self.constant_ozone).lower(),
        }


@dataclass(frozen=True, slots=True)
class MajaInputs:
    """An assembled run.

    Parameters
    ----------
    input : what ``--input`` gets. configuration : what ``--conf`` gets.
    real : where the links lead, for a container to mount.
    """

    input: Path
    configuration: Path
    real: tuple[Path, ...]


def assemble_inputs(
    folder: Path,
    *,
    l1c: Sequence[Path],
    platform: str,
    tile: str,
    gipp: Path,
    elevation_dir: Path,
    previous: Path | None,
    cams: Sequence[Path],
    settings: MajaSettings,
) -> MajaInputs:
    """Fill ``folder`` (new) with the inputs of one run.

    Parameters
    ----------
    l1c : SAFE folders; several for backward mode. previous : MUSCATE folder, or a folder that holds one.

    Raises
    ------
    ExecutorError : parameter files (``aux_missing``), elevation (``dem_missing``) or predecessor (``chain_broken``)
        incomplete.
    ProductCorruptError : a dangling link in an input, named.
    """
    inputs = folder / "input"
    inputs.mkdir(parents=True)
    real: list[Path] = []
    for product in l1c:
        real += linked_tree(product, inputs / product.name)
    real += assemble_gipp(gipp, platform, tile, inputs)
    for path in elevation_files(elevation_dir, platform, tile):
        real += linked_tree(path, inputs / path.name)
    if previous is not None:
        product = muscate_folder(previous)
        # Our own logs are in the product; MAJA reads all it finds.
        real += linked_tree(product, inputs / product.name, without=(".log",))
    for path in cams:
        real += linked_tree(path, inputs / path.name)
    configuration = folder / USER_CONFIGURATION
    copied_tree(gipp / USER_CONFIGURATION, configuration)
    apply_settings(configuration, settings)
    return MajaInputs(inputs, configuration, tuple(real))


def elevation_files(elevation_dir: Path, platform: str, tile: str) -> tuple[Path, Path]:
    """Header and data folder of a tile's elevation model, the newest where there are several.

    Raises
    ------
    ExecutorError : there is none, or a layer is missing (``dem_missing``).
    """
    prefix = "S2" if platform.startswith("sentinel-2") else "L8"
    pattern = f"{prefix}*_AUX_REFDE2_*{tile}_*.HDR"
    found = sorted([*elevation_dir.glob(pattern), *elevation_dir.glob(f"*/{pattern}")], key=lambda path: path.name)
    if not found:
        raise _no_elevation(f"{elevation_dir} has no elevation model {pattern}")
    header = found[-1]
    data = header.with_name(f"{header.stem}.DBL.DIR")
    if not data.is_dir():
        raise _no_elevation(f"{header} has no {data.name} beside it")
    names = [path.stem.upper() for path in data.iterdir()]
    layers = ELEVATION_LAYERS if prefix == "S2" else ("ALT", "ALC", "SLP", "SLC", "ASP", "ASC", "MSK")
    missing = [layer for layer in layers if not any(name.endswith(f"_{layer}") for name in names)]
    if missing:
        raise _no_elevation(f"{data} lacks {', '.join(missing)}")
    return header, data


def muscate_folder(previous: Path) -> Path:
    """The MUSCATE folder that a registered L2A is or holds.

    Raises
    ------
    ExecutorError : it is gone (``chain_broken``).
    """
    for path in (previous, *sorted(previous.glob("*"))):
        name = parse_product_name(path.name)
        if path.is_dir() and name is not None and name.kind is ProductKind.MUSCATE_L2A:
            return path
    raise ExecutorError(
        f"the previous L2A {previous} is registered but not on disk in MAJA's format",
        hint="choose an older one, or start the chain anew",
        code=Reason.CHAIN_BROKEN,
    )


def apply_settings(configuration: Path, settings: MajaSettings) -> None:
    """Write the settings into the elements that a copied user configuration has; it is not given new ones."""
    for document in sorted(configuration.rglob("*.xml")):
        before = document.read_bytes()
        content = with_values(before, settings.fields())
        if content != before:
            document.write_bytes(content)


def _no_elevation(text: str) -> ExecutorError:
    return ExecutorError(text, hint="make the tile's elevation model first", code=Reason.DEM_MISSING)
