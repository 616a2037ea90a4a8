"""The compiled decisions against a plain transcription of the specification, on random parcels."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as rounds
from hypothesis import strategies as st
from practice_cases import rows_of_sen4cap, settings

from benchmarks.practices_loop import Parcel, Rules, decide_parcel
from benchmarks.practices_season import observations_of, season
from s4c_lib.practices.decision import decide

COUNTRIES = ("NLD", "CZE", "LTU", "ESP", "ITA", "ROU")
NO_WORDS = {"FIELD_ID", "ORIG_ID", "COUNTRY", "YEAR", "MAIN_CROP", "H_START", "H_END", "PRACTICE", "P_TYPE", "S1PIX"}


def compare(profile: str, practice: str, country: str, parcels: int, seed: int, **options: Any) -> None:
    tillage = bool(seed % 2)
    end = options.get("last", date(2019, 12, 28))
    series, rows = season(parcels, seed, practice, country, **options)
    wanted = settings(profile, practice, country)
    limit = date(2020, 1, 4) if end.month == 12 else end
    start = date(2019, 1, 1)
    decisions = decide(series, rows, wanted, as_of=end, gap_limit=limit, tillage=tillage, season_start=start)
    rules = Rules(
        practice, wanted.thresholds, wanted.repairs, 2019, limit, tillage, wanted.min_pooled, season_start=start
    )
    for number, got in enumerate(rows_of_sen4cap(rows, decisions)):
        lists = observations_of(series, number)
        days = [day.tolist() for day in (rows.p_start[number], rows.p_end[number])]
        parcel = Parcel(
            lists["vv"], lists["vh"], lists["coherence_vv"], lists["ndvi"], rows.veg_start[number].tolist(),
            rows.h_start[number].tolist(), rows.h_end[number].tolist(), rows.practice[number], rows.p_type[number],
            days[0], days[1], int(rows.s1_pix[number]),
        )  # fmt: skip
        plain = decide_parcel(parcel, rules)
        expected = {name: text for name, text in plain.row.items() if tillage or not name.startswith("TL_")}
        assert {name: text for name, text in got.items() if name not in NO_WORDS} == expected, (number, seed, country)
        weekly = decisions.weekly.of_row(number)
        assert weekly["week"].tolist() == list(plain.weekly)
        for name in ("before", "after"):
            neighbours = [np.nan if one[name] is None else one[name] for one in plain.weekly.values()]
            np.testing.assert_array_equal(weekly[name], neighbours)


@pytest.mark.parametrize("practice", ["NA", "CC", "FL", "NFC"])
@rounds(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_random_parcels_are_decided_as_by_the_plain_version(practice: str, data: st.DataObject) -> None:
    compare(
        data.draw(st.sampled_from(["reference", "default"])),
        practice,
        data.draw(st.sampled_from(COUNTRIES)),
        12,
        data.draw(st.integers(0, 10_000)),
        orbits=data.draw(st.integers(1, 4)),
        images=data.draw(st.sampled_from([4, 25, 60])),
        last=data.draw(st.sampled_from([date(2019, 12, 28), date(2019, 9, 22), date(2019, 7, 1)])),
        missing=data.draw(st.sampled_from([0.0, 0.15, 0.5])),
    )


@pytest.mark.slow
@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize("practice", ["NA", "CC", "FL", "NFC"])
def test_more_random_parcels(practice: str, country: str) -> None:
    for seed, profile in enumerate(("reference", "default")):
        compare(profile, practice, country, 40, seed, orbits=1 + seed * 3, images=60)
