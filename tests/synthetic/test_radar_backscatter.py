from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from radar_cases import (
    BARE,
    BEANS_JULY,
    BEET_AUGUST,
    DAYS,
    FIRST,
    GRASS_MOWN,
    GRASS_UNCUT,
    MAIZE_AUGUST,
    POTATO_JULY,
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
from s4c_lib.synthetic.crops import CROPS, Cover, Growth
from s4c_lib.synthetic.passes import RadarPass
from s4c_lib.synthetic.radar.backscatter import contributions, cover_backscatter, parcel_backscatter, soil_sigma0
from s4c_lib.synthetic.radar.conditions import radar_character, rain_before, state_index
from s4c_lib.synthetic.radar.parameters import SCATTERING

SUMMER = {
    Growth.WINTER_WHEAT: WHEAT_MAY,
    Growth.MAIZE: MAIZE_AUGUST,
    Growth.SUGAR_BEET: BEET_AUGUST,
    Growth.POTATO: POTATO_JULY,
    Growth.WINTER_RAPE: RAPE_MAY,
    Growth.BEANS: BEANS_JULY,
    Growth.GRASSLAND: GRASS_UNCUT,
}


def decibels(
    *cases: tuple[Growth, dict[str, float]], flight: RadarPass | None = None, **of_weather: object
) -> np.ndarray:
    """dB (cases, 2) of a pass on day 12."""
    sigma0 = parcel_backscatter(
        parcels(*(growth for growth, _ in cases)),
        canopy([state for _, state in cases]),
        weather(**of_weather),  # type: ignore[arg-type]
        flight or evening(12),
    )
    return 10 * np.log10(sigma0)


def test_every_growth_has_its_scattering() -> None:
    assert set(SCATTERING) == set(Growth) >= {crop.growth for crop in CROPS}


def test_bare_soil_worked_out_by_hand() -> None:
    # Wetness 0.5 is 22.5 % of water, roughness 0.35 is 1.57 cm; at 38 degrees
    # 10^-1.138 = 0.07278; 0.78801^1.528 = 0.69486; 10^(0.008 * 22.5 / 0.78129) = 1.6998;
    # 1.7788^(0.71 * 0.61566) = 1.2863; 0.3 dB = 1.0715
    value = soil_sigma0(np.array([0.5], np.float32), np.array([0.35], np.float32), 38.0, 0)
    assert value == pytest.approx(0.07278 * 0.69486 * 1.6998 * 1.2863 * 1.0715, rel=2e-4)
    assert 10 * np.log10(value[0]) == pytest.approx(-9.26, abs=0.01)


@pytest.mark.parametrize("wetness", [0.05, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("incidence", [33.0, 38.0, 43.0])
def test_bare_soil_lies_in_the_published_range(wetness: float, incidence: float) -> None:
    bare = (Growth.MAIZE, {**BARE, "soil_wetness": wetness})
    vv, vh = decibels(bare, flight=evening(12, incidence=incidence))[0]
    assert -14 < vv < -6
    assert -22 < vh < -12
    assert -12 < vh - vv < -7


@pytest.mark.parametrize("incidence", [33.0, 38.0, 43.0])
def test_crops_in_summer_lie_in_the_published_range(incidence: float) -> None:
    values = decibels(*SUMMER.items(), flight=evening(12, incidence=incidence))
    assert np.all((values > [-14, -22]) & (values < [-6, -12]))
    for growth, (vv, vh) in zip(SUMMER, values, strict=True):
        if growth not in (Growth.WINTER_WHEAT, Growth.GRASSLAND):
            assert -8 < vh - vv < -4, growth


def test_cereals_are_darkest_in_vv_when_green_and_upright() -> None:
    bare, march, may, ripe, stubble = decibels(
        (Growth.WINTER_WHEAT, BARE),
        (Growth.WINTER_WHEAT, {**BARE, "green_lai": 1.2, "canopy_water": 0.5}),
        (Growth.WINTER_WHEAT, WHEAT_MAY),
        (Growth.WINTER_WHEAT, WHEAT_RIPE),
        (Growth.WINTER_WHEAT, STUBBLE),
    )[:, 0]
    assert may < ripe < stubble
    assert may < march < bare
    assert bare - may > 2.5


def test_rape_depolarises_most() -> None:
    values = decibels(*SUMMER.items())
    ratio = dict(zip(SUMMER, values[:, 1] - values[:, 0], strict=True))
    assert max(ratio, key=ratio.__getitem__) == Growth.WINTER_RAPE


def test_mowing_shows_the_soil() -> None:
    uncut, mown = decibels((Growth.GRASSLAND, GRASS_UNCUT), (Growth.GRASSLAND, GRASS_MOWN))
    assert 0.3 < mown[0] - uncut[0] < 2
    assert mown[1] - mown[0] < uncut[1] - uncut[0]


def test_rows_shine_when_looked_at_square() -> None:
    state = [{**BARE, "roughness": 0.6}]
    flight = evening(12)
    across, along = (
        parcel_backscatter(parcels(Growth.POTATO, row_angle=angle), canopy(state), weather(), flight)[0]
        for angle in ((flight.look_azimuth + 90) % 180, flight.look_azimuth % 180)
    )
    gain = 10 * np.log10(across / along)
    assert 1.5 < gain[0] < 3
    assert 0 < gain[1] < gain[0]


def test_rain_on_leaves_brightens_and_frost_darkens() -> None:
    dense = (Growth.SUGAR_BEET, BEET_AUGUST)
    dry, rained = decibels(dense), decibels(dense, rain={12: 12.0})
    assert np.all((rained - dry > 0.5) & (rained - dry < 1.1))
    bare = (Growth.SUGAR_BEET, BARE)
    thawed, icy = decibels(bare, flight=morning(12)), decibels(bare, flight=morning(12), frozen=[12])
    assert np.all((icy - thawed < -1.2) & (icy - thawed > -4))


def test_the_evening_sees_the_mowing_of_the_day_and_the_morning_does_not() -> None:
    cut = canopy([GRASS_UNCUT])
    cut.canopy_water[:, 12:] = GRASS_MOWN["canopy_water"]
    grass = parcels(Growth.GRASSLAND)
    dry = weather()
    before, at_noon = (contributions(grass, cut, dry, flight).soil for flight in (evening(11), evening(12)))
    at_dawn = contributions(grass, cut, dry, morning(12)).soil
    assert np.all(at_noon > before * 1.5)
    np.testing.assert_array_equal(at_dawn, contributions(grass, canopy([GRASS_UNCUT]), dry, morning(12)).soil)


def test_rain_counts_for_the_twelve_hours_before_the_pass() -> None:
    assert rain_before(weather(rain={12: 24.0}), evening(12)) == pytest.approx(12)
    # 5:24: what fell in the night, and the evening before.
    assert rain_before(weather(rain={12: 24.0}), morning(12)) == pytest.approx(5.4)
    assert rain_before(weather(rain={11: 24.0}), morning(12)) == pytest.approx(6.6)
    assert rain_before(weather(rain={13: 24.0}), evening(12)) == 0


def test_a_pass_outside_the_season_is_refused() -> None:
    state = canopy([BARE])
    with pytest.raises(InputError, match="canopy is not known"):
        state_index(state, evening(DAYS))
    with pytest.raises(InputError, match="canopy is not known"):
        state_index(state, evening(-1))
    assert state_index(state, morning(0)) == 0
    assert evening(0).start.date() == FIRST == morning(1).start.date() - timedelta(days=1)


def test_covers_look_like_themselves() -> None:
    levels = dict(zip(Cover, 10 * np.log10(cover_backscatter(weather(), evening(12))), strict=True))
    assert levels[Cover.BUILT_UP][0] == pytest.approx(-5, abs=1)
    assert levels[Cover.WATER][0] == pytest.approx(-20, abs=2)
    assert levels[Cover.FOREST] == pytest.approx([-9, -14], abs=1)
    assert -14 < levels[Cover.MARGIN][0] < -10


def test_parcels_of_a_crop_differ_and_the_seed_fixes_how() -> None:
    one, again, other = radar_character(1, 400), radar_character(1, 400), radar_character(2, 400)
    np.testing.assert_array_equal(one.offset_db, again.offset_db)
    assert not np.array_equal(one.offset_db, other.offset_db)
    assert not np.array_equal(one.offset_db, radar_character(1, 400, chunk=1).offset_db)
    assert np.all((one.offset_db.std(axis=0) > 0.5) & (one.offset_db.std(axis=0) < 0.85))


fraction = st.floats(0, 1, width=32)


@given(
    growth=st.sampled_from(list(Growth)),
    lai=st.floats(0, 7, width=32),
    brown=st.floats(0, 4, width=32),
    water=st.floats(0, 8, width=32),
    wetness=fraction,
    roughness=fraction,
    residue=fraction,
    rain=st.floats(0, 60, width=32),
    incidence=st.floats(29, 46),
    hour=st.sampled_from([5, 17]),
)
def test_sigma0_is_always_a_sound_number(
    growth: Growth,
    lai: float,
    brown: float,
    water: float,
    wetness: float,
    roughness: float,
    residue: float,
    rain: float,
    incidence: float,
    hour: int,
) -> None:
    state = {
        "green_lai": lai, "brown_lai": brown, "canopy_water": water, "soil_wetness": wetness, "roughness": roughness,
        "residue": residue,
    }  # fmt: skip
    flight = evening(12, incidence=incidence, hour=hour)
    vv, vh = decibels((growth, state), flight=flight, rain={12: rain})[0]
    assert -18 < vv < -2
    assert -26 < vh < -9
    assert vh < vv - 2.5


@given(st.floats(0, 0.9), st.floats(0, 1))
def test_wetter_soil_is_brighter(wetness: float, roughness: float) -> None:
    values = np.array([wetness, wetness + 0.1], np.float32), np.full(2, roughness, np.float32)
    for polarisation in (0, 1):
        dry, wet = soil_sigma0(*values, 38.0, polarisation)
        assert dry < wet
