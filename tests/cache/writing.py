"""A process that writes entries until it is killed: `python -m tests.cache.writing FOLDER SEED`."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from appliance.cache.disk import Disk
from appliance.cache.entry import Entry

NAMES = 20


def main() -> None:
    """Few names, each written again and again in other lengths."""
    disk, chance = Disk(Path(sys.argv[1])), random.Random(sys.argv[2])
    print("writing", flush=True)
    while True:
        name = str(chance.randrange(NAMES))
        draft = disk.draft(("east", name))
        for _ in range(chance.randrange(5)):
            draft.write(name.encode() * chance.randrange(100_000))
        draft.commit(Entry("east", name, "common", 0, "", "", "", 1.0))


if __name__ == "__main__":
    main()
