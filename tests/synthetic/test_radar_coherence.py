from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from radar_cases import (
    BARE,
    BEET_AUGUST,
    GRASS_MOWN,
    GRASS_UNCUT,
    MAIZE_AUGUST,
    RAPE_MAY,
    STUBBLE,
    WHEAT_MAY,
    WHEAT_RIPE,
    canopy,
    evening,
    morning,
    parcels,
    weather,
)

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Canopy
from s4c_lib.synthetic.crops import Cover, Growth
from s4c_lib.synthetic.radar.backscatter import contributions
from s4c_lib.synthetic.radar.coherence import LEAST, cover_coherence, parcel_coherence
from s4c_lib.synthetic.radar.conditions import radar_character

DRY = weather()
NOW, SIX, TWELVE = evening(18), evening(12, "S1B"), evening(6)


def of(growth: Growth, state: dict[str, float], days: int = 6, **of_weather: object) -> np.ndarray:
    """Coherence (2,) of a canopy that stays as it is."""
    previous = SIX if days == 6 else TWELVE
    sky = weather(**of_weather)  # type: ignore[arg-type]
    return parcel_coherence(parcels(growth), canopy([state]), sky, NOW, previous)[0]


def worked(state: dict[str, float], day: int, change: float) -> Canopy:
    """A canopy with one field operation."""
    result = canopy([state])
    result.change[:, day] = change
    return result


def test_bare_soil_is_stable_and_dense_canopies_are_not() -> None:
    bare = of(Growth.SUGAR_BEET, BARE)
    assert 0.55 < bare[0] < 0.85
    for growth, state in (
        (Growth.WINTER_WHEAT, WHEAT_MAY),
        (Growth.MAIZE, MAIZE_AUGUST),
        (Growth.SUGAR_BEET, BEET_AUGUST),
        (Growth.WINTER_RAPE, RAPE_MAY),
        (Growth.GRASSLAND, GRASS_UNCUT),
    ):
        # The estimate is biased upwards by 0.03-0.05 here, into 0.15-0.35.
        assert 0.12 < of(growth, state)[0] < 0.32, growth


@pytest.mark.parametrize(("growth", "state"), [(Growth.MAIZE, BARE), (Growth.GRASSLAND, GRASS_UNCUT)])
def test_vh_lies_below_vv_and_twelve_days_below_six(growth: Growth, state: dict[str, float]) -> None:
    six, twelve = of(growth, state), of(growth, state, 12)
    assert six[1] < six[0] < six[1] + 0.2
    assert np.all(twelve < six)


def test_coherence_rises_after_mowing_and_after_harvest() -> None:
    assert 0.1 < of(Growth.GRASSLAND, GRASS_MOWN)[0] - of(Growth.GRASSLAND, GRASS_UNCUT)[0] < 0.4
    assert 0.1 < of(Growth.WINTER_WHEAT, STUBBLE)[0] - of(Growth.WINTER_WHEAT, WHEAT_RIPE)[0] < 0.4


def test_rain_between_or_at_the_passes_takes_a_tenth_to_four_tenths() -> None:
    dry = of(Growth.MAIZE, BARE)[0]
    showers = of(Growth.MAIZE, BARE, rain={14: 15.0, 16: 15.0})[0]
    at_pass = of(Growth.MAIZE, BARE, rain={18: 20.0})[0]
    assert 0.05 < dry - showers < 0.4
    assert 0.1 < dry - at_pass < 0.4
    wetter = canopy([BARE])
    wetter.soil_wetness[:, 18:] += 0.4
    assert 0.1 < dry - parcel_coherence(parcels(Growth.MAIZE), wetter, DRY, NOW, SIX)[0, 0] < 0.4


def test_a_field_operation_counts_between_the_passes_only() -> None:
    maize = parcels(Growth.MAIZE)
    still = of(Growth.MAIZE, BARE)
    for day in (13, 15, 18):
        ploughed = parcel_coherence(maize, worked(BARE, day, 0.5), DRY, NOW, SIX)[0]
        assert ploughed == pytest.approx(0.5 * still, rel=1e-4)
    for day in (12, 19):
        assert parcel_coherence(maize, worked(BARE, day, 0.5), DRY, NOW, SIX)[0] == pytest.approx(still)


def test_work_of_the_day_comes_after_the_morning_pass() -> None:
    maize = parcels(Growth.MAIZE)
    at = {
        day: parcel_coherence(maize, worked(BARE, day, 0.9), DRY, morning(18), morning(12))[0, 0]
        for day in (11, 12, 17, 18)
    }
    assert at[11] == at[18] > 0.5
    assert max(at[12], at[17]) < 0.2


def test_two_operations_add_up() -> None:
    twice = worked(BARE, 14, 0.5)
    twice.change[:, 16] = 0.4
    found = parcel_coherence(parcels(Growth.MAIZE), twice, DRY, NOW, SIX)[0]
    assert found == pytest.approx(0.5 * 0.6 * of(Growth.MAIZE, BARE), rel=1e-4)


def test_freezing_between_the_passes_shows() -> None:
    assert of(Growth.MAIZE, BARE, frozen=[18])[0] < of(Growth.MAIZE, BARE)[0] - 0.2


def test_parts_at_hand_give_the_same() -> None:
    maize, state = parcels(Growth.MAIZE, Growth.GRASSLAND), canopy([BARE, GRASS_UNCUT])
    character = radar_character(1, 2)
    parts = tuple(contributions(maize, state, DRY, flight, character) for flight in (SIX, NOW))
    given_parts = parcel_coherence(maize, state, DRY, NOW, SIX, character, parts=(parts[0], parts[1]))
    np.testing.assert_array_equal(given_parts, parcel_coherence(maize, state, DRY, NOW, SIX, character))


def test_towns_are_stable_and_water_is_not() -> None:
    values = dict(zip(Cover, cover_coherence(DRY, NOW, SIX), strict=True))
    assert 0.8 < values[Cover.BUILT_UP][0] < 0.9
    assert np.all(values[Cover.WATER] < 0.1)
    assert 0.05 < values[Cover.FOREST][0] < 0.2
    assert np.all(cover_coherence(DRY, NOW, TWELVE) <= cover_coherence(DRY, NOW, SIX))


def test_pairs_that_make_no_sense_are_refused() -> None:
    maize, state = parcels(Growth.MAIZE), canopy([BARE])
    with pytest.raises(InputError, match="no coherence between"):
        parcel_coherence(maize, state, DRY, SIX, NOW)
    with pytest.raises(InputError, match="no coherence between"):
        parcel_coherence(maize, state, DRY, NOW, replace(SIX, relative_orbit=37))


fraction = st.floats(0, 1, width=32)


@given(
    growth=st.sampled_from(list(Growth)),
    lai=st.floats(0, 7, width=32),
    water=st.floats(0, 8, width=32),
    wetness=fraction,
    rain=st.floats(0, 40, width=32),
    more=st.floats(1, 40, width=32),
    change=fraction,
    day=st.integers(13, 18),
)
def test_coherence_is_a_share_and_falls_with_rain_and_change(
    growth: Growth, lai: float, water: float, wetness: float, rain: float, more: float, change: float, day: int
) -> None:
    state = {"green_lai": lai, "canopy_water": water, "soil_wetness": wetness, "roughness": 0.3}
    one = parcels(growth)
    usual = parcel_coherence(one, canopy([state]), weather(rain={15: rain}), NOW, SIX)
    assert np.all((usual >= LEAST) & (usual <= 1))
    wetter = parcel_coherence(one, canopy([state]), weather(rain={15: rain + more}), NOW, SIX)
    assert np.all(wetter <= usual)
    changed = parcel_coherence(one, worked(state, day, change), weather(rain={15: rain}), NOW, SIX)
    assert np.all(changed <= usual)
