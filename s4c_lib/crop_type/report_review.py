"""The part of the crop type report that is worked through: declarations in doubt."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.report_content import ReportContent
from s4c_lib.crop_type.report_figures import text

REVIEWED: Final = 60
"""Rows of the review list on the page; the files hold all."""
_OPEN: Final = 20


def review(content: ReportContent) -> str:
    """Return the section with the declarations that are looked at first; nothing without a judgement."""
    if content.judgement is None:
        return ""
    rows = content.doubtful()
    if not len(rows):
        return "<section><h2>To be looked at first</h2><p>No declaration is in doubt.</p></section>"
    table = _review_table(content, rows[:_OPEN])
    if len(rows) > _OPEN:
        more = _review_table(content, rows[_OPEN:REVIEWED])
        table += f"<details><summary>The next {len(rows[_OPEN:REVIEWED])}</summary>{more}</details>"
    return (
        "<section><h2>To be looked at first</h2>"
        f'<p class="lead">The {len(rows):,} judged declarations that are not confirmed, the most doubtful first; '
        f"review.csv holds all of them with the reason of each.</p>{table}</section>"
    )


def _review_table(content: ReportContent, rows: npt.NDArray[np.int64]) -> str:
    lines = "".join(_review_row(content, int(row)) for row in rows)
    return (
        '<div class="wide"><table class="dense"><thead><tr><th class="count">Rank</th><th>Parcel</th><th>Declared</th>'
        '<th>Looks like</th><th class="count">Chance it is wrong</th><th class="count">Area, ha</th>'
        f"<th>Verdict</th></tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _review_row(content: ReportContent, row: int) -> str:
    of, judged = content.classification, content.judgement
    if judged is None:
        return ""
    given = content.parcel_names[row]
    parcel = f"{of.parcel_id[row]}" if given is None else f"{given} ({of.parcel_id[row]})"
    area = content.parcels.area
    hectares = "" if area is None or np.isnan(area[row]) else f"{area[row] / 10_000:.2f}"
    cells = (
        ("count", f"{judged.rank[row]}"),
        ("parcel", parcel),
        ("", content.name(of.declared[row])),
        ("", content.name(judged.other[row])),
        ("count", chance(float(judged.chance_wrong[row]))),
        ("count", hectares),
    )
    told = "".join(f'<td class="{kind}">{text(value)}</td>' for kind, value in cells)
    return f"<tr>{told}<td>{_badge(str(judged.verdict[row]))}</td></tr>"


def chance(value: float) -> str:
    """Return a chance in per cent, which is never said to be certain."""
    if value > 0.999:
        return "> 99.9 %"
    return "< 0.1 %" if value < 0.001 else f"{100 * value:.1f} %"


def _badge(verdict: str) -> str:
    return f'<span class="badge {verdict.replace(" ", "-")}">{text(verdict)}</span>'
