"""What all tests share: how hypothesis draws its examples."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)  # the same examples at every run
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")
