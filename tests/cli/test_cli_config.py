"""Parameters from the command line."""

from __future__ import annotations

from pathlib import Path

from s4c_lib.parameters import REGISTRY, reference_page
from tests.cli.conftest import Run

CLOUD = "downloader.s2.max_cloud_coverage"


def test_the_narrowest_value_wins_and_says_where_it_comes_from(s4c: Run, season: tuple[str, str]) -> None:
    site, name = season
    s4c("config", "set", CLOUD, "90")
    s4c("config", "set", CLOUD, "80", "--site", site)
    s4c("config", "set", CLOUD, "70", "--site", site, "--season", name)
    at = ("config", "get", CLOUD, "--site", site)
    assert (
        s4c(*at, "--season", name).out
        == f"{CLOUD} = 70 (season; overrides site 80; overrides global 90; overrides default 100)\n"
    )
    assert s4c(*at, "--json").json["value"] == 80
    assert s4c("config", "get", CLOUD, "--json").json["from"] == "global"
    s4c("config", "unset", CLOUD, "--site", site, "--season", name)
    assert s4c(*at, "--season", name, "--json").json["value"] == 80
    assert s4c("config", "unset", CLOUD, "--site", site, "--season", name, code=3).out == ""


def test_names_of_sen4cap_are_understood(s4c: Run) -> None:
    assert s4c("config", "set", "archiver.archive_path", "/data/products").out.startswith("storage.products_path = ")


def test_a_wrong_value_names_the_bounds_and_stores_nothing(s4c: Run, site: str) -> None:
    for arguments, said in (
        ((CLOUD, "101"), "must be 0 to 100"),
        ((CLOUD, "-1"), "must be 0 to 100"),
        ((CLOUD, "much"), "must be a whole number, 0 to 100"),
        (("downloader.s2.max_cloud_coverag", "10"), f"did you mean {CLOUD}?"),
        (("storage.min_free_gb", "10", "--site", site), "cannot be set for a site"),
        (("storage.products_path", "relative"), "a path starts with /"),
        (("storage.hard_free_pct", "50"), "storage.hard_free_pct = 50"),
    ):
        answer = s4c("config", "set", *arguments, code=2)
        assert said in answer.err, answer.err
        assert len(answer.err.splitlines()) == 1
    assert s4c("config", "list", "--changed", "--json").json == []
    assert s4c("config", "history", "--json").json == []


def test_a_wide_value_that_contradicts_a_narrow_one_is_refused(s4c: Run, season: tuple[str, str]) -> None:
    least, best = "processor.s4c_l4a.min-s2-pix", "processor.s4c_l4a.best-s2-pix"
    s4c("config", "set", least, "8", "--site", season[0])
    # everywhere else 3 is the least: only the site's own 8 stands against a 5
    answer = s4c("config", "set", best, "5", code=2)
    assert f"{least} = 8 (site" in answer.err
    assert f"{best} = 5 (global" in answer.err
    assert [item["key"] for item in s4c("config", "list", "--changed", "--json").json] == []
    s4c("config", "unset", least, "--site", season[0])
    s4c("config", "set", best, "5")


def test_season_without_site_is_refused(s4c: Run) -> None:
    assert "--season needs its --site" in s4c("config", "get", CLOUD, "--season", "2019", code=2).err


def test_the_list_is_filtered_by_chapter_and_text(s4c: Run) -> None:
    everything = s4c("config", "list", "--json").json
    assert len(everything) == len(REGISTRY)
    storage = s4c("config", "list", "--area", "storage", "--filter", "free", "--json").json
    assert {item["key"] for item in storage} == {
        "storage.min_free_gb",
        "storage.soft_free_pct",
        "storage.hard_free_pct",
    }
    assert "no parameter fits" in s4c("config", "list", "--filter", "zzz").err


def test_the_history_says_who_changed_what(s4c: Run, site: str) -> None:
    s4c("config", "set", CLOUD, "80", "--site", site)
    s4c("config", "set", CLOUD, "70", "--site", site)
    s4c("config", "unset", CLOUD, "--site", site)
    changes = [(item["old_value"], item["new_value"]) for item in s4c("config", "history", CLOUD, "--json").json]
    assert changes == [(70, None), (80, 70), (None, 80)]


def test_the_reference_is_the_page_of_the_registry(s4c: Run) -> None:
    assert s4c("config", "reference", S4C_DATABASE_URL=None).out == reference_page(REGISTRY)


def test_a_sen4cap_configuration_is_shown_first_and_then_stored(s4c: Run, site: str, folder: Path) -> None:
    file = folder / "config.csv"
    file.write_text(
        "key,site,value\n"
        "downloader.max-cloud-coverage,,85\n"
        "archiver.archive_path,,/mnt/archive/{site}/{processor}/\n"
        "downloader.enabled,3,false\n"
        "s2.enabled,7,true\n"
        "executor.listen-port,,7777\n"
        "no.such.key,,1\n"
    )
    shown = s4c("config", "import-sen4cap", file, "--map", f"3={site}")
    assert "--apply does it" in shown.err
    assert s4c("config", "list", "--changed", "--json").json == []
    answer = s4c("config", "import-sen4cap", file, "--map", f"3={site}", "--apply", "--json", code=2)
    refused = {item["key"]: item["why"] for item in answer.json if item["outcome"] == "refused"}
    assert set(refused) == {"no.such.key", "s2.enabled"}
    assert "--map 7=SITE" in refused["s2.enabled"]
    assert s4c("config", "get", CLOUD, "--json").json["value"] == 85
    assert s4c("config", "get", "storage.products_path", "--json").json["value"] == "/mnt/archive"
    assert s4c("config", "get", "downloader.enabled", "--site", site, "--json").json["value"] is False


def test_a_file_that_is_no_such_table_is_refused(s4c: Run, folder: Path) -> None:
    (folder / "x.csv").write_text("name,value\na,1\n")
    assert "no column 'key'" in s4c("config", "import-sen4cap", folder / "x.csv", code=2).err
    assert "does not exist" in s4c("config", "import-sen4cap", folder / "gone.csv", code=2).err
    (folder / "y.csv").write_bytes(b"key,site,value\n\xff\xfe,,1\n")
    assert "cannot be read" in s4c("config", "import-sen4cap", folder / "y.csv", code=2).err
