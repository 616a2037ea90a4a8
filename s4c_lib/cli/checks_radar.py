"""The check of ``s4c doctor`` on Sentinel-1: what makes backscatter and coherence of raw products here."""

from __future__ import annotations

from collections.abc import Iterator

from s4c_lib.catalog import config_values
from s4c_lib.catalog.sites import list_sites
from s4c_lib.cli.check import Check, Verdict
from s4c_lib.cli.session import Session
from s4c_lib.ingest.radar_executors import radar_programs
from s4c_lib.ingest.radar_inputs import GRD, READS, SLC, RadarInputs
from s4c_lib.parameters import Snapshot
from s4c_lib.preprocessing.radar.executor import RadarJob


def check_radar(session: Session) -> Iterator[Check]:
    """Say of the sites that use Sentinel-1 what becomes of SLC and GRD; once where it is the same for all."""
    programs = radar_programs(session.settings)
    with session.read() as connection:
        snapshots = {
            site.short_name: config_values.snapshot(connection, today=session.today(), site=site)
            for site in list_sites(connection)
            if site.enabled
        } or {"": config_values.snapshot(connection, today=session.today())}
    told: dict[tuple[Verdict, str, str], list[str]] = {}
    for site, snapshot in snapshots.items():
        if snapshot["s1.enabled"] and snapshot["processor.l2s1.enabled"]:
            told.setdefault(_of(snapshot, programs), []).append(site)
    for (verdict, text, remedy), sites in told.items():
        name = "Sentinel-1" if len(told) == 1 else f"Sentinel-1 of {', '.join(sites)}"
        yield Check(name, verdict, text, remedy)


def _of(snapshot: Snapshot, programs: frozenset[str]) -> tuple[Verdict, str, str]:
    chosen = str(snapshot["processor.l2s1.executor"])
    inputs = RadarInputs.of(snapshot, programs)
    if chosen == "none":
        return (
            Verdict.LIMITED,
            "nothing makes backscatter and coherence here: SLC and GRD are left out (no_executor)",
            "put ready-made level 2 into a source, or set processor.l2s1.executor: native-grd makes backscatter of "
            "GRD, snap makes both and must be installed",
        )
    if inputs.executor == "none":
        return (
            Verdict.LIMITED,
            f"{chosen} is not configured here: SLC and GRD are left out (no_executor)",
            f"set S4C_{chosen.upper()}_PROGRAM for every worker, or processor.l2s1.executor to native-grd",
        )
    made = [str(job) for job in RadarJob if any(inputs.makes(job, kind) for kind in (SLC, GRD))]
    if inputs.coherence and not READS[chosen][RadarJob.COHERENCE]:
        return (
            Verdict.LIMITED,
            f"{chosen} makes {' and '.join(made) or 'nothing'}; coherence is wanted and not made (no_executor)",
            "'s4c config set processor.l2s1.compute.coherence false', or processor.l2s1.executor snap",
        )
    return Verdict.OK, f"{chosen} makes {' and '.join(made) or 'nothing, as the parameters have it'}", ""
