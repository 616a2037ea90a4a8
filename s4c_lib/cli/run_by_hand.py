"""What the processors share when they are run by hand, on files: their parameters, and a loop that goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.output import note, print_json, print_table, progress
from s4c_lib.errors import (
    DiskFullError,
    InputError,
    NothingToDoError,
    ParameterError,
    Sen4capError,
)

if TYPE_CHECKING:
    from s4c_lib.parameters import Snapshot

Products = Annotated[
    list[Path], typer.Argument(metavar="PRODUCT...", help="Folders or archives of products, named by their providers.")
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where results go.")]
Profile = Annotated[
    str, typer.Option(metavar="NAME", help="default, or reference: the numbers of Sen4CAP 3.x.", show_default=True)
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter; repeatable. 's4c config list' names them."),
]


def parameters(profile: str, settings: Sequence[str] | None) -> Snapshot:
    """Return the parameters of a run by hand: defaults of the profile, and what was given.

    Raises
    ------
    ParameterError : an unknown key or a value out of bounds.
    """
    from s4c_lib.parameters import REGISTRY, Layers, Scope, resolve
    from s4c_lib.parameters.model import NARROW_TO_WIDE

    given: dict[str, Any] = {"profile": profile}
    for text in settings or []:
        key, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"{text!r} is no setting.", hint="write it as key=value")
        given[key.strip()] = value.strip()
    # a run by hand is every scope at once: each value goes where it may be given
    scoped: dict[Scope, dict[str, Any]] = {scope: {} for scope in Scope}
    for key, value in given.items():
        allowed = REGISTRY.get(key).scopes
        scoped[next(scope for scope in NARROW_TO_WIDE if scope in allowed)][key] = value
    layers = Layers(scoped[Scope.JOB], scoped[Scope.SEASON], scoped[Scope.SITE], scoped[Scope.GLOBAL])
    return resolve(layers, phase="current")


@dataclass(slots=True)
class Results:
    """What became of each product: name, result, reason and what else is worth a column."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: int = 0
    rejected: int = 0
    made: int = 0

    def done(self, product: str, result: str, where: str, **more: Any) -> None:
        """Record a product that was made."""
        self.made += 1
        self.rows.append({"product": product, "result": result, "reason": None, "where": where, **more})

    def unchanged(self, product: str, where: str) -> None:
        """Record a product that was there already."""
        self.rows.append({"product": product, "result": "there already", "reason": None, "where": where})

    def unfit(self, product: str, reason: str, text: str) -> None:
        """Record a product that is of no use: a verdict, nothing has failed."""
        self.rejected += 1
        self.rows.append({"product": product, "result": "rejected", "reason": reason, "where": text})

    def refused(self, product: str, reason: str, text: str) -> None:
        """Record a product that could not be made."""
        self.failed += 1
        self.rows.append({"product": product, "result": "failed", "reason": reason, "where": text})


def each(
    title: str,
    products: Sequence[Path],
    work: Callable[[Path, Results], None],
    *,
    as_json: bool,
    afterwards: Callable[[], None] | None = None,
) -> None:
    """Work on product after product; one that cannot be made is reported and the others go on.

    Parameters
    ----------
    afterwards : done with what was made, whether or not some products failed.

    Raises
    ------
    NothingToDoError : everything was there already. Sen4capError : some could not be made.
    InputError : a product does not exist. DiskFullError : at once, the others would fail too.
    """
    from s4c_lib.reasons import reason_of

    for product in products:
        if not product.exists():
            raise InputError(f"{product} does not exist.", hint="give folders or archives of products")
    results = Results()
    with progress(title) as step:
        for number, product in enumerate(products):
            step(number, len(products), product.name)
            try:
                work(product, results)
            except DiskFullError:
                raise
            except Sen4capError as error:
                results.refused(product.name, str(reason_of(error)), error.one_line)
        step(len(products), len(products), "")
    if afterwards is not None and results.made:
        afterwards()
    show(results, as_json=as_json)
    if results.failed:
        raise Sen4capError(f"{results.failed} of {len(products)} products failed; the others are done.")
    if not results.made and not results.rejected:
        raise NothingToDoError("Everything is there already.")


def show(results: Results, *, as_json: bool) -> None:
    """Print what became of the products."""
    if as_json:
        print_json(results.rows)
        return
    names = list(dict.fromkeys(key for row in results.rows for key in row if any(r.get(key) for r in results.rows)))
    print_table(names, [[row.get(name) for name in names] for row in results.rows])
    rejected = f"{results.rejected} rejected, " if results.rejected else ""
    note(f"{results.made} made, {rejected}{results.failed} failed, {len(results.rows)} in all")
