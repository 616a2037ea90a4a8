"""Configuration files of mowing and practices from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from s4c_lib.parcels.l4c_presets import preset_text
from tests.cli.conftest import Run
from tests.cli.table_uploads import add_site


@pytest.fixture
def kempen(s4c: Run, folder: Path) -> str:
    return add_site(s4c, folder)


def test_what_a_file_is_for_is_told_by_its_sections(s4c: Run, kempen: str, delivered: Path) -> None:
    mowing = s4c("config", "import", kempen, delivered / "l4b.cfg", "--json").json
    assert (mowing["kind"], mowing["year"], mowing["state"]) == ("l4b_config", 2021, "active")
    practices = s4c("config", "import", kempen, delivered / "l4c.cfg", "--country", "NLD", "--json").json
    assert (practices["kind"], practices["country"], practices["practices"]) == ("l4c_config", "NLD", ["NA"])


def test_a_file_that_does_not_tell_needs_its_kind(s4c: Run, kempen: str, folder: Path) -> None:
    (folder / "x.cfg").write_text("[COMMON]\n")
    assert "add --kind l4b or --kind l4c" in s4c("config", "import", kempen, folder / "x.cfg", code=2).err
    answer = s4c("config", "import", kempen, folder / "x.cfg", "--kind", "L4B", code=2)
    assert "x.cfg is refused (CFG-01)" in answer.err


def test_practices_and_country_of_the_configuration_count_for_its_season(s4c: Run, kempen: str, folder: Path) -> None:
    (folder / "l4c.cfg").write_text(preset_text("NLD"))
    at = ("config", "import", kempen, folder / "l4c.cfg")
    assert "needs its country" in s4c(*at, code=2).err
    s4c(*at, "--country", "NLD", "--practices", "CC, NA", "--dry-run")
    assert s4c("config", "list", "--changed", "--json").json == []
    s4c(*at, "--country", "NLD", "--practices", "CC, NA")
    for key, value in (("country", "NLD"), ("practices", ["CC", "NA"])):
        name = f"processor.s4c_l4c.{key}"
        assert s4c("config", "get", name, "--site", kempen, "--season", "2021", "--json").json["value"] == value
    # what is set counts for the next file
    (folder / "l4c_v2.cfg").write_text(preset_text("NLD").replace("NDVISTEP = 5", "NDVISTEP = 6"))
    report = s4c("config", "import", kempen, folder / "l4c_v2.cfg", "--json").json
    assert (report["country"], report["practices"], report["changed"]) == ("NLD", ["CC", "NA"], True)


def test_an_unknown_practice_or_a_key_without_its_prefix_changes_nothing(s4c: Run, kempen: str, folder: Path) -> None:
    """Case 22 of the specification."""
    (folder / "l4c.cfg").write_text("[CC_TIME_SERIES_ANALYSIS_PARAMS]\nNDVIUP=500\n")
    answer = s4c("config", "import", kempen, folder / "l4c.cfg", "--country", "NLD", "--practices", "CC, XX", code=2)
    assert '"XX" is not a practice; use CC, FL, NFC, NA.' in answer.out
    assert "Key NDVIUP must start with CC_" in answer.out
    assert "l4c.cfg is refused (CFG-10, CFG-11)" in answer.err
    assert s4c("config", "list", "--changed", "--json").json == []


def test_lists_of_different_length_are_refused(s4c: Run, kempen: str, folder: Path) -> None:
    """Case 21 of the specification."""
    (folder / "l4b.cfg").write_text(
        "[compliancy]\ncrop_codes = 1, 2, 3\ncrop_rule = 0, 0, 0\n"
        "crop_time_intervals = ('01/04/2021','31/07/2021'), ('01/04/2021','31/07/2021')\n"
    )
    answer = s4c("config", "import", kempen, folder / "l4b.cfg", "--year", "2021", code=2)
    assert "CFG-04" in answer.out
    assert "3 codes, 2 periods, 3 rules" in answer.out


def test_the_start_of_mowing_must_fit_the_season(s4c: Run, kempen: str, delivered: Path) -> None:
    at = ("config", "import", kempen, delivered / "l4b.cfg", "--mowing-start")
    assert "must lie in 2020-12-31 to 2021-10-31" in s4c(*at, "2020-11-01", code=2).out
    assert s4c(*at, "2021-04-01", "--json").json["changed"] is True


def test_options_of_the_other_kind_are_refused(s4c: Run, kempen: str, delivered: Path) -> None:
    at = ("config", "import", kempen)
    assert "belong to an L4C" in s4c(*at, delivered / "l4b.cfg", "--practices", "CC", code=2).err
    assert "belongs to an L4B" in s4c(*at, delivered / "l4c.cfg", "--mowing-start", "2021-04-01", code=2).err
