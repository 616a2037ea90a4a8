"""The values a run works with: those of the registry, with the configuration file's on top."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from s4c_lib.parameters import REGISTRY
from s4c_lib.parameters.model import Value
from s4c_lib.parameters.values import check
from s4c_lib.parcels.l4b_configuration import L4bConfiguration
from s4c_lib.parcels.l4b_configuration_keys import NATIVE, PREFIX, SHIPPED_TIMES

GRASSLAND: Final = f"{PREFIX}.land_cover"
CONFIG_VERSION: Final = f"{PREFIX}.config_version"


def effective_values(
    values: Mapping[str, Value], configuration: L4bConfiguration | None, own: Collection[str] = ()
) -> dict[str, Value]:
    """Return the values of ``processor.s4c_l4b.*`` by key, sorted.

    Parameters
    ----------
    values : of the registry. own : keys set for this very run, which the file does not change.
    """
    given = {} if configuration is None else configuration.settings
    return {
        key: given[key] if key in given and key not in own else value
        for key, value in sorted(values.items())
        if key.startswith(f"{PREFIX}.")
    }


def effective_configuration(
    year: int, values: Mapping[str, Value], configuration: L4bConfiguration | None, own: Collection[str] = ()
) -> L4bConfiguration:
    """Return a configuration that names every value a run works with, so that it can be repeated from it alone."""
    given = configuration or L4bConfiguration(year)
    named = {name for keys in NATIVE.values() for name in keys.values()} - {CONFIG_VERSION}
    taken = effective_values(values, configuration, own)
    return L4bConfiguration(
        given.year,
        given.crop_filter,
        given.every_crop,
        given.additional_columns,
        given.orbits,
        # checked: a default 1 of a share reads back as 1.0
        {key: check(REGISTRY.get(key), value) for key, value in taken.items() if key in named and value is not None},
        {**SHIPPED_TIMES, **given.acquisition_times},
        given.compliance,
    )
