"""Landsat through ingest: registered as it comes, vegetation on the 30 m grid of each tile it meets, statistics."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from derived_season import NewDerived, new_derived, season_files

from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.products import files_of
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.synthetic.archive_files import write_folder
from s4c_lib.synthetic.archive_others import landsat_files, landsat_name

__all__ = ["new_derived", "season_files"]

DAY = date(2021, 6, 5)
# Reflectance of band b is b times one field: NDVI of bands 4 and 5 is 1 / 9 everywhere.
NDVI = 1 / 9


@pytest.mark.slow
def test_landsat_serves_every_tile_it_meets(new_derived: NewDerived, tmp_path: Path) -> None:
    name = landsat_name(DAY, "198024")
    archive = tmp_path / "archive"
    delivered = archive / "Landsat-8" / "OLI_TIRS" / "L2SP" / f"{DAY:%Y/%m/%d}" / name
    write_folder(delivered, landsat_files(DAY, "198024", tile("31UFS"), 4))
    season = new_derived(archive, tiles=("31UFS", "31UGS"))
    season.set("processor.l3b.filter.produce_lai", False)
    season.set("processor.l3b.filter.produce_fapar", False)
    season.set("processor.l3b.filter.produce_fcover", False)
    counts = season.run()
    assert (counts["l2a"], counts["l3b"] + counts["l3b_empty"], counts["statistics"]) == (1, 2, 2)
    assert not season.has_work()

    (l2a,) = season.products("l2a")
    assert (l2a.satellite, l2a.full_path, l2a.name) == ("l8", str(delivered), name)
    with season.database.begin() as connection:
        assert files_of(connection, l2a.id) == [], "it stays where it was delivered"
    assert list((season.root / "products").glob("l2a/**/*.tif")) == []

    vegetation = season.products("l3b")
    assert [one.tiles for one in vegetation] == [("31UFS",), ("31UGS",)]
    for one in vegetation:
        with rasterio.open(Path(one.full_path) / one.metadata["rasters"]["ndvi"]) as source:
            square = tile(one.tiles[0])
            assert (source.transform.a, source.transform.c, source.transform.f) == (30, square.ulx, square.uly)
            assert source.shape == (3660, 3660)

    table = season.observations("ndvi")
    assert set(table["platform"].to_pylist()) == {"landsat-8"}
    assert set(table["tile"].to_pylist()) == {"31UFS"}, "the parcels lie in one of them only"
    with season.database.begin() as connection:
        parcels = read_parcels(connection, season.parcels, ["new_id", "geom"]).to_pylist()
    outlines = {row["new_id"]: shapely.from_wkb(row["geom"]) for row in parcels}
    square = tile("31UFS")
    assert len(table) > 5
    exact = 0
    for row in table.to_pylist():
        assert row["mean"] == pytest.approx(NDVI, abs=1e-3)
        counted = []
        for buffer_m in (15.001, 14.999):
            shape = shapely.buffer(outlines[row["parcel_id"]], -buffer_m)
            west, south, east, north = shapely.bounds(outlines[row["parcel_id"]])
            x = np.arange(square.ulx + 15 + 30 * ((west - square.ulx) // 30), east, 30)
            y = np.arange(square.uly - 15 - 30 * ((square.uly - north) // 30), south, -30)
            counted.append(int(shapely.contains_xy(shape, *np.meshgrid(x, y)).sum()))
        if counted[0] == counted[1]:
            exact += 1
            assert row["n_total"] == counted[0]
    assert exact > 5
