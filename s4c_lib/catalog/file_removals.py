"""Paths that nothing refers to any more and that are still to be removed, so that a killed pass loses none."""

from __future__ import annotations

from sqlalchemy import Connection, text


def note_removal(connection: Connection, path: str, why: str) -> None:
    """Remember a path that is to be removed once the transaction has ended."""
    connection.execute(
        text("INSERT INTO s4c.file_removal (path, why) VALUES (:path, :why) ON CONFLICT (path) DO NOTHING"),
        {"path": path, "why": why},
    )


def forget_removal(connection: Connection, path: str) -> None:
    """Forget a path that is gone, or that is in use after all."""
    connection.execute(text("DELETE FROM s4c.file_removal WHERE path = :path"), {"path": path})


def noted_removals(connection: Connection, path: str | None = None) -> list[tuple[str, bool]]:
    """Return the paths to be removed, or of these one, oldest first, and whether something uses them now.

    What is being fetched or made again is not among them: its files may be there before its row says so.
    """
    statement = text(
        """
        SELECT r.path,
               EXISTS (SELECT 1 FROM s4c.product p WHERE p.removed_at IS NULL
                         AND (p.full_path = r.path OR starts_with(p.full_path, r.path || '/')))
               OR EXISTS (SELECT 1 FROM s4c.acquisition a WHERE a.removed_at IS NULL
                            AND (a.full_path = r.path OR starts_with(a.full_path, r.path || '/'))) AS used
        FROM s4c.file_removal r
        WHERE (CAST(:path AS text) IS NULL OR r.path = :path)
          AND NOT EXISTS (SELECT 1 FROM s4c.acquisition a
                          WHERE a.full_path = r.path AND a.state IN ('queued', 'staging', 'downloading'))
          AND NOT EXISTS (SELECT 1 FROM s4c.product p JOIN s4c.acquisition_unit u ON u.acquisition_id = p.acquisition_id
                          WHERE p.full_path = r.path AND p.state = 'active' AND u.state IN ('pending', 'processing'))
        ORDER BY r.id
        """
    )
    return [(row.path, bool(row.used)) for row in connection.execute(statement, {"path": path})]
