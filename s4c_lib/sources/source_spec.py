"""What opening a data source takes, free of the database it is stored in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A data source as configured.

    Attributes
    ----------
    name : of the data source.
    driver : ``local``, ``eodag``, ``asf``, ``dhus``, ``usgs``.
    satellite : ``s1``, ``s2``, ``l8``.
    local_root, path_template : of a local archive.
    secret_ref : Airflow connection with the account; None where none is needed.
    params : of the driver. eodag: ``provider``, optional ``definition`` (provider definition as eodag's own
        configuration files have it) and ``collections`` ({kind: eodag product type}). dhus: ``api_url``. asf: optional
        ``host``. usgs: optional ``api_url``.
    """

    name: str
    driver: str
    satellite: str
    local_root: str | None = None
    path_template: str | None = None
    secret_ref: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
