"""Which value counts: job, season, site, global, default; profiles and phases; hashes."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import ParameterError
from s4c_lib.parameters import REGISTRY, Layers, Scope, resolve
from s4c_lib.scheduling.dates import Phase

KEY = "processor.s4c_l4a.min-node-size"  # its default is 10, as in case 40
LAYERS = ("job", "season", "site", "global_")


def test_case_40_the_narrowest_scope_wins() -> None:
    wide = {"global_": {KEY: 20}, "site": {KEY: 30}, "season": {KEY: 40}}
    assert resolve(Layers(**wide, job={KEY: 50}), phase="current")[KEY] == 50
    assert resolve(Layers(**wide), phase="current")[KEY] == 40
    assert resolve(Layers(global_={KEY: 20}, site={KEY: 30}), phase="current")[KEY] == 30
    assert resolve(Layers(global_={KEY: 20}), phase="current")[KEY] == 20
    assert resolve(Layers(), phase="current")[KEY] == 10


def test_case_40_a_value_outside_its_bounds_is_refused_in_any_layer() -> None:
    for layer in LAYERS:
        with pytest.raises(ParameterError, match=r"min-node-size = 0: must be 1 to 10,000"):
            resolve(Layers(**{layer: {KEY: 0}}), phase="current")


@given(st.fixed_dictionaries({}, optional={name: st.integers(1, 10_000) for name in LAYERS}))
def test_any_combination_of_layers_resolves_by_precedence(given_values: dict[str, int]) -> None:
    layers: dict[str, Mapping[str, Any]] = {name: {KEY: value} for name, value in given_values.items()}
    explained = resolve(Layers(**layers), phase="current").explain(KEY)
    expected = [(name.rstrip("_"), given_values[name]) for name in LAYERS if name in given_values] + [("default", 10)]
    found = [(explained.origin, explained.value), *((one.origin, one.value) for one in explained.overridden)]
    assert found == expected


def test_explain_reads_as_a_sentence() -> None:
    snapshot = resolve(Layers(season={KEY: 40}, site={KEY: 30}), phase="current")
    assert str(snapshot.explain(KEY)) == f"{KEY} = 40 (season; overrides site 30; overrides default 10)"


def test_the_profile_sets_defaults_and_a_set_value_wins_over_it() -> None:
    key = "processor.s4c_mdb1.min_pixels"
    assert resolve(Layers(), phase="current")[key] == 1
    reference = resolve(Layers(season={"profile": "reference"}), phase="current")
    assert reference[key] == 2
    assert reference.explain(key).origin == "default with profile reference"
    assert resolve(Layers(season={"profile": "reference"}, global_={key: 5}), phase="current")[key] == 5


def test_a_job_may_override_the_profile_of_its_season() -> None:
    layers = Layers(season={"profile": "reference"}, job={"profile": "default"})
    assert resolve(layers, phase="current")["processor.l2s1.remove_noise"] is True


def test_a_profile_belongs_to_a_season_or_job() -> None:
    with pytest.raises(ParameterError, match="profile cannot be set for a site"):
        resolve(Layers(site={"profile": "reference"}), phase="current")


@pytest.mark.parametrize(("phase", "days"), [("future", 1), (Phase.CURRENT, 1), ("past", 60)])
def test_ingest_visits_a_past_season_rarely(phase: str, days: int) -> None:
    assert resolve(Layers(), phase=phase)["ingest.interval_days"] == days


def test_optical_data_before_the_season_is_fetched_for_maja_only() -> None:
    maja = {"processor.l2a.s2.implementation": "maja"}
    assert resolve(Layers(), phase="current")["downloader.start.offset"] == 0
    assert resolve(Layers(site=maja), phase="current")["downloader.start.offset"] == 2
    assert (
        resolve(Layers(site=maja, season={"downloader.start.offset": 1}), phase="past")["downloader.start.offset"] == 1
    )


def test_a_short_lease_shortens_its_heartbeat() -> None:
    assert resolve(Layers(), phase="current")["lease.heartbeat_seconds"] == 300
    assert resolve(Layers(global_={"lease.seconds": 20}), phase="current")["lease.heartbeat_seconds"] == 3
    assert resolve(Layers(global_={"lease.seconds": 5}), phase="current")["lease.heartbeat_seconds"] == 1


@pytest.mark.parametrize("lease", [5, 86_400])
def test_a_derived_default_stays_within_its_own_bounds(lease: int) -> None:
    heartbeat = resolve(Layers(global_={"lease.seconds": lease}), phase="current")["lease.heartbeat_seconds"]
    assert REGISTRY.check("lease.heartbeat_seconds", heartbeat, "global") == heartbeat


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"lease.seconds": 20, "lease.heartbeat_seconds": 20}, "lease.heartbeat_seconds = 20 .* must be below"),
        ({"storage.hard_free_pct": 20}, "hard_free_pct = 20.0 .*may not exceed storage.soft_free_pct = 10.0"),
        ({"processor.s4c_l4a.best-s2-pix": 2}, "min-s2-pix = 3 .*may not exceed"),
        ({"processor.l2a.maja.remove-fre": True}, "cannot be on together"),
    ],
)
def test_values_that_contradict_each_other_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        resolve(Layers(global_=values), phase="current")


def test_one_parameter_under_two_names_in_one_scope_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"given twice for the site"):
        resolve(Layers(site={"downloader.s2.settle_days": 3, "downloader.s2.query.days.back": 4}), phase="current")


def test_an_alias_sets_and_reads_the_parameter() -> None:
    snapshot = resolve(Layers(site={"downloader.S2.query.days.back": "7"}), phase="current")
    assert snapshot["downloader.s2.settle_days"] == snapshot["downloader.s2.query.days.back"] == 7


def test_the_hash_changes_with_what_decides_results_and_with_nothing_else() -> None:
    base = resolve(Layers(), phase="current")
    same = resolve(Layers(job={"processor.s4c_l4a.num-trees": 300}), phase="past")
    more = resolve(Layers(job={"processor.s4c_l4a.num-trees": 500}), phase="current")
    running = resolve(Layers(job={"profile": "default"}, site={"schedule.grace_months": 2}), phase="current")
    assert base.hash_for("s4c_l4a") == same.hash_for("s4c_l4a") == running.hash_for("s4c_l4a")
    assert more.hash_for("s4c_l4a") != base.hash_for("s4c_l4a")
    assert more.hash_for("s4c_l4b") == base.hash_for("s4c_l4b")
    assert len(base.hash_for("l3b")) == 64
    assert more.values_for("s4c_l4a")["processor.s4c_l4a.num-trees"] == 500


@given(st.permutations(["CC", "FL", "NFC"]), st.randoms(use_true_random=False))
def test_the_hash_does_not_depend_on_any_order(practices: list[str], random: Any) -> None:
    values = [
        ("processor.s4c_l4c.practices", practices),
        ("processor.s4c_l4c.country", "CZE"),
        ("profile", "reference"),
    ]
    ordered = resolve(Layers(season=dict(values[:2]), job=dict(values[2:])), phase="current")
    random.shuffle(shuffled := values[:2])
    again = resolve(Layers(season=dict(shuffled), job=dict(values[2:])), phase="current")
    assert ordered.hash_for("s4c_l4c") == again.hash_for("s4c_l4c")


def test_a_snapshot_can_be_stored_as_json_and_sent_to_a_worker() -> None:
    snapshot = resolve(Layers(job={"processor.s4c_l4b.start_date": "20240401"}), phase="current")
    stored = json.loads(json.dumps(snapshot.as_json()))
    assert stored["processor.s4c_l4b.start_date"] == "2024-04-01"
    checked = {key: REGISTRY.check(key, value, REGISTRY.get(key).scopes[0]) for key, value in stored.items()}
    assert checked == snapshot.values
    assert pickle.loads(pickle.dumps(snapshot)).hash_for("s4c_l4b") == snapshot.hash_for("s4c_l4b")


def test_a_path_is_filled_when_it_is_used() -> None:
    snapshot = resolve(Layers(), phase="current")
    assert snapshot.path("general.scratch-path", processor="l3b", job_id=7) == Path("/var/lib/sen4cap/scratch/l3b/7")
    with pytest.raises(ParameterError, match="is not set"):
        snapshot.path("retention.archive_path")


def test_the_scopes_of_the_layers_are_the_scopes_of_the_registry() -> None:
    layers = Layers(job={"a": 1}, season={"b": 1}, site={"c": 1}, global_={"d": 1})
    assert [next(iter(layers.of(scope))) for scope in (Scope.JOB, Scope.SEASON, Scope.SITE, Scope.GLOBAL)] == list(
        "abcd"
    )
