"""Pieces of XML that several metadata documents share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.products.angle_grids import STEP_M

# Whoever finds a product on its own shall not take it for a measurement.
NOTICE = "<!-- Made up by s4c synthetic: no satellite has measured this. -->"


def element(name: str, value: object, /, **attributes: object) -> str:
    """One element with text, on a line of its own."""
    written = "".join(f' {key}="{attribute}"' for key, attribute in attributes.items())
    return f"<{name}{written}>{value}</{name}>\n"


def group(name: str, /, *parts: str, **attributes: object) -> str:
    """One element with elements inside."""
    written = "".join(f' {key}="{attribute}"' for key, attribute in attributes.items())
    return f"<{name}{written}>\n{''.join(parts)}</{name}>\n"


def lines(name: str, values: Iterable[object]) -> str:
    """The same element once for each value."""
    return "".join(element(name, value) for value in values)


def angle_grid(name: str, values: npt.NDArray[np.float64], /, **attributes: object) -> str:
    """``Zenith`` or ``Azimuth`` of an angle grid: its steps, and a line for each row of nodes (degrees)."""
    rows = (" ".join("NaN" if value != value else f"{value:.6g}" for value in row) for row in values.tolist())
    return group(
        name,
        element("COL_STEP", f"{STEP_M:.0f}", unit="m"),
        element("ROW_STEP", f"{STEP_M:.0f}", unit="m"),
        group("Values_List", lines("VALUES", rows)),
        **attributes,
    )


def mean_angle(name: str, zenith: float, azimuth: float, /, **attributes: object) -> str:
    """A pair of mean angles, degrees."""
    return group(
        name,
        element("ZENITH_ANGLE", f"{zenith:.12g}", unit="deg"),
        element("AZIMUTH_ANGLE", f"{azimuth:.12g}", unit="deg"),
        **attributes,
    )
