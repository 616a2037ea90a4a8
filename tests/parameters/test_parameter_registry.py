"""The declarations are sound, and a parameter is found by any name a user may know."""

import subprocess
import sys

import pytest

from s4c_lib.errors import ParameterError
from s4c_lib.parameters import REGISTRY, Kind, Parameter, Registry
from s4c_lib.parameters.model import GLOBAL_ONLY, PROCESSORS, Area, Retired, Share, Variant
from s4c_lib.parameters.registry import FORM_LIMIT
from s4c_lib.parameters.values import check

# What the ingest step and the sensors read: these names are a contract between packages.
CONTRACT = {
    "profile": "default",
    "ingest.interval_days": 1,
    "downloader.enabled": True,
    **{f"downloader.{satellite}.enabled": True for satellite in ("s1", "s2", "l8")},
    **{f"{satellite}.enabled": True for satellite in ("s1", "s2", "l8")},
    "downloader.start.offset": 0,
    "downloader.window.days": 10,
    "downloader.s1.settle_days": 5,
    "downloader.s2.settle_days": 5,
    "downloader.l8.settle_days": 16,
    **{f"downloader.{satellite}.max_cloud_coverage": 100 for satellite in ("s1", "s2", "l8")},
    "downloader.timeout": 9000,
    "downloader.query.timeout": 90,
    "downloader.retry_interval_minutes": 60.0,
    "downloader.max_retries": 10,
    **{
        f"downloader.{satellite}.write-dir": f"/var/lib/sen4cap/downloads/{satellite}"
        for satellite in ("s1", "s2", "l8")
    },
    "storage.products_path": "/var/lib/sen4cap/products",
    "storage.min_free_gb": 200.0,
    "storage.soft_free_pct": 10.0,
    "storage.hard_free_pct": 5.0,
    "general.scratch-path": "/var/lib/sen4cap/scratch/{processor}/{job_id}",
    "site.tile_min_overlap_km2": 1.0,
    "processor.l2a.s2.implementation": "esa",
    "processor.l2s1.executor": "none",
    "processor.l2s1.temporal.offset": "auto",
    "processor.l2s1.temporal.filter.interval": 0,
    "processor.l2s1.compute.coherence": True,
    "processor.l2s1.min.s2.intersection": 0.05,
    "processor.l2s1.min.intersection": 0.05,
    "downloader.orbits": (),
    "readiness.max_wait_days": 5,
    "readiness.max_failed_pct": 5.0,
    "readiness.publication_lag_days": 1,
    "readiness.poll_seconds": 60,
    "readiness.first_check_seconds": 10,
    "lease.seconds": 1800,
    "chunk.target_seconds": 60,
    "schedule.grace_months": 1,
    "backfill.policy": "final_only",
    "pools.cpu": 2,
    "pools.memory": 1,
    "pools.db_write": 2,
    "pools.s1": 1,
    "sync.interval_minutes": 10,
    "processor.s4c_mdb1.buffer_10m": 5.0,
    "processor.s4c_mdb1.buffer_20m": 10.0,
    "processor.s4c_l4a.keep_water_for_cwater": False,
    "processor.s4c_l4c.freeze_harvest": False,
}


@pytest.mark.parametrize(("key", "default"), CONTRACT.items(), ids=str)
def test_the_keys_other_packages_read_exist_with_their_defaults(key: str, default: object) -> None:
    parameter = REGISTRY.get(key)
    assert parameter.key == key
    assert parameter.default == default


@pytest.mark.parametrize("parameter", REGISTRY, ids=lambda one: one.key)
def test_every_declaration_is_sound(parameter: Parameter) -> None:
    defaults = [variant.value for variant in parameter.variants]
    if isinstance(parameter.default, Share):
        assert REGISTRY.get(parameter.default.of).kind is Kind.INT
        assert parameter.default.divisor >= 1
    else:
        defaults.append(parameter.default)
    for default in defaults:
        assert check(parameter, default) == default
    assert parameter.description.endswith(".")
    assert "\n" not in parameter.description
    assert (parameter.kind is Kind.CHOICE) <= bool(parameter.choices)
    assert parameter.scopes


def test_iteration_is_sorted_and_each_key_comes_once() -> None:
    keys = [parameter.key for parameter in REGISTRY]
    assert keys == sorted(set(keys))
    assert len(REGISTRY) == len(keys)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("downloader.S2.Query.Days.Back", "downloader.s2.settle_days"),
        ("DOWNLOADER.S1.ENABLED", "downloader.s1.enabled"),
        ("downloader.use.esa.l2a", "processor.l2a.s2.implementation"),
        ("archiver.archive_path", "storage.products_path"),
        (" processor.s4c_l4c.use_prev_prd ", "processor.s4c_l4c.freeze_harvest"),
        ("processor.l2s1.coherence.baseline", "processor.l2s1.temporal.offset"),
        ("dem.name", "dem.source"),
    ],
)
def test_a_name_of_sen4cap_in_any_letter_case_finds_the_parameter(name: str, key: str) -> None:
    assert REGISTRY.get(name).key == key
    assert name in REGISTRY


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("downloader.max_retry", "downloader.max_retries"),
        ("processor.s4c_l4a.num_trees", "processor.s4c_l4a.num-trees"),
        ("num-trees", "processor.s4c_l4a.num-trees"),
        ("readines.poll_seconds", "readiness.poll_seconds"),
        ("downloader.max-cloud-coverage", "max_cloud_coverage"),
    ],
)
def test_an_unknown_key_names_the_nearest_right_one(name: str, meant: str) -> None:
    with pytest.raises(ParameterError, match="There is no parameter") as unknown:
        REGISTRY.get(name)
    assert unknown.value.hint.startswith("did you mean ")
    assert meant in unknown.value.hint


def test_a_key_like_nothing_points_to_the_list() -> None:
    with pytest.raises(ParameterError) as unknown:
        REGISTRY.get("zzz")
    assert unknown.value.hint == "s4c config list shows all parameters"


def test_a_dropped_key_of_sen4cap_says_why_it_has_no_effect() -> None:
    with pytest.raises(ParameterError, match=r"downloader\.S2\.forcestart has no effect here") as dropped:
        REGISTRY.get("downloader.S2.forcestart")
    assert "manual ingest run" in dropped.value.hint


def test_no_parameter_is_also_declared_as_dropped_under_its_own_name() -> None:
    exact = {one.pattern for one in REGISTRY.retired if "*" not in one.pattern}
    assert not {name for one in REGISTRY for name in (one.key, *one.aliases)} & exact


@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_trigger_form_shows_few_parameters_that_a_job_may_set(processor: str) -> None:
    shown = REGISTRY.form_parameters(processor)
    assert len(shown) <= FORM_LIMIT
    assert all("job" in parameter.scopes and parameter.label for parameter in shown)
    assert set(shown) <= set(REGISTRY.for_processor(processor))


def test_an_unknown_processor_is_refused() -> None:
    with pytest.raises(ParameterError, match="There is no processor l4a"):
        REGISTRY.for_processor("l4a")


def _one(key: str, **more: object) -> Parameter:
    return Parameter(key, Kind.INT, 1, "A test.", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ((_one("a"), _one("b", aliases=("A",))), "Two parameters are called"),
        ((_one("a", processors=("nobody",)),), "nobody, which does not exist"),
        ((_one("a", variants=(Variant("missing", "1", 2),)),), "missing, which does not exist"),
        ((_one("a", variants=(Variant("b", "1", 2),)), _one("b", variants=(Variant("a", "1", 2),))), "on itself"),
        (tuple(_one(f"k{n}", form=("ingest",)) for n in range(FORM_LIMIT + 1)), "more than 3"),
    ],
)
def test_contradicting_declarations_are_refused(parameters: tuple[Parameter, ...], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        Registry([Area("A", "", parameters)])


def test_a_pattern_of_dropped_keys_never_hides_a_declared_one() -> None:
    registry = Registry([Area("A", "", (_one("old.kept", scopes=GLOBAL_ONLY),))], [Retired("old.*", "gone")])
    assert registry.get("old.kept").key == "old.kept"
    with pytest.raises(ParameterError) as dropped:
        registry.get("old.other")
    assert dropped.value.hint == "gone"


def test_importing_the_registry_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import s4c_lib.parameters; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - sys.stdlib_module_names - {'s4c_lib'}))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
