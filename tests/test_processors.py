"""What the L4 processors read, and that ingest makes it."""

from __future__ import annotations

import pytest

from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.vocabulary import PROCESSORS as NUMBERS
from s4c_lib.catalog.vocabulary import PRODUCT_TYPES as TYPE_NUMBERS
from s4c_lib.parameters import Layers, resolve
from s4c_lib.processors import PROCESSORS, Variables, variables_read
from s4c_lib.scheduling.dates import Phase
from s4c_lib.statistics.wanted import PRODUCT_TYPES, wanted_variables

MODE = "processor.s4c_l4a.mode"
INPUTS = "processor.s4c_l4b.input_product_types"
CHOICES = [
    ("s4c_l4a", {MODE: "both"}),
    ("s4c_l4a", {MODE: "s2-only"}),
    ("s4c_l4a", {MODE: "s1-only"}),
    ("s4c_l4b", {INPUTS: "S1_S2"}),
    ("s4c_l4b", {INPUTS: "S1"}),
    ("s4c_l4b", {INPUTS: "S2"}),
    ("s4c_l4c", {}),
]


@pytest.mark.parametrize("profile", ["default", "reference"])
@pytest.mark.parametrize(("processor", "values"), CHOICES)
def test_ingest_makes_every_variable_that_a_run_waits_for(processor: str, values: dict[str, str], profile: str) -> None:
    settings = resolve(Layers(season={**values, "profile": profile}), phase=Phase.CURRENT)
    made = {
        item.variable
        for product_type in PRODUCT_TYPES
        for item in wanted_variables(settings.values, [processor], product_type, "sentinel-2a")
    }
    assert set(variables_read(processor, settings).all) <= made


def test_each_mode_reads_its_sensors_only() -> None:
    def read(processor: str, **values: str) -> Variables:
        return variables_read(processor, resolve(Layers(season=values), phase=Phase.CURRENT))

    assert read("s4c_l4a", **{MODE: "s2-only"}).radar == ()
    assert read("s4c_l4a", **{MODE: "s1-only"}).optical == ()
    assert set(read("s4c_l4a").optical) - set(read("s4c_l4a", **{MODE: "s2-only"}).optical) == {
        "b05", "b06", "b07", "b12",
    }  # fmt: skip
    assert read("s4c_l4b").all == ("ndvi", "coherence_vh", "coherence_vv")
    assert read("s4c_l4c") == Variables(("ndvi",), ("vv", "vh", "coherence_vv"))


def test_processors_share_neither_numbers_nor_names_and_need_only_what_they_read() -> None:
    assert {processor for processor, _ in CHOICES} == set(PROCESSORS)
    assert len(set(NUMBERS.values())) == len(NUMBERS)
    assert len(set(TYPE_NUMBERS.values())) == len(TYPE_NUMBERS)
    for names in zip(*((item.product_type, item.level, item.dag_name) for item in PROCESSORS.values()), strict=True):
        assert len(set(names)) == len(PROCESSORS), names
    for item in PROCESSORS.values():
        assert set(item.needed_uploads) <= set(item.uploads) <= {str(kind) for kind in Kind}, item.name
