"""What retention writes when it lets go of a product or download, or moves it to the archive."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.file_removals import forget_removal, note_removal
from s4c_lib.catalog.keeping_rows import AS_IT_CAME, OPEN_UNIT
from s4c_lib.reasons import Reason


@dataclass(frozen=True, slots=True)
class Letting:
    """What is let go of: a product, the acquisition it came from, or a download alone.

    Attributes
    ----------
    acquisition_id : goes with the product when that is the download itself, which their path tells.
    """

    kind: str
    name: str
    path: str
    sites: tuple[str, ...]
    product_id: int | None
    acquisition_id: int | None
    rule: str
    size_bytes: int

    @property
    def why(self) -> str:
        """The reason that is written into rows."""
        return f"retention.{self.kind}: {self.rule}"


def let_go(connection: Connection, item: Letting, *, actor: str) -> bool:
    """Say that files are removed, and note them for removal; False when something changed meanwhile."""
    lock_path(connection, item)
    if not _still_so(connection, item):
        return False
    values = {"path": item.path, "why": item.why, "product": item.product_id, "acquisition": item.acquisition_id}
    connection.execute(
        text("UPDATE s4c.product SET removed_at = clock_timestamp(), removed_because = :why WHERE id = :product"),
        values,
    )
    connection.execute(
        text(
            "UPDATE s4c.acquisition SET removed_at = clock_timestamp(), removed_because = :why "
            "WHERE id = :acquisition AND full_path = :path"
        ),
        values,
    )
    _leave_unwanted(connection, item, actor)
    note_removal(connection, item.path, item.why)
    _record(connection, item, "removed", None, actor)
    return True


def switch_to_archive(connection: Connection, item: Letting, target: str, *, folder: str, actor: str) -> bool:
    """Let rows point to the copy in the archive, and note the old files for removal; False when something changed.

    Parameters
    ----------
    folder : that was noted for removal while the copy was made.
    """
    lock_path(connection, item)
    if not _still_so(connection, item):
        return False
    values = {"path": item.path, "target": target, "product": item.product_id, "acquisition": item.acquisition_id}
    connection.execute(
        text("UPDATE s4c.product SET full_path = :target, archived_at = clock_timestamp() WHERE id = :product"), values
    )
    connection.execute(
        text(
            "UPDATE s4c.acquisition SET full_path = :target, archived_at = clock_timestamp() "
            "WHERE id = :acquisition AND full_path = :path"
        ),
        values,
    )
    forget_removal(connection, folder)
    note_removal(connection, item.path, item.why)
    _record(connection, item, "archived", target, actor)
    return True


def lock_path(connection: Connection, item: Letting) -> None:
    """Keep products of the name from being registered, and the acquisition from being claimed, until the end."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": item.name})
    connection.execute(text("SELECT 1 FROM s4c.acquisition WHERE id = :id FOR UPDATE"), {"id": item.acquisition_id})


def _still_so(connection: Connection, item: Letting) -> bool:
    if item.product_id is None:
        statement = text(
            f"""
            SELECT 1 FROM s4c.acquisition a WHERE a.id = :acquisition AND a.full_path = :path AND a.removed_at IS NULL
              AND a.archived_at IS NULL AND a.lease_owner IS NULL AND NOT {OPEN_UNIT}
              AND (a.state IN ('processed', 'processing_failed', 'ignored', 'aborted')
                   OR (a.state = 'downloaded' AND NOT EXISTS (SELECT 1 FROM s4c.site_acquisition m
                                                              WHERE m.acquisition_id = a.id
                                                                AND m.relevance = 'selected')))
              AND NOT {AS_IT_CAME}
              -- several rows that name one place, or a folder that holds other downloads or products
              AND NOT EXISTS (SELECT 1 FROM s4c.acquisition o WHERE o.id <> a.id AND o.removed_at IS NULL
                                AND (o.full_path = a.full_path OR starts_with(o.full_path, a.full_path || '/')))
              AND NOT EXISTS (SELECT 1 FROM s4c.product o WHERE o.removed_at IS NULL
                                AND starts_with(o.full_path, a.full_path || '/'))
            """
        )
    else:
        statement = text(
            """
            SELECT 1 FROM s4c.product p WHERE p.id = :product AND p.full_path = :path AND p.removed_at IS NULL
              AND p.archived_at IS NULL AND p.state = 'active'
              AND NOT EXISTS (SELECT 1 FROM s4c.derivation d WHERE d.product_id = p.id AND d.state = 'processing')
              -- several rows that name one place: none of them may lose it
              AND NOT EXISTS (SELECT 1 FROM s4c.product o WHERE o.full_path = p.full_path AND o.id <> p.id
                                AND o.removed_at IS NULL AND o.state <> 'superseded')
              -- a folder that holds other products is none
              AND NOT EXISTS (SELECT 1 FROM s4c.product o WHERE starts_with(o.full_path, p.full_path || '/'))
            FOR UPDATE OF p
            """
        )
    values = {"product": item.product_id, "acquisition": item.acquisition_id, "path": item.path}
    return connection.execute(statement, values).one_or_none() is not None


def _leave_unwanted(connection: Connection, item: Letting, actor: str) -> None:
    """What no site selects any more and nobody began to process is ignored: selected again, it is fetched again."""
    statement = text(
        "SELECT id FROM s4c.acquisition WHERE id = :id AND state = 'downloaded' AND removed_at IS NOT NULL"
    )
    found = list(connection.execute(statement, {"id": item.acquisition_id}).scalars())
    transition(connection, found, AcquisitionState.IGNORED, actor=actor, reason=str(Reason.NOT_WANTED))


def _record(connection: Connection, item: Letting, action: str, target: str | None, actor: str) -> None:
    connection.execute(
        text(
            """
            INSERT INTO s4c.retention_event
                (actor, action, kind, name, sites, acquisition_id, product_id, path, target, size_bytes, rule)
            VALUES (:actor, :action, :kind, :name, :sites, :acquisition, :product, :path, :target, :size, :rule)
            """
        ),
        {
            "actor": actor,
            "action": action,
            "kind": item.kind,
            "name": item.name,
            "sites": list(item.sites),
            "acquisition": item.acquisition_id,
            "product": item.product_id,
            "path": item.path,
            "target": target,
            "size": item.size_bytes,
            "rule": item.rule,
        },
    )
