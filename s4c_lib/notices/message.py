"""Notices in words: one mail, or one JSON document for a web hook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any, Final

from s4c_lib.catalog.notice_rows import Notice
from s4c_lib.notices.finding import TITLES

SENDER_NAME: Final = "Sen4CAP"
_LONGEST_SUBJECT: Final = 150


def subject(notices: Sequence[Notice]) -> str:
    """Return the subject line: what it is and where, or how many of what."""
    if len(notices) == 1:
        (only,) = notices
        place = " ".join(part for part in (only.site, only.season) if part)
        line = f"[{SENDER_NAME}] {f'{place}: ' if place else ''}{TITLES[only.event]}"
    else:
        numbers = Counter(TITLES[item.event] for item in notices)
        kinds = ", ".join(f"{number} × {title}" for title, number in sorted(numbers.items()))
        line = f"[{SENDER_NAME}] {len(notices)} notices: {kinds}"
    return " ".join(line.split())[:_LONGEST_SUBJECT]


def page(notices: Sequence[Notice]) -> str:
    """Return the body of a mail as HTML; no text of it is taken for markup."""
    items = "\n".join(
        f"<li><b>{escape(TITLES[item.event])}</b> ({item.found_at:%Y-%m-%d %H:%M}Z{_over(item)})<br>{escape(item.text)}"
        + (f"<br><i>{escape(item.remedy)}</i>" if item.remedy else "")
        + "</li>"
        for item in notices
    )
    return f"<html><body><ul>\n{items}\n</ul></body></html>"


def document(notices: Sequence[Notice]) -> dict[str, Any]:
    """Return what a web hook gets; ``text`` is what chat services show, ``notices`` is for programs."""
    lines = [f"{TITLES[item.event]}{_over(item)}: {item.text}" for item in notices]
    return {
        "text": "\n".join([subject(notices), *(f"• {line}" for line in lines)]),
        "notices": [
            {
                "event": str(item.event),
                "site": item.site,
                "season": item.season,
                "text": item.text,
                "remedy": item.remedy,
                "found_at": item.found_at.isoformat(),
                "ended_at": None if item.ended_at is None else item.ended_at.isoformat(),
            }
            for item in notices
        ],
    }


def _over(notice: Notice) -> str:
    return "" if notice.ended_at is None else f", over since {notice.ended_at:%H:%M}Z"
