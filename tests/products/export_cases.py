"""Declarations and results made up for the tests of exports."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import shapely

from s4c_lib.products.export_model import ColumnNote, ExportFrame, Provenance, ResultTable

CREATED = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
PROVENANCE = Provenance(
    site="noord",
    year=2026,
    created_at=CREATED,
    licence="Licence of the agency",
    software="s4c 0.1.0",
    versions={"declarations": "3", "lut": "2"},
    parameters={"accept_second_min_conf": "0"},
)
NAMES = ["Čeština", "Żółw", 'said "so"; twice', None, ""]


def wkb(*shapes: shapely.Geometry | None) -> pa.Array:
    return pa.array([None if item is None else shapely.to_wkb(item) for item in shapes], pa.binary())


def square(number: int, side: float = 100.0) -> shapely.Polygon:
    return shapely.box(650003 + 200 * number, 5750003, 650003 + 200 * number + side, 5750003 + side)


def declarations() -> pa.Table:
    """Five parcels: squares 200 m apart, one of two parts, one without outline, one no longer declared."""
    return pa.table(
        {
            "NewID": pa.array([1, 2, 3, 4, 5], pa.int32()),
            "ori_id": ["P1", "P2", "P3", "P4", "P5"],
            "ori_hold": ["H1", "H1", "H2", "H2", "H3"],
            "ori_crop": ["265", "259", "265", "999", "259"],
            "GeomValid": [True, True, True, False, True],
            "Area_meters": [10000.0, 10000.25, 20000.0, float("nan"), 10000.0],
            "S2Pix": pa.array([81, 81, 162, 0, 81], pa.int32()),
            "primary_tile": ["31UFT", "31UFT", "31UGT", None, "31UGT"],
            "is_deleted": [False, False, False, False, True],
            "src_row": [1, 2, 3, 4, None],
            "geometry": wkb(
                square(0), square(1), shapely.MultiPolygon([square(2), square(3)]), None, shapely.Polygon(square(4))
            ),
        }
    )


def lut() -> pa.Table:
    return pa.table(
        {
            "Ori_crop": ["259", "265"],
            "CTnum": pa.array([1, 2], pa.int32()),
            "CT": ["Maïs", "Grasland"],
            "LC": pa.array([1, 3], pa.int16()),
            "CTnumL4A": pa.array([10, 20], pa.int32()),
            "CTnumL4A_name": ["maize", "grass"],
        }
    )


def attributes() -> pa.Table:
    return pa.table(
        {
            "src_row": [4, 3, 2, 1],
            "Naam": [NAMES[3], NAMES[2], NAMES[1], NAMES[0]],
            "ori_id": ["their own 4", "3", "2", "1"],
            "sown": [None, date(2026, 4, 1), None, date(1999, 12, 31)],
        }
    )


def l4a(**changes: object) -> ResultTable:
    values: dict[str, object] = {
        "name": "l4a",
        "product_id": "S4C_L4A_noord_2026_a1",
        "as_of": date(2026, 8, 1),
        "table": pa.table(
            {
                "NewID": [3, 1, 2],
                "status": ["processed", "processed", "min_pixels"],
                "decision": ["no", "yes", "not_monitorable"],
                "CT_pred_1": pa.array([1, 2, None], pa.int32()),
                "CT_pred_1_name": ["Maïs", "Grasland", None],
                "confidence": pa.array([0.81, 0.5, float("nan")], pa.float32()),
            }
        ),
        "columns": {"CT_pred_1": ColumnNote("First predicted crop")},
        "versions": {"lut": "2"},
    }
    return ResultTable(**{**values, **changes})  # type: ignore[arg-type]


def l4c() -> ResultTable:
    """Parcel 1 is in the harvest and in the catch crop table (acceptance case 28)."""
    return ResultTable(
        name="l4c",
        product_id="S4C_L4C_noord_2026_c1",
        key="PRACTICE",
        table=pa.table(
            {
                "NewID": pa.array([2, 1, 1, 77], pa.int64()),
                "PRACTICE": ["NA", "NA", "CC", "NA"],
                "H_W_START": [None, date(2026, 7, 6), date(2026, 7, 6), None],
                "C_INDEX": ["NA", "NA", "STRONG", "NA"],
                "decision": ["inconclusive", "yes", "yes", "no"],
                "seen_at": pa.array([None, CREATED, None, None], pa.timestamp("us", tz="UTC")),
            }
        ),
    )


def frame(*results: ResultTable) -> ExportFrame:
    return ExportFrame(declarations(), PROVENANCE, "EPSG:32631", attributes(), lut(), results)
