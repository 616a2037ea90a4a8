import numpy as np
import pytest
from optical_fields import FIRST, block_fractions, canopy, crop_index, flight, passes, traits, weather

from s4c_lib.errors import InputError
from s4c_lib.synthetic.crops import Cover, Growth
from s4c_lib.synthetic.optical.canopy_reflectance import table_for
from s4c_lib.synthetic.optical.image import as_tile, make_scene, true_surface
from s4c_lib.synthetic.optical.parcel_reflectance import FACTORS, cover_reflectance, parcel_reflectance
from s4c_lib.synthetic.optical.scene import BAND_METRES
from s4c_lib.synthetic.optical.scene_classes import BRIGHT_SOIL, ClassificationErrors, PassSky, plan_sky
from s4c_lib.synthetic.optical.spectral_response import SURFACE_BANDS
from s4c_lib.synthetic.optical.texture import make_texture

SIDE, BLOCK = 240, 12
NO_ERRORS = ClassificationErrors(0, 0, 0, 0, 0)


class Ground:
    """Half of the parcels dense wheat, half bare."""

    def __init__(self):
        self.fractions, self.parcels = block_fractions(SIDE, BLOCK)
        lai = np.where(np.arange(self.parcels) % 2, 4.5, 0.0)
        values = canopy(self.parcels, green_lai=lai)
        table = table_for(flight())
        self.curves = np.concatenate(
            [
                parcel_reflectance(traits([crop_index(Growth.WINTER_WHEAT)] * self.parcels), values, FIRST, table),
                cover_reflectance(canopy(4, green_lai=[2.0, 4.5, 0, 0]), FIRST, table),
            ]
        )
        angle = np.linspace(0, 180, self.parcels + len(Cover)).astype(np.float32)
        self.texture = make_texture(self.fractions.grid, self.fractions.main_object(), angle, 1)
        self.surface = true_surface(self.fractions, self.curves, self.texture, FIRST.toordinal())

    def scene(self, pass_=None, cover=0.0, seed=1, errors=NO_ERRORS, missed=0.0):
        sky = PassSky(cover, missed, errors)
        return make_scene(self.fractions, self.parcels, self.surface, weather(), pass_ or flight(), sky, seed)


@pytest.fixture(scope="module")
def ground():
    return Ground()


def test_true_pixels_scatter_about_their_parcels(ground):
    band = ground.surface["B08"].ravel()
    means = np.bincount(ground.fractions.objects, band) / np.maximum(np.bincount(ground.fractions.objects), 1)
    parcels = np.unique(ground.fractions.objects)
    expected = ground.curves[parcels, 2, SURFACE_BANDS.index("B08")]
    assert means[parcels] == pytest.approx(expected, rel=0.12)
    inside = band[ground.fractions.objects == 1]
    assert 0.005 < inside.std() / inside.mean() < 0.10


def test_bands_have_their_native_pixels(ground):
    scene = ground.scene(cover=0.5)
    for name, metres in BAND_METRES.items():
        assert scene.bands[name].shape == (SIDE * 10 // metres,) * 2
        assert scene.bands[name].dtype == np.float32
        assert np.isfinite(scene.bands[name]).all()
    assert scene.scene_class.shape == scene.cloud_probability.shape == (SIDE // 2, SIDE // 2)
    assert scene.true_cloud.shape == (SIDE, SIDE)


def test_the_same_seed_gives_the_same_bytes_and_another_another(ground):
    one, two, other = ground.scene(cover=0.4), ground.scene(cover=0.4), ground.scene(cover=0.4, seed=2)
    for name in BAND_METRES:
        np.testing.assert_array_equal(one.bands[name], two.bands[name])
    np.testing.assert_array_equal(one.scene_class, two.scene_class)
    assert (one.bands["B04"] != other.bands["B04"]).mean() > 0.9


def test_a_clear_scene_shows_the_ground_within_the_errors_of_correction(ground):
    errors = []
    for pass_ in passes(12):
        scene = ground.scene(pass_)
        for name in ("B02", "B04", "B08", "B11"):
            truth = ground.surface[name]
            assert abs(scene.bands[name].mean() - truth.mean()) < 0.03
            errors.append(scene.bands[name].mean() - truth.mean())
        assert np.corrcoef(scene.bands["B08"].ravel(), ground.surface["B08"].ravel())[0, 1] > 0.95
    assert abs(np.mean(errors)) < 0.005
    # Noise inside a field is that of the instrument, far below its texture.
    rest = scene.bands["B08"][2:10, 14:22] - ground.surface["B08"][2:10, 14:22]
    assert rest.std() < 0.02


def test_classes_without_errors_are_the_truth(ground):
    scene = ground.scene(cover=0.0)
    counts = dict(zip(*np.unique(scene.scene_class, return_counts=True), strict=True))
    assert set(counts) == {4, 5, 6}
    half = ground.scene(cover=0.5)
    cloud = np.isin(half.scene_class, (7, 8, 9, 10))
    true = half.true_cloud[::2, ::2]
    assert (cloud & true).sum() / true.sum() > 0.95
    assert half.cloud_probability[cloud].mean() > 40 > 10 > half.cloud_probability[~cloud].mean()
    assert np.median(half.bands["B02"][half.true_cloud]) > 0.25


def test_bright_soil_is_called_cloud_at_the_rate_asked(ground):
    scene = ground.scene(errors=ClassificationErrors(0, 0.2, 0, 0, 0))
    red = ground.surface["B04"].reshape(SIDE // 2, 2, SIDE // 2, 2).mean(axis=(1, 3))
    bright = (red > BRIGHT_SOIL) & np.isin(scene.scene_class, (5, 8))
    assert (scene.scene_class[bright] == 8).mean() == pytest.approx(0.2, abs=0.03)
    assert (scene.scene_class == 8).sum() == (scene.scene_class[bright] == 8).sum()


def test_tiles_of_a_pass_differ_by_a_few_thousandths(ground):
    scene = ground.scene()
    south, north = (as_tile(scene, flight(), tile, 1) for tile in ("31UFS", "31UFT"))
    difference = np.abs(south.bands["B04"] - north.bands["B04"])
    assert 0 < difference.max() < 0.02
    np.testing.assert_array_equal(south.scene_class, north.scene_class)


def test_a_season_of_scenes_has_the_cloud_share_asked(ground):
    flights = passes(40, 6)
    plan = plan_sky(weather(), flights)
    scenes = [
        make_scene(ground.fractions, ground.parcels, ground.surface, weather(), pass_, sky, 1)
        for pass_, sky in zip(flights, plan, strict=True)
    ]
    true = [scene.true_cloud.mean() for scene in scenes]
    flagged = [np.isin(scene.scene_class, (7, 8, 9, 10)).mean() for scene in scenes]
    assert 0.42 <= np.mean(true) <= 0.68
    assert np.mean(flagged) == pytest.approx(np.mean(true), abs=0.06)
    missed = sum((s.true_cloud[::2, ::2] & ~np.isin(s.scene_class, (7, 8, 9, 10))).sum() for s in scenes)
    assert 0.02 < missed / sum(s.true_cloud[::2, ::2].sum() for s in scenes) < 0.09


def test_objects_without_reflectance_are_named(ground):
    with pytest.raises(InputError, match="has no reflectance"):
        true_surface(ground.fractions, ground.curves[:-4], ground.texture, 1)
    with pytest.raises(InputError, match="5 factors"):
        true_surface(ground.fractions, ground.curves[:, :3], ground.texture, 1, FACTORS)


def test_texture_stays_for_the_season_and_runs_along_the_rows(ground):
    first, later = ground.texture.leaf_factor(1), ground.texture.leaf_factor(200)
    assert 0.07 < first.std() < 0.13
    assert np.corrcoef(first.ravel(), later.ravel())[0, 1] > 0.8
    # Rows that run north: a pixel is more like its northern than its eastern neighbour.
    field = make_texture(ground.fractions.grid, np.zeros((SIDE, SIDE), np.int32), np.zeros(1, np.float32), 4).leaf
    north = np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]
    east = np.corrcoef(field[:, 1:].ravel(), field[:, :-1].ravel())[0, 1]
    assert north > east + 0.02
    east_rows = make_texture(
        ground.fractions.grid, np.zeros((SIDE, SIDE), np.int32), np.full(1, 90, np.float32), 4
    ).leaf
    assert np.corrcoef(east_rows[:, 1:].ravel(), east_rows[:, :-1].ravel())[0, 1] > north - 0.03


def test_texture_needs_an_angle_for_every_object(ground):
    with pytest.raises(InputError, match="no row angle"):
        make_texture(ground.fractions.grid, ground.fractions.main_object(), np.zeros(3, np.float32), 1)
