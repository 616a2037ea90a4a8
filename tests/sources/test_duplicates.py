from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from s4c_lib.sources.duplicates import drop_duplicates
from s4c_lib.sources.model import Candidate
from s4c_lib.sources.product_names import product_name

S2 = "S2A_MSIL2A_20240306T103621_N{baseline}_R051_T{tile}_{created}"


def candidate(name: str, address: str = "", created: datetime | None = None) -> Candidate:
    parsed = product_name(name)
    return Candidate(
        name=parsed,
        address=address or f"/archive/{name}",
        footprint=box(0, 0, 1, 1),
        size_bytes=1,
        sensing_time=parsed.sensing_start,
        tiles=() if parsed.tile is None else (parsed.tile,),
        relative_orbit=parsed.relative_orbit,
        created=created,
    )


def kept(*candidates: Candidate) -> list[str]:
    return [item.address for item in drop_duplicates(candidates)[0]]


def test_the_highest_baseline_wins_over_a_newer_processing() -> None:
    old = candidate(S2.format(baseline="0509", tile="31UFS", created="20240901T000000"))
    new = candidate(S2.format(baseline="0510", tile="31UFS", created="20240307T000000"))
    assert kept(old, new) == [new.address]
    assert [item.code for item in drop_duplicates([old, new])[1]] == ["superseded"]


def test_of_one_baseline_the_newest_processing_wins() -> None:
    first = candidate(S2.format(baseline="0510", tile="31UFS", created="20240307T000000"))
    second = candidate(S2.format(baseline="0510", tile="31UFS", created="20240308T000000"))
    assert kept(second, first) == [second.address]


def test_other_tiles_and_levels_are_no_duplicates() -> None:
    a = candidate(S2.format(baseline="0510", tile="31UFS", created="20240307T000000"))
    b = candidate(S2.format(baseline="0509", tile="31UGS", created="20240307T000000"))
    c = candidate(S2.format(baseline="0509", tile="31UFS", created="20240307T000000").replace("L2A", "L1C"))
    assert len(kept(a, b, c)) == 3


def test_a_real_time_landsat_scene_gives_way_to_its_final_one() -> None:
    quick = candidate("LC08_L2SP_197024_20240304_20240320_02_RT")
    final = candidate("LC08_L2SP_197024_20240304_20240312_02_T1")
    assert kept(quick, final) == [final.address]


def test_a_radar_scene_processed_again_is_known_by_its_manifest() -> None:
    stem = "S1A_IW_SLC__1SDV_20220104T170557_20220104T170624_041314_04E951_"
    first = candidate(f"{stem}F1F1", created=datetime(2022, 1, 4, 20, tzinfo=UTC))
    again = candidate(f"{stem}0A0A", created=datetime(2022, 3, 1, tzinfo=UTC))
    next_slice = candidate("S1A_IW_SLC__1SDV_20220104T170622_20220104T170649_041314_04E951_AAAA")
    assert kept(first, again, next_slice) == [again.address, next_slice.address]


POOL = [
    candidate(S2.format(baseline=baseline, tile=tile, created=created), address=f"/{folder}/{baseline}{tile}{created}")
    for baseline in ("0509", "0510")
    for tile in ("31UFS", "31UGS")
    for created in ("20240307T000000", "20240308T000000")
    for folder in ("a", "b")
]


@given(st.permutations(POOL))
def test_the_order_of_the_archive_does_not_matter(candidates: list[Candidate]) -> None:
    assert drop_duplicates(candidates) == drop_duplicates(POOL)
    chosen, rest = drop_duplicates(candidates)
    assert len(chosen) + len(rest) == len(POOL)
    assert [item.address for item in chosen] == ["/a/051031UFS20240308T000000", "/a/051031UGS20240308T000000"]
