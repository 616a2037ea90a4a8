"""L4A: crop type and crop diversification."""

from s4c_lib.parameters.model import Area, Kind, Parameter, Variant, reference

L4A = ("s4c_l4a",)
PREFIX = "processor.s4c_l4a"


def _count(name: str, default: int, description: str, minimum: float, maximum: float, *, unit: str = "") -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}",
        Kind.INT,
        default,
        description,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        processors=L4A,
    )


def _share(name: str, default: float, description: str, *, exclusive: bool = True) -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}",
        Kind.FLOAT,
        default,
        description,
        minimum=0,
        maximum=1,
        exclusive=exclusive,
        processors=L4A,
    )


def _switch(name: str, default: bool, description: str, variants: tuple[Variant, ...] = ()) -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}", Kind.BOOL, default, description, processors=L4A, advanced=True, variants=variants
    )


def _choice(
    name: str, choices: tuple[str, ...], default: str, description: str, variants: tuple[Variant, ...] = ()
) -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}",
        Kind.CHOICE,
        default,
        description,
        choices=choices,
        processors=L4A,
        advanced=True,
        variants=variants,
    )


_PARCELS = (
    Parameter(
        f"{PREFIX}.mode",
        Kind.CHOICE,
        "both",
        "Which satellites the features come from.",
        choices=("both", "s1-only", "s2-only"),
        processors=L4A,
        form=L4A,
        label="Satellites",
    ),
    Parameter(
        f"{PREFIX}.lc",
        Kind.STR,
        "1234",
        "Land cover classes that are classified: digits 0 to 5 of the crop table, each once, or All.",
        pattern=r"[Aa]ll|(?!.*(.).*\1)[0-5]{1,6}",
        pattern_words="digits 0 to 5, each once, or All",
        processors=L4A,
        form=L4A,
        label="Land cover classes",
    ),
    _count("min-s2-pix", 3, "Parcels with fewer Sentinel-2 pixels are not classified.", 0, 100, unit="px"),
    _count("min-s1-pix", 1, "Parcels with fewer Sentinel-1 pixels are not classified.", 0, 100, unit="px"),
    _count("best-s2-pix", 10, "Parcels with fewer Sentinel-2 pixels are not used for training.", 0, 100, unit="px"),
    _count("pa-min", 30, "Crops with fewer good parcels are left out altogether.", 2, 100_000),
    Parameter(
        f"{PREFIX}.start_season_offset",
        Kind.INT,
        0,
        "Days after the start of the season from which observations count.",
        unit="d",
        minimum=0,
        maximum=366,
        processors=L4A,
    ),
    _switch("allow_missing_sensor", False, "Run with one sensor when mode `both` finds no data of the other."),
)

_FEATURES = (
    _count(
        "optical_step_days", 10, "Step of the regular dates that optical series are interpolated to.", 1, 60, unit="d"
    ),
    _choice(
        "optical_grid_origin",
        ("season_start", "first_product"),
        "season_start",
        "First of the regular dates: the start of the season, so that runs agree, or the first product.",
        (reference("first_product"),),
    ),
    _count("s1_bin_weeks", 1, "Weeks that radar observations are averaged over.", 1, 8, unit="weeks"),
    _count("s1_bin_months", 2, "Months that radar weeks are summarised over.", 1, 12, unit="months"),
    Parameter(
        f"{PREFIX}.s1_period_min_coverage",
        Kind.FLOAT,
        0.8,
        "A radar period is used when at least this share of the parcels has an observation in it. 1 drops every "
        "period that is missing anywhere, as Sen4CAP does.",
        minimum=0,
        maximum=1,
        processors=L4A,
        advanced=True,
        variants=(reference(1.0),),
    ),
    _choice(
        "sar_scale",
        ("power", "amplitude"),
        "power",
        "Linear radar features from decibels: power 10^(x/10), or amplitude 10^(x/20) as in Sen4CAP.",
        (reference("amplitude"),),
    ),
    _switch("keep_water_for_cwater", False, "Keep dates under water of crops that stand in water (rice)."),
    Parameter(
        f"{PREFIX}.repairs",
        Kind.INT_LIST,
        (3, 5, 6, 8, 9, 11),
        "Corrected defects of Sen4CAP's features: 3 tiles pooled, 5 bands cut to integers, 6 values not above 0, "
        "8 zero as no data, 9 gaps filled by position, 11 zeros for parcels without a valid pixel.",
        choices=(3, 5, 6, 8, 9, 11),
        processors=L4A,
        advanced=True,
        variants=(reference(()),),
    ),
)

_LEARNING = (
    _count("num-trees", 300, "Trees of the random forest. More trees are slower and a little steadier.", 1, 5000),
    _count("min-node-size", 10, "Nodes of a tree with no more samples than this are not split.", 1, 10_000),
    Parameter(
        f"{PREFIX}.discriminant_share",
        Kind.FLOAT,
        0.25,
        "Share of a linear discriminant analysis in the probabilities, the rest is the forest's. It weighs all dates "
        "together and tells apart crops of few parcels; 0 is the forest alone, as in Sen4CAP.",
        minimum=0,
        maximum=1,
        processors=L4A,
        advanced=True,
        variants=(reference(0.0),),
    ),
    _count(
        "pa-train-h", 4000, "Crops with at least this many good parcels train with the smaller share.", 0, 1_000_000
    ),
    _count(
        "pa-train-l", 1333, "Crops with at least this many good parcels train without synthetic samples.", 0, 1_000_000
    ),
    _share("sample-ratio-h", 0.25, "Share of the parcels of a frequent crop that is used for training."),
    _share("sample-ratio-l", 0.75, "Share of the parcels of a rare crop that is used for training."),
    _count("smote-target", 1000, "Rare crops are filled up to this many samples; 0 switches it off.", 0, 1_000_000),
    _count("smote-k", 5, "Neighbours between which synthetic samples are made.", 1, 100),
    _switch(
        "smote_standardise",
        True,
        "Scale features before neighbours are searched; Sen4CAP searches in raw units.",
        (reference(False),),
    ),
    _count("seed", 42, "Seed of all random choices: the same seed and inputs give the same result.", 0, 2**31 - 1),
    _switch(
        "oob_for_calibration",
        True,
        "Predict training parcels with the trees that have not seen them; Sen4CAP uses all trees, which leans "
        "towards the declared crop.",
        (reference(False),),
    ),
    _choice(
        "cv", ("none", "holding"), "none", "Cross-validate in 5 folds that keep the parcels of a holding together."
    ),
)

_RESULTS = (
    _share(
        "accept_second_min_conf",
        0.0,
        "Least confidence at which the second choice still confirms a declaration.",
        exclusive=False,
    ),
    Parameter(
        f"{PREFIX}.conf_threshold",
        Kind.FLOAT,
        2.0,
        "Confidence from which a prediction replaces the declared crop in crop diversification; above 1 means never.",
        minimum=0,
        maximum=2,
        processors=L4A,
        advanced=True,
    ),
    _switch("diversification_enabled", False, "Evaluate crop diversification of holdings."),
    _choice(
        "diversification_ruleset",
        ("eu_2015", "eu_2018"),
        "eu_2018",
        "Rules of crop diversification: Regulation 1307/2013 as it was, or as amended by 2017/2393.",
    ),
    _switch("cat3_check_crop_number", False, "Also test the number of crops of holdings dominated by grass or fallow."),
    Parameter(
        f"{PREFIX}.export_shapefile",
        Kind.BOOL,
        False,
        "Also write the result as a shapefile.",
        processors=L4A,
        hashed=False,
    ),
    Parameter(
        f"{PREFIX}.publish_markers",
        Kind.CHOICE,
        "scheduled",
        "Which runs publish their features.",
        choices=("scheduled", "always", "never"),
        processors=L4A,
        hashed=False,
        advanced=True,
    ),
)

_JUDGEMENT = (
    Parameter(
        f"{PREFIX}.judgement_error_rate",
        Kind.FLOAT,
        0.05,
        "Accepted rate of wrong verdicts: of contradicted declarations that are right and of confirmed ones that are "
        "wrong. A lower rate leaves more parcels without a verdict.",
        minimum=0.001,
        maximum=0.5,
        processors=L4A,
        form=L4A,
        label="Accepted rate of wrong verdicts",
    ),
    _switch(
        "calibrated_predictions",
        True,
        "Predicted crops and confidences are those of the calibrated probabilities, not the forest's own frequencies.",
        (reference(False),),
    ),
    _choice(
        "review_order",
        ("chance", "area"),
        "chance",
        "Order for review: by the chance that the declaration is wrong, or by this chance times the area.",
    ),
)

AREA = Area(
    "Crop type (L4A)",
    "A random forest learns the declared crops and predicts the crop of every parcel.",
    (*_PARCELS, *_FEATURES, *_LEARNING, *_JUDGEMENT, *_RESULTS),
)
