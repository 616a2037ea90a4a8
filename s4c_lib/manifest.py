"""The DAG manifest: what the database says runs, as one file that DAG parsing reads.

Parsing reads this file and nothing else: no database, no network, no clock. It is written complete or not at
all, with a checksum, and beside it stays the last good one, which serves while the first is damaged.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from s4c_lib.errors import ManifestError, StorageError

log = logging.getLogger(__name__)

FORMAT = 1


@dataclass(frozen=True, slots=True)
class DagEntry:
    """One DAG: a processor of a season, or the declarations of a site (``lpis``, with an empty season).

    Attributes
    ----------
    dates : due dates (ISO) of an L4 processor.
    interval : first day, day after the last, and length in days of the ingest intervals.
    sources : names of the data sources an ingest fetches from.
    """

    dag_id: str
    processor: str
    site: str
    site_name: str
    season: str
    season_name: str
    start: str
    end: str
    phase: str
    enabled: bool
    schedule: str
    dates: tuple[str, ...] = ()
    interval: tuple[str, str, int] | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All DAGs that are generated, and the pools they use (name to slots).

    Attributes
    ----------
    guarded : sites whose roles exist in Airflow, so that their DAGs may name them; ascending.
    notifies : whether anybody wants to be told of failures and the like.
    """

    dags: tuple[DagEntry, ...] = ()
    pools: Mapping[str, int] = field(default_factory=dict)
    sync_minutes: int = 10
    guarded: tuple[str, ...] = ()
    notifies: bool = False

    def to_json(self) -> str:
        """Return the text of the file: sorted, so that equal manifests are equal bytes."""
        body = {
            "dags": [asdict(entry) for entry in sorted(self.dags, key=lambda entry: entry.dag_id)],
            "pools": dict(sorted(self.pools.items())),
            "sync_minutes": self.sync_minutes,
            "guarded": sorted(self.guarded),
            "notifies": self.notifies,
        }
        document = {"format": FORMAT, "sha256": _checksum(body), "body": body}
        return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def last_good_path(path: Path) -> Path:
    """Return where the last good manifest is kept."""
    return path.with_name(f"{path.stem}.last_good{path.suffix}")


def parse_manifest(document: str, where: str) -> Manifest:
    """Read the text of a manifest.

    Raises
    ------
    ManifestError : not JSON, another format, a wrong checksum or missing fields.
    """
    hint = "run 's4c dags export' to write it anew"
    try:
        loaded = json.loads(document)
        if loaded["format"] != FORMAT:
            raise ManifestError(f"{where} has format {loaded['format']}, this release reads {FORMAT}.", hint=hint)
        body = loaded["body"]
        if loaded["sha256"] != _checksum(body):
            raise ManifestError(f"{where} was damaged or edited: its checksum is wrong.", hint=hint)
        return Manifest(
            dags=tuple(_entry(item) for item in body["dags"]),
            pools=body["pools"],
            sync_minutes=body["sync_minutes"],
            # written by releases before these, they lack them
            guarded=tuple(body.get("guarded", ())),
            notifies=bool(body.get("notifies", False)),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"{where} is no DAG manifest: {error}.", hint=hint) from error


def _entry(item: dict[str, Any]) -> DagEntry:
    interval = item["interval"]
    lists = {
        "dates": tuple(item["dates"]),
        "sources": tuple(item["sources"]),
        "interval": None if interval is None else (interval[0], interval[1], interval[2]),
    }
    return DagEntry(**{**item, **lists})


def read_manifest(path: Path) -> Manifest:
    """Read the manifest, or the last good one when it is damaged or gone; empty when there never was one.

    Raises
    ------
    ManifestError : neither can be read.
    """
    last_good = last_good_path(path)
    if not path.exists() and not last_good.exists():
        return Manifest()
    try:
        return _load(path)
    except ManifestError as error:
        if not last_good.exists():
            raise
        log.warning("%s The last good manifest, %s, stays in force.", error.one_line, last_good)
        return _load(last_good)


def _load(path: Path) -> Manifest:
    try:
        return parse_manifest(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is no text.", hint="run 's4c dags export' to write it anew") from error
    except OSError as error:
        raise ManifestError(
            f"{path} cannot be read: {error.strerror or error}.", hint="check its permissions"
        ) from error


def write_manifest(path: Path, manifest: Manifest) -> bool:
    """Write the manifest and its last-good copy, each complete or not at all; False when nothing changed."""
    document = manifest.to_json()
    parse_manifest(document, str(path))  # what cannot be read back is never put in force
    changed = False
    for target in (path, last_good_path(path)):
        try:
            if target.exists() and target.read_bytes() == document.encode():
                continue
            _replace(target, document)
        except OSError as error:
            raise StorageError(
                f"The DAG manifest {target} cannot be written: {error.strerror or error}.",
                hint="the DAGs stay as they are; check the folder and the disk",
            ) from error
        changed = True
    return changed


def _replace(target: Path, document: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(document)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
