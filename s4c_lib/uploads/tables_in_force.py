"""What a table says about the declarations and the crop codes in force, when it is imported and whenever asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection

from s4c_lib.catalog import auxdata, config_values, parcel_sets
from s4c_lib.catalog.auxdata import PRACTICE_KINDS, AuxdataVersion, Kind
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.practice_rows import read_practice_table
from s4c_lib.catalog.sites import Site
from s4c_lib.parcels.crop_lut import CropLut, lut_against_declared
from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.findings import Finding, Severity
from s4c_lib.parcels.l4b_configuration import L4bConfiguration, l4b_against_lut
from s4c_lib.parcels.l4c_configuration import L4cConfiguration
from s4c_lib.parcels.practice_tables import PracticeTable
from s4c_lib.parcels.practice_tables_join import join_practices

Table = CropLut | L4bConfiguration | L4cConfiguration | PracticeTable
"""What is uploaded beside declarations, as its readers give it."""

_COLUMNS: Final = ("ori_id", "ori_id_raw", "ori_crop", "area_meters")


@dataclass(frozen=True, slots=True)
class Against:
    """A table compared with what is in force.

    Parameters
    ----------
    facts : plain values for a report, such as the version of the declarations and the parcels found.
    """

    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declared:
    """Parcels in force; arrays (parcels,)."""

    version: int
    ori_id: Objects
    ori_id_raw: Objects
    ori_crop: Objects
    area_m2: Any


def compared(connection: Connection, site: Site, year: int, table: Table) -> Against:
    """Compare a table with the declarations (crop codes, practices) or with the crop codes (L4B) of a site and year."""
    if isinstance(table, L4bConfiguration):
        lut = lut_in_force(connection, site.id, year)
        return Against() if lut is None else Against(l4b_against_lut(table, lut))
    if isinstance(table, L4cConfiguration):
        return Against()
    declared = declared_in_force(connection, site.id, year)
    if isinstance(table, PracticeTable):
        return _practices(table, declared)
    return _crop_codes(table, declared, _rule(connection, site))


def compared_again(connection: Connection, site: Site, year: int) -> list[tuple[AuxdataVersion, Against]]:
    """Compare all tables in force with the declarations, as after an import of those; LUT first, then practices."""
    declared = declared_in_force(connection, site.id, year)
    results = []
    for kind in (Kind.LUT, *PRACTICE_KINDS.values()):
        version = auxdata.active_version(connection, site.id, kind, year)
        if version is None:
            continue
        if kind is Kind.LUT:
            lut = CropLut.from_dict(auxdata.parsed_of(connection, version.id))
            results.append((version, _crop_codes(lut, declared, _rule(connection, site))))
        else:
            practice = next(name for name, one in PRACTICE_KINDS.items() if one is kind)
            table = read_practice_table(connection, version.id, practice)
            results.append((version, _practices(table, declared)))
    return results


def lut_in_force(connection: Connection, site_id: int, year: int) -> CropLut | None:
    """Return the crop codes in force, or None."""
    active = auxdata.active_version(connection, site_id, Kind.LUT, year)
    return None if active is None else CropLut.from_dict(auxdata.parsed_of(connection, active.id))


def declared_in_force(connection: Connection, site_id: int, year: int) -> Declared | None:
    """Return the parcels of the declarations in force, without deleted ones, or None."""
    current = parcel_sets.active_set(connection, site_id, year)
    if current is None:
        return None
    rows = read_parcels(connection, current, _COLUMNS)
    ori_id, ori_id_raw, ori_crop, area = (rows[name].to_numpy(zero_copy_only=False) for name in _COLUMNS)
    return Declared(
        current.version, ori_id.astype(object), ori_id_raw.astype(object), ori_crop.astype(object), area.astype(float)
    )


def _rule(connection: Connection, site: Site) -> str | None:
    """The rule by which a site's crop codes are matched, as set for it or everywhere."""
    wide, narrow = config_values.stored_values(connection), config_values.stored_values(connection, site=site)
    rule = {**wide, **narrow}.get("declaration.code_normalisation")
    return None if rule is None else str(rule)


def _crop_codes(lut: CropLut, declared: Declared | None, rule: str | None) -> Against:
    if declared is None:
        return Against()
    match, findings = lut_against_declared(lut, declared.ori_crop, area_m2=declared.area_m2, normalisation=rule)
    # Rows are those of the declarations, not of this file. And a table is never refused for the sake of declarations:
    # when both are replaced, one of them has to come first.
    shown = tuple(
        replace(one, rows=(), severity=Severity.WARNING if one.severity is Severity.REFUSED else one.severity)
        for one in findings
    )
    facts: dict[str, Any] = {
        "declarations_version": declared.version,
        "share_of_parcels_matched": round(match.share, 6),
    }
    if match.proposal is not None:
        facts["proposed_code_normalisation"] = match.proposal.rule
    return Against(shown, facts)


def _practices(table: PracticeTable, declared: Declared | None) -> Against:
    if declared is None:
        return Against(join_practices(table, None).findings)
    joined = join_practices(table, declared.ori_id, declared.ori_id_raw, declared.ori_crop)
    found = int((joined.position >= 0).sum())
    return Against(joined.findings, {"declarations_version": declared.version, "parcels_found": found})
