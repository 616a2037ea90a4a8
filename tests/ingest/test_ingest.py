"""A whole ingest on a local archive: what is found, fetched, registered, left out, and why."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from s4c_lib.catalog import acquisitions, products, site_deletion
from s4c_lib.catalog.acquisition_states import TERMINAL
from s4c_lib.catalog.config_values import set_value
from s4c_lib.errors import ConflictError
from s4c_lib.ingest.context import IngestContext, load_context
from s4c_lib.ingest.query import run_query
from s4c_lib.synthetic.archive import ArchiveSummary
from tests.ingest.conftest import prepare
from tests.ingest.fetching import LATER, New, same_tree

HOUR = timedelta(hours=1)
# What the parameters in force make of each kind.
FATE = {
    "s2_l2a": None,
    "s1_amp": None,
    "s1_cohe": None,
    "landsat_l2sp": None,
    "s2_l1c": "not_wanted",
    "muscate_l2a": "not_wanted",
    "s1_slc": "no_executor",
    "s1_grd": "no_executor",
}


@pytest.mark.parametrize("mode", ["copy", "symlink", "check"])
def test_an_archive_is_found_fetched_and_registered(new_ingest: New, pristine: ArchiveSummary, mode: str) -> None:
    ingest = new_ingest(pristine.root, mode)
    counts = ingest.run()
    known = ingest.known()
    assert {name: known[name].relevance_reason for name in known} == {
        name: FATE[one.kind] for name, one in known.items()
    }
    sound = {product.name: product.path for product in pristine.products if not product.superseded}
    corrupt = {fault.path.stem: fault for fault in pristine.faults if fault.stage == "fetch"}
    assert set(known) == set(sound) | set(corrupt)

    wanted = {name: path for name, path in sound.items() if FATE[known[name].kind] is None}
    assert {name for name, one in known.items() if one.state == "processed"} == set(wanted)
    assert ingest.products().keys() == wanted.keys()
    for name, source in wanted.items():
        here = Path(ingest.products()[name])
        match mode:
            case "copy":
                assert here.is_relative_to(ingest.downloads)
                assert not here.is_symlink()
                assert same_tree(here, source)
            case "symlink":
                assert here.is_relative_to(ingest.downloads)
                assert here.readlink() == source
            case "check":
                assert here == source
    assert mode != "check" or not ingest.downloads.exists()
    left_behind = [path for path in ingest.downloads.rglob(".part/*") if mode != "check"]
    assert left_behind == []
    assert counts["registered"] == counts["fetched"] == len(wanted)
    assert counts["fetch_failed"] == len(corrupt) == 2
    assert counts["windows_failed"] == 0
    for name in corrupt:
        assert (known[name].state, known[name].reason_code, known[name].attempts) == ("failed", "input_corrupt", 1)
        assert known[name].last_error


def test_every_fault_of_the_archive_is_told_once(new_ingest: New, pristine: ArchiveSummary) -> None:
    ingest = new_ingest(pristine.root)
    ingest.run()
    told = Counter((entry["path"], entry["reason"]) for window in ingest.windows() for entry in window.rejected)
    expected = {(str(fault.path), fault.code): 1 for fault in pristine.faults if fault.stage == "search"}
    expected |= {(str(product.path), "superseded"): 1 for product in pristine.products if product.superseded}
    assert told == expected
    texts = [entry["text"] for window in ingest.windows() for entry in window.rejected]
    assert all(texts)


def test_acquisitions_left_out_hold_nobody_back(new_ingest: New, pristine: ArchiveSummary) -> None:
    ingest = new_ingest(pristine.root)
    ingest.run()
    radar = [one for one in ingest.known().values() if one.kind in {"s1_slc", "s1_grd"}]
    assert len(radar) == 8
    assert all(one.state == "ignored" and one.state in TERMINAL and one.attempts == 0 for one in radar)


TEMPLATES = {1: "Sentinel-2/MSI/L2A", 2: "Landsat-8/OLI_TIRS/L2SP", 3: "Sentinel-1/SAR/L2"}


@pytest.mark.parametrize("with_template", [False, True])
def test_a_second_run_has_nothing_to_do(new_ingest: New, pristine: ArchiveSummary, with_template: bool) -> None:
    ingest = new_ingest(pristine.root)
    for satellite, folder in TEMPLATES.items():
        if with_template:
            ingest.execute(
                f"UPDATE s4c.data_source SET path_template = '{folder}/yyyy/MM/dd' WHERE satellite_id = {satellite}"
            )
    assert ingest.has_work()
    ingest.run()
    before = ingest.known()
    assert len(ingest.products()) == 40
    assert not ingest.has_work()
    assert set(ingest.run().values()) == {0}
    assert ingest.known() == before


def test_a_backfill_searches_its_interval_and_later_ones_the_rest(new_ingest: New, pristine: ArchiveSummary) -> None:
    ingest = new_ingest(pristine.root)
    assert ingest.has_work(before=date(2024, 3, 9))
    ingest.run(before=date(2024, 3, 9))
    assert {one.window.date_from for one in ingest.windows() if one.last_success} == {
        one.window.date_from for one in ingest.windows() if one.window.date_from < date(2024, 3, 9)
    }
    assert max(one.sensing_start for one in ingest.known().values()) < datetime(2024, 3, 20, tzinfo=UTC)
    assert not ingest.has_work(before=date(2024, 3, 9))
    # windows in which something may have healed belong to their interval too
    assert ingest.run(LATER + 2 * HOUR, before=date(2024, 3, 1))["windows"] == 0
    ingest.run(before=date(2024, 5, 2))
    assert all(one.last_success for one in ingest.windows())
    assert len(ingest.products()) == 40


def test_a_season_enabled_in_its_middle_takes_all_that_has_begun(new_ingest: New, pristine: ArchiveSummary) -> None:
    ingest = new_ingest(pristine.root)
    now = datetime(2024, 3, 17, 8, tzinfo=UTC)
    ingest.run(now)
    searched = [one for one in ingest.windows("s2") if one.last_success]
    assert [one.window.date_from for one in searched] == [date(2024, 3, 1), date(2024, 3, 11)]
    assert len(ingest.windows("s2")) == 3
    # the window that runs is searched to its end: an archive may be ahead
    assert max(one.sensing_start for one in ingest.known().values() if one.satellite == "s2").date() == date(
        2024, 3, 16
    )


def hide(root: Path, part: str, away: Path) -> tuple[Path, Path]:
    (path,) = [one for one in root.rglob("*.SAFE") if part in one.name]
    away.mkdir(exist_ok=True)
    shutil.move(path, away / path.name)
    return path, away / path.name


def test_a_late_publication_is_found(new_ingest: New, small_archive: Path, tmp_path: Path) -> None:
    """Case 28: sensed on the 6th, published when products of the 11th are there already."""
    ingest = new_ingest(small_archive)
    place, hidden = hide(small_archive, "20240306T103621_N0510_R051_T31UFS", tmp_path / "later")
    ingest.run(datetime(2024, 3, 12, 8, tzinfo=UTC))
    assert len(ingest.products()) == 3
    shutil.move(hidden, place)
    counts = ingest.run(datetime(2024, 3, 13, 8, tzinfo=UTC))
    assert (counts["new"], counts["registered"]) == (1, 1)
    assert len(ingest.products()) == 4


def test_settled_windows_are_left_alone(new_ingest: New, small_archive: Path) -> None:
    """Case 27: daily runs; a window is searched until 5 days after its end."""
    ingest = new_ingest(small_archive)
    for day in range(1, 23):
        ingest.run(datetime(2024, 3, day, 8, tzinfo=UTC))
    last = {one.window.date_from.day: one.last_success for one in ingest.windows("s2") if one.last_success}
    assert last == {
        1: datetime(2024, 3, 16, 8, tzinfo=UTC),
        11: datetime(2024, 3, 22, 8, tzinfo=UTC),
        21: datetime(2024, 3, 22, 8, tzinfo=UTC),
    }


def test_a_product_that_was_still_arriving_is_taken_when_it_is_whole(new_ingest: New, archive: Path) -> None:
    ingest = new_ingest(archive)
    ingest.run()
    headless = next(archive.rglob("S2A_MSIL2A_20240303T124619*.SAFE"))
    bandless = next(archive.rglob("S2A_MSIL2A_20240303T104619_N0510_R008_T31UFS*.SAFE"))
    whole = next(archive.rglob("S2A_MSIL2A_20240301T103621*T31UFS*.SAFE"))
    assert not ingest.has_work()
    assert ingest.has_work(LATER + HOUR)
    counts = ingest.run(LATER + HOUR)
    # the one window with something in it that may heal is searched again, the two failed ones are tried again
    assert (counts["windows"], counts["new"], counts["fetch_failed"]) == (1, 0, 2)

    # the files of the same tile fit: names inside are not compared with those of the folder
    shutil.copy(whole / "manifest.safe", headless / "manifest.safe")
    manifest = (bandless / "manifest.safe").read_text()
    sibling = next(archive.rglob("*T114619*.SAFE"))
    missing = bandless / next(sibling.rglob("*_B08_10m.jp2")).relative_to(sibling)
    assert missing.name in manifest
    shutil.copy(next(whole.rglob("*_B08_10m.jp2")), missing)
    ingest.run(LATER + 4 * HOUR)
    assert ingest.acquisition("20240303T104619_N0510_R008_T31UFS").state == "processed"
    assert any("20240303T124619" in name for name in ingest.known())


def test_one_archive_away_does_not_hold_up_the_other(new_ingest: New, small_archive: Path, tmp_path: Path) -> None:
    from domain_rows import make_source

    ingest = new_ingest(small_archive)
    away = tmp_path / "mount" / "second"
    shutil.copytree(small_archive, away)
    for path in [*small_archive.rglob("*T31UGS*.SAFE")]:
        shutil.rmtree(path)
    with ingest.database.begin() as connection:
        make_source(connection, away, name="second", satellites=("s2",))
    hidden = away.rename(tmp_path / "unmounted")
    counts = ingest.run()
    assert counts["windows_failed"] == len(ingest.windows("s2"))
    assert counts["windows"] == len(ingest.windows("s1")) + len(ingest.windows("l8"))
    assert len(ingest.products()) == 2, "what the other archive has is there"
    (window, *_) = ingest.windows("s2")
    assert "second" in (window.error or "")
    assert (window.attempts, window.next_attempt_at) == (1, LATER + timedelta(minutes=5))

    hidden.rename(away)
    assert not ingest.has_work(LATER + timedelta(minutes=4))
    assert ingest.run(LATER + timedelta(minutes=5))["windows"] == 3
    assert len(ingest.products()) == 4
    assert not ingest.has_work(LATER + 2 * HOUR)


@pytest.mark.parametrize("how", ["absent", "empty", "a file"])
def test_an_archive_that_is_not_mounted_settles_nothing(new_ingest: New, tmp_path: Path, how: str) -> None:
    root = tmp_path / "archive"
    match how:
        case "empty":
            root.mkdir()
        case "a file":
            root.write_text("")
    ingest = new_ingest(root)
    counts = ingest.run()
    assert (counts["windows"], counts["windows_failed"]) == (0, len(ingest.windows()))
    assert ingest.has_work(LATER + HOUR)


def test_other_limits_apply_to_what_is_known_already(new_ingest: New, small_archive: Path) -> None:
    """A product left out for its clouds comes back when the limit is raised, settled window or not."""
    ingest = new_ingest(small_archive)
    ingest.set("downloader.s2.max_cloud_coverage", 0)
    assert ingest.run()["ignored"] == 4
    assert {one.reason_code for one in ingest.known().values()} == {"cloud"}
    assert not ingest.has_work()
    ingest.set("downloader.s2.max_cloud_coverage", 100)
    assert ingest.has_work()
    counts = ingest.run()
    assert (counts["windows"], counts["queued"], counts["registered"]) == (0, 4, 4)
    assert not ingest.has_work()


def test_another_kind_of_l2a_is_taken_from_what_is_known(new_ingest: New, pristine: ArchiveSummary) -> None:
    ingest = new_ingest(pristine.root)
    ingest.run()
    ingest.set("processor.l2a.s2.implementation", "muscate")
    with pytest.raises(ConflictError, match=r"made with esa; muscate differs"):
        ingest.run()  # their masks differ: it has to be asked for
    ingest.set("processor.l2a.allow_mixed", True)
    counts = ingest.run()
    assert counts["registered"] == 4
    assert all(one.state == "processed" for one in ingest.known().values() if one.kind == "muscate_l2a")
    assert ingest.acquisition("20240303T104619_N0510_R008_T31UFS").state == "ignored", "a failed one is not tried again"


def test_a_tile_selected_later_is_searched_again(new_ingest: New, small_archive: Path) -> None:
    from s4c_lib.catalog import sites

    ingest = new_ingest(small_archive)
    for tiles, expected in ((["31UFS"], 2), (["31UFS", "31UGS"], 4)):
        with ingest.database.begin() as connection:
            sites.restrict_tiles(connection, ingest.site, tiles)
        assert ingest.has_work()
        ingest.run()
        assert len(ingest.products()) == expected


def test_a_newer_processing_takes_the_place_of_an_older_one(new_ingest: New, archive: Path, tmp_path: Path) -> None:
    ingest = new_ingest(archive)
    place, hidden = hide(archive, "20240306T103621_N0510_R051_T31UFS", tmp_path / "later")
    now = datetime(2024, 3, 12, 8, tzinfo=UTC)
    ingest.set("storage.min_free_gb", 0)
    ingest.run(now)
    assert ingest.acquisition("20240306T103621_N0509_R051_T31UFS").state == "processed"
    shutil.move(hidden, place)
    ingest.run(now + timedelta(days=1))
    older = ingest.acquisition("20240306T103621_N0509_R051_T31UFS")
    newer = ingest.acquisition("20240306T103621_N0510_R051_T31UFS")
    assert (older.relevance, older.relevance_reason) == ("ignored", "duplicate")
    assert newer.state == "processed"
    assert older.source_product_name not in ingest.products()
    assert newer.source_product_name in ingest.products()


def test_the_older_processing_is_used_until_the_newer_one_is_there(
    new_ingest: New, archive: Path, tmp_path: Path
) -> None:
    ingest = new_ingest(archive)
    place, hidden = hide(archive, "20240306T103621_N0510_R051_T31UFS", tmp_path / "later")
    now = datetime(2024, 3, 12, 8, tzinfo=UTC)
    ingest.run(now)
    older = ingest.acquisition("20240306T103621_N0509_R051_T31UFS").source_product_name
    shutil.move(hidden, place)
    now += timedelta(days=1)
    run_query(ingest.database, ingest.context(now), now=now, actor="test")
    newer = ingest.acquisition("20240306T103621_N0510_R051_T31UFS")
    assert newer.state == "queued"
    hide(archive, "20240306T103621_N0510_R051_T31UFS", tmp_path / "later")
    ingest.run(now + HOUR)
    assert older in ingest.products()
    shutil.move(hidden, place)
    ingest.run(now + 4 * HOUR)
    assert older not in ingest.products()
    assert newer.source_product_name in ingest.products()
    # the newer one turns out to be unwanted: the older one has its place again
    hide(archive, "20240306T103621_N0510_R051_T31UFS", tmp_path / "later")
    ingest.execute(f"UPDATE s4c.acquisition SET cloud_pct = 99 WHERE id = {newer.id}")
    ingest.set("downloader.s2.max_cloud_coverage", 98)
    ingest.run(now + 5 * HOUR)
    assert older in ingest.products()
    assert newer.source_product_name not in ingest.products()


KILLED_IN_ITS_SEARCH = """
    import os, signal, sys
    from datetime import UTC, datetime
    from s4c_lib.catalog.database import Database
    from s4c_lib.ingest.context import load_context
    from s4c_lib.ingest.query import run_query

    def die(done, total, label):
        if label.startswith(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

    now = datetime(2025, 2, 1, 8, tzinfo=UTC)
    database = Database(sys.argv[1])
    context = load_context(database, int(sys.argv[2]), today=now.date())
    run_query(database, context, now=now, actor="doomed", progress=die)
"""


@pytest.mark.parametrize("after", ["s2 2024-03-11", "s2 2024-03-21"])
def test_a_search_killed_between_windows_loses_nothing(new_ingest: New, small_archive: Path, after: str) -> None:
    """SIGKILL: what its searched windows found, and settled, is decided on by the next run, the last window or not."""
    ingest = new_ingest(small_archive)
    command = [sys.executable, "-c", textwrap.dedent(KILLED_IN_ITS_SEARCH), ingest.database.url, str(ingest.season.id)]
    died = subprocess.run([*command, after], capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert {str(one.state) for one in ingest.known().values()} == {"discovered"}
    assert ingest.has_work()
    assert ingest.run()["registered"] == 4
    assert not ingest.has_work()


def test_what_a_killed_search_found_and_the_site_leaves_out_is_decided_on_too(
    new_ingest: New, small_archive: Path
) -> None:
    ingest = new_ingest(small_archive)
    ingest.set("downloader.s2.max_cloud_coverage", 0)
    ingest.run()
    ingest.execute("UPDATE s4c.acquisition SET state = 'discovered'")
    assert ingest.has_work()
    assert ingest.run()["ignored"] == 4
    assert not ingest.has_work()


def test_two_sites_that_search_at_once_decide_once(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    with ingest.database.begin() as connection:
        _, season = prepare(connection, ingest.root, ingest.downloads, name="Beta", source=False)
    contexts = [load_context(ingest.database, number, today=LATER.date()) for number in (ingest.season.id, season.id)]
    together = threading.Barrier(2, timeout=60)

    def search(context: IngestContext) -> dict[str, int]:
        last = f"s2 {context.windows('s2')[-1].date_from}"

        def wait(_done: int, _total: int, label: str) -> None:
            if label.startswith(last):
                together.wait()

        return run_query(ingest.database, context, now=LATER, actor=context.site.name, progress=wait).counts()

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(search, contexts))
    assert sum(one["new"] for one in counts) == sum(one["queued"] for one in counts) == 4
    assert {str(one.state) for one in ingest.known().values()} == {"queued"}


def test_a_link_without_a_date_that_leads_nowhere_reopens_nothing(new_ingest: New, small_archive: Path) -> None:
    """One named like a product may come to life; `latest` belongs to no window."""
    ingest = new_ingest(small_archive)
    (product,) = small_archive.rglob("*20240306T103621_N0510_R051_T31UFS*.SAFE")
    for link in ("latest", product.name.replace("T31UFS", "T31UGS").replace("_20240306T15", "_20240306T16")):
        (small_archive / link).symlink_to("/gone/away")
    ingest.run()
    told = [entry["path"] for window in ingest.windows() for entry in window.rejected]
    assert sorted(Path(path).name[:6] for path in told) == ["S2B_MS", "latest"]
    counts = ingest.run(LATER + 2 * HOUR)
    assert counts["windows"] == 1
    assert len([entry for window in ingest.windows() for entry in window.rejected]) == 2
    for link in small_archive.iterdir():
        if link.is_symlink() and link.name != "latest":
            link.unlink()
    assert ingest.run(LATER + 4 * HOUR)["windows"] == 1
    assert not ingest.has_work(LATER + 100 * HOUR)


def test_a_site_deleted_while_another_waits_for_its_products_leaves_them(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    ingest.run()
    with ingest.database.begin() as connection:
        beta, season = prepare(connection, ingest.root, ingest.downloads, name="Beta", source=False)
    context = load_context(ingest.database, season.id, today=LATER.date())
    run_query(ingest.database, context, now=LATER, actor="beta")
    with ingest.database.begin() as connection:
        planned = site_deletion.delete(connection, ingest.site, actor="test")
        assert (planned.acquisitions, planned.products) == (0, 0)
        assert len(products.list_products(connection, beta.id)) == 4


def test_history_tells_the_life_of_a_product(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    ingest.run()
    one = ingest.acquisition("20240306T103621_N0510_R051_T31UFS")
    with ingest.database.begin() as connection:
        life = [event.to_state for event in acquisitions.events(connection, one.id)]
    assert life == ["discovered", "queued", "downloading", "downloaded", "processing", "processed"]
    assert one.checksum is not None
    assert one.checksum.startswith("content:")
    assert one.size_bytes == sum(path.stat().st_size for path in Path(one.full_path or "").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("satellite", "key", "orbit"), [("s1", "downloader.orbits", 117), ("s2", "downloader.s2.orbits", 51)]
)
def test_orbits_are_chosen_for_each_satellite(
    new_ingest: New, pristine: ArchiveSummary, satellite: str, key: str, orbit: int
) -> None:
    ingest = new_ingest(pristine.root, "check")

    def used(chosen: int) -> set[tuple[str, int | None]]:
        """Satellite and orbit of what is used with one orbit chosen."""
        with ingest.database.begin() as connection:
            set_value(connection, key, [chosen], actor="test", season=ingest.season)
        ingest.run()
        return {(one.satellite, one.relative_orbit) for one in ingest.known().values() if one.relevance == "selected"}

    everything = {("s1", 117), ("s2", 51), ("s2", 8), ("l8", None)}
    others = {pair for pair in everything if pair[0] != satellite}
    assert used(orbit) == {*others, (satellite, orbit)}
    assert used(orbit + 1) == others
    assert used(orbit) == {*others, (satellite, orbit)}
