"""Every link within README, CHANGELOG and docs leads to a file, and to a heading when it names one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


@cache
def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^(```|~~~).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page as GitHub makes them."""
    made: dict[str, int] = {}
    for heading in HEADING.findall(prose(page)):
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        made[slug] = made.get(slug, -1) + 1
        if made[slug]:
            made[f"{slug}-{made[slug]}"] = 0
    return set(made)


def broken(page: Path, root: Path = REPOSITORY) -> list[str]:
    """Return what a page links to that is not there, or not below ``root``."""
    found = []
    # code in a line is no link
    for target in LINK.findall(re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", prose(page))):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or not file.is_relative_to(root):
            found.append(f"{page.relative_to(root)}: {target}")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            found.append(f"{page.relative_to(root)}: {target} (no such heading)")
    return found


def test_every_link_of_the_documents_leads_somewhere() -> None:
    assert [line for page in PAGES for line in broken(page)] == []


def test_the_index_of_documents_names_every_page() -> None:
    index = REPOSITORY / "docs" / "README.md"
    linked = {
        (index.parent / target.partition("#")[0]).resolve()
        for target in LINK.findall(index.read_text(encoding="utf-8"))
    }
    missing = [str(page.relative_to(REPOSITORY)) for page in PAGES if page not in {*linked, index}]
    assert missing == []


def test_what_leads_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Two `words`\n## Two words\n[a](gone.md) [b](#two-words) [c](#two-words-1) [`d`](#three)\n"
        "`[code](gone.md)`\n```\n[block](gone.md)\n# No heading\n```\n"
        "[e](https://example.org/x) [f](../out.md) [g](#no-heading)\n",
        encoding="utf-8",
    )
    (tmp_path.parent / "out.md").touch()
    assert broken(page, tmp_path) == [
        "page.md: gone.md",
        "page.md: #three (no such heading)",
        "page.md: ../out.md",
        "page.md: #no-heading (no such heading)",
    ]
