"""What holds for a whole season or site."""

from s4c_lib.parameters.model import SEASONAL, SITE_WIDE, Area, Kind, Parameter, Scope
from s4c_lib.processors import L4_PROCESSORS

AREA = Area(
    "Profile and site",
    "The profile sets the defaults of other parameters and nothing else: both profiles run the same code. "
    "A value that is set always wins over a profile.",
    (
        Parameter(
            "profile",
            Kind.CHOICE,
            "default",
            "Which set of defaults applies: `reference` reproduces Sen4CAP's numbers, for comparison and migration, "
            "`default` has the corrections. An L4 job may override it to compare both.",
            choices=("default", "reference"),
            scopes=(Scope.SEASON, Scope.JOB),
            processors=("l2a", "l2s1", "l3b", "s4c_mdb1", *L4_PROCESSORS),
            hashed=False,
        ),
        *(
            Parameter(
                f"{satellite}.enabled",
                Kind.BOOL,
                True,
                f"Use {name} at all for a site: search, download, processing and readiness.",
                scopes=SEASONAL,
                processors=("ingest",),
            )
            for satellite, name in (("s1", "Sentinel-1"), ("s2", "Sentinel-2"), ("l8", "Landsat-8 and -9"))
        ),
        Parameter(
            "site.tile_min_overlap_km2",
            Kind.FLOAT,
            1.0,
            "A tile belongs to a site when they share at least this area; it keeps out tiles that only touch a border.",
            unit="km2",
            minimum=0,
            maximum=10_000,
            scopes=SITE_WIDE,
        ),
    ),
)
