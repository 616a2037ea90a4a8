"""What a run found as tables: an event a row, a parcel a row, and the columns Sen4CAP's files have (section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.mowing.compliance import Compliance
from s4c_lib.mowing.events import MISSION_NAMES, NOT_SEEN, Mission
from s4c_lib.mowing.sufficiency import REASONS, CannotTell, why_not

if TYPE_CHECKING:
    from s4c_lib.mowing.detection import Mowing
    from s4c_lib.mowing.optical_settings import OpticalSettings
    from s4c_lib.statistics.matrices import Key, Series

PLACES: Final = 4
"""Events of a parcel that Sen4CAP's files hold."""

PROCESSED: Final = "processed"
FEW_PAIRS: Final = "few_pairs"
RADAR_DAYS: Final = 12
NOT_MONITORABLE: Final = ("geometry", "min_pixels")
"""Values of ``status`` that say from the start that a parcel cannot be seen."""

_MOMENT: Final = pa.timestamp("s", tz="UTC")
_NO_TIME: Final = np.datetime64("NaT", "s")

EVENT_NOTES: Final = {
    "parcel_id": "Number of the parcel (NewID)",
    "seq": "Number of the event in its parcel, by date, from 1",
    "start": "Last time surely before the mowing (UTC)",
    "end": "First time surely after the mowing (UTC)",
    "confidence": "Confidence, 0 to 1",
    "missions": "S2, S1 or S2/S1",
    "n": "Passes that saw it: the optical series counts once, each radar orbit once",
    "reported": "Whether its confidence reaches processor.s4c_l4b.min_conf",
    "place": "1 to 4 by date among the four most confident of the parcel; empty for the others",
    "s2_drop": "D of the drop test",
    "s2_v0": "NDVI before",
    "s2_v1": "NDVI at its lowest",
    "s2_t0": "Observation before (UTC)",
    "s2_t1": "Observation at the lowest (UTC)",
    "s2_t2": "Observation that confirms (UTC)",
    "s1_orbit": "Relative orbit that saw it best",
    "s1_d": "Radar evidence of all orbits (log-likelihood ratio); D of the jump test where each orbit detects alone",
    "s1_t0": "Earlier image of the pair (UTC)",
    "s1_t1": "Later image of the pair (UTC)",
}
"""Columns of `event_table`."""

SEN4CAP_EVENT_NAMES: Final = {
    "parcel_id": "parcel_id", "seq": "seq", "start": "dstart", "end": "dend", "confidence": "conf",
    "missions": "mission",
}  # fmt: skip
"""How tables of the database and of the GeoPackage call columns of `event_table`; the others keep their names."""

RESULT_NOTES: Final = {
    "parcel_id": "Number of the parcel (NewID)",
    "mow_n": "Number of mowing events",
    "proc": "1 where at least one mission looked at the parcel",
    "compl": "-1 no period for the crop, 0 not assessed, 1 compliant, 2 not compliant, 3 mown inside and outside",
    "max_gap_d": "Longest time without a valid Sentinel-2 observation in the period, days",
    "n_clear": "Valid Sentinel-2 observations in the period",
    "n_pairs": "Valid coherence values in the period",
    "status": "processed, or why there is no result: geometry, min_pixels, no_observation",
    "cannot_tell": "Why the absence of events means little: few_clear_dates, long_gap, few_pairs; or empty",
    "decision": "yes, no, inconclusive, not_applicable or not_monitorable; 'no' asks for a review",
}
"""Columns of `parcel_table`."""


def event_table(mowing: Mowing, series: Mapping[Key, Series]) -> pa.Table:
    """Every event with the observations that made it, by parcel and date; columns of `EVENT_NOTES`.

    Parameters
    ----------
    series : the matrices the events were found in.
    """
    events = mowing.events
    count = len(events)
    number = mowing.parcel_id[events.parcel]
    begins = np.searchsorted(events.parcel, events.parcel, side="left")
    place = _places(events.parcel, events.start, events.confidence, mowing.reported)
    optical = next((one for (variable, _), one in series.items() if variable == "ndvi"), None)
    times = np.empty(0, "datetime64[s]") if optical is None else optical.time
    pairs = _pair_times(events.s1_orbit, events.s1_pair, series)
    named = [MISSION_NAMES[Mission(int(value))] for value in range(1, 4)]
    columns: dict[str, Any] = {
        "parcel_id": pa.array(number, pa.int64()),
        "seq": pa.array(np.arange(count) - begins + 1, pa.int32()),
        "start": _moments(events.start),
        "end": _moments(events.end),
        "confidence": pa.array(events.confidence),
        "missions": pa.array(named, pa.string()).take(pa.array(events.missions.astype(np.int64) - 1)),
        "n": pa.array(events.n.astype(np.int32)),
        "reported": pa.array(mowing.reported),
        "place": pa.array(place, pa.int32(), mask=place == 0),
        "s2_drop": _known(events.s2_drop),
        "s2_v0": _known(events.s2_v0),
        "s2_v1": _known(events.s2_v1),
        "s2_t0": _at(times, events.s2_before),
        "s2_t1": _at(times, events.s2_low),
        "s2_t2": _at(times, events.s2_after),
        "s1_orbit": pa.array(events.s1_orbit.astype(np.int32), mask=events.s1_orbit == NOT_SEEN),
        "s1_d": _known(events.s1_excess),
        "s1_t0": _moments(pairs[0]),
        "s1_t1": _moments(pairs[1]),
    }
    return pa.table(columns)


def parcel_table(mowing: Mowing, first: date, last: date, settings: OpticalSettings) -> pa.Table:
    """What became of every parcel, in their order; columns of `RESULT_NOTES`.

    Parameters
    ----------
    first, last : of the period. settings : see `cannot_tell`.
    """
    gap = mowing.max_gap_d
    columns: dict[str, Any] = {
        "parcel_id": pa.array(mowing.parcel_id, pa.int64()),
        "mow_n": pa.array(mowing.mow_n.astype(np.int32)),
        "proc": pa.array(mowing.covered.astype(np.int32)),
        "compl": pa.array(mowing.compl.astype(np.int32)),
        "max_gap_d": pa.array(gap.astype(np.int32), mask=gap < 0),
        "n_clear": pa.array(mowing.n_clear.astype(np.int32)),
        "n_pairs": pa.array(mowing.n_pairs.astype(np.int32)),
        "status": pa.array(mowing.status_names, pa.string()),
        "cannot_tell": pa.array(cannot_tell(mowing, first, last, settings), pa.string()),
    }
    return with_decision(pa.table(columns))


def cannot_tell(mowing: Mowing, first: date, last: date, settings: OpticalSettings) -> list[str | None]:
    """Why the absence of events means little, for parcels that were processed: `sufficiency.why_not`.

    Radar that saw the parcel at least every `RADAR_DAYS` days makes up for what the optical series lacks; a run of
    radar alone has the reason ``few_pairs`` where it did not.
    """
    days = (last - first).days + 1
    watched = mowing.n_pairs.astype(np.int64) * RADAR_DAYS >= days
    names = np.array([REASONS[CannotTell(number)] for number in range(len(REASONS))], object)
    optical = names[why_not(mowing.n_clear, mowing.max_gap_d, days, settings)]
    reasons = np.select([watched, mowing.max_gap_d < 0], ["", FEW_PAIRS], optical)
    processed = mowing.status_names == PROCESSED
    return [str(reason) if reason and seen else None for reason, seen in zip(reasons, processed, strict=True)]


def with_decision(parcels: pa.Table) -> pa.Table:
    """Add what the result means for the paying agency (lpis-and-inputs.md 6.3).

    "No" needs a series in which mowing would have been seen. The same holds for a "yes" that rests on the absence of
    events.
    """
    compl, status = parcels["compl"], parcels["status"]
    doubtful = pc.is_valid(parcels["cannot_tell"])
    absent = pc.equal(parcels["mow_n"], 0)
    cases = pc.make_struct(
        pc.equal(compl, int(Compliance.NO_PERIOD)),
        pc.is_in(status, value_set=pa.array(NOT_MONITORABLE)),
        pc.equal(compl, int(Compliance.NOT_ASSESSED)),
        pc.and_(doubtful, pc.or_(absent, pc.greater(compl, int(Compliance.COMPLIANT)))),
        pc.equal(compl, int(Compliance.COMPLIANT)),
    )
    decision = pc.case_when(cases, "not_applicable", "not_monitorable", "inconclusive", "inconclusive", "yes", "no")
    return parcels.append_column("decision", decision)


def wide_table(parcels: pa.Table, events: pa.Table) -> pa.Table:
    """A row a parcel with the columns of Sen4CAP's product: the four most confident events by date, null where none.

    Parameters
    ----------
    parcels, events : of `parcel_table` and `event_table`.
    """
    number = parcels["parcel_id"]
    columns: dict[str, Any] = {"NewID": number.cast(pa.int32()), "mow_n": parcels["mow_n"]}
    for place in range(1, PLACES + 1):
        of_place = events.filter(pc.equal(events["place"], place))
        at = pc.index_in(number, value_set=of_place["parcel_id"].combine_chunks())
        for name, source in (("dstart", "start"), ("dend", "end"), ("conf", "confidence"), ("mis", "missions")):
            columns[f"m{place}_{name}"] = of_place[source].take(at)
    rest = [name for name in RESULT_NOTES if name not in ("parcel_id", "mow_n")]
    return pa.table(columns | {name: parcels[name] for name in rest})


WIDE_NOTES: Final = {
    "NewID": "Number of the parcel, unique in the site and year",
    "mow_n": RESULT_NOTES["mow_n"],
    **{
        f"m{place}_{name}": f"{text} of event {place}, of the four most confident by date"
        for place in range(1, PLACES + 1)
        for name, text in (
            ("dstart", "Last time surely before (UTC)"),
            ("dend", "First time surely after (UTC)"),
            ("conf", "Confidence, 0 to 1,"),
            ("mis", "Missions"),
        )
    },
    **{name: text for name, text in RESULT_NOTES.items() if name not in ("parcel_id", "mow_n")},
}
"""Columns of `wide_table`."""


def sen4cap_fields(wide: pa.Table) -> pa.Table:
    """The result fields as Sen4CAP writes them, in its order: ``"0"`` for no date, 3 decimals, at most four events."""
    columns: dict[str, Any] = {"NewID": wide["NewID"]}
    placed: Any = pa.array(np.zeros(wide.num_rows, np.int32))
    for place in range(1, PLACES + 1):
        placed = pc.add(placed, pc.is_valid(wide[f"m{place}_dstart"]).cast(pa.int32()))
    columns["mow_n"] = placed
    for place in range(1, PLACES + 1):
        for name in ("dstart", "dend"):
            text = pc.strftime(wide[f"m{place}_{name}"].cast(pa.timestamp("s")), format="%Y-%m-%d %H:%M:%S")
            columns[f"m{place}_{name}"] = pc.fill_null(text, "0")
        columns[f"m{place}_conf"] = pc.fill_null(pc.round(wide[f"m{place}_conf"], 3), 0.0)
        columns[f"m{place}_mis"] = pc.fill_null(wide[f"m{place}_mis"], "0")
    return pa.table(columns | {name: wide[name] for name in ("proc", "compl")})


def _places(
    parcel: npt.NDArray[np.int64],
    start: npt.NDArray[np.datetime64],
    confidence: npt.NDArray[np.float64],
    reported: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int32]:
    """1 to 4 by date for the four most confident reported events of each parcel, 0 for the others."""
    place = np.zeros(len(parcel), np.int32)
    rows = np.flatnonzero(reported)
    best = rows[np.lexsort((start[rows], -confidence[rows], parcel[rows]))]
    chosen = best[_rank(parcel[best]) < PLACES]
    chosen = chosen[np.lexsort((start[chosen], parcel[chosen]))]
    place[chosen] = _rank(parcel[chosen]) + 1
    return place


def _rank(ascending: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number of each element among those of its value, from 0."""
    rank: npt.NDArray[np.int64] = np.arange(len(ascending)) - np.searchsorted(ascending, ascending, side="left")
    return rank


def _pair_times(
    orbit: npt.NDArray[np.int16], pair: npt.NDArray[np.int32], series: Mapping[Key, Series]
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.datetime64]]:
    """Times of both images of each event's pair, NaT where no radar saw it."""
    earlier, later = (np.full(len(orbit), _NO_TIME) for _ in range(2))
    for number in np.unique(orbit[orbit != NOT_SEEN]).tolist():
        one = series.get(("coherence_vh", number)) or series[("coherence_vv", number)]
        of_orbit = np.flatnonzero((orbit == number) & (pair != NOT_SEEN))
        earlier[of_orbit] = one.previous_time[pair[of_orbit]]
        later[of_orbit] = one.time[pair[of_orbit]]
    return earlier, later


def _at(times: npt.NDArray[np.datetime64], column: npt.NDArray[np.int32]) -> pa.Array:
    seen = column != NOT_SEEN
    found = np.full(len(column), _NO_TIME)
    found[seen] = times[column[seen]]
    return _moments(found)


def _moments(times: npt.NDArray[np.datetime64]) -> pa.Array:
    return pa.array(times.astype("datetime64[s]")).cast(_MOMENT)


def _known(values: npt.NDArray[np.float64]) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))
