import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optical_fields import flight

from s4c_lib.errors import InputError
from s4c_lib.synthetic.optical.canopy_reflectance import _UNCOUNTED_BROWN, PlantState, table_for
from s4c_lib.synthetic.optical.leaves import LEAVES, LeafKind, dead_leaf, green_leaf, ground_spectra, ground_weights
from s4c_lib.synthetic.optical.spectral_response import SURFACE_BANDS, band_values

RED, INFRARED = SURFACE_BANDS.index("B04"), SURFACE_BANDS.index("B08")
TABLE = {}


def table():
    return TABLE.setdefault("june", table_for(flight()))


def plants(count, seed=0):
    rng = np.random.default_rng(seed)
    return PlantState(
        rng.integers(0, 2, count),
        rng.uniform(0, 6, count).astype(np.float32),
        rng.uniform(0, 2.5, count).astype(np.float32),
        rng.uniform(18, 60, count).astype(np.float32),
        rng.uniform(35, 68, count).astype(np.float32),
        ground_weights(rng.uniform(0.7, 1.3, count), rng.random(count), rng.random(count) * 0.8),
    )


def ndvi(reflectance):
    red, infrared = reflectance[..., RED], reflectance[..., INFRARED]
    return (infrared - red) / (infrared + red)


def prosail_run(state, k, platform, sun):
    """The package itself at 1 nm."""
    from prosail import run_sail

    kind = LeafKind(int(state.kind[k]))
    brown = state.brown_lai[k] + _UNCOUNTED_BROWN * state.green_lai[k]
    area = state.green_lai[k] + brown
    green, dead = green_leaf(kind, float(state.chlorophyll[k])), dead_leaf()
    rho, tau = ((1 - brown / area) * fresh + brown / area * old for fresh, old in zip(green, dead, strict=True))
    seen = flight(platform=platform, sun=sun)
    spectrum = run_sail(
        rho, tau, area, float(state.leaf_angle[k]), LEAVES[kind].hot_spot, seen.sun_zenith, seen.view_zenith,
        seen.sun_azimuth - seen.view_azimuth, rsoil0=state.ground[k] @ ground_spectra(),
    )  # fmt: skip
    return band_values(spectrum, platform)


@pytest.mark.parametrize(("platform", "sun"), [("S2A", 31.0), ("S2B", 62.0)])
def test_the_table_meets_direct_runs_of_prosail(platform, sun):
    state = plants(150)
    direct = np.array([prosail_run(state, k, platform, sun) for k in range(150)])
    found = table_for(flight(platform=platform, sun=sun)).reflectance(state)[:, 0]
    assert np.abs(found - direct).max() < 0.006
    assert np.sqrt(((found - direct) ** 2).mean()) < 0.001
    assert np.abs(ndvi(found) - ndvi(direct)).max() < 0.012


def test_bare_ground_is_its_own_spectrum():
    state = plants(5)
    bare = PlantState(state.kind, 0.0, 0.0, 40.0, 50.0, state.ground)
    assert table().reflectance(bare)[:, 0] == pytest.approx(state.ground @ table().ground, rel=1e-5)


def test_factors_multiply_the_leaf_area():
    state = plants(20)
    half = PlantState(
        state.kind, 0.5 * state.green_lai, 0.5 * state.brown_lai, state.chlorophyll, state.leaf_angle, state.ground
    )
    found = table().reflectance(state, (1.0, 0.5))
    assert found.shape == (20, 2, 12)
    assert found[:, 1] == pytest.approx(table().reflectance(half)[:, 0], abs=1e-5)


def test_platforms_see_the_same_canopy_a_little_differently():
    state = plants(50)
    first, second = (table_for(flight(platform=name)).reflectance(state) for name in ("S2A", "S2B"))
    difference = np.abs(first - second).max(axis=(0, 1))
    assert difference.max() < 0.05
    assert difference[SURFACE_BANDS.index("B06")] > 1e-3


def test_low_sun_is_refused():
    with pytest.raises(InputError, match="sun zenith angle 85"):
        table_for(flight(sun=85.0))


@settings(max_examples=60, deadline=None)
@given(
    kind=st.integers(0, 1),
    green=st.floats(0, 12),
    brown=st.floats(0, 6),
    chlorophyll=st.floats(0, 100),
    angle=st.floats(5, 85),
    brightness=st.floats(0.5, 1.5),
    wetness=st.floats(-0.2, 1.2),
    residue=st.floats(0, 1),
)
def test_reflectance_lies_between_nothing_and_all(kind, green, brown, chlorophyll, angle, brightness, wetness, residue):
    state = PlantState(
        np.array([kind]), green, brown, chlorophyll, angle, ground_weights([brightness], [wetness], [residue])
    )
    found = table().reflectance(state, (0.6, 1.0, 1.4))
    assert (found > 0).all()
    assert (found < 1).all()


@settings(max_examples=60, deadline=None)
@given(
    kind=st.integers(0, 1),
    chlorophyll=st.floats(20, 70),
    angle=st.floats(35, 65),
    brightness=st.floats(0.6, 1.4),
    wetness=st.floats(0, 1),
)
def test_ndvi_rises_with_green_leaf_area_until_it_saturates(kind, chlorophyll, angle, brightness, wetness):
    areas = np.linspace(0, 4, 41)
    ground = np.repeat(ground_weights([brightness], [wetness], [0.1]), len(areas), axis=0)
    state = PlantState(np.full(len(areas), kind), areas, 0.0, chlorophyll, angle, ground)
    rise = np.diff(ndvi(table().reflectance(state)[:, 0]))
    assert (rise > -0.002).all()
    assert (rise[:15] > 0).all()


@settings(max_examples=40, deadline=None)
@given(brightness=st.floats(0.6, 1.4), wetness=st.floats(0, 0.95))
def test_wet_ground_is_darker(brightness, wetness):
    drier, wetter = ground_weights([brightness] * 2, [wetness, wetness + 0.05], [0.1, 0.1]) @ table().ground
    assert (wetter < drier).all()
