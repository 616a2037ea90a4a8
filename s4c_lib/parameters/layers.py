"""How values of several scopes become one: job, then season, site, global, then the registry's default."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s4c_lib.errors import ParameterError
from s4c_lib.parameters.keys import REGISTRY
from s4c_lib.parameters.model import NARROW_TO_WIDE, PHASE, AtMost, Parameter, Scope, Share, Value
from s4c_lib.parameters.placeholders import expand
from s4c_lib.parameters.registry import Registry
from s4c_lib.parameters.values import to_json
from s4c_lib.scheduling.dates import Phase


@dataclass(frozen=True, slots=True)
class Layers:
    """Values by key as they are stored or given, one mapping a scope; they are checked when resolved."""

    job: Mapping[str, Any] = field(default_factory=dict)
    season: Mapping[str, Any] = field(default_factory=dict)
    site: Mapping[str, Any] = field(default_factory=dict)
    global_: Mapping[str, Any] = field(default_factory=dict)

    def of(self, scope: Scope) -> Mapping[str, Any]:
        """Return the values of one scope."""
        return {Scope.JOB: self.job, Scope.SEASON: self.season, Scope.SITE: self.site, Scope.GLOBAL: self.global_}[
            scope
        ]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value and where it comes from: a scope, or in words the default that applied."""

    origin: str
    value: Value


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a parameter has its value.

    Parameters
    ----------
    overridden : what would count if the value were unset, narrowest first.
    """

    key: str
    value: Value
    origin: str
    overridden: tuple[Candidate, ...]

    def __str__(self) -> str:
        text = f"{self.key} = {json.dumps(to_json(self.value), ensure_ascii=False)} ({self.origin}"
        for candidate in self.overridden:
            text += f"; overrides {candidate.origin} {json.dumps(to_json(candidate.value), ensure_ascii=False)}"
        return text + ")"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The value of every parameter for one season or job, and where each came from.

    Parameters
    ----------
    candidates : by key, the values found, narrowest scope first; the last is the default.
    """

    registry: Registry
    candidates: Mapping[str, tuple[Candidate, ...]]

    def __getitem__(self, name: str) -> Any:
        """Return a value by key or alias; the type is that of the parameter's declaration."""
        return self.candidates[self.registry.get(name).key][0].value

    @property
    def values(self) -> dict[str, Value]:
        """All values by key, sorted."""
        return {key: found[0].value for key, found in self.candidates.items()}

    def as_json(self) -> dict[str, Any]:
        """Return all values in their JSON form."""
        return {key: to_json(value) for key, value in self.values.items()}

    def path(self, name: str, **known: object) -> Path:
        """Return a path with its placeholders filled.

        Raises
        ------
        ParameterError : the path is not set, or needs a placeholder that is not given.
        """
        key = self.registry.get(name).key
        template = self[key]
        if template is None:
            raise ParameterError(f"{key} is not set.", hint=f"s4c config set {key} /a/path")
        return expand(template, known)

    def explain(self, name: str) -> Explanation:
        """Say where a value comes from and what it overrides."""
        key = self.registry.get(name).key
        first, *others = self.candidates[key]
        return Explanation(key, first.value, first.origin, tuple(others))

    def values_for(self, processor: str) -> dict[str, Any]:
        """Return the values a processor reads, in their JSON form."""
        return {one.key: to_json(self[one.key]) for one in self.registry.for_processor(processor)}

    def hash_for(self, processor: str) -> str:
        """Return the SHA-256 (hex) of the values that decide a processor's results.

        Values that only decide how it runs (workers, retries, temporary files) do not count, so changing them
        makes nothing stale.
        """
        counted = {one.key: to_json(self[one.key]) for one in self.registry.for_processor(processor) if one.hashed}
        canonical = json.dumps(counted, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def resolve(layers: Layers, *, phase: Phase | str, registry: Registry = REGISTRY) -> Snapshot:
    """Resolve every parameter.

    Parameters
    ----------
    phase : whether the season is future, current or past; some defaults follow it.

    Raises
    ------
    ParameterError : a layer holds an unknown key, a wrong value or one not allowed in its scope, or two values
        contradict each other.
    """
    stored = _checked(layers, registry)
    settled: dict[str, tuple[Candidate, ...]] = {}

    def settle(parameter: Parameter) -> tuple[Candidate, ...]:
        if parameter.key not in settled:
            given = stored.get(parameter.key, ())
            settled[parameter.key] = (*given, default(parameter))
        return settled[parameter.key]

    def current(key: str) -> Value:
        return settle(registry.get(key))[0].value

    def default(parameter: Parameter) -> Candidate:
        for variant in parameter.variants:
            if variant.on == PHASE and Phase(phase) == variant.equals:
                return Candidate(f"default of a {variant.equals} season", variant.value)
            if variant.on != PHASE and current(variant.on) == variant.equals:
                return Candidate(f"default with {variant.on} {variant.equals}", variant.value)
        if isinstance(parameter.default, Share):
            whole = current(parameter.default.of)
            assert isinstance(whole, int)  # tests/parameters checks every declared share
            return Candidate(f"default from {parameter.default.of}", max(1, whole // parameter.default.divisor))
        return Candidate("default", parameter.default)

    snapshot = Snapshot(registry, {parameter.key: settle(parameter) for parameter in registry})
    _require_consistent(snapshot)
    return snapshot


def _checked(layers: Layers, registry: Registry) -> dict[str, tuple[Candidate, ...]]:
    found: dict[str, tuple[Candidate, ...]] = {}
    for scope in NARROW_TO_WIDE:
        names: dict[str, str] = {}
        for name, raw in layers.of(scope).items():
            key = registry.get(name).key
            if key in names:
                raise ParameterError(f"{key} is given twice for the {scope}: as {names[key]} and as {name}.")
            names[key] = name
            found[key] = (*found.get(key, ()), Candidate(str(scope), registry.check(key, raw, scope)))
    return found


def _require_consistent(snapshot: Snapshot) -> None:
    for relation in snapshot.registry.relations:
        if isinstance(relation, AtMost):
            first, second = relation.smaller, relation.larger
            wrong = relation.broken_by(snapshot[first], snapshot[second])
            rule = "must be below" if relation.strict else "may not exceed"
        else:
            first, second = relation.first, relation.second
            wrong = snapshot[first] and snapshot[second]
            rule = "cannot be on together with"
        if wrong:
            raise ParameterError(
                f"{snapshot.explain(first)} {rule} {snapshot.explain(second)}.", hint=f"change {first}"
            )
