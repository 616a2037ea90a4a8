"""Progress of long work in a log: enough to see that it goes on, not a line for each of a thousand steps."""

from __future__ import annotations

from s4c_lib.progress import thinned


class Told:
    def __init__(self) -> None:
        self.now = 0.0
        self.heard: list[tuple[int, int, str]] = []
        self.step = thinned(self.hear, clock=lambda: self.now)

    def hear(self, done: int, total: int, what: str) -> None:
        self.heard.append((done, total, what))


def test_of_many_steps_every_tenth_is_told_and_of_few_each() -> None:
    told = Told()
    for done in range(1, 101):
        told.step(done, 100, "trees")
    assert [done for done, _, _ in told.heard] == [1, *range(10, 101, 10)]
    few = Told()
    for done in range(1, 21):
        few.step(done, 20, "parcels")
    assert len(few.heard) == 20


def test_the_next_stage_is_told_at_once() -> None:
    told = Told()
    told.step(100, 100, "trees")
    told.step(1, 100, "parcels")
    assert told.heard == [(100, 100, "trees"), (1, 100, "parcels")]


def test_slow_work_is_not_silent() -> None:
    told = Told()
    for done in (1, 2, 3):
        told.step(done, 1000, "trees")
        told.now += 31
    assert [done for done, _, _ in told.heard] == [1, 2, 3]
