"""The private Redis: installed without a server of its own, closed to others, gone afterwards."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from deploy.local_stack import ports, processes
from deploy.local_stack.errors import RedisMissingError
from deploy.local_stack.redis_server import find_or_install, private_redis


def answer(port: int, *commands: str) -> list[str]:
    """What the server says to commands, line by line."""
    with (
        socket.create_connection((ports.LOCALHOST, port), timeout=10) as connection,
        connection.makefile("rw") as lines,
    ):
        said = []
        for command in commands:
            lines.write(f"{command}\r\n")
            lines.flush()
            said.append(lines.readline().strip())
        return said


def programs(tmp_path: Path, **scripts: str) -> dict[str, str]:
    """An environment whose path has these programs before the machine's own tools."""
    folder, tools = tmp_path / "programs", tmp_path / "tools"
    for place in (folder, tools):
        place.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    for tool in ("env", "tee", "chmod", "rm", "cp", "mv"):
        (tools / tool).symlink_to(f"/bin/{tool}")
    return {"PATH": f"{folder}:{tools}"}


def test_it_wants_its_password_and_leaves_nothing_behind(tmp_path: Path) -> None:
    try:
        with private_redis(tmp_path, os.environ, say=print) as server:
            assert answer(server.port, "PING")[0].startswith("-NOAUTH")
            assert answer(server.port, f"AUTH {server.secret}", "PING") == ["+OK", "+PONG"]
            assert server.secret not in repr(server)
            command_lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in processes.leftovers(tmp_path)]
            assert command_lines
            assert not any(server.secret in line for line in command_lines)
    except RedisMissingError as error:
        pytest.skip(error.one_line)
    assert processes.leftovers(tmp_path) == []


def test_without_root_the_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(RedisMissingError) as refused:
        find_or_install(programs(tmp_path), say=print, privilege=lambda _path: None)
    assert "apt-get install redis-server" in refused.value.one_line


def test_a_missing_one_is_installed_and_not_started(tmp_path: Path) -> None:
    switch = tmp_path / "policy"
    program = tmp_path / "programs" / "redis-server"
    install = f'cp {switch} {tmp_path}/seen; echo "$DEBIAN_FRONTEND" >{tmp_path}/asked; mv {tmp_path}/ready {program}'
    (tmp_path / "ready").write_text("#!/bin/sh\n")
    (tmp_path / "ready").chmod(0o755)
    environ = programs(tmp_path, **{"apt-get": f'case "$*" in *install*) {install};; esac'})
    told: list[str] = []
    found = find_or_install(environ, say=told.append, privilege=lambda _path: [], service_switch=switch)
    assert found == str(program)
    assert (tmp_path / "seen").read_text().endswith("exit 101\n")
    assert not switch.exists()
    assert (tmp_path / "asked").read_text() == "noninteractive\n"
    assert "installing" in told[0]


def test_a_failed_installation_is_one_line_and_leaves_no_switch(tmp_path: Path) -> None:
    switch = tmp_path / "policy"
    environ = programs(tmp_path, **{"apt-get": "case \"$*\" in *install*) echo 'E: no space'; exit 100;; esac"})
    with pytest.raises(RedisMissingError, match="exit code 100: E: no space"):
        find_or_install(environ, say=print, privilege=lambda _path: [], service_switch=switch)
    assert not switch.exists()
