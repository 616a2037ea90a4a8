"""The code page of a Shapefile."""

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.parcels.encoding import country_page, decide_encoding, known_encoding
from s4c_lib.parcels.encoding_dbf import decodable_part, deleted_records, field_names
from s4c_lib.parcels.findings import Severity


def write_dbf(folder, values, *, encoding="ISO-8859-1", cpg=None, language=0, column="naam"):
    """A DBF with one text column; its ``.cpg`` only when asked for."""
    path = folder / "a.shp"
    texts = np.array(values, dtype=object)
    box = shapely.to_wkb([shapely.box(0, 0, 1, 1)] * len(values))
    pyogrio.raw.write(
        path, box, [texts], [column], geometry_type="Polygon", crs="EPSG:32631", driver="ESRI Shapefile",
        encoding=encoding,
    )  # fmt: skip
    side = path.with_suffix(".cpg")
    side.unlink()
    if cpg is not None:
        side.write_text(cpg)
    dbf = path.with_suffix(".dbf")
    content = bytearray(dbf.read_bytes())
    content[29] = language
    dbf.write_bytes(content)
    return {"dbf": dbf, "cpg": side if cpg is not None else None}


CZECH = ["Čeština", "plain"]


def test_the_user_goes_before_the_cpg(tmp_path):
    found = decide_encoding(**write_dbf(tmp_path, CZECH, encoding="cp1250", cpg="ISO-8859-1"), chosen="windows-1250")
    assert (found.name, found.source) == ("cp1250", "user")
    assert found.samples == (("naam", "Čeština"),)


def test_the_cpg_goes_before_the_language_byte(tmp_path):
    found = decide_encoding(**write_dbf(tmp_path, CZECH, encoding="cp1250", cpg="ANSI 1250", language=0x03))
    assert (found.name, found.source) == ("cp1250", "cpg")


def test_the_language_byte_goes_before_detection(tmp_path):
    found = decide_encoding(**write_dbf(tmp_path, ["Ã©"], encoding="cp1252", language=0x03), country="CZE")
    assert (found.name, found.source) == ("cp1252", "language_byte")
    assert found.doubtful
    (told,) = found.findings()
    assert told.severity == Severity.WARNING
    assert "valid UTF-8 as well" in told.message


def test_utf8_is_detected(tmp_path):
    found = decide_encoding(**write_dbf(tmp_path, CZECH, encoding="UTF-8"), country="CZE")
    assert (found.name, found.source) == ("UTF-8", "detected")
    (told,) = found.findings()
    assert (told.code, told.severity) == ("DECL-10", Severity.INFO)
    assert told.examples == ("naam: Čeština",)


def test_a_byte_that_names_the_page_of_the_machine_decides_nothing(tmp_path):
    found = decide_encoding(**write_dbf(tmp_path, CZECH, encoding="UTF-8", language=0x57))
    assert (found.name, found.source) == ("UTF-8", "detected")


@pytest.mark.parametrize(
    ("country", "text", "page"),
    [
        ("CZE", "Čeština", "cp1250"),
        ("LTU", "Žieminiai", "cp1257"),
        ("GR", "Ελλάδα", "cp1253"),
        ("BG", "нива", "cp1251"),
    ],
)
def test_the_page_of_the_country(tmp_path, country, text, page):
    files = write_dbf(tmp_path, [text], encoding=page)
    found = decide_encoding(**files, country=country)
    assert (found.name, found.source, found.samples[0][1]) == (page, "country", text)
    guessed = decide_encoding(**files, guessed_country=country)
    assert (guessed.name, guessed.source) == (page, "guessed_country")
    assert guessed.findings()[0].severity == Severity.WARNING


def test_iso_8859_1_when_nothing_tells(tmp_path):
    found = decide_encoding(**write_dbf(tmp_path, ["Noël"]))
    assert (found.name, found.source) == ("ISO-8859-1", "default")
    assert found.samples == (("naam", "Noël"),)


def test_typographic_signs_tell_cp1252_from_iso_8859_1(tmp_path):
    assert decide_encoding(**write_dbf(tmp_path, ["l’été"], encoding="cp1252")).name == "cp1252"


def test_a_page_that_cannot_hold_the_text_is_passed_over_and_named(tmp_path):
    found = decide_encoding(**write_dbf(tmp_path, CZECH, encoding="cp1250", cpg="UTF-8"), country="CZE")
    assert (found.name, found.source) == ("cp1250", "country")
    (told,) = found.findings()
    assert told.severity == Severity.WARNING
    assert "The .cpg says UTF-8, but the text is not valid UTF-8." in told.message


def test_an_unknown_cpg_is_named(tmp_path):
    found = decide_encoding(**write_dbf(tmp_path, CZECH, encoding="UTF-8", cpg="Martian"))
    assert found.name == "UTF-8"
    assert 'names "Martian", which is no known encoding' in found.findings()[0].message


@pytest.mark.parametrize("chosen", ["UTF-8", "Martian"])
def test_a_choice_that_does_not_fit_is_refused(tmp_path, chosen):
    with pytest.raises(InputError) as caught:
        decide_encoding(**write_dbf(tmp_path, CZECH, encoding="cp1250"), chosen=chosen)
    assert caught.value.code == "DECL-10"
    assert chosen in caught.value.message


def test_plain_text_needs_no_word(tmp_path):
    assert decide_encoding(**write_dbf(tmp_path, ["plain"])).findings() == []


def test_a_character_cut_off_by_a_narrow_column_is_forgiven(tmp_path):
    files = write_dbf(tmp_path, ["č" * 10], encoding="UTF-8")
    content = files["dbf"].read_bytes()
    at = content.index("č".encode())
    # the last byte of the last column is gone, as where a column ends within a character
    files["dbf"].write_bytes(content[: at + 79] + b"\xc4" + content[at + 80 :])
    assert decide_encoding(**files).source == "detected"


def test_names_of_columns_count_as_text(tmp_path):
    found = decide_encoding(**write_dbf(tmp_path, ["x"], encoding="UTF-8", column="Jméno"))
    assert (found.name, found.samples) == ("UTF-8", (("Jméno", "Jméno"),))


def test_deleted_records_are_listed(tmp_path):
    dbf = write_dbf(tmp_path, ["a", "b", "c"])["dbf"]
    content = bytearray(dbf.read_bytes())
    size, record = int.from_bytes(content[8:10], "little"), int.from_bytes(content[10:12], "little")
    content[size + record] = ord("*")
    dbf.write_bytes(content)
    assert deleted_records(dbf) == [2]
    assert field_names(dbf) == ["naam"]


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("utf8", "UTF-8"), ("UTF-8\n", "UTF-8"), ("65001", "UTF-8"), ("1252", "cp1252"), ("ANSI 1250", "cp1250"),
        ("windows-1257", "cp1257"), ("88591", "ISO-8859-1"), ("885915", "ISO-8859-15"), ("latin1", "ISO-8859-1"),
        ("hex", None), ("nonsense", None), ("", None), ("99999", None), ("utf-16", None),
    ],
)  # fmt: skip
def test_spellings_of_encodings(spelling, name):
    assert known_encoding(spelling) == name


def test_country_pages():
    assert [country_page(name) for name in ("cze", "CZ", "EL", "LTU", "NLD", "XX", None)] == [
        "cp1250", "cp1250", "cp1253", "cp1257", "cp1252", None, None,
    ]  # fmt: skip


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])), st.integers(0, 3))
def test_only_the_cut_character_is_dropped(text, missing):
    value = text.encode()
    last = len(text[-1].encode())
    cut = value[: len(value) - min(missing, last - 1)]
    assert decodable_part(cut).decode() == (text if len(cut) == len(value) else text[:-1])
