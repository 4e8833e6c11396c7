"""Where the programs are, and the environment in which they run."""

from __future__ import annotations

import shutil

PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8"}


def found(program: str) -> str:
    """The whole path of a program; where there is none, the first that it could have had."""
    return shutil.which(program, path=PATH) or f"/usr/sbin/{program}"
