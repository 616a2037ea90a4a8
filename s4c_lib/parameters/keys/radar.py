"""Sentinel-1 pre-processing: backscatter and coherence."""

from s4c_lib.parameters.model import (
    SEASONAL,
    SITE_WIDE,
    Area,
    Kind,
    Parameter,
    Scope,
    Variant,
    reference,
)

L2S1 = ("l2s1",)
PREFIX = "processor.l2s1"


def _switch(
    name: str, default: bool, description: str, *, hashed: bool = True, variants: tuple[Variant, ...] = ()
) -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}",
        Kind.BOOL,
        default,
        description,
        scopes=SEASONAL,
        processors=L2S1,
        hashed=hashed,
        advanced=True,
        variants=variants,
    )


def _amount(
    name: str, default: int, description: str, *, unit: str = "", minimum: float = 0, maximum: float = 1_000_000
) -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}",
        Kind.INT,
        default,
        description,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        scopes=SITE_WIDE,
        processors=L2S1,
        hashed=False,
        advanced=True,
    )


_WHAT = (
    Parameter(
        f"{PREFIX}.enabled",
        Kind.BOOL,
        True,
        "Pre-process Sentinel-1 for a site.",
        scopes=SEASONAL,
        processors=("ingest", "l2s1"),
        hashed=False,
    ),
    Parameter(
        f"{PREFIX}.executor",
        Kind.CHOICE,
        "none",
        "What turns raw Sentinel-1 products into backscatter and coherence: ESA's SNAP (both), `native-grd` "
        "(backscatter of GRD, without another program), or nothing. With `none`, raw SLC and GRD products are recorded "
        "as ignored and only products that are ready for analysis are used.",
        choices=("none", "snap", "native-grd"),
        scopes=SITE_WIDE,
        processors=("ingest", "l2s1"),
    ),
    Parameter(
        f"{PREFIX}.compute.amplitude",
        Kind.BOOL,
        True,
        "Make backscatter of every acquisition.",
        scopes=SEASONAL,
        processors=("ingest", "l2s1"),
    ),
    Parameter(
        f"{PREFIX}.compute.coherence",
        Kind.BOOL,
        True,
        "Make coherence of pairs of acquisitions. It needs SLC products; without it the smaller GRD suffice.",
        scopes=SEASONAL,
        processors=("ingest", "l2s1"),
    ),
    Parameter(
        f"{PREFIX}.polarisations",
        Kind.STR_LIST,
        ("VV", "VH"),
        "Polarisations processed.",
        choices=("VV", "VH"),
        scopes=SEASONAL,
        processors=L2S1,
    ),
    Parameter(
        f"{PREFIX}.backscatter_input",
        Kind.CHOICE,
        "auto",
        "Make backscatter from SLC or GRD; `auto` takes SLC where coherence is made, else GRD.",
        choices=("auto", "slc", "grd"),
        scopes=SEASONAL,
        processors=("ingest", "l2s1"),
        advanced=True,
    ),
)

_PAIRS = (
    Parameter(
        f"{PREFIX}.temporal.offset",
        Kind.CHOICE,
        "auto",
        "Days between the two acquisitions of a coherence pair: 6 with two satellites on an orbit, 12 with one; "
        "`auto` decides by orbit and date.",
        unit="d",
        choices=("auto", "6", "12"),
        scopes=SEASONAL,
        processors=("ingest", "l2s1"),
        aliases=(f"{PREFIX}.coherence.baseline",),
    ),
    Parameter(
        f"{PREFIX}.temporal.filter.interval",
        Kind.INT,
        0,
        "Days of acquisitions before the season that a temporal filter needs; 0 means no filter.",
        unit="d",
        minimum=0,
        maximum=366,
        scopes=SEASONAL,
        processors=("ingest", "l2s1"),
        advanced=True,
    ),
    Parameter(
        f"{PREFIX}.acquisition.delay",
        Kind.INT,
        2,
        "Days an acquisition waits so that its orbit file exists.",
        unit="d",
        minimum=0,
        maximum=60,
        scopes=SEASONAL,
        processors=("ingest", "l2s1"),
        hashed=False,
        advanced=True,
    ),
    Parameter(
        f"{PREFIX}.min.intersection",
        Kind.FLOAT,
        0.05,
        "Two acquisitions make a pair when they share at least this share of the newer one.",
        minimum=0,
        maximum=1,
        scopes=SEASONAL,
        processors=("ingest", "l2s1"),
        advanced=True,
    ),
    Parameter(
        f"{PREFIX}.min.s2.intersection",
        Kind.FLOAT,
        0.05,
        "A product is made for a tile when the acquisition covers at least this share of it.",
        minimum=0,
        maximum=1,
        scopes=SEASONAL,
        processors=("ingest", "l2s1"),
        advanced=True,
    ),
    _switch("process.newest", False, "Process the newest acquisition first instead of the oldest.", hashed=False),
)

_HOW = (
    Parameter(
        f"{PREFIX}.pixel.spacing",
        Kind.INT,
        20,
        "Size of a pixel.",
        unit="m",
        choices=(10, 15, 20, 30),
        scopes=SEASONAL,
        processors=L2S1,
    ),
    Parameter(
        f"{PREFIX}.projection",
        Kind.CHOICE,
        "tile_utm",
        "Grid of the products: that of the Sentinel-2 tile, or whole scenes in EPSG:3035 as Sen4CAP wrote them.",
        choices=("tile_utm", "EPSG:3035"),
        scopes=SEASONAL,
        processors=L2S1,
        advanced=True,
    ),
    Parameter(
        f"{PREFIX}.quantity",
        Kind.CHOICE,
        "sigma0",
        "What a backscatter raster holds, linear: sigma0, gamma0, or amplitude (the root of sigma0). Statistics "
        "always store decibels of the power.",
        choices=("sigma0", "gamma0", "amplitude"),
        scopes=SEASONAL,
        processors=L2S1,
        advanced=True,
        variants=(reference("amplitude"),),
    ),
    _switch("remove_noise", True, "Subtract thermal noise.", variants=(reference(False),)),
    _switch(
        "remove_geometric_phase",
        True,
        "Remove the phase of orbit geometry and relief before estimating coherence; without it coherence drops "
        "with the distance of the two orbits.",
        variants=(reference(False),),
    ),
    Parameter(
        f"{PREFIX}.rtc",
        Kind.CHOICE,
        "off",
        "Flatten backscatter by the illuminated area; `auto` does it in tiles with relief.",
        choices=("off", "auto", "on"),
        scopes=SEASONAL,
        processors=L2S1,
        advanced=True,
    ),
    Parameter(
        f"{PREFIX}.speckle_filter",
        Kind.CHOICE,
        "off",
        "Speckle filter of backscatter. Parcel means do not need one.",
        choices=("off", "lee", "gamma_map", "frost", "kuan"),
        scopes=SEASONAL,
        processors=L2S1,
        advanced=True,
    ),
    Parameter(
        f"{PREFIX}.orbit_path",
        Kind.PATH,
        None,
        "Folder with precise and restituted orbit files (S1A_OPER_AUX_POEORB_OPOD_....EOF); it is only read. Empty, or "
        "without a file for a scene, the state vectors of the product's annotation are used, with a warning.",
        optional=True,
        scopes=(Scope.GLOBAL, Scope.SITE),
        processors=L2S1,
        hashed=False,
    ),
    _switch("require_orbit", False, "Refuse a scene without an orbit file (aux_missing) until there is one."),
)

_RUNNING = (
    _switch("keep.intermediate", False, "Keep the files between the steps, for debugging.", hashed=False),
    _amount("min.memory", 4096, "Free memory a step needs before it starts.", unit="MB"),
    _amount("min.disk", 40_960, "Free disk space a pair needs before it starts.", unit="MB", maximum=100_000_000),
    _amount("step.timeout", 60, "Longest run of one step.", unit="min", minimum=1, maximum=10_000),
    _amount("gpt.tile.cache.size", 256, "Tile cache of SNAP; only for the SNAP executor.", unit="MB", minimum=16),
    _amount("gpt.parallelism", 8, "Threads of SNAP; only for the SNAP executor.", minimum=1, maximum=1024),
    _switch("join.amplitude.steps", False, "Run the backscatter steps as one graph; SNAP only.", hashed=False),
    _switch("join.coherence.steps", False, "Run the coherence steps as one graph; SNAP only.", hashed=False),
)

AREA = Area(
    "Sentinel-1 pre-processing",
    "Raw Sentinel-1 products become backscatter of every acquisition and coherence of pairs on one relative orbit.",
    (*_WHAT, *_PAIRS, *_HOW, *_RUNNING),
)
