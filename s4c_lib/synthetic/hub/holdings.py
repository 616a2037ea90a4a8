"""Which products of a folder the hub serves, and what it knows of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from s4c_lib.errors import InputError, Sen4capError
from s4c_lib.sources.archive_scan import Found, scan_folder
from s4c_lib.sources.model import Rejected
from s4c_lib.sources.product_facts import read_facts
from s4c_lib.sources.product_kinds import ProductKind, Satellite
from s4c_lib.sources.product_names import bare_name, product_name
from s4c_lib.synthetic.hub.packing import md5_of, pack_folder, repack
from s4c_lib.synthetic.hub.served_product import ServedProduct

_SCENE = timedelta(seconds=27)
_PUBLISHED_AFTER = timedelta(hours=3)
_REPUBLISHED_AFTER = timedelta(days=200)
_SAFE_KINDS = (ProductKind.S2_L1C, ProductKind.S2_L2A, ProductKind.S1_SLC, ProductKind.S1_GRD)
_ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar", ".tiff", ".tif")


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a folder holds: products by sensing time and title, and what is not served, with the reason."""

    products: tuple[ServedProduct, ...]
    rejected: tuple[Rejected, ...]


def holdings_of(folder: Path, cache: Path) -> Holdings:
    """Find the products under a folder and pack those that are folders into ``cache``.

    Raises
    ------
    InputError : the folder is not there or holds no product.
    DiskFullError, StorageError : a zip cannot be written.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", hint="give the folder of a synthetic season's products")
    scan = scan_folder(folder)
    rejected = list(scan.rejected)
    served: dict[str, ServedProduct] = {}
    for found in scan.found:
        if found.name.name in served:
            text = f"{found.path} is served from {served[found.name.name].path}"
            rejected.append(Rejected(str(found.path), "duplicate", text, found.name))
            continue
        try:
            served[found.name.name] = _served(found, cache)
        except Sen4capError as error:
            rejected.append(Rejected(str(found.path), error.code, error.one_line, found.name))
    if not served:
        raise InputError(f"{folder} holds no product", hint="give the folder that holds the products, such as archive/")
    return Holdings(in_order(served.values()), tuple(rejected))


def in_order(products: Iterable[ServedProduct]) -> tuple[ServedProduct, ...]:
    """Products by sensing time, then title: the order every catalogue lists them in."""
    return tuple(sorted(products, key=lambda product: (product.start, product.title)))


def reprocessed(product: ServedProduct, cache: Path) -> ServedProduct:
    """Make the same acquisition's product of the next processing baseline, with other bytes.

    Its folder and its own name tell the new baseline; the metadata files inside are those of the old one.

    Raises
    ------
    InputError : not a Sentinel-2 product in SAFE format.
    """
    name = product.name
    if name.satellite is not Satellite.SENTINEL2 or name.baseline is None or not product.is_safe:
        raise InputError(f"{product.title} has no processing baseline", hint="name a Sentinel-2 L1C or L2A product")
    made = (name.created or product.end) + _REPUBLISHED_AFTER
    next_baseline = max(510, name.baseline + 1)
    fields = product.title.split("_")
    fields[3] = f"N{next_baseline:04d}"
    fields[-1] = f"{made:%Y%m%dT%H%M%S}"
    title = "_".join(fields)
    target = cache / f"{title}.zip"
    repack(product.path, f"{title}.SAFE", target)
    return replace(
        product,
        name=product_name(title),
        title=title,
        path=target,
        file_name=target.name,
        size_bytes=target.stat().st_size,
        md5=md5_of(target),
        processed=made,
        published=made + _PUBLISHED_AFTER,
    )


def _served(found: Found, cache: Path) -> ServedProduct:
    facts = read_facts(found.path, found.name)
    title = bare_name(found.path.name)
    is_safe = found.name.kind in _SAFE_KINDS
    if found.path.is_dir():
        path = cache / f"{title}.zip"
        pack_folder(found.path, f"{title}.SAFE" if is_safe else title, path)
        suffix = ".zip"
    else:
        path = found.path
        suffix = next(end for end in _ARCHIVES if found.path.name.lower().endswith(end))
    start = found.name.sensing_start if not found.name.date_only else facts.sensing_time
    end = found.name.sensing_stop if found.name.sensing_stop > start else start + _SCENE
    return ServedProduct(
        name=found.name,
        title=title,
        path=path,
        file_name=f"{title}{suffix}",
        size_bytes=path.stat().st_size,
        md5=md5_of(path),
        footprint=facts.footprint,
        start=start,
        end=end,
        published=max(facts.created or end, end) + _PUBLISHED_AFTER,
        processed=facts.created,
        tiles=facts.tiles,
        relative_orbit=facts.relative_orbit,
        direction=facts.direction,
        cloud_pct=facts.cloud_pct,
        is_safe=is_safe,
    )
