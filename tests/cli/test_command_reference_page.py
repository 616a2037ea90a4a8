"""docs/cli.md is what the commands say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import typer
from typer.core import TyperGroup

from s4c_lib.cli.main import app
from s4c_lib.cli.reference import reference_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def test_the_page_in_docs_is_up_to_date_and_has_every_command() -> None:
    page = reference_page(cast(TyperGroup, typer.main.get_command(app)))
    assert PAGE.read_text(encoding="utf-8") == page, "docs/cli.md is out of date; run: s4c reference > docs/cli.md"
    for words in ("ingest", "site add", "season backfill", "season waive", "config import-sen4cap", "run l4c-trace"):
        assert re.search(rf"^##+ s4c {words}$", page, re.MULTILINE), words
    # no terminal, user or folder of the machine that made it
    assert str(Path.home()) not in page
    assert not re.search(r"\x1b|/home/", page)
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
