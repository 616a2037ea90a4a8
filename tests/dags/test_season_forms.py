"""Forms and assets of the season DAGs."""

from __future__ import annotations

import copy

import pytest

from tests.dags.conftest import entries


def test_a_run_is_forced_among_the_settings_and_no_field_of_the_processor_makes_room_for_it() -> None:
    from airflow.sdk import ParamsDict
    from airflow.sdk.exceptions import ParamValidationError

    from s4c_airflow.forms import form
    from s4c_lib.parameters import REGISTRY
    from s4c_lib.run_requests import AMONG_SETTINGS

    for processor in ("s4c_l4a", "s4c_l4b", "s4c_l4c"):
        fields = copy.deepcopy(form(processor))
        assert {parameter.key for parameter in REGISTRY.form_parameters(processor)} < set(fields)
        assert '{"force": true}' in fields["settings"].description
        fields["settings"].value = {"force": True, "without_waiting": True, "tiles": ["31UFS"], "products": [12]}
        assert set(fields["settings"].value) == set(AMONG_SETTINGS)
        ParamsDict(fields).validate()
        for wrong in ({"force": "perhaps"}, {"products": ["S2A"]}, {"tiles": "31UFS"}):
            fields["settings"].value = wrong
            with pytest.raises(ParamValidationError):
                ParamsDict(fields).validate()
    assert "force" not in form("ingest")["settings"].schema["properties"]


def test_assets_are_named_by_site_season_and_product_type() -> None:
    from s4c_airflow.assets import INGESTED, product_asset, result_asset

    assert product_asset("alpha_1", "2025", "l3b").uri == "s4c://alpha_1/2025/l3b"
    assert len({product_asset("alpha", "2025", name).uri for name in INGESTED}) == 5
    made = {result_asset(entry.site, entry.season, entry.processor).uri for entry in entries("alpha")[1:]}
    assert made == {f"s4c://alpha/2025/s4c_{level}" for level in ("l4a", "l4b", "l4c")}
