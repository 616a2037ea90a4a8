"""L2A by hand: a delivered product is published as it is, of a Level-1C one is made first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from s4c_lib.errors import DiskFullError, InputError
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.sources.product_names import ProductName, parse_product_name

if TYPE_CHECKING:
    from s4c_lib.cli.run_by_hand import Results
    from s4c_lib.parameters import Snapshot
    from s4c_lib.preprocessing.executor import ExecutorResult
    from s4c_lib.preprocessing.publish import PublishOptions

PROGRAMS: Final = ("maja", "sen2cor")
# MAJA's products are named by the time of their tile, ESA's by that of the datatake.
_SAME_PASS: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Publication:
    """How products given by hand are published.

    Parameters
    ----------
    executor : program for Level-1C. previous : MAJA's own product of the date before.
    tiles : of multi-tile products; none means the only one, of Level-1C all.
    """

    values: Snapshot
    out: Path
    executor: str | None
    previous: Path | None
    tiles: list[str]
    keep_work: bool

    def publish(self, place: Path, results: Results) -> None:
        """Publish one product.

        Raises
        ------
        InputError : it is no product that can become L2A, or it needs a program and none is named.
        DiskFullError : nothing more can be written.
        """
        from s4c_lib.preprocessing.publish import PublishOptions

        name = parse_product_name(place.name)
        if name is None:
            raise InputError(f"{place} is not named as a product is.", hint="keep the provider's own name")
        options = PublishOptions.of(self.values.values, self.values.hash_for("l2a"))
        self.out.mkdir(parents=True, exist_ok=True)
        if name.kind is ProductKind.S2_L1C:
            self._computed(place, name, options, results)
        else:
            tiles: list[str | None] = [*self.tiles] or [None]
            for tile in tiles:
                self._delivered(place, tile, options, results)

    def _delivered(self, place: Path, tile: str | None, options: PublishOptions, results: Results) -> None:
        from s4c_lib.preprocessing.executor import ExecutorStatus
        from s4c_lib.preprocessing.ready_made import prepare_ready_made

        made = prepare_ready_made(place, self.out, options, tile=tile, now=datetime.now(UTC))
        if made.product is None:
            self._without_product(place.name, made.status is ExecutorStatus.REJECTED, made.reason, made.text, results)
        elif made.product.reused:
            results.unchanged(place.name, str(made.product.folder))
        else:
            valid = made.product.percentages.get("valid")
            about = {"valid_pct": None if valid is None else round(valid, 1)}
            results.done(place.name, "published", str(made.product.folder), **about)

    def _computed(self, place: Path, name: ProductName, options: PublishOptions, results: Results) -> None:
        from s4c_lib.ingest.executors import Chain, executor_of, request_of
        from s4c_lib.preprocessing.l1c_to_l2a import compute_tiles
        from s4c_lib.preprocessing.maja_chain import PreviousChoice

        if self.executor not in PROGRAMS:
            raise InputError(f"{name.name} is Level-1C.", hint=f"name a program with --executor: {', '.join(PROGRAMS)}")
        tiles = [name.tile] if name.tile is not None else self.tiles
        if not tiles and self.executor == "maja":
            raise InputError(f"{name.name} holds several tiles.", hint="MAJA is asked for one at a time: --tile")
        standing = [self._standing(name, tile) for tile in tiles]
        if standing and all(standing):
            results.unchanged(place.name, ", ".join(str(folder) for folder in standing))
            return
        program = executor_of(self.executor)
        request = request_of(
            self.values,
            place,
            self.executor,
            tiles[0] if tiles else "",
            Chain(PreviousChoice(self.previous)),
            work_dir=self.out / "work" / name.name,
            output_dir=self.out / "native",
            now=datetime.now(UTC),
        )
        for result in compute_tiles(program, request, tiles, keep_work=self.keep_work):
            self._published(place, result, options, results)

    def _published(self, place: Path, result: ExecutorResult, options: PublishOptions, results: Results) -> None:
        from s4c_lib.preprocessing.executor import ExecutorStatus
        from s4c_lib.preprocessing.publish import publish_l2a
        from s4c_lib.preprocessing.work_folder import remove_tree
        from s4c_lib.readers.recognise import read_scene

        if result.status is not ExecutorStatus.DONE or result.product_dir is None:
            rejected = result.status is ExecutorStatus.REJECTED
            self._without_product(place.name, rejected, result.reason, result.text, results)
            return
        scene = read_scene(result.product_dir)
        made = publish_l2a(scene, self.out / scene.name, options, now=datetime.now(UTC))
        if result.executor != "maja":
            # MAJA reads its own product again for the next date
            remove_tree(result.product_dir)
        results.done(place.name, "published", str(made.folder), cloud_pct=result.cloud_pct)

    def _without_product(self, name: str, rejected: bool, reason: Reason | None, text: str, results: Results) -> None:
        if reason is Reason.OUT_OF_DISK:
            raise DiskFullError(text, hint="free space and repeat; what was made stays")
        record = results.unfit if rejected else results.refused
        record(name, str(reason or Reason.INTERNAL), text)

    def _standing(self, name: ProductName, tile: str) -> Path | None:
        """L2A of the same tile and pass that is there already, complete."""
        from s4c_lib.preprocessing.publish_folder import read_published_folder

        for folder in sorted(self.out.iterdir()):
            other = parse_product_name(folder.name)
            if (
                other is not None
                and (other.platform, other.tile) == (name.platform, tile)
                and abs(other.sensing_start - name.sensing_start) < _SAME_PASS
                and read_published_folder(folder) is not None
            ):
                return folder
        return None
