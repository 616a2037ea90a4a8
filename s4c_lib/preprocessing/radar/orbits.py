"""Where the satellite was: precise and restituted orbit files, and polynomials in time (``preprocessing.md`` 4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import ProductCorruptError
from s4c_lib.preprocessing.radar.annotation import StateVectors, seconds_since
from s4c_lib.preprocessing.radar.xml_part import xml_part
from s4c_lib.sources.product_kinds import utc
from s4c_lib.sources.product_tree import unreadable

Floats = npt.NDArray[np.float64]
_TIME: Final = r"[0-9]{8}T[0-9]{6}"
_FILE: Final = re.compile(
    rf"(?P<sat>S1[A-D])_OPER_AUX_(?P<kind>POE|RES)ORB_OPOD_(?P<made>{_TIME})_V(?P<from>{_TIME})_(?P<to>{_TIME})\.EOF"
)
# A polynomial of degree 5 follows the orbit to a millimetre over some 150 s (an annotation's own vectors), to 10 m
# over the ten minutes around a scene.
_DEGREE: Final = 5
_AROUND: Final = timedelta(seconds=61)
_WORST_FIT_M: Final = 0.5
_RANKS: Final = ("ANN", "RES", "POE")


def least_precise(sources: Iterable[str]) -> str:
    """Return the least precise of the sources of several orbits: ``ANN``, ``RES`` or ``POE``."""
    return min(sources, key=_RANKS.index)


@dataclass(frozen=True, slots=True)
class OrbitFile:
    """An orbit file by its name. ``source`` : POE or RES. ``valid_from``, ``valid_to`` : UTC."""

    path: Path
    platform: str
    source: str
    created: datetime
    valid_from: datetime
    valid_to: datetime


@dataclass(frozen=True, slots=True, eq=False)
class OrbitPolynomial:
    """Position as polynomials of ``seconds - middle``, metres, earth-fixed.

    Parameters
    ----------
    coefficients : (3, 6), lowest degree first. middle : seconds from the image's first line.
    """

    coefficients: Floats
    middle: float
    source: str

    def position(self, seconds: npt.ArrayLike) -> Floats:
        """Position at times, (..., 3)."""
        return self._at(seconds, 0)

    def velocity(self, seconds: npt.ArrayLike) -> Floats:
        """Velocity at times, (..., 3), m/s."""
        return self._at(seconds, 1)

    def _at(self, seconds: npt.ArrayLike, derivative: int) -> Floats:
        from numpy.polynomial import polynomial

        past = np.asarray(seconds, float) - self.middle
        axes = [polynomial.polyval(past, polynomial.polyder(axis, derivative)) for axis in self.coefficients]
        return np.stack(axes, axis=-1)


def parse_orbit_name(path: Path) -> OrbitFile | None:
    """Read ``S1A_OPER_AUX_POEORB_OPOD_20210315T155112_V20210222T225942_20210224T005942.EOF``; None for others."""
    found = _FILE.fullmatch(path.name)
    if found is None:
        return None
    made, start, stop = (utc(found[group]) for group in ("made", "from", "to"))
    if made is None or start is None or stop is None:
        return None
    return OrbitFile(path, f"sentinel-{found['sat'][1:].lower()}", found["kind"], made, start, stop)


def choose_orbit_file(folder: Path, platform: str, start: datetime, stop: datetime) -> OrbitFile | None:
    """The best file of a folder for a scene: precise before restituted, the latest made first; None when none fits.

    Parameters
    ----------
    start, stop : of the scene; a minute to both sides must be covered too.

    Raises
    ------
    StorageError : the folder cannot be read.
    """
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise unreadable(error, folder) from error
    known = [file for path in files if (file := parse_orbit_name(path)) is not None]
    fitting = [
        file
        for file in known
        if file.platform == platform and file.valid_from <= start - _AROUND and stop + _AROUND <= file.valid_to
    ]
    return max(fitting, key=lambda file: (file.source == "POE", file.created, file.path.name), default=None)


def read_orbit_file(path: Path, start: datetime, stop: datetime) -> StateVectors:
    """Read the vectors of a scene and a minute to both sides.

    Parameters
    ----------
    start : UTC of the image's first line, from which seconds are counted.

    Raises
    ------
    ProductCorruptError : no orbit file, damaged, or it does not cover the scene. StorageError : it cannot be read.
    """
    named = parse_orbit_name(path)
    try:
        root = xml_part(path.read_bytes(), str(path))
    except OSError as error:
        raise unreadable(error, path) from error
    rows = []
    for vector in root.some("Data_Block/List_of_OSVs/OSV"):
        moment = utc(vector.text("UTC").removeprefix("UTC=")[:19], "%Y-%m-%dT%H:%M:%S")
        if moment is None:
            raise root.fault("<UTC> is no time")
        if start - _AROUND <= moment <= stop + _AROUND:
            rows.append((seconds_since(moment, start), *(vector.number(n) for n in ("X", "Y", "Z", "VX", "VY", "VZ"))))
    table = np.array(sorted(rows)).reshape(-1, 7)
    last = seconds_since(stop, start)
    if len(table) < _DEGREE + 2 or table[0, 0] > 0 or table[-1, 0] < last:
        raise root.fault(f"its state vectors do not cover {start:%Y-%m-%d %H:%M:%S}")
    source = named.source if named is not None else "POE"
    return StateVectors(table[:, 0], table[:, 1:4], table[:, 4:7], source)


def fitted(vectors: StateVectors, where: str) -> OrbitPolynomial:
    """Fit polynomials of degree 5 to the positions.

    Raises
    ------
    ProductCorruptError : too few vectors, or they do not lie on one orbit (a residual above 0.5 m).
    """
    from numpy.polynomial import Polynomial

    seconds = vectors.seconds
    if len(np.unique(seconds)) < _DEGREE + 1:
        raise ProductCorruptError(f"{where} has {len(seconds)} state vectors, too few", hint="fetch it again")
    middle = float(seconds[0] + seconds[-1]) / 2
    fits = [Polynomial.fit(seconds - middle, vectors.position[:, axis], _DEGREE) for axis in range(3)]
    worst = max(float(np.abs(fit(seconds - middle) - vectors.position[:, axis]).max()) for axis, fit in enumerate(fits))
    if worst > _WORST_FIT_M:
        raise ProductCorruptError(
            f"{where}: state vectors lie up to {worst:.1f} m off a smooth orbit", hint="fetch it again"
        )
    coefficients = np.zeros((3, _DEGREE + 1))
    for axis, fit in enumerate(fits):
        own = fit.convert().coef
        coefficients[axis, : len(own)] = own
    return OrbitPolynomial(coefficients, middle, vectors.source)
