"""Level-1C through ingest: selected when a program is configured, made by it, published, used like any other L2A."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from derived_season import NOW, Derived, NewDerived, new_derived, season_files

from s4c_lib.ingest import executors
from s4c_lib.ingest.steps import configured_programs, derived_step
from tests.preprocessing.executor_cases import (
    TILE,
    maja,
    make_elevation,
    make_l1c,
    make_maja_folders,
    make_sen2cor_folders,
    sen2cor,
)

__all__ = ["new_derived", "season_files"]

# One orbit, every tenth day.
DATES = [datetime(2021, 6, day, 10, 46, 59, tzinfo=UTC) for day in (1, 11)]
Level1 = Callable[..., Derived]


@pytest.fixture
def level1(new_derived: NewDerived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Level1:
    """A season on an archive of Level-1C, with a program that behaves as told."""

    def make(program: str, behaviour: str = "", *, configured: bool = True) -> Derived:
        for name in ("MAJA", "SEN2COR"):
            monkeypatch.delenv(f"S4C_{name}_PROGRAM", raising=False)
        archive = tmp_path / "archive"
        for day in DATES:
            make_l1c(archive / "Sentinel-2" / "MSI" / "L1C" / f"{day:%Y/%m/%d}", start=day)
        folder = tmp_path / program
        made = {"maja": make_maja_folders, "sen2cor": make_sen2cor_folders}[program](folder)
        double = {"maja": maja, "sen2cor": sen2cor}[program](folder, behaviour)
        season = new_derived(archive, declared=False)
        season.set("processor.l2a.s2.implementation", program)
        season.set(f"processor.l2a.{program}.gipp-path", str(made[0]))
        season.set("dem.path", str(made[1]))
        if configured:
            name = {"maja": "maja", "sen2cor": "L2A_Process"}[program]
            monkeypatch.setenv(f"S4C_{program.upper()}_PROGRAM", str(folder / "bin" / name))
            monkeypatch.setenv(f"S4C_{program.upper()}_VERSION", double.version)
        if program == "maja":
            # the elevation of a whole tile takes minutes and has tests of its own
            make_elevation(tmp_path / "elevation" / TILE, TILE)
            monkeypatch.setattr(
                executors, "maja_elevation", lambda tile, *_, **__: tmp_path / "elevation" / tile.tile_id
            )
        return season

    return make


def test_level_1_waits_until_a_program_is_configured(
    level1: Level1, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    season = level1("sen2cor", configured=False)
    assert configured_programs() == frozenset()
    counts = season.run()
    assert (counts["ignored"], counts["queued"], counts["l2a"]) == (2, 0, 0)
    assert not season.has_work()
    monkeypatch.setenv("S4C_SEN2COR_PROGRAM", str(tmp_path / "sen2cor" / "bin" / "L2A_Process"))
    monkeypatch.setenv("S4C_SEN2COR_VERSION", "2.10.1")
    assert season.has_work(), "what was left out is wanted now"
    counts = season.run()
    assert (counts["queued"], counts["fetched"], counts["l2a"]) == (2, 2, 2)
    assert not season.has_work()


@pytest.mark.slow
def test_sen2cor_makes_l2a_of_level_1(level1: Level1) -> None:
    season = level1("sen2cor")
    counts = season.run()
    assert counts["l2a"] == 2, season.rows("SELECT reason_code, failed_reason FROM s4c.acquisition_unit")
    made = season.products("l2a")
    assert [one.metadata["executor"] for one in made] == ["sen2cor", "sen2cor"]
    assert {one.metadata["executor_version"] for one in made} == {"2.10.1"}
    for one in made:
        assert (Path(one.full_path) / f"{one.name}_B04.tif").is_file()
    assert list((season.root / "products").rglob("*.SAFE")) == [], "the copies take their place"
    assert _left_in(season) == []
    assert set(season.acquisitions().values()) == {"processed"}


def test_a_program_that_fails_is_tried_again_and_one_that_rejects_is_not(level1: Level1, tmp_path: Path) -> None:
    season = level1("sen2cor", "error")
    counts = season.run()
    assert counts["l2a_failed_exec_nonzero"] == 2
    assert {state[:2] for state in season.units().values()} == {("failed", "exec_nonzero")}
    (log,) = {row["log_path"] for row in season.rows("SELECT log_path FROM s4c.acquisition_unit ORDER BY id LIMIT 1")}
    assert Path(log).is_file()
    assert {path.parent.name for path in _left_in(season)} == {"logs"}
    season.set("executor.processor.l2a.keep_job_folders", True)
    sen2cor(tmp_path / "sen2cor", "shares=0,96,0,0,0,0")
    counts = season.run(NOW + timedelta(days=1))
    assert counts["l2a_failed_too_cloudy"] == 2
    assert not season.has_work(NOW + timedelta(days=9))
    rows = season.rows("SELECT cloud_pct, attempts FROM s4c.acquisition_unit")
    assert [(round(row["cloud_pct"]), row["attempts"]) for row in rows] == [(96, 2), (96, 2)]
    assert set(season.acquisitions().values()) == {"processing_failed"}
    assert "MTD_MSIL1C.xml" in {path.name for path in _left_in(season)}, "what the program was given"


def _left_in(season: Derived) -> list[Path]:
    return [path for path in (season.root / "scratch").rglob("*") if path.is_file()]


def test_a_program_that_went_away_holds_nothing_against_the_product(
    level1: Level1, monkeypatch: pytest.MonkeyPatch
) -> None:
    season = level1("sen2cor")
    context = season.context()
    season.run()
    season.rows_changed("DELETE FROM s4c.product")
    season.rows_changed("UPDATE s4c.acquisition_unit SET state = 'pending', attempts = 0, product_id = NULL")
    season.rows_changed("UPDATE s4c.acquisition SET state = 'downloaded'")
    shutil.rmtree(season.root / "products")
    monkeypatch.delenv("S4C_SEN2COR_PROGRAM")
    derived_step("preprocess").run(season.database, context, owner="w", job_id=None, clock=lambda: NOW)
    assert set(season.units().values()) == {("failed", "no_executor", 0)}
    assert set(season.acquisitions().values()) == {"processing"}


def test_9_10_dates_of_maja_follow_each_other(level1: Level1) -> None:
    season = level1("maja")
    counts = season.run()
    assert counts["l2a"] == 2, season.rows("SELECT reason_code, failed_reason FROM s4c.acquisition_unit")
    first, second = season.products("l2a")
    assert first.acquired_at < second.acquired_at
    native = [Path(one.metadata["native"]) for one in (first, second)]
    assert all(folder.is_dir() for folder in native), "MAJA reads its own product again"
    logs = ["\n".join(path.read_text(errors="replace") for path in folder.rglob("*.log")) for folder in native]
    assert "L2INIT" in logs[0]
    assert "L2NOMINAL" in logs[1]
    assert not season.has_work()


def test_9_10_a_cloudy_date_of_maja_ends_and_the_chain_goes_on(level1: Level1) -> None:
    season = level1("maja", "cloudy")
    counts = season.run()
    assert counts["l2a_failed_too_cloudy"] == 2
    assert set(season.acquisitions().values()) == {"processing_failed"}
    assert not season.has_work(NOW + timedelta(days=9))


@pytest.mark.slow
def test_a_failed_date_of_maja_holds_the_next_one_up_until_it_is_final(level1: Level1, tmp_path: Path) -> None:
    season = level1("maja", "error")
    season.set("processor.l2a.optical.max-retries", 1)
    assert season.run()["l2a_failed_exec_nonzero"] == 1
    assert sorted(season.units().values(), key=str) == [("failed", "exec_nonzero", 1), ("pending", None, 0)]
    maja(tmp_path / "maja", "")
    counts = season.run(NOW + timedelta(days=1))
    assert counts["l2a"] == 2
