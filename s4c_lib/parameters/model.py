"""What a parameter is: one declaration that feeds the command line, the database, Airflow's forms and the docs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from s4c_lib.processors import L4_PROCESSORS

Value = bool | int | float | str | date | tuple[str, ...] | tuple[int, ...] | None
"""A checked value. Paths are texts with placeholders; lists are tuples without duplicates, in a fixed order."""

PHASE = "phase"
"""What a default may follow beside other parameters: whether the season is future, current or past."""

PROCESSORS = ("ingest", "l2a", "l2s1", "l3b", "lpis", "retention", *L4_PROCESSORS, "s4c_mdb1")
"""What a parameter can belong to."""


class Scope(StrEnum):
    """Where a value may be stored; a narrower scope wins."""

    GLOBAL = "global"
    SITE = "site"
    SEASON = "season"
    JOB = "job"


NARROW_TO_WIDE = (Scope.JOB, Scope.SEASON, Scope.SITE, Scope.GLOBAL)

GLOBAL_ONLY = (Scope.GLOBAL,)
SITE_WIDE = (Scope.GLOBAL, Scope.SITE)
SEASONAL = (Scope.GLOBAL, Scope.SITE, Scope.SEASON)
EVERY_SCOPE = (Scope.GLOBAL, Scope.SITE, Scope.SEASON, Scope.JOB)


class Kind(StrEnum):
    """Type of a parameter's value."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STR = "text"
    DATE = "date"
    PATH = "path"
    CHOICE = "choice"
    STR_LIST = "list of text"
    INT_LIST = "list of int"

    @property
    def is_list(self) -> bool:
        """Tell whether values are tuples."""
        return self in (Kind.STR_LIST, Kind.INT_LIST)


@dataclass(frozen=True, slots=True)
class Variant:
    """A default that holds while another parameter (or the phase of the season) has a given value."""

    on: str
    equals: str
    value: Value


@dataclass(frozen=True, slots=True)
class Share:
    """A default that is a share of another integer parameter, rounded down, 1 at least."""

    of: str
    divisor: int


def reference(value: Value) -> Variant:
    """Give the default in the profile that reproduces Sen4CAP's numbers."""
    return Variant("profile", "reference", value)


def past(value: Value) -> Variant:
    """Give the default in a season that is over."""
    return Variant(PHASE, "past", value)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter.

    Parameters
    ----------
    key : the name; Sen4CAP's own spelling where Sen4CAP has the parameter, else with underscores.
    default : value when nothing is set and no variant applies.
    description : what it decides, one or two sentences.
    minimum, maximum : bounds of a number or of each number of a list; included unless ``exclusive``.
    choices : the only values allowed, of each item in a list.
    pattern : regular expression that a text, or each text of a list, matches as a whole.
    pattern_words : the pattern in words, for those who get it wrong; needed with ``pattern``.
    optional : None ("not set") is a value.
    processors : processors that read it.
    hashed : changing it changes results, so it counts in the configuration hash of these processors.
    form : processors whose trigger form shows it.
    label : what its field in the form is called; needed with ``form``.
    variants : other defaults; the first that applies wins.
    aliases : further names, Sen4CAP's among them; letter case never matters.
    """

    key: str
    kind: Kind
    default: Value | Share
    description: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    exclusive: bool = False
    choices: tuple[str | int, ...] = ()
    pattern: str = ""
    pattern_words: str = ""
    optional: bool = False
    scopes: tuple[Scope, ...] = EVERY_SCOPE
    processors: tuple[str, ...] = ()
    hashed: bool = True
    form: tuple[str, ...] = ()
    label: str = ""
    advanced: bool = False
    variants: tuple[Variant, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def follows(self) -> tuple[str, ...]:
        """The parameters this one's default depends on."""
        conditions = tuple(variant.on for variant in self.variants if variant.on != PHASE)
        return (*conditions, self.default.of) if isinstance(self.default, Share) else conditions

    @property
    def bounds(self) -> str:
        """The allowed values in words, empty when anything goes."""
        if self.choices:
            return ", ".join(str(choice) for choice in self.choices)
        low, high = (None if limit is None else f"{limit:,.10g}" for limit in (self.minimum, self.maximum))
        if self.exclusive and low and high:
            return f"above {low}, below {high}"
        if low and high:
            return f"{low} to {high}"
        if low:
            return f"{'above' if self.exclusive else 'at least'} {low}"
        if high:
            return f"{'below' if self.exclusive else 'at most'} {high}"
        return self.pattern_words


@dataclass(frozen=True, slots=True)
class Area:
    """A group of parameters that are read together, a chapter of the reference page."""

    title: str
    introduction: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Retired:
    """Keys of Sen4CAP that have no effect here.

    Parameters
    ----------
    pattern : a key, or keys with ``*`` for any text.
    reason : why, and what to use instead; one sentence.
    """

    pattern: str
    reason: str


@dataclass(frozen=True, slots=True)
class AtMost:
    """One number may not exceed another."""

    smaller: str
    larger: str
    strict: bool = False

    def broken_by(self, smaller: float, larger: float) -> bool:
        """Tell whether two values break the rule."""
        return smaller > larger or (self.strict and smaller == larger)


@dataclass(frozen=True, slots=True)
class NotBoth:
    """Two switches may not be on together."""

    first: str
    second: str
