"""Programs as processes, containers, work folders and the publication of what they leave."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest
from executor_cases import (
    NOW,
    alive,
    contents,
    maja,
    maja_request,
    make_maja_folders,
    make_sen2cor_folders,
    sen2cor,
    sen2cor_request,
    starter,
)

from s4c_lib.errors import DiskFullError, InputError, ProductCorruptError
from s4c_lib.preprocessing import process_run
from s4c_lib.preprocessing.executor import ExecutorError, ExecutorStatus
from s4c_lib.preprocessing.executor_log import last_line, log_name, program_lines
from s4c_lib.preprocessing.finished_product import publish_folder
from s4c_lib.preprocessing.launcher import Command, Launcher, Mount
from s4c_lib.preprocessing.maja import MajaExecutor
from s4c_lib.preprocessing.process_run import run_process
from s4c_lib.preprocessing.sen2cor import Sen2CorExecutor
from s4c_lib.preprocessing.sen2cor_settings import Sen2CorOptions
from s4c_lib.preprocessing.work_folder import linked_tree, read_only_mounts, remove_tree, unpacked, work_folder
from s4c_lib.reasons import Reason


def shell(text: str) -> Command:
    return Command(("/bin/sh", "-c", text))


def said_numbers(log: Path) -> list[int]:
    """Process numbers a program has printed so far."""
    return [int(line) for line in program_lines(log) if line.isdigit()]


def test_output_and_errors_reach_the_log_and_arguments_no_shell(tmp_path: Path) -> None:
    log = tmp_path / "log" / "a.log"
    command = Command(
        (sys.executable, "-c", "import sys; print(sys.argv[1]); print('bad', file=sys.stderr)", "$(id) ;")
    )
    end = run_process(command, cwd=tmp_path, log=log, timeout_seconds=30)
    assert (end.exit_code, end.timed_out, end.out_of_memory) == (0, False, False)
    assert sorted(line for line in program_lines(log) if line) == ["$(id) ;", "bad"]
    assert "s4c: ended with 0" in log.read_text()


def test_the_last_line_is_the_programs_not_ours(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert last_line(log) == ""
    run_process(shell("printf 'first\\nlast\\n\\n  \\n'; exit 3"), cwd=tmp_path, log=log, timeout_seconds=30)
    assert last_line(log) == "last"


def test_a_program_killed_by_the_system_ran_out_of_memory(tmp_path: Path) -> None:
    end = run_process(shell("kill -9 $$"), cwd=tmp_path, log=tmp_path / "a.log", timeout_seconds=30)
    assert (end.exit_code, end.out_of_memory) == (-9, True)


def test_an_interruption_ends_the_program_and_its_children(tmp_path: Path) -> None:
    log = tmp_path / "a.log"

    def interrupt(_seconds: float) -> None:
        if said_numbers(log):  # it has started its child
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("s4c_lib.preprocessing.process_run._BEAT_SECONDS", 0.2)
        with pytest.raises(KeyboardInterrupt):
            run_process(
                shell("sleep 600 & echo $!; wait"), cwd=tmp_path, log=log, timeout_seconds=60, heartbeat=interrupt
            )
    assert not alive(said_numbers(log)[0])


def test_a_killed_command_line_takes_its_program_with_it(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    script = (
        "from pathlib import Path\n"
        "from s4c_lib.preprocessing.launcher import Command\n"
        "from s4c_lib.preprocessing.process_run import run_process\n"
        f"run_process(Command(('/bin/sh', '-c', 'echo $$; sleep 600')), cwd=Path({str(tmp_path)!r}),"
        f" log=Path({str(log)!r}), timeout_seconds=60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).resolve().parents[2]) as process:
        deadline = time.monotonic() + 30
        while not said_numbers(log) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    assert not alive(said_numbers(log)[0])


def test_an_interruption_while_the_program_is_being_started_ends_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "a.log"

    def start_slowly(*arguments: Any, **options: Any) -> Any:
        process = subprocess.Popen(*arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + 30
        while not said_numbers(log) and time.monotonic() < deadline:
            time.sleep(0.01)  # the program runs, and nobody knows of it yet
        return process

    monkeypatch.setattr(process_run, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": start_slowly}))
    with pytest.raises(KeyboardInterrupt):
        run_process(shell("echo $$; exec sleep 600"), cwd=tmp_path, log=log, timeout_seconds=60)
    assert not alive(said_numbers(log)[0])


def test_each_run_knows_where_its_output_begins(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    ends = [run_process(shell(f"echo {word}"), cwd=tmp_path, log=log, timeout_seconds=30) for word in ("a", "b")]
    assert [[line for line in program_lines(log, end.output_from) if line] for end in ends] == [["a", "b"], ["b"]]


def test_a_container_command_is_a_list_with_read_only_inputs(tmp_path: Path) -> None:
    launcher = Launcher("maja", image="maja:4.5.4", memory_gb=8)
    mounts = [Mount(tmp_path, writable=True), Mount(Path("/data/l1c"))]
    command = launcher.command(["--input", "a b"], cwd=tmp_path, mounts=mounts, name="maja 12_31UFS/1")
    assert command.arguments == (
        *("docker", "run", "--rm", "--init", "--name", "s4c-maja-12_31UFS-1"),
        *("--user", f"{os.getuid()}:{os.getgid()}", "--network", "none", "--workdir", str(tmp_path)),
        *("--memory", "8192m", "--env", f"HOME={tmp_path}"),
        *("--mount", f"type=bind,source={tmp_path},target={tmp_path}"),
        *("--mount", "type=bind,source=/data/l1c,target=/data/l1c,readonly"),
        *("maja:4.5.4", "maja", "--input", "a b"),
    )
    assert command.stop == ("docker", "kill", "s4c-maja-12_31UFS-1")
    podman = Launcher("maja", image="m", engine="podman").command([], cwd=tmp_path, mounts=[], name="x")
    assert "keep-id" in podman.arguments


def test_a_path_that_a_mount_cannot_name_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be mounted"):
        Mount(Path("/data/a,readonly=false")).option()


def test_an_image_is_no_option() -> None:
    assert Launcher("maja", image="--privileged").faults()
    assert Launcher(" ").faults()
    assert not Launcher("maja", image="maja:4").faults()


def container(folder: Path, executor: MajaExecutor | Sen2CorExecutor, engine: str) -> Launcher:
    """The executor's program as one in an image, and an engine that says what a container would show."""
    program = Path(executor.launcher.program)
    calls = {"ENGINE_DOUBLE_CALLS": str(folder / "engine.txt")}
    path = starter(folder / "engine", engine, "engine/engine_double.py", calls)
    return Launcher(program.name, image=str(program.parent).replace("/", "%").lstrip("-"), engine=str(path))


def test_maja_in_a_container_sees_all_its_links(tmp_path: Path, l1c: Path) -> None:
    make_maja_folders(tmp_path)
    launcher = container(tmp_path, maja(tmp_path), "podman")
    result = MajaExecutor(launcher, "4.5.4").run(maja_request(tmp_path, l1c))
    assert result.status is ExecutorStatus.DONE, result.text
    call = (tmp_path / "engine.txt").read_text()
    assert f"source={l1c},target={l1c},readonly" in call or f"source={l1c.parent}" in call
    assert call.count("readonly") == len(re.findall("--mount", call)) - 1


def test_sen2cor_in_a_container_gets_its_maps(tmp_path: Path, l1c: Path) -> None:
    make_sen2cor_folders(tmp_path)
    launcher = container(tmp_path, sen2cor(tmp_path), "docker")
    options = Sen2CorOptions(resolutions=(20,), maps_in_image=PurePosixPath("/opt/aux_data"))
    result = Sen2CorExecutor(launcher, "2.10.1").run(sen2cor_request(tmp_path, l1c, options=options))
    assert result.status is ExecutorStatus.DONE, result.text
    call = (tmp_path / "engine.txt").read_text()
    assert "target=/opt/aux_data/ESACCI-LC-L4-Snow-Cond-500m-MONTHLY-2000-2012-v2.4,readonly" in call


def test_a_container_whose_time_is_up_is_killed_by_name(tmp_path: Path, l1c: Path) -> None:
    make_sen2cor_folders(tmp_path)
    launcher = container(tmp_path, sen2cor(tmp_path, "hang"), "docker")
    options = Sen2CorOptions(resolutions=(20,), timeout_hours=1 / 3600, grace_seconds=0.1)
    result = Sen2CorExecutor(launcher, "2.10.1").run(sen2cor_request(tmp_path, l1c, options=options))
    assert result.reason is Reason.EXEC_TIMEOUT
    assert (tmp_path / "engine.txt").read_text().splitlines()[-1] == "kill s4c-sen2cor-north-12_31UFS_1-20"


def test_logs_are_told_apart_by_time() -> None:
    assert log_name("maja", NOW) == "maja_20240102T030405Z.log"


def test_the_work_folder_names_site_product_tile_and_attempt(tmp_path: Path) -> None:
    assert work_folder(tmp_path, "north", 12, "31UFS", 2) == tmp_path / "north" / "12_31UFS_2"
    with pytest.raises(InputError):
        work_folder(tmp_path, "../north", 12, "31UFS", 2)


def archive_of(product: Path, target: Path, kind: str, *, flat: bool) -> Path:
    files = [path for path in sorted(product.rglob("*")) if path.is_file()]
    top = product if flat else product.parent
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as archive:
            for path in files:
                archive.write(path, path.relative_to(top))
    else:
        with tarfile.open(target, "w:gz" if kind in ("tgz", "tar.gz") else "w") as archive:
            for path in files:
                archive.add(path, f"{'./' * flat}{path.relative_to(top)}")
    return target


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tgz"])
@pytest.mark.parametrize("flat", [True, False])
def test_archives_are_unpacked_under_the_products_name(tmp_path: Path, l1c: Path, kind: str, flat: bool) -> None:
    archive = archive_of(l1c, tmp_path / f"{l1c.stem}.{kind}", kind, flat=flat)
    folder = unpacked(archive, tmp_path / "work")
    assert folder == tmp_path / "work" / l1c.name
    assert contents(folder) == contents(l1c)
    assert [path.name for path in folder.parent.iterdir()] == [l1c.name]
    assert unpacked(archive, tmp_path / "work") == folder


def test_a_folder_is_used_where_it_lies(tmp_path: Path, l1c: Path) -> None:
    assert unpacked(l1c, tmp_path) == l1c
    nested = tmp_path / "outer" / l1c.name
    nested.mkdir(parents=True)
    (nested / l1c.name).symlink_to(l1c)
    assert unpacked(nested, tmp_path).resolve() == l1c


@pytest.mark.parametrize("member", ["../evil", "/evil", "X.SAFE/../../evil"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_that_leave_the_folder_are_refused(tmp_path: Path, kind: str, member: str) -> None:
    path = tmp_path / f"S2A_MSIL1C_20210402T104659_N0301_R008_T31UFS_20210402T144759.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, "x")
    else:
        with tarfile.open(path, "w") as tar:
            info = tarfile.TarInfo(member)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(ProductCorruptError, match="outside its folder"):
        unpacked(path, tmp_path / "work")


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "S2A_MSIL1C_20210402T104659_N0301_R008_T31UFS_20210402T144759.tar"
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("X.SAFE/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
        plain = tarfile.TarInfo("X.SAFE/file")
        tar.addfile(plain, io.BytesIO(b""))
    with pytest.raises(ProductCorruptError, match=r"'X\.SAFE/link'"):
        unpacked(path, tmp_path / "work")


def test_a_damaged_member_leaves_nothing_that_looks_whole(tmp_path: Path, l1c: Path) -> None:
    archive = archive_of(l1c, tmp_path / f"{l1c.stem}.zip", "zip", flat=False)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(bytes(content))
    with pytest.raises(ProductCorruptError, match="damaged"):
        unpacked(archive, tmp_path / "work")
    assert not (tmp_path / "work" / l1c.name).exists()


def test_an_archive_larger_than_the_disk_is_not_begun(
    tmp_path: Path, l1c: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_of(l1c, tmp_path / f"{l1c.stem}.zip", "zip", flat=False)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=10))
    with pytest.raises(DiskFullError, match="10 are free"):
        unpacked(archive, tmp_path / "work")


def test_a_product_that_is_gone_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ExecutorError) as caught:
        unpacked(tmp_path / "gone.zip", tmp_path)
    assert caught.value.reason is Reason.INPUT_MISSING


def test_links_lead_to_real_files_and_folders_are_ours(tmp_path: Path) -> None:
    store, source = tmp_path / "store", tmp_path / "source"
    (store / "deep").mkdir(parents=True)
    (store / "deep" / "a.jp2").write_text("a")
    (source / "empty").mkdir(parents=True)
    (source / "b.log").write_text("b")
    (source / "linked").symlink_to(store / "deep")
    real = linked_tree(source, tmp_path / "target", without=(".log",))
    assert real == (store / "deep" / "a.jp2",)
    assert (tmp_path / "target" / "linked" / "a.jp2").readlink() == store / "deep" / "a.jp2"
    assert not (tmp_path / "target" / "linked").is_symlink()
    assert (tmp_path / "target" / "empty").is_dir()
    assert not (tmp_path / "target" / "b.log").exists()


def test_mounts_are_as_few_as_possible(tmp_path: Path) -> None:
    for name in ("a/b/x", "a/y", "ab/z"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    paths = [tmp_path / "a/b/x", tmp_path / "a/y", tmp_path / "ab/z", tmp_path / "a"]
    assert [mount.source for mount in read_only_mounts(paths)] == [tmp_path / "a", tmp_path / "ab"]


def test_read_only_folders_are_removed(tmp_path: Path) -> None:
    inner = tmp_path / "x" / "y"
    inner.mkdir(parents=True)
    (inner / "f").write_text("")
    inner.chmod(0o555)
    remove_tree(tmp_path / "x")
    remove_tree(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def finished(folder: Path, text: str) -> Path:
    product = folder / "P"
    product.mkdir(parents=True)
    (product / "f").write_text(text)
    return product


def test_a_product_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert publish_folder(finished(tmp_path / "1", "one"), out) == out / "P"
    publish_folder(finished(tmp_path / "2", "two"), out)
    assert contents(out) == {"P/f": b"two"}
    assert [path.name for path in out.iterdir()] == ["P"]


def test_publishing_to_another_disk_copies_and_a_full_disk_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    publish_folder(finished(tmp_path / "1", "one"), out)
    rename = Path.replace

    def other_disk(path: Path, target: Path) -> Path:
        if path.is_relative_to(out) is not Path(target).is_relative_to(out):
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", other_disk)
    product = finished(tmp_path / "2", "two")
    (product / "inner").mkdir()
    (product / "inner" / "g").write_text("deep")
    publish_folder(product, out)
    assert contents(out) == {"P/f": b"two", "P/inner/g": b"deep"}
    monkeypatch.setattr("shutil.copy2", no_space)
    with pytest.raises(DiskFullError):
        publish_folder(finished(tmp_path / "3", "three"), out)
    assert contents(out) == {"P/f": b"two", "P/inner/g": b"deep"}
    assert [path.name for path in out.iterdir()] == ["P"]


def no_space(source: Path, target: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(target))


def test_a_product_with_read_only_folders_is_published_and_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for text in ("one", "two"):
        product = finished(tmp_path / text, text)
        (product / "inner").mkdir()
        (product / "inner" / "g").write_text(text)
        (product / "inner").chmod(0o555)
        publish_folder(product, out)
    assert contents(out) == {"P/f": b"two", "P/inner/g": b"two"}
    assert [path.name for path in out.iterdir()] == ["P"]
