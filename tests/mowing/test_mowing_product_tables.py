"""Events and parcels as tables, in our form and in Sen4CAP's; and the pictures of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from s4c_lib.errors import NotFoundError
from s4c_lib.mowing.detection import Mowing, MowingParcels, detect
from s4c_lib.mowing.overview_picture import draw_overview
from s4c_lib.mowing.picture import ParcelPicture, draw_parcel, facts_of, row_of
from s4c_lib.mowing.product_tables import (
    EVENT_NOTES,
    RESULT_NOTES,
    WIDE_NOTES,
    cannot_tell,
    event_table,
    parcel_table,
    sen4cap_fields,
    wide_table,
    with_decision,
)
from s4c_lib.mowing.settings import PREFIX, MowingSettings
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.parcels.l4b_configuration import L4bConfiguration
from s4c_lib.parcels.l4b_configuration_compliance import MowingPeriod
from s4c_lib.statistics.matrices import Key, Series
from tests.mowing.mowing_optical_cases import series, spaced

FIRST, LAST = date(2021, 4, 1), date(2021, 12, 1)
# Case S2-8: five drops, one too many for Sen4CAP.
DROPS = (("2021-04-16", 0.60), ("2021-05-31", 0.50), ("2021-07-15", 0.40), ("2021-08-29", 0.55), ("2021-10-13", 0.45))
CONFIGURATION = L4bConfiguration(2021, compliance=(MowingPeriod("A", date(2021, 5, 1), date(2021, 7, 31), 0),))


def five_drops() -> dict[date, float]:
    values = spaced("2021-04-01", *[0.82] * 48)
    for day, low in DROPS:
        values |= spaced(day, low, low + 0.03, low + 0.08, low + 0.14, low + 0.20, *[max(0.70, low + 0.20)] * 3)
    return values


def found(profile: str = "reference", **changes: Any) -> tuple[Mowing, dict[Key, Series], MowingSettings]:
    """Parcels of the case: mown five times, not mown, hardly seen."""
    values = {f"{PREFIX}{name}": value for name, value in changes.items()}
    layers = Layers(job=values, season={"profile": profile})
    settings = MowingSettings.of(resolve(layers, phase="current").values, CONFIGURATION)
    given: dict[Key, Series] = {
        ("ndvi", None): series(five_drops(), spaced("2021-04-01", *[0.82] * 48), spaced("2021-04-01", 0.8, 0.8))
    }
    parcels = MowingParcels(np.array([1, 2, 3]), ["A", "A", "A"])
    return detect(given, parcels, settings, FIRST, LAST), given, settings


def test_files_of_sen4cap_hold_the_four_most_confident_events_by_date() -> None:
    """F4 of the README: the event table has all of them."""
    mowing, given, settings = found(max_events=0)
    events = event_table(mowing, given)
    assert events.column_names == list(EVENT_NOTES)
    assert [round(value, 3) for value in events["confidence"].to_pylist()] == [0.577, 0.665, 0.764, 0.619, 0.713]
    assert events["place"].to_pylist() == [None, 1, 2, 3, 4]
    assert events["seq"].to_pylist() == [1, 2, 3, 4, 5]
    assert [f"{event['s2_t1']:%m-%d}" for event in events.to_pylist()] == [day[5:] for day, _ in DROPS]
    assert events["s1_orbit"].null_count == events["s1_t0"].null_count == 5
    parcels = parcel_table(mowing, FIRST, LAST, settings.optical)
    assert parcels.column_names == list(RESULT_NOTES)
    wide = wide_table(parcels, events)
    assert wide.column_names == list(WIDE_NOTES)
    assert (wide["mow_n"].to_pylist(), wide["m1_dend"].to_pylist()[1]) == ([5, 0, 0], None)
    legacy = sen4cap_fields(wide).to_pylist()
    assert [legacy[0][name] for name in ("mow_n", "m1_dstart", "m1_dend", "m1_conf", "m4_conf", "m4_mis")] == [
        4, "2021-05-26 10:30:00", "2021-05-31 10:30:00", 0.665, 0.713, "S2",
    ]  # fmt: skip
    assert [legacy[1][name] for name in ("mow_n", "m1_dstart", "m1_conf", "m1_mis", "proc", "compl")] == [
        0, "0", 0.0, "0", 1, 2,
    ]  # fmt: skip


def test_events_below_the_least_confidence_stay_in_the_event_table_alone() -> None:
    mowing, given, settings = found(max_events=0, min_conf=0.65)
    events = event_table(mowing, given)
    assert events["reported"].to_pylist() == [False, True, True, False, True]
    assert events["place"].to_pylist() == [None, 1, 2, None, 3]
    assert parcel_table(mowing, FIRST, LAST, settings.optical)["mow_n"].to_pylist() == [3, 0, 0]


def test_a_run_without_events_gives_empty_tables_of_the_same_columns() -> None:
    mowing, given, settings = found(min_conf=0.0, **{"s2.low_abs_th": 0.99})
    events = event_table(mowing, given)
    assert (len(events), events.column_names) == (0, list(EVENT_NOTES))
    wide = wide_table(parcel_table(mowing, FIRST, LAST, settings.optical), events)
    assert sen4cap_fields(wide)["m1_dstart"].to_pylist() == ["0", "0", "0"]


def test_a_thin_series_cannot_tell_unless_radar_saw_the_parcel() -> None:
    mowing, _, settings = found()
    thin = replace(settings.optical, min_clear_a_month=1.0, max_gap_d=30)
    assert cannot_tell(mowing, FIRST, LAST, thin) == [None, None, "few_clear_dates"]
    assert cannot_tell(mowing, FIRST, LAST, replace(thin, max_gap_d=3)) == ["long_gap", "long_gap", "few_clear_dates"]
    assert parcel_table(mowing, FIRST, LAST, thin)["decision"].to_pylist() == ["yes", "no", "inconclusive"]
    watched = replace(mowing, n_pairs=np.array([0, 20, 21], np.int16))  # 245 days
    assert cannot_tell(watched, FIRST, LAST, replace(thin, max_gap_d=3)) == ["long_gap", "long_gap", None]
    alone = replace(watched, max_gap_d=np.full(3, -1, np.int16))
    assert cannot_tell(alone, FIRST, LAST, thin) == ["few_pairs", "few_pairs", None]


@pytest.mark.parametrize(
    ("compl", "events", "status", "reason", "decision"),
    [
        (-1, 2, "processed", None, "not_applicable"),
        (-1, 0, "min_pixels", None, "not_applicable"),
        (0, 0, "min_pixels", None, "not_monitorable"),
        (0, 0, "geometry", None, "not_monitorable"),
        (0, 0, "no_observation", None, "inconclusive"),
        (1, 1, "processed", "long_gap", "yes"),
        (1, 0, "processed", "long_gap", "inconclusive"),
        (1, 0, "processed", None, "yes"),
        (2, 0, "processed", None, "no"),
        (2, 0, "processed", "few_clear_dates", "inconclusive"),
        (3, 2, "processed", None, "no"),
        (3, 2, "processed", "long_gap", "inconclusive"),
    ],
)
def test_what_a_result_means_for_the_agency(
    compl: int, events: int, status: str, reason: str | None, decision: str
) -> None:
    row = {"compl": [compl], "mow_n": [events], "status": [status]}
    table = pa.table({**row, "cannot_tell": pa.array([reason], pa.string())})
    assert with_decision(table)["decision"].to_pylist() == [decision]


def test_pictures_of_a_parcel_and_of_a_run_are_the_same_every_time(tmp_path: Path) -> None:
    mowing, given, settings = found("default")
    parcels = parcel_table(mowing, FIRST, LAST, settings.optical)
    for number, name in ((1, "mown"), (3, "thin")):
        facts = facts_of(parcels.to_pylist()[row_of(mowing, number)])
        drawn = ParcelPicture(mowing, row_of(mowing, number), given, settings, FIRST, LAST, "A", facts)
        for turn in ("a", "b"):
            draw_parcel(drawn, tmp_path / f"{name}_{turn}.png")
        assert (tmp_path / f"{name}_a.png").read_bytes() == (tmp_path / f"{name}_b.png").read_bytes()
    mown, thin = (np.asarray(Image.open(tmp_path / f"{name}_a.png").convert("RGB")) for name in ("mown", "thin"))
    assert mown.shape == thin.shape
    assert (mown != thin).any(axis=2).mean() > 0.01
    with pytest.raises(NotFoundError, match="no parcel 9"):
        row_of(mowing, 9)
    draw_overview(parcels, event_table(mowing, given), tmp_path / "run.png", title="a run", centres=np.eye(3, 2))
    with Image.open(tmp_path / "run.png") as picture:
        assert picture.size == (1100, 600)
