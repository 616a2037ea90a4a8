"""Parcel statistics: which variables are extracted, from which pixels, and which rows are written."""

from s4c_lib.parameters.model import SEASONAL, Area, Kind, Parameter, reference

MDB1 = ("s4c_mdb1",)
PREFIX = "processor.s4c_mdb1"

_VARIABLES = (
    ("ndvi", "NDVI"),
    ("lai", "LAI"),
    ("fapar", "FAPAR"),
    ("fcover", "FCOVER"),
    ("amp", "backscatter (VV and VH)"),
    ("cohe", "coherence (VV and VH)"),
)
_BANDS = ("02", "03", "04", "05", "06", "07", "08", "8a", "11", "12")
_STATISTICS = (
    ("minmax", "minimum and maximum"),
    ("median", "the median (column p50)"),
    ("p25", "the 25th percentile"),
    ("p75", "the 75th percentile"),
)


def _buffer(grid: int, default: float) -> Parameter:
    return Parameter(
        f"{PREFIX}.buffer_{grid}m",
        Kind.FLOAT,
        default,
        f"Parcels are shrunk by this much before pixels of {grid} m are counted, so that mixed border pixels stay "
        "out. 0 compares mowing results with Sen4CAP, which does not shrink there.",
        unit="m",
        minimum=0,
        maximum=100,
        scopes=SEASONAL,
        processors=MDB1,
    )


AREA = Area(
    "Parcel statistics",
    "Mean and standard deviation are always made, with the number of valid pixels. L4A adds the bands it needs.",
    (
        *(
            Parameter(
                f"{PREFIX}.{name}_enabled",
                Kind.BOOL,
                True,
                f"Extract {what}.",
                scopes=SEASONAL,
                processors=MDB1,
                hashed=False,  # each variable is a file of its own
            )
            for name, what in _VARIABLES
        ),
        *(
            Parameter(
                f"{PREFIX}.l2ab{band}_enabled",
                Kind.BOOL,
                False,
                f"Extract reflectance of band B{band.upper()}.",
                scopes=SEASONAL,
                processors=MDB1,
                hashed=False,
            )
            for band in _BANDS
        ),
        *(
            Parameter(
                f"{PREFIX}.{name}_enabled",
                Kind.BOOL,
                False,
                f"Also make {what}.",
                scopes=SEASONAL,
                processors=MDB1,
            )
            for name, what in _STATISTICS
        ),
        _buffer(10, 5.0),
        _buffer(20, 10.0),
        Parameter(
            f"{PREFIX}.zero_is_nodata",
            Kind.CHOICE,
            "s1",
            "Where a value of exactly 0 means no data: in Sentinel-1 rasters only, or everywhere as in Sen4CAP.",
            choices=("s1", "all"),
            scopes=SEASONAL,
            processors=MDB1,
            advanced=True,
            variants=(reference("all"),),
        ),
        Parameter(
            f"{PREFIX}.min_pixels",
            Kind.INT,
            1,
            "A row is written for a parcel with at least this many valid pixels.",
            unit="px",
            minimum=1,
            maximum=1000,
            scopes=SEASONAL,
            processors=MDB1,
            advanced=True,
            variants=(reference(2),),
        ),
        Parameter(
            f"{PREFIX}.min_valid_share",
            Kind.FLOAT,
            0.0,
            "A row is written when more than this share of the pixels that no mask hides have a value.",
            minimum=0,
            maximum=1,
            scopes=SEASONAL,
            processors=MDB1,
            advanced=True,
            variants=(reference(0.1),),
        ),
    ),
)
