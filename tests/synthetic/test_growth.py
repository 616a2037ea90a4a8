"""Field work, canopies and their truth: ranges of the issue, order of events, independence of chunks."""

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import EVENT_KINDS, EVENTS_SCHEMA, Canopy, Weather
from s4c_lib.synthetic.crops import CROPS, CatchCrop, Cover, Growth, ParcelTraits, Regime
from s4c_lib.synthetic.growth.canopies import cover_canopy, grow
from s4c_lib.synthetic.growth.truth import daily_lai_table, parcel_truth_table
from s4c_lib.synthetic.growth.weather import make_weather

START, END = date(2021, 3, 1), date(2021, 10, 31)
STATES = (
    "green_lai", "brown_lai", "chlorophyll", "leaf_angle", "canopy_water", "soil_wetness", "soil_brightness",
    "residue", "roughness", "change",
)  # fmt: skip
GROWTH_OF = np.array([crop.growth.value for crop in CROPS])


def make_traits(parcels: int, seed: int = 0) -> ParcelTraits:
    """A plausible mix, with a fifth of each kind of catch crop where one can follow."""
    rng = np.random.default_rng(seed)
    share = np.array([crop.share for crop in CROPS])
    share = 0.5 * share / share.sum() + 0.5 / len(share)  # enough parcels of rare crops
    crop = rng.choice(len(CROPS), parcels, p=share / share.sum()).astype(np.int16)
    growth = GROWTH_OF[crop]
    regime = np.where(np.isin(growth, ["grassland", "rough_grass"]), rng.integers(1, 7, parcels), 0)
    catch = np.where(
        np.isin(growth, ["winter_wheat", "winter_barley", "spring_barley"]), rng.integers(0, 2, parcels), 0
    )
    catch = np.where(growth == "maize", rng.integers(0, 3, parcels), catch)
    return ParcelTraits(
        parcel_id=np.arange(parcels, dtype=np.int64) * 3 + 11,
        crop=crop,
        declared=np.where(rng.random(parcels) < 0.02, 0, crop).astype(np.int16),
        regime=regime.astype(np.int8),
        catch_crop=catch.astype(np.int8),
        practice=np.zeros(parcels, dtype=np.int8),
        area_m2=np.full(parcels, 18_000, dtype=np.float32),
        row_angle=np.zeros(parcels, dtype=np.float32),
        soil_brightness=rng.normal(1, 0.15, parcels).clip(0.6, 1.4).astype(np.float32),
    )


class Grown:
    """A grown season with look-ups."""

    def __init__(self, start: date, end: date, *, seed: int = 1, parcels: int = 3000, chunk: int = 0) -> None:
        self.start, self.end = start, end
        self.weather: Weather = make_weather(seed, start, end)
        self.traits = make_traits(parcels)
        self.canopy: Canopy
        self.events: pa.Table
        self.canopy, self.events = grow(self.traits, self.weather, start=start, end=end, seed=seed, chunk=chunk)
        self.growth = GROWTH_OF[self.traits.crop]
        self.position = (self.events["parcel_id"].to_numpy() - 11) // 3
        self.name = np.asarray(self.events["event"].to_pylist(), dtype=np.str_)
        self.day = (
            self.events["date"].to_numpy().astype("datetime64[D]") - np.datetime64(self.canopy.first_day)
        ).astype(int)
        self.intensity = self.events["intensity"].to_numpy()

    def lai(self, growth: Growth, first: date, last: date) -> npt.NDArray[np.float32]:
        """Mean of the days (parcels of this growth,)."""
        days = slice(self.canopy.index(first), self.canopy.index(last) + 1)
        return np.asarray(self.canopy.green_lai[self.growth == growth.value, days].mean(axis=1))


@pytest.fixture(scope="module")
def season() -> Grown:
    return Grown(START, END)


def most(values: npt.NDArray[np.float32], low: float, high: float, share: float = 0.9) -> bool:
    """Whether the median and nearly all lie in the range (odd parcels exist)."""
    return low <= np.median(values) <= high and ((values >= low) & (values <= high)).mean() >= share


def test_arrays_have_one_row_a_parcel_and_one_column_a_day_from_two_weeks_before(season: Grown) -> None:
    assert season.canopy.first_day == START - timedelta(days=15)
    assert season.canopy.days == (END - START).days + 16
    for name in STATES:
        values = getattr(season.canopy, name)
        assert values.shape == (3000, 260), name
        assert values.dtype == np.float32, name
        assert values.flags.c_contiguous, name


def test_leaf_area_lies_in_the_ranges_of_the_issue(season: Grown) -> None:
    dense = season.lai(Growth.WINTER_WHEAT, date(2021, 5, 15), date(2021, 5, 31))
    assert most(dense, 4.0, 6.0)
    assert most(season.lai(Growth.WINTER_BARLEY, date(2021, 5, 5), date(2021, 5, 25)), 4.0, 6.0)
    assert most(season.lai(Growth.MAIZE, date(2021, 7, 25), date(2021, 8, 20)), 3.5, 5.5)
    assert most(season.lai(Growth.SUGAR_BEET, date(2021, 8, 1), date(2021, 8, 31)), 3.0, 5.5)
    assert np.median(season.lai(Growth.MAIZE, date(2021, 5, 1), date(2021, 5, 20))) < 0.1
    ripe = season.lai(Growth.WINTER_WHEAT, date(2021, 7, 14), date(2021, 7, 16))
    assert np.median(ripe) < 0.8
    before_cut = np.isin(season.traits.regime, [Regime.MODERATE, Regime.EXTENSIVE, Regime.INTENSIVE])
    grass = season.canopy.green_lai[before_cut & (season.growth == "grassland"), season.canopy.index(date(2021, 4, 18))]
    assert most(grass, 2.0, 5.0)


def test_ripe_cereals_stand_brown(season: Grown) -> None:
    wheat = season.growth == "winter_wheat"
    harvest = {p: d for p, d, n in zip(season.position, season.day, season.name, strict=True) if n == "harvest"}
    rows = [p for p in np.flatnonzero(wheat) if p in harvest]
    brown = np.array([season.canopy.brown_lai[p, harvest[p] - 3] for p in rows])
    green = np.array([season.canopy.green_lai[p, harvest[p] - 3] for p in rows])
    assert np.median(brown) > 1.5
    assert np.median(green) < 0.4


def test_cuts_leave_stubble_and_regrowth_takes_weeks(season: Grown) -> None:
    grass = np.isin(season.growth, ["grassland", "rough_grass"])
    cut = (season.name == "mowing") & (season.day > 0) & grass[season.position]
    rows, days = season.position[cut], season.day[cut]
    before, after = season.canopy.green_lai[rows, days - 1], season.canopy.green_lai[rows, days]
    assert (after < before).all()
    assert most(after, 0.5, 1.5)
    assert np.quantile(after, 0.02) > 0.35
    # The intensity is the share of the day's own standing leaf area.
    assert np.allclose(season.intensity[cut], 1 - after / before, atol=0.06)
    assert season.intensity[cut].min() > 0.15
    single = cut & (season.traits.regime[season.position] == Regime.MODERATE) & (season.day < 180)
    rows, days = season.position[single], season.day[single]
    lai = season.canopy.green_lai
    assert np.median(lai[rows, days + 5]) < 1.3
    assert np.median(lai[rows, days + 35]) > 2.2
    assert np.median(season.canopy.chlorophyll[rows, days] / season.canopy.chlorophyll[rows, days - 1]) < 0.75


def test_regimes_differ_as_they_should(season: Grown) -> None:
    in_season = (season.name == "mowing") & (season.day >= 15)
    cuts = np.bincount(season.position[in_season], minlength=3000)
    grazings = np.bincount(season.position[season.name == "grazing"], minlength=3000)
    regime = season.traits.regime
    assert 4 <= cuts[regime == Regime.INTENSIVE].mean() <= 6
    assert 2 <= cuts[regime == Regime.MODERATE].mean() <= 3
    assert cuts[regime == Regime.EXTENSIVE].max() == 1
    assert cuts[(regime == Regime.GRAZED) | (regime == Regime.UNUSED)].sum() == 0
    assert (grazings[regime == Regime.GRAZED] > 0).all()
    assert (grazings[regime == Regime.MIXED] > 0).mean() > 0.9
    first = np.full(3000, 10_000)
    np.minimum.at(first, season.position[in_season], season.day[in_season])
    assert first[regime == Regime.EXTENSIVE].min() >= season.canopy.index(date(2021, 6, 15))
    assert first[regime == Regime.INTENSIVE].min() >= season.canopy.index(date(2021, 4, 20))
    dry = season.weather.rain[season.weather.index(season.canopy.first_day) + season.day[in_season]] < 1.0
    assert dry.mean() > 0.85


def test_events_follow_the_schema_and_their_order(season: Grown) -> None:
    assert season.events.schema == EVENTS_SCHEMA
    assert set(season.name) == set(EVENT_KINDS)
    keys = list(zip(season.position, season.day, season.name, strict=True))
    assert keys == sorted(keys)
    assert season.day.max() < season.canopy.days
    end = season.events["end_date"]
    assert np.array_equal(np.asarray(end.is_valid()), season.name == "grazing")
    assert (season.day < 0).any()  # autumn sowing is truth too


def test_stages_of_a_crop_come_in_order(season: Grown) -> None:
    truth = parcel_truth_table(season.traits, season.events, start=START, end=END).to_pandas()
    stages = ["sowing", "emergence", "senescence", "harvest", "catch_crop_sowing", "catch_crop_destruction"]
    day = truth[stages].apply(lambda column: column.map(lambda d: np.nan if d is None else d.toordinal()))
    sown = truth["catch_crop"] == "sown"
    for earlier, later, rows in (
        ("sowing", "emergence", sown | True),
        ("emergence", "senescence", sown | True),
        ("senescence", "harvest", sown | True),
        ("harvest", "catch_crop_sowing", sown),
        ("catch_crop_sowing", "catch_crop_destruction", sown | True),
    ):
        both = day.loc[rows, [earlier, later]].dropna()
        assert len(both)
        assert (both[earlier] < both[later]).all(), (earlier, later)
    cereals = np.isin(season.growth, ["winter_wheat", "winter_barley", "spring_barley"])
    assert truth.loc[cereals, ["sowing", "emergence", "senescence", "harvest"]].notna().all().all()
    delay = (day["catch_crop_sowing"] - day["harvest"])[sown & cereals].dropna()
    assert delay.between(3, 21).all()
    delay = (day["catch_crop_sowing"] - day["harvest"])[sown & (season.growth == "maize")].dropna()
    assert delay.between(2, 10).all()
    assert day.loc[season.growth == "sugar_beet", "harvest"].isna().mean() > 0.2  # lifted after the season


def test_dates_spread_between_parcels(season: Grown) -> None:
    harvested = season.name == "harvest"
    for growth, low, high in (("winter_wheat", 3, 10), ("maize", 5, 12), ("potato", 7, 16)):
        mine = harvested & (season.growth[season.position] == growth) & (season.day > 0)
        assert low < season.day[mine].std() < high, growth


def test_operations_show_on_the_surface(season: Grown) -> None:
    canopy = season.canopy
    inside = season.day >= 1

    def of(name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        chosen = inside & (season.name == name) & (season.growth[season.position] != "fallow")
        return season.position[chosen], season.day[chosen]

    rows, days = of("ploughing")
    assert (canopy.change[rows, days] > 0.7).all()
    assert np.median(canopy.roughness[rows, days]) > 0.9
    assert (canopy.residue[rows, days] < 0.2).all()
    rows, days = of("mowing")
    assert np.median(canopy.change[rows, days]) == pytest.approx(0.5)
    rows, days = of("harvest")
    assert (canopy.change[rows, days] >= 0.5).all()
    straw = np.isin(season.growth[rows], ["winter_wheat", "spring_barley"])
    assert np.median(canopy.residue[rows[straw], days[straw]]) > 0.4
    quiet = np.ones_like(canopy.change, dtype=bool)
    quiet[season.position[inside], season.day[inside]] = False
    assert (canopy.change[quiet] > 0).mean() < 0.03  # baling, ridging, haulm killing, days of grazing
    assert (np.diff(canopy.roughness, axis=1)[quiet[:, 1:]] < 0.001).mean() > 0.99


def test_undersown_grass_is_there_when_the_maize_goes(season: Grown) -> None:
    maize = season.growth == "maize"
    last = season.canopy.green_lai[:, -1]
    under = last[maize & (season.traits.catch_crop == CatchCrop.UNDERSOWN)]
    none = last[maize & (season.traits.catch_crop == CatchCrop.NONE)]
    assert np.median(under) > np.median(none) + 0.4


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, END),
        (date(2021, 9, 1), date(2022, 4, 30)),
        (date(2021, 6, 10), date(2021, 6, 29)),
        (date(2023, 9, 1), date(2024, 8, 31)),
        (date(2024, 2, 20), date(2024, 3, 10)),
        (date(2021, 1, 1), date(2021, 12, 31)),
        (date(2021, 8, 1), date(2021, 8, 1)),
    ],
)
def test_any_season_is_sound_and_leaves_change_suddenly_only_with_an_event(start: date, end: date) -> None:
    grown = Grown(start, end, parcels=800)
    canopy = grown.canopy
    for name in STATES:
        values = getattr(canopy, name)
        assert np.isfinite(values).all(), name
        assert (values >= 0).all(), name
    assert canopy.green_lai.max() < 7.5
    for name in ("soil_wetness", "residue", "roughness", "change"):
        assert getattr(canopy, name).max() <= 1, name
    assert canopy.leaf_angle.min() >= 15
    assert canopy.leaf_angle.max() <= 80
    jump = np.abs(np.diff(canopy.green_lai, axis=1)) > 0.45
    worked = canopy.change[:, 1:] > 0
    for shift in range(6):  # sprayed and killed leaves wither within days, grazing goes on
        explained = np.zeros_like(worked)
        explained[:, shift:] = worked[:, : worked.shape[1] - shift]
        jump &= ~explained
    assert not jump.any()
    assert (grown.day < canopy.days).all()
    truth = parcel_truth_table(grown.traits, grown.events, start=start, end=end)
    assert truth.num_rows == 800
    assert daily_lai_table(grown.traits, canopy, start, end).num_rows == 800 * ((end - start).days + 1)


def test_one_seed_gives_the_same_bytes_and_chunks_differ(season: Grown) -> None:
    again = Grown(START, END)
    other = Grown(START, END, chunk=1)
    for name in STATES:
        assert getattr(season.canopy, name).tobytes() == getattr(again.canopy, name).tobytes(), name
    assert season.events.equals(again.events)
    assert not np.array_equal(season.canopy.green_lai, other.canopy.green_lai)


def test_a_parcel_does_not_depend_on_what_its_neighbours_grow(season: Grown) -> None:
    changed = make_traits(3000)
    others = np.arange(3000) % 2 == 1
    changed.crop[others] = 5
    changed.regime[others] = 0
    changed.catch_crop[others] = 0
    canopy, _ = grow(changed, season.weather, start=START, end=END, seed=1)
    for name in STATES:
        assert np.array_equal(getattr(canopy, name)[~others], getattr(season.canopy, name)[~others]), name


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000), start=st.dates(date(2016, 1, 1), date(2030, 1, 1)), days=st.integers(0, 365),
    parcels=st.integers(0, 60),
)  # fmt: skip
def test_no_seed_no_dates_break_growth(seed: int, start: date, days: int, parcels: int) -> None:
    end = start + timedelta(days=days)
    traits = make_traits(parcels, seed)
    canopy, events = grow(traits, make_weather(seed, start, end), start=start, end=end, seed=seed)
    for name in STATES:
        values = getattr(canopy, name)
        assert values.shape == (parcels, days + 16)
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert parcel_truth_table(traits, events, start=start, end=end).num_rows == parcels


def test_weather_of_another_season_is_refused(season: Grown) -> None:
    with pytest.raises(InputError, match="is not that of a season"):
        grow(season.traits, season.weather, start=START, end=END + timedelta(days=1), seed=1)
    with pytest.raises(InputError, match="is not that of a season"):
        cover_canopy(season.weather, start=date(2020, 8, 3), end=END)


def test_ground_between_fields(season: Grown) -> None:
    canopy = cover_canopy(season.weather, start=START, end=END)
    rows = {cover: row for row, cover in enumerate(Cover)}
    july, march = canopy.index(date(2021, 7, 1)), canopy.index(date(2021, 3, 5))
    forest, margin = rows[Cover.FOREST], rows[Cover.MARGIN]
    assert canopy.green_lai[forest, july] == pytest.approx(5, abs=0.4)
    assert canopy.green_lai[forest, march] == pytest.approx(1.8, abs=0.3)  # the pines
    assert canopy.brown_lai[forest, march] == pytest.approx(0.5, abs=0.1)
    assert 2.5 < canopy.green_lai[margin, july] < 4.5
    for name in STATES:
        values = getattr(canopy, name)
        assert values.shape == (len(Cover), canopy.days)
        assert values.dtype == np.float32
        assert (values[[rows[Cover.BUILT_UP], rows[Cover.WATER]]] == 0).all(), name


def test_the_truth_of_a_parcel_agrees_with_events_and_leaves(season: Grown) -> None:
    truth = parcel_truth_table(season.traits, season.events, start=START, end=END)
    frame = truth.to_pandas()
    assert frame["parcel_id"].tolist() == season.traits.parcel_id.tolist()
    wrong = season.traits.crop != season.traits.declared
    assert frame["mislabelled"].to_numpy().tolist() == wrong.tolist()
    assert frame.loc[0, "true_crop"] == CROPS[season.traits.crop[0]].code
    first = season.canopy.index(START)
    for row in range(200):
        mine = (season.position == row) & (season.name == "mowing") & (season.day >= first)
        dates = [season.canopy.first_day + timedelta(days=int(day)) for day in season.day[mine]]
        assert frame.loc[row, "mowings"] == len(dates)
        assert [d for d in frame.loc[row, [f"mowing_{k}" for k in range(1, 7)]] if d is not None] == dates[:6]
    daily = daily_lai_table(season.traits, season.canopy, START, END)
    days = (END - START).days + 1
    assert daily["parcel_id"][days].as_py() == season.traits.parcel_id[1]
    assert daily["date"][0].as_py() == START
    assert daily["lai"][days + 3].as_py() == season.canopy.green_lai[1, first + 3]
    with pytest.raises(InputError, match="no days"):
        daily_lai_table(season.traits, season.canopy, START, END + timedelta(days=1))
