"""The bench's own programs in C, compiled where they run."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
LOADGEN = ("loadgen.c", "plan.c", "tally.c", "client.c", "client_tftp.c", "client_http.c")
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True, slots=True)
class Tools:
    """The compiled programs: the load generator and the server that is the limit."""

    loadgen: Path
    limit: Path


def build(folder: Path) -> Tools:
    """Compile both into a folder, where they are older than their sources; `OSError` says what gcc said."""
    folder.mkdir(parents=True, exist_ok=True)
    tools = Tools(folder / "loadgen", folder / "limit")
    _compile(tools.loadgen, [HERE / name for name in LOADGEN], HERE / "loadgen.h")
    _compile(tools.limit, [HERE / "limit.c"])
    return tools


def _compile(program: Path, sources: list[Path], *headers: Path) -> None:
    newest = max(path.stat().st_mtime for path in (*sources, *headers))
    if program.exists() and program.stat().st_mtime > newest:
        return
    argv = ["gcc", *FLAGS, "-o", str(program), *map(str, sources), "-lm"]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"gcc failed:\n{done.stderr}")
