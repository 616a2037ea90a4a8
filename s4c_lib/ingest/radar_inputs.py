"""What a season makes of raw Sentinel-1 products, and of which ones (spec/README.md C6, C9; preprocessing.md §4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from s4c_lib.parameters import Snapshot
from s4c_lib.preprocessing.radar.executor import RadarJob
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_kinds import ProductKind

SLC, GRD = ProductKind.S1_SLC, ProductKind.S1_GRD
NATIVE: Final = "native-grd"
# What each executor reads; said here too so that choosing products does not load the executors.
READS: Final[Mapping[str, Mapping[RadarJob, frozenset[ProductKind]]]] = {
    "snap": {RadarJob.BACKSCATTER: frozenset({SLC, GRD}), RadarJob.COHERENCE: frozenset({SLC})},
    NATIVE: {RadarJob.BACKSCATTER: frozenset({GRD}), RadarJob.COHERENCE: frozenset()},
}
# Made here, always there; other executors are programs that must be configured.
BUILT_IN: Final = frozenset({NATIVE})


@dataclass(frozen=True, slots=True)
class RadarInputs:
    """Executor and inputs.

    Parameters
    ----------
    executor : ``none`` where the one chosen is not configured here.
    enabled : raw products are processed at all.
    backscatter_of : kind that backscatter is made of; None where none is wanted.
    coherence : it is wanted; it is made of SLC.
    """

    executor: str
    enabled: bool
    backscatter_of: ProductKind | None
    coherence: bool

    @classmethod
    def of(cls, snapshot: Snapshot, programs: frozenset[str]) -> RadarInputs:
        """Read the choice from the parameters of a site and season.

        Parameters
        ----------
        programs : names of the programs configured here.
        """
        chosen = str(snapshot["processor.l2s1.executor"])
        executor = chosen if chosen in READS and chosen in programs | BUILT_IN else "none"
        coherence = bool(snapshot["processor.l2s1.compute.coherence"])
        return cls(
            executor=executor,
            enabled=bool(snapshot["processor.l2s1.enabled"]) and bool(snapshot["s1.enabled"]),
            backscatter_of=_backscatter_of(snapshot, executor, coherence),
            coherence=coherence,
        )

    def makes(self, job: RadarJob, kind: ProductKind) -> bool:
        """Whether that is made of products of a kind."""
        if not self.enabled or kind not in READS.get(self.executor, {}).get(job, frozenset()):
            return False
        return self.coherence if job is RadarJob.COHERENCE else kind is self.backscatter_of

    def why_left_out(self, kind: ProductKind) -> Reason | None:
        """Why products of a kind (SLC, GRD) are of no use; None when something is made of them."""
        if not self.enabled:
            return Reason.DISABLED
        if self.executor == "none":
            return Reason.NO_EXECUTOR
        if any(self.makes(job, kind) for job in RadarJob):
            return None
        wanted = kind is self.backscatter_of or (kind is SLC and self.coherence)
        return Reason.NO_EXECUTOR if wanted else Reason.NOT_WANTED

    @property
    def kinds(self) -> frozenset[ProductKind]:
        """Kinds that something is made of."""
        return frozenset(kind for kind in (SLC, GRD) if self.why_left_out(kind) is None)


def _backscatter_of(snapshot: Snapshot, executor: str, coherence: bool) -> ProductKind | None:
    if not snapshot["processor.l2s1.compute.amplitude"]:
        return None
    match str(snapshot["processor.l2s1.backscatter_input"]):
        case "slc":
            return SLC
        case "grd":
            return GRD
    reads_slc = SLC in READS.get(executor, {}).get(RadarJob.BACKSCATTER, frozenset())
    return SLC if coherence and reads_slc else GRD
