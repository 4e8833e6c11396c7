"""A call manager's file server: HTTP on 6970 and TFTP on 69, from one folder whose files may change.

Run inside a host as a program of its own (`cucm.Cucm` does). What it shall do wrong is said over a Unix
socket, a JSON object a line each way; every request is noted, and told there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from tests.netns.cucm_http import Http
from tests.netns.cucm_served import Files
from tests.netns.cucm_tftp import Tftp

HTTP_PORT, TFTP_PORT = 6970, 69
HEAD_MAX = 8192  # bytes


async def serve(arguments: argparse.Namespace) -> None:
    """Open the ports, say so, and run until the process is ended."""
    files = Files(arguments.root)
    loop = asyncio.get_running_loop()

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = files.tell(json.loads(await reader.readline()))
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    if arguments.http:
        http = Http(files)
        await asyncio.start_server(http.serve, arguments.address, HTTP_PORT, limit=HEAD_MAX)
    if arguments.tftp:
        end = (arguments.address, TFTP_PORT)
        await loop.create_datagram_endpoint(lambda: Tftp(files, arguments.address), local_addr=end)
    await asyncio.start_unix_server(control, arguments.control)
    print("listening", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Read the arguments, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--tftp", action="store_true")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
