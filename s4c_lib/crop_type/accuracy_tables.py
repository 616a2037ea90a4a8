"""Tables of the accuracy on validation parcels, with Sen4CAP's columns and corner cells (l4a-crop-type.md 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from s4c_lib.crop_type.metrics import Metrics, largest_confusions
from s4c_lib.crop_type.product_tables import ClassNames

if TYPE_CHECKING:
    import pyarrow as pa

CONFUSIONS: Final = 3
_SIDES: Final = {"user": ("sum_class", "user_accuracy"), "producer": ("sum_dec", "producer_accuracy")}


def accuracy_table(metrics: Metrics) -> pa.Table:
    """Return ``Accuracy_metrics``: ``Accuracy, Kappa``."""
    import pyarrow as pa

    return pa.table({"Accuracy": [metrics.overall], "Kappa": pa.array([metrics.kappa], from_pandas=True)})


def confusion_table(metrics: Metrics) -> pa.Table:
    """Return ``Confusion_matrix``: a row for each predicted class, a column for each declared one.

    Behind them stand the sum, the right ones and the accuracy of each row, and below them of each column. Where these
    cross stand all parcels, all right ones and the overall accuracy; the other corner cells are empty.
    """
    import pyarrow as pa

    confusion, right = metrics.confusion, np.diag(metrics.confusion)
    number = len(metrics.classes)
    names = [str(one) for one in metrics.classes]
    below = [confusion.sum(axis=0), right, metrics.producer]
    columns: dict[str, Any] = {"predicted": pa.array([*names, "sum_dec", "well_class", "producer_accuracy"])}
    for at, name in enumerate(names):
        columns[name] = _mixed([*confusion[:, at], *(line[at] for line in below)])
    corner = {"sum_class": metrics.parcels, "well_class": int(right.sum()), "user_accuracy": metrics.overall}
    beside = {"sum_class": confusion.sum(axis=1), "well_class": right, "user_accuracy": metrics.user}
    for place, (name, values) in enumerate(beside.items()):
        cells: list[float | None] = [*values[:number], None, None, None]
        cells[number + place] = corner[name]
        columns[name] = _mixed(cells)
    return pa.table(columns)


def _mixed(values: list[Any]) -> pa.Array:
    """Return counts and shares of one column as text, so that counts stay whole; empty where undefined."""
    import pyarrow as pa

    texts: list[str | None] = []
    for value in values:
        if value is None or np.isnan(value):
            texts.append(None)
        else:
            texts.append(str(int(value)) if isinstance(value, int | np.integer) else repr(float(value)))
    return pa.array(texts, pa.string())


def confusions_table(metrics: Metrics, names: ClassNames, by_area: list[int], *, of: str) -> pa.Table:
    """Return ``Confusion_user`` or ``Confusion_producer``: accuracy of classes and what they are confused with.

    Parameters
    ----------
    by_area : classes in the order of the rows; those that were neither predicted nor declared are left out.
    of : ``user`` for rows of the matrix (what is predicted as the class), ``producer`` for columns.
    """
    import pyarrow as pa

    total, accuracy = _SIDES[of]
    place = {int(number): at for at, number in enumerate(metrics.classes)}
    rows = []
    for number in by_area:
        if number not in place:
            continue
        at = place[number]
        line = metrics.confusion[at] if of == "user" else metrics.confusion[:, at]
        share = (metrics.user if of == "user" else metrics.producer)[at]
        row: dict[str, Any] = {
            "CTnumL4A": number,
            "CTL4A": names.get(number, str(number)),
            total: int(line.sum()),
            "well_class": int(metrics.confusion[at, at]),
            accuracy: None if np.isnan(share) else float(share),
        }
        found = largest_confusions(metrics.confusion, at, of=of, number=CONFUSIONS)
        for rank in range(CONFUSIONS):
            other = found[rank] if rank < len(found) else None
            called = None if other is None else int(metrics.classes[other[0]])
            row[f"conf_class{rank + 1}"] = None if called is None else names.get(called, str(called))
            row[f"conf_per{rank + 1}"] = None if other is None else other[1]
        rows.append(row)
    numbers = {"CTnumL4A": pa.int32(), total: pa.int64(), "well_class": pa.int64(), accuracy: pa.float64()}
    more = [("CTL4A", pa.string())]
    order = ["CTnumL4A", "CTL4A", total, "well_class", accuracy]
    for rank in range(1, CONFUSIONS + 1):
        more += [(f"conf_class{rank}", pa.string()), (f"conf_per{rank}", pa.float64())]
    kinds = {**numbers, **dict(more)}
    order += [f"conf_class{rank}" for rank in range(1, CONFUSIONS + 1)]
    order += [f"conf_per{rank}" for rank in range(1, CONFUSIONS + 1)]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, kinds[name]) for name in order]))
