"""What a check of ``s4c doctor`` says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check ended; ``limited`` is no fault, but something does not run."""

    OK = "ok"
    LIMITED = "limited"
    BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check, and what to do about it."""

    name: str
    verdict: Verdict
    text: str
    remedy: str = ""
