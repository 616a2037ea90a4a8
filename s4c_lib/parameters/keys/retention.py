"""What is kept how long, and who hears of what."""

from s4c_lib.parameters.model import GLOBAL_ONLY, SEASONAL, SITE_WIDE, Area, Kind, Parameter

RETENTION = ("retention",)

_ACTIONS = (
    ("l1", "downloaded products, but never ones linked or only referenced", "delete"),
    ("l2a", "optical L2A products", "delete"),
    ("s1", "Sentinel-1 backscatter and coherence", "delete"),
    ("l3b", "L3B products", "none"),
    ("l4", "L4A, L4B and L4C products", "none"),
)


def _days(key: str, default: int, description: str) -> Parameter:
    return Parameter(
        key,
        Kind.INT,
        default,
        description,
        unit="d",
        minimum=0,
        maximum=36_500,
        scopes=SITE_WIDE,
        processors=RETENTION,
    )


KEEPING = Area(
    "Retention",
    "A product that something in an unfinished season depends on is never removed, nor one that is linked or only "
    "referenced. The time after a season counts from its end, of what was made later from then. Archiving copies, "
    "verifies the checksum, switches the path and only then deletes.",
    (
        *(
            Parameter(
                f"retention.{name}.action",
                Kind.CHOICE,
                action,
                f"What happens when the time of {what} is over.",
                choices=("none", "archive", "delete"),
                scopes=SEASONAL,
                processors=RETENTION,
            )
            for name, what, action in _ACTIONS
        ),
        *(
            Parameter(
                f"retention.{name}.keep_last_n",
                Kind.INT,
                0,
                f"Of {what}, the latest so many of a tile stay, however old they are.",
                minimum=0,
                maximum=1_000_000,
                scopes=SITE_WIDE,
                processors=RETENTION,
            )
            for name, what, _ in _ACTIONS
        ),
        _days(
            "retention.l1.keep_days",
            30,
            "Downloads are kept this long after their last unit is finished, if an action is set.",
        ),
        _days("retention.l2a.keep_days", 90, "L2A products are kept this long after the season."),
        _days("retention.s1.keep_days", 90, "Sentinel-1 products are kept this long after the season."),
        _days("retention.l3b.keep_days", 365, "L3B products are kept this long after the season, if an action is set."),
        _days("retention.l4.keep_days", 1825, "L4 products are kept this long after the season, if an action is set."),
        _days("retention.superseded_days", 30, "Products replaced by a newer version are kept this long."),
        _days(
            "retention.markers_superseded_days",
            7,
            "Replaced files of the statistics store are kept this long, so that a run in progress can finish.",
        ),
        _days(
            "retention.scratch_failed_days",
            7,
            "Temporary files of work that failed or was killed are kept this long, a day at least.",
        ),
        _days("retention.partial_days", 2, "Partial downloads that nobody continues are kept this long."),
        _days(
            "retention.history_days",
            1825,
            "Histories are kept this long: of acquisitions, products, sources, configuration and retention.",
        ),
        _days(
            "retention.log_days",
            90,
            "Logs of programs that could make nothing are kept this long. Airflow's own logs are Airflow's to remove.",
        ),
        Parameter(
            "retention.archive_path",
            Kind.PATH,
            None,
            "Folder that the action `archive` moves products to; it must exist.",
            optional=True,
            scopes=SITE_WIDE,
            processors=RETENTION,
        ),
    ),
)

NOTICES = Area(
    "Notifications",
    "Mail goes through an Airflow connection, which also keeps its password.",
    (
        Parameter("notify.enabled", Kind.BOOL, False, "Send notifications at all.", scopes=SITE_WIDE),
        Parameter(
            "notify.recipients",
            Kind.STR_LIST,
            (),
            "Mail addresses that notifications go to.",
            pattern=r"[^@\s]+@[^@\s]+",
            pattern_words="a mail address",
            scopes=SITE_WIDE,
            aliases=("mail.to",),
        ),
        Parameter(
            "notify.sender",
            Kind.STR,
            None,
            "Mail address that notifications come from; empty means the one of the connection.",
            optional=True,
            pattern=r"[^@\s]+@[^@\s]+",
            pattern_words="a mail address",
            scopes=GLOBAL_ONLY,
            aliases=("mail.from",),
        ),
        Parameter(
            "notify.connection_id",
            Kind.STR,
            "smtp_default",
            "Airflow connection with the mail server.",
            pattern=r"[\w.-]+",
            pattern_words="letters, digits, underscores, dots and hyphens",
            scopes=GLOBAL_ONLY,
            advanced=True,
        ),
        Parameter(
            "notify.webhook_connection_id",
            Kind.STR,
            None,
            "Airflow connection of a web hook that receives notifications as JSON; empty means none.",
            optional=True,
            pattern=r"[\w.-]+",
            pattern_words="letters, digits, underscores, dots and hyphens",
            scopes=GLOBAL_ONLY,
            advanced=True,
        ),
        Parameter(
            "notify.events",
            Kind.STR_LIST,
            ("job_failed", "run_overdue", "window_failing", "source_down", "disk_soft", "disk_hard", "many_failed"),
            "What is worth a notification.",
            choices=(
                "job_failed",
                "run_overdue",
                "window_failing",
                "source_down",
                "disk_soft",
                "disk_hard",
                "many_failed",
            ),
            scopes=SITE_WIDE,
        ),
        Parameter(
            "notify.digest",
            Kind.CHOICE,
            "immediate",
            "Send each notification at once, or collect them.",
            choices=("immediate", "hourly", "daily"),
            scopes=SITE_WIDE,
        ),
    ),
)
