"""Report of a crop type product as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from s4c_lib.crop_type.classification import UNKNOWN
from s4c_lib.crop_type.judgement import VERDICTS
from s4c_lib.crop_type.report_content import (
    ClassFigures,
    ReportContent,
    calibrated_deciles,
    classes_of,
    importance_by_month,
    importance_by_source,
)
from s4c_lib.crop_type.report_figures import (
    accuracy_bars,
    columns_plot,
    confusion_map,
    ranked_bars,
    reliability_plot,
    text,
)
from s4c_lib.crop_type.report_review import chance, review
from s4c_lib.crop_type.report_style import STYLE
from s4c_lib.parcels.report_page_style import STYLE as HOUSE_STYLE

_MAPPED: Final = 20
_FEATURES: Final = 20
_LEFT_OUT: Final = {
    "geometry": "the geometry is not valid",
    "duplicate": "another parcel has the same geometry",
    "overlap": "the parcel overlaps others",
    "no_lut": "the crop table lacks the declared crop code",
    "lc": "the land cover of the declared crop is not classified",
    "min_s2_pix": "too few Sentinel-2 pixels",
    "min_s1_pix": "too few Sentinel-1 pixels",
    "no_features": "too few observations",
    "rare_class": "too few parcels of the declared crop",
}
_STRATEGIES: Final = {0: "not learnt", 1: "common", 2: "medium", 3: "rare"}
_DIAGNOSES: Final = {
    "Not_required": "not required",
    "Compliant": "compliant",
    "Not_compliant": "not compliant",
    "Missing_info": "cannot be decided",
}


def report_page(content: ReportContent) -> str:
    """Return the whole page, to be written as UTF-8; HTML that is well-formed XML too."""
    classes = classes_of(content)
    sections = [
        _head(content),
        _verdict(content),
        _numbers(content),
        _notes(content),
        review(content),
        _accuracy(content, classes),
        _drill_down(content, classes),
        _confusion(content, classes),
        _confidence(content),
        _importances(content),
        _left_out(content),
        _holdings(content),
        _facts(content),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n<meta charset="utf-8" />\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f"<title>{text(content.title)}</title>\n<style>{HOUSE_STYLE}{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in sections if part)
        + "\n</body>\n</html>\n"
    )


def _head(content: ReportContent) -> str:
    about = " · ".join(text(item) for item in content.about)
    return f'<header><h1>{text(content.title)}</h1><p class="about">{about}</p></header>'


def _verdict(content: ReportContent) -> str:
    of = content.classification
    classified = int((of.pred_1 != UNKNOWN).sum())
    left_out = len(of.parcel_id) - classified
    rest = f"{classified:,} of {len(of.parcel_id):,} parcels are classified, {left_out:,} are not (see below)."
    if content.judgement is None:
        other = int(((of.pred_1 != UNKNOWN) & (of.pred_1 != of.declared)).sum())
        return (
            f'<div class="verdict"><strong>{other:,} parcels look like another crop than declared.</strong>'
            f"{text(rest)}</div>"
        )
    counts = content.verdicts()
    contradicted = counts["contradicted"]
    kind = "R" if contradicted else "confirmed"
    head = (
        f"{contradicted:,} declarations are contradicted, {counts['confirmed']:,} are confirmed; of "
        f"{counts['cannot tell']:,} it cannot be told."
    )
    accepted = f" At the error rate of {100 * content.judgement.error_rate:g} % that was asked for."
    return f'<div class="verdict {kind}"><strong>{text(head)}</strong>{text(rest + accepted)}</div>'


def _numbers(content: ReportContent) -> str:
    metrics = content.classification.metrics
    if metrics is None:
        return '<p class="lead">No parcel was kept back for validation: accuracy is not known.</p>'
    shown = {
        "Overall accuracy": _percent(metrics.overall),
        "… of the area": _percent(metrics.by_area),
        "First or second choice": _percent(metrics.top_2),
        "Kappa": _decimal(metrics.kappa),
        "Macro F1": _decimal(metrics.macro_f1),
        "Validation parcels": f"{metrics.parcels:,}",
    }
    held = content.classification.holding_metrics
    if held is not None:
        shown["Accuracy, holdings apart"] = _percent(held.overall)
    cells = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in shown.items())
    return f'<dl class="numbers">{cells}</dl>'


def _percent(value: float) -> str:
    return "–" if np.isnan(value) else f"{100 * value:.1f} %"


def _decimal(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _notes(content: ReportContent) -> str:
    if not content.notes:
        return ""
    return (
        f"<section><h2>Please note</h2><ul>{''.join(f'<li>{text(note)}</li>' for note in content.notes)}</ul></section>"
    )


def _accuracy(content: ReportContent, classes: Sequence[ClassFigures]) -> str:
    metrics = content.classification.metrics
    if metrics is None:
        return ""
    total = sum(one.area_ha for one in classes)
    done, rows = 0.0, []
    for one in classes:
        done += one.area_ha
        rows.append((one.name, one.f1, done / total if total > 0 else None))
    picture = accuracy_bars({"Overall accuracy": metrics.overall, "Kappa": metrics.kappa}, rows)
    keys = [("overall", "overall"), ("right", "F1 of a class"), ("wrong", "F1 below 0.6")]
    if total > 0:
        keys.append(("ring", "share of the area, this class and those above"))
    return (
        '<section><h2>Accuracy</h2><p class="lead">On parcels that did not train the forest. Classes by decreasing '
        f"area.</p><figure>{picture}{_key(keys)}</figure></section>"
    )


def _key(keys: Sequence[tuple[str, str]]) -> str:
    parts = (f'<span class="key"><span class="swatch {kind}"></span>{text(name)}</span>' for kind, name in keys)
    return f"<figcaption>{''.join(parts)}</figcaption>"


def _drill_down(content: ReportContent, classes: Sequence[ClassFigures]) -> str:
    judged = content.judgement is not None
    last = '<span class="last">verdicts</span>' if judged else ""
    head = (
        '<div class="drill head"><span class="name">Class</span><span class="figure">parcels</span>'
        '<span class="figure less">hectares</span><span class="figure less">user’s</span>'
        f'<span class="figure less">producer’s</span><span class="figure">F1</span>{last}</div>'
    )
    return (
        '<section><h2>Class by class</h2><p class="lead">User’s accuracy: of what is predicted as the class, how much '
        "is declared as it. Producer’s accuracy: of what is declared, how much is predicted. Open a class for what it "
        f"is confused with.</p>{head}{''.join(_class(content, one) for one in classes)}</section>"
    )


def _class(content: ReportContent, one: ClassFigures) -> str:
    figures = [
        ("", f"{one.parcels:,}"),
        (" less", f"{one.area_ha:,.0f}" if one.area_ha else "–"),
        (" less", _percent(one.user)),
        (" less", _percent(one.producer)),
        ("", _decimal(one.f1)),
    ]
    cells = "".join(f'<span class="figure{kind}">{text(value)}</span>' for kind, value in figures)
    judged = sum(one.verdicts.values())
    stack = "" if content.judgement is None else f'<span class="stack">{_stack(one.verdicts, judged)}</span>'
    lines = [
        f"{one.classified:,} of {one.parcels:,} parcels are classified; {one.calibration:,} trained the forest "
        f"(strategy {one.strategy}, {_STRATEGIES[one.strategy]}), {one.validation:,} checked it."
    ]
    if one.taken_for:
        lines.append(f"Declared as {one.name}, predicted as {_list(one.taken_for)}.")
    if one.mistaken:
        lines.append(f"Predicted as {one.name}, declared as {_list(one.mistaken)}.")
    if judged:
        counts = ", ".join(f"{name} {number:,}" for name, number in one.verdicts.items())
        lines.append(f"Declarations: {counts}.")
    body = "".join(f"<p>{text(line)}</p>" for line in lines)
    return (
        f'<details class="drill"><summary><span class="name">{text(one.name)}</span>{cells}{stack}</summary>'
        f'<div class="inside">{body}{_doubtful(content, one.number)}</div></details>'
    )


def _stack(verdicts: Mapping[str, int], total: int) -> str:
    parts = []
    for name in VERDICTS:
        number = verdicts.get(name, 0)
        if number:
            kind, width = name.replace(" ", "-"), f"width:{100 * number / total:.2f}%"
            parts.append(f'<span class="{kind}" style="{width}" title="{text(name)}: {number:,}"></span>')
    return "".join(parts)


def _list(confusions: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {share:.1f} %" for name, share in confusions)


def _doubtful(content: ReportContent, number: int) -> str:
    """Return the parcels of a class that are looked at first."""
    judged, of = content.judgement, content.classification
    rows = content.doubtful(of.declared == number)[:5]
    if judged is None or not len(rows):
        return ""
    shown = ", ".join(
        f"{of.parcel_id[row]} looks like {content.name(judged.other[row])} ({chance(float(judged.chance_wrong[row]))})"
        for row in rows
    )
    return f"<p>To be looked at first: {text(shown)}.</p>"


def _confusion(content: ReportContent, classes: Sequence[ClassFigures]) -> str:
    metrics = content.classification.metrics
    if metrics is None:
        return ""
    place = {int(number): at for at, number in enumerate(metrics.classes)}
    shown = [one for one in classes if one.number in place][:_MAPPED]
    at = np.array([place[one.number] for one in shown], np.int64)
    others = np.setdiff1d(np.arange(len(metrics.classes)), at)
    confusion = metrics.confusion[np.ix_(at, at)]
    names = [one.name for one in shown]
    if len(others):
        confusion = np.block(
            [
                [confusion, metrics.confusion[np.ix_(at, others)].sum(axis=1, keepdims=True)],
                [
                    metrics.confusion[np.ix_(others, at)].sum(axis=0, keepdims=True),
                    metrics.confusion[np.ix_(others, others)].sum(keepdims=True),
                ],
            ]
        )
        names.append(f"{len(others)} others")
    keys = [("right", "predicted as declared"), ("wrong", "predicted as something else")]
    return (
        '<section><h2>Confusion</h2><p class="lead">Per cent of the validation parcels declared as the class of the '
        f"column.</p><figure>{confusion_map(names, confusion)}{_key(keys)}</figure></section>"
    )


def _confidence(content: ReportContent) -> str:
    metrics = content.classification.metrics
    if metrics is None:
        return ""
    series, keys = {}, []
    if content.uncalibrated:
        series["before calibration"] = content.uncalibrated
        keys.append(("right", "before calibration, validation parcels"))
    if content.judgement is not None and (calibrated := calibrated_deciles(content.judgement)):
        series["calibrated"] = calibrated
        keys.append(("overall", "calibrated, all judged parcels"))
    groups = [(f"{name} parcels", figures) for name, figures in metrics.by_size.items() if figures[1]]
    groups += [(f"tile {name}", figures) for name, figures in metrics.by_tile.items()]
    rows = "".join(
        f'<tr><td>{text(name)}</td><td class="count">{number:,}</td><td class="count">{_percent(share)}</td></tr>'
        for name, (share, number) in groups
    )
    return (
        '<section><h2>How far the confidence can be trusted</h2><div class="pair"><div>'
        f"<figure>{reliability_plot(series)}{_key(keys)}</figure></div><div>"
        '<p class="lead">On the dashed line a confidence is what it says: of predictions with 0.8, eight of ten are '
        "right. Above it they are too modest, below it too sure.</p>"
        '<table><thead><tr><th>Where</th><th class="count">Parcels</th><th class="count">Right</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></div></section>"
    )


def _importances(content: ReportContent) -> str:
    of = content.classification
    if not len(of.importances) or of.importances.sum() == 0:
        return ""
    order = np.argsort(-of.importances, kind="stable")[:_FEATURES]
    best = [(of.feature_names[at].removeprefix("XX_"), float(of.importances[at])) for at in order]
    by_month = importance_by_month(of)
    return (
        '<section><h2>What tells the crops apart</h2><div class="pair"><div>'
        f"<h3>The {len(best)} features that tell most, of {len(of.feature_names):,}</h3>"
        f"{ranked_bars(best, label='Importance of features', mono=True, names_width=230)}</div><div>"
        f"<h3>By source</h3>{ranked_bars(importance_by_source(of), label='Importance by source')}"
        f"<h3>By month</h3>{columns_plot(by_month, label='Importance by month')}</div></div></section>"
    )


def _left_out(content: ReportContent) -> str:
    status = content.classification.status
    names, counts = np.unique(status[content.classification.pred_1 == UNKNOWN], return_counts=True)
    if not len(names):
        return ""
    order = np.argsort(-counts, kind="stable")
    rows = "".join(
        f'<tr><td class="code">{text(names[at])}</td><td>{text(_LEFT_OUT.get(str(names[at]), ""))}</td>'
        f'<td class="count">{counts[at]:,}</td></tr>'
        for at in order
    )
    return (
        "<section><h2>Not classified</h2><table><thead><tr><th>ct_status</th><th>Why</th>"
        f'<th class="count">Parcels</th></tr></thead><tbody>{rows}</tbody></table></section>'
    )


def _holdings(content: ReportContent) -> str:
    if not content.holdings:
        return ""
    cells = "".join(
        f"<div><dt>{text(_DIAGNOSES.get(name, name))}</dt><dd>{number:,}</dd></div>"
        for name, number in content.holdings.items()
    )
    return (
        f'<section><h2>Crop diversification of holdings</h2><p class="lead">Rule set {text(content.rule_set)}; '
        "CropDiversification_holding.csv gives the reason for each.</p>"
        f'<dl class="numbers">{cells}</dl></section>'
    )


def _facts(content: ReportContent) -> str:
    if not content.facts:
        return ""
    tables = "".join(
        f"<div><h3>{text(section)}</h3><table><tbody>"
        + "".join(f"<tr><th>{text(name)}</th><td>{text(value)}</td></tr>" for name, value in rows.items())
        + "</tbody></table></div>"
        for section, rows in content.facts.items()
    )
    return f'<section><h2>How it was made</h2><div class="facts">{tables}</div></section>'
