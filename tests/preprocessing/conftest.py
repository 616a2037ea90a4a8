"""Products that executors are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from executor_cases import make_l1c


@pytest.fixture(scope="session")
def l1c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sound L1C; read only."""
    return make_l1c(tmp_path_factory.mktemp("l1c"))
