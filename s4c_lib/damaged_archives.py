"""What the standard library raises for archives that are damaged, in their directory or in an entry."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import Final

DAMAGED_ZIP: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    struct.error,
    # names that are not the UTF-8 they claim to be, or empty
    UnicodeDecodeError,
    IndexError,
)
