"""Which parcels are classified, and the reason of every other (AC-15 and section 4)."""

import numpy as np
import pytest
from learning_cases import parcels

from s4c_lib.crop_type.eligibility import STATUSES, eligible
from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.crop_type.strategies import CALIBRATION, VALIDATION, split
from s4c_lib.errors import InputError

TWO = CropSettings(pa_min=2)


def everyone(count: int) -> np.ndarray:
    return np.ones(count, dtype=bool)


def test_ac_15_small_parcels_validate_only() -> None:
    given = parcels(np.full(65, 5), s2_pix=[12] * 40 + [5] * 25)
    found = eligible(given, everyone(65), CropSettings())
    assert set(found.status) == {"classified"}
    use = split(given.parcel_id, given.class_number, found.classified, found.good, CropSettings()).purpose
    assert (use[:40] == CALIBRATION).sum() == 30
    assert (use[:40] == VALIDATION).sum() == 10
    assert (use[40:] == VALIDATION).all()


def test_ac_15_a_class_counts_good_parcels_only() -> None:
    given = parcels(np.full(128, 5), s2_pix=[12] * 28 + [5] * 100)
    found = eligible(given, everyone(128), CropSettings())
    assert (found.status == "rare_class").all()
    assert found.counts["rare_class"] == 0


def test_every_reason_in_its_order() -> None:
    """Parcel k fails test k and every later one; it keeps the first."""
    steps = np.arange(8)
    given = parcels(
        [*np.where(steps <= 3, -1, 7).tolist(), 7, 7, 7, 9],
        reason=["geometry", "duplicate", "overlap", "no_lut", *[None] * 8],
        land_cover=[0] * 5 + [1] * 7,
        s2_pix=[2] * 6 + [10] * 6,
        s1_pix=[0] * 7 + [5] * 5,
    )
    has_features = np.array([False] * 8 + [True] * 4)
    found = eligible(given, has_features, TWO)
    assert found.status.tolist() == [*STATUSES[1:9], "classified", "classified", "classified", "rare_class"]
    assert list(found.counts.values()) == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]


def test_a_parcel_without_class_has_no_lut_whatever_the_reason_says() -> None:
    found = eligible(parcels([-1, 4, 4]), everyone(3), TWO)
    assert found.status.tolist() == ["no_lut", "classified", "classified"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("both", "min_s2_pix min_s1_pix"), ("s1-only", "rare_class min_s1_pix"), ("s2-only", "min_s2_pix classified")],
)
def test_modes_ask_for_pixels_of_their_sensor(mode: str, expected: str) -> None:
    given = parcels([3, 4, 4, 4], s2_pix=[0, 50, 50, 50], s1_pix=[9, 0, 9, 9])
    found = eligible(given, everyone(4), CropSettings(mode=mode, pa_min=2))
    assert found.status[:2].tolist() == expected.split()


def test_folds_do_without_pixel_minima_and_ask_for_two_parcels_a_fold() -> None:
    given = parcels([3] * 10 + [4] * 9, s2_pix=np.zeros(19), s1_pix=np.zeros(19))
    found = eligible(given, everyone(19), CropSettings(folds=5))
    assert found.status.tolist() == ["classified"] * 10 + ["rare_class"] * 9


def test_a_reason_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match="flooded"):
        eligible(parcels([1], reason=["flooded"]), everyone(1), TWO)
