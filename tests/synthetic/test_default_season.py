"""The default season looks like a season of temperate Europe (ranges: the issue's "Shown by").

Values are parcel means over inner pixels (share of the parcel above 0.99), optical ones of dates on which the pixels
are clear in truth and SCL 4 or 5. "The bulk" is the 10th to the 90th percentile of parcels and dates.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import season_cases
from season_cases import NETWORK_SETS, Flags, Floats, OpticalSeason, RadarSeason, days_since, is_growth, rmse

from s4c_lib.synthetic.crops import Growth
from s4c_lib.synthetic.radar.conditions import moment, rain_before, rain_between
from s4c_lib.synthetic.world import SeasonOptions, World, make_world, previous_pass

pytestmark = pytest.mark.slow

WINTER_CEREALS = (Growth.WINTER_WHEAT, Growth.WINTER_BARLEY)
CEREALS = (*WINTER_CEREALS, Growth.SPRING_BARLEY)
BROADLEAF = (
    Growth.MAIZE, Growth.SUGAR_BEET, Growth.POTATO, Growth.WINTER_RAPE, Growth.BEANS, Growth.LUCERNE,
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SeasonOptions())


@pytest.fixture(scope="module")
def optical(world: World) -> OpticalSeason:
    return season_cases.optical_season(world)


@pytest.fixture(scope="module")
def radar(world: World) -> RadarSeason:
    return season_cases.radar_season(world)


def assert_bulk(values: Floats, low: float, high: float, *, least: int, tails: float = 10) -> None:
    """The values without their tails (percent on each side) lie within a range; there are enough of them."""
    values = values[np.isfinite(values)]
    assert values.size >= least
    first, middle, last = np.percentile(values, [tails, 50, 100 - tails])
    said = f"{first:.3f} - {middle:.3f} - {last:.3f} of {values.size}"
    assert low <= first, said
    assert last <= high, said


# --- optical -----------------------------------------------------------------------------------------------------


class Seen:
    """State of each parcel (passes, parcels) on the dates of a sensor."""

    def __init__(self, world: World, day: npt.NDArray[np.int64], months: list[int]) -> None:
        self.world, self.day = world, day
        self.green, self.brown, self.residue, self.wetness = (
            state[:, day].T
            for state in (
                world.canopy.green_lai, world.canopy.brown_lai, world.canopy.residue, world.canopy.soil_wetness,
            )
        )  # fmt: skip
        self.month = np.array(months)[:, None]

    def growth(self, *growths: Growth) -> Flags:
        return np.broadcast_to(is_growth(self.world, *growths), self.green.shape)

    def since(self, *events: str) -> npt.NDArray[np.int64]:
        return days_since(self.world, *events)[:, self.day].T

    @property
    def bare(self) -> Flags:
        """Neither leaves nor stems; straw and stubble lie flat or are absent."""
        return np.asarray((self.green < 0.02) & (self.brown < 0.05))


@pytest.fixture(scope="module")
def seen(world: World, optical: OpticalSeason) -> Seen:
    return Seen(world, optical.day, [day.month for day in optical.dates])


@pytest.fixture(scope="module")
def mid_july(optical: OpticalSeason) -> Flags:
    return np.array([day.month == 7 and 8 <= day.day <= 22 for day in optical.dates])[:, None]


def test_bare_soil_is_hardly_green(optical: OpticalSeason, seen: Seen) -> None:
    assert_bulk(optical.ndvi[seen.bare & (seen.residue < 0.2)], 0.10, 0.25, least=500)


def test_dense_cereals_are_green_in_may_and_ripe_ones_yellow_in_july(
    optical: OpticalSeason, seen: Seen, mid_july: Flags
) -> None:
    may = seen.growth(*CEREALS) & (seen.month == 5)
    assert_bulk(optical.ndvi[may & (seen.green > 3)], 0.75, 0.92, least=100)
    # Ripe: standing, green leaves less than a third of the dead ones.
    standing = seen.growth(*CEREALS) & (seen.brown > 1) & mid_july
    assert_bulk(optical.ndvi[standing & (seen.green < 0.3 * seen.brown)], 0.25, 0.45, least=50)


def test_maize_covers_the_soil_from_may_to_august(optical: OpticalSeason, seen: Seen) -> None:
    maize = seen.growth(Growth.MAIZE)
    assert_bulk(optical.ndvi[maize & (seen.month == 5)], 0.12, 0.35, least=100)
    assert_bulk(optical.ndvi[maize & (seen.month == 8)], 0.75, 0.92, least=100)


def test_sugar_beet_is_green_in_august(optical: OpticalSeason, seen: Seen) -> None:
    assert_bulk(optical.ndvi[seen.growth(Growth.SUGAR_BEET) & (seen.month == 8)], 0.75, 0.90, least=100)


def test_a_cut_shows_in_grassland(world: World, optical: OpticalSeason, seen: Seen) -> None:
    grassland = seen.growth(Growth.GRASSLAND)
    cut, grazed = seen.since("mowing"), seen.since("grazing")
    # Uncut: regrown for four weeks, nothing grazes; from April, when growth is under way.
    uncut = grassland & (cut >= 28) & (grazed > 200) & (seen.month >= 4)
    just_mown = grassland & (cut <= 3)
    assert_bulk(optical.ndvi[uncut], 0.65, 0.90, least=500)
    assert_bulk(optical.ndvi[just_mown], 0.35, 0.65, least=100)
    assert_bulk(seen.green[uncut], 2, 5, least=1000)
    assert_bulk(seen.green[just_mown], 0.5, 1.5, least=500)


def test_crops_reach_the_leaf_area_of_their_kind(world: World) -> None:
    highest = world.canopy.green_lai.max(axis=1)
    # Spring barley stays thinner (3.5-5): it tillers for weeks less.
    assert_bulk(highest[is_growth(world, *WINTER_CEREALS)], 4, 6, least=50)
    assert_bulk(highest[is_growth(world, Growth.SPRING_BARLEY)], 3.3, 5.2, least=8)
    assert_bulk(highest[is_growth(world, Growth.MAIZE)], 3.5, 5.5, least=50)


def test_half_of_the_ground_lies_under_cloud(optical: OpticalSeason) -> None:
    assert 0.45 <= optical.cloud_share.mean() <= 0.65
    # As in nature most passes are nearly clear or nearly closed.
    assert np.mean(optical.cloud_share < 0.15) > 0.15
    assert np.mean(optical.cloud_share > 0.9) > 0.15


# --- networks ----------------------------------------------------------------------------------------------------


def test_the_network_finds_the_leaf_area_of_noise_free_pixels(optical: OpticalSeason) -> None:
    truth, found = optical.pixels["sl2p_v3_20m"]
    assert truth.size > 1_000_000
    assert rmse((found - truth)[truth <= 6]) <= 0.9
    assert rmse((found - truth)[truth < 3]) <= 0.4


def test_the_network_finds_it_for_every_crop(world: World, optical: OpticalSeason, seen: Seen) -> None:
    truth = seen.green * optical.factor
    error = optical.lai["sl2p_v3_20m"] - truth
    for growth in Growth:
        here = seen.growth(growth) & np.isfinite(error)
        assert here.any(), growth
        assert rmse(error[here & (truth <= 6)]) <= 0.6, growth
        assert rmse(error[here & (truth < 3)]) <= 0.5, growth


def test_both_networks_side_by_side(world: World, optical: OpticalSeason) -> None:
    """Print the table of docs/synthetic.md (``pytest -s``)."""
    print()
    print("\n".join(season_cases.network_table(world, optical)))
    for name in NETWORK_SETS:
        truth, found = optical.pixels[name]
        # The reference's network saturates earlier: it misses half a unit above LAI 3.
        assert rmse((found - truth)[truth <= 6]) <= 0.6, name


# --- radar -------------------------------------------------------------------------------------------------------


class Pairs(Seen):
    """State of each parcel at the later pass of each pair, and what happened between the two."""

    def __init__(self, world: World, radar: RadarSeason) -> None:
        super().__init__(world, radar.day, [day.month for day in radar.dates])
        self.radar = radar
        earlier = np.maximum(radar.previous, 0)
        canopy = world.canopy
        self.six_days = (radar.previous >= 0) & (radar.day - radar.previous == 6)
        self.green_before, self.brown_before = canopy.green_lai[:, earlier].T, canopy.brown_lai[:, earlier].T
        self.wetness_change = np.abs(self.wetness - canopy.soil_wetness[:, earlier].T)
        self.worked = np.array(
            [canopy.change[:, first + 1 : last + 1].max(axis=1) for first, last in zip(earlier, radar.day, strict=True)]
        )
        # Rain at either pass (12 hours before it), and between them.
        rain = []
        for flight in world.radar:
            before = previous_pass(world.radar, flight) or flight
            between = rain_between(world.weather, moment(world.weather, before), moment(world.weather, flight))
            rain.append((max(rain_before(world.weather, flight), rain_before(world.weather, before)), between))
        self.rain_at_pass, self.rain_between = np.array(rain).T[:, :, None]

    @property
    def undisturbed(self) -> Flags:
        """Six days without field work."""
        return np.asarray((self.worked < 0.02) & self.six_days[:, None])

    @property
    def bare(self) -> Flags:
        return np.asarray(
            (np.maximum(self.green, self.green_before) < 0.02) & (np.maximum(self.brown, self.brown_before) < 0.05)
        )

    @property
    def steady(self) -> Flags:
        """Undisturbed, and as wet at the first pass as at the second."""
        return np.asarray(self.undisturbed & (self.wetness_change < 0.1) & (self.rain_at_pass < 1))


@pytest.fixture(scope="module")
def pairs(world: World, radar: RadarSeason) -> Pairs:
    return Pairs(world, radar)


def test_backscatter_lies_where_fields_lie(world: World, radar: RadarSeason) -> None:
    assert_bulk(radar.vv, -14, -6, least=10_000, tails=1)
    assert_bulk(radar.vh, -22, -12, least=10_000, tails=1)
    for growth in Growth:
        assert_bulk(radar.vv[:, is_growth(world, growth)], -14, -6, least=100, tails=5)
        assert_bulk(radar.vh[:, is_growth(world, growth)], -22, -12, least=100, tails=5)


def test_broad_leaves_depolarise_and_bare_soil_does_not(radar: RadarSeason, pairs: Pairs) -> None:
    ratio = radar.vh - radar.vv
    assert_bulk(ratio[pairs.bare], -12, -7, least=1000)
    assert_bulk(ratio[pairs.growth(*BROADLEAF) & (pairs.green > 3)], -8, -4, least=1000)


@pytest.mark.parametrize("cereal", CEREALS)
def test_vv_of_cereals_is_lowest_in_may_or_june(world: World, radar: RadarSeason, cereal: Growth) -> None:
    months = np.array([day.month for day in radar.dates])
    vv = {month: np.nanmedian(radar.vv[months == month][:, is_growth(world, cereal)]) for month in range(3, 11)}
    assert min(vv, key=lambda month: vv[month]) in (5, 6)
    assert max(vv.values()) - min(vv.values()) > 2


def test_bare_soil_keeps_its_phase_and_dense_canopies_do_not(radar: RadarSeason, pairs: Pairs) -> None:
    assert_bulk(radar.coherence_vv[pairs.bare & pairs.steady], 0.55, 0.85, least=300)
    dense = np.minimum(pairs.green, pairs.green_before) > 3
    assert_bulk(radar.coherence_vv[dense & pairs.undisturbed], 0.15, 0.35, least=1000)


def test_rain_takes_coherence_from_bare_soil(radar: RadarSeason, pairs: Pairs) -> None:
    steady = np.where(pairs.bare & pairs.steady, radar.coherence_vv, np.nan)
    known = np.isfinite(steady).sum(axis=0) >= 2
    usual = _mean(steady, np.isfinite(steady))
    # Wet: a rainy pass, or one pass on dry ground and one on wet.
    wet = pairs.bare & pairs.undisturbed & known & ((pairs.rain_at_pass > 8) | (pairs.wetness_change > 0.25))
    assert_bulk((usual - radar.coherence_vv)[wet], 0.1, 0.4, least=100)


def test_harvest_brings_coherence_back(world: World, radar: RadarSeason, pairs: Pairs) -> None:
    since = pairs.since("harvest")
    until = _days_until(world, "harvest")[:, radar.day].T
    # Undisturbed pairs within the month before and after; the stubble is not worked yet. Means of some four pairs keep
    # noise of 0.02-0.03, which widens the range by as much.
    after = pairs.undisturbed & (since >= 6) & (since < 30)
    before = pairs.undisturbed & (until > 0) & (until <= 30)
    assert_bulk(_mean(radar.coherence_vv, after) - _mean(radar.coherence_vv, before), 0.1, 0.42, least=50)


def test_tillage_takes_a_tenth_to_four_tenths(world: World, radar: RadarSeason, pairs: Pairs) -> None:
    """The bulk, not the tails: bare soil at 0.75 that is ploughed whole falls to the estimator's floor at 0.15."""
    drops = _drops_by_tillage(world, radar, pairs, pairs.worked > 0)
    assert 0.2 <= np.median(drops) <= 0.4
    assert np.mean((drops >= 0.1) & (drops <= 0.4)) >= 0.6


def _drops_by_tillage(world: World, radar: RadarSeason, pairs: Pairs, among: Flags) -> Floats:
    """Coherence of undisturbed pairs of the three weeks before less that of the pair that spans the tillage."""
    tilled = (pairs.since("cultivation", "ploughing") < 6) & pairs.six_days[:, None] & among
    drops = []
    for pair, parcel in np.argwhere(tilled):
        earlier = (radar.day <= radar.previous[pair]) & (radar.day > radar.day[pair] - 25)
        before = radar.coherence_vv[earlier & pairs.undisturbed[:, parcel], parcel]
        if before.size:
            drops.append(before.mean() - radar.coherence_vv[pair, parcel])
    values = np.array(drops)
    return values[np.isfinite(values)]


def _days_until(world: World, event: str) -> npt.NDArray[np.int64]:
    """Days until the season's next such event, 9999 after the last, (parcels, days)."""
    today = days_since(world, event) == 0
    result = np.full(today.shape, 9999, dtype=np.int64)
    for day in range(today.shape[1] - 2, -1, -1):
        result[:, day] = np.where(today[:, day + 1], 1, np.minimum(result[:, day + 1] + 1, 9999))
    return result


def _mean(values: Floats, among: Flags) -> Floats:
    """Mean of each column; NaN where there is nothing."""
    there = among & np.isfinite(values)
    count = there.sum(axis=0)
    sums = np.where(there, values, 0).sum(axis=0)
    return np.divide(sums, count, out=np.full(len(count), np.nan), where=count > 0)
