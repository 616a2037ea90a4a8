"""Tables as spreadsheets and agencies' programs write them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.parcels.delimited_text import read_delimited

KNOWN = ("Code", "Name", "Number")


def rows(content: bytes, **options: str) -> list[tuple[int, ...]]:
    table = read_delimited(content, KNOWN, **options)
    columns = [table.columns[name].to_pylist() for name in table.columns]
    return list(zip(table.line.tolist(), *columns, strict=True))


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_known_names(delimiter: str) -> None:
    # the other delimiters stand in values, more often than the right one
    text = f"code{delimiter}NAME{delimiter}number\n1{delimiter}'a b c'{delimiter}3\n"
    table = read_delimited(text.encode(), KNOWN)
    assert table.delimiter == delimiter
    assert table.header == ("code", "NAME", "number")
    assert table.columns["Name"].to_pylist() == ["'a b c'"]


def test_columns_in_any_order_and_case_with_further_ones() -> None:
    assert rows(b"remark,NUMBER,code\nx,1,A\ny,2,B\n") == [(2, "1", "A"), (3, "2", "B")]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("\ufeffcode,name\n1,Čeština\n".encode(), "utf-8-sig"),
        ("code,name\n1,Čeština\n".encode(), "utf-8"),
        ("code,name\n1,Čeština\n".encode("cp1250"), "cp1250"),
        ("code,name\n1,Čeština\n".encode("utf-16"), "utf-16"),
    ],
)
def test_encoding_is_found(content: bytes, encoding: str) -> None:
    table = read_delimited(content, KNOWN, country="CZE")
    assert table.encoding == encoding
    assert table.columns["Name"].to_pylist() == ["Čeština"]


def test_bytes_that_the_western_page_lacks_are_read_as_latin_1() -> None:
    table = read_delimited(b"code,name\n1,\x81\xe9\n", KNOWN)
    assert table.encoding == "iso-8859-1"
    assert table.columns["Name"].to_pylist() == ["\x81é"]


def test_lines_are_those_of_the_file_around_empty_lines_and_line_breaks_in_quotes() -> None:
    content = b'\r\ncode;name;;\r\n1;"two\r\nlines; and a ""quote"""\r\n\r\n;;;\r\n2;plain;;\r\n'
    assert rows(content) == [(3, "1", 'two\r\nlines; and a "quote"'), (7, "2", "plain")]


def test_short_rows_are_filled_and_long_ones_named() -> None:
    table = read_delimited(b"code,name,number\n1\n2,a,b,c\n3,a,b,,\n", KNOWN)
    assert table.columns["Number"].to_pylist() == ["", "b", "b"]
    assert table.overlong == ((3, 4),)


def test_names_given_twice_are_named() -> None:
    assert read_delimited(b"code,Name,NAME\n1,a,b\n", KNOWN).repeated == ("Name",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "It is empty."),
        (b"\n;;;\n", "It is empty."),
        (b'code,name\n1,"a\n2,b\n', "Line 2: unexpected end of data."),
        (b'code,name\n1,a\n2,"b" c\n', "Line 3: ',' expected after '\"'."),
        (b"PK\x03\x04\x00\x00", "Line 1 holds binary data."),
        (b"\xff\xfec", "Byte 2 does not fit the byte order mark (utf-16)."),
    ],
)
def test_what_is_no_table_says_why(content: bytes, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_delimited(content, KNOWN)
    assert error.value.message == message


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",), include_characters="\n\t"), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS).filter(any), max_size=8), st.sampled_from(";,\t|"))
def test_what_a_csv_program_writes_is_read_back(table: list[tuple[str, str, str]], delimiter: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([KNOWN, *table])
    read = read_delimited(text.getvalue().encode(), KNOWN)
    assert read.delimiter == delimiter
    back = list(zip(*(read.columns[name].to_pylist() for name in KNOWN), strict=True))
    assert back == table
    assert len(read.line) == len(table)
    assert not read.overlong
