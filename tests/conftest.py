"""What all tests share: how hypothesis draws its examples, and the large counts of a long run."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

EXAMPLES = 5_000
"""of each property in a long run; a hundred else"""

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)  # the same examples at every run
settings.register_profile("long", deadline=None, max_examples=EXAMPLES)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`."""
    parser.addoption("--long", action="store_true", help="the large counts: takes hours")


def pytest_configure(config: pytest.Config) -> None:
    """As the run is: long, in CI, or by hand."""
    profile = "ci" if os.environ.get("CI") == "true" else "here"
    settings.load_profile("long" if config.getoption("--long") else profile)
