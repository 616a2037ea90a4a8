"""L4B: grassland mowing."""

from s4c_lib.parameters.model import Area, Kind, Parameter, Variant, reference

L4B = ("s4c_l4b",)
PREFIX = "processor.s4c_l4b"


def _number(
    name: str,
    default: float,
    description: str,
    *,
    unit: str = "",
    minimum: float = 0,
    maximum: float = 1,
    exclusive: bool = False,
    variants: tuple[Variant, ...] = (),
) -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}",
        Kind.FLOAT,
        default,
        description,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        exclusive=exclusive,
        processors=L4B,
        advanced=True,
        variants=variants,
    )


def _count(
    name: str,
    default: int,
    description: str,
    *,
    unit: str = "",
    minimum: float = 0,
    maximum: float = 366,
    variants: tuple[Variant, ...] = (),
) -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}",
        Kind.INT,
        default,
        description,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        processors=L4B,
        advanced=True,
        variants=variants,
    )


def _date(name: str, description: str) -> Parameter:
    return Parameter(f"{PREFIX}.{name}", Kind.DATE, None, description, optional=True, processors=L4B, form=L4B)


_PERIOD = (
    _date(
        "start_date", "First day on which mowing is looked for; empty means the start of the season plus the offset."
    ),
    _date("end_date", "Last day on which mowing is looked for; empty means the as-of date of the run."),
    Parameter(
        f"{PREFIX}.input_product_types",
        Kind.CHOICE,
        "S1_S2",
        "Which satellites mowing is detected with.",
        choices=("S1_S2", "S1", "S2"),
        processors=L4B,
        form=L4B,
    ),
    _count("s1_s2_startdate_diff", 0, "Days after the start date from which Sentinel-1 is used.", unit="d"),
    _count("start_season_offset", 0, "Days after the start of the season from which mowing is looked for.", unit="d"),
)

_OBSERVATIONS = (
    _number(
        "min_valid_share",
        0.5,
        "An observation counts when at least this share of the parcel's pixels is valid.",
        variants=(reference(0.0),),
    ),
    _count("min_pixels_s2", 3, "Parcels with fewer Sentinel-2 pixels have no optical detection.", unit="px", minimum=1),
    _count("min_pixels_s1", 1, "Parcels with fewer Sentinel-1 pixels have no radar detection.", unit="px", minimum=1),
)

_S2 = (
    _number("s2.corrupted_th", 0.1, "Lower NDVI is taken for a corrupt observation."),
    _number("s2.decreasing_abs_th", 0.12, "NDVI must fall by more than this."),
    _number(
        "s2.decreasing_rate_th",
        -1e-6,
        "NDVI must change faster downwards than this.",
        unit="1/d",
        minimum=-1,
        maximum=0,
    ),
    _number("s2.increasing_rate_th", 0.05, "A faster recovery afterwards means a cloud or its shadow.", unit="1/d"),
    _number("s2.high_abs_th", 0.75, "NDVI after mowing must be below this; 1 switches the test off."),
    _number("s2.low_abs_th", 0.5, "NDVI before mowing must be above this."),
    _count("s2.no_mowing_after_det", 30, "Longest interval reported for a drop.", unit="d", minimum=1),
    _count("s2.non_overlap_interval_days", 45, "Least distance between two optical events.", unit="d"),
)

_S1 = (
    Parameter(
        f"{PREFIX}.s1.pol_types",
        Kind.STR_LIST,
        ("VH",),
        "Polarisations whose coherence is used; VV only raises the confidence of what VH shows.",
        choices=("VV", "VH"),
        processors=L4B,
        advanced=True,
    ),
    _number("s1.pfa", 3.0e-8, "Accepted probability of a false alarm.", maximum=0.5, exclusive=True),
    _count("s1.stat_smpl_n", 5, "Earlier pairs that predict the coherence of the next.", minimum=3, maximum=50),
    _number("s1.min_cohe_var", 0.024, "Least variance of coherence, of one pixel."),
    Parameter(
        f"{PREFIX}.s1.saturate_sigma",
        Kind.BOOL,
        True,
        "Never take the spread of a series for smaller than pixel noise allows.",
        processors=L4B,
        advanced=True,
    ),
    _count(
        "s1.time_interval_days",
        6,
        "Days between passes, where they cannot be taken from the data.",
        unit="d",
        minimum=1,
    ),
    _count("s1.non_overlap_interval_days", 28, "Least distance between two radar events.", unit="d"),
)

_RESULTS = (
    _count(
        "max_events",
        0,
        "Most events reported for a parcel; 0 means all. Sen4CAP stops at 4.",
        maximum=50,
        variants=(reference(4),),
    ),
    _number("min_conf", 0.0, "Events of lower confidence are left out of the report; they stay in the event table."),
    Parameter(
        f"{PREFIX}.repairs",
        Kind.INT_LIST,
        (6, 7, 8, 11),
        "Corrected defects of Sen4CAP: 6 acquisition time of the orbit, 7 true days between passes, 8 gaps in the "
        "history, 11 last day of the compliance period.",
        choices=(6, 7, 8, 11),
        processors=L4B,
        advanced=True,
        variants=(reference(()),),
    ),
)

AREA = Area(
    "Grassland mowing (L4B)",
    "A drop of NDVI or a jump of coherence means mowing; both together mean it surely.",
    (*_PERIOD, *_OBSERVATIONS, *_S2, *_S1, *_RESULTS),
)
