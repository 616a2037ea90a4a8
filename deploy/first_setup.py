"""Airflow's first administrator and pools; what exists already stays as its owner set it.

One process does both: each ``airflow`` command would load all of Airflow again, and ``airflow users create`` takes the
password only as an argument, which every user of the machine can read.
"""

from __future__ import annotations

import os
import sys

from airflow.models.pool import Pool
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.utils.session import create_session
from sqlalchemy import select

from deploy.local_stack.airflow_settings import POOLS


def ensure_administrator(username: str, password: str, email: str) -> bool:
    """Create the user with the role ``Admin``; return whether it was missing."""
    with get_application_builder() as builder:
        manager = builder.sm
        if manager.find_user(username=username):
            return False
        if not manager.add_user(username, "Sen4CAP", "Administrator", email, manager.find_role("Admin"), password):
            raise RuntimeError(f"Airflow did not create the user {username}; is {email} taken by another one?")
        return True


def ensure_pools() -> list[str]:
    """Create the pools that do not exist; return their names."""
    with create_session() as session:
        known = set(session.scalars(select(Pool.pool)))
        missing = [name for name in POOLS if name not in known]
        session.add_all(
            Pool(pool=name, slots=POOLS[name], description="Sen4CAP", include_deferred=False) for name in missing
        )
    return missing


def main() -> int:
    """Set Airflow up for its first use."""
    username = os.environ.get("S4C_ADMIN_USER") or "admin"
    email = os.environ.get("S4C_ADMIN_EMAIL") or f"{username}@sen4cap.invalid"
    created = ensure_administrator(username, os.environ.pop("S4C_ADMIN_PASSWORD"), email)
    print(f"administrator {username} {'created' if created else 'exists, its password is left as it is'}")
    for name in ensure_pools():
        print(f"pool {name} created with {POOLS[name]} slots")
    return 0


if __name__ == "__main__":
    sys.exit(main())
