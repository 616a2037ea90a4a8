"""Signals that end a command become an exception, so that everything is stopped on the way out."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The command shall end; it is raised once, in the main thread."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """Exit code by the shell's convention."""
        return 128 + self.number


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise :class:`Interrupted` inside the block at the first SIGINT, SIGTERM or SIGHUP."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        ignore_signals()
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_signals() -> None:
    """Let nothing interrupt the stopping of services (a second Ctrl-C would leave some of them)."""
    for number in SIGNALS:
        # A function instead of SIG_IGN, which processes started from now on would inherit.
        signal.signal(number, lambda _number, _frame: None)
