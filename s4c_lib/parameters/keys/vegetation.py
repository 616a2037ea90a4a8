"""L3B: indices and biophysical variables."""

from s4c_lib.parameters.model import SEASONAL, Area, Kind, Parameter, reference

L3B = ("l3b",)
PREFIX = "processor.l3b"

_OUTPUTS = (
    ("ndvi", True, "NDVI"),
    ("lai", True, "leaf area index"),
    ("fapar", True, "absorbed share of the light that plants use (FAPAR)"),
    ("fcover", True, "share of the ground covered by green (FCOVER)"),
    ("ndwi", False, "water index (NIR - SWIR)/(NIR + SWIR)"),
    ("brightness", False, "brightness"),
    ("in_domain_flags", False, "flags of inputs outside the networks' training domain"),
)

AREA = Area(
    "Vegetation status (L3B)",
    "One product for each L2A tile and date.",
    (
        *(
            Parameter(
                f"{PREFIX}.filter.produce_{name}",
                Kind.BOOL,
                default,
                f"Make {what}.",
                scopes=SEASONAL,
                processors=L3B,
            )
            for name, default, what in _OUTPUTS
        ),
        Parameter(
            f"{PREFIX}.model_set",
            Kind.CHOICE,
            "s4c",
            "Networks for LAI, FAPAR and FCOVER: Sen4CAP's own, or those of SNAP for 20 m or 10 m. Values of "
            "different sets are not comparable.",
            choices=("s4c", "sl2p_v3_20m", "sl2p_v3_10m"),
            scopes=SEASONAL,
            processors=L3B,
        ),
        Parameter(
            f"{PREFIX}.resolution",
            Kind.INT,
            10,
            "Size of a pixel.",
            unit="m",
            choices=(10, 20),
            scopes=SEASONAL,
            processors=L3B,
        ),
        Parameter(
            f"{PREFIX}.lai.tiles_filter",
            Kind.STR_LIST,
            (),
            "Tiles for which L3B is made; empty means all tiles of the site.",
            pattern=r"[0-9]{2}[A-Z]{3}|[0-9]{6}",
            pattern_words="tiles as 31UFS, without T, or Landsat path and row as 198024",
            processors=L3B,
            hashed=False,
        ),
        Parameter(
            f"{PREFIX}.keep_negative_ndvi",
            Kind.BOOL,
            True,
            "Keep negative NDVI (water, snow, wet soil); Sen4CAP makes it no data.",
            scopes=SEASONAL,
            processors=L3B,
            advanced=True,
            variants=(reference(False),),
        ),
        Parameter(
            f"{PREFIX}.rounding",
            Kind.CHOICE,
            "nearest",
            "How values become integers: to the nearest, or cut off as Sen4CAP does.",
            choices=("nearest", "truncate"),
            scopes=SEASONAL,
            processors=L3B,
            advanced=True,
            variants=(reference("truncate"),),
        ),
        Parameter(
            f"{PREFIX}.clip_to_range",
            Kind.BOOL,
            True,
            "Clip every LAI, FAPAR and FCOVER to its valid range; Sen4CAP clips only what is beyond the tolerance.",
            scopes=SEASONAL,
            processors=L3B,
            advanced=True,
            variants=(reference(False),),
        ),
    ),
)
