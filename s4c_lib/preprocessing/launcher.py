"""How an external program is started: a binary of this machine, or a container of it.

Built against the documented command lines of `docker run` and `podman run`; a command is a list of arguments, no shell
ever sees it. Folders keep their paths inside the container, so that the same arguments and links hold in both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s4c_lib.errors import InputError

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Command:
    """A command ready to run.

    Parameters
    ----------
    stop : command that ends a container, whose processes are no children of ours; empty for a local program.
    environment : added to that of this process.
    """

    arguments: tuple[str, ...]
    stop: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file that a container sees; read-only unless ``writable``, under its own path unless ``target``."""

    source: Path
    target: str = ""
    writable: bool = False

    def option(self) -> str:
        """Value of ``--mount``.

        Raises
        ------
        InputError : the path holds a character that the option's own syntax uses.
        """
        target = self.target or str(self.source)
        for path in (str(self.source), target):
            if any(character in path for character in ',"\n'):
                raise InputError(f"'{path}' cannot be mounted in a container", hint="rename it without comma or quote")
        return f"type=bind,source={self.source},target={target}{'' if self.writable else ',readonly'}"


@dataclass(frozen=True, slots=True)
class Launcher:
    """A program and where it lives.

    Parameters
    ----------
    program : path or name of the binary; with an image, inside that.
    image : container image; None runs the program here.
    engine : ``docker`` or ``podman``, or the path of one.
    memory_gb : limit of a container; None sets none.
    network : of a container; none by default, for all inputs are on disk.
    """

    program: str
    image: str | None = None
    engine: str = "docker"
    memory_gb: float | None = None
    network: str = "none"
    environment: Mapping[str, str] = field(default_factory=dict)

    def faults(self) -> tuple[str, ...]:
        """What is wrong with the values themselves."""
        faults = []
        if not self.program.strip():
            faults.append("no program is named")
        if self.image is not None and not self.image.strip():
            faults.append("the name of the image is empty")
        if self.image is not None and self.image.startswith("-"):
            faults.append(f"'{self.image}' is not the name of an image")
        return tuple(faults)

    def command(self, arguments: Sequence[str], *, cwd: Path, mounts: Iterable[Mount], name: str) -> Command:
        """Command that runs the program in ``cwd``.

        Parameters
        ----------
        mounts : what a container needs to see besides; a local program sees everything anyway.
        name : of the container, made unique by the caller.
        """
        if self.image is None:
            return Command((self.program, *arguments), environment=self.environment)
        unique = "s4c-" + _NOT_IN_A_NAME.sub("-", name)
        options = ["--rm", "--init", "--name", unique, "--user", f"{os.getuid()}:{os.getgid()}"]
        if Path(self.engine).name == "podman":
            # Without it a rootless podman maps our user to root inside, and --user to a stranger outside.
            options += ["--userns", "keep-id"]
        options += ["--network", self.network, "--workdir", str(cwd)]
        if self.memory_gb is not None:
            options += ["--memory", f"{round(self.memory_gb * 1024)}m"]
        # A user unknown to the image has no home; both programs write there.
        for key, value in sorted({"HOME": str(cwd), **self.environment}.items()):
            options += ["--env", f"{key}={value}"]
        for mount in mounts:
            options += ["--mount", mount.option()]
        run = (self.engine, "run", *options, self.image, self.program, *arguments)
        return Command(run, stop=(self.engine, "kill", unique))
