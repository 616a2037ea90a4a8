"""The scorecard of harvest and practices on a product of the database."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from l4_season import Filled, publish
from practice_season import NOW, configure, fill_practices, give_table

from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.seasons import Season
from s4c_lib.runs import RunRequest
from s4c_lib.scorecard.season import season_scorecard
from s4c_lib.scorecard.truth import Truth

L4C = RunRequest("alpha", "2024", "s4c_l4c", "run 1", "backfill", "anna", occurrence=date(2024, 9, 30))
# The harvest of 15 July comes after the day by which the catch crop had to be sown: POOR, and rightly so of P3.
CATCH_CROPS = """FIELD_ID;MAIN_CROP;VEG_START;H_START;H_END;PRACTICE;P_TYPE;P_START;P_END
P3;233;2024-04-01;2024-06-03;2024-09-30;CatchCrop;CatchCrop_1;2024-07-01;2024-08-25
"""


@pytest.fixture(scope="module")
def filled() -> Filled:
    """A harvest in the week of 15 July on three parcels; the fourth was never seen."""
    return fill_practices


def test_harvest_and_verdicts_of_the_product_in_force(database: Database, season: Season, tmp_path: Path) -> None:
    configure(database, season, "CC", "FL", "NA")
    give_table(database, season, Kind.PRACTICES_CC, CATCH_CROPS)
    product = publish(database, L4C, now=NOW)
    numbers = [1, 2, 3, 4]
    none = pa.nulls(4, pa.date32())
    truth = Truth(
        pa.table(
            {
                "parcel_id": numbers,
                "ori_id": [f"P{number}" for number in numbers],
                "true_crop": ["233"] * 4,
                # P1 in the week found, P2 two weeks before; P3 was not harvested in the season
                "harvest": pa.array([date(2024, 7, 18), date(2024, 7, 4), date(2024, 10, 2), None], pa.date32()),
                "catch_crop": ["none"] * 4,
                **{f"catch_crop_{what}": none for what in ("sowing", "emergence", "destruction")},
            }
        ),
        pa.table(
            {
                "parcel_id": pa.array([], pa.int64()),
                "event": pa.array([], pa.string()),
                "date": pa.nulls(0, pa.date32()),
            }
        ),
        None,
    )
    with database.begin() as connection:
        card = season_scorecard(connection, season, truth, tmp_path)
    found = {one.name: (one.value, one.n) for one in card.figures}
    assert card.products == {"s4c_l4c": product.name}
    assert found["harvest_found"] == (1.0, 2)
    assert found["harvest_error"] == (7.0, 2)  # 0 and 14 days
    assert found["harvest_near"] == (0.5, 2)
    assert found["harvest_false"] == (1.0, 1)
    assert found["cc_decided"] == (1.0, 1)
    assert found["cc_broken_objected"] == (1.0, 1)
    assert card.absent["s4c_l4c FL"] == "there is no practice table of 2024"
    assert card.absent["s4c_l4c NFC"] == "the configuration does not ask for this practice"
