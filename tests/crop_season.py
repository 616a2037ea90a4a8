"""A small season whose crops can be learnt: declarations, crop table, and statistics that follow the crops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from derived_rows import OPTICAL, optical, radar, settle
from sqlalchemy import Connection, text
from uploaded_rows import ACTOR, Field, declare, give_everything

from s4c_lib.catalog import auxdata
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.seasons import Season
from s4c_lib.parcels.crop_lut import read_crop_lut
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA

NOW = datetime(2025, 2, 1, 8, tzinfo=UTC)
FEW = {
    "processor.s4c_l4a.pa-min": 5,
    "processor.s4c_l4a.pa-train-l": 30,
    "processor.s4c_l4a.smote-target": 12,
    "processor.s4c_l4a.num-trees": 12,
    "processor.s4c_l4a.min-node-size": 2,
    "processor.s4c_l4a.diversification_enabled": True,
}
LUT = """Ori_crop;CTnum;CT;LC;CTnumL4A;CTL4A;CTnumDIV;CTDIV;EAA;AL;PGrass;TGrass;Fallow;Cwater
265;1;Grass;3;10;Grassland;1;Grass;1;0;1;0;0;0
233;2;Wheat;1;20;Wheat;2;Wheat;1;1;0;0;0;0
259;3;Maize;1;30;Maize;3;Maize;1;1;0;0;0;0
"""
CROPS = ("265", "233", "259")
LEVELS = dict(zip(CROPS, (0.75, 0.45, 0.2), strict=True))
FIRST = datetime(2024, 4, 2, 10, 36, tzinfo=UTC)
EACH = 16
PARCELS = 3 * EACH + 1
WRONG = 2 * EACH + 1
"""A parcel declared as maize that grows grass."""


def fields() -> list[Field]:
    found: list[Field] = []
    for number in range(PARCELS):
        code = CROPS[number // EACH] if number < 3 * EACH else "999"
        found.append((f"P{number + 1}", f"H{number % 4}", code, 210.0 * number, 200.0))
    return found


def fill_season(connection: Connection, season: Season, folder: Path) -> None:
    """Fill a past season of three crops, told apart by every variable, and a parcel whose code the crop table lacks.

    Parameters
    ----------
    folder : gets ``declarations``, and ``p`` with the files of statistics.
    """
    give_everything(connection, season, folder / "first")
    declare(connection, season.site_id, folder / "declarations", fields())
    connection.execute(text("UPDATE s4c.parcel SET s2_pix = 300, s1_pix = 70, primary_tile = '31UFS'"))
    lut, _ = read_crop_lut(LUT.encode(), "lut.csv")
    assert lut is not None
    version, _ = auxdata.upload(
        connection, season.site_id, Kind.LUT, season.year, file_name="lut.csv", content=LUT.encode(),
        parameters={}, actor=ACTOR,
    )  # fmt: skip
    auxdata.start_validation(connection, version.id, actor=ACTOR)
    auxdata.activate(connection, version.id, report={}, parsed=lut.as_dict(), actor=ACTOR)
    settle(connection, season, NOW)
    for number in range(3):
        sensed = FIRST + timedelta(days=40 * number)
        optical(connection, season, f"S2_{number}", sensed=sensed, variables=OPTICAL, folder=folder / "p")
        for kind in ("s1_amp", "s1_cohe"):
            for polarisation in ("VV", "VH"):
                name = f"{kind}_{polarisation}_{number}"
                radar(connection, season, name, kind, polarisation, sensed=sensed, folder=folder / "p")
    rows = connection.execute(
        text(
            "SELECT path, variable, time, orbit, direction, platform FROM s4c.marker_file m "
            "JOIN s4c.parcel_set s ON s.id = m.parcel_set_id WHERE s.state = 'active' ORDER BY path"
        )
    ).all()
    numbers = connection.execute(
        text(
            "SELECT p.new_id, p.ori_id FROM s4c.parcel p JOIN s4c.parcel_set s ON s.id = p.parcel_set_id "
            "WHERE s.state = 'active'"
        )
    ).all()
    assert len(numbers) == PARCELS
    grown = {new_id: grows(int(ori_id[1:])) for new_id, ori_id in numbers}
    for row in rows:
        write_series(folder / "p" / row.path, row, grown)


def grows(number: int) -> str:
    """Return the crop on a parcel, whatever is declared."""
    return CROPS[0] if number in (WRONG, PARCELS) else CROPS[(number - 1) // EACH]


def write_series(path: Path, row: object, grown: dict[int, str]) -> None:
    """Put values that follow the crop into a file of statistics."""
    rng = np.random.default_rng(len(path.name))
    variable = row.variable  # type: ignore[attr-defined]
    scale, offset = (-12.0, -3.0) if variable in ("vv", "vh") else (1.0, 0.0)
    rows = [
        {
            "parcel_id": number,
            "time": row.time,  # type: ignore[attr-defined]
            "variable": variable,
            "mean": offset + scale * (LEVELS[crop] + rng.normal(0, 0.02)),
            "std": 0.03,
            "n": 100,
            "n_total": 120,
            "platform": row.platform,  # type: ignore[attr-defined]
            "tile": "31UFS",
            "orbit": row.orbit,  # type: ignore[attr-defined]
            "direction": row.direction,  # type: ignore[attr-defined]
        }
        for number, crop in sorted(grown.items())
    ]
    pq.write_table(pa.Table.from_pylist(rows, OBSERVATION_SCHEMA), path)
