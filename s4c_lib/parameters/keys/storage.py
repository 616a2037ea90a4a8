"""Where files lie and how much room is left for them."""

from s4c_lib.parameters.model import GLOBAL_ONLY, SITE_WIDE, Area, Kind, Parameter
from s4c_lib.processors import L4_PROCESSORS

INGEST = ("ingest",)

AREA = Area(
    "Storage",
    "Paths may hold the placeholders {site}, {season}, {year}, {processor}, {job_id}, {product_type} and {practice}. "
    "The disk guard keeps downloads and pre-processing from filling a disk; L4 runs go on.",
    (
        Parameter(
            "storage.products_path",
            Kind.PATH,
            "/var/lib/sen4cap/products",
            "Root of all products: `l2a/` and `s1/` are shared between sites, everything else lies in a folder per "
            "site.",
            scopes=GLOBAL_ONLY,
            processors=("ingest", *L4_PROCESSORS),
            hashed=False,
            aliases=("archiver.archive_path",),
        ),
        Parameter(
            "general.scratch-path",
            Kind.PATH,
            "/var/lib/sen4cap/scratch/{processor}/{job_id}",
            "Folder for temporary files of a job. It is removed when the job succeeds.",
            scopes=SITE_WIDE,
            processors=("ingest", *L4_PROCESSORS),
            hashed=False,
        ),
        Parameter(
            "site.upload-path",
            Kind.PATH,
            "/var/lib/sen4cap/uploads/{site}",
            "Folder that a site's own files are put into before they are imported.",
            scopes=SITE_WIDE,
            processors=("lpis",),
            hashed=False,
        ),
        Parameter(
            "storage.min_free_gb",
            Kind.FLOAT,
            200.0,
            "Room that must stay free after the transfers in progress and the next one; below it nothing new starts.",
            unit="GB",
            minimum=0,
            maximum=1_000_000,
            scopes=GLOBAL_ONLY,
            processors=INGEST,
        ),
        Parameter(
            "storage.soft_free_pct",
            Kind.FLOAT,
            10.0,
            "Free share of a disk below which operators are warned.",
            unit="%",
            minimum=0,
            maximum=100,
            scopes=GLOBAL_ONLY,
            processors=INGEST,
        ),
        Parameter(
            "storage.hard_free_pct",
            Kind.FLOAT,
            5.0,
            "Free share of a disk below which downloads and pre-processing pause until there is room again.",
            unit="%",
            minimum=0,
            maximum=100,
            scopes=GLOBAL_ONLY,
            processors=INGEST,
        ),
        Parameter(
            "storage.output_factor_s2",
            Kind.FLOAT,
            3.0,
            "Room that pre-processing of a Sentinel-2 product is expected to need, as a multiple of its size.",
            minimum=0,
            maximum=100,
            scopes=GLOBAL_ONLY,
            processors=INGEST,
            advanced=True,
        ),
        Parameter(
            "storage.output_factor_s1",
            Kind.FLOAT,
            4.0,
            "Room that pre-processing of a Sentinel-1 product is expected to need, as a multiple of its size.",
            minimum=0,
            maximum=100,
            scopes=GLOBAL_ONLY,
            processors=INGEST,
            advanced=True,
        ),
        Parameter(
            "executor.processor.l2a.keep_job_folders",
            Kind.BOOL,
            False,
            "Leave the work folder of every L2A that MAJA or Sen2Cor makes here, for a look at it, until its time "
            "(`retention.scratch_failed_days`) is over.",
            scopes=SITE_WIDE,
            processors=("ingest", "l2a"),
            hashed=False,
            advanced=True,
        ),
    ),
)
