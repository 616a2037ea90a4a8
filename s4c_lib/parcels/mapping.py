"""Which columns hold what: known layouts, a proposal for a file, and the check of a user's choice (3.1)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from s4c_lib.errors import InputError
from s4c_lib.parcels.declared import ColumnMapping

# The number of the row in the file, for files without any identifier.
ROW_NUMBER: Final = "src_row"
AREA_UNITS: Final = {"m2": 1.0, "ha": 10_000.0}
CLASH_PREFIX: Final = "src_"

# Columns that an import adds (3.5): a column of the file that has the name of one gets a prefix.
RESERVED: Final = frozenset(
    name.lower()
    for name in (
        "src_row", "src_fid", "NewID", "HoldID", "ori_id", "ori_id_raw", "ori_hold", "ori_crop", "GeomValid",
        "Area_meters", "ShapeInd", "Overlap", "overlap_amount", "Duplic", "duplic_group", "S2Pix", "S1Pix",
        "shared_pix", "geom_repaired", "n_parts", "primary_tile", "is_deleted", "inserted_timestamp",
        "updated_timestamp", "geom_change_ratio", "CTnum", "CT", "LC", "CTnumL4A", "CTL4A", "CTnumDIV", "CTDIV",
        "EAA", "AL", "PGrass", "TGrass", "Fallow", "Cwater",
    )
)  # fmt: skip

_ROLES: Final = ("parcel_id", "holding", "crop", "area", "second_crop", "organic")


@dataclass(frozen=True, slots=True)
class Preset:
    """A layout that an agency is known to deliver.

    Parameters
    ----------
    name : what it is called for users.
    country : ISO 3166 alpha-3; None when several countries use it.
    mapping : its columns; those beside parcel identifier and crop are taken where they are present.
    """

    name: str
    country: str | None
    mapping: ColumnMapping


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A proposal, to be confirmed by the user.

    Parameters
    ----------
    preset : name of the known layout; None where the names of the columns alone were the reason.
    country : that the layout points to, ISO 3166 alpha-3, or None.
    reason : one line.
    """

    mapping: ColumnMapping
    preset: str | None
    country: str | None
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "mapping": mapping_as_dict(self.mapping),
            "preset": self.preset,
            "country": self.country,
            "reason": self.reason,
        }


# National layouts change from year to year: these are proposals (3.1), possibly of a part: Czechia's crop column is
# not known, so a proposal from it is completed by the names of the other columns.
PRESETS: Final = (
    Preset(
        "EU IACS quality exercise",
        None,
        ColumnMapping(("gsa_par_id",), "main_crop", ("gsa_hol_id",), second_crop="catch_crop", organic="organic"),
    ),
    Preset("Netherlands", "NLD", ColumnMapping(("FUNCTIONEE",), "GRONDBEDEK", ("FakeBRSnr",))),
    Preset("Netherlands, BRP", "NLD", ColumnMapping(("id",), "gewascode")),
    Preset("Lithuania", "LTU", ColumnMapping(("KZS_NR", "LAUKO_NR"), "PSL_KODAS", ("VALDOS_NR",))),
    Preset("Lithuania, EuroCrops", "LTU", ColumnMapping(("field_id",), "EC_hcat_c", area="field_size")),
    Preset("Czechia", "CZE", ColumnMapping(("NKOD_DPB",), "")),
    Preset("Spain", "ESP", ColumnMapping(("C_PROV_EXP", "C_SAC_EXPE", "C_NUME_EXP", "C_NUM_ORDE"), "C_PRODUCTO")),
    Preset("France", "FRA", ColumnMapping(("PACAGE", "NUM_ILOT", "NUM_PARCEL"), "CULTURE_D1", ("PACAGE",))),
    Preset("France, holdings only", "FRA", ColumnMapping(("PACAGE",), "CULTURE_D1", ("PACAGE",))),
    Preset(
        "Flanders",
        "BEL",
        ColumnMapping(("REF_ID",), "GWSCOD_H", area="GRAF_OPP", second_crop="GWSCOD_N", organic="BIOCERT"),
    ),
    Preset("Denmark", "DNK", ColumnMapping(("Journalnr", "Marknr"), "Afgkode", ("CVR",), area="IMK_areal")),
    Preset("Brandenburg", "DEU", ColumnMapping(("ref_ident", "gp_xx", "tf_typ"), "code", area="groesse")),
    Preset("Romania, EuroCrops", "ROU", ColumnMapping((ROW_NUMBER,), "LC_MAPCODE", area="AREA_HA")),
)

# Names that such columns commonly have, best first; compared without case and signs.
_USUAL: Final = {
    "parcel_id": (
        "parcelid", "parcelnumber", "parcelnr", "parcel", "fieldid", "oriid", "idparcel", "idparcelle", "flik",
        "blockid", "id", "fid", "gid", "objectid",
    ),
    "holding": ("holdingid", "holding", "orihold", "farmid", "farm", "beneficiary", "applicant", "hold"),
    "crop": (
        "cropcode", "maincrop", "oricrop", "crop", "codecultu", "culture", "kulturcode", "cropid", "code", "cropname",
        "plodina", "kultura",
    ),
    "area": ("areaha", "declaredarea", "areadeclared", "areadecl"),
}  # fmt: skip


def suggest(columns: Sequence[str]) -> Suggestion | None:
    """Propose a mapping from the names of the columns; None where they tell too little.

    Parameters
    ----------
    columns : of the file, in its order; the row number need not be among them.
    """
    present = {name.lower(): name for name in reversed(columns)}
    complete = [item for item in PRESETS if item.mapping.parcel_id and item.mapping.crop and _fits(item, present)]
    if complete:
        best = max(complete, key=lambda item: len(_found(item.mapping, present)))
        mapping = _taken_over(best.mapping, present)
        reason = f"The columns {', '.join(_found(best.mapping, present).values())} are those of {best.name}."
        if mapping.parcel_id == (ROW_NUMBER,):
            reason = f"{reason} No column identifies a parcel: row numbers do not survive a new delivery."
        elif mapping.parcel_id == mapping.holding:
            reason = f"{reason} Parcels of a holding are told apart by their order only: is there no parcel number?"
        return Suggestion(mapping, best.name, best.country, reason)
    part = next((item for item in PRESETS if _fits(item, present)), None)
    return _from_usual_names(columns, present, part)


def validated(mapping: ColumnMapping, columns: Sequence[str]) -> ColumnMapping:
    """The mapping with every name spelled as in the file.

    Parameters
    ----------
    columns : of the file; ``src_row`` stands for the row number unless a column has that name.

    Raises
    ------
    InputError : a column is missing or named twice, or the unit of the area is unknown (DECL-20).
    """
    if not mapping.parcel_id or not mapping.crop:
        raise InputError("No column is given for the parcel identifier or the crop.", code="DECL-20")
    if mapping.area_unit not in AREA_UNITS:
        raise InputError(f'"{mapping.area_unit}" is no unit of area.', hint="Use m2 or ha.", code="DECL-20")
    for role in ("parcel_id", "holding"):
        names = [name.lower() for name in getattr(mapping, role)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"Column {twice[0]} is given twice for the {_shown(role)}.", code="DECL-20")
    spelled: dict[str, Any] = {}
    for role in _ROLES:
        value = getattr(mapping, role)
        if isinstance(value, tuple):
            spelled[role] = tuple(_column(name, columns, role) for name in value)
        elif value is not None:
            spelled[role] = _column(value, columns, role)
    return replace(mapping, **spelled)


def without_clashes(columns: Iterable[str]) -> dict[str, str]:
    """New names of columns by their old ones: those that an import adds itself get the prefix ``src_`` (3.1).

    Names stay distinct without regard to case.
    """
    names = list(columns)
    used = {name.lower() for name in names if name.lower() not in RESERVED} | set(RESERVED)
    renamed = {}
    for name in names:
        new = name
        if name.lower() in RESERVED:
            while new.lower() in used:
                new = CLASH_PREFIX + new
            used.add(new.lower())
        renamed[name] = new
    return renamed


def mapping_as_dict(mapping: ColumnMapping) -> dict[str, Any]:
    """As JSON."""
    return {
        "parcel_id": list(mapping.parcel_id),
        "holding": list(mapping.holding),
        "crop": mapping.crop,
        "area": mapping.area,
        "area_unit": mapping.area_unit,
        "second_crop": mapping.second_crop,
        "organic": mapping.organic,
    }


def _column(name: str, columns: Sequence[str], role: str) -> str:
    if name in columns:
        return name
    same = [column for column in columns if column.lower() == name.lower()]
    if len(same) == 1:
        return same[0]
    if name.lower() == ROW_NUMBER:
        return ROW_NUMBER
    lower = {column.lower(): column for column in columns}
    near = [lower[item] for item in difflib.get_close_matches(name.lower(), list(lower), n=3, cutoff=0.5)]
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Columns: {', '.join(columns) or 'none'}."
    if role == "parcel_id":
        hint = f"{hint} {ROW_NUMBER} stands for the number of the row."
    problem = "fits several columns" if same else "is missing"
    raise InputError(f"Column {name} for the {_shown(role)} {problem}.", hint=hint, code="DECL-20")


def _shown(role: str) -> str:
    return {"parcel_id": "parcel identifier", "second_crop": "second crop", "organic": "organic flag"}.get(role, role)


def _fits(preset: Preset, present: Mapping[str, str]) -> bool:
    """Whether the columns that make a layout are there."""
    wanted = [name for name in preset.mapping.parcel_id if name != ROW_NUMBER]
    wanted += [preset.mapping.crop] if preset.mapping.crop else []
    return all(name.lower() in present for name in wanted)


def _found(mapping: ColumnMapping, present: Mapping[str, str]) -> dict[str, str]:
    names = [*mapping.parcel_id, *mapping.holding, mapping.crop, mapping.area, mapping.second_crop, mapping.organic]
    return {name: present[name.lower()] for name in names if name and name.lower() in present}


def _taken_over(mapping: ColumnMapping, present: Mapping[str, str]) -> ColumnMapping:
    found = _found(mapping, present)
    holding = tuple(found[name] for name in mapping.holding if name in found)
    return ColumnMapping(
        tuple(found.get(name, name) for name in mapping.parcel_id),
        found[mapping.crop],
        holding if len(holding) == len(mapping.holding) else (),
        found.get(mapping.area or ""),
        mapping.area_unit,
        found.get(mapping.second_crop or ""),
        found.get(mapping.organic or ""),
    )


def _from_usual_names(columns: Sequence[str], present: Mapping[str, str], part: Preset | None) -> Suggestion | None:
    plain = {"".join(sign for sign in name.lower() if sign.isalnum()): name for name in reversed(columns)}
    usual = {role: next((plain[n] for n in names if n in plain), None) for role, names in _USUAL.items()}
    known = part.mapping if part else ColumnMapping((), "")
    parcel_id = known.parcel_id or ((usual["parcel_id"],) if usual["parcel_id"] else ())
    crop = known.crop or usual["crop"]
    if not parcel_id or not crop:
        return None
    holding = known.holding or ((usual["holding"],) if usual["holding"] else ())
    unit = ColumnMapping((), "").area_unit
    guess = ColumnMapping(parcel_id, crop, holding, usual["area"], unit)
    mapping = validated(guess, columns)
    reason = f"{', '.join(mapping.parcel_id)} and {mapping.crop} sound like parcel identifier and crop."
    if part:
        reason = f"Part of the columns are those of {part.name}; {reason}"
    return Suggestion(mapping, part.name if part else None, part.country if part else None, reason)
