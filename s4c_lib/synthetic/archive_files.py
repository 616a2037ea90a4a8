"""Writing made-up products: a product is a set of relative paths with their bytes, and a manifest that lists them."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

Files = dict[str, bytes]
_MIME = {".xml": "text/xml", ".jp2": "application/octet-stream", ".tiff": "application/octet-stream"}
# Archives carry times; a fixed one keeps them the same for the same seed.
_ZIP_TIME = (2020, 1, 1, 0, 0, 0)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a product as a folder."""
    for name in sorted(files):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])


def write_zip(path: Path, folder: str, files: Mapping[str, bytes]) -> None:
    """Write a product as a zip with one top folder, as providers deliver it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}", _ZIP_TIME), files[name])


def write_tar(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a product as a flat tar, as USGS delivers it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size = len(files[name])
            archive.addfile(info, io.BytesIO(files[name]))


def safe_manifest(
    files: Mapping[str, bytes], *, namespaces: str, metadata: str, package: str, checksum: str = "MD5"
) -> bytes:
    """``manifest.safe`` of a product: its metadata section, and every file with size and checksum.

    Parameters
    ----------
    checksum : ``MD5``, or ``SHA3-256`` as Sentinel-2 has had it since 2021.
    """
    digest = _CHECKSUMS[checksum]
    objects = "".join(
        f'    <dataObject ID="object{number}">\n'
        f'      <byteStream mimeType="{_MIME.get(Path(name).suffix, "octet")}" size="{len(files[name])}">\n'
        f'        <fileLocation locatorType="URL" href="./{name}"/>\n'
        f'        <checksum checksumName="{checksum}">{digest(files[name])}</checksum>\n'
        "      </byteStream>\n"
        "    </dataObject>\n"
        for number, name in enumerate(sorted(files), start=1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:gml="http://www.opengis.net/gml" {namespaces}>\n'
        "  <informationPackageMap>\n"
        f'    <xfdu:contentUnit unitType="SAFE Archive Information Package" textInfo="{package}"/>\n'
        "  </informationPackageMap>\n"
        f"  <metadataSection>\n{metadata}  </metadataSection>\n"
        f"  <dataObjectSection>\n{objects}  </dataObjectSection>\n"
        "</xfdu:XFDU>\n"
    ).encode()


def metadata_object(identifier: str, content: str) -> str:
    """One ``metadataObject`` of a manifest."""
    return (
        f'    <metadataObject ID="{identifier}" classification="DESCRIPTION" category="DMD">\n'
        f'      <metadataWrap mimeType="text/xml" vocabularyName="SAFE"><xmlData>\n{content}'
        "      </xmlData></metadataWrap>\n    </metadataObject>\n"
    )


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _sha3(content: bytes) -> str:
    return hashlib.sha3_256(content).hexdigest()


_CHECKSUMS = {"MD5": _md5, "SHA3-256": _sha3}
