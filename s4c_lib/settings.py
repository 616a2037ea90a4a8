"""What the environment says: the one place that reads environment variables.

Settings say where things are (database, manifest, Airflow). How the system behaves is a *parameter*
(:mod:`s4c_lib.parameters`), kept in the database.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parents[1]
MIGRATIONS = REPOSITORY / "sql" / "migrations"


class Settings(BaseSettings):
    """Settings from ``S4C_*`` environment variables."""

    model_config = SettingsConfigDict(env_prefix="S4C_", extra="ignore", frozen=True)

    database_url: str | None = Field(
        default=None, description="Domain database, postgresql://user:password@host:port/name"
    )
    manifest_path: Path = Field(
        default=Path("/var/lib/sen4cap/dag_manifest.json"), description="Manifest the DAGs are generated from"
    )
    airflow_url: str = Field(default="http://127.0.0.1:8080", description="Airflow API server")
    airflow_username: str | None = Field(default=None, description="User of Airflow's REST API")
    airflow_password: SecretStr | None = Field(default=None, description="Password of that user")
    airflow_ca_file: Path | None = Field(default=None, description="CA certificate of a TLS API server")
    actor: str | None = Field(default=None, description="Name written into histories; default is the login name")
    sen2cor_program: str | None = Field(default=None, description="Sen2Cor's L2A_Process, or its name in the image")
    sen2cor_image: str | None = Field(default=None, description="Container image of Sen2Cor; none runs it here")
    sen2cor_version: str = Field(default="2.11", description="Version of Sen2Cor")
    maja_program: str | None = Field(default=None, description="MAJA, or its name in the image")
    maja_image: str | None = Field(default=None, description="Container image of MAJA; none runs it here")
    maja_version: str = Field(default="4.5", description="Version of MAJA")
    snap_program: str | None = Field(default=None, description="SNAP's gpt, or its name in the image")
    snap_image: str | None = Field(default=None, description="Container image of SNAP; none runs it here")
    snap_version: str = Field(default="11.0", description="Version of SNAP")
    container_engine: str = Field(default="docker", description="docker or podman")
    kernel_cache: Path | None = Field(
        default=None, description="Folder of compiled kernels; default: in the user's cache folder"
    )
    log_json: bool = Field(default=False, description="Structured logs as JSON lines")

    @property
    def kernel_folder(self) -> Path:
        """Where compiled kernels are kept."""
        if self.kernel_cache is not None:
            return self.kernel_cache
        given = os.environ.get("XDG_CACHE_HOME", "")
        # the XDG specification: what is not absolute does not count
        if Path(given).is_absolute():
            return Path(given) / "sen4cap" / "kernels"
        try:
            return Path.home() / ".cache" / "sen4cap" / "kernels"
        except RuntimeError:  # a user without a home, as containers may have
            return Path("/var/lib/sen4cap/kernels")


def airflow_connection(connection_id: str) -> SecretStr | None:
    """Return what the environment says of an Airflow connection (``AIRFLOW_CONN_<ID>``), as a URI or as JSON."""
    found = os.environ.get(f"AIRFLOW_CONN_{connection_id.upper()}")
    return SecretStr(found) if found else None
