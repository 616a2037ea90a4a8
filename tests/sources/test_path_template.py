from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.sources.path_template import PathTemplate, Place

days = st.dates(date(2015, 1, 1), date(2040, 12, 31))


def walk(template: PathTemplate, path: str, date_from: date, date_to: date) -> Place | None:
    """What a scan knows at the end of the path; None where it turned back."""
    place = Place()
    for level, folder in enumerate(path.split("/")):
        entered = template.enter(place, level, folder)
        if entered is None or not entered.meets(date_from, date_to):
            return None
        place = entered
    return place


@given(days, days, st.integers(0, 400), st.sampled_from(["%Y/%m/%d", "MSI/L2A/%Y/%m/%d", "%Y%m%d"]))
def test_a_day_folder_is_reached_exactly_when_the_window_holds_the_day(
    day: date, first: date, length: int, layout: str
) -> None:
    template = PathTemplate(layout.replace("%Y", "yyyy").replace("%m", "MM").replace("%d", "dd"))
    last = first + timedelta(days=length)
    place = walk(template, f"{day:{layout}}", first, last)
    assert (place is not None) == (first <= day <= last)
    assert place is None or place.when == day


def test_mgrs_folders_with_and_without_zeros() -> None:
    template = PathTemplate("UU/L/SS/yyyy/MM/dd")
    window = date(2024, 5, 1), date(2024, 5, 31)
    for path in ("31/U/FS/2024/05/01", "31/U/FS/2024/5/1"):
        place = walk(template, path, *window)
        assert place is not None
        assert (place.tile, place.when) == ("31UFS", date(2024, 5, 1))
    assert not Place(zone=31, band="U", square="FS").meets(*window, frozenset({"31UGS"}))
    assert Place(zone=1, band="K", square="AB").tile == "01KAB"


def test_letters_of_fixed_folders_are_no_tokens() -> None:
    template = PathTemplate("Sentinel-2/MSI/L2A/yyyy")
    assert template.enter(Place(), 2, "L2A") == Place()
    assert template.enter(Place(), 2, "U2A") is None


def test_folders_that_are_no_date_are_not_entered() -> None:
    always = date.min, date.max
    assert walk(PathTemplate("yyyy/MM/dd"), "2024/13/01", *always) is None
    assert walk(PathTemplate("yyyy/MM/dd"), "2023/02/29", *always) is None
    assert walk(PathTemplate("yyyy/MM/dd"), "0000/01/01", *always) is None


@pytest.mark.parametrize("written", ["", "/", "/yyyy/MM", "yyyy//dd", "../yyyy", "yyyy/yyyy"])
def test_wrong_templates_are_refused(written: str) -> None:
    with pytest.raises(InputError, match="path template"):
        PathTemplate(written)
