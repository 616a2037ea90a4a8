import numpy as np
import pytest
from optical_fields import FIRST, canopy, crop_index, flight, traits

from s4c_lib.errors import InputError
from s4c_lib.synthetic.crops import CROPS, Cover, Growth
from s4c_lib.synthetic.optical.canopy_reflectance import table_for
from s4c_lib.synthetic.optical.parcel_reflectance import cover_reflectance, parcel_reflectance
from s4c_lib.synthetic.optical.spectral_response import SURFACE_BANDS
from s4c_lib.vegetation.networks import load_network

RED, INFRARED = SURFACE_BANDS.index("B04"), SURFACE_BANDS.index("B08")


@pytest.fixture(scope="module")
def table():
    return table_for(flight())


def ndvi(reflectance):
    return (reflectance[..., INFRARED] - reflectance[..., RED]) / (reflectance[..., INFRARED] + reflectance[..., RED])


def seen(table, growth, **state):
    count = max(np.size(value) for value in state.values()) if state else 1
    values = canopy(count, **state)
    return parcel_reflectance(traits([crop_index(growth)] * count), values, FIRST, table, (1.0,))[:, 0]


@pytest.mark.parametrize(
    ("growth", "low", "high", "state"),
    [
        (Growth.MAIZE, 0.10, 0.25, {"soil_wetness": [0.0, 0.5, 1.0], "soil_brightness": [0.7, 1.0, 1.3]}),
        (Growth.WINTER_WHEAT, 0.75, 0.92, {"green_lai": [3.5, 4.5, 6.0], "leaf_angle": 58, "chlorophyll": 48}),
        (Growth.WINTER_WHEAT, 0.25, 0.45, {"green_lai": [0.03, 0.1, 0.2], "brown_lai": [2.0, 2.3, 2.6]}),
        (Growth.MAIZE, 0.75, 0.92, {"green_lai": [3.5, 4.5, 5.5], "leaf_angle": 53, "chlorophyll": 52}),
        (Growth.SUGAR_BEET, 0.75, 0.90, {"green_lai": [3.0, 4.0, 5.0], "leaf_angle": 43, "chlorophyll": 47}),
        (Growth.GRASSLAND, 0.65, 0.90, {"green_lai": [2.0, 3.0, 4.5], "brown_lai": 0.3, "leaf_angle": 58}),
        (Growth.GRASSLAND, 0.35, 0.65, {"green_lai": [0.5, 0.8, 1.1], "brown_lai": 0.2, "residue": 0.25}),
        (Growth.WINTER_WHEAT, 0.12, 0.30, {"residue": [0.4, 0.6, 0.9]}),
    ],
)
def test_ndvi_of_crops_lies_where_sentinel2_measures_it(table, growth, low, high, state):
    found = ndvi(seen(table, growth, **state))
    assert (found >= low).all(), found
    assert (found <= high).all(), found


@pytest.mark.parametrize("sun", [31.0, 55.0])
@pytest.mark.parametrize(
    ("growth", "angle", "chlorophyll"),
    [
        (Growth.WINTER_WHEAT, 60, 48), (Growth.SPRING_BARLEY, 52, 44), (Growth.MAIZE, 53, 52),
        (Growth.SUGAR_BEET, 43, 47), (Growth.POTATO, 41, 44), (Growth.GRASSLAND, 58, 43),
        (Growth.WINTER_RAPE, 50, 46), (Growth.LUCERNE, 46, 47), (Growth.ONION, 60, 42),
    ],
)  # fmt: skip
def test_the_network_recovers_leaf_area(growth, angle, chlorophyll, sun):
    rng = np.random.default_rng(1)
    lai = np.linspace(0, 6, 241)
    pass_ = flight(sun=sun)
    found = seen(
        table_for(pass_),
        growth,
        green_lai=lai,
        brown_lai=rng.uniform(0, 0.3, 241),
        chlorophyll=chlorophyll + rng.normal(0, 3, 241),
        leaf_angle=angle,
        soil_wetness=rng.random(241),
        soil_brightness=rng.uniform(0.8, 1.2, 241),
        residue=rng.uniform(0, 0.3, 241),
    )
    network = load_network("sl2p_v3_s2a_20m", "lai")
    bands = found[:, [SURFACE_BANDS.index(name) for name in network.bands]].T
    angles = np.cos(np.radians([pass_.view_zenith, pass_.sun_zenith, pass_.sun_azimuth - pass_.view_azimuth]))
    estimate = np.clip(network.evaluate(np.vstack([bands, np.tile(angles[:, None], 241)]).astype(np.float64)), 0, 8)
    error = estimate - lai
    assert np.sqrt((error**2).mean()) <= 0.9
    assert np.sqrt((error[lai < 3] ** 2).mean()) <= 0.4


def test_every_crop_has_a_reflectance(table):
    crops = list(range(len(CROPS)))
    found = parcel_reflectance(traits(crops), canopy(len(crops), green_lai=3.0), FIRST, table)
    assert found.shape == (len(crops), 5, 12)
    assert np.isfinite(found).all()
    assert (np.diff(found[..., INFRARED], axis=1) > 0).all()


def test_trees_are_darker_than_a_field_of_their_leaf_area(table):
    crop, orchard = seen(table, Growth.SUGAR_BEET, green_lai=3.0), seen(table, Growth.ORCHARD, green_lai=3.0)
    assert orchard[0, INFRARED] < 0.92 * crop[0, INFRARED]
    covers = cover_reflectance(canopy(4, green_lai=[2.0, 4.5, 0.0, 0.0]), FIRST, table)[:, 2]
    by_cover = dict(zip(Cover, covers, strict=True))
    assert by_cover[Cover.FOREST][INFRARED] < 0.40
    assert ndvi(by_cover[Cover.WATER]) < 0
    assert 0.1 < ndvi(by_cover[Cover.BUILT_UP]) < 0.35
    assert ndvi(by_cover[Cover.MARGIN]) > 0.6


def test_wrong_days_and_counts_are_named(table):
    with pytest.raises(InputError, match="2021-04-01 is not among the 1 days"):
        parcel_reflectance(traits([0]), canopy(1), FIRST.replace(month=4), table)
    with pytest.raises(InputError, match="2 parcels have a canopy of 1"):
        parcel_reflectance(traits([0, 1]), canopy(1), FIRST, table)
    with pytest.raises(InputError, match="3 rows are not the 4 covers"):
        cover_reflectance(canopy(3), FIRST, table)
