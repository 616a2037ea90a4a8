"""L4C: agricultural practices and tillage. Thresholds for a country and practice lie in its configuration file."""

from s4c_lib.parameters.model import SEASONAL, Area, Kind, Parameter, Variant, reference

L4C = ("s4c_l4c",)
PREFIX = "processor.s4c_l4c"


def _switch(name: str, default: bool, description: str, *, label: str = "", aliases: tuple[str, ...] = ()) -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}",
        Kind.BOOL,
        default,
        description,
        processors=L4C,
        form=L4C if label else (),
        label=label,
        advanced=not label,
        aliases=aliases,
    )


def _count(
    name: str,
    default: int,
    description: str,
    *,
    unit: str = "",
    maximum: float = 366,
    choices: tuple[int, ...] = (),
    variants: tuple[Variant, ...] = (),
) -> Parameter:
    return Parameter(
        f"{PREFIX}.{name}",
        Kind.INT,
        default,
        description,
        unit=unit,
        minimum=None if choices else 0,
        maximum=None if choices else maximum,
        choices=choices,
        processors=L4C,
        advanced=True,
        variants=variants,
    )


AREA = Area(
    "Agricultural practices (L4C)",
    "Weekly series show when a crop was harvested and whether a catch crop, fallow or nitrogen-fixing crop was there.",
    (
        Parameter(
            f"{PREFIX}.practices",
            Kind.STR_LIST,
            ("NA",),
            "Practices that are checked: catch crop, fallow, nitrogen-fixing crop, and harvest alone (NA).",
            choices=("CC", "FL", "NFC", "NA"),
            processors=L4C,
            form=L4C,
            label="Practices",
        ),
        Parameter(
            f"{PREFIX}.country",
            Kind.STR,
            None,
            "Country of practice rows that name none, three letters (ISO 3166); it chooses rules and file names.",
            optional=True,
            pattern="[A-Z]{3}",
            pattern_words="three capital letters",
            scopes=SEASONAL,
            processors=L4C,
        ),
        _switch("tillage_monitoring", False, "Also look for tillage after harvest.", label="Tillage"),
        _count(
            "start_season_offset", 0, "Days after the start of the season from which observations are used.", unit="d"
        ),
        _count("tsa_min_acqs_no", 15, "Parcels where no orbit has that many coherence values are not evaluated."),
        _count("min_weeks", 4, "A run with fewer weeks of radar data fails.", unit="weeks", maximum=60),
        Parameter(
            f"{PREFIX}.max_na_pct",
            Kind.FLOAT,
            50.0,
            "A product with a larger share of parcels without result is marked as degraded.",
            unit="%",
            minimum=0,
            maximum=100,
            processors=L4C,
        ),
        _count("s1_pix_min", 1, "Parcels with fewer Sentinel-1 pixels are not evaluated.", unit="px", maximum=1000),
        _count("s2_pix_min", 0, "Parcels with fewer Sentinel-2 pixels are not evaluated.", unit="px", maximum=1000),
        _switch("skip_overlap", False, "Leave out parcels that overlap others."),
        _switch("auto_na_table", True, "Make the table of the practice NA from the declarations where none was given."),
        _switch("markers_add_no_data_rows", True, "Keep parcels without any marker in the weekly export."),
        _switch(
            "freeze_harvest",
            False,
            "Keep the harvest week of the previous product. It needs a season whose runs are all replayed in order.",
            aliases=(f"{PREFIX}.use_prev_prd",),
        ),
        _count(
            "coh_change_max_days",
            6,
            "Longest pair whose coherence is compared with the one before; set 12 for seasons with one satellite.",
            unit="d",
            choices=(6, 12),
        ),
        Parameter(
            f"{PREFIX}.amp_scale",
            Kind.CHOICE,
            "half_db",
            "Scale of backscatter the thresholds are meant for: half decibels as printed, or decibels.",
            choices=("half_db", "db"),
            processors=L4C,
            advanced=True,
        ),
        _switch("cc_shorten_veg_weeks", False, "End the search for the harvest soon after a catch crop is sown."),
        Parameter(
            f"{PREFIX}.repairs",
            Kind.INT_LIST,
            (2, 3, 4, 5, 6, 8, 11, 13, 14, 19),
            "Corrected defects of Sen4CAP: 2 observations of other years, 3 ratios across orbits, 4 widened vegetation "
            "weeks, 5 harvest after its end, 6 verdicts without evidence, 8 reported start of vegetation, 11 quality "
            "without harvest, 13 week numbers across New Year, 14 upper threshold, 19 tillage changing weekly markers.",
            choices=(2, 3, 4, 5, 6, 8, 11, 13, 14, 19),
            processors=L4C,
            advanced=True,
            variants=(reference(()),),
        ),
    ),
)
