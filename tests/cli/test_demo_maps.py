"""The maps that end the demo: every parcel is drawn, and what is contradicted stands out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from PIL import Image, ImageColor

from s4c_lib.chart_style import BLACK
from s4c_lib.cli.demo_maps import Maps, draw_maps

EDGE = np.array(ImageColor.getrgb(BLACK))


def of_parcels(crops: list[str | None]) -> Maps:
    """Squares of 100 m in a row, the second of two parts."""
    outlines = [shapely.box(110 * at, 0, 110 * at + 100, 100) for at in range(len(crops))]
    parts = shapely.MultiPolygon([outlines[1], shapely.box(0, 110, 100, 210)])
    count = np.arange(len(crops), dtype=np.float64)
    return Maps(
        [outlines[0], parts, *outlines[2:]], (-10.0, -10.0, 110.0 * len(crops), 220.0), crops,
        np.zeros(len(crops), np.bool_),
        np.where(count == 0, np.nan, count), np.where(count == 1, np.nan, 20_000 + 7 * count),
    )  # fmt: skip


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def outlined(path: Path) -> int:
    return int((np.abs(pixels(path) - EDGE).max(axis=2) < 12).sum())


def test_a_contradicted_declaration_stands_out_and_no_half_picture_is_left(tmp_path: Path) -> None:
    maps = of_parcels(["Grassland", "Maize", None, "Maize"])
    picture = tmp_path / "products.png"
    draw_maps(maps, picture, title="demo 2025")
    plain = outlined(picture)
    marked = replace(maps, contradicted=np.array([False, True, False, False]))
    draw_maps(marked, picture, title="demo 2025")
    assert outlined(picture) > plain + 200
    assert [path.name for path in tmp_path.iterdir()] == ["products.png"]


def test_a_season_without_results_is_drawn_all_the_same(tmp_path: Path) -> None:
    nothing = replace(of_parcels([None, None]), mowings=np.full(2, np.nan), harvest=np.full(2, np.nan))
    draw_maps(nothing, tmp_path / "products.png", title="demo 2025")
    assert pixels(tmp_path / "products.png").shape[2] == 3
