"""L4C as one would first write it: one parcel after the other, straight from l4c-practices.md sections 6 to 14.

Nothing of the package decides here but its thresholds: the peer of the tests and the benchmark.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any

from s4c_lib.parcels.l4c_configuration_keys import Thresholds

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
EPS = 1e-8


@dataclass
class Parcel:
    """Observations and the row of a parcel; radar in the scale of the thresholds, NDVI x 1000.

    Parameters
    ----------
    vv, vh : (day, orbit, mean, sd). coherence : (day, orbit, mean, sd). ndvi : (day, mean).
    """

    vv: list[tuple[date, int, float, float]]
    vh: list[tuple[date, int, float, float]]
    coherence: list[tuple[date, int, float, float]]
    ndvi: list[tuple[date, float]]
    veg_start: date
    h_start: date
    h_end: date
    practice: str
    p_type: str
    p_start: date | None
    p_end: date | None
    s1_pix: int


@dataclass
class Rules:
    """What holds for all parcels; ``repairs`` as in the registry."""

    kind: str
    thresholds: Thresholds
    repairs: frozenset[int]
    year: int
    gap_limit: date
    tillage: bool
    pooled: int
    season_start: date | None = None
    acquisitions: int = 15
    pair_days: int = 6


@dataclass
class Result:
    """Texts by column of the result table, and weekly rows by Monday."""

    row: dict[str, str]
    weekly: dict[date, dict[str, Any]] = field(default_factory=dict)


def monday(day: date) -> date:
    """Of the week of a day."""
    return day - day.weekday() * DAY


def away(value: float) -> int:
    """Rounded, halves away from zero."""
    return math.floor(value + 0.5) if value >= 0 else -math.floor(-value + 0.5)


def less(a: float, b: float) -> bool:
    """Less, and not equal by 1e-8."""
    return a < b - EPS


def at_least(a: float, b: float) -> bool:
    """More, or equal by 1e-8."""
    return a > b - EPS


@cache
def critical(n: int) -> float:
    """F above which a slope through n points is significant."""
    from scipy.stats import f

    return float(f.isf(0.05, 1, n - 2))


def word(value: bool | None) -> str:
    """As the result table writes it."""
    return "NA" if value is None else "TRUE" if value else "FALSE"


def decide_parcel(p: Parcel, rules: Rules) -> Result:
    """Results of one parcel as texts of the result table."""
    row: dict[str, str] = {"VEG_START": p.veg_start.isoformat()}
    told = [f"M{k}" for k in range(1, 11)]
    told += ["L_WEEK", "H_WEEK", "H_W_START", "H_W_END", "H_W_S1", "C_INDEX"]
    told += ["S1GAPS", "H_S1GAPS", "P_S1GAPS", "H_W_S1GAPS", "TL_WEEK", "TL_W_START", "TL_W_END"]

    def nothing(text: str) -> Result:
        ends = {"P_START": p.p_start, "P_END": p.p_end}
        return Result(
            row
            | dict.fromkeys(told, text)
            | {name: "NA" if day is None else day.isoformat() for name, day in ends.items()}
            | {"H_QUALITY": "", "C_QUALITY": ""}
        )

    if p.s1_pix < 1:
        return nothing("NA1")
    if 2 in rules.repairs:
        first = date(p.veg_start.year, 1, 1)
        first = first if rules.season_start is None else min(first, rules.season_start)
        p = Parcel(
            *([one for one in several if one[0] >= first] for several in (p.vv, p.vh, p.coherence, p.ndvi)),  # type: ignore[arg-type]
            p.veg_start, p.h_start, p.h_end, p.practice, p.p_type, p.p_start, p.p_end, p.s1_pix,
        )  # fmt: skip
    season = Season(p, rules)
    if not season.weeks:
        return nothing("NA")
    return season.result(row)


class Season:
    """Sections 6 to 14 for one parcel."""

    def __init__(self, p: Parcel, rules: Rules) -> None:
        self.p, self.rules, self.t = p, rules, rules.thresholds
        self.weeks: list[date] = []
        self.veg, self.hs, self.he = monday(p.veg_start), monday(p.h_start), monday(p.h_end)
        if p.veg_start.isocalendar()[1] == 1:
            self.veg += WEEK
        if p.h_start.isocalendar()[1] == 1:
            self.hs += WEEK
        self.year = p.veg_start.year
        self.pairs = self._pairs()
        self.coherence = self._changes()
        if not self.pairs or self.coherence is None or not p.ndvi:
            return
        self.ratio, self.coh, self.ndvi = self._grouped(self.pairs, self.coherence, p.ndvi)
        self.weeks = sorted(set(self.ratio) & set(self.coh))
        if not self.weeks:
            return
        self.last = self.weeks[-1]
        self.nd = {w: self.ndvi.get(w) for w in self.weeks}
        self._amp_changes()
        self._neighbours()
        if self.veg not in self.weeks:
            self.veg = next((w for w in self.weeks if w > self.veg), self.veg)

    # section 6

    def _pairs(self) -> list[tuple[date, float, bool]]:
        def unique(values: list[tuple[date, int, float, float]]) -> list[tuple[date, int, float, float]]:
            seen: set[tuple[date, float, float]] = set()
            kept = []
            for one in values:
                key = one[0], one[2], one[3]
                if key not in seen:
                    kept.append(one)
                seen.add(key)
            return kept

        apart = 3 in self.rules.repairs
        vv, vh = (self.p.vv, self.p.vh) if apart else (unique(self.p.vv), unique(self.p.vh))
        return [
            (day, a - b, a <= -3 + EPS)
            for day, orbit, a, _ in vv
            for other_day, other_orbit, b, _ in vh
            if day == other_day and (not apart or orbit == other_orbit)
        ]

    def _changes(self) -> list[tuple[date, float, float]] | None:
        found: list[tuple[date, float, float]] = []
        seen: set[tuple[date, float, float]] = set()
        longest = 0
        for orbit in sorted({one[1] for one in self.p.coherence}):
            own = sorted(one for one in self.p.coherence if one[1] == orbit)
            longest = max(longest, len(own))
            for k, (day, _, mean, sd) in enumerate(own):
                change = 0.0
                if k and (day - own[k - 1][0]).days <= self.rules.pair_days:
                    change = max(0.0, mean - own[k - 1][2])
                if (day, mean, sd) not in seen:
                    found.append((day, mean, change))
                seen.add((day, mean, sd))
        if longest < self.rules.acquisitions or len(found) < self.rules.pooled:
            return None
        self.cmax = max(mean for _, mean, _ in found)
        return found

    def _grouped(
        self,
        pairs: Sequence[tuple[date, float, bool]],
        coherence: Sequence[tuple[date, float, float]],
        ndvi: Sequence[tuple[date, float]],
    ) -> tuple[dict[date, tuple[float, float]], dict[date, tuple[float, float]], dict[date, float]]:
        ratios: dict[date, list[float]] = {}
        for day, value, _ in pairs:
            ratios.setdefault(monday(day), []).append(value)
        coherences: dict[date, list[tuple[float, float]]] = {}
        for day, mean, change in coherence:
            coherences.setdefault(monday(day), []).append((mean, change))
        images: dict[date, list[float]] = {}
        for day, value in ndvi:
            images.setdefault(monday(day), []).append(value)
        return (
            {w: (sum(values) / len(values), max(0.0, *values)) for w, values in ratios.items()},
            {
                w: (max(0.0, *(m for m, _ in values)), away(max(c for _, c in values) * 1000 + EPS) / 1000)
                for w, values in coherences.items()
            },
            {w: float(away(sum(values) / len(values) + EPS)) for w, values in images.items()},
        )

    def _amp_changes(self) -> None:
        available = sorted(self.ratio)
        self.amp_change: dict[date, float] = {}
        for i, w in enumerate(available):
            if i < 3:
                self.amp_change[w] = 0.0
                continue
            mean = sum(self.ratio[v][0] for v in available[i - 3 : i]) / 3
            self.amp_change[w] = away(max(0.0, self.ratio[w][0] - mean) * 100) / 100

    def _neighbours(self) -> None:
        self.before: dict[date, float | None] = dict.fromkeys(self.weeks)
        self.after: dict[date, float | None] = dict.fromkeys(self.weeks)
        for i, w in enumerate(self.weeks):
            if w >= self.veg:
                earlier = [self.nd[v] for v in self.weeks[:i] if v >= self.veg and self.nd[v] is not None]
                self.before[w] = earlier[-1] if earlier else self.nd[w]
            following = i + 1 < len(self.weeks) and self.weeks[i + 1] >= self.veg
            just_before = w < self.veg and (following or i + 1 == len(self.weeks))
            if w >= self.veg or just_before:
                later = [self.nd[v] for v in self.weeks[max(i, 1) :] if self.nd[v] is not None]
                self.after[w] = later[0] if later else None
            if self.nd[w] is not None and self.before[w] is None and self.after[w] is not None:
                self.before[w] = self.after[w]

    # sections 7 and 8

    def _harvest(self) -> None:
        t, p, weeks = self.t, self.p, self.weeks
        ps = None if p.p_start is None else monday(p.p_start)
        second = p.practice == "CatchCrop" and ps is not None and p.p_type not in (t.catchmain, t.catchcropismain)
        v = [w for w in weeks if self.veg <= w <= self.he]
        if second and ps is not None and not self.rules.tillage and self.veg < ps and 4 not in self.rules.repairs:
            v = sorted(set(v) | {w for w in weeks if self.veg <= w <= ps + WEEK})
        self.v = v
        if self.he not in weeks:
            if 5 in self.rules.repairs:
                self.he = max((w for w in weeks if w <= self.he), default=self.veg)
            else:
                self.he = self.last
        self.m1: dict[date, bool | None] = dict.fromkeys(weeks)
        grown = False
        for w in weeks:
            if self.veg <= w <= self.he:
                own = self.nd[w]
                grown = grown or (own is not None and own > t.optthrvegcycle)
                self.m1[w] = grown
        seen = [(w, value) for w in v if (value := self.nd[w]) is not None]
        self.crop = any(value > t.optthrvegcycle for _, value in seen)
        self.drops = [
            w
            for (_, pv), (w, value) in itertools.pairwise(seen)
            if self.m1[w] is not False and value < pv and value < t.ndviup
        ]
        low = [value for w, value in seen if w in self.drops]
        if all(value < t.ndvidw for _, value in seen) or any(value < t.ndvidw for value in low):
            self.threshold = t.ndvidw
        elif low:
            self.threshold = t.ndvistep * math.ceil(min(low) / t.ndvistep)
        else:
            self.threshold = t.ndviup
        buffer = 0
        if sum(self.m1[w] is True for w, _ in seen) > 1:
            buffer = max(0, away((max(value for _, value in seen) - self.threshold) / t.optthrbufden))
        tb = self.threshold + buffer
        hopt = self.hs
        for w in weeks:
            a, b = self.after[w], self.before[w]
            if w >= self.hs and a is not None and b is not None and a < tb and b > self.threshold and b > a:
                hopt = w
                break
        self.m2 = {w: bool(self.drops) and self._m2(w, tb, hopt) for w in weeks}
        self.level = t.cohthrabs if at_least(self.cmax, t.cohthrabs) else self.cmax - t.cohthrbase
        self.m5 = {w: at_least(self.coh[w][1], t.cohthrbase) or at_least(self.coh[w][0], self.level) for w in weeks}
        usual = self._grouped([pair for pair in self.pairs if pair[2]], [], [])[0]
        means = [mean for mean, _ in usual.values()]
        mu, sigma = 0.0, 0.0
        if len(means) >= 2:
            mu = math.fsum(means) / len(means)
            sigma = math.sqrt(math.fsum((mean - mu) ** 2 for mean in means) / (len(means) - 1))
        brk = max(sigma / t.ampthrbreakden, t.ampthrmin)
        rises = [less(brk, self.amp_change[w]) for w in weeks]
        self.m3 = {}
        for i, w in enumerate(weeks):
            near = 0 < i < len(weeks) - 1 and less(t.cohthrhigh, self.coh[w][1]) and any(rises[i - 1 : i + 2])
            self.m3[w] = rises[i] or near
        level = mu - (sigma / t.ampthrvalden if t.stddevinampthr else 0)
        self.m4 = {
            w: less(level, self.ratio[w][1])
            or (less(t.cohthrhigh, self.coh[w][1]) and self.m1[w] is True and self.m2[w] and self.m3[w])
            for w in weeks
        }
        self.s1 = [
            w for w in weeks if self.crop and self.m1[w] and self.m3[w] and self.m4[w] and self.m5[w] and w >= self.hs
        ]
        self.h = [w for w in self.s1 if self.m2[w]]
        self.harvest = self.h[0] if self.h else None

    def _m2(self, w: date, tb: float, hopt: date) -> bool:
        a, b = self.after[w], self.before[w]
        if a is None or b is None:
            return False
        return (a < tb or b < tb) and b > self.t.optthrmin and w >= hopt and b + self.t.ndvidw > a

    # section 9

    def _evidence(self, begin: date, end: date) -> dict[date, dict[str, Any]]:
        t = self.t
        assert self.coherence is not None
        pairs = [pair for pair in self.pairs if begin <= pair[0] <= end + WEEK]
        ratio, coherence, ndvi = self._grouped(
            pairs,
            [one for one in self.coherence if begin <= one[0] <= end],
            [one for one in self.p.ndvi if begin <= one[0] <= end],
        )
        weeks = sorted(set(ratio) & set(coherence))
        found: dict[date, dict[str, Any]] = {}
        earlier: float | None = None
        values: list[float] = []
        low: list[float] = []
        for w in weeks:
            one: dict[str, Any] = dict.fromkeys(("ndvi", "pres", "grow", "nol", "anol"))
            one["cnol"] = not (at_least(coherence[w][1], t.efacohchange) or at_least(coherence[w][0], t.efacohvalue))
            own = ndvi.get(w)
            if own is not None:
                drop = None if earlier is None else own < earlier and own < t.efandviup
                values.append(own)
                if drop:
                    low.append(own)
                if all(value < t.efandvidw for value in values) or any(value < t.efandvidw for value in low):
                    limit = t.efandvidw
                elif low:
                    limit = t.ndvistep * math.ceil(min(low) / t.ndvistep)
                else:
                    limit = t.efandviup
                one["ndvi"], one["pres"] = own, own >= t.efandvithr
                one["grow"] = (one["pres"] or drop is False) and own >= t.efandvimin
                one["nol"] = None if drop is None else not (drop and own <= limit)
                earlier = own
            if w not in (weeks[0], weeks[-1]):
                one["anol"] = self._no_rise(w, pairs)
            found[w] = one
        return found

    def _no_rise(self, w: date, pairs: Sequence[tuple[date, float, bool]]) -> bool | None:
        if 13 in self.rules.repairs:
            near = [pair for pair in pairs if abs((monday(pair[0]) - w).days) <= 14]
            numbers: set[Any] = {monday(pair[0]) for pair in near}
        else:
            own = w.isocalendar()[1]
            near = [pair for pair in pairs if abs(pair[0].isocalendar()[1] - own) <= 2]
            numbers = {pair[0].isocalendar()[1] for pair in near}
        if len(numbers) < 3 or max(pair[1] for pair in near) - min(pair[1] for pair in near) < EPS:
            return None
        days = [float(pair[0].toordinal()) for pair in near]
        ratios = [pair[1] for pair in near]
        n = len(near)
        x, y = math.fsum(days) / n, math.fsum(ratios) / n
        xx = math.fsum((day - x) ** 2 for day in days)
        slope = math.fsum((day - x) * (ratio - y) for day, ratio in zip(days, ratios, strict=True)) / xx
        rest = math.fsum((ratio - y - slope * (day - x)) ** 2 for day, ratio in zip(days, ratios, strict=True))
        significant = rest <= 0 or slope * slope * xx / (rest / (n - 2)) > critical(n)
        return not (at_least(slope, self.t.efaampthr) and significant)

    # sections 10 to 12

    def _practice(self) -> None:
        p, kind = self.p, self.rules.kind
        self.marks: list[bool | str | None] = [None] * 5
        self.index = "NA"
        self.period: tuple[date | None, date | None] = None, None
        if kind == "NA" or p.practice == "NA" or p.p_start is None or (kind != "CC" and p.p_end is None):
            return
        self.marks = ["NR"] * 5
        if kind == "CC":
            self._catch_crop(p.p_start)
        else:
            assert p.p_end is not None
            self.period = p.p_start, p.p_end
            ps, pe = monday(p.p_start), monday(p.p_end)
            if self.last <= ps:
                self.index = "NR"
            elif kind == "FL":
                self._fallow(p.p_start, p.p_end, ps, pe)
            else:
                self._nitrogen(p.p_start, p.p_end, ps, pe)
        end = self.period[1]
        if end is not None and end > self.last:
            self.index = "NR"

    def _computed(self, latest: date) -> tuple[date, date]:
        t = self.t
        earliest = t.catchperiodstart or date.min
        length = t.catchperiod
        week = monday(latest)
        start = latest
        if self.harvest is not None:
            start = max((w for w in self.h if w <= week), default=self.harvest)
        c = max(start, earliest)
        begin = latest
        if (self.last - c).days >= length - 1:
            x = [
                value for w in self.weeks if c <= w <= latest + (length - 1) * DAY and (value := self.nd[w]) is not None
            ]
            mx, mn = (max(x), min(x)) if x else (t.efandvidw, t.efandvidw)
            if mn < t.efandvidw:
                mn = t.efandvidw
            if mn > (t.efandviup if 14 in self.rules.repairs else t.ndviup):
                mn = t.efandviup
            limit = mn + max(10.0, (mx - mn) * t.catchproportion)
            losses = [w for w in self.weeks if self.crop and self.m2[w]]
            gone = self.harvest or (losses[0] if losses else c)
            first = monday(earliest) if t.catchperiodstart else date.min
            br = [
                w
                for w in self.weeks
                if (a := self.after[w]) is not None
                and less(a, limit)
                and w <= week
                and w >= first
                and w >= gone
                and self.crop
                and self.m3[w]
                and self.m5[w]
            ]
            begin = gone
            if br:
                paused = [w for w, following in itertools.pairwise(br) if (following - w).days >= length]
                begin = paused[-1] if paused else br[-1]
        begin = max(begin, earliest)
        return begin, begin + (length - 1) * DAY

    def _catch_crop(self, p_start: date) -> None:
        t, p = self.t, self.p
        begin, end = (p_start, p.p_end) if p.p_end is not None else self._computed(p_start)
        assert end is not None
        self.period = begin, end
        wa = monday(begin)
        in_main = p.p_type in (t.catchmain, t.catchcropismain)
        if self.last <= wa or not self.crop:
            self.index = "NR"
            return
        if self.harvest is None and not in_main and not any(self.veg <= w <= wa for w in self.drops):
            self.index = "POOR"
            return
        if self.harvest is not None and self.harvest > wa and not in_main:
            self.index = "POOR"
            return
        e = self._evidence(begin, end)

        def signs(name: str, since: date = date.min) -> list[bool]:
            return [one[name] for w, one in e.items() if one[name] is not None and w >= since]

        grown = wa + 21 * DAY
        m6: bool | None = any(signs("pres"))
        if not m6 and not signs("pres", grown):
            m6 = None
        m7 = None if m6 is None or not signs("grow", grown) else all(signs("grow", grown))
        m8 = None if m6 is None or not signs("nol") else all(signs("nol"))
        m9 = all(signs("anol")) if signs("anol") else None
        m10 = all(signs("cnol", wa + 14 * DAY))
        marks = [m6, m7, m8, m9, m10]
        self.marks = list(marks)
        failures = marks.count(False)
        if m6 is None and m7 is None and m8 is None:
            self.index = "MODERATE" if failures == 0 else "WEAK"
        else:
            self.index = ("STRONG", "MODERATE", "WEAK", "POOR")[min(failures, 3)]
        if 6 in self.rules.repairs and not signs("pres") and not signs("anol"):
            self.index = "NR"

    def _fallow(self, begin: date, end: date, ps: date, pe: date) -> None:
        t, h = self.t, self.harvest
        e = self._evidence(begin, end)
        seen = [one["pres"] for one in e.values() if one["pres"] is not None]
        m6 = any(seen)
        silent = 6 in self.rules.repairs and not seen
        if t.flrule == "cze_mowing":
            self.marks[0] = m6
            if not m6:
                self.index = "POOR"
            elif h is not None and ps < h <= pe:
                self.index = "WEAK"
            else:
                first, last = t.flmarkstartdate or date(1970, 1, 1), t.flmarkstenddate or date(1970, 1, 1)
                window = self._evidence(first - 30 * DAY, last + 30 * DAY)
                following: bool | None = None
                cut = False
                for w in sorted(window, reverse=True):
                    own = window[w]["nol"]
                    following = following if own is None else own
                    cut = cut or (following is False and monday(first) <= w <= monday(last) + WEEK)
                self.marks[2] = not cut
                self.index = "STRONG" if cut else "MODERATE"
        elif t.flrule == "ltu":
            run = longest = 0
            for w in sorted(e):
                run = run + 1 if e[w]["cnol"] else 0
                longest = max(longest, run)
            m10 = longest >= 9
            self.marks[4] = m10
            if self.p.p_type == "PDJ":
                self.index = "WEAK" if m10 else "STRONG"
                if not m10 and not silent:
                    self.harvest = None
            else:
                self.marks[0] = m6 if seen else None
                if self.p.p_type != "PDZ":
                    self.index = "NA"
                elif not m10 or not m6:
                    self.index = "WEAK"
                elif h is None or h <= pe - 62 * DAY:
                    self.index = "MODERATE"
                else:
                    self.index = "STRONG" if h <= pe + WEEK else "MODERATE"
        else:
            wc = monday(t.flmarkstartdate or date(1970, 1, 1)) if t.flrule == "ita" else pe
            self.marks[0] = m6 if seen else None
            if not m6:
                self.index = "STRONG"
            elif h is None:
                self.index = "MODERATE"
            else:
                self.index = "WEAK" if ps < h <= wc else "MODERATE"
        if silent:
            self.index = "NR"

    def _nitrogen(self, begin: date, end: date, ps: date, pe: date) -> None:
        t, h = self.t, self.harvest
        e = self._evidence(monday(self.p.veg_start) if t.nfcrule == "cze" else begin, end)
        seen = [one["pres"] for one in e.values() if one["pres"] is not None]
        m6 = any(seen)
        if t.nfcrule == "cze":
            self.marks[0] = m6
            if not m6:
                self.index = "POOR"
            elif h is not None and ps < h <= pe:
                self.index = "WEAK"
            else:
                within = any(one["pres"] for one in self._evidence(begin, end).values())
                self.marks[0] = within
                self.index = "STRONG" if within else "MODERATE"
        else:
            self.marks[0] = m6 if seen else None
            if not seen and t.nfcrule == "rou":
                self.index = "NR"
            elif not m6:
                self.index = "POOR" if t.nfcrule == "strict" else "WEAK"
            elif h is None:
                self.index = "MODERATE"
            elif t.nfcrule == "rou" and ps < h < pe:
                self.index = "WEAK"
            else:
                self.index = "STRONG"
        if 6 in self.rules.repairs and not seen:
            self.index = "NR"

    # sections 13 and 14

    def _tillage(self) -> tuple[str, date | None]:
        t = self.t
        if self.harvest is None or self.harvest not in self.weeks:
            return "NA", None
        level = t.tlcohthrabs if at_least(self.cmax, t.tlcohthrabs) else self.cmax - t.tlcohthrbase
        m = self.crop and self.m5[self.harvest]
        for w in self.weeks:
            if w <= self.harvest or (t.tlmonitoringenddate and w > t.tlmonitoringenddate):
                continue
            own = self.nd[w]
            if own is not None and own > t.optthrvegcycle:
                return "NO-TILLAGE", None
            still = at_least(self.coh[w][1], t.tlcohthrbase) or at_least(self.coh[w][0], level)
            if m and not still:
                return "", w
            m = still
        return "NA", None

    def _gaps(self, first: date, last: date, less_one: int = 1) -> int:
        limit = min(self.rules.gap_limit, date(self.rules.year, 12, 31))
        sequence = [date(self.year, 1, 1), *self.weeks, limit]
        total = 0
        for a, b in itertools.pairwise(sequence):
            if b < first or a > last:
                continue
            days = (min(b, last) - max(a, first)).days
            if days > 7:
                total += days // 7 - less_one
        return total

    def result(self, row: dict[str, str]) -> Result:
        """Everything decided, as texts."""
        p = self.p
        self._harvest()
        self._practice()
        if 8 not in self.rules.repairs and self.veg in self.weeks:
            start = monday(p.veg_start) + (WEEK if p.veg_start.isocalendar()[1] == 1 else timedelta(0))
            if self.veg != start:
                row["VEG_START"] = self.veg.isoformat()
        if self.crop:
            last = [word(self.m1[self.last]), *(word(m[self.last]) for m in (self.m2, self.m3, self.m4, self.m5))]
        else:
            last = ["FALSE", *["NR"] * 4]
        row |= {f"M{k}": text for k, text in enumerate(last, 1)}
        row |= {f"M{k}": mark if isinstance(mark, str) else word(mark) for k, mark in enumerate(self.marks, 6)}
        row |= {"L_WEEK": self.last.isoformat(), "C_INDEX": self.index}
        row |= self._week("H_WEEK", "H_W", self.harvest, "NO-HARVEST")
        row["H_W_S1"] = self.s1[0].isoformat() if self.s1 else "NO-HARVEST"
        begin, end = self.period
        row |= {"P_START": begin.isoformat() if begin else "NA", "P_END": end.isoformat() if end else "NA"}
        state, tilled = self._tillage() if self.rules.tillage else ("NA", None)
        row |= self._week("TL_WEEK", "TL_W", tilled, state)
        practice = 0
        if p.p_start is not None and p.p_end is not None:
            practice = self._gaps(monday(p.p_start), monday(p.p_end))
        row |= {
            "S1GAPS": str(self._gaps(date.min, date.max)),
            "H_S1GAPS": str(self._gaps(self.hs, self.he)),
            "P_S1GAPS": str(practice),
            "C_QUALITY": "1" if practice >= 2 else "",
            "H_W_S1GAPS": "NR",
            "H_QUALITY": "",
        }
        if self.harvest is not None:
            missed = self._gaps(self.harvest - 35 * DAY, self.harvest, 0)
            row |= {"H_W_S1GAPS": str(missed), "H_QUALITY": "1" if missed >= 2 else ""}
        return Result(row, {w: {"before": self.before[w], "after": self.after[w]} for w in self.weeks})

    def _week(self, number: str, name: str, week: date | None, otherwise: str) -> dict[str, str]:
        start, end = (f"{name}_START", f"{name}_END")
        if week is None:
            return dict.fromkeys((number, start, end), otherwise)
        return {
            number: str(week.isocalendar()[1]),
            start: week.isoformat(),
            end: (week + 6 * DAY).isoformat(),
        }
