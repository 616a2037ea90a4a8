"""Where a synthetic season lies."""

from __future__ import annotations

from datetime import date

import pytest

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.window import check_dates, window_of


def test_the_default_window_lies_whole_in_both_tiles() -> None:
    window = window_of(["31UFT", "31UFS"], 5100)

    assert [tile.tile_id for tile, _ in window.tiles] == ["31UFS", "31UFT"]
    assert all(part == window.grid for _, part in window.tiles)
    assert window.grid.shape == (510, 510)
    assert (round(window.longitude, 2), round(window.latitude, 2)) == (5.23, 51.39)


def test_corners_are_corners_of_the_60_m_cells_of_each_tile() -> None:
    window = window_of(["31UFT", "31UGT"], 12000)

    for tile, part in window.tiles:
        assert (part.west - tile.ulx) % 60 == 0
        assert (tile.uly - part.north) % 60 == 0


def test_a_window_wider_than_the_overlap_shows_each_tile_what_lies_in_it() -> None:
    window = window_of(["31UFT", "31UGT"], 12000)

    (left, left_part), (right, right_part) = window.tiles
    assert left_part.bounds[2] == left.bounds[2]
    assert right_part.west == right.ulx
    assert left_part.columns + right_part.columns - window.grid.columns == 984


@pytest.mark.parametrize(
    ("tiles", "size", "text"),
    [
        ([], 5100, "at least one tile"),
        (["31UFS"], 100, "no whole number of 60 m cells"),
        (["31UFS"], 0, "no whole number of 60 m cells"),
        (["31UFS", "33UUP"], 600, "2 UTM zones"),
        (["31UFS", "31UDQ"], 600, "share no ground"),
        (["31UFS"], 120000, "reaches beyond"),
    ],
)
def test_windows_that_cannot_be(tiles: list[str], size: int, text: str) -> None:
    with pytest.raises(InputError, match=text):
        window_of(tiles, size)


def test_dates_reversed_and_too_long() -> None:
    with pytest.raises(InputError, match="before it starts"):
        check_dates(date(2021, 10, 31), date(2021, 3, 1))
    with pytest.raises(InputError, match="366 days"):
        check_dates(date(2021, 1, 1), date(2022, 12, 31))
    check_dates(date(2021, 3, 1), date(2021, 3, 1))


def test_a_grid_is_resized_to_whole_pixels_only() -> None:
    grid = PixelGrid(32631, 0, 600, 10, 60, 30)

    assert grid.resized(20) == PixelGrid(32631, 0, 600, 20, 30, 15)
    assert grid.resized(2.5).shape == (240, 120)
    assert grid.bounds == (0, 0, 300, 600)
    with pytest.raises(InputError, match="no whole pixels"):
        grid.resized(70)
