"""L4B: grassland mowing."""

from s4c_lib.parameters.model import Area, Kind, Parameter, Scope, Variant, reference

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


def _date(name: str, label: str, description: str) -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}", Kind.DATE, None, description, optional=True, processors=L4B, form=L4B, label=label
    )


_PERIOD = (
    _date(
        "start_date",
        "Mowing from",
        "First day on which mowing is looked for; empty means the start of the season plus the offset.",
    ),
    _date("end_date", "Mowing until", "Last day on which mowing is looked for; empty means the as-of date of the run."),
    Parameter(
        f"{PREFIX}.input_product_types",
        Kind.CHOICE,
        "S1_S2",
        "Which satellites mowing is detected with.",
        choices=("S1_S2", "S1", "S2"),
        processors=L4B,
        form=L4B,
        label="Satellites",
    ),
    _count("s1_s2_startdate_diff", 0, "Days after the start date from which Sentinel-1 is used.", unit="d"),
    _count("start_season_offset", 0, "Days after the start of the season from which mowing is looked for.", unit="d"),
    Parameter(
        f"{PREFIX}.config_version",
        Kind.INT,
        None,
        "Upload of the configuration file to work with, by its number; empty means the one in force.",
        minimum=1,
        optional=True,
        scopes=(Scope.JOB,),
        processors=L4B,
    ),
    Parameter(
        f"{PREFIX}.land_cover",
        Kind.INT_LIST,
        (3,),
        "Land cover (LC) of the parcels that are looked at where the configuration file names no crops; empty means "
        "every crop.",
        processors=L4B,
        variants=(reference(()),),
    ),
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
    _number(
        "s2.max_growth",
        0.03,
        "NDVI that rises faster after a low observation shows that this was a cloud's; 1 switches the test off.",
        unit="1/d",
        variants=(reference(1.0),),
    ),
    _number("s2.noise", 0.05, "Difference of NDVI between two clear dates that may be noise, for that test."),
    _number("s2.decreasing_abs_th", 0.08, "NDVI must fall by more than this.", variants=(reference(0.12),)),
    _number(
        "s2.decreasing_rate_th",
        -1e-6,
        "NDVI must change faster downwards than this.",
        unit="1/d",
        minimum=-1,
        maximum=0,
    ),
    _number("s2.increasing_rate_th", 0.05, "A faster recovery afterwards means a cloud or its shadow.", unit="1/d"),
    _number(
        "s2.high_abs_th",
        1.0,
        "NDVI after mowing must be below this; 1 switches the test off.",
        variants=(reference(0.75),),
    ),
    _number("s2.low_abs_th", 0.5, "NDVI before mowing must be above this."),
    _number(
        "s2.min_step",
        0.05,
        "A fall must have a step of more than this between two clear dates that follow each other.",
        variants=(reference(0.0),),
    ),
    _number(
        "s2.noise_factor",
        3.0,
        "A fall must exceed the noise of the parcel's own series (standard deviation) so many times; 0 switches off.",
        maximum=20,
        variants=(reference(0.0),),
    ),
    _count(
        "s2.fall_days_before",
        15,
        "The fall is measured from the highest NDVI of as many days before its step; 0 means from the last clear date.",
        unit="d",
        maximum=60,
        variants=(reference(0),),
    ),
    _count(
        "s2.fall_days_after",
        10,
        "The fall is measured to the lowest NDVI of as many days after its step; 0 means to the first clear date.",
        unit="d",
        maximum=60,
        variants=(reference(0),),
    ),
    _count("s2.no_mowing_after_det", 30, "Longest interval reported for a drop.", unit="d", minimum=1),
    _count(
        "s2.non_overlap_interval_days",
        28,
        "Least distance between two optical events.",
        unit="d",
        variants=(reference(45),),
    ),
    Parameter(
        f"{PREFIX}.s2.calibrated",
        Kind.BOOL,
        True,
        "The confidence of an optical event is the probability that it is a mowing; else it is Sen4CAP's formula.",
        processors=L4B,
        advanced=True,
        variants=(reference(False),),
    ),
    *(
        _number(f"s2.{name}", value, f"Confidence as log odds: {meaning}.", minimum=-100, maximum=100)
        for name, value, meaning in (
            ("conf_constant", -1.47, "the constant"),
            ("conf_drop", 10.1, "for NDVI lost"),
            ("conf_share", 3.3, "for the logarithm of the fall as a share of the parcel's largest"),
            ("conf_autumn", -3.8, "for each month since the beginning of autumn"),
        )
    ),
    _count("s2.autumn_day", 274, "Day of the year from which a fall needs more evidence.", minimum=1, unit="d"),
    _number(
        "s2.min_confidence",
        0.4,
        "Less sure optical candidates are no events.",
        variants=(reference(0.0),),
    ),
    _count(
        "s2.max_gap_d",
        60,
        "With more days than this without a clear date, a parcel without events cannot be told from one mown unseen.",
        unit="d",
        variants=(reference(366),),
    ),
    _number(
        "s2.min_clear_a_month",
        1.1,
        "The same with fewer clear dates than this a month (30 days).",
        maximum=31,
        variants=(reference(0.0),),
    ),
)

_S1 = (
    Parameter(
        f"{PREFIX}.s1.pol_types",
        Kind.STR_LIST,
        ("VV", "VH"),
        "Polarisations whose coherence is used. Where each orbit detects by itself, VV only raises the confidence of "
        "what VH shows.",
        choices=("VV", "VH"),
        processors=L4B,
        advanced=True,
        variants=(reference(("VH",)),),
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
    _count(
        "s1.non_overlap_interval_days",
        21,
        "Least distance between two radar events.",
        unit="d",
        variants=(reference(28),),
    ),
)

_EVIDENCE = (
    Parameter(
        f"{PREFIX}.s1.all_orbits",
        Kind.BOOL,
        True,
        "The evidence of all orbits is summed and weighed with the optical series; else each orbit detects by itself, "
        "as in Sen4CAP, and the parameters that follow have no effect.",
        processors=L4B,
        advanced=True,
        variants=(reference(False),),
    ),
    _number(
        "s1.window_days",
        10,
        "Pairs within it after a possible date are compared with those within it before.",
        unit="d",
        minimum=1,
        maximum=60,
    ),
    _number(
        "s1.expected_rise", 0.55, "Rise of coherence after mowing, as a share of what is usual on the date.", maximum=5
    ),
    _number("s1.rise_spread", 0.25, "Standard deviation of that rise from mowing to mowing.", maximum=5),
    _number("s1.spread", 0.2, "Spread of coherence from date to date beyond pixel noise, as such a share.", maximum=5),
    _number("s1.spread_alone", 0.35, "The same where too few parcels tell what rain and wind do on a date.", maximum=5),
    _count("s1.min_parcels", 20, "Parcels that tell what is usual on a date.", minimum=1, maximum=1_000_000),
    _count(
        "s1.trend_parcels",
        1000,
        "Parcels of consecutive numbers, mostly neighbours, that tell for one another what is usual on a date.",
        minimum=1,
        maximum=100_000_000,
    ),
    _number(
        "s1.prior",
        -1.6,
        "Log odds of mowing at a possible date when nothing speaks for or against it.",
        minimum=-20,
        maximum=20,
    ),
    _number("s1.orbit_limit", 8, "Evidence (log odds) of one orbit tends to this.", minimum=0.1, maximum=100),
    _number("s1.least_confidence", 0.2, "Dates of lower confidence are no candidates."),
    _number("s1.optical_drop", 0.25, "Drop of NDVI by mowing, where radar evidence is weighed with it."),
    _number(
        "s1.optical_recovery_days", 25, "Grass makes up for all but 1/e of it within.", unit="d", minimum=1, maximum=366
    ),
    _number(
        "s1.optical_spread", 0.05, "Spread of the difference of two clear observations without mowing.", minimum=0.001
    ),
    _number("s1.optical_spread_a_day", 0.005, "More spread for each day between them.", unit="1/d"),
    _number(
        "s1.optical_limit", 4, "Optical evidence (log odds) for a radar event tends to this.", minimum=0.1, maximum=100
    ),
    _number("s1.unseen_share", 0.03, "Share of the mowings that coherence does not show."),
    _number("s1.support_weight", 0.6, "Weight of radar evidence for or against an optical event.", maximum=5),
    _number(
        "s1.support_level",
        1,
        "Radar evidence (log odds) that the best of an optical event's gaps has anyway.",
        minimum=-20,
        maximum=20,
    ),
    _number(
        "s1.agreement",
        0.4,
        "Log odds by which an optical event at its date speaks for a radar event, and none there against it.",
        maximum=20,
    ),
)

_RESULTS = (
    _count(
        "max_events",
        0,
        "Most events reported for a parcel; 0 means all. Sen4CAP stops at 4.",
        maximum=50,
        variants=(reference(4),),
    ),
    _number(
        "min_conf",
        0.4,
        "Events of lower confidence are left out of the report; they stay in the event table.",
        variants=(reference(0.0),),
    ),
    Parameter(
        f"{PREFIX}.fusion_interval",
        Kind.CHOICE,
        "confident",
        "Interval of an event that several passes saw: that of the more confident one, or what they have in common.",
        choices=("confident", "intersection"),
        processors=L4B,
        advanced=True,
    ),
    Parameter(
        f"{PREFIX}.stepwise_fusion",
        Kind.BOOL,
        False,
        "As Sen4CAP combines passes: between them confidences are rounded to 3 decimals, the later of two equal events "
        "wins, and a pass selects anew also where it adds nothing.",
        processors=L4B,
        advanced=True,
        variants=(reference(True),),
    ),
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
    (*_PERIOD, *_OBSERVATIONS, *_S2, *_S1, *_EVIDENCE, *_RESULTS),
)
