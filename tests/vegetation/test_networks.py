from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from s4c_lib.errors import InputError, NotFoundError
from s4c_lib.parameters import REGISTRY
from s4c_lib.readers.scene import COSINES
from s4c_lib.vegetation.networks import MODEL_SETS, VARIABLES, Network, load_network, model_ids, model_of

DATA = Path(__file__).parent / "data"
# Rounding of the published inputs and outputs (acceptance case A1).
PUBLISHED_TOLERANCE = {"lai": 5e-4, "fapar": 3e-4, "fcover": 3e-4}
EVERY_NETWORK = [load_network(model, variable) for model in model_ids() for variable in VARIABLES]


def rows(name: str) -> dict[tuple[str, str], list[dict[str, str]]]:
    grouped = defaultdict(list)
    with (DATA / name).open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            grouped[row["model_id"], row["variable"].lower()].append(row)
    return dict(grouped)


PUBLISHED, OWN = rows("published_test_cases.csv"), rows("regression_vectors.csv")


def column(cases: list[dict[str, str]], name: str) -> npt.NDArray[np.float64]:
    return np.array([float(case[name]) for case in cases])


@pytest.mark.parametrize("key", PUBLISHED, ids="-".join)
def test_published_cases_come_out(key: tuple[str, str]) -> None:
    cases, network = PUBLISHED[key], load_network(*key)
    inputs = np.stack([column(cases, name) for name in network.inputs])
    values = network.evaluate(inputs)
    clipped = values.clip(network.valid_min, network.valid_max)
    assert np.abs(clipped - column(cases, "expected_published")).max() <= PUBLISHED_TOLERANCE[key[1]]
    np.testing.assert_allclose(values, column(cases, "network_output_float64"), rtol=0, atol=1e-9)
    small = network.evaluate(inputs.astype(np.float32))
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, column(cases, "network_output_float64"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("key", OWN, ids="-".join)
def test_every_network_gives_the_regression_vectors(key: tuple[str, str]) -> None:
    cases, network = OWN[key], load_network(*key)
    named = [
        dict(pair.split("=") for pair in case["inputs_reflectance"].split()) | {name: case[name] for name in COSINES}
        for case in cases
    ]
    inputs = np.stack([column(named, name) for name in network.inputs])
    values = network.evaluate(inputs)
    np.testing.assert_allclose(values, column(cases, "network_output_float64"), rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        values.clip(network.valid_min, network.valid_max), column(cases, "clipped"), rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(network.evaluate(inputs.astype(np.float32)), values, rtol=0, atol=1e-5)


def test_the_vectors_cover_every_network() -> None:
    assert set(OWN) == {(network.model_id, network.variable) for network in EVERY_NETWORK}
    assert len(EVERY_NETWORK) == 27


MODERATE = {
    "B03": 600, "B04": 500, "B05": 900, "B06": 2500, "B07": 3200, "B08": 3400, "B8A": 3600, "B11": 2000, "B12": 1100,
}  # fmt: skip
SOIL = dict(zip(MODERATE, (1100, 1500, 1800, 2000, 2200, 2300, 2500, 3200, 2800), strict=True))
DENSE = dict(zip(MODERATE, (500, 250, 700, 3300, 4500, 4700, 4900, 1900, 800), strict=True))
LANDSAT = {"B03": 600, "B04": 500, "B05": 3600, "B06": 2000, "B07": 1100}


@pytest.mark.parametrize(
    ("model", "spectrum", "expected"),
    [
        ("s4c_s2_allbands", MODERATE, (1.930962, 0.712509, 0.601783)),
        ("sl2p_v3_s2a_20m", MODERATE, (2.134314, 0.722392, 0.612661)),
        ("sl2p_v3_s2b_20m", MODERATE, (2.250209, 0.721598, 0.636999)),
        ("sl2p_v3_s2a_10m", MODERATE, (2.322237, 0.725266, 0.638348)),
        ("sl2p_v2_1_20m", MODERATE, (1.981738, 0.700027, 0.592671)),
        ("s4c_l8", LANDSAT, (1.828529, 0.676273, 0.590721)),
        ("s4c_s2_allbands", SOIL, (0.228337, 0.104866, 0.060213)),
        ("s4c_s2_allbands", DENSE, (4.129811, 0.913603, 0.886868)),
    ],
)
def test_the_spectra_of_the_specification(
    model: str, spectrum: dict[str, int], expected: tuple[float, float, float]
) -> None:
    values = {name: number / 10_000 for name, number in spectrum.items()}
    values |= dict(zip(COSINES, (0.99, 0.75, -0.40), strict=True))
    for variable, value in zip(VARIABLES, expected, strict=True):
        network = load_network(model, variable)
        found = network.evaluate(np.array([values[name] for name in network.inputs]))
        assert found.shape == ()
        assert found == pytest.approx(value, abs=5e-7)


def test_one_published_case_by_its_numbers() -> None:
    inputs = [0.10719, 0.035671, 0.12966, 0.44359, 0.54857, 0.55771, 0.11874, 0.032175, 0.99547, 0.88901, 0.8832]
    assert load_network("sl2p_v3_s2a_20m", "lai").evaluate(np.array(inputs)) == pytest.approx(5.62346, abs=5e-6)


@pytest.mark.parametrize("network", EVERY_NETWORK, ids=lambda n: f"{n.model_id}-{n.variable}")
def test_ranges_are_those_of_the_specification(network: Network) -> None:
    valid = {"lai": (0, 8, 0.2), "fapar": (0, 0.94, 0.1), "fcover": (0, 1, 0.1)}
    assert (network.valid_min, network.valid_max, network.tolerance) == valid[network.variable]
    assert network.inputs == network.bands + COSINES
    assert network.domain_min.shape == network.domain_max.shape == (len(network.bands),)
    assert (network.domain_min < network.domain_max).all()
    if network.model_id == "s4c_s2_allbands":
        assert network.domain_max[network.bands.index("B04")] == 0.292


@pytest.mark.parametrize("model_set", MODEL_SETS)
def test_every_set_serves_every_sentinel_2(model_set: str) -> None:
    for platform in ("S2A", "S2B", "S2C", "S2D"):
        assert load_network(model_of(model_set, platform), "lai").variable == "lai"


def test_sets_are_those_the_parameter_offers() -> None:
    assert tuple(MODEL_SETS) == REGISTRY.get("processor.l3b.model_set").choices
    assert model_of("sl2p_v3_20m", "S2B") == "sl2p_v3_s2b_20m"
    assert model_of("sl2p_v3_20m", "S2C") == "sl2p_v3_s2a_20m"
    assert model_of("s4c", "L9") == "s4c_l8"


def test_what_does_not_exist_is_refused_with_what_does() -> None:
    with pytest.raises(NotFoundError, match="no network 'sl2p_v4'") as refused:
        load_network("sl2p_v4", "lai")
    assert all(model in refused.value.hint for model in model_ids())
    with pytest.raises(NotFoundError, match="gives no 'ndvi'") as refused:
        load_network("s4c_l8", "ndvi")
    assert refused.value.hint == "one of lai, fapar, fcover"
    with pytest.raises(NotFoundError, match="no model set 'snap'"):
        model_of("snap", "S2A")
    with pytest.raises(NotFoundError, match="sl2p_v3_10m has no network for platform 'L8'"):
        model_of("sl2p_v3_10m", "L8")


def test_wrong_inputs_are_refused() -> None:
    network = load_network("sl2p_v3_s2a_10m", "lai")
    with pytest.raises(InputError, match="takes 6 inputs, not 5") as refused:
        network.evaluate(np.zeros((5, 4)))
    assert "B03, B04, B08, cos_vza, cos_sza, cos_raa" in refused.value.hint
    with pytest.raises(InputError, match="takes 6 inputs, not 1"):
        network.evaluate(np.float64(0.3) * np.ones(()))
    with pytest.raises(InputError, match="was given int16"):
        network.evaluate(np.zeros((6, 4), dtype=np.int16))


def test_the_coefficients_cannot_be_changed() -> None:
    network = load_network("s4c_l8", "lai")
    assert load_network("s4c_l8", "lai") is network
    with pytest.raises(ValueError, match="read-only"):
        network.hidden_weight[0, 0] = 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images_keep_their_shape_and_gaps_stay_gaps(dtype: type) -> None:
    network = load_network("sl2p_v3_s2a_10m", "lai")
    image = np.full((6, 3, 400, 150), 0.5, dtype=dtype)  # more than one block of pixels
    image[2, 1, 7, 9] = np.nan
    values = network.evaluate(image)
    assert values.shape == image.shape[1:]
    assert np.isnan(values[1, 7, 9])
    assert np.isnan(values).sum() == 1
    assert network.evaluate(image[:, :0]).shape == (0, 400, 150)


@settings(max_examples=60)
@given(st.sampled_from(EVERY_NETWORK), st.data())
def test_any_reflectance_gives_a_finite_value_whatever_its_neighbours(network: Network, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 40))
    bands = data.draw(arrays(np.float64, (len(network.bands), count), elements=st.floats(-0.2, 1.5)))
    angles = data.draw(arrays(np.float64, (3, count), elements=st.floats(-1, 1)))
    inputs = np.concatenate([bands, angles])
    order = np.array(data.draw(st.permutations(range(count))))
    values = network.evaluate(inputs)
    assert np.isfinite(values).all()
    # Vector units may add in another order at the end of a row, hence not to the last bit.
    np.testing.assert_allclose(network.evaluate(inputs[:, order]), values[order], rtol=0, atol=1e-10)
    assert np.isfinite(network.evaluate(inputs.astype(np.float32))).all()


@settings(max_examples=60)
@given(st.sampled_from(EVERY_NETWORK), st.data())
def test_float32_is_close_everywhere_in_the_trained_range(network: Network, data: st.DataObject) -> None:
    place = data.draw(arrays(np.float64, (len(network.inputs), 20), elements=st.floats(0, 1)))
    inputs = network.input_min[:, None] + place * (network.input_max - network.input_min)[:, None]
    small = network.evaluate(inputs.astype(np.float32))
    np.testing.assert_allclose(small, network.evaluate(inputs), rtol=0, atol=3e-5)
