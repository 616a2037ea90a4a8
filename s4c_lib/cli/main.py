"""The program ``s4c``: its nouns, its logs, and how every error becomes one line and an exit code."""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from s4c_lib.cli import (
    acquisitions,
    changes,
    config,
    dags,
    db,
    declarations,
    demo,
    doctor,
    ingest,
    jobs,
    kernels,
    lut,
    practices,
    products,
    reference,
    retention,
    run,
    season,
    season_delete,
    season_runs,
    site,
    source,
    status,
    synthetic,
    waivers,
)
from s4c_lib.cli.options import examples
from s4c_lib.cli.session import Session
from s4c_lib.errors import EXIT_FAILED, EXIT_WRONG_INPUT, Sen4capError
from s4c_lib.kernel_cache import keep_in

# What click answers to Ctrl-C; scripts are promised 0 to 3.
_INTERRUPTED = 130
_EVERYWHERE = {"--debug": "--debug", "-v": "--verbose", "--verbose": "--verbose"}


class Program(TyperGroup):
    """The root command: turns errors into one line on stderr and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run and exit."""
        arguments = _hoisted(sys.argv[1:] if args is None else list(args))
        debug = "--debug" in arguments
        try:
            code = super().main(arguments, prog_name or "s4c", complete_var, False, windows_expand_args, **extra)
        except Sen4capError as error:
            code = _report(_worded(error), error.exit_code, debug)
        except typer.Abort:
            code = _report("Stopped.", EXIT_FAILED, debug)
        except typer.TyperException as error:
            code = _usage(error, debug)
        except Exception as error:  # noqa: BLE001 - the last resort: a defect is reported in one line as well
            text = " ".join(str(error).split())[:300]
            code = _report(
                f"Unexpected {type(error).__name__}: {text} (run it again with --debug and report it)",
                EXIT_FAILED,
                debug,
            )
        if code == _INTERRUPTED:
            # left to itself click ends without a word
            code = _report("Stopped.", EXIT_FAILED, debug)
        sys.exit(_exit_code(code))


def _exit_code(code: Any) -> int:
    return code if isinstance(code, int) and not isinstance(code, bool) else 0


def _hoisted(arguments: list[str]) -> list[str]:
    """Move --debug and --verbose to the front: whoever repeats a command adds them at its end."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    front = [_EVERYWHERE[item] for item in arguments[:end] if item in _EVERYWHERE]
    rest = [item for item in arguments[:end] if item not in _EVERYWHERE]
    return [*dict.fromkeys(front), *rest, *arguments[end:]]


def _worded(error: Sen4capError) -> str:
    """Return an error's line; codes of file checks (SITE-04) lead it, as in the documents."""
    return f"{error.code} {error.one_line}" if error.code[:1].isupper() else error.one_line


def _report(text: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc(file=sys.stderr)
    sys.stderr.write(f"s4c: {text}\n")
    return code


def _usage(error: typer.TyperException, debug: bool) -> int:
    """Report wrong usage; a group called without command shows its help."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        # making the error has printed the help already
        return EXIT_WRONG_INPUT
    worded = getattr(error, "format_message", lambda: str(error))()
    command = context.command_path if context is not None else "s4c"
    text = " ".join(str(worded).split()).rstrip(".")
    return _report(f"{text} (see '{command} --help')", EXIT_WRONG_INPUT, debug)


app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    add_completion=True,
    help="Sen4CAP on Apache Airflow: sites, seasons, their acquisitions, products and runs.",
    epilog=examples(
        "s4c site add 'My region' extent.gpkg",
        "s4c season add my_region 2026 2026-04-01 2026-10-31",
        "s4c site enable my_region",
        "s4c status",
    ),
)


@app.callback()
def program(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell on stderr what is being done.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    actor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name written into histories; default: the login name.")
    ] = None,
) -> None:
    """Open the session of an invocation."""
    session = Session(named_actor=actor)
    context.obj = session
    level = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    configure_logs(level, as_json=session.settings.log_json)
    keep_in(session.settings.kernel_folder)


class _ToStderr(logging.Handler):
    """Writes to whatever stderr is when something is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        sys.stderr.write(self.format(record) + "\n")


def configure_logs(level: int, *, as_json: bool) -> None:
    """Send our logs to stderr, readable or as JSON lines."""
    import structlog

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    handler = _ToStderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer], foreign_pre_chain=shared
        )
    )
    ours = logging.getLogger("s4c_lib")
    ours.handlers = [handler]
    ours.setLevel(level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


for _name, _noun in (
    ("site", site.app),
    ("season", season.app),
    ("source", source.app),
    ("acquisitions", acquisitions.app),
    ("products", products.app),
    ("retention", retention.app),
    ("jobs", jobs.app),
    ("kernels", kernels.app),
    ("config", config.app),
    ("changes", changes.app),
    ("dags", dags.app),
    ("declarations", declarations.app),
    ("lut", lut.app),
    ("practices", practices.app),
    ("db", db.app),
    ("run", run.app),
    ("synthetic", synthetic.app),
):
    app.add_typer(_noun, name=_name)
season_runs.register(season.app)
season_delete.register(season.app)
waivers.register(season.app)
for _module in (status, ingest, doctor, demo, reference):
    _module.register(app)


def main() -> None:
    """Run the program; the entry point."""
    # `docker stop` and `timeout` end with SIGTERM: as after Ctrl-C, nothing half-made stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()


if __name__ == "__main__":
    main()
