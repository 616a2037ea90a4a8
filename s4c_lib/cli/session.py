"""What a command works with: the settings, the domain database, the actor and the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import typer

from s4c_lib.cli.output import note, warn
from s4c_lib.errors import InputError, Sen4capError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from s4c_lib.catalog.database import Database
    from s4c_lib.catalog.seasons import Season
    from s4c_lib.catalog.sites import Site
    from s4c_lib.settings import Settings


@dataclass
class Session:
    """One invocation of the command line.

    Attributes
    ----------
    named_actor : name for histories when one was given; else the settings', else the login name.
    """

    named_actor: str | None = None

    @cached_property
    def settings(self) -> Settings:
        """What the environment says."""
        from pydantic import ValidationError

        from s4c_lib.settings import Settings

        try:
            return Settings()
        except ValidationError as error:
            first = error.errors()[0]
            name = "_".join(str(part) for part in first["loc"]).upper()
            raise InputError(f"S4C_{name} is not usable: {first['msg']}.", hint="correct the variable") from error

    @cached_property
    def database(self) -> Database:
        """The domain database."""
        from s4c_lib.catalog.database import Database

        if not self.settings.database_url:
            raise InputError("S4C_DATABASE_URL is not set.", hint="set it to postgresql://user:password@host:5432/s4c")
        return Database(self.settings.database_url)

    @cached_property
    def actor(self) -> str:
        """Who is written into histories."""
        from s4c_lib.catalog.sites import current_user

        return self.named_actor or self.settings.actor or current_user()

    def now(self) -> datetime:
        """Return the present moment, UTC."""
        return datetime.now(UTC)

    def today(self) -> date:
        """Return the present day, UTC."""
        return self.now().date()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that changes nothing a DAG depends on."""
        with self.database.begin() as connection:
            yield connection

    @contextmanager
    def change(self, *, dry_run: bool = False) -> Iterator[Connection]:
        """Open a transaction that changes what runs, in the actor's name; when it is committed, the manifest follows.

        Parameters
        ----------
        dry_run : undo everything at the end.
        """
        from s4c_lib.catalog.changes import act_as

        with self.database.begin() as connection:
            act_as(connection, self.actor)
            yield connection
            if dry_run:
                connection.rollback()
        if not dry_run:
            self.export("The change is stored. ")

    def export(self, done: str = "") -> None:
        """Write the DAG manifest; what hinders that is a warning.

        Parameters
        ----------
        done : what is stored all the same, for the warning.
        """
        from s4c_lib.synchronise import synchronise

        try:
            outcome = synchronise(self.database, self.settings, today=self.today())
        except Sen4capError as error:
            warn(
                f"{done}The DAGs do not follow the database yet: {error.one_line} - repair it, then run "
                "'s4c dags export'"
            )
            return
        *notes, manifest = outcome.messages
        for message in notes:
            note(message)
        if outcome.changed:
            note(manifest)


def session_of(context: typer.Context) -> Session:
    """Return the session that the program's callback opened."""
    found = context.find_root().obj
    assert isinstance(found, Session)
    return found


def scope_of(connection: Connection, site: str | None, season: str | None) -> tuple[Site | None, Season | None]:
    """Return the site and the season that two options name.

    Raises
    ------
    InputError : a season without its site.
    """
    from s4c_lib.catalog.seasons import get_season
    from s4c_lib.catalog.sites import get_site

    if site is None:
        if season is not None:
            raise InputError("--season needs its --site.", hint=f"add --site SITE to --season {season}")
        return None, None
    found = get_site(connection, site)
    return found, None if season is None else get_season(connection, found, season)


def named_season(connection: Connection, site: str, season: str) -> tuple[Site, Season]:
    """Return a site and its season by their names."""
    from s4c_lib.catalog.seasons import get_season
    from s4c_lib.catalog.sites import get_site

    found = get_site(connection, site)
    return found, get_season(connection, found, season)
