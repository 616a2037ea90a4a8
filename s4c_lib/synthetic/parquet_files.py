"""Tables on disk: Parquet with zstd, the same bytes for the same rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa


def write_parquet(table: pa.Table, path: Path, *, row_group: int = 1 << 20) -> None:
    """Write a table as a new file."""
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd", compression_level=3, row_group_size=row_group)
