"""Which statistics a season wants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from statistics_cases import statistics

from s4c_lib.errors import InputError
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.statistics.observation_table import unit_of
from s4c_lib.statistics.wanted import PRODUCT_TYPES, StatisticsOptions, WantedVariable, wanted_variables


def parameters(**given: Any) -> dict[str, Any]:
    keys = {f"processor.{name.replace('__', '.')}": value for name, value in given.items() if name != "profile"}
    own = {"profile": given["profile"]} if "profile" in given else {}
    return resolve(Layers(season={**keys, **own}), phase="current").values


def wanted(
    product_type: str, *processors: str, platform: str = "sentinel-2a", **given: Any
) -> list[tuple[str, int, float]]:
    found = wanted_variables(parameters(**given), processors, product_type, platform)
    return [(one.variable, one.pixel, one.buffer_m) for one in found]


def test_by_default_vegetation_and_radar_but_no_bands() -> None:
    assert wanted("l3b") == [(name, 10, 5.0) for name in ("ndvi", "lai", "fapar", "fcover")]
    assert wanted("l2a") == []
    assert wanted("s1_l2a_amp", platform="sentinel-1a") == [("vv", 20, 10.0), ("vh", 20, 10.0)]
    found = wanted_variables(parameters(), (), "s1_l2a_cohe", "sentinel-1a")
    assert found[0] == WantedVariable("coherence_vv", "s1coh", 20, 10.0)
    assert wanted("s4c_l4a") == []


def test_l4a_wants_bands_on_two_grids() -> None:
    """Decision B14."""
    both = wanted("l2a", "s4c_l4a", "s4c_l4c")
    fine = ("b03", "b04", "b08", "b11", "ndwi", "brightness_l4a")
    assert sorted(both) == sorted(
        [(name, 10, 5.0) for name in fine] + [(name, 20, 10.0) for name in ("b05", "b06", "b07", "b12")]
    )
    assert wanted("l2a", "s4c_l4b", "s4c_l4c") == []


def test_landsat_is_counted_on_its_own_grid_and_has_no_bands() -> None:
    assert wanted("l3b", platform="landsat-9")[0] == ("ndvi", 30, 15.0)
    assert wanted("l2a", "s4c_l4a", platform="landsat-9") == []
    assert wanted("l3b", platform="landsat-8", s4c_mdb1__buffer_20m=0.0)[0] == ("ndvi", 30, 0.0)


def test_switches_choose_variables() -> None:
    found = wanted("l3b", s4c_mdb1__lai_enabled=False, l3b__filter__produce_fapar=False, l3b__resolution=20)
    assert found == [("ndvi", 20, 10.0), ("fcover", 20, 10.0)]
    assert wanted("l2a", s4c_mdb1__l2ab8a_enabled=True, s4c_mdb1__l2ab11_enabled=True) == [
        ("b8a", 20, 10.0),
        ("b11", 10, 5.0),
    ]
    assert wanted("s1_l2a_amp", s4c_mdb1__amp_enabled=False) == []


def test_networks_made_for_one_pixel_decide_on_the_grid() -> None:
    """Decision B10: 10 m off on grids of 20 m."""
    assert wanted("l3b", l3b__model_set="sl2p_v3_20m")[0] == ("ndvi", 20, 10.0)
    assert wanted("l3b", l3b__model_set="sl2p_v3_10m", l3b__resolution=20)[0] == ("ndvi", 10, 5.0)
    assert wanted("l3b", platform="landsat-8", l3b__model_set="sl2p_v3_20m")[0] == ("ndvi", 30, 15.0)


def test_ndwi_is_there_once() -> None:
    """Of L3B when the user makes it, unless L4A has it per pixel from the bands."""
    made = {"l3b__filter__produce_ndwi": True, "l3b__filter__produce_brightness": True}
    assert [name for name, *_ in wanted("l3b", **made)][4:] == ["ndwi", "brightness"]
    assert [name for name, *_ in wanted("l3b", "s4c_l4a", **made)][4:] == ["brightness"]


@pytest.mark.parametrize(("profile", "expected"), [("default", (False, 1, 0.0)), ("reference", (True, 2, 0.1))])
def test_profiles_change_the_rules_of_rows(profile: str, expected: tuple[bool, int, float]) -> None:
    options = StatisticsOptions.of(parameters(profile=profile))
    assert (options.zero_is_no_data, options.min_pixels, options.min_valid_share) == expected


def test_what_is_kept_of_statistics() -> None:
    options = StatisticsOptions.of(parameters(profile="reference", s4c_mdb1__median_enabled=True))
    assert options.quartiles == ("p50",)
    quartile = np.ones(2, np.float32)
    found = options.kept(statistics([1, 2], [0.5, 0.6], n=[1, 9], p25=quartile, p50=quartile, p75=quartile))
    assert found.parcel_id.tolist() == [2]
    assert (found.p25, np.isnan(found.least).all()) == (None, True)


def test_every_wanted_variable_has_a_unit() -> None:
    everything = parameters(**{f"s4c_mdb1__l2ab{band}_enabled": True for band in ("02", "8a")})
    for product_type in PRODUCT_TYPES:
        for one in wanted_variables(everything, ("s4c_l4a",), product_type, "sentinel-2a"):
            assert unit_of(one.variable) == {"lai": "m2/m2", "vv": "dB", "vh": "dB"}.get(one.variable, "1")
    with pytest.raises(InputError, match="b10"):
        unit_of("b10")
