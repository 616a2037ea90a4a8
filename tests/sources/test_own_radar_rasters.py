"""A user's own Sentinel-1 level 2: found by its sidecar, fetched with it, refused where the two do not fit."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_radar_rasters import (
    BACKSCATTER,
    COHERENCE,
    GRID,
    NAME,
    PAIR_NAME,
    coherences,
    decibels,
    own_raster,
    power,
    without,
)

from s4c_lib.errors import ConflictError, ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.sources.local_archive import LocalArchive
from s4c_lib.sources.model import Candidate, Direction, FetchMode, Query, SearchResult
from s4c_lib.sources.product_kinds import ProductKind, Satellite
from s4c_lib.sources.product_names import parse_product_name
from s4c_lib.sources.radar_plausibility import implausible
from s4c_lib.sources.radar_sidecar import parse_sidecar
from s4c_lib.sources.transfer import fetch_local
from s4c_lib.sources.verify import verify_product
from s4c_lib.synthetic.products.raster_files import Array, geotiff

KINDS = frozenset({ProductKind.S1_AMP, ProductKind.S1_COHE})


def search(root: Path, template: str | None = None) -> SearchResult:
    window = Query(Satellite.SENTINEL1, KINDS, date(2021, 5, 1), date(2021, 5, 31))
    return LocalArchive(root, template).search(window)


def refusal(root: Path) -> str:
    """Why the one entry of an archive is refused as corrupt."""
    found = search(root)
    assert found.candidates == ()
    (entry,) = found.rejected
    assert entry.code == "input_corrupt"
    return entry.text


def refusal_when_fetched(raster: Path) -> str:
    """Why a raster that the search offers is refused by the check of its structure."""
    (candidate,) = search(raster.parent).candidates
    with pytest.raises(ProductCorruptError) as caught:
        verify_product(raster, candidate.name)
    return caught.value.one_line


# --- found ---------------------------------------------------------------------------------------------------------


def test_a_raster_is_found_by_its_sidecar_whatever_its_name(tmp_path: Path) -> None:
    one = own_raster(tmp_path / "radar" / "vv may.TIFF", power())
    two = own_raster(tmp_path / "radar" / "coh.tif", coherences(), COHERENCE)
    found = search(tmp_path)
    assert found.rejected == ()
    backscatter, coherence = sorted(found.candidates, key=lambda item: item.name.name)
    assert (backscatter.name.name, backscatter.address) == (NAME, str(one))
    assert (coherence.name.name, coherence.address) == (PAIR_NAME, str(two))
    assert backscatter.name == parse_product_name(NAME)
    assert backscatter.name.kind is ProductKind.S1_AMP
    assert coherence.name.kind is ProductKind.S1_COHE
    assert coherence.name.previous_time == datetime(2021, 4, 26, 5, 50, tzinfo=UTC)
    assert backscatter.sensing_time == datetime(2021, 5, 2, 5, 50, tzinfo=UTC)
    assert (backscatter.tiles, backscatter.relative_orbit, backscatter.direction) == (
        ("31UFS",),
        37,
        Direction.DESCENDING,
    )
    sizes = [file.stat().st_size for file in one.parent.iterdir() if file.name.startswith("vv")]
    assert backscatter.size_bytes == sum(sizes)
    assert len(sizes) == 2


def test_without_a_tile_the_name_has_none(tmp_path: Path) -> None:
    own_raster(tmp_path / "a.tif", power(), without(BACKSCATTER, "tile"))
    (candidate,) = search(tmp_path).candidates
    assert candidate.name.name == "S1A_L2_BCK_20210502T055000_VV_037_OWN"
    assert parse_product_name(candidate.name.name) == candidate.name
    assert (candidate.tiles, candidate.name.tile) == ((), None)


def test_a_described_raster_is_used_before_a_named_one_of_the_same_acquisition(tmp_path: Path) -> None:
    own_raster(tmp_path / "mine.tif", decibels(power()), BACKSCATTER | {"scale": "db", "no_data": "nan"})
    named = tmp_path / f"{NAME.removesuffix('_OWN')}.tif"
    named.write_bytes(geotiff(power(), GRID, nodata=0, tags={"QUANTITY": "sigma0"}))
    found = search(tmp_path)
    assert [item.name.name for item in found.candidates] == [NAME]
    assert [(item.path, item.code) for item in found.rejected] == [(str(named), "superseded")]


def test_two_rasters_of_one_acquisition_are_one(tmp_path: Path) -> None:
    first = own_raster(tmp_path / "north.tif", power())
    second = own_raster(tmp_path / "south.tif", power())
    found = search(tmp_path)
    assert [item.address for item in found.candidates] == [str(first)]
    assert [(item.path, item.code) for item in found.rejected] == [(str(second), "duplicate")]


def test_a_path_template_is_held_against_the_time_of_the_sidecar(tmp_path: Path) -> None:
    own_raster(tmp_path / "2021" / "05" / "02" / "vv.tif", power())
    wrong = own_raster(tmp_path / "2021" / "05" / "03" / "vv.tif", power(), BACKSCATTER | {"polarisation": "VH"})
    found = search(tmp_path, "yyyy/MM/dd")
    assert [item.name.name for item in found.candidates] == [NAME]
    assert [(item.path, item.code) for item in found.rejected] == [(str(wrong), "wrong_date_folder")]


def test_what_lies_beside_a_described_raster_is_no_mistake(tmp_path: Path) -> None:
    raster = own_raster(tmp_path / "vv.tif", power())
    for suffix in (".tif.ovr", ".png", ".txt"):
        raster.with_name(f"vv{suffix}").write_bytes(b"x")
    assert search(tmp_path).rejected == ()
    raster.with_name("other.txt").write_bytes(b"x")
    assert [item.code for item in search(tmp_path).rejected] == ["not_a_product"]


spellings = st.builds(
    lambda text, upper: text.upper() if upper else text,
    st.sampled_from(["s1a", "sentinel-1b", "S1C"]),
    st.booleans(),
)
moments = st.datetimes(datetime(2014, 4, 3), datetime(2035, 1, 1))
zones = st.integers(-12, 12).map(lambda hours: timezone(timedelta(hours=hours)))


@given(
    platform=spellings,
    time=moments,
    zone=zones,
    days=st.integers(1, 24) | st.none(),
    orbit=st.integers(1, 175),
    polarisation=st.sampled_from(["vv", "VH"]),
    tile=st.sampled_from([None, "31ufs", "01CCV"]),
)
def test_every_sidecar_gives_a_name_that_says_the_same(
    platform: str, time: datetime, zone: timezone, days: int | None, orbit: int, polarisation: str, tile: str | None
) -> None:
    moment = time.replace(tzinfo=UTC)
    facts = BACKSCATTER | {
        "quantity": "gamma0" if days is None else "Coherence",
        "platform": platform,
        "time": moment.astimezone(zone).isoformat(),
        "previous_time": None if days is None else (moment - timedelta(days=days)).isoformat(),
        "relative_orbit": orbit,
        "polarisation": polarisation,
        "tile": tile,
    }
    name = parse_sidecar(json.dumps(facts).encode(), "x.s1.json").product_name()
    assert parse_product_name(name.name.lower()) == name
    second = moment.replace(microsecond=0)
    assert (name.sensing_start, name.baseline_days) == (second, days)
    assert name.platform == f"sentinel-1{platform[-1].lower()}"
    assert (name.relative_orbit, name.polarisations) == (orbit, (polarisation.upper(),))
    assert name.tile == (None if tile is None else tile.upper())


# --- refused by the sidecar ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sidecar", "field"),
    [
        (without(BACKSCATTER, "quantity"), "quantity: Field required"),
        (without(BACKSCATTER, "time", "direction"), "time: Field required; direction: Field required"),
        (BACKSCATTER | {"quantity": "beta0"}, "quantity: "),
        (BACKSCATTER | {"polarisation": "HH"}, "polarisation: "),
        (BACKSCATTER | {"polarization": "VV"}, "polarization: "),
        (BACKSCATTER | {"time": "2021-05-02T05:50:00"}, "time: "),
        (BACKSCATTER | {"time": "2 May"}, "time: "),
        (BACKSCATTER | {"relative_orbit": 176}, "relative_orbit: "),
        (BACKSCATTER | {"relative_orbit": "37"}, "relative_orbit: "),
        (BACKSCATTER | {"factor": 0}, "factor: "),
        (BACKSCATTER | {"tile": "T31UFS"}, "tile: "),
        (BACKSCATTER | {"previous_time": "2021-04-26T05:50:00Z"}, "previous_time: sigma0 is of one"),
        (BACKSCATTER | {"quantity": "amplitude", "scale": "db"}, "scale: an amplitude in dB"),
        (without(COHERENCE, "previous_time"), "previous_time: missing"),
        (COHERENCE | {"scale": "dB"}, "scale: coherence has no dB"),
        (COHERENCE | {"previous_time": "2021-05-08T05:50:00Z"}, "previous_time: 2021-05-08"),
        (b"{", "Invalid JSON"),
        (b"[1, 2]", "object"),
    ],
)
def test_a_wrong_sidecar_is_refused_by_field_and_file(
    tmp_path: Path, sidecar: dict[str, Any] | bytes, field: str
) -> None:
    own_raster(tmp_path / "vv.tif", power(), sidecar)
    text = refusal(tmp_path)
    assert f"{tmp_path / 'vv.s1.json'}: " in text
    assert field in text


def test_one_without_the_other(tmp_path: Path) -> None:
    raster = own_raster(tmp_path / "one" / "vv.tif", power())
    raster.unlink()
    assert "vv.s1.json describes no raster" in refusal(tmp_path / "one")
    raster = own_raster(tmp_path / "two" / "vv.tif", power())
    raster.with_name("vv.s1.json").unlink()
    (entry,) = search(tmp_path / "two").rejected
    assert entry.code == "not_a_product"
    assert "no sidecar vv.s1.json lies beside it" in entry.text
    raster.rename(raster.with_name(f"{NAME}.tif"))
    assert f"{NAME}.s1.json is not beside it" in refusal(tmp_path / "two")


@pytest.mark.parametrize(
    ("file", "field"),
    [
        ("S1A_L2_BCK_20210502T055000_VH_037_31UFS.tif", "polarisation"),
        ("S1B_L2_BCK_20210502T055000_VV_037_31UFS.tif", "platform"),
        ("S1A_L2_BCK_20210503T055000_VV_037_31UFT.tif", "time, tile"),
        ("SEN4CAP_L2A_S7_V20210502T055000_20210426T055000_VV_110_AMP.tif", "relative_orbit"),
        ("SEN4CAP_L2A_S7_V20210502T055000_20210426T055000_VV_037_COHE.tif", "quantity"),
    ],
)
def test_a_name_that_contradicts_the_sidecar(tmp_path: Path, file: str, field: str) -> None:
    own_raster(tmp_path / file, power())
    assert f": {field}" in refusal(tmp_path)


def test_a_name_that_agrees_with_the_sidecar(tmp_path: Path) -> None:
    own_raster(tmp_path / "SEN4CAP_L2A_S7_V20210502T055000_20210426T055000_VV_037_AMP.tif", power())
    assert [item.name.name for item in search(tmp_path).candidates] == [NAME]


@pytest.mark.parametrize(
    "tags",
    [{"QUANTITY": "gamma0"}, {"POL": "VH"}, {"PLATFORM": "S1B"}, {"REL_ORBIT": "38"}, {"ORBIT_DIRECTION": "ASC"}],
)
def test_a_tag_that_contradicts_the_sidecar(tmp_path: Path, tags: dict[str, str]) -> None:
    own_raster(tmp_path / "vv.tif", power(), tags=tags)
    text = refusal(tmp_path)
    assert f"the tag {next(iter(tags))}" in text
    assert "vv.tif" in text


def test_tags_that_agree_with_the_sidecar(tmp_path: Path) -> None:
    tags = {"QUANTITY": "SIGMA0", "PLATFORM": "sentinel-1a", "REL_ORBIT": "037", "ORBIT_DIRECTION": "DESC", "POL": "VV"}
    own_raster(tmp_path / "vv.tif", power(), tags=tags)
    assert [item.name.name for item in search(tmp_path).candidates] == [NAME]


def test_a_raster_that_cannot_be_used(tmp_path: Path) -> None:
    own_raster(tmp_path / "a" / "vv.tif", np.stack([power(), power()]))
    assert "2 bands of float32" in refusal(tmp_path / "a")
    own_raster(tmp_path / "b" / "vv.tif", power(), grid=PixelGrid(4326, 5.0, 51.4, 0.0002, 40, 50))
    assert "projected system" in refusal(tmp_path / "b")
    own_raster(tmp_path / "c" / "vv.tif", power(), BACKSCATTER | {"tile": "32TQM"})
    assert "tile: the raster does not lie on tile 32TQM" in refusal(tmp_path / "c")
    own_raster(tmp_path / "d" / "vv.tif", power(), BACKSCATTER | {"tile": "31ZZZ"})
    assert [item.code for item in search(tmp_path / "d").rejected] == ["unknown_tile"]
    own_raster(tmp_path / "e" / "vv.tif", decibels(power()), BACKSCATTER | {"scale": "db"})
    assert "no_data: neither the sidecar nor the raster says it" in refusal(tmp_path / "e")


def test_a_factor_that_differs_from_the_rasters_own(tmp_path: Path) -> None:
    import rasterio

    raster = own_raster(tmp_path / "vv.tif", np.rint(power() * 1000).astype(np.uint16), BACKSCATTER | {"factor": 0.01})
    with rasterio.open(raster, "r+") as changed:
        changed.scales = (0.001,)
    assert "factor: the sidecar says 0.01, the raster itself 0.001" in refusal(tmp_path)


# --- refused by the values -------------------------------------------------------------------------------------------

SPECKLED = power()


@pytest.mark.parametrize(
    ("sidecar", "values", "said"),
    [
        (BACKSCATTER, decibels(SPECKLED), "scale: sigma0 is linear, but the values look like dB"),
        (BACKSCATTER | {"quantity": "amplitude"}, decibels(SPECKLED) / 2, "scale: amplitude is linear"),
        (BACKSCATTER, (SPECKLED * 10000).astype(np.uint16), "factor: linear sigma0 is never like this"),
        (BACKSCATTER | {"scale": "db"}, SPECKLED, "scale: says dB, but no value is below 0"),
        (BACKSCATTER | {"scale": "db"}, (decibels(SPECKLED) * 100).astype(np.int16), "factor: sigma0 in dB is never"),
        (COHERENCE, coherences() * 255, "quantity: coherence lies between 0 and 1"),
        (COHERENCE, decibels(SPECKLED), "quantity: coherence lies between 0 and 1"),
    ],
)
def test_values_that_are_not_what_the_sidecar_says(
    tmp_path: Path, sidecar: dict[str, Any], values: Array, said: str
) -> None:
    raster = own_raster(tmp_path / "vv.tif", values, sidecar | {"no_data": -9999})
    text = refusal_when_fetched(raster)
    assert f"{raster}: {said}" in text
    assert "the median of 2000 values" in text


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("S1A_L2_BCK_20210502T055000_VV_037_31UFS.tif", decibels(SPECKLED), "scale: sigma0 is linear"),
        ("SEN4CAP_L2A_S7_V20210502T055000_20210426T055000_VV_037_AMP.tif", decibels(SPECKLED), "scale: amplitude"),
        ("S1A_L2_COH_20210502T055000_20210426T055000_VV_037_31UFS.tif", SPECKLED * 100, "quantity: coherence"),
    ],
)
def test_values_that_are_not_what_a_name_of_either_version_says(
    tmp_path: Path, name: str, values: Array, said: str
) -> None:
    raster = tmp_path / name
    raster.write_bytes(geotiff(values, GRID, nodata=0))
    assert f"{raster}: {said}" in refusal_when_fetched(raster)


def test_noise_that_was_subtracted_is_no_decibel(tmp_path: Path) -> None:
    values = power() - np.float32(0.08)
    assert np.mean(values < 0) > 0.4
    raster = own_raster(tmp_path / "vv.tif", values, BACKSCATTER | {"no_data": -9999})
    (candidate,) = search(tmp_path).candidates
    assert verify_product(raster, candidate.name).files == 2


def test_a_raster_without_data_contradicts_nothing() -> None:
    assert implausible(np.array([]), "sigma0", decibel=True) is None


@given(st.floats(-24, 4), st.integers(0, 2**32 - 1))
def test_land_in_any_season_is_told_from_its_decibels(level: float, seed: int) -> None:
    speckle = np.random.default_rng(seed).gamma(4, 0.25, 500)
    linear = np.maximum(10 ** (level / 10) * speckle, 1e-7)
    in_db = 10 * np.log10(linear)
    assert implausible(linear, "sigma0", decibel=False) is None
    assert implausible(np.sqrt(linear), "amplitude", decibel=False) is None
    assert implausible(in_db, "sigma0", decibel=True) is None
    assert implausible(linear, "sigma0", decibel=True) is not None
    if level < -2:
        assert implausible(in_db, "sigma0", decibel=False) is not None


def test_a_large_raster_is_judged_by_blocks_all_over_it(tmp_path: Path) -> None:
    """A swath that covers a fifth of the tile in the east: the first rows and columns hold nothing."""
    grid = PixelGrid(32631, 600_000, 5_700_000, 20, 2000, 2000)
    values = np.zeros(grid.shape, np.float32)
    values[:, 1600:] = decibels(np.random.default_rng(1).gamma(8, 0.01, (2000, 400)))
    raster = own_raster(tmp_path / "vv.tif", values, BACKSCATTER, grid=grid, nodata=0)
    assert "look like dB" in refusal_when_fetched(raster)


# --- fetched ---------------------------------------------------------------------------------------------------------


def offered(root: Path) -> list[Candidate]:
    return list(search(root).candidates)


def content(path: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(path.iterdir())}


def test_a_copy_holds_both_files_under_the_name_of_the_product(tmp_path: Path) -> None:
    """Files of one name from two days lie side by side."""
    archive, target = tmp_path / "archive", tmp_path / "downloads"
    own_raster(archive / "02" / "vv.tif", power(1))
    own_raster(archive / "08" / "vv.tif", power(2), BACKSCATTER | {"time": "2021-05-08T05:50:00Z"})
    for candidate in offered(archive):
        source = Path(candidate.address)
        result = fetch_local(source, candidate.name, target, FetchMode.COPY)
        assert result.path == target / candidate.name.name
        assert content(result.path) == content(source.parent)
        assert result.size_bytes == candidate.size_bytes
        again = fetch_local(source, candidate.name, target, FetchMode.COPY)
        assert (again.path, again.checksum) == (result.path, result.checksum)
        # What was copied is an archive like another one.
        assert verify_product(result.path, candidate.name).files == 2
    assert sorted(item.name.name for item in offered(target)) == sorted(item.name.name for item in offered(archive))
    assert not list((target / ".part").iterdir())


def test_links_lead_to_both_files(tmp_path: Path) -> None:
    archive, target = tmp_path / "archive", tmp_path / "downloads"
    raster = own_raster(archive / "vv.tif", power())
    (candidate,) = offered(archive)
    for _ in range(2):
        result = fetch_local(raster, candidate.name, target, FetchMode.SYMLINK)
    assert {link.name: link.readlink() for link in result.path.iterdir()} == {
        "vv.tif": raster,
        "vv.s1.json": raster.with_name("vv.s1.json"),
    }
    assert verify_product(result.path, candidate.name).files == 2
    moved = shutil.move(archive, tmp_path / "moved")
    result = fetch_local(Path(moved) / "vv.tif", candidate.name, target, FetchMode.SYMLINK)
    assert (result.path / "vv.tif").read_bytes() == (Path(moved) / "vv.tif").read_bytes()
    assert not list((target / ".part").iterdir())
    copied = tmp_path / "copied"
    fetch_local(Path(moved) / "vv.tif", candidate.name, copied, FetchMode.COPY)
    with pytest.raises(ConflictError, match="real product"):
        fetch_local(Path(moved) / "vv.tif", candidate.name, copied, FetchMode.SYMLINK)


def test_a_changed_sidecar_changes_the_checksum(tmp_path: Path) -> None:
    raster = own_raster(tmp_path / "vv.tif", power())
    (candidate,) = offered(tmp_path)
    before = fetch_local(raster, candidate.name, tmp_path, FetchMode.CHECK)
    assert before.path == raster
    own_raster(raster, power(), BACKSCATTER | {"quantity": "gamma0", "factor": 1.25})
    after = fetch_local(raster, candidate.name, tmp_path, FetchMode.CHECK)
    assert before.checksum != after.checksum


def test_a_sidecar_that_became_another_ones_is_refused(tmp_path: Path) -> None:
    raster = own_raster(tmp_path / "vv.tif", power())
    (candidate,) = offered(tmp_path)
    own_raster(raster, power(), BACKSCATTER | {"time": "2021-05-08T05:50:00Z"})
    with pytest.raises(ProductCorruptError, match=r"vv\.tif now describes S1A_L2_BCK_20210508"):
        fetch_local(raster, candidate.name, tmp_path / "target", FetchMode.COPY)
    assert not (tmp_path / "target" / candidate.name.name).exists()


def test_a_zip_of_the_products_name(tmp_path: Path) -> None:
    raster = own_raster(tmp_path / "loose" / "vv.tif", power())
    packed = tmp_path / "packed" / f"{NAME}.zip"
    packed.parent.mkdir()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(raster.parent.iterdir()):
            archive.write(file, f"{NAME}/{file.name}")
    (candidate,) = offered(packed.parent)
    assert (candidate.name.name, candidate.direction) == (NAME, Direction.DESCENDING)
    assert verify_product(packed, candidate.name).files == 2
