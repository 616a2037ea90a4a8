"""Imports of the user's files: declarations, tables, configuration files."""

from s4c_lib.parameters.model import SITE_WIDE, Area, Kind, Parameter

LPIS = ("lpis",)
GIB = 1024**3


def _size(name: str, default: int, description: str, unit: str) -> Parameter:
    return Parameter(
        f"upload.{name}",
        Kind.INT,
        default,
        description,
        unit=unit,
        minimum=1,
        scopes=SITE_WIDE,
        processors=LPIS,
        hashed=False,
        advanced=True,
    )


AREA = Area(
    "Declarations and uploads",
    "Every file a user gives becomes an immutable version; runs remember the version they used.",
    (
        Parameter(
            "processor.lpis.path",
            Kind.PATH,
            None,
            "Folder for the prepared declarations of a site and year; empty means a folder beside the site's products.",
            optional=True,
            scopes=SITE_WIDE,
            processors=LPIS,
            hashed=False,
        ),
        Parameter(
            "declaration.max_reject_pct",
            Kind.FLOAT,
            1.0,
            "A file with a larger share of unusable rows is refused.",
            unit="%",
            minimum=0,
            maximum=100,
            scopes=SITE_WIDE,
            processors=LPIS,
        ),
        Parameter(
            "declaration.overlap_threshold",
            Kind.FLOAT,
            0.1,
            "A parcel is marked as overlapping when others cover more than this share of it.",
            minimum=0,
            maximum=1,
            scopes=SITE_WIDE,
            processors=LPIS,
        ),
        Parameter(
            "declaration.code_normalisation",
            Kind.STR,
            None,
            "Rule that makes declared crop codes match the look-up table, as a report proposed it: strip_zeros, pad_N, "
            "drop_decimals or ignore_case; empty applies none.",
            optional=True,
            scopes=SITE_WIDE,
            processors=LPIS,
        ),
        _size("max_bytes", 10 * GIB, "Largest file taken.", "bytes"),
        _size("max_unpacked_bytes", 40 * GIB, "Largest content of an archive.", "bytes"),
        _size("max_entries", 1000, "Most files in an archive.", ""),
    ),
)
