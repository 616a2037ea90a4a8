"""What the environment says: the one place that reads environment variables.

Settings say where things are (database, manifest, Airflow). How the system behaves is a *parameter*
(:mod:`s4c_lib.parameters`), kept in the database.
"""

from __future__ import annotations

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
    log_json: bool = Field(default=False, description="Structured logs as JSON lines")
