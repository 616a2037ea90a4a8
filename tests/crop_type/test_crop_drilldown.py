"""Tables of verdicts by class."""

from __future__ import annotations

import numpy as np
import pytest
from crop_type_cases import classification, seen_parcels

from s4c_lib.crop_type.drilldown import drill_down
from s4c_lib.crop_type.judgement import JudgementSettings, judge
from s4c_lib.crop_type.metrics import measure


def test_counts_areas_and_pairs() -> None:
    truth, frequencies, rng = seen_parcels(3000, 8)
    declared = truth.copy()
    chosen = rng.choice(np.flatnonzero(truth == 0), 60, replace=False)
    declared[chosen] = 1
    given = classification(frequencies, declared, left_out=("no_lut", "geometry"))
    judgement = judge(given, JudgementSettings(0.1))
    area = np.full(3002, 20_000.0)
    area[-1] = np.nan
    crops = given.declared[:3000]
    metrics = measure(crops, given.pred_1[:3000], given.pred_2[:3000], given.conf_1[:3000])
    found = drill_down(judgement, area=area, metrics=metrics, names={10: "Wheat"})
    classes = found.classes.to_pylist()
    assert [row["class"] for row in classes] == [-1, 10, 20, 30]
    assert [row["name"] for row in classes] == [None, "Wheat", None, None]
    assert sum(row["parcels"] for row in classes) == 3002
    for row in classes:
        assert row["confirmed"] + row["contradicted"] + row["cannot_tell"] == row["parcels"]
        assert row["confirmed_ha"] + row["contradicted_ha"] + row["cannot_tell_ha"] == pytest.approx(row["area_ha"])
    assert classes[0]["area_ha"] == 2
    assert classes[0]["expected_wrong"] == 0
    assert classes[0]["user_accuracy"] is None
    maize = classes[2]
    assert maize["contradicted_ha"] == 2 * maize["contradicted"]
    assert maize["contradicted"] > 30
    assert maize["contradicted_right"] <= 0.1
    # The 60 wrong ones are declared as class 20 and look like class 10.
    first = found.pairs.slice(0, 1).to_pylist()[0]
    assert (first["declared"], first["grows"]) == (20, 10)
    assert first["expected_wrong"] == pytest.approx(60, rel=0.35)
    assert first["contradicted"] >= 0.95 * maize["contradicted"]


def test_nothing_judged() -> None:
    truth, frequencies, _ = seen_parcels(15, 1)
    found = drill_down(judge(classification(frequencies, truth), JudgementSettings()))
    assert found.pairs.num_rows == 0
    assert set(found.classes.column("area_ha").to_pylist()) == {None}
    assert sum(found.classes.column("cannot_tell").to_pylist()) == 15
