"""A table ``config`` of Sen4CAP is translated, and nothing of it is lost without a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.parameters import REGISTRY
from s4c_lib.parameters.sen4cap import import_sen4cap


def _value(key: str, value: str, site: int | None = None) -> dict[str, object]:
    return dict(import_sen4cap([(key, site, value)]).values(site))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("processor.s4c_l4a.num-trees", "500", {"processor.s4c_l4a.num-trees": 500}),
        ("downloader.S2.query.days.back", "15", {"downloader.s2.settle_days": 15}),
        (
            "downloader.max-cloud-coverage",
            "80",
            {f"downloader.{name}.max_cloud_coverage": 80 for name in ("s1", "s2", "l8")},
        ),
        ("downloader.use.esa.l2a", "true", {"processor.l2a.s2.implementation": "esa"}),
        ("archiver.archive_path", "/mnt/archive/{site}/{processor}/", {"storage.products_path": "/mnt/archive"}),
        (
            "general.scratch-path",
            "/mnt/archive/orchestrator_temp/{job_id}/{task_id}-{module}",
            {"general.scratch-path": "/mnt/archive/orchestrator_temp/{job_id}"},
        ),
        ("processor.l2a.optical.retry-interval", "1 day", {"processor.l2a.optical.retry-interval": 24.0}),
        ("processor.l2a.optical.retry-interval", "06:30:00", {"processor.l2a.optical.retry-interval": 6.5}),
        ("processor.l2s1.polarisations", "VV;VH", {"processor.l2s1.polarisations": ("VV", "VH")}),
        ("processor.l2s1.temporal.offset", "6", {"processor.l2s1.temporal.offset": "6"}),
        ("processor.l3b.filter.produce_lai", "0", {"processor.l3b.filter.produce_lai": False}),
        ("processor.s4c_l4b.input_product_types", "S2", {"processor.s4c_l4b.input_product_types": "S2"}),
        ("processor.s4c_l4c.practices", "CC,NFC,NA", {"processor.s4c_l4c.practices": ("CC", "NFC", "NA")}),
        ("processor.s4c_l4c.country", "cze", {"processor.s4c_l4c.country": "CZE"}),
        ("dem.name", "SRTM 3Sec", {"dem.source": "srtm_3s"}),
        ("mail.to", "a@b.eu;c@d.eu", {"notify.recipients": ("a@b.eu", "c@d.eu")}),
    ],
)
def test_values_are_translated(key: str, value: str, expected: dict[str, object]) -> None:
    assert _value(key, value) == expected


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("downloader.S2.forcestart", "true", "manual ingest run"),
        ("executor.processor.s4c_l4a.slurm_qos", "qoss4cl4a", "pools"),
        ("archiver.max_age.l2a", "5", "never applied"),
        ("downloader.s2.query.days.back", "0", "late publications"),
        ("downloader.use.esa.l2a", "false", "processor.l2a.s2.implementation"),
        ("processor.s4c_l4c.use_prev_prd", "1", "freeze_harvest"),
        ("processor.s4c_l4c.country", "CNTRY", "placeholder"),
        ("processor.s4c_l4b.input_amp", "N/A", "inputs of a job"),
        ("processor.l3b.lai.modelsfolder", "", "networks are fixed"),
        ("dem.name", "", "no value"),
        ("processor.l3a.weight.aot.max", "0.8", "not part of Sen4CAP"),
    ],
)
def test_what_has_no_effect_is_ignored_with_the_reason(key: str, value: str, reason: str) -> None:
    report = import_sen4cap([(key, None, value)])
    assert not report.accepted
    assert not report.refused
    assert reason in report.ignored[0].reason


@pytest.mark.parametrize(
    ("key", "site", "value", "reason"),
    [
        ("processor.s4c_l4a.num-trees", None, "0", "must be 1 to 5,000"),
        ("processor.s4c_l4a.num-tree", None, "300", "did you mean processor.s4c_l4a.num-trees"),
        ("downloader.s2.write-dir", 3, "/data", "cannot be set for a site"),
        ("processor.l2a.optical.retry-interval", None, "1 month", "must be a number"),
        ("processor.l2a.s2.implementation", None, "atcor", "must be one of esa"),
    ],
)
def test_what_someone_must_look_at_is_refused(key: str, site: int | None, value: str, reason: str) -> None:
    report = import_sen4cap([(key, site, value)])
    assert not report.accepted
    assert not report.ignored
    assert reason in report.refused[0].reason


def test_values_of_sites_and_of_all_sites_are_kept_apart() -> None:
    report = import_sen4cap([("downloader.s2.enabled", None, "true"), ("downloader.s2.enabled", 4, "false")])
    assert report.values() == {"downloader.s2.enabled": True}
    assert report.values(4) == {"downloader.s2.enabled": False}


@pytest.mark.parametrize("reverse", [False, True])
def test_ready_made_l2a_wins_over_the_processor_in_any_order_of_rows(reverse: bool) -> None:
    rows = [("downloader.use.esa.l2a", None, "true"), ("processor.l2a.s2.implementation", None, "maja")]
    report = import_sen4cap(list(reversed(rows)) if reverse else rows)
    assert report.values() == {"processor.l2a.s2.implementation": "esa"}
    assert report.ignored[0].reason == "downloader.use.esa.l2a sets processor.l2a.s2.implementation as well and wins"


_names = st.sampled_from(
    [name for one in REGISTRY for name in (one.key, *one.aliases)] + [one.pattern for one in REGISTRY.retired]
)


@given(
    st.lists(
        st.tuples(_names, st.none() | st.integers(1, 3), st.text(max_size=20) | st.sampled_from(["1", "true"])),
        max_size=20,
    )
)
def test_every_row_ends_in_the_report(rows: list[tuple[str, int | None, str]]) -> None:
    report = import_sen4cap(rows)
    reported = {(one.sen4cap_key, one.site) for one in (*report.accepted, *report.ignored, *report.refused)}
    assert {(name, site) for name, site, _ in rows} == reported
