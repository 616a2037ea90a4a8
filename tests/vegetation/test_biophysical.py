"""LAI, FAPAR and FCOVER of row blocks (l3b-and-markers.md 1.4-1.6, acceptance cases A1-A5 and A7)."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kernel_cases import angles_of, grid_of, literal, run_cases

from s4c_lib.errors import InputError
from s4c_lib.readers.scene import COSINES, NO_DATA
from s4c_lib.vegetation.angle_nodes import node_places
from s4c_lib.vegetation.biophysical import KEPT_FLAGS, Biophysical, OutputRules, Quality, scene_bands
from s4c_lib.vegetation.networks import VARIABLES, Network, load_network, model_ids

DATA = Path(__file__).parent / "data"
REFERENCE = OutputRules(clip=False, truncate=True)
MODELS = {model: [load_network(model, variable) for variable in VARIABLES] for model in model_ids()}
# Before rounding the kernel keeps to the formula within this.
EXACT = 3e-5


def cases_of(name: str) -> dict[tuple[str, str], list[dict[str, str]]]:
    grouped: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    with (DATA / name).open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            pairs = dict(pair.split("=") for pair in row.pop("inputs_reflectance", "").split())
            grouped[row["model_id"], row["variable"].lower()].append(row | pairs)
    return dict(grouped)


PUBLISHED, OWN = cases_of("published_test_cases.csv"), cases_of("regression_vectors.csv")


def columns(cases: list[dict[str, str]], *names: str) -> npt.NDArray[np.float64]:
    return np.array([[float(case[name]) for case in cases] for name in names])


def numbers_of(cases: list[dict[str, str]], network: Network) -> npt.NDArray[np.int16]:
    return np.rint(columns(cases, *network.bands) * 10_000).astype(np.int16)


def assert_rounded(found: npt.NDArray[np.int16], value: npt.NDArray[np.float64]) -> None:
    assert np.abs(found - 1000 * value).max() <= 0.5 + 1000 * EXACT


@pytest.mark.parametrize("key", PUBLISHED, ids="-".join)
def test_a1_published_cases_through_the_kernel(key: tuple[str, str]) -> None:
    cases, network = PUBLISHED[key], load_network(*key)
    numbers, cosines = numbers_of(cases, network), columns(cases, *COSINES)
    values, quality = run_cases([network], numbers, cosines)
    expected = literal([network], numbers, cosines).clip(network.valid_min, network.valid_max)
    assert_rounded(values, expected)
    assert not (quality & Quality.MASKED).any()
    # Reflectances are published with more digits than rasters hold: what that changes is small on average.
    published = columns(cases, "expected_published")
    assert np.abs(values / 1000 - published).mean() < 2e-3


@pytest.mark.parametrize("key", OWN, ids="-".join)
def test_a2_own_vectors_through_the_kernel(key: tuple[str, str]) -> None:
    cases, network = OWN[key], load_network(*key)
    values, _ = run_cases([network], numbers_of(cases, network), columns(cases, *COSINES))
    assert_rounded(values, columns(cases, "clipped"))


@pytest.mark.parametrize(
    ("spectrum", "expected"),
    [
        ((600, 500, 3400, 900, 2500, 3200, 3600, 2000, 1100), (1931, 713, 602)),
        ((1100, 1500, 2300, 1800, 2000, 2200, 2500, 3200, 2800), (228, 105, 60)),
        ((500, 250, 4700, 700, 3300, 4500, 4900, 1900, 800), (4130, 914, 887)),
    ],
    ids=["moderate", "soil", "dense"],
)
def test_a2_by_its_numbers(spectrum: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert MODELS["s4c_s2_allbands"][0].bands == ("B03", "B04", "B08", "B05", "B06", "B07", "B8A", "B11", "B12")
    cosines = np.array([[0.99], [0.75], [-0.40]])
    values, quality = run_cases(
        MODELS["s4c_s2_allbands"], np.array(spectrum, np.int16)[:, None], cosines, OutputRules(domain=True)
    )
    assert values[:, 0].tolist() == list(expected)
    assert not quality.any()  # A4: all of it is inside the domain


def constant(variable: str, raw: float) -> Network:
    """A network that gives ``raw`` whatever it sees."""
    network = load_network("s4c_s2_allbands", variable)
    target = network.target_max - network.target_min
    return replace(network, output_weight=np.zeros(5), output_bias=2 * (raw - network.target_min) / target - 1)


@pytest.mark.parametrize(
    ("variable", "raw", "number", "bits", "reference_number", "reference_bits"),
    [
        ("lai", -0.15, 0, 2, -150, 0),
        ("lai", -0.25, 0, 8 + 2, 0, 8 + 2),
        ("lai", 8.1, 8000, 4, 8100, 0),
        ("lai", 8.3, 8000, 16 + 4, 8000, 16 + 4),
        ("fapar", 1.00, 940, 4, 1000, 0),
        ("fapar", 1.05, 940, 16 + 4, 940, 16 + 4),
        ("fcover", 0.5006, 501, 0, 500, 0),
        ("lai", 60.0, 8000, 16 + 4, 8000, 16 + 4),
        ("lai", -60.0, 0, 8 + 2, 0, 8 + 2),
    ],
)
def test_a3_output_rule(
    variable: str, raw: float, number: int, bits: int, reference_number: int, reference_bits: int
) -> None:
    network = constant(variable, raw + 1e-6 * np.sign(raw))  # float32 must not fall on the wrong side of a cut
    inputs = np.full((9, 1), 1000, np.int16), np.array([[0.99], [0.75], [-0.40]])
    values, quality = run_cases([network], *inputs)
    assert (values[0, 0], quality[0, 0]) == (number, bits)
    values, quality = run_cases([network], *inputs, REFERENCE)
    assert (values[0, 0], quality[0, 0]) == (reference_number, reference_bits)


def test_a4_input_domain() -> None:
    numbers = np.tile(np.array([[600], [500], [3400], [900], [2500], [3200], [3600], [2000], [1100]], np.int16), 4)
    numbers[1] = 500, 2920, 2921, -1
    cosines = np.tile([[0.99], [0.75], [-0.40]], 4)
    values, quality = run_cases(MODELS["s4c_s2_allbands"], numbers, cosines, OutputRules(domain=True))
    assert (quality & Quality.INPUT_OUT_OF_DOMAIN).tolist() == [[0, 0, 1, 1]] * 3
    assert (values != NO_DATA).all()
    _, quiet = run_cases(MODELS["s4c_s2_allbands"], numbers, cosines)
    assert (quiet == quality & ~np.uint8(1)).all()


@pytest.mark.parametrize("rules", [OutputRules(domain=True), REFERENCE], ids=["default", "reference"])
def test_a5_masks(rules: OutputRules) -> None:
    flags = np.array([0, 1, 2, 3, 4, 5, 255, 17], np.uint8)
    numbers = np.full((9, len(flags)), 2000, np.int16)
    cosines = np.tile([[0.99], [0.75], [-0.40]], len(flags))
    values, quality = run_cases(MODELS["s4c_s2_allbands"], numbers, cosines, rules, flags)
    kept = [True, True, False, False, False, True, False, False]
    assert (values != NO_DATA).tolist() == [kept] * 3
    assert (quality == Quality.MASKED).tolist() == [[not keep for keep in kept]] * 3


def test_a_missing_input_is_no_data() -> None:
    numbers = np.full((9, 10), 2000, np.int16)
    numbers[np.arange(9), np.arange(9)] = NO_DATA  # each band once; the tenth pixel has all
    values, quality = run_cases(MODELS["s4c_s2_allbands"], numbers, np.tile([[0.99], [0.75], [-0.4]], 10))
    assert (values[:, :9] == NO_DATA).all()
    assert (quality[:, :9] == 128).all()
    assert (values[:, 9] != NO_DATA).all()


def test_negative_reflectance_has_a_value() -> None:
    numbers = np.full((9, 1), 300, np.int16)
    numbers[:2] = -40
    cosines = np.array([[0.99], [0.75], [-0.4]])
    values, quality = run_cases(MODELS["s4c_s2_allbands"], numbers, cosines, OutputRules(domain=True))
    networks = MODELS["s4c_s2_allbands"]
    limits = np.array([[n.valid_min, n.valid_max] for n in networks])
    assert_rounded(values, literal(networks, numbers, cosines).clip(limits[:, :1], limits[:, 1:]))
    assert (quality & 1).all()


def test_a7_nodes_lie_every_5_km_from_the_corner() -> None:
    grid = grid_of(10_980, 10_980)
    places = node_places(angles_of(np.ones((3, 23, 23)), grid.west, grid.north, 5000), grid)
    assert places.beside[0] == pytest.approx(0.001)
    assert places.below[0] == pytest.approx(0.001)
    assert places.piece.tolist() == [*range(0, 10_980, 500), 10_980]
    assert places.node_column.tolist() == list(range(22))
    assert places.node_row[[0, 499, 500, 10_979]].tolist() == [0, 0, 1, 21]
    coarse = grid.resized(20)
    assert node_places(angles_of(np.ones((3, 23, 23)), grid.west, grid.north, 5000), coarse).beside[0] == np.float32(
        0.002
    )


def test_cosines_between_nodes_are_bilinear_and_hold_beyond_the_last() -> None:
    rng = np.random.default_rng(4)
    cosines = np.stack([rng.uniform(0.97, 1, (3, 4)), rng.uniform(0.5, 0.9, (3, 4)), rng.uniform(-1, 1, (3, 4))])
    grid = grid_of(30, 40)  # the nodes end after 20 rows and 30 columns
    angles = angles_of(cosines, grid.west, grid.north, 100)
    row, column = np.mgrid[0:30, 0:40]
    down, right = np.minimum((row + 0.5) / 10, 2), np.minimum((column + 0.5) / 10, 3)
    i, j = np.minimum(down.astype(int), 1), np.minimum(right.astype(int), 2)
    s, t = down - i, right - j
    expected = np.stack(
        [
            (1 - s) * ((1 - t) * n[i, j] + t * n[i, j + 1]) + s * ((1 - t) * n[i + 1, j] + t * n[i + 1, j + 1])
            for n in (angles.cos_vza.astype(float), angles.cos_sza.astype(float), angles.cos_raa.astype(float))
        ]
    )
    networks = MODELS["sl2p_v3_s2a_10m"]
    ready = Biophysical.of(networks, angles, grid)
    spectrum = np.array([700, 500, 3000], np.int16)
    numbers = np.broadcast_to(spectrum[:, None, None], (3, 30, 40)).copy()
    flags = np.zeros(grid.shape, np.uint8)
    whole, _ = ready.rows(numbers, ready.bands, flags, 0, OutputRules())
    values = np.concatenate([numbers / 10_000, expected]).reshape(6, -1)
    for number, network in enumerate(networks):
        assert_rounded(whole[number].ravel(), network.evaluate(values).clip(network.valid_min, network.valid_max))
    part, _ = ready.rows(numbers[:, 12:19], ready.bands, flags[12:19], 12, OutputRules())
    assert (part == whole[:, 12:19]).all()


def test_one_node_serves_the_whole_grid() -> None:
    grid = grid_of(3, 5)
    angles = angles_of(np.array([[[0.99]], [[0.75]], [[-0.4]]]), grid.west, grid.north, 5000)
    ready = Biophysical.of(MODELS["s4c_s2_allbands"], angles, grid)
    numbers = np.full((9, 3, 5), 2000, np.int16)
    values, _ = ready.rows(numbers, ready.bands, np.zeros((3, 5), np.uint8), 0, OutputRules())
    single, _ = run_cases(MODELS["s4c_s2_allbands"], numbers[:, 0, :1], np.array([[0.99], [0.75], [-0.4]]))
    assert (values == single[:, :, None]).all()


def test_landsat_bands_go_by_their_place_in_the_spectrum() -> None:
    assert scene_bands(MODELS["s4c_l8"][0]) == ("b03", "b04", "b08", "b11", "b12")
    assert scene_bands(MODELS["sl2p_v3_s2a_20m"][0]) == ("b03", "b04", "b05", "b06", "b07", "b8a", "b11", "b12")


def test_what_does_not_fit_is_refused() -> None:
    grid = grid_of(3, 5)
    angles = angles_of(np.ones((3, 2, 2)), grid.west, grid.north, 5000)
    ready = Biophysical.of(MODELS["sl2p_v3_s2a_10m"], angles, grid)
    numbers, flags = np.zeros((3, 3, 5), np.int16), np.zeros((3, 5), np.uint8)
    with pytest.raises(InputError, match="needs b04"):
        ready.rows(numbers, ["b03", "b05", "b08"], flags, 0, OutputRules())
    with pytest.raises(InputError, match="rows 1 to 4"):
        ready.rows(numbers, ready.bands, flags, 1, OutputRules())
    with pytest.raises(InputError, match="do not share their inputs"):
        Biophysical.of([load_network("s4c_l8", "lai"), load_network("s4c_s2_allbands", "fapar")], angles, grid)


SPECTRA = st.integers(1, 30).flatmap(
    lambda count: st.tuples(
        arrays(np.int16, (9, count), elements=st.integers(0, 10_000) | st.just(NO_DATA)),
        arrays(np.float64, (3, count), elements=st.floats(0, 1)),
        arrays(np.uint8, count, elements=st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 255])),
    )
)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(list(MODELS)), SPECTRA, st.booleans())
def test_kernel_is_the_formula(model: str, drawn: tuple[Any, Any, Any], reference: bool) -> None:
    networks = MODELS[model]
    bands = len(networks[0].bands)
    numbers, share, flags = drawn[0][:bands], drawn[1], drawn[2]
    low, high = networks[0].input_min[bands:, None], networks[0].input_max[bands:, None]
    cosines = low + share * (high - low)
    rules = replace(REFERENCE if reference else OutputRules(), domain=True)
    values, quality = run_cases(networks, numbers, cosines, rules, flags)
    masked = (numbers == NO_DATA).any(axis=0) | ~np.isin(flags, KEPT_FLAGS)
    assert (values[:, masked] == NO_DATA).all()
    assert (quality[:, masked] == Quality.MASKED).all()
    for network, found, bits, raw in zip(networks, values, quality, literal(networks, numbers, cosines), strict=True):
        least, most, slack = network.valid_min, network.valid_max, network.tolerance
        cut = 0 if rules.clip else slack
        written = np.where(raw < least - cut, least, np.where(raw > most + cut, most, raw))
        wanted = 2 * (raw < least - cut) + 4 * (raw > most + cut) + 8 * (raw < least - slack)
        wanted = wanted + 16 * (raw > most + slack)
        outside = (numbers < network.domain_min[:, None] * 1e4) | (numbers > network.domain_max[:, None] * 1e4)
        wanted = wanted + outside.any(axis=0)
        # Too near a limit, or a whole number, to say on which side float32 comes out.
        limits = np.array([least - slack, least, most, most + slack])[:, None]
        clear = ~masked & (np.abs(raw - limits) > EXACT).all(axis=0)
        assert (bits == wanted)[clear].all()
        error = np.abs(found - 1000 * written)[clear]
        assert (error <= (1.0 if rules.truncate else 0.5) + 1000 * EXACT).all()
