"""Parameter files of six countries as data, for l4c-practices.md section 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from s4c_lib.errors import NotFoundError
from s4c_lib.parcels.configuration_file import written
from s4c_lib.parcels.l4c_configuration_keys import KEYS, NOT_SET, PRACTICES

COUNTRIES: Final = ("CZE", "ESP", "ITA", "LTU", "NLD", "ROU")
_SUFFIX: Final = "_TIME_SERIES_ANALYSIS_PARAMS"
# Practice and countries of each column of the table below.
_COLUMNS: Final = (
    ("CC", ("NLD", "CZE", "ITA")), ("CC", ("LTU",)), ("CC", ("ROU",)),
    ("FL", ("CZE",)), ("FL", ("LTU",)), ("FL", ("ESP",)), ("FL", ("ITA",)),
    ("NFC", ("CZE",)), ("NFC", ("LTU",)), ("NFC", ("ESP",)), ("NFC", ("ITA",)), ("NFC", ("ROU",)),
    ("NA", ("NLD", "CZE", "LTU")), ("NA", ("ESP",)), ("NA", ("ITA",)), ("NA", ("ROU",)),
)  # fmt: skip
# "=" as DEFAULT (left out of the section), "x" not set.
_OVERRIDES: Final = """
                 CC           FL               NFC                     NA
OPTTHRVEGCYCLE   =   =   400  500 400 500 500  500 400 325 350 400  =   325 350 400
NDVIDW           =   =   =    =   =   150 300  =   =   150 300 =    =   150 300 =
NDVIUP           500 500 400  =   450 400 400  =   450 450 450 400  500 450 450 400
OPTTHRMIN        =   =   =    =   =   =   10   =   =   =   10  =    =   =   10  =
OPTTHRBUFDEN     =   4   6    6   6   6   6    8   =   8   6   6    =   8   6   6
AMPTHRMIN        0.2 0.2 0.2  0.2 0.2 0.2 0.2  0.2 0.2 0.2 0.2 0.2  0.2 0.2 0.2 0.2
AMPTHRBREAKDEN   3   3   4    3   3   3   3    3   3   3   3   3    3   3   3   4
STDDEVINAMPTHR   =   =   =    0   =   0   0    =   =   0   1   =    =   =   =   =
AMPTHRVALDEN     3   3   3    3   3   2   1    3   3   3   3   3    3   3   3   3
COHTHRBASE       0.1 0.1 0.1  0.1 0.1 0.1 0.1  0.1 0.1 0.1 0.1 0.1  0.1 0.1 0.1 0.1
COHTHRHIGH       =   =   0.1  =   0.2 =   =    0.1 =   =   =   =    =   =   =   0.1
COHTHRABS        0.7 0.7 0.6  0.7 0.7 0.6 0.6  0.7 0.7 0.6 0.6 0.6  0.7 0.6 0.6 0.6
EFANDVITHR       =   =   =    400 400 400 400  350 400 325 350 350  x   x   x   x
EFANDVIUP        =   350 350  600 x   x   x    x   x   x   x   x    x   x   x   x
EFANDVIDW        =   =   =    600 x   x   x    x   x   x   x   x    x   x   x   x
EFACOHCHANGE     =   =   =    x   =   x   x    x   x   x   x   x    x   x   x   x
EFACOHVALUE      =   =   0.6  x   =   x   x    x   x   x   x   x    x   x   x   x
EFAAMPTHR        .03 .03 .03  =   =   =   =    =   =   =   =   =    x   x   x   x
"""
_FURTHER: Final[dict[tuple[str, str], dict[str, str]]] = {
    ("NLD", "CC"): {"CATCHMAIN": "CatchCrop_3", "CATCHPERIODSTART": "${YEAR}-07-15"},
    ("LTU", "CC"): {"CATCHMAIN": "IS", "CATCHPERIOD": NOT_SET},
    ("CZE", "CC"): {"CATCHMAIN": "-"},
    ("ITA", "CC"): {"CATCHMAIN": "-"},
    ("ROU", "CC"): {"CATCHMAIN": "-", "CATCHPERIODSTART": "${YEAR}-08-01"},
    ("CZE", "FL"): {"FLMARKSTARTDATE": "${YEAR}-06-04", "FLMARKSTENDDATE": "${YEAR}-08-31"},
    ("ITA", "FL"): {"FLMARKSTARTDATE": "${YEAR}-03-31"},
}


def preset(country: str) -> dict[str, dict[str, str]]:
    """Values of a country's file by section (``DEFAULT``, ``CC`` …) and key, as texts with ``${YEAR}`` left in.

    Raises
    ------
    NotFoundError : no preset for the country.
    """
    code = country.upper()
    if code not in COUNTRIES:
        raise NotFoundError(f"There is no L4C preset for {country}.", hint=f"there are {', '.join(COUNTRIES)}")
    sections = {"DEFAULT": {name: key.shipped for name, key in KEYS.items() if not name.endswith("RULE")}}
    for practice in PRACTICES:
        values = {**_overrides(code, practice), **_FURTHER.get((code, practice), {})}
        if values:
            sections[practice] = values
    return sections


def _overrides(country: str, practice: str) -> dict[str, str]:
    columns = [place for place, (name, countries) in enumerate(_COLUMNS) if name == practice and country in countries]
    if not columns:
        return {}
    values = {}
    for line in _OVERRIDES.strip().splitlines()[1:]:
        key, *cells = line.split()
        cell = cells[columns[0]]
        if cell != "=":
            values[key] = NOT_SET if cell == "x" else f"0{cell}" if cell.startswith(".") else cell
    return values


def preset_text(country: str) -> str:
    """The preset as a file in Sen4CAP's form.

    Raises
    ------
    NotFoundError : no preset for the country.
    """
    sections: dict[str, Mapping[str, str]] = {"COMMON": {}}
    for name, values in preset(country).items():
        prefix = "" if name == "DEFAULT" else f"{name}_"
        sections[f"{name}{_SUFFIX}"] = {f"{prefix}{key}": value for key, value in values.items()}
    return written(sections)
