"""Calibration and noise: preprocessing.md 4.2 and its cases 9.6, and the compiled loop against the plain formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import ProductCorruptError
from s4c_lib.kernel_cache import compiled
from s4c_lib.preprocessing.radar import geocoding_kernels as kernels
from s4c_lib.preprocessing.radar.radiometric_tables import (
    AzimuthBlock,
    NoiseTables,
    VectorTable,
    calibrated,
    parse_calibration,
    parse_noise,
)

FLOOR = 1e-7


def table(lines: list[float], pixels: list[float], values: list[list[float]]) -> VectorTable:
    at = tuple(np.array(pixels, float) for _ in lines)
    return VectorTable(np.array(lines, float), at, tuple(np.array(row, float) for row in values))


CORNERS = table([-574, 70], [0, 40], [[332.6779, 332.6140], [332.6872, 332.6233]])


def test_case_9_6_calibration_between_the_corners_of_a_real_lut() -> None:
    assert CORNERS.at(-252, 10) == pytest.approx(332.666575, abs=1e-6)


def test_case_9_6_sigma_nought_of_a_complex_number() -> None:
    value = float(calibrated(abs(60 - 80j) ** 2, 0, CORNERS.at(-252, 10)))
    assert value == pytest.approx(0.0903611, abs=5e-8)
    assert 10 * np.log10(value) == pytest.approx(-10.440, abs=5e-4)
    assert np.sqrt(value) == pytest.approx(0.300601, abs=5e-7)
    assert 10 * np.log10(np.sqrt(value)) == pytest.approx(-5.220, abs=5e-4)


def test_case_9_6_beta_nought_with_its_constant() -> None:
    value = float(calibrated(10_000, 0, 237))
    assert value == pytest.approx(0.178034, abs=5e-7)
    assert 10 * np.log10(value) == pytest.approx(-7.495, abs=5e-4)


def noise_of(range_noise: float, azimuth: float) -> NoiseTables:
    block = AzimuthBlock(0, 100, 0, 100, np.array([0.0, 100.0]), np.array([azimuth, azimuth]))
    return NoiseTables(table([0, 100], [0, 100], [[range_noise] * 2] * 2), (block,))


@pytest.mark.parametrize(
    ("dn", "noise", "expected"),
    [(120, True, 0.0607392), (120, False, 10 ** (-11.481 / 10)), (40, True, FLOOR), (0, True, 0.0)],
)
def test_case_9_6_noise_of_grd(dn: int, noise: bool, expected: float) -> None:
    eta = float(noise_of(2000.3, 1.05).at(50, 50)) if noise else 0.0
    assert eta == (pytest.approx(2100.315) if noise else 0.0)
    value = float(calibrated(dn**2, eta, 450))
    assert value == pytest.approx(expected, rel=1e-4)
    # and the loop that makes rasters says the same
    assert float(looped(dn, noise_of(2000.3, 1.05) if noise else None)) == pytest.approx(value, rel=1e-6)


def looped(dn: float, noise: NoiseTables | None, calibration: VectorTable | None = None, *at: float) -> np.float32:
    line, sample = at or (50.0, 50.0)
    calibration = calibration or table([0, 100], [0, 100], [[450, 450], [450, 450]])
    out = np.zeros((1, 1), np.float32)
    positions = [np.full((1, 1), value, np.float32) for value in (dn**2, line, sample)]
    if noise is None:
        rest = np.zeros(0), np.zeros((0, 1), np.float32), np.zeros((0, 4), np.int64), np.zeros(0, np.int64)
        values = np.zeros(0, np.float32)
    else:
        blocks = [(b.first_line, b.last_line, b.first_sample, b.last_sample) for b in noise.azimuth]
        starts = np.cumsum([0, *(len(b.dense()) for b in noise.azimuth)])[:-1].astype(np.int64)
        limits = np.array(blocks, np.int64).reshape(-1, 4)
        rest = noise.range_noise.lines, noise.range_noise.dense(0, 101), limits, starts
        values = np.concatenate([b.dense() for b in noise.azimuth])
    compiled(kernels.calibrate)(
        *positions, 0, calibration.lines, calibration.dense(0, 101), *rest, values, False, FLOOR, out
    )
    return np.float32(out[0, 0])


@given(
    line=st.floats(-30, 130),
    sample=st.floats(0, 100),
    levels=st.lists(st.floats(300, 600), min_size=6, max_size=6),
    factors=st.lists(st.floats(0.8, 1.3), min_size=4, max_size=4),
)
def test_the_loop_agrees_with_the_plain_formulas(
    line: float, sample: float, levels: list[float], factors: list[float]
) -> None:
    calibration = table([0, 40, 100], [0, 100], [levels[:2], levels[2:4], levels[4:]])
    blocks = tuple(
        AzimuthBlock(-40, 140, first, last, np.array([-40.0, 140.0]), np.array(pair))
        for first, last, pair in ((0, 49, factors[:2]), (50, 100, factors[2:]))
    )
    noise = NoiseTables(table([0, 60], [0, 30, 100], [[900, 1000, 1100], [1000, 950, 990]]), blocks)
    line, sample = float(np.float32(line)), float(np.float32(sample))
    expected = calibrated(150.0**2, noise.at(line, sample), calibration.at(line, sample))
    assert float(looped(150, noise, calibration, line, sample)) == pytest.approx(float(expected), rel=1e-5)


def test_lines_beyond_the_vectors_go_on_by_one_interval_at_most() -> None:
    lut = table([0, 10], [0, 10], [[100, 100], [110, 110]])
    assert lut.at([-5, -10, -40], 5).tolist() == pytest.approx([95, 90, 90])
    assert lut.at([15, 20, 90], 5).tolist() == pytest.approx([115, 120, 120])


def test_vectors_with_other_pixels_than_their_neighbours_are_each_linear() -> None:
    lut = VectorTable(
        np.array([0.0, 10.0]),
        (np.array([0.0, 10]), np.array([0.0, 5, 10])),
        (np.array([0.0, 10]), np.array([0.0, 0, 20])),
    )
    assert float(lut.at(0, 5)) == 5
    assert float(lut.at(10, 5)) == 0
    assert float(lut.at(5, 5)) == 2.5
    assert lut.dense(4, 7).tolist() == [[4, 5, 6], [0, 0, 4]]


NOISE = """<noise><noiseRangeVectorList>
<noiseRangeVector><line>0</line><pixel>0 100</pixel><noiseRangeLut>1000 2000</noiseRangeLut></noiseRangeVector>
</noiseRangeVectorList><noiseAzimuthVectorList>{}</noiseAzimuthVectorList></noise>"""
BLOCK = """<noiseAzimuthVector><firstAzimuthLine>{0}</firstAzimuthLine><firstRangeSample>{1}</firstRangeSample>
<lastAzimuthLine>{2}</lastAzimuthLine><lastRangeSample>{3}</lastRangeSample><line>{0} {2}</line>
<noiseAzimuthLut>{4} {5}</noiseAzimuthLut></noiseAzimuthVector>"""


def test_every_block_of_azimuth_noise_is_read() -> None:
    blocks = [(0, 0, 10, 49, 1.0, 1.0), (0, 50, 10, 100, 2.0, 2.0), (11, 0, 20, 100, 3.0, 4.0)]
    noise = parse_noise(NOISE.format("".join(BLOCK.format(*b) for b in blocks)).encode(), "noise.xml")
    assert len(noise.azimuth) == 3
    assert noise.at([5, 5, 15.5], [0, 100, 0]).tolist() == pytest.approx([1000, 4000, 3500])


def test_noise_before_ipf_2_90_has_range_vectors_only() -> None:
    content = b"""<noise><noiseVectorList><noiseVector><line>0</line><pixel>0 10</pixel><noiseLut>5 7</noiseLut>
    </noiseVector></noiseVectorList></noise>"""
    noise = parse_noise(content, "noise.xml")
    assert noise.azimuth == ()
    assert float(noise.at(100, 5)) == 6


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<noise/>", "noiseRangeVectorList"),
        (b"<noise", "not readable XML"),
        (NOISE.format("").replace("1000 2000", "1000").encode(), "does not fit its pixels"),
        (NOISE.format("").replace("1000 2000", "1000 x").encode(), "holds no numbers"),
        (NOISE.format("").replace("1000 2000", "1000 nan").encode(), "not finite"),
    ],
)
def test_damaged_noise_is_refused_by_name(content: bytes, what: str) -> None:
    with pytest.raises(ProductCorruptError, match=what) as caught:
        parse_noise(content, "noise-s1a.xml")
    assert "noise-s1a.xml" in str(caught.value)


def test_calibration_without_the_wanted_lut_is_refused() -> None:
    vector = "<calibrationVector><line>0</line><pixel>0 1</pixel><sigmaNought>1 2</sigmaNought></calibrationVector>"
    content = f"<calibration><calibrationVectorList>{vector}</calibrationVectorList></calibration>".encode()
    assert float(parse_calibration(content, "c.xml", "amplitude").at(0, 0.5)) == 1.5
    with pytest.raises(ProductCorruptError, match="gamma"):
        parse_calibration(content, "c.xml", "gamma0")
