"""Is the body of an answer the file that was asked for, or a page that says something else?"""

from __future__ import annotations

from s4c_lib.errors import ProductCorruptError, SourceError, SourceRefusedError

HEAD_BYTES = 512
"""Bytes of the beginning that `check_head` needs to know an archive, a tar being the greediest."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_GZIP = (b"\x1f\x8b",)
_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
# A gzip may be anything, these two are archives.
_PACKINGS = (".zip", ".tar")
_PAGES = frozenset({"text/html", "application/xhtml+xml"})


def check_head(head: bytes, file_name: str, content_type: str, what: str) -> None:
    """Look at the first bytes of a product before the rest is received.

    Parameters
    ----------
    head : the first `HEAD_BYTES` bytes, or all if there are fewer.
    content_type : as the server sent it; believed only where the bytes do not say better.
    what : source and activity, the beginning of the message.

    Raises
    ------
    SourceRefusedError : a page, which is how a provider asks for a login or for its terms to be accepted.
    SourceError : a text, such as JSON or XML.
    ProductCorruptError : anything else that the file cannot begin with.
    """
    known = _begins_rightly(head, named_by(head, file_name))
    if known:
        return
    kind = content_type.split(";")[0].strip().lower()
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if kind in _PAGES or start.startswith((b"<!doctype html", b"<html")):
        raise SourceRefusedError(
            f"{what}: a page ({kind or 'of no stated type'}) came instead of {file_name}",
            hint="usually a login, terms to accept or maintenance: check the account in a browser",
        )
    if kind.startswith("text/") or kind.endswith(("json", "xml")) or start.startswith((b"<", b"{")):
        raise SourceError(
            f"{what}: a text ({kind or 'of no stated type'}) came instead of {file_name}",
            hint="it is tried again; if it lasts, look at the provider's news",
        )
    if known is False:
        raise ProductCorruptError(
            f"{what}: what came ({kind or 'of no stated type'}) does not begin as {file_name} must",
            hint="it is fetched again",
        )


def named_by(head: bytes, file_name: str) -> str:
    """Return the name of an archive with the suffix that its first bytes ask for.

    Catalogues seldom say how a product is packed; what reads it goes by the suffix. Names of other files, and of
    archives that are already right, stay as they are.
    """
    lower = file_name.lower()
    suffix = next((suffix for suffix in _ARCHIVE_SUFFIXES if lower.endswith(suffix)), None)
    if suffix is None or _begins_rightly(head, file_name):
        return file_name
    found = next((other for other in _PACKINGS if _begins_rightly(head, other)), suffix)
    return file_name[: -len(suffix)] + found


def other_packings(file_name: str) -> tuple[str, ...]:
    """Return the names that `named_by` may give a file instead of its own."""
    lower = file_name.lower()
    suffix = next((suffix for suffix in _ARCHIVE_SUFFIXES if lower.endswith(suffix)), None)
    if suffix is None:
        return ()
    return tuple(file_name[: -len(suffix)] + other for other in _PACKINGS if other != suffix)


def _begins_rightly(head: bytes, file_name: str) -> bool | None:
    """None where the name promises no particular beginning."""
    lower = file_name.lower()
    if lower.endswith(".zip"):
        return head.startswith(_ZIP)
    if lower.endswith((".tif", ".tiff")):
        return head.startswith(_TIFF)
    if lower.endswith((".tar.gz", ".tgz")):
        return head.startswith(_GZIP)
    if lower.endswith(".tar"):
        # Tars older than POSIX have no mark.
        return True if head[257:262] == b"ustar" else None
    return None
