"""What uploads are tested with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.synthetic_delivery import deliver


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a synthetic agency uploads; read only."""
    return deliver(tmp_path_factory.mktemp("delivered"))
