"""What changes after an ingest: parameters, declarations, sites; files of the statistics store follow, none is lost."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import rasterio
from derived_season import (
    CLEAR_DAYS,
    L3B,
    NOW,
    Derived,
    NewDerived,
    make_derived,
    new_derived,
    part_of,
    season_files,
    stored_files,
)

from s4c_lib.catalog import marker_files
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.products import inputs_of
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.ingest.statistics import plan_statistics, run_statistics
from s4c_lib.statistics.observations import read_observations
from s4c_lib.synthetic.products.raster_files import jpeg2000
from s4c_lib.synthetic.season import make_season
from s4c_lib.synthetic.world import SeasonOptions

__all__ = ["new_derived", "season_files"]

OTHER_RULE = ("processor.l3b.model_set", "sl2p_v3_10m")
ONE_ACTIVE = """
    SELECT max(count) AS most, min(count) AS least, count(*) AS keys FROM (
        SELECT count(*) FILTER (WHERE state = 'active') AS count FROM s4c.marker_file
        GROUP BY parcel_set_id, product_id, variable) AS counted
"""


@pytest.fixture
def clear(season_files: Path, tmp_path: Path) -> Path:
    """An archive of the two clearest optical dates and one radar date."""
    archive = part_of(season_files / "archive", tmp_path / "archive", ["_MSIL2A_"], CLEAR_DAYS)
    return part_of(season_files / "archive", archive, ["_BCK_"], [3])


def numbers(table: pa.Table) -> list[dict[str, object]]:
    """Rows without the product they are of."""
    return table.drop_columns(["product_id"]).to_pylist()


def extracted_anew(season: Derived) -> pa.Table:
    """Statistics of everything, made as if there had been none."""
    season.rows_changed("UPDATE s4c.marker_file SET state = 'superseded', superseded_at = now() WHERE state = 'active'")
    season.run()
    return season.observations()


# --- A14 -----------------------------------------------------------------------------------------------------------


def test_a14_other_parameters_make_other_files_and_one_of_each_counts(clear: Path, new_derived: NewDerived) -> None:
    season = new_derived(clear)
    season.run()
    before, first = season.observations("lai"), stored_files(season.root)
    season.set(*OTHER_RULE)
    assert season.has_work()
    counts = season.run()
    assert (counts["l2a"], counts["l3b"], counts["statistics"]) == (0, 2, 2)
    assert not season.has_work()

    (state,) = season.rows(ONE_ACTIVE)
    assert (state["most"], state["least"]) == (1, 1)
    current = season.context().parameters.hash_for("l3b")
    with season.database.begin() as connection:
        in_force = marker_files.list_marker_files(connection, season.parcels.id, config_hashes={"l3b": current})
    lai = [one for one in in_force if one.variable == "lai"]
    assert len(lai) == 2
    after = read_observations([Path(one.path) for one in lai])
    assert after["parcel_id"].to_pylist() == before["parcel_id"].to_pylist()
    assert float(np.abs(after["mean"].to_numpy() - before["mean"].to_numpy()).max()) > 0.01

    files = stored_files(season.root)
    assert first < files, "files are never changed"
    fresh = extracted_anew(season)
    again = pc.is_in(fresh["product_id"], pa.array([one.product_id for one in lai]))
    assert numbers(fresh.filter(pc.and_(again, pc.equal(fresh["variable"], "lai")))) == numbers(after)
    assert stored_files(season.root) == files, "the same content has the same name"


@pytest.mark.slow
def test_parameters_changed_back_keep_their_files(clear: Path, new_derived: NewDerived) -> None:
    """What comes into force again must not be swept away with what was superseded in between."""
    season = new_derived(clear)
    season.run()
    first = season.markers("ndvi")
    season.set("processor.s4c_mdb1.minmax_enabled", True)
    counts = season.run()
    assert (counts["l3b"], counts["statistics"]) == (0, 6)
    extremes = season.observations("ndvi")
    assert extremes["min"].null_count == 0
    assert pc.all(pc.less_equal(extremes["min"], extremes["mean"])).as_py()
    season.set("processor.s4c_mdb1.minmax_enabled", False)
    season.run()
    assert [one.path for one in season.markers("ndvi")] == [one.path for one in first]
    with season.database.begin() as connection:
        unread = {Path(path) for _, path in marker_files.superseded_files(connection, datetime.max)}
    assert unread
    assert unread.isdisjoint(Path(one.path) for one in season.markers())
    assert unread | {Path(one.path) for one in season.markers()} == stored_files(season.root)


@pytest.mark.parametrize(
    "together", [pytest.param(False, marks=pytest.mark.slow), True], ids=["one after the other", "at once"]
)
def test_a14_a_piece_submitted_twice_leaves_one_file_in_force(
    clear: Path, new_derived: NewDerived, together: bool
) -> None:
    """A worker so slow that its lease ran out goes on, while another does its piece too."""
    season = new_derived(clear)
    season.set("processor.s4c_mdb1.amp_enabled", False)
    late = NOW + timedelta(days=1)
    others: list[threading.Thread] = []
    told: list[int] = []

    def second() -> None:
        with_own = Database(season.database.url)
        plan_statistics(with_own, season.context(), now=late)
        made = run_statistics(with_own, season.context(), owner="second", job_id=None, clock=lambda: late)
        told.append(made.made)
        with_own.engine.dispose()

    def slow() -> datetime:
        # looked at again right after the claim: by then the other one takes it over
        calls.append(1)
        if len(calls) == 2:
            others.append(threading.Thread(target=second))
            others[0].start()
            if not together:
                others[0].join()
        return NOW

    calls: list[int] = []
    season.set("processor.s4c_mdb1.ndvi_enabled", False)
    season.run()
    before = stored_files(season.root)
    season.set("processor.s4c_mdb1.ndvi_enabled", True)
    assert plan_statistics(season.database, season.context(), now=NOW) == 2
    run_statistics(season.database, season.context(), owner="first", job_id=None, clock=slow, limit=1)
    others[0].join()
    assert told[0] in (1, 2)

    (state,) = season.rows(ONE_ACTIVE)
    assert (state["most"], state["least"]) == (1, 1)
    assert len(season.markers("ndvi")) == 2
    assert stored_files(season.root) - before == {Path(one.path) for one in season.markers("ndvi")}
    assert {one[0] for one in season.derivations(14)} == {"done"}
    assert not season.has_work()


def test_statistics_of_a_product_that_is_replaced_go_with_it(clear: Path, new_derived: NewDerived) -> None:
    season = new_derived(clear)
    season.run()
    (first, _) = season.products("l3b")
    season.rows_changed("UPDATE s4c.product SET state = 'superseded', version = 0 WHERE id = :id", id=first.id)
    assert {one.product_id for one in season.markers("ndvi")}.isdisjoint({first.id})
    assert season.rows("SELECT 1 FROM s4c.marker_file WHERE product_id = :id AND state = 'active'", id=first.id) == []
    counts = season.run()
    assert (counts["l3b"], counts["statistics"]) == (1, 1)
    (again, _) = season.products("l3b")
    assert (again.name, again.full_path) == (first.name, first.full_path)
    assert len(season.markers("ndvi")) == 2


@pytest.mark.slow
def test_files_that_come_too_late_are_not_in_force(clear: Path, new_derived: NewDerived) -> None:
    """Extracted while the product was being replaced."""
    season = new_derived(clear)
    season.run()
    (first, _) = season.products("l3b")
    late = next(one for one in season.markers("ndvi") if one.product_id == first.id)
    season.rows_changed("UPDATE s4c.product SET state = 'superseded' WHERE id = :id", id=first.id)
    values = {name: getattr(late, name) for name in late.__dataclass_fields__ if name != "id"}
    with season.database.begin() as connection:
        marker_files.put_in_force(connection, [marker_files.NewMarkerFile(**values)])
    states = season.rows("SELECT state::text FROM s4c.marker_file WHERE product_id = :id", id=first.id)
    assert {row["state"] for row in states} == {"superseded"}


# --- versions of the declarations ----------------------------------------------------------------------------------


def test_b17_a_new_version_of_the_declarations_recomputes_what_changed_only(
    clear: Path, new_derived: NewDerived
) -> None:
    season = new_derived(clear)
    season.run()
    before = season.observations("ndvi", "vv")
    # a mark in the files of the first version shows which rows the second takes from them
    for marker in season.markers("ndvi", "vv"):
        table = pq.read_table(marker.path)
        marked = pc.cast(pc.add(table["mean"], 100.0), pa.float32())
        place = table.schema.get_field_index("mean")
        pq.write_table(table.set_column(place, table.schema.field(place), marked), marker.path)

    assert not season.has_work()
    second = season.declare(season.files / "declarations" / "declarations_v2.gpkg").parcel_set
    assert second is not None
    assert second.base_id is not None
    assert season.has_work(), "B17: work of the next ingest"
    assert season.markers() == []
    counts = season.run()
    assert (counts["l2a"], counts["l3b"], counts["statistics"]) == (0, 0, 6)
    assert not season.has_work()

    with season.database.begin() as connection:
        parcels = read_parcels(connection, second, ["new_id", "change", "is_deleted"]).to_pylist()
    change = {row["new_id"]: str(row["change"]) for row in parcels if not row["is_deleted"]}
    kinds = set(change.values())
    assert {"unchanged", "new"} <= kinds, kinds
    after = season.observations("ndvi", "vv")
    copied = {number for number, kind in change.items() if kind in {"unchanged", "attribute"}}
    seen = {bool(row["parcel_id"] in copied) for row in after.to_pylist()}
    assert seen == {True, False}
    for row in after.to_pylist():
        assert (row["mean"] > 50) == (row["parcel_id"] in copied), (row, change[row["parcel_id"]])
    gone = set(before["parcel_id"].to_pylist()) - set(change)
    assert gone, "the second delivery leaves parcels out"
    assert gone.isdisjoint(after["parcel_id"].to_pylist())


@pytest.mark.slow
def test_copied_and_recomputed_rows_are_those_of_a_full_recomputation(clear: Path, new_derived: NewDerived) -> None:
    season = new_derived(clear)
    season.set("processor.s4c_mdb1.median_enabled", True)
    season.run()
    season.declare(season.files / "declarations" / "declarations_v2.gpkg")
    season.run()
    copied = season.observations()
    full = extracted_anew(season)
    assert len(full) > 800
    assert copied.to_pylist() == full.to_pylist()


# --- A16, and sites that share ---------------------------------------------------------------------------------------


def test_a16_a_tile_all_in_clouds_is_empty_and_done_the_other_is_delivered(database: Database, tmp_path: Path) -> None:
    tiles = ("31UFS", "31UFT")
    small = SeasonOptions(
        size_m=600,
        parcels=3,
        start=datetime(2021, 6, 9).date(),
        end=datetime(2021, 6, 10).date(),
        tiles=tiles,
        cloudiness=0.1,
    )
    made = make_season(tmp_path / "two", small)
    (cloudy,) = made.root.rglob("S2*_MSIL2A_*_T31UFT_*.SAFE")
    for file in cloudy.rglob("*_SCL_*.jp2"):
        _overwritten(file, 9)
    season = make_derived(database, made.root, tmp_path, declared=False, tiles=tiles)
    season.set("processor.s4c_mdb1.amp_enabled", False)
    counts = season.run()
    assert (counts["l2a"], counts["l3b"], counts["l3b_empty"]) == (2, 1, 1)
    states = season.rows(
        "SELECT tiles[1] AS tile, state::text, full_path, metadata FROM s4c.product "
        "WHERE product_type_id = 3 ORDER BY 1"
    )
    assert [(row["tile"], row["state"]) for row in states] == [("31UFS", "active"), ("31UFT", "empty")]
    assert states[1]["metadata"]["rasters"] == {}
    assert states[1]["metadata"]["percentages"]["cloud"] == 100
    assert list(Path(states[1]["full_path"]).glob("*.tif")) == []
    assert not season.has_work()
    assert {state for state, *_ in season.derivations(3)} == {"done"}


def _overwritten(file: Path, value: int) -> None:
    with rasterio.open(file) as source:
        shape, west, north, pixel = source.shape, source.transform.c, source.transform.f, source.transform.a
    content = jpeg2000(np.full(shape, value, np.uint8), PixelGrid(32631, int(west), int(north), int(pixel), *shape))
    file.write_bytes(content)


@pytest.fixture
def neighbours(clear: Path, new_derived: NewDerived) -> tuple[Derived, Derived]:
    """Two sites on the same archive; the first has been ingested."""
    alpha = new_derived(clear)
    beta = new_derived(clear, "Beta")
    alpha.run()
    return alpha, beta


def test_sites_with_the_same_parameters_share_l2a_and_vegetation(neighbours: tuple[Derived, Derived]) -> None:
    alpha, beta = neighbours
    counts = beta.run()
    assert (counts["l2a"], counts["l3b"], counts["statistics"]) == (0, 0, 6)
    assert [one.id for one in beta.products("l2a")] == [one.id for one in alpha.products("l2a")]
    assert [one.id for one in beta.products("l3b")] == [one.id for one in alpha.products("l3b")]
    shared = {one.path for one in alpha.markers()} & {one.path for one in beta.markers()}
    assert shared == set(), "parcels are each site's own"
    assert beta.observations(*L3B)["mean"].to_pylist() == alpha.observations(*L3B)["mean"].to_pylist()
    assert not alpha.has_work()
    assert not beta.has_work()


@pytest.mark.slow
def test_a_site_with_other_parameters_has_vegetation_of_its_own(neighbours: tuple[Derived, Derived]) -> None:
    alpha, beta = neighbours
    with beta.database.begin() as connection:
        set_value(connection, *OTHER_RULE, actor="test", site=beta.site)
    before = alpha.products("l3b")
    counts = beta.run()
    assert (counts["l2a"], counts["l3b"], counts["statistics"]) == (0, 2, 6)
    assert alpha.products("l3b") == before
    own = beta.products("l3b")
    assert {one.id for one in own}.isdisjoint(one.id for one in before)
    assert {one.name for one in own}.isdisjoint(one.name for one in before)
    with beta.database.begin() as connection:
        assert [inputs_of(connection, one.id) for one in own] == [inputs_of(connection, one.id) for one in before]
    assert not alpha.has_work()
    assert not beta.has_work()
