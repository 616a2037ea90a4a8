"""Verdicts on declarations: error rates that are asked for hold, and every parcel gets a verdict with a reason."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from crop_type_cases import classification, seen_parcels
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.crop_type.atypicality import share_as_unusual
from s4c_lib.crop_type.calibration import Calibration
from s4c_lib.crop_type.clear_dates import mean_gap_days
from s4c_lib.crop_type.declared_chance import declared_chance
from s4c_lib.crop_type.feature_table import FeatureTable
from s4c_lib.crop_type.judgement import VERDICTS, Judgement, JudgementSettings, judge
from s4c_lib.crop_type.judgement_reasons import words
from s4c_lib.crop_type.ranking import review_rank
from s4c_lib.errors import ParameterError

Bools = npt.NDArray[np.bool_]


def with_wrong(count: int, seed: int, share: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], Bools]:
    """Return declared classes, frequencies, and which declarations are wrong."""
    truth, frequencies, rng = seen_parcels(count, seed)
    declared = truth.copy()
    chosen = rng.choice(count, round(share * count), replace=False)
    declared[chosen] = (truth[chosen] + rng.integers(1, 3, len(chosen))) % 3
    return declared, frequencies, declared != truth


def counts(judgement: Judgement) -> dict[str, int]:
    return {verdict: int((judgement.verdict == verdict).sum()) for verdict in VERDICTS}


def test_chance_by_hand() -> None:
    # Declared is the second class with 0.1; wrongly so with 0.8 * 0.5 + 0.1 * 0.25 = 0.425: 4.25 times as likely.
    names = np.array([[0, 0.5, 0.5], [0.75, 0, 0.25], [0.75, 0.25, 0]])
    calibration = Calibration(1.0, np.zeros(3), 0.02, names, 100, 0.1, 0.0)
    found = declared_chance(np.array([[0.8, 0.1, 0.1]], np.float32), np.array([1]), calibration)
    assert found.odds[0] == pytest.approx(4.25)
    assert found.wrong[0] == pytest.approx(0.02 * 4.25 / (0.02 * 4.25 + 0.98))
    assert found.wrong_at_even[0] == pytest.approx(4.25 / 5.25)
    assert found.other[0] == 0


def test_unusual_by_hand() -> None:
    score = np.array([0.9, 0.1, 0.5, 0.5, 7.0, 3.0])
    declared = np.array([0, 0, 0, 0, 1, 2])
    # Class 0: 1 of 4; all; 3 of 4 twice. Classes 1 and 2 have one parcel each and are taken together.
    np.testing.assert_allclose(share_as_unusual(score, declared, fewest=2), [0.25, 1, 0.75, 0.75, 0.5, 1])
    assert share_as_unusual(score[:0], declared[:0], fewest=2).shape == (0,)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(0.01, 0.5))
def test_at_most_the_share_of_a_class_is_unusual(count: int, seed: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    declared = rng.integers(0, 3, count)
    found = share_as_unusual(rng.normal(size=count).round(1), declared, fewest=1)
    for number in range(3):
        members = found[declared == number]
        assert (members <= alpha).sum() <= alpha * len(members) + 1e-9


def test_most_wrong_declarations_are_contradicted_and_few_right_ones() -> None:
    declared, frequencies, wrong = with_wrong(8000, 1, 0.03)
    judgement = judge(classification(frequencies, declared), JudgementSettings(0.05))
    contradicted, confirmed = judgement.verdict == "contradicted", judgement.verdict == "confirmed"
    assert wrong[contradicted].mean() > 0.9
    assert contradicted[wrong].mean() > 0.35
    assert confirmed.mean() > 0.7
    assert confirmed[wrong].mean() <= 0.05


def test_a_soft_discriminant_beside_the_forest_does_not_hide_wrong_declarations() -> None:
    """A quarter of the probabilities leaves no crop without a chance, and says of ten crops the same as the forest."""
    rng = np.random.default_rng(2)
    truth, centres = rng.integers(0, 10, 4000), 4.5 * np.eye(10)
    at = centres[truth] + rng.normal(size=(4000, 10))
    logits = -((at[:, None] - centres) ** 2).sum(axis=2) / 2
    forest, soft = (np.exp(caution * (logits - logits.max(axis=1, keepdims=True))) for caution in (0.5, 0.1))
    forest, soft = (each / each.sum(axis=1, keepdims=True) for each in (forest, soft))
    forest[forest < 0.02] = 0
    forest /= forest.sum(axis=1, keepdims=True)
    declared = truth.copy()
    chosen = rng.choice(4000, 80, replace=False)
    declared[chosen] = (truth[chosen] + rng.integers(1, 10, 80)) % 10
    wrong = declared != truth
    judgement = judge(
        classification((0.75 * forest + 0.25 * soft).astype(np.float32), declared), JudgementSettings(0.05)
    )
    contradicted = judgement.verdict == "contradicted"
    assert contradicted[wrong].mean() > 0.7
    assert wrong[contradicted].mean() > 0.95


@pytest.mark.parametrize("alpha", [0.02, 0.1])
def test_rates_asked_for_hold(alpha: float) -> None:
    """Mean over 6 seasons; the slack is three standard errors of the rarest event."""
    among, false, missed = [], [], []
    for seed in range(6):
        declared, frequencies, wrong = with_wrong(1500, seed, 0.04)
        judgement = judge(classification(frequencies, declared), JudgementSettings(alpha))
        contradicted = judgement.verdict == "contradicted"
        among.append((contradicted & ~wrong).sum() / max(contradicted.sum(), 1))
        false.append(contradicted[~wrong].mean())
        missed.append((judgement.verdict == "confirmed")[wrong].mean())
    assert np.mean(among) <= alpha + 3 * np.std(among) / np.sqrt(len(among)) + 0.01
    assert np.mean(false) <= alpha
    assert np.mean(missed) <= alpha


@pytest.mark.parametrize("alpha", [0.02, 0.1])
def test_a_crop_is_not_contradicted_as_a_whole(alpha: float) -> None:
    """Where much of a crop looks like another, the crop table or the data may be the cause."""
    truth, frequencies, rng = seen_parcels(6000, 7)
    declared = truth.copy()
    declared[rng.choice(np.flatnonzero(truth == 0), 250, replace=False)] = 2
    judgement = judge(classification(frequencies, declared), JudgementSettings(alpha))
    members = declared == 2
    assert 0 < (judgement.verdict[members] == "contradicted").mean() <= 2 * alpha
    assert (judgement.reason[members] == "crop_suspect").any()


def test_without_wrong_declarations_hardly_any_is_contradicted() -> None:
    truth, frequencies, _ = seen_parcels(4000, 5)
    judgement = judge(classification(frequencies, truth), JudgementSettings(0.05))
    assert (judgement.verdict == "contradicted").mean() < 0.002


def test_a_stricter_rate_decides_less() -> None:
    declared, frequencies, _ = with_wrong(3000, 2, 0.05)
    found = [
        counts(judge(classification(frequencies, declared), JudgementSettings(rate))) for rate in (0.01, 0.05, 0.2)
    ]
    assert [each["cannot tell"] for each in found] == sorted((each["cannot tell"] for each in found), reverse=True)
    assert [each["contradicted"] for each in found] == sorted(each["contradicted"] for each in found)


def test_forest_that_knows_nothing_decides_nothing() -> None:
    declared = np.random.default_rng(3).choice(3, 2000, p=(0.7, 0.25, 0.05))
    judgement = judge(classification(np.full((2000, 3), 1 / 3, np.float32), declared), JudgementSettings(0.05))
    assert counts(judgement) == {"confirmed": 0, "contradicted": 0, "cannot tell": 2000}


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 2**32 - 1))
def test_order_of_parcels_does_not_matter(seed: int) -> None:
    declared, frequencies, _ = with_wrong(400, 4, 0.05)
    order = np.random.default_rng(seed).permutation(400)
    one = judge(classification(frequencies, declared), JudgementSettings())
    other = judge(classification(frequencies[order], declared[order], parcel_id=order + 1), JudgementSettings())
    np.testing.assert_allclose(one.chance_wrong[order], other.chance_wrong, atol=1e-3)
    assert (one.verdict[order] != other.verdict).mean() < 0.01


def test_parcels_that_trained_the_forest_are_not_judged_by_it() -> None:
    declared, frequencies, _ = with_wrong(300, 4, 0.05)
    taught = judge(classification(frequencies, declared, purpose=1, judged_by=1), JudgementSettings())
    assert set(taught.verdict) == {"cannot tell"}
    assert set(taught.reason) == {"self_taught"}
    assert np.isnan(taught.chance_wrong).all()
    assert (taught.rank == 0).all()
    assert taught.calibration is None
    apart = judge(classification(frequencies, declared, purpose=1, judged_by=2), JudgementSettings())
    assert (apart.rank > 0).all()


def test_every_parcel_has_a_verdict_and_a_reason_in_words() -> None:
    declared, frequencies, _ = with_wrong(2000, 6, 0.04)
    left_out = (
        "geometry",
        "duplicate",
        "overlap",
        "no_lut",
        "lc",
        "min_s2_pix",
        "min_s1_pix",
        "no_features",
        "rare_class",
    )
    small = np.arange(2000 + len(left_out)) % 4 == 0
    gap_days = np.where(np.arange(len(small)) % 4 == 1, 40.0, np.nan)
    given = classification(frequencies, declared, left_out=left_out)
    judgement = judge(given, JudgementSettings(), small=small, gap_days=gap_days)
    assert list(judgement.reason[2000:]) == list(left_out)
    assert set(judgement.verdict[2000:]) == {"cannot tell"}
    assert {"as_declared", "other_crop", "few_dates", "small_parcel"} <= set(judgement.reason)
    names = {10: "Wheat", 20: "Maize"}
    said = [
        words(reason, int(crop), int(other), names)
        for reason, crop, other in zip(judgement.reason, judgement.declared, judgement.other, strict=True)
    ]
    assert all(said)
    assert not any("{" in each for each in said)
    assert "it looks like Maize, not like Wheat" in said


def test_too_few_parcels_are_not_judged() -> None:
    truth, frequencies, _ = seen_parcels(15, 1)
    judgement = judge(classification(frequencies, truth), JudgementSettings())
    assert set(judgement.reason) == {"too_few_parcels"}
    assert set(judgement.verdict) == {"cannot tell"}


def test_review_order_by_hand() -> None:
    parcel_id = np.array([7, 3, 5, 1])
    odds = np.array([4.0, 1.0, 4.0, 0.25])
    wrong = odds / (odds + 1)
    assert list(review_rank(parcel_id, odds, wrong)) == [2, 3, 1, 4]
    # Expected areas 0.8, 500, 0 (not known), 20.
    assert list(review_rank(parcel_id, odds, wrong, np.array([1.0, 1000, np.nan, 100]))) == [3, 1, 4, 2]


def test_settings() -> None:
    values = {"processor.s4c_l4a.judgement_error_rate": 0.01, "processor.s4c_l4a.review_order": "area"}
    assert JudgementSettings.of(values) == JudgementSettings(0.01, by_area=True)
    assert JudgementSettings.of({}) == JudgementSettings()
    with pytest.raises(ParameterError, match="judgement_error_rate is 0"):
        JudgementSettings(0.0)
    truth, frequencies, _ = seen_parcels(30, 1)
    with pytest.raises(ParameterError, match="areas"):
        judge(classification(frequencies, truth), JudgementSettings(by_area=True))


def test_gaps_between_clear_dates_by_hand() -> None:
    gap_days = np.array([[0, 10, 20], [-1, -1, -1]], np.int16)
    values = np.zeros((2, 1), np.float32)
    features = FeatureTable(np.array([3, 8]), ("x",), values, (), gap_days)
    np.testing.assert_array_equal(mean_gap_days(features, np.array([8, 3, 9, 1])), [np.inf, 10, np.nan, np.nan])
    unknown = FeatureTable(np.array([3, 8]), ("x",), values)
    assert np.isnan(mean_gap_days(unknown, np.array([3]))).all()
