"""Neural networks that turn reflectance and angles into LAI, FAPAR and FCOVER (spec: l3b-and-markers.md section 1.5).

Feed-forward, five tanh units, one linear output, fixed coefficients: Weiss & Baret (2016), S2ToolBox Level 2 products:
LAI, FAPAR, FCOVER, version 1.1. Where the numbers come from stands in ``data/README.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError, NotFoundError
from s4c_lib.readers.scene import COSINES

Floats = npt.NDArray[np.floating[Any]]

VARIABLES: Final = ("lai", "fapar", "fcover")


def _by_platform(all_sentinel2: str, sentinel2b: str, landsat: str | None) -> Mapping[str, str]:
    # Sentinel-2C and D have no network of their own and take that of A; which is closer, nobody has published.
    models = dict.fromkeys(("S2A", "S2C", "S2D"), all_sentinel2) | {"S2B": sentinel2b}
    return MappingProxyType(models | ({} if landsat is None else {"L8": landsat, "L9": landsat}))


# Model by platform, for each choice of ``processor.l3b.model_set``.
MODEL_SETS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "s4c": _by_platform("s4c_s2_allbands", "s4c_s2_allbands", "s4c_l8"),
        "sl2p_v3_20m": _by_platform("sl2p_v3_s2a_20m", "sl2p_v3_s2b_20m", "sl2p_v3_l8_30m"),
        "sl2p_v3_10m": _by_platform("sl2p_v3_s2a_10m", "sl2p_v3_s2b_10m", None),
    }
)

# Metres of the pixels that the sets of SNAP are made for; all rasters of a Sentinel-2 product share a grid.
MODEL_SET_PIXEL: Final[Mapping[str, int]] = MappingProxyType({"sl2p_v3_20m": 20, "sl2p_v3_10m": 10})

# Pixels evaluated at a time: the hidden layer of a block (2.6 MB in float32) stays in the cache of a core.
_BLOCK = 131_072


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One network; its arrays are read-only.

    Parameters
    ----------
    model_id, variable : what it is; ``variable`` is ``lai`` (m2/m2), ``fapar`` or ``fcover`` (0..1).
    sensors : platforms it was trained for.
    inputs : names in order: bands (surface reflectance, 0..1), then `COSINES` (cosines; ``cos_raa`` is that of the sun
        azimuth minus the view azimuth).
    input_min, input_max : float64 (inputs,), what is scaled to -1..1; values outside are extrapolated.
    hidden_weight, hidden_bias : float64 (5, inputs) and (5,).
    output_weight, output_bias : float64 (5,) and number.
    target_min, target_max : what -1..1 of the output is scaled to.
    valid_min, valid_max, tolerance : range of the variable, and how far outside it a value still counts as good.
    domain_min, domain_max : float64 (bands,), box of the reflectances the network was made for.
    source : where the coefficients come from.
    centre, folded_weight, folded_bias, folded_output_weight, folded_output_bias : float32, the same network with both
        scalings folded into the weights. ``centre`` (inputs,) is taken off the inputs first: the cosine of the view
        zenith spans 0.02 only, and its large weight would cancel against as large a bias.
    """

    model_id: str
    variable: str
    sensors: tuple[str, ...]
    inputs: tuple[str, ...]
    input_min: npt.NDArray[np.float64]
    input_max: npt.NDArray[np.float64]
    hidden_weight: npt.NDArray[np.float64]
    hidden_bias: npt.NDArray[np.float64]
    output_weight: npt.NDArray[np.float64]
    output_bias: float
    target_min: float
    target_max: float
    valid_min: float
    valid_max: float
    tolerance: float
    domain_min: npt.NDArray[np.float64]
    domain_max: npt.NDArray[np.float64]
    source: str
    centre: npt.NDArray[np.float32]
    folded_weight: npt.NDArray[np.float32]
    folded_bias: npt.NDArray[np.float32]
    folded_output_weight: npt.NDArray[np.float32]
    folded_output_bias: np.float32

    @property
    def bands(self) -> tuple[str, ...]:
        """Inputs that are reflectances, in order."""
        return self.inputs[: -len(COSINES)]

    def evaluate(self, inputs: Floats) -> Floats:
        """Value of the variable, in its unit, not clipped to the valid range.

        Parameters
        ----------
        inputs : float64 or float32 (inputs, ...), in the order of ``inputs``.

        Returns
        -------
        (...), of the same type; float64 follows the formula to the letter, float32 uses the folded weights and
        differs from it by less than 1e-5 on spectra of soils and canopies, 3e-5 anywhere between ``input_min`` and
        ``input_max``. NaN where an input is NaN.

        Raises
        ------
        InputError : a wrong type or a wrong count of inputs.
        """
        if inputs.dtype not in (np.float32, np.float64):
            raise InputError(
                f"network {self.model_id} was given {inputs.dtype}",
                hint="pass reflectances (0..1) and cosines as float32 or float64",
            )
        if inputs.ndim == 0 or len(inputs) != len(self.inputs):
            raise InputError(
                f"network {self.model_id} takes {len(self.inputs)} inputs, not {len(inputs) if inputs.ndim else 1}",
                hint=f"stack {', '.join(self.inputs)} along the first axis",
            )
        pixels = inputs.reshape(len(inputs), -1)
        values = np.empty(pixels.shape[1], dtype=inputs.dtype)
        formula = self._folded if inputs.dtype == np.float32 else self._literal
        for first in range(0, values.size, _BLOCK):
            values[first : first + _BLOCK] = formula(pixels[:, first : first + _BLOCK])
        return values.reshape(inputs.shape[1:])

    def _literal(self, x: Floats) -> Floats:
        low, high = self.input_min[:, None], self.input_max[:, None]
        scaled = 2 * (x - low) / (high - low) - 1
        hidden = np.tanh(self.hidden_bias[:, None] + self.hidden_weight @ scaled)
        output = self.output_bias + self.output_weight @ hidden
        return np.asarray(0.5 * (output + 1) * (self.target_max - self.target_min) + self.target_min)

    def _folded(self, x: Floats) -> Floats:
        hidden = self.folded_weight @ (x - self.centre[:, None])
        hidden += self.folded_bias[:, None]
        np.tanh(hidden, out=hidden)
        output = self.folded_output_weight @ hidden
        output += self.folded_output_bias
        return np.asarray(output)


def model_of(model_set: str, platform: str) -> str:
    """Model that a set uses for a platform (``S2A`` to ``S2D``, ``L8``, ``L9``).

    Raises
    ------
    NotFoundError : there is no such set, or it has no model for the platform.
    """
    try:
        return MODEL_SETS[model_set][platform]
    except KeyError:
        known = MODEL_SETS.get(model_set)
        if known is None:
            raise NotFoundError(f"no model set {model_set!r}", hint=f"one of {', '.join(MODEL_SETS)}") from None
        raise NotFoundError(
            f"model set {model_set} has no network for platform {platform!r}", hint=f"it serves {', '.join(known)}"
        ) from None


def load_network(model_id: str, variable: str) -> Network:
    """One network from the package's own data; the same object each time.

    Parameters
    ----------
    model_id : as in `model_ids`. variable : as in `VARIABLES`.

    Raises
    ------
    NotFoundError : there is no such network; the hint lists those that exist.
    """
    try:
        return _networks()[model_id, variable]
    except KeyError:
        if model_id not in model_ids():
            raise NotFoundError(f"no network {model_id!r}", hint=f"one of {', '.join(model_ids())}") from None
        raise NotFoundError(
            f"network {model_id} gives no {variable!r}", hint=f"one of {', '.join(VARIABLES)}"
        ) from None


def model_ids() -> tuple[str, ...]:
    """Models that exist."""
    return tuple(dict.fromkeys(model for model, _ in _networks()))


@cache
def _networks() -> Mapping[tuple[str, str], Network]:
    text = files(__package__).joinpath("data", "networks.json").read_text(encoding="utf-8")
    networks = [_network(row) for row in json.loads(text)]
    return MappingProxyType({(network.model_id, network.variable): network for network in networks})


def _network(row: dict[str, Any]) -> Network:
    low, high, weight, bias, output_weight, domain_min, domain_max = (
        np.array(row[name])
        for name in (
            "input_min", "input_max", "hidden_weight", "hidden_bias", "output_weight", "domain_min", "domain_max",
        )
    )  # fmt: skip
    slope = 2 / (high - low)
    centre = ((low + high) / 2).astype(np.float32)
    half = (row["target_max"] - row["target_min"]) / 2
    arrays: dict[str, Floats] = {
        "input_min": low,
        "input_max": high,
        "hidden_weight": weight,
        "hidden_bias": bias,
        "output_weight": output_weight,
        "domain_min": domain_min,
        "domain_max": domain_max,
        "centre": centre,
        "folded_weight": (weight * slope).astype(np.float32),
        "folded_bias": (bias + weight @ ((centre - low) * slope - 1)).astype(np.float32),
        "folded_output_weight": (output_weight * half).astype(np.float32),
    }
    for array in arrays.values():
        array.flags.writeable = False
    return Network(
        **{
            **row,
            "sensors": tuple(row["sensors"]),
            "inputs": tuple(row["inputs"]),
            "folded_output_bias": np.float32((row["output_bias"] + 1) * half + row["target_min"]),
            **arrays,
        }
    )
