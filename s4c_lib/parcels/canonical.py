"""Canonical text of identifiers and codes (lpis-and-inputs.md 3.2).

Numbers of integral value become digits; text becomes Unicode NFC, trimmed, inner white space collapsed; case and
leading zeros stay; empty text and the spellings of "nothing" become None.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import InputError

NOTHING: Final = frozenset({"", "null", "na", "nan"})
# All that keeps a text from being canonical already: anything beside visible ASCII.
_TO_LOOK_AT: Final = r"[^\x21-\x7e]"
_EXACT: Final = 2.0**53
_NOTHING_PATTERN: Final = r"(?i)^(null|na|nan)?$"


def canonical_text(value: str, *, na_is_value: bool = False) -> str | None:
    """Canonical form of one text, or None for nothing.

    Parameters
    ----------
    na_is_value : ``NA`` (any case) is a value, as in a crop column whose LUT lists it.
    """
    text = " ".join(unicodedata.normalize("NFC", value).split())
    if text.lower() not in NOTHING or (na_is_value and text.lower() == "na"):
        return text
    return None


def canonical_strings(values: Any, *, na_is_value: bool = False) -> pa.StringArray:
    """Canonical text of a column.

    Parameters
    ----------
    values : pyarrow array or chunked array, numpy array or sequence, (rows,); numbers, text, booleans or dates.
    na_is_value : see `canonical_text`.

    Returns
    -------
    pyarrow string array (rows,), null for nothing.

    Raises
    ------
    InputError : the column is of a type that is no identifier or code, such as binary or a list.
    """
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):  # too large for one
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.string())
    if pa.types.is_integer(kind):
        return array.cast(pa.string())
    if pa.types.is_floating(kind):
        return _from_floating(array)
    if pa.types.is_decimal(kind):
        return _from_distinct(array)
    if pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        return array.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _from_text(array.cast(pa.string()), na_is_value)
    raise InputError(f"A column of type {kind} cannot hold identifiers or codes.", hint="Choose another column.")


def canonical(values: Any, *, na_is_value: bool = False) -> npt.NDArray[np.object_]:
    """As `canonical_strings`; object array (rows,) of str or None."""
    return as_objects(canonical_strings(values, na_is_value=na_is_value))


def as_objects(strings: pa.StringArray) -> npt.NDArray[np.object_]:
    """Object array (rows,) of str or None."""
    result: npt.NDArray[np.object_] = strings.to_numpy(zero_copy_only=False).astype(object, copy=False)
    return result


def _from_text(array: pa.StringArray, na_is_value: bool) -> pa.StringArray:
    # A column is mostly canonical as it stands; only what may not be is looked at in Python.
    look = pc.or_(pc.match_substring_regex(array, _TO_LOOK_AT), pc.match_substring_regex(array, _NOTHING_PATTERN))
    look = look.fill_null(False)
    if not pc.any(look).as_py():
        return array
    distinct = array.filter(look).dictionary_encode()
    changed = [canonical_text(value, na_is_value=na_is_value) for value in distinct.dictionary.to_pylist()]
    return pc.replace_with_mask(array, look, pa.array(changed, pa.string()).take(distinct.indices))


def _from_floating(array: pa.Array) -> pa.StringArray:
    values = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    # within the range where every whole number has its own float, the cast to int64 is exact
    whole = (np.floor(values) == values) & (np.abs(values) <= _EXACT)
    digits = pa.array(np.where(whole, values, 0).astype(np.int64), mask=~whole).cast(pa.string())
    rest = ~whole & ~np.isnan(values)
    if not rest.any():
        return digits
    mask = pa.array(rest)
    return pc.replace_with_mask(digits, mask, _from_distinct(array.filter(mask)))


def _from_distinct(array: pa.Array) -> pa.StringArray:
    distinct = array.dictionary_encode()
    return pa.array([_number(value) for value in distinct.dictionary], pa.string()).take(distinct.indices)


def _number(scalar: pa.Scalar) -> str | None:
    """Digits of an integral number; else the shortest decimal notation that gives the same number again."""
    value = scalar.as_py()
    if pa.types.is_decimal(scalar.type):
        return str(int(value)) if value == value.to_integral_value() else format(value.normalize(), "f")
    if not np.isfinite(value):
        return None
    if value == int(value):
        return str(int(value))
    single = pa.types.is_float32(scalar.type) or pa.types.is_float16(scalar.type)
    return str(np.format_float_positional(np.float32(value) if single else value, trim="-"))
