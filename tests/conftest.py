"""What the tests share: the engine, the project's root, and the real clients' data."""

from __future__ import annotations

from pathlib import Path

import ibis
import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture
def con():
    """Return an engine of its own, in memory."""
    connection = ibis.duckdb.connect()
    yield connection
    connection.disconnect()


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of real clients' data, which is not part of the repository."""
    if not SHARED.is_dir():
        pytest.skip("the real clients' data are not on this machine")
    return SHARED
