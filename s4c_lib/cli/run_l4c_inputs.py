"""What ``s4c run l4c`` reads: observations, practice table, parcels and configuration of a user, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from s4c_lib.cli.output import Step, warn
from s4c_lib.errors import InputError, NotFoundError, NothingToDoError
from s4c_lib.l4.files_by_hand import content_of, tables_in

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from s4c_lib.parcels.findings import Finding, Report
    from s4c_lib.parcels.l4c_configuration import L4cConfiguration
    from s4c_lib.parcels.practice_tables import PracticeTable
    from s4c_lib.practices.practice_parcels import JoinedRows, PracticeParcels

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Inputs of a run.

    Parameters
    ----------
    observations : of the variables of L4C, up to the as-of date.
    joined : rows of the practice table with their parcels.
    """

    observations: pa.Table = field(repr=False)
    joined: JoinedRows = field(repr=False)
    configuration: L4cConfiguration


def read_inputs(
    observations: Sequence[Path],
    practices: Path,
    parcels: Path,
    config: str,
    *,
    practice: str,
    country: str,
    year: int,
    as_of: date,
    step: Step,
) -> Given:
    """Read and check everything; what concerns single rows is a warning, they get a STATUS.

    Raises
    ------
    NotFoundError, StorageError : a file is not there or cannot be read.
    InputError : one that cannot be used, with its first reason.
    NothingToDoError : a variable has no observation, or the practice table no row.
    """
    configuration = _configuration(config, practice, country, year)
    table = _practice_table(practices, practice, country, year)
    known = _parcels(parcels)
    joined = _joined(table, known, practices, parcels, country, year)
    return Given(_observations(observations, as_of, step), joined, configuration)


def _configuration(config: str, practice: str, country: str, year: int) -> L4cConfiguration:
    """The file, or a shipped preset of a country."""
    from s4c_lib.parcels.l4c_configuration import read_l4c_configuration
    from s4c_lib.parcels.l4c_presets import COUNTRIES, preset_text

    path = Path(config)
    if not path.exists() and config.upper() in COUNTRIES:
        content, name = preset_text(config).encode(), f"preset {config.upper()}"
    elif not path.exists():
        raise NotFoundError(f"There is no configuration {config}.", hint=f"a file, or one of {', '.join(COUNTRIES)}")
    else:
        content, name = content_of(path, "configuration"), str(path)
    found, report = read_l4c_configuration(content, name, year=year, country=country, practices=[practice])
    _tell(report, name)
    assert found is not None
    return found


def _practice_table(path: Path, practice: str, country: str, year: int) -> PracticeTable:
    from s4c_lib.parcels.practice_tables import read_practice_table

    content = content_of(path, "practice table")
    table, report = read_practice_table(content, path.name, practice, year=year, country=country)
    _tell(report, str(path))
    assert table is not None
    if not len(table):
        raise NothingToDoError(f"{path} has no row that can be used.", hint="the warnings above say why")
    return table


def _parcels(path: Path) -> PracticeParcels:
    import numpy as np

    from s4c_lib.parcels.parcel_table import read_parcel_table
    from s4c_lib.practices.practice_parcels import PracticeParcels

    table = read_parcel_table(path)
    if table["ori_id"].null_count == len(table):
        raise InputError(f"{path} has no column ori_id.", hint="it is what FIELD_ID of the practice table names")
    crop = table["crop"]
    return PracticeParcels(
        parcel_id=table["parcel_id"].to_numpy().astype(np.int64),
        ori_id=_objects(table["ori_id"]),
        s1_pix=_pixels(table["S1Pix"]),
        s2_pix=_pixels(table["S2Pix"]),
        crop=None if crop.null_count == len(crop) else _objects(crop),
    )


def _joined(
    table: PracticeTable, known: PracticeParcels, practices: Path, parcels: Path, country: str, year: int
) -> JoinedRows:
    from s4c_lib.practices.practice_parcels import joined_rows

    joined = joined_rows(table, known, country=country, year=year)
    if joined.lost == len(joined.rows):
        raise InputError(
            f"None of the {joined.lost} rows of {practices} names a parcel of {parcels}.",
            hint="FIELD_ID is ori_id of the parcels",
        )
    _warn(practices.name, joined.findings)
    return joined


def _observations(given: Sequence[Path], as_of: date, step: Step) -> pa.Table:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from s4c_lib.practices.series import VARIABLES
    from s4c_lib.statistics.observation_files import read_observation_file

    files = tables_in(given)
    tables = []
    for number, path in enumerate(files, start=1):
        tables.append(read_observation_file(path, VARIABLES))
        step(number, len(files), path.name)
    table = pa.concat_tables([one.select(tables[0].schema.names) for one in tables])
    days = table["time"].to_numpy().astype("datetime64[D]")
    table = table.filter(pa.array(days <= np.datetime64(as_of, "D")))
    there = set(pc.unique(table["variable"].cast(pa.string())).to_pylist())
    if missing := [name for name in VARIABLES if name not in there]:
        raise NothingToDoError(
            f"There is no observation of {', '.join(missing)} up to {as_of}.",
            hint="L4C needs ndvi, vv, vh and coherence_vv in column variable",
        )
    return table


def _tell(report: Report, name: str) -> None:
    """Warn of what does not stop a run, and stop for what does.

    Raises
    ------
    InputError : the file is refused.
    """
    from s4c_lib.parcels.findings import Severity

    refused = [one for one in report.findings if one.severity is Severity.REFUSED]
    if refused:
        more = f" (and {len(refused) - 1} more problems)" if len(refused) > 1 else ""
        raise InputError(f"{name}: {refused[0].message}{more}", code=refused[0].code)
    _warn(Path(name).name, report.findings)


def _warn(name: str, findings: Sequence[Finding]) -> None:
    from s4c_lib.parcels.findings import Severity

    for one in findings:
        if one.severity is Severity.INFO:
            continue
        texts = [
            one.message,
            *(text for text in one.examples[:_SHOWN] if text.startswith("Line ") and text != one.message),
        ]
        more = f" (and {one.count - len(texts)} more)" if one.count > len(texts) > 1 else ""
        warn(f"{name}: {one.code} {' '.join(texts)}{more}")


def _objects(column: Any) -> npt.NDArray[np.object_]:
    values: npt.NDArray[np.object_] = column.to_numpy(zero_copy_only=False).astype(object)
    return values


def _pixels(column: Any) -> npt.NDArray[np.int32]:
    """Declared pixel counts; where there are none the parcel is taken to have enough."""
    import pyarrow.compute as pc

    from s4c_lib.practices.product_tables import UNKNOWN_PIXELS

    counts: npt.NDArray[np.int32] = pc.fill_null(column, UNKNOWN_PIXELS).to_numpy()
    return counts
