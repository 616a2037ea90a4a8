"""How work is divided over parallel tasks: each about ``chunk.target_seconds`` long."""

from __future__ import annotations

from math import ceil

from s4c_lib.ingest.context import IngestContext


def chunk_sizes(context: IngestContext, items: int, seconds: float, *, slots: int) -> list[int]:
    """Return how many pieces each task takes.

    Parameters
    ----------
    seconds : planned for all pieces together. slots : how many tasks may go on at once.
    """
    if items == 0:
        return []
    wanted = max(slots, ceil(seconds / float(context.parameters["chunk.target_seconds"])))
    chunks = min(items, int(context.parameters["chunk.max_count"]), wanted)
    return [items // chunks + (1 if index < items % chunks else 0) for index in range(chunks)]
