"""The declarations, one module an area, and the registry made of them."""

from s4c_lib.parameters.keys import (
    crop_type,
    declarations,
    download,
    general,
    mowing,
    optical,
    practices,
    radar,
    retention,
    scheduling,
    statistics,
    storage,
    vegetation,
)
from s4c_lib.parameters.keys.retired import RELATIONS, RETIRED
from s4c_lib.parameters.registry import Registry

REGISTRY = Registry(
    (
        general.AREA,
        download.AREA,
        storage.AREA,
        scheduling.AREA,
        optical.AREA,
        radar.AREA,
        vegetation.AREA,
        statistics.AREA,
        declarations.AREA,
        crop_type.AREA,
        mowing.AREA,
        practices.AREA,
        retention.KEEPING,
        retention.NOTICES,
    ),
    RETIRED,
    RELATIONS,
)
