"""Rules without a program: lanes, predecessors, parallelism, parameter files, reasons."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import DiskFullError, InputError, ProductCorruptError
from s4c_lib.preprocessing.executor import ExecutorError, ExecutorResult, guarded, unfinished
from s4c_lib.preprocessing.executor_reports import Message, cloud_and_snow, log_messages, stopper
from s4c_lib.preprocessing.implementations import implementation_conflict
from s4c_lib.preprocessing.maja_chain import (
    ChainStart,
    MajaMode,
    PreviousL2a,
    cams_files,
    choose_mode,
    choose_previous,
    start_of_chain,
)
from s4c_lib.preprocessing.maja_gipp import assemble_gipp, with_tile
from s4c_lib.preprocessing.parallelism import MEMORY_GB, free_memory_gb, usable_cpus, worker_count
from s4c_lib.preprocessing.program_settings import value_of, with_values
from s4c_lib.reasons import Reason
from tests.lane_rules import LaneUnit, may_start

DAY = datetime(2021, 4, 2, 10, 46, 59, tzinfo=UTC)


def unit(key: str, days: int, state: str, **values: int | bool) -> LaneUnit:
    return LaneUnit(key, DAY + timedelta(days=days), state, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "starts"),
    [
        (unit("t1", 0, "processing"), False),
        (unit("t1", 0, "pending"), False),
        (unit("t1", 0, "failed", attempts=1), False),
        (unit("t1", 0, "failed", attempts=3), True),
        (unit("t1", 0, "failed", retryable=False), True),
        (unit("t1", 0, "done"), True),
        (unit("t1", 0, "ignored"), True),
        (unit("t3", 9, "pending"), True),
        (unit("t3", 9, "processing"), False),
        (unit("t3", 9, "failed", attempts=1), False),
    ],
)
def test_a_new_date_waits_for_its_lane(first: LaneUnit, starts: bool) -> None:
    """Case 9.10: t2 waits while t1 is processing or to be retried, and runs once t1 is final."""
    second = unit("t2", 5, "pending")
    assert may_start(second, [first, second]) is starts


UNITS = st.lists(
    st.builds(
        LaneUnit,
        st.uuids().map(str),
        st.integers(0, 5).map(lambda days: DAY + timedelta(days=days)),
        st.sampled_from(("pending", "done", "failed", "ignored")),
        st.booleans(),
        st.integers(0, 3),
    ),
    max_size=8,
    unique_by=lambda unit: unit.key,
)


@given(UNITS)
def test_a_lane_never_blocks_itself_and_runs_one_at_a_time(lane: list[LaneUnit]) -> None:
    while open_units := [one for one in lane if one.state == "pending" or one.waits_for_retry]:
        ready = [one for one in open_units if may_start(one, lane)]
        assert len(ready) == 1
        running = [replace(one, state="processing") if one is ready[0] else one for one in lane]
        assert not any(may_start(one, running) for one in running)
        lane = [replace(one, state="done") if one is ready[0] else one for one in lane]


def previous(days: int, exists: bool = True) -> PreviousL2a:
    return PreviousL2a(Path(f"/l2a/{days}"), DAY - timedelta(days=days), exists)


def test_the_newest_earlier_product_is_the_predecessor() -> None:
    candidates = [previous(-5), previous(0), previous(10), previous(5), previous(15)]
    assert choose_previous(candidates, DAY).path == Path("/l2a/5")
    assert choose_previous([], DAY).path is None
    assert choose_previous([previous(-5)], DAY) == choose_previous([], DAY)


def test_a_late_product_has_its_own_predecessor() -> None:
    late = DAY - timedelta(days=7)
    assert choose_previous([previous(0), previous(5), previous(10)], late).path == Path("/l2a/10")


def test_a_lost_predecessor_is_replaced_by_one_up_to_60_days_older_else_the_chain_starts_anew() -> None:
    lost = previous(5, exists=False)
    choice = choose_previous([lost, previous(10, exists=False), previous(65), previous(70)], DAY)
    assert choice.path == Path("/l2a/65")
    assert "gone" in choice.warning
    none = choose_previous([lost, previous(66)], DAY)
    assert none.path is None
    assert "starts anew" in none.warning


def test_modes() -> None:
    assert choose_mode(Path("x"), [Path("y")]) is MajaMode.NOMINAL
    assert choose_mode(None, [Path("y")]) is MajaMode.BACKWARD
    assert choose_mode(None, []) is MajaMode.INIT


@pytest.mark.parametrize(
    ("wanted", "on_disk", "days", "start"),
    [
        (0, 1, 0, ChainStart.INIT),
        (8, 3, 10, ChainStart.WAIT),
        (8, 3, 60, ChainStart.WAIT),
        (8, 3, 61, ChainStart.BACKWARD),
        (8, 1, 61, ChainStart.INIT),
        (8, 8, 10, ChainStart.BACKWARD),
    ],
)
def test_when_a_chain_starts(wanted: int, on_disk: int, days: int, start: ChainStart) -> None:
    season = date(2021, 3, 1)
    assert start_of_chain(wanted, on_disk, season, season + timedelta(days=days)) is start


def test_cams_within_three_days() -> None:
    names = [f"S2__TEST_EXO_CAMS_{stamp}_20210628T174612.HDR" for stamp in ("20210330T104659", "20210405T104659")]
    outside = [f"S2__TEST_EXO_CAMS_{stamp}_20210628T174612.DBL" for stamp in ("20210330T104658", "20210405T104700")]
    assert cams_files([*outside, "readme.txt", *reversed(names)], DAY) == names


def test_versions_and_implementations_are_not_mixed() -> None:
    assert implementation_conflict([("maja", "4.5.4")], "maja", "4.5.5") is None
    assert "4.6" in (implementation_conflict([("maja", "4.5.4")], "maja", "4.6.0") or "")
    assert implementation_conflict([("sen2cor", "2.10.1")], "sen2cor", "2.11.0") is None
    assert implementation_conflict([("sen2cor", "2.10.1")], "maja", "4.5.4") is not None
    assert implementation_conflict([], "maja", "4.5.4") is None


def test_workers_of_the_specification() -> None:
    """Case 9.12: AUTO with 16 CPU, 20 GB free, 8 tiles -> 5 processes."""
    assert worker_count(0, cpus=16, free_gb=20, tiles=8, memory_gb=MEMORY_GB["sen2cor"]) == 5
    assert worker_count(0, cpus=2, free_gb=64, tiles=8, memory_gb=MEMORY_GB["maja"]) == 2
    assert worker_count(0, cpus=16, free_gb=1, tiles=8, memory_gb=8) == 1
    assert worker_count(0, cpus=16, free_gb=64, tiles=3, memory_gb=4) == 3
    assert worker_count(7, cpus=1, free_gb=1, tiles=1, memory_gb=8) == 7


def test_free_memory_is_that_of_the_container_if_smaller(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 33554432 kB\nMemAvailable: 20971520 kB\n")
    assert free_memory_gb(tmp_path, tmp_path) == 20
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1\n")
    assert free_memory_gb(tmp_path, tmp_path) == 20
    (tmp_path / "memory.max").write_text(str(8 << 30))
    (tmp_path / "memory.current").write_text(str(6 << 30))
    assert free_memory_gb(tmp_path, tmp_path) == 2
    assert free_memory_gb() > 0
    assert usable_cpus() >= 1


def test_a_derived_parameter_file_names_the_tile_in_three_elements_only() -> None:
    content = (
        b"<E><!-- ALLSITES --><File_Name>S2__L2SITE_S_ALLSITES_1</File_Name><Applicability_NickName>ALLSITES"
        b'</Applicability_NickName><Applicable_SiteDefinition_Id sn="1">ALLSITES</Applicable_SiteDefinition_Id>'
        b"<Note>ALLSITES \xe9</Note></E>"
    )
    assert with_tile(content, "ALLSITES", "31UFS") == (
        b"<E><!-- ALLSITES --><File_Name>S2__L2SITE_S_31UFS_1</File_Name><Applicability_NickName>31UFS"
        b'</Applicability_NickName><Applicable_SiteDefinition_Id sn="1">31UFS</Applicable_SiteDefinition_Id>'
        b"<Note>ALLSITES \xe9</Note></E>"
    )
    assert with_tile(content.replace(b"NickName", b"Name"), "ALLSITES", "31UFS") is None


@pytest.mark.parametrize(("common", "derived"), [("CMN00", "198030"), ("EUCMN00", "EU198030")])
def test_parameter_files_of_landsat(tmp_path: Path, common: str, derived: str) -> None:
    folder, target = tmp_path / "LANDSAT8", tmp_path / "input"
    folder.mkdir()
    target.mkdir()
    (folder / "L8_TEST_GIP_L2COMM_L_ALLSITES_1_2_3.EEF").write_text("<E/>")
    for kind in ("L2SITE", "CKEXTL", "CKQLTL"):
        (folder / f"L8_TEST_GIP_{kind}_S_{common}_1_2.EEF").write_text(
            f"<E><File_Name>S_{common}_1</File_Name><Applicability_NickName>{common}</Applicability_NickName>"
            f"<Applicable_SiteDefinition_Id>{common}</Applicable_SiteDefinition_Id></E>"
        )
    assemble_gipp(tmp_path, "landsat-8", "198030", target)
    made = (target / f"L8_TEST_GIP_CKEXTL_S_{derived}_1_2.EEF").read_text()
    assert f"<File_Name>S_{derived}_1</File_Name>" in made


def test_settings_are_changed_in_place() -> None:
    content = b"<C><!-- x --><Threads>2</Threads><Other>1</Other></C>"
    assert with_values(content, {"Threads": "8 & 9", "Absent": "1"}) == (
        b"<C><!-- x --><Threads>8 &amp; 9</Threads><Other>1</Other></C>"
    )
    assert (value_of(content, "Threads"), value_of(content, "Absent")) == ("2", None)


def test_where_clouds_and_snow_are_read() -> None:
    report = [Message("I", "The cloud percentage computed is 41"), Message("I", "snow percentage computed is 3")]
    log = ["... Cloud Rate on the Product : 12.5"]
    assert cloud_and_snow((3, 2, 2), report, log) == (41, 3)
    assert cloud_and_snow((4, 2, 1), report, log) == (12.5, None)
    assert cloud_and_snow((4, 0), report, log) == (41, 3)
    assert cloud_and_snow((4, 0), [], log) == (12.5, None)


def test_messages_of_a_log() -> None:
    lines = ["2021-04-02T17:03:44 host maja 04.05 [000000032108] [W] low sun", "x [I] fine", "y [ERROR] : broken"]
    assert log_messages(lines) == [Message("W", "low sun"), Message("E", "broken")]
    assert stopper(["all is well"]) is None


REASONS = {reason: unfinished("maja", "4.5.4", reason, "x") for reason in Reason}


@pytest.mark.parametrize("reason", [Reason.TOO_CLOUDY, Reason.NO_VALID_PIXEL, Reason.NOTV, Reason.TILE_EMPTY])
def test_verdicts_on_the_image_reject_and_are_final(reason: Reason) -> None:
    assert (REASONS[reason].status.value, REASONS[reason].retryable) == ("rejected", False)


@pytest.mark.parametrize("reason", ["input_missing", "input_corrupt", "dem_missing", "aux_missing", "exec_nonzero",
    "exec_timeout", "out_of_memory", "out_of_disk", "output_incomplete", "chain_broken", "internal"])  # fmt: skip
def test_other_reasons_fail_and_are_retried(reason: str) -> None:
    assert (REASONS[Reason(reason)].status.value, REASONS[Reason(reason)].retryable) == ("failed", True)


def test_a_wrong_setting_fails_for_good() -> None:
    assert (REASONS[Reason.CONFIG].status.value, REASONS[Reason.CONFIG].retryable) == ("failed", False)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ExecutorError("x", code=Reason.DEM_MISSING), Reason.DEM_MISSING),
        (DiskFullError("x"), Reason.OUT_OF_DISK),
        (ProductCorruptError("x"), Reason.INPUT_CORRUPT),
        (InputError("x"), Reason.CONFIG),
        (OSError(errno.ENOSPC, "No space left on device", "/w"), Reason.OUT_OF_DISK),
        (OSError(errno.EIO, "Input/output error", "/w"), Reason.STORAGE),
    ],
)
def test_errors_become_results(error: Exception, reason: Reason) -> None:
    def process() -> ExecutorResult:
        raise error

    assert guarded("maja", "4.5.4", None, process).reason is reason


def test_a_fault_of_ours_is_not_hidden() -> None:
    def process() -> ExecutorResult:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded("maja", "4.5.4", None, process)
