"""When things run, what they wait for, and how work is shared out."""

from s4c_lib.parameters.model import GLOBAL_ONLY, SEASONAL, SITE_WIDE, Area, Kind, Parameter, Scope, Share, past
from s4c_lib.processors import L4_PROCESSORS

INGEST = ("ingest",)
POLICIES = ("latest_only", "final_only", "replay_all")

_WHEN = (
    Parameter(
        "ingest.interval_days",
        Kind.INT,
        1,
        "Days between two ingest runs. A season that is over changes little, so it is visited rarely.",
        unit="d",
        minimum=1,
        maximum=366,
        scopes=SEASONAL,
        processors=INGEST,
        hashed=False,
        variants=(past(60),),
    ),
    Parameter(
        "schedule.grace_months",
        Kind.INT,
        1,
        "A season is served until this many months after its end; then it is a past season.",
        unit="months",
        minimum=0,
        maximum=24,
        scopes=SEASONAL,
    ),
    Parameter(
        "backfill.policy",
        Kind.CHOICE,
        "final_only",
        "Which runs a backfill makes up: only the last one with all data of the season, only the latest one due, or "
        "all of them in date order (to replay a season's monitoring).",
        choices=POLICIES,
        scopes=SEASONAL,
    ),
)

_READINESS = (
    Parameter(
        "readiness.max_wait_days",
        Kind.INT,
        5,
        "A run of a current season that still misses data this long after it was due starts all the same and says "
        "what is missing. Runs of a past season never start on half the data.",
        unit="d",
        minimum=0,
        maximum=365,
        scopes=SEASONAL,
        processors=L4_PROCESSORS,
        hashed=False,
    ),
    Parameter(
        "readiness.timeout_days",
        Kind.FLOAT,
        60.0,
        "A run that has waited this long in vain fails and says what it waits for; it can be started again. It "
        "bounds runs of a past season, and those that wait for declarations or for an earlier run.",
        unit="d",
        minimum=0.001,
        maximum=366,
        scopes=SEASONAL,
        processors=L4_PROCESSORS,
        hashed=False,
    ),
    Parameter(
        "readiness.max_failed_pct",
        Kind.FLOAT,
        5.0,
        "A run waits for an operator when more than this share of the acquisitions failed for good.",
        unit="%",
        minimum=0,
        maximum=100,
        scopes=SEASONAL,
        processors=L4_PROCESSORS,
        hashed=False,
    ),
    Parameter(
        "readiness.publication_lag_days",
        Kind.INT,
        1,
        "Days after its as-of date that a run of a current season waits for the catalogue to be complete.",
        unit="d",
        minimum=0,
        maximum=60,
        scopes=SEASONAL,
        processors=L4_PROCESSORS,
        hashed=False,
    ),
    Parameter(
        "readiness.poll_seconds",
        Kind.INT,
        60,
        "How often a waiting run looks again. Longer is lighter on the database.",
        unit="s",
        minimum=2,
        maximum=86_400,
        scopes=SEASONAL,
        processors=L4_PROCESSORS,
        hashed=False,
        advanced=True,
    ),
    Parameter(
        "readiness.first_check_seconds",
        Kind.INT,
        10,
        "When a waiting run looks for the second time. Below 10 s Airflow may lose the resumption.",
        unit="s",
        minimum=10,
        maximum=86_400,
        scopes=SEASONAL,
        processors=L4_PROCESSORS,
        hashed=False,
        advanced=True,
    ),
)

_WORK = (
    Parameter(
        "lease.seconds",
        Kind.INT,
        1800,
        "A unit of work whose worker gives no sign of life for this long is given to another; no attempt is counted.",
        unit="s",
        minimum=5,
        maximum=86_400,
        scopes=GLOBAL_ONLY,
        processors=INGEST,
        hashed=False,
        advanced=True,
    ),
    Parameter(
        "lease.heartbeat_seconds",
        Kind.INT,
        Share("lease.seconds", 6),
        "How often a worker prolongs its lease.",
        unit="s",
        minimum=1,
        maximum=86_400,
        scopes=GLOBAL_ONLY,
        processors=INGEST,
        hashed=False,
        advanced=True,
    ),
    Parameter(
        "chunk.target_seconds",
        Kind.INT,
        60,
        "Work of about this long is put into one task: shorter tasks waste start-up time, longer ones share badly.",
        unit="s",
        minimum=1,
        maximum=7200,
        scopes=(*SITE_WIDE, Scope.JOB),
        processors=INGEST,
        hashed=False,
        advanced=True,
    ),
    Parameter(
        "chunk.max_count",
        Kind.INT,
        200,
        "Most tasks one step of a run is split into.",
        minimum=1,
        maximum=1000,
        scopes=SITE_WIDE,
        processors=INGEST,
        hashed=False,
        advanced=True,
    ),
)


def _pool(name: str, slots: int, what: str) -> Parameter:
    return Parameter(
        f"pools.{name}",
        Kind.INT,
        slots,
        f"Slots of the Airflow pool `{name}`: {what}.",
        minimum=1,
        maximum=10_000,
        scopes=GLOBAL_ONLY,
    )


_INSTALLATION = (
    _pool("cpu", 2, "tasks that keep a processor busy, at a time"),
    _pool("memory", 1, "tasks that need much memory, at a time"),
    _pool("db_write", 2, "tasks that write much to the domain database, at a time"),
    _pool("s1", 1, "tasks that make backscatter and coherence, at a time"),
    Parameter(
        "sync.interval_minutes",
        Kind.INT,
        10,
        "How often the DAGs are compared with the sites and seasons in the database, beside every change to them.",
        unit="min",
        minimum=1,
        maximum=1440,
        scopes=GLOBAL_ONLY,
    ),
)

AREA = Area(
    "Scheduling, readiness and work",
    "Airflow's scheduler decides when a run is due; the first task of an L4 run then waits until its data is there.",
    (*_WHEN, *_READINESS, *_WORK, *_INSTALLATION),
)
