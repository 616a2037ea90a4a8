"""LAI, FAPAR and FCOVER of row blocks of a scene, with their quality bytes (l3b-and-markers.md 1.5, 1.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.kernel_cache import compiled
from s4c_lib.readers.flags import Flag
from s4c_lib.readers.scene import COSINES, SCALE, AngleGrid, Int16
from s4c_lib.vegetation.angle_nodes import NodePlaces, doubled, node_places
from s4c_lib.vegetation.network_kernel import BAND_SLOTS, network_rows
from s4c_lib.vegetation.networks import Network

Flags = npt.NDArray[np.uint8]

# Encoding of the variables: number x 0.001.
VARIABLE_SCALE: Final = 0.001
# Pixels that carry a value; water and saturation stay, whoever needs land looks at the flags.
KEPT_FLAGS: Final = (Flag.LAND, Flag.WATER, Flag.SATURATED)
# Networks name Landsat's bands by Landsat's numbers, scenes by Sentinel-2's.
_LANDSAT_BANDS: Final[Mapping[str, str]] = MappingProxyType(
    {"B03": "b03", "B04": "b04", "B05": "b08", "B06": "b11", "B07": "b12"}
)


class Quality(IntFlag):
    """Bits of the quality byte of one variable and pixel; `MASKED` comes alone."""

    INPUT_OUT_OF_DOMAIN = 1
    RAISED_TO_MINIMUM = 2
    LOWERED_TO_MAXIMUM = 4
    BELOW_TOLERANCE = 8
    ABOVE_TOLERANCE = 16
    MASKED = 128


@dataclass(frozen=True, slots=True)
class OutputRules:
    """How values become numbers.

    Parameters
    ----------
    clip : to the valid range; else only what lies beyond the tolerance, as Sen4CAP does.
    truncate : decimals are cut off as Sen4CAP does; else rounded to the nearest, halves to even.
    domain : whether bit 0 is set; the reflectances are compared with the box the network was made for.
    """

    clip: bool = True
    truncate: bool = False
    domain: bool = False


def scene_bands(network: Network) -> tuple[str, ...]:
    """Names that the bands of a network have in a scene, in the network's order."""
    if "L8" in network.sensors:
        return tuple(_LANDSAT_BANDS[name] for name in network.bands)
    return tuple(name.lower() for name in network.bands)


@dataclass(frozen=True, slots=True, eq=False)
class Biophysical:
    """Networks of one model with their scalings folded in, made ready for the pixels and angles of one scene.

    Parameters
    ----------
    networks : one for each variable. bands : names of their inputs in a scene.
    places : of the scene's pixels among its angle nodes.
    node_terms : float64 (node rows, node columns, variables x 5), share of bias and cosines in each hidden unit.
    weight, output_weight, output_bias : float32, see `network_kernel.network_rows`.
    """

    networks: tuple[Network, ...]
    bands: tuple[str, ...]
    places: NodePlaces
    node_terms: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float32]
    output_weight: npt.NDArray[np.float32]
    output_bias: npt.NDArray[np.float32]

    @classmethod
    def of(cls, networks: Sequence[Network], angles: AngleGrid, grid: PixelGrid) -> Biophysical:
        """Make networks ready for a scene.

        Raises
        ------
        InputError : there is none, or they do not take the same inputs.
        """
        if not networks or any(network.inputs != networks[0].inputs for network in networks):
            raise InputError(
                f"networks {', '.join(network.model_id for network in networks) or '(none)'} do not share their inputs",
                hint="give the variables of one model",
            )
        bands = len(networks[0].bands)
        cosines = np.stack([getattr(angles, name) for name in COSINES], axis=-1).astype(np.float64)
        weight = np.zeros((len(networks), len(networks[0].hidden_bias), BAND_SLOTS), np.float32)
        terms, output_weight, output_bias = [], [], []
        for number, network in enumerate(networks):
            slope = 2 / (network.input_max - network.input_min)
            inner = network.hidden_weight * slope
            bias = network.hidden_bias - network.hidden_weight @ (network.input_min * slope + 1)
            weight[number, :, :bands] = inner[:, :bands] / SCALE
            terms.append(cosines @ inner[:, bands:].T + bias)
            half = (network.target_max - network.target_min) / 2
            output_weight.append(network.output_weight * half)
            output_bias.append((network.output_bias + 1) * half + network.target_min)
        return cls(
            tuple(networks),
            scene_bands(networks[0]),
            node_places(angles, grid),
            doubled(np.ascontiguousarray(np.concatenate(terms, axis=-1))),
            weight.reshape(-1, BAND_SLOTS),
            np.concatenate(output_weight).astype(np.float32),
            np.array(output_bias, np.float32),
        )

    def rows(
        self, reflectance: Int16, names: Sequence[str], flags: Flags, first: int, rules: OutputRules
    ) -> tuple[Int16, Flags]:
        """Evaluate rows of the scene.

        The value before it is rounded differs from `Network.evaluate` in float64 by less than 2e-5 for reflectances
        from 0 to 1.

        Parameters
        ----------
        reflectance : int16 (bands, rows, columns), x 10000, NO_DATA where there is none.
        names : of its bands; more than the networks take may be there.
        flags : uint8 (rows, columns). first : row of the scene that is row 0 of these arrays.

        Returns
        -------
        values : int16 (variables, rows, columns), x 1000; NO_DATA where an input is missing or the flag is none of
            `KEPT_FLAGS`.
        quality : uint8 (variables, rows, columns), `Quality`.

        Raises
        ------
        InputError : a band is not there, or the arrays do not fit each other or the grid.
        """
        missing = [band for band in self.bands if band not in names]
        if missing:
            raise InputError(
                f"network {self.networks[0].model_id} needs {', '.join(missing)}, which is not among {', '.join(names)}"
            )
        rows, columns = flags.shape
        places = self.places
        shape = (len(names), rows, columns)
        if reflectance.shape != shape or columns != len(places.beside) or first + rows > len(places.node_row):
            raise InputError(
                f"rows {first} to {first + rows} hold {reflectance.shape} reflectances and {flags.shape} flags on a "
                f"grid of {len(places.node_row)} x {len(places.beside)} pixels and {len(names)} bands"
            )
        values = np.empty((len(self.networks), rows, columns), np.int16)
        quality = np.empty(values.shape, np.uint8)
        kernel = compiled(network_rows)
        kernel(
            reflectance,
            np.array([names.index(band) for band in self.bands], np.int64),
            *self._domain(),
            flags,
            _masked(),
            places.node_row[first : first + rows],
            places.below[first : first + rows],
            places.piece,
            places.node_column,
            places.beside,
            self.node_terms,
            self.weight,
            self.output_weight,
            self.output_bias,
            *self._limits(),
            rules.clip,
            rules.truncate,
            rules.domain,
            values,
            quality,
        )
        return values, quality

    def _domain(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        # A number equal to the limit is inside, whatever 0.292 is in binary.
        low = np.ceil(np.array([network.domain_min for network in self.networks]) * SCALE - 1e-6)
        high = np.floor(np.array([network.domain_max for network in self.networks]) * SCALE + 1e-6)
        return low.astype(np.int32), high.astype(np.int32)

    def _limits(self) -> tuple[npt.NDArray[np.float32], Int16]:
        limits = [
            (n.valid_min, n.valid_max, n.valid_min - n.tolerance, n.valid_max + n.tolerance) for n in self.networks
        ]
        numbers = [(round(n.valid_min / VARIABLE_SCALE), round(n.valid_max / VARIABLE_SCALE)) for n in self.networks]
        return np.array(limits, np.float32), np.array(numbers, np.int16)


def _masked() -> npt.NDArray[Any]:
    masked = np.ones(256, np.bool_)
    masked[list(KEPT_FLAGS)] = False
    return masked
