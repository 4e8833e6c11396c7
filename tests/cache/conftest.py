from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub import watched


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    with watched():
        yield
