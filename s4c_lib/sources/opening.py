"""From a data source as configured to the object that speaks to it; drivers import their libraries when used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from s4c_lib.errors import InputError, NotFoundError, SourceError
from s4c_lib.sources.product_kinds import Satellite

if TYPE_CHECKING:
    from s4c_lib.sources.catalogue import Catalogue, CatalogueOptions
    from s4c_lib.sources.credentials import Credentials, Vault
    from s4c_lib.sources.local_archive import LocalArchive
    from s4c_lib.sources.source_spec import SourceSpec

REMOTE_DRIVERS = ("eodag", "asf", "dhus", "usgs")


def no_accounts(secret_ref: str) -> Credentials:
    """Refuse every account: the vault of what runs without one."""
    raise NotFoundError(
        f"There is no account {secret_ref!r} here.",
        hint="make an Airflow connection of that name; for the command line, set AIRFLOW_CONN_" + secret_ref.upper(),
    )


def open_catalogue(spec: SourceSpec, vault: Vault, options: CatalogueOptions) -> Catalogue:
    """Open a remote data source; nothing is sent yet, the first request logs in where that is needed.

    Raises
    ------
    NotFoundError : the vault has no account of that name.
    InputError : a driver that is no remote one, or parameters that it cannot work with.
    """
    credentials = None if spec.secret_ref is None else vault(spec.secret_ref)
    match spec.driver:
        case "eodag":
            from s4c_lib.sources.eodag_catalogue import EodagCatalogue

            return EodagCatalogue(spec.name, spec.satellite, spec.params, credentials, options)
        case "dhus":
            from s4c_lib.sources.dhus_catalogue import DhusCatalogue

            return DhusCatalogue(spec.name, spec.satellite, spec.params, credentials, options)
        case "asf":
            from s4c_lib.sources.asf_catalogue import AsfCatalogue

            return AsfCatalogue(spec.name, spec.satellite, spec.params, credentials, options)
        case "usgs":
            from s4c_lib.sources.usgs_catalogue import UsgsCatalogue

            return UsgsCatalogue(spec.name, spec.satellite, spec.params, credentials, options)
    raise InputError(
        f"Data source {spec.name!r} has the driver {spec.driver!r}, which opens no catalogue.",
        hint=f"drivers of catalogues are {', '.join(REMOTE_DRIVERS)}",
    )


def open_archive(spec: SourceSpec) -> LocalArchive:
    """Open a local archive.

    Raises
    ------
    SourceError : its folder cannot be read, or is empty: an archive that is not mounted looks like that, and no product
        there proves nothing.
    """
    from s4c_lib.sources.local_archive import LocalArchive

    archive = LocalArchive(Path(str(spec.local_root)), spec.path_template, name=spec.name)
    health = archive.health()
    if not health.ok:
        raise SourceError(f"{spec.name}: {health.text}", hint="check the source's local_root and its mount")
    return archive


# Which satellites of product names a searched satellite stands for.
SEARCHED: dict[str, tuple[Satellite, ...]] = {
    "s1": (Satellite.SENTINEL1,),
    "s2": (Satellite.SENTINEL2,),
    "l8": (Satellite.LANDSAT8, Satellite.LANDSAT9),
}
