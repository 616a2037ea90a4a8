"""Holdings written as in the acceptance cases: crop, hectares, and a question mark where the crop is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from s4c_lib.crop_type.diversification_parcels import NONE, HoldingParcels
from s4c_lib.parcels.crop_lut import CropLut, read_crop_lut

LUT = """Ori_crop;CTnum;CT;LC;CTnumL4A;CTL4A;CTnumDIV;CTDIV;EAA;AL;PGrass;TGrass;Fallow;Cwater;Legum
WW;1;Winter wheat;1;1;Wheat;1;Wheat;1;1;0;0;0;0;0
MZ;2;Maize;1;2;Maize;2;Maize;1;1;0;0;0;0;0
SB;3;Sugar beet;1;3;Beet;3;Beet;1;1;0;0;0;0;0
TG;4;Temporary grass;3;4;Grass;4;Grass leys;1;1;0;1;0;0;0
PG;5;Permanent grass;3;4;Grass;5;Meadows;1;0;1;0;0;0;0
FL;6;Fallow;4;6;Fallow;6;Fallow;1;1;0;0;1;0;0
RI;7;Rice;1;7;Rice;7;Rice;1;1;0;0;0;1;0
CL;8;Clover;1;8;Clover;8;Clover;1;1;0;0;0;0;1
WD;9;Wood;0;9;Wood;9;Wood;0;0;0;0;0;0;0
"""


def crop_table() -> CropLut:
    """Return the crop code table of the cases."""
    lut, _ = read_crop_lut(LUT.encode(), "lut.csv")
    assert lut is not None
    return lut


def parcels_of(lut: CropLut, rows: Sequence[tuple[int, str, float, bool]], **given: Any) -> HoldingParcels:
    """Return parcels that were confirmed or not; each row is a holding, a crop, hectares and whether it is known."""
    count = len(rows)
    crop = lut.positions([code for _, code, _, _ in rows])
    known = np.array([known for *_, known in rows], np.bool_)
    declared = np.where(crop == NONE, NONE, lut.ctnuml4a[crop]).astype(np.int64)
    columns: dict[str, Any] = {
        "new_id": np.arange(1, count + 1, dtype=np.int64),
        "holding": np.array([holding for holding, *_ in rows], np.int64),
        "area_m2": np.array([hectares * 10_000 for _, _, hectares, _ in rows], np.float64),
        "geom_valid": np.ones(count, np.bool_),
        "duplic": np.zeros(count, np.bool_),
        "overlap": np.zeros(count, np.bool_),
        "s2_pix": np.full(count, 50, np.int64),
        "s1_pix": np.full(count, 12, np.int64),
        "lc": np.where(crop == NONE, NONE, lut.lc[crop]).astype(np.int64),
        "crop": crop,
        "ct_decl": declared,
        "ct_pred_1": np.where(known, declared, 999),
        "ct_conf_1": np.full(count, 0.8),
        "ct_pred_2": np.full(count, 998, np.int64),
        "ct_conf_2": np.full(count, 0.1),
    }
    return HoldingParcels(**columns | given)


def holding_of(text: str, number: int = 1) -> list[tuple[int, str, float, bool]]:
    """Return the parcels of ``WW 12, MZ 8?``."""
    rows = []
    for part in text.split(", "):
        code, area = part.split(" ")
        rows.append((number, code, float(area.rstrip("?")), not area.endswith("?")))
    return rows
