"""The common observation table."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA, ObservationBlock, observation_table


def block(variable: str, parcels: list[int], means: list[float], **facts: object) -> ObservationBlock:
    count = len(parcels)
    given = {
        "variable": variable,
        "time": datetime(2021, 5, 2, 10, 46, 12, tzinfo=UTC),
        "previous_time": None,
        "platform": "sentinel-2a",
        "tile": "31UFS",
        "orbit": None,
        "direction": None,
        "parcel_id": np.array(parcels),
        "mean": np.array(means, np.float32),
        "std": np.full(count, np.nan, np.float32),
        "least": np.array(means, np.float32),
        "most": np.array(means, np.float32),
        "n": np.ones(count, np.int32),
        "n_total": np.full(count, 4, np.int32),
    }
    return ObservationBlock(**(given | facts))  # type: ignore[arg-type]


def test_constants_are_spread_and_undefined_values_are_null() -> None:
    earlier = datetime(2021, 4, 26, 17, 25, tzinfo=UTC)
    table = observation_table(
        [
            block("ndvi", [1, 2], [0.5, 0.6]),
            block("coherence_vv", [7], [0.3], previous_time=earlier, orbit=88, direction="ascending", product_id=11),
        ]
    )

    assert table.schema == OBSERVATION_SCHEMA
    assert table.column("parcel_id").to_pylist() == [1, 2, 7]
    assert table.column("variable").to_pylist() == ["ndvi", "ndvi", "coherence_vv"]
    assert table.column("std").to_pylist() == [None, None, None]
    assert table.column("orbit").to_pylist() == [None, None, 88]
    assert table.column("product_id").to_pylist() == [None, None, 11]
    row = table.slice(2, 1).to_pylist()[0]
    assert (row["time"].isoformat(), row["previous_time"].isoformat()) == (
        "2021-05-02T10:46:12+00:00",
        "2021-04-26T17:25:00+00:00",
    )


def test_nothing_observed_is_an_empty_table() -> None:
    table = observation_table([])

    assert table.num_rows == 0
    assert table.schema == OBSERVATION_SCHEMA
