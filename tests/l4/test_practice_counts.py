"""What the rows of an L4C run came to: the last rows of the decision table of l4c-practices.md section 17."""

from __future__ import annotations

import numpy as np
import pytest

from s4c_lib.l4.practice_counts import as_metadata, check_judged, count_decisions, quality_of, share_without_result
from s4c_lib.practices.codes import Found, Status, Verdict
from s4c_lib.season_run import NoResultError


class Decided:
    """The columns that are counted."""

    def __init__(self, *states: Status) -> None:
        self.status = np.array(states, np.int8)
        judged = self.status == Status.OK
        self.harvest = np.where(judged, Found.FOUND, Found.NA)
        self.c_index = np.where(judged, Verdict.WEAK, Verdict.NA)
        self.weekly = range(3 * int(judged.sum()))

    def __len__(self) -> int:
        return len(self.status)


def counted(*states: Status) -> dict[str, int]:
    return count_decisions("CC", Decided(*states))  # type: ignore[arg-type]


def test_rows_are_counted_by_state_and_verdict() -> None:
    counts = counted(Status.OK, Status.OK, Status.NO_NDVI) + counted(Status.BAD_DATES)  # type: ignore[operator]
    assert as_metadata(counts) == {
        "rows": 4, "weeks": 6, "STATUS": {"BAD_DATES": 1, "NO_NDVI": 1, "OK": 2},
        "practices": {"CC": {"NA": 2, "WEAK": 2, "harvests": 2, "rows": 4}},
    }  # fmt: skip
    check_judged(counts)


def test_images_that_cover_no_parcel_are_told_from_parcels_that_cannot_be_judged() -> None:
    with pytest.raises(NoResultError, match="None of 2 rows has a parcel with statistics") as caught:
        check_judged(counted(Status.NOT_IN_SERIES, Status.NOT_IN_SERIES))
    assert caught.value.code == "no_overlap"
    with pytest.raises(NoResultError, match="None of 3 rows can be judged: 2 NO_NDVI, 1 NOT_IN_SERIES") as caught:
        check_judged(counted(Status.NOT_IN_SERIES, Status.NO_NDVI, Status.NO_NDVI))
    assert caught.value.code == "no_evaluable_parcel"


@pytest.mark.parametrize(("lost", "quality"), [(2, "ok"), (3, "degraded")])
def test_a_product_with_many_rows_without_result_is_degraded(lost: int, quality: str) -> None:
    counts = counted(*[Status.NO_NDVI] * lost, *[Status.OK] * (4 - lost))
    assert quality_of(share_without_result(counts), 50.0) == quality
