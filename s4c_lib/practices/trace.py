"""Why a parcel got its verdict: the numbers each rule saw, as data and in plain words.

Made of the rows of a product (`product_tables`), so it is there for every parcel of every product, at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import NotFoundError
from s4c_lib.parcels.l4c_configuration_keys import Thresholds
from s4c_lib.practices.codes import Marker
from s4c_lib.practices.trace_words import FALSE_WORDS, FLAG_WORDS, MARKER_WORDS, RULE_WORDS, STATUS_WORDS, VERDICT_WORDS

Row = Mapping[str, Any]

_TRUE: Final = int(Marker.TRUE)
_FALSE: Final = int(Marker.FALSE)
_NAMES: Final = {int(one): one.name for one in Marker}
_DATES: Final = (
    "VEG_START", "H_START", "H_END", "P_START", "P_END", "L_WEEK", "H_W_START", "H_W_END", "H_W_S1", "TL_W_START",
    "TL_W_END", "H_CURRENT", "H_OPT", "VEG_WEEK", "HS_WEEK", "HE_WEEK", "AS_OF",
)  # fmt: skip
_FOUR_WEEKS: Final = 21
_THREE_WEEKS: Final = 14


def trace(
    results: pa.Table, weekly: pa.Table, parcel: int, thresholds: Mapping[str, Thresholds]
) -> list[dict[str, Any]]:
    """Trace a parcel; an entry for each practice it has a row of.

    Parameters
    ----------
    results, weekly : rows of `product_tables.result_table` and `weekly_table`.
    parcel : its number. thresholds : of the configuration, by practice.

    Returns
    -------
    list : ``sentences``, ``result`` (its row), ``thresholds`` and ``weeks``; dates are ISO 8601.

    Raises
    ------
    NotFoundError : it has no row.
    """
    mine = results.filter(pc.equal(results["NewID"], parcel))
    if not len(mine):
        raise NotFoundError(f"Parcel {parcel} has no row in the results.", hint="give its number or its identifier")
    weeks = weekly.filter(pc.equal(weekly["NewID"], parcel))
    found = []
    for row in mine.to_pylist():
        of_practice = pc.equal(weeks["PRACTICE_TABLE"].cast(pa.string()), row["PRACTICE_TABLE"])
        own = weeks.filter(of_practice).to_pylist()
        used = thresholds[row["PRACTICE_TABLE"]]
        found.append(
            {
                "sentences": sentences(row, own, used),
                "result": _plain(row),
                "thresholds": _plain(asdict(used)),
                "weeks": [_plain(week) for week in own],
            }
        )
    return found


def sentences(row: Row, weeks: Sequence[Row], thresholds: Thresholds) -> list[str]:
    """The verdict of one practice and how it came about, in order."""
    return list(_sentences(row, weeks, thresholds))


def _sentences(row: Row, weeks: Sequence[Row], used: Thresholds) -> Iterator[str]:
    yield (
        f"Parcel {row['NewID']} ({row['ORIG_ID']}), main crop {row['MAIN_CROP'] or 'not given'}, "
        f"{row['COUNTRY']} {row['YEAR']}, data up to {_day(row['AS_OF'])}."
    )
    kind = f" ({row['P_TYPE']})" if row["P_TYPE"] else ""
    declared = "" if row["PRACTICE"] in (None, "NA") else f" Declared practice: {row['PRACTICE']}{kind}."
    yield f"Harvest is expected from {_day(row['H_START'])} to {_day(row['H_END'])}.{declared}"
    if row["STATUS"] != "OK":
        yield f"No result ({row['STATUS']}): {STATUS_WORDS.get(row['STATUS'], 'see the documentation')}."
        return
    yield from _season(row, weeks, used)
    yield from _harvest(row, weeks, used)
    if row["TL_STATE"] is not None:
        yield _tillage(row, used)
    if row["PRACTICE_TABLE"] != "NA":
        yield from _practice(row, weeks, used)
    yield from _confidence(row, weeks)


def _season(row: Row, weeks: Sequence[Row], used: Thresholds) -> Iterator[str]:
    first, last = weeks[0]["WEEK"], weeks[-1]["WEEK"]
    yield (
        f"{len(weeks)} weeks from {_day(first)} to {_day(last)} have backscatter and coherence, "
        f"{sum(week['NDVI'] is not None for week in weeks)} of them NDVI."
    )
    begun = next((week for week in weeks if week["M1"] == _TRUE), None)
    limit = _ndvi(used.optthrvegcycle)
    if begun is None:
        highest = max((week["NDVI"] for week in weeks if week["IN_SEASON"] and week["NDVI"] is not None), default=None)
        most = "there is none" if highest is None else f"the highest is {_ndvi(highest)}"
        yield f"NDVI never rose above {limit} in the vegetation season ({most}): no crop was seen (M1 FALSE)."
        return
    yield f"NDVI rose above {limit} in the week of {_day(begun['WEEK'])}: a crop was there (M1 TRUE)."


def _harvest(row: Row, weeks: Sequence[Row], used: Thresholds) -> Iterator[str]:
    if row["T"] is not None and row["BRK"] is not None and any(week["M1"] == _TRUE for week in weeks):
        limit = _ndvi(row["T"] + row["T_BUF"])
        dropped = any(week["NDVI_DROP"] for week in weeks)
        optical = (
            f"NDVI before or after it below {limit}, from the week of {_day(row['H_OPT'])} on"
            if dropped
            else f"a drop of NDVI from one image to the next below {_ndvi(used.ndviup)}, and there was none"
        )
        yield (
            f"A harvest week needs all of: {optical}; VV - VH risen by more than {_two(row['BRK'])} and above "
            f"{_two(row['LEVEL'])}; coherence risen by {_two(used.cohthrbase)} or at least {_two(row['A'])}."
        )
    if row["H_STATE"] == "FOUND":
        week = next((one for one in weeks if one["WEEK"] == row["H_W_START"]), None)
        seen = "" if week is None else f": {_what_was_seen(week)}"
        yield f"Harvest in week {row['H_WEEK']}, {_day(row['H_W_START'])} to {_day(row['H_W_END'])}{seen}."
        if row["H_DELAY"] is not None:
            confirmed = row["H_W_START"] + timedelta(days=row["H_DELAY"])
            yield f"The NDVI that confirmed it is of {_day(confirmed)}."
        return
    if "HARVEST_ERASED" in row["FLAGS"].split(","):
        yield f"A harvest was seen in the week of {_day(row['H_CURRENT'])}."
        return
    if not any(week["M1"] == _TRUE for week in weeks):
        yield "No harvest was found: without a crop none is looked for."
        return
    yield "No harvest was found."
    nearest = _nearest(row, weeks)
    if nearest is not None:
        lacking = [number for number in range(1, 6) if nearest[f"M{number}"] != _TRUE]
        words = "; ".join(f"M{number} ({MARKER_WORDS[number]})" for number in lacking)
        yield f"The week of {_day(nearest['WEEK'])} came nearest: {_what_was_seen(nearest)}. It lacks {words}."
    if row["H_S1_STATE"] == "FOUND":
        yield f"Radar alone saw a harvest in the week of {_day(row['H_W_S1'])}; NDVI does not confirm it."


def _nearest(row: Row, weeks: Sequence[Row]) -> Row | None:
    """The week of the season that has most of the five markers; the first of several."""
    asked = [week for week in weeks if week["IN_SEASON"] and (row["HS_WEEK"] is None or week["WEEK"] >= row["HS_WEEK"])]
    if not asked:
        return None
    return max(
        asked, key=lambda week: (sum(week[f"M{one}"] == _TRUE for one in range(1, 6)), week["RATIO_CHANGE"] or 0)
    )


def _what_was_seen(week: Row) -> str:
    before, after = _ndvi(week["NDVI_PREV"]), _ndvi(week["NDVI_NEXT"])
    return (
        f"NDVI {before} before and {after} after, VV - VH {_two(week['RATIO_MEAN'])} on average "
        f"(risen by {_two(week['RATIO_CHANGE'])}, highest {_two(week['RATIO_MAX'])}), "
        f"coherence {_two(week['COH_MAX'])} "
        f"(risen by {_two(week['COH_CHANGE'])})"
    )


def _tillage(row: Row, used: Thresholds) -> str:
    match row["TL_STATE"]:
        case "FOUND":
            return (
                f"Tillage in week {row['TL_WEEK']}, from {_day(row['TL_W_START'])}: after the harvest coherence was "
                f"high, and in this week it neither rose by {_two(used.tlcohthrbase)} nor reached {_two(row['A_TL'])}."
            )
        case "NOT_FOUND":
            return f"No tillage: NDVI rose above {_ndvi(used.optthrvegcycle)} again before coherence was lost."
        case _:
            if row["H_STATE"] != "FOUND":
                return "Tillage cannot be told: it is looked for after a harvest, and there is none."
            return "Tillage cannot be told: after the harvest coherence was not seen to fall from a high level."


def _practice(row: Row, weeks: Sequence[Row], used: Thresholds) -> Iterator[str]:
    if row["P_START"] is None:
        yield RULE_WORDS["NONE"]
        return
    computed = "PERIOD_COMPUTED" in row["FLAGS"].split(",")
    yield f"The practice period is {_day(row['P_START'])} to {_day(row['P_END'])}{', computed' if computed else ''}."
    if computed and row["CC_LIM"] is not None:
        yield _computed_start(row, weeks, used)
    for number in range(6, 11):
        code = row[f"M{number}"]
        if code in (_TRUE, _FALSE):
            words = MARKER_WORDS if code == _TRUE else FALSE_WORDS
            yield f"M{number} {_NAMES[code]}: {words[number]}{_where_it_failed(row, weeks, number, used)}."
    yield RULE_WORDS.get(row["RULE"], f"Rule {row['RULE']}.")
    yield f"C_INDEX {row['C_INDEX']}: {VERDICT_WORDS[row['C_INDEX']]}."
    if row["C_INDEX"] == "NR" and row["C_PRELIMINARY"] not in ("NR", "NA", None):
        yield f"The period is still open; so far it would be {row['C_PRELIMINARY']}."


def _computed_start(row: Row, weeks: Sequence[Row], used: Thresholds) -> str:
    """Why a computed period starts when it does."""
    bare = (
        f"NDVI below {_ndvi(row['CC_LIM'])}, bare land by an NDVI between {_ndvi(row['CC_MIN'])} and "
        f"{_ndvi(row['CC_MAX'])}, while radar saw a loss"
    )
    if any(week["CC_BREAK"] and week["WEEK"] == row["P_START"] for week in weeks):
        return f"It starts in a week of {bare}."
    if row["P_START"] == used.catchperiodstart:
        return "It starts on the first day on which it may (CATCHPERIODSTART)."
    return f"No week in time had {bare}; so it starts when the main crop was gone."


def _where_it_failed(row: Row, weeks: Sequence[Row], number: int, used: Thresholds) -> str:
    """For a marker that is FALSE, the weeks that made it so; for M6, what it was compared with."""
    if number == 6:
        level = _ndvi(used.efandvithr)
        return f" (NDVI of {level} or more)" if row["M6"] == _TRUE else f" (NDVI never reached {level})"
    if number == 10 and row["QUIET"] is not None:
        return f" (nine weeks in a row without a rise or high level of it are asked for, the most are {row['QUIET']})"
    if row[f"M{number}"] == _TRUE:
        return ""
    column = {7: "GROW", 8: "NOL", 9: "ANOL", 10: "CNOL"}[number]
    skipped = {7: _FOUR_WEEKS, 10: _THREE_WEEKS}.get(number, 0) if row["PRACTICE_TABLE"] == "CC" else 0
    failed = [week for week in weeks if week[column] == _FALSE]
    if skipped:
        monday = row["P_START"].toordinal() - row["P_START"].weekday()
        failed = [week for week in failed if week["WEEK"].toordinal() - monday >= skipped]
    if not failed:
        return ""
    shown = ", ".join(f"{_day(week['WEEK'])}{_failed_value(week, number)}" for week in failed[:6])
    return f", in the weeks of {shown}{' and later' if len(failed) > 6 else ''}"


def _failed_value(week: Row, number: int) -> str:
    if number in (7, 8):
        return f" (NDVI {_ndvi(week['NDVI'])})" if week["NDVI"] is not None else ""
    if number == 9:
        return f" (VV - VH {_two(week['RATIO_MEAN'])})"
    return f" (coherence {_two(week['COH_MAX'])}, risen by {_two(week['COH_CHANGE'])})"


def _confidence(row: Row, weeks: Sequence[Row]) -> Iterator[str]:
    yield (
        f"Since 1 January {row['S1GAPS']} weeks lack radar, {row['H_S1GAPS']} of them in the time of harvest, "
        f"{row['P_S1GAPS']} in the declared practice period; {row['N_NDVI_V']} weeks of the season have NDVI."
    )
    if row["H_QUALITY"]:
        yield "The harvest week is of low confidence: radar is missing in the weeks before it."
    if row["C_QUALITY"]:
        yield "C_INDEX is of low confidence: radar is missing in the practice period."
    for flag in filter(None, row["FLAGS"].split(",")):
        if flag == row["RULE"]:
            continue  # said as the rule
        yield FLAG_WORDS.get(flag, flag)
    last = weeks[-1]
    states = ", ".join(f"M{number} {_NAMES[last[f'M{number}']]}" for number in range(1, 6))
    yield f"Reported M1 to M5 are those of the last week, {_day(last['WEEK'])}: {states}."


def as_read(traced: Mapping[str, Any]) -> tuple[Row, list[Row], Thresholds]:
    """Row, weeks and thresholds of an entry of `trace`, with dates again; for the picture."""
    days = [one.name for one in fields(Thresholds) if "date" in str(one.type)]
    used: dict[str, Any] = {
        name: _date(value) if name in days else value for name, value in traced["thresholds"].items()
    }
    row: Row = {name: _date(value) if name in _DATES else value for name, value in traced["result"].items()}
    weeks: list[Row] = [{**week, "WEEK": _date(week["WEEK"])} for week in traced["weeks"]]
    return row, weeks, Thresholds(**used)


def _date(text: Any) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def _day(day: date | None) -> str:
    return "no date" if day is None else day.isoformat()


def _ndvi(value: float | None) -> str:
    return "none" if value is None else f"{value / 1000:.3f}"


def _two(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
