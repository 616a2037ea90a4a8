import numpy as np
import pytest
from optical_fields import passes, weather

from s4c_lib.errors import InputError
from s4c_lib.synthetic.optical.clouds import cloud_domain, view_clouds
from s4c_lib.synthetic.optical.parcel_sky import observe_parcels, parcel_sky
from s4c_lib.synthetic.optical.scene_classes import detect, plan_sky

AREA = np.full(400, 22_500.0, dtype=np.float32)
FLIGHTS = passes(40, 6)
PLAN = plan_sky(weather(), FLIGHTS)
LEAVES = np.array([0.02, 0.03, 0.06, 0.03, 0.09, 0.35, 0.45, 0.47, 0.48, 0.46, 0.2, 0.09], dtype=np.float32)
SOIL = np.array([0.1, 0.12, 0.14, 0.18, 0.19, 0.2, 0.22, 0.23, 0.24, 0.25, 0.32, 0.3], dtype=np.float32)


def sky(chunk=0, area=AREA, seed=1):
    return list(parcel_sky(FLIGHTS, PLAN, area, seed, chunk=chunk))


@pytest.fixture(scope="module")
def season():
    return sky()


def test_a_chunk_depends_on_its_number_alone(season):
    again, other = sky(), sky(chunk=1)
    for one, two in zip(season, again, strict=True):
        np.testing.assert_array_equal(one.valid, two.valid)
        np.testing.assert_array_equal(one.low, two.low)
    assert any((one.valid != two.valid).any() for one, two in zip(season, other, strict=True))


def test_shares_seen_are_those_of_the_images(season):
    clear = []
    for pass_, plan in zip(FLIGHTS, PLAN, strict=True):
        side = cloud_domain(5100, 20.0)
        view = view_clouds(pass_, plan.cover, side, 20.0, 1)
        cloud, shadow = detect(view, plan, 20.0, np.random.default_rng(pass_.start.toordinal()))
        clear.append(1 - (cloud | shadow).mean())
    seen = np.array([one.valid for one in season])
    assert ((seen >= 0) & (seen <= 1)).all()
    assert seen.mean() == pytest.approx(np.mean(clear), abs=0.06)
    assert np.corrcoef(seen.mean(axis=1), clear)[0, 1] > 0.9
    # Parcels are seen whole or not at all far more often than in part.
    assert ((seen > 0.1) & (seen < 0.9)).mean() < 0.4


def test_unflagged_cloud_spoils_some_observations(season):
    wrong, total = [], 0
    for one, plan in zip(season, PLAN, strict=True):
        reflectance = np.tile(LEAVES, (len(AREA), 1))
        observed, valid = observe_parcels(reflectance, one, plan, weather(), AREA, 1)
        assert np.isnan(observed[valid == 0]).all()
        assert np.isfinite(observed[valid > 0]).all()
        good = valid > 0.5
        ndvi = (observed[good, 7] - observed[good, 3]) / (observed[good, 7] + observed[good, 3])
        wrong.extend(ndvi - 0.88)
        total += good.sum()
    wrong = np.array(wrong)
    assert 0.25 < total / (len(FLIGHTS) * len(AREA)) < 0.6
    assert abs(np.median(wrong)) < 0.02
    assert 0.01 < (wrong < -0.10).mean() < 0.20
    assert (wrong > 0.06).mean() < 0.01


def test_bright_soil_is_lost_more_often_than_leaves(season):
    kept = {}
    for name, spectrum in (("soil", SOIL), ("leaves", LEAVES)):
        reflectance = np.tile(spectrum, (len(AREA), 1))
        kept[name] = np.mean(
            [
                (observe_parcels(reflectance, one, plan, weather(), AREA, 1)[1] > 0).mean()
                for one, plan in zip(season, PLAN, strict=True)
            ]
        )
    assert kept["soil"] == pytest.approx(kept["leaves"] * 0.96, abs=0.02)
    assert kept["soil"] < kept["leaves"]


def test_plans_and_passes_belong_together():
    with pytest.raises(InputError, match="1 skies are planned for 2 passes"):
        list(parcel_sky(FLIGHTS[:2], PLAN[:1], AREA, 1))


def test_a_parcel_larger_than_the_sky_is_refused():
    with pytest.raises(InputError, match="does not fit under a sky"):
        list(parcel_sky(FLIGHTS[:1], PLAN[:1], np.array([4e9], dtype=np.float32), 1))
