"""What the rows of an L4C run came to, and whether that is a product (l4c-practices.md section 17)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from s4c_lib.parcels.l4c_configuration_keys import PRACTICES
from s4c_lib.practices.codes import Found, Status, Verdict
from s4c_lib.practices.decisions import Decisions
from s4c_lib.reasons import Reason
from s4c_lib.season_run import NoResultError


def count_decisions(practice: str, decisions: Decisions) -> Counter[str]:
    """Rows, weeks and states; ``{practice}.`` of rows, harvests and values of C_INDEX."""
    counts: Counter[str] = Counter({"rows": len(decisions), "weeks": len(decisions.weekly)})
    counts["FOUND"] = int((decisions.harvest == Found.FOUND).sum())
    for status in Status:
        counts[status.name] += int((decisions.status == status).sum())
    for verdict in Verdict:
        counts[f"{practice}.{verdict.name}"] += int((decisions.c_index == verdict).sum())
    counts[f"{practice}.rows"] = len(decisions)
    counts[f"{practice}.harvests"] = counts["FOUND"]
    return counts


def as_metadata(counts: Mapping[str, int]) -> dict[str, Any]:
    """Counts as metadata: of states, and of C_INDEX for each practice."""
    practices = [name for name in PRACTICES if f"{name}.rows" in counts]
    inside: dict[str, dict[str, int]] = {name: {} for name in practices}
    states: dict[str, int] = {}
    for key, value in sorted(counts.items()):
        practice, dot, name = key.partition(".")
        if dot and value:
            inside[practice][name] = value
        elif value and key not in ("rows", "weeks", "FOUND"):
            states[key] = value
    return {"rows": counts["rows"], "weeks": counts["weeks"], "STATUS": states, "practices": inside}


def check_judged(counts: Mapping[str, int]) -> None:
    """A product in which nothing was judged is none.

    Raises
    ------
    NoResultError : no row could be judged; with how many lack what.
    """
    if counts.get("OK"):
        return
    states = {name: value for name, value in as_metadata(counts)["STATUS"].items() if value}
    listed = ", ".join(
        f"{value} {name}" for name, value in sorted(states.items(), key=lambda item: (-item[1], item[0]))
    )
    if set(states) == {"NOT_IN_SERIES"}:
        raise NoResultError(
            f"None of {counts['rows']} rows has a parcel with statistics.",
            reason=Reason.NO_OVERLAP,
            hint="do the images cover the parcels, and do the practice tables name declared parcels?",
        )
    raise NoResultError(
        f"None of {counts['rows']} rows can be judged: {listed}.",
        hint="STATUS is explained in docs/practices.md",
    )


def share_without_result(counts: Mapping[str, int]) -> float:
    """Per cent of the rows."""
    return 100 * (1 - counts.get("OK", 0) / counts["rows"])


def quality_of(share: float, most: float) -> str:
    """Quality of a product: ``degraded`` with more than ``most`` per cent of rows without result."""
    return "degraded" if share > most else "ok"
