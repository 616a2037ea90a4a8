"""Which of the products found a site uses, and why the others are left out."""

from __future__ import annotations

from dataclasses import dataclass

from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.catalog.vocabulary import SATELLITE_OF_NAME
from s4c_lib.ingest.radar_inputs import RadarInputs
from s4c_lib.parameters import Snapshot
from s4c_lib.reasons import Reason
from s4c_lib.sources.model import Candidate
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.sources.product_names import parse_product_name

# Implementations of L2A that need no program: the product is used as it comes.
READY_MADE_L2A = {"esa": ProductKind.S2_L2A, "muscate": ProductKind.MUSCATE_L2A}
L1C_EXECUTORS = frozenset({"maja", "sen2cor"})


@dataclass(frozen=True, slots=True)
class SelectionRules:
    """What a site wants.

    Attributes
    ----------
    tiles : selected MGRS tiles.
    l2a_implementation : how L2A is obtained: esa, muscate, sen2cor or maja.
    programs : programs configured here that make L2A from L1C.
    radar : what is made of SLC and GRD, and by what.
    max_cloud_pct : by satellite (``s2``, ``l8``).
    orbits : relative orbits to keep, by satellite (``s1``, ``s2``); all when empty.
    """

    tiles: frozenset[str]
    l2a_implementation: str
    programs: frozenset[str]
    radar: RadarInputs
    orbits: dict[str, frozenset[int]]
    max_cloud_pct: dict[str, float]

    @property
    def coherence(self) -> bool:
        """Whether coherence is wanted, whatever could make it."""
        return self.radar.coherence

    @classmethod
    def of(cls, snapshot: Snapshot, tiles: frozenset[str], programs: frozenset[str]) -> SelectionRules:
        """Read the rules from the parameters of a site and season.

        Parameters
        ----------
        programs : all programs configured here, those for radar too.
        """
        return cls(
            tiles=tiles,
            l2a_implementation=str(snapshot["processor.l2a.s2.implementation"]),
            programs=programs,
            radar=RadarInputs.of(snapshot, programs),
            orbits={
                "s1": frozenset(int(orbit) for orbit in snapshot["downloader.orbits"]),
                "s2": frozenset(int(orbit) for orbit in snapshot["downloader.s2.orbits"]),
            },
            max_cloud_pct={
                satellite: float(snapshot[f"downloader.{satellite}.max_cloud_coverage"]) for satellite in ("s2", "l8")
            },
        )


def why_ignored(product: Candidate | Acquisition, rules: SelectionRules) -> Reason | None:
    """Return why a site leaves a product out, or None when it wants it.

    Parameters
    ----------
    product : as a source offers it, or as it is stored: changed rules apply to what is known already.
    """
    if isinstance(product, Acquisition):
        kind, satellite = ProductKind(product.kind), product.satellite
        parsed = parse_product_name(product.source_product_name)
    else:
        kind, parsed = product.name.kind, product.name
        satellite = SATELLITE_OF_NAME[product.name.satellite]
    if reason := why_left_out(kind, None if parsed is None else parsed.tier, rules):
        return reason
    raw = kind in {ProductKind.S1_SLC, ProductKind.S1_GRD}
    if raw and parsed is not None and (parsed.mode != "IW" or "VV" not in parsed.polarisations):
        return Reason.OTHER_MODE
    if satellite in {"s1", "s2"} and product.tiles and not rules.tiles.intersection(product.tiles):
        return Reason.OTHER_TILE
    orbits = rules.orbits.get(satellite)
    if orbits and product.relative_orbit not in orbits:
        return Reason.OTHER_ORBIT
    limit = rules.max_cloud_pct.get("l8" if satellite == "l9" else satellite)
    if limit is not None and product.cloud_pct is not None and product.cloud_pct > limit:
        return Reason.CLOUD
    return None


def why_left_out(kind: ProductKind, tier: str | None, rules: SelectionRules) -> Reason | None:
    """Return why a site leaves out every product of a kind, or None when it uses it.

    Parameters
    ----------
    tier : of a Landsat product.
    """
    match kind:
        case ProductKind.S2_L2A | ProductKind.MUSCATE_L2A:
            return None if READY_MADE_L2A.get(rules.l2a_implementation) is kind else Reason.NOT_WANTED
        case ProductKind.S2_L1C:
            if rules.l2a_implementation not in L1C_EXECUTORS:
                return Reason.NOT_WANTED
            return None if rules.l2a_implementation in rules.programs else Reason.NO_EXECUTOR
        case ProductKind.S1_SLC | ProductKind.S1_GRD:
            return rules.radar.why_left_out(kind)
        case ProductKind.S1_AMP | ProductKind.S1_COHE:
            return None
        case ProductKind.LANDSAT_L2SP:
            return None if tier == "T1" else Reason.NOT_WANTED
        case _:
            return Reason.NOT_WANTED
