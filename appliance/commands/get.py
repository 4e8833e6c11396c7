"""`appliance get`: a TFTP and HTTP client for tests and diagnosis."""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import socket
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from string import punctuation
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

from appliance.cluster.body import Broken
from appliance.cluster.upstream import Absent, Refused, Target, Unreachable
from appliance.commands.answer import Failure, Subparsers, as_json, show_json
from appliance.commands.arguments import number
from appliance.commands.progress import Progress
from appliance.commands.sink import sink
from appliance.report.text import printable
from appliance.tftp.packet import Mode

HTTP_TIMEOUT = 30.0  # s without a byte
PLAIN = argparse.Namespace(blksize=None, windowsize=None, timeout=None, tsize=False, netascii=False)
PIECE = 64 * 1024  # bytes
TFTP_ONLY = ("blksize", "windowsize", "timeout", "tsize", "netascii")


class NotThere(Failure):
    """The server answered that it does not have the file."""


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "get",
        parents=[shared, reporting],
        help="fetch a file as a phone would",
        description="Fetch tftp://HOST[:PORT]/NAME or http://HOST[:PORT]/NAME (port 69 or 6970). Without -o "
        "the file is written here, under the last part of its name, once it is whole. "
        "The configuration is not read.",
    )
    command.add_argument("url", type=_url, metavar="URL")
    command.add_argument("-o", "--output", metavar="FILE", help="where to; - is standard output")
    command.add_argument("--blksize", type=number(8, 65464), metavar="BYTES", help="TFTP option (8 to 65464)")
    command.add_argument(
        "--windowsize", type=number(1, 65535), metavar="BLOCKS", help="TFTP option (1 to 65535)"
    )
    command.add_argument("--timeout", type=number(1, 255), metavar="SECONDS", help="TFTP option (1 to 255)")
    command.add_argument("--tsize", action="store_true", help="TFTP option: have the size told")
    command.add_argument("--netascii", action="store_true", help="TFTP mode netascii instead of octet")
    command.set_defaults(run=run, usage=command.error)


def run(options: argparse.Namespace) -> int:
    """Fetch, and tell what came."""
    url: SplitResult = options.url
    name = unquote_to_bytes(os.fsencode(url.path.removeprefix("/")))
    target = options.output or os.fsdecode(name.rpartition(b"/")[2])
    if not name or b"\0" in name or not target:
        options.usage(f"{printable(url.geturl())} names no file")
    if url.scheme != "tftp" and (wrong := [f"--{key}" for key in TFTP_ONLY if getattr(options, key)]):
        options.usage(f"{', '.join(wrong)}: for tftp:// URLs alone; found {printable(url.geturl())}")
    started = time.monotonic()
    with sink(target) as file, Progress(target) as progress:
        digest, count = hashlib.sha256(), 0
        facts: dict[str, object] = {}
        pieces = _tftp(url, name, options, facts) if url.scheme == "tftp" else _http(url, facts)
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            count += len(piece)
            size = facts.get("size_bytes")
            progress.show(count, size if isinstance(size, int) else None)
    took = time.monotonic() - started
    told = {
        "url": url.geturl(),
        "output": target,
        "bytes": count,
        "sha256": digest.hexdigest(),
        "duration_ms": round(took * 1000, 1),
        **facts,
    }
    if options.json:
        # With the file itself on standard output the report must not stand in its middle.
        if target == "-":
            print(as_json(told), file=sys.stderr)
        else:
            show_json(told)
    else:
        rate = f", {count / took / 1e6:.1f} MB/s" if took > 0.1 else ""
        print(f"{printable(target)}: {count} bytes in {took * 1000:.0f} ms{rate}", file=sys.stderr)
    return 0


def content(text: str, size_max: int, timeout: float = HTTP_TIMEOUT) -> bytes:
    """A whole file of at most `size_max` bytes, by its URL; `Failure`, of which `NotThere` is one.

    `timeout` is for HTTP, in seconds without a byte.
    """
    try:
        url = _url(text)
    except argparse.ArgumentTypeError as error:
        raise Failure(str(error)) from None
    name = unquote_to_bytes(os.fsencode(url.path.removeprefix("/")))
    if not name or b"\0" in name:
        raise Failure(f"{printable(text)} names no file")
    pieces = _tftp(url, name, PLAIN, {}) if url.scheme == "tftp" else _http(url, {}, timeout)
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) > size_max:
            raise Failure(f"{printable(text)}: more than {size_max} bytes")
    return bytes(found)


def _url(text: str) -> SplitResult:
    try:
        url: SplitResult = urlsplit(text)
        if url.scheme in ("tftp", "http") and url.hostname and url.port != 0:
            return url
    except ValueError:
        pass
    allowed = "tftp://HOST[:PORT]/NAME or http://HOST[:PORT]/NAME"
    raise argparse.ArgumentTypeError(f"{printable(text)} is not {allowed}")


def _tftp(
    url: SplitResult, name: bytes, options: argparse.Namespace, facts: dict[str, object]
) -> Iterator[bytes]:
    wanted = {"blksize": options.blksize, "timeout": options.timeout, "windowsize": options.windowsize}
    offer = tuple((key, str(value)) for key, value in wanted.items() if value is not None)
    if options.tsize:
        offer += (("tsize", "0"),)
    mode = Mode.NETASCII if options.netascii else Mode.OCTET
    # gevent takes a while to load, which no other command has to wait for.
    import gevent

    from appliance.cluster.upstream_tftp import NotAgreed, TftpFile

    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, KeyboardInterrupt)  # else gevent prints a report of a Ctrl-C
    try:
        info = socket.getaddrinfo(url.hostname, url.port or 69, type=socket.SOCK_DGRAM)[0]
        file = TftpFile(Target(ip_address(info[4][0]), url.port or 69), name, mode, offer)
    except (OSError, UnicodeError) as error:  # UnicodeError: what can be no host's name
        raise Failure(f"{printable(url.hostname or '')}: {_why(error)}") from None
    try:
        file.ask()
        facts["size_bytes"] = file.size
        facts["options"] = dict(file.receiver.accepted.oack)
        yield from file.pieces()
    except Absent:
        raise NotThere(f"{printable(url.geturl())}: the server does not have it") from None
    except NotAgreed:
        raise Failure(f"{printable(url.geturl())}: the server does not cope with these options") from None
    except (Refused, Unreachable, Broken) as fault:
        raise Failure(f"{printable(url.geturl())}: {printable(str(fault))}") from None
    finally:
        facts["retransmits"] = file.receiver.retransmits
        facts["duplicates"] = file.receiver.duplicates
        file.close()


def _http(url: SplitResult, facts: dict[str, object], timeout: float = HTTP_TIMEOUT) -> Iterator[bytes]:
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 6970, timeout=timeout)
    try:
        target = url.path + (f"?{url.query}" if url.query else "")
        connection.request("GET", quote(target, safe=punctuation, errors="surrogateescape"))
        response = connection.getresponse()
        if response.status != http.client.OK:
            kind = NotThere if response.status in (http.client.NOT_FOUND, http.client.GONE) else Failure
            raise kind(
                f"{printable(url.geturl())}: HTTP status {response.status} {printable(response.reason)}"
            )
        size = response.length
        facts["size_bytes"] = size
        count = 0
        while piece := response.read1(PIECE):
            count += len(piece)
            yield piece
        if size is not None and count != size:
            raise Failure(f"{printable(url.geturl())}: ended after {count} of {size} bytes")
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise Failure(f"{printable(url.geturl())}: {_why(error)}") from None
    finally:
        connection.close()


def _why(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or printable(str(error)) or type(error).__name__
