"""The registry: every parameter once, found by its key or by a name Sen4CAP used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from s4c_lib.errors import ParameterError
from s4c_lib.parameters import schema, values
from s4c_lib.parameters.model import PROCESSORS, Area, AtMost, NotBoth, Parameter, Retired, Scope, Value

FORM_LIMIT = 3
"""Parameters a trigger form shows beside the fields every form has; more made hundreds of DAGs slow to serialise."""


class Registry:
    """All parameters of an installation.

    Parameters
    ----------
    areas : the declarations, in the order of the reference page.
    retired : keys of Sen4CAP that are recognised but have no effect.
    relations : rules between two parameters, checked when values are resolved.
    """

    def __init__(
        self,
        areas: Iterable[Area],
        retired: Iterable[Retired] = (),
        relations: Iterable[AtMost | NotBoth] = (),
    ) -> None:
        self.areas = tuple(areas)
        self.retired = tuple(retired)
        self.relations = tuple(relations)
        declared = sorted((one for area in self.areas for one in area.parameters), key=lambda one: one.key)
        self._by_key = {parameter.key: parameter for parameter in declared}
        self._by_name: dict[str, Parameter] = {}
        for parameter in declared:
            for name in (parameter.key, *parameter.aliases):
                if self._by_name.setdefault(name.casefold(), parameter) is not parameter:
                    raise ParameterError(f"Two parameters are called {name}.")
        self._require_sound()

    def _require_sound(self) -> None:
        for parameter in self:
            unknown = [name for name in (*parameter.processors, *parameter.form) if name not in PROCESSORS]
            unknown += [key for key in parameter.follows if key not in self._by_key]
            if unknown:
                raise ParameterError(f"{parameter.key} is declared with {unknown[0]}, which does not exist.")
            self._require_acyclic(parameter, ())
        for processor in PROCESSORS:
            if len(self.form_parameters(processor)) > FORM_LIMIT:
                raise ParameterError(f"The form of {processor} has more than {FORM_LIMIT} parameters.")

    def _require_acyclic(self, parameter: Parameter, above: tuple[str, ...]) -> None:
        if parameter.key in above:
            raise ParameterError(f"The default of {parameter.key} depends on itself.")
        for key in parameter.follows:
            self._require_acyclic(self._by_key[key], (*above, parameter.key))

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.strip().casefold() in self._by_name

    def get(self, name: str) -> Parameter:
        """Return a parameter by its key or an alias; letter case does not matter.

        Raises
        ------
        ParameterError : unknown (the nearest right key is named), or a key of Sen4CAP without effect here.
        """
        found = self._by_name.get(name.strip().casefold())
        if found is not None:
            return found
        retired = self.why_retired(name)
        if retired is not None:
            raise ParameterError(f"Parameter {name} has no effect here.", hint=retired.reason)
        near = self._nearest(name)
        hint = f"did you mean {near}?" if near else "s4c config list shows all parameters"
        raise ParameterError(f"There is no parameter {name}.", hint=hint)

    def why_retired(self, name: str) -> Retired | None:
        """Return why a key of Sen4CAP has no effect here, or None when it is not such a key."""
        folded = name.strip().casefold()
        return next((one for one in self.retired if fnmatchcase(folded, one.pattern.casefold())), None)

    def _nearest(self, name: str) -> str | None:
        # Only needed after a mistake, so it does not slow down every start.
        from difflib import get_close_matches

        folded = name.strip().casefold()
        near = get_close_matches(folded, self._by_name, n=1, cutoff=0.6)
        if near:
            return self._by_name[near[0]].key
        # A last part alone is what people remember: "num-trees".
        ends = sorted(parameter.key for name, parameter in self._by_name.items() if name.endswith(f".{folded}"))
        return ends[0] if ends else None

    def check(self, name: str, raw: object, scope: Scope | str) -> Value:
        """Return the typed value of ``raw`` for a parameter, allowed in ``scope``.

        Raises
        ------
        ParameterError : unknown parameter, value out of bounds or of a wrong type, or wrong scope.
        """
        parameter = self.get(name)
        if Scope(scope) not in parameter.scopes:
            allowed = ", ".join(parameter.scopes)
            raise ParameterError(f"{parameter.key} cannot be set for a {scope}.", hint=f"it can be set for: {allowed}")
        return values.check(parameter, raw)

    def for_processor(self, processor: str) -> tuple[Parameter, ...]:
        """Return the parameters that a processor reads, by key."""
        self._require_processor(processor)
        return tuple(parameter for parameter in self if processor in parameter.processors)

    def form_parameters(self, processor: str) -> tuple[Parameter, ...]:
        """Return the parameters shown on a processor's trigger form: `FORM_LIMIT` at most."""
        self._require_processor(processor)
        return tuple(parameter for parameter in self if processor in parameter.form)

    def _require_processor(self, processor: str) -> None:
        if processor not in PROCESSORS:
            raise ParameterError(f"There is no processor {processor}.", hint=f"there are {', '.join(PROCESSORS)}")

    def json_schema(self, parameter: Parameter | str) -> dict[str, Any]:
        """Return the JSON Schema of a parameter."""
        return schema.json_schema(self.get(parameter) if isinstance(parameter, str) else parameter)
