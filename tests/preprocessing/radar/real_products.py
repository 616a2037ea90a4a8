"""The real SLC and GRD products that lie beside the repository; tests that need them skip where they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "sentinel1_safe"
GRD = "S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371.SAFE"
SLC = "S1A_IW_SLC__1SDV_20220104T170557_20220104T170624_041314_04E951_F1F1.SAFE"


def real(name: str) -> Path:
    """A file or folder of the collection."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{name} is not here: it is not part of the repository")
    return path
