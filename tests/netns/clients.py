"""TFTP and HTTP clients of other people: a function each, run inside a host.

A fetch returns the bytes that the client has stored, or raises `ClientError` with the client's
own words. `port` is that of the server; addresses may be IPv4 or IPv6.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.netns.lab import Host

TIMEOUT = 60.0  # s, for one file

Fetch = Callable[[Host, str, int, str], bytes]


class ClientError(Exception):
    """The client did not get the file; the text is what it said."""


def tftp_hpa(host: Host, address: str, port: int, name: str, *, mode: str = "octet") -> bytes:
    """tftp-hpa: no options, lock-step; `mode` is octet or netascii."""
    local = host.lab.scratch("tftp-hpa")
    argv = ["tftp", "-m", mode, address, str(port), "-c", "get", name, str(local)]
    done = host.run(argv, TIMEOUT)
    words = done.stdout + done.stderr  # it exits with 0 whatever happened, and says so or nothing
    if words or not local.exists():
        raise ClientError(words)
    return _taken(local)


def netascii(host: Host, address: str, port: int, name: str) -> bytes:
    """tftp-hpa in netascii: what has crossed the wire as text, as Unix stores it."""
    return tftp_hpa(host, address, port, name, mode="netascii")


def atftp(
    host: Host,
    address: str,
    port: int,
    name: str,
    *,
    options: Mapping[str, int] | None = None,
) -> bytes:
    """atftp: the client that has windowsize (RFC 7440)."""
    local = host.lab.scratch("atftp")
    if options is None:
        options = {"blksize": 1428, "windowsize": 8, "tsize": 0}
    argv = ["atftp", *(word for key, value in options.items() for word in ("--option", f"{key} {value}"))]
    return _run(host, [*argv, "-g", "-r", name, "-l", str(local), address, str(port)], local)


def busybox(host: Host, address: str, port: int, name: str, *, blksize: int | None = None) -> bytes:
    """BusyBox: bare without `blksize`, else with blksize and tsize."""
    local = host.lab.scratch("busybox")
    argv = ["busybox", "tftp", "-g", *(() if blksize is None else ("-b", str(blksize)))]
    return _run(host, [*argv, "-r", name, "-l", str(local), address, str(port)], local)


def curl_tftp(host: Host, address: str, port: int, name: str, *, options: Sequence[str] = ()) -> bytes:
    """curl with tsize, blksize and timeout, and strict about the OACK; `options` as on its command line."""
    local = host.lab.scratch("curl")
    url = f"tftp://{_authority(address, port)}/{name}"
    return _run(host, ["curl", "-sS", "-g", "--path-as-is", *options, "-o", str(local), url], local)


def curl_http(host: Host, address: str, port: int, name: str, *, options: Sequence[str] = ()) -> bytes:
    """curl over HTTP; a status of 400 or more is an error. With `-I` in `options`: the head."""
    local = host.lab.scratch("curl")
    url = f"http://{_authority(address, port)}/{name}"
    return _run(host, ["curl", "-sSf", "-g", "--path-as-is", *options, "-o", str(local), url], local)


def curl_keep_alive(host: Host, address: str, port: int, names: Sequence[str]) -> tuple[list[bytes], int]:
    """Several files by one curl: their bytes, and how many connections it took."""
    locals_ = [host.lab.scratch("curl") for _ in names]
    argv = ["curl", "-sSf", "-g", "-w", "%{num_connects}\n"]
    for name, local in zip(names, locals_, strict=True):
        argv += ["-o", str(local), f"http://{_authority(address, port)}/{name}"]
    done = host.run(argv, TIMEOUT)
    if done.returncode:
        raise ClientError(done.stderr)
    return [_taken(local) for local in locals_], sum(int(line) for line in done.stdout.split())


def tftpy(
    host: Host, address: str, port: int, name: str, *, options: Mapping[str, int] | None = None
) -> bytes:
    """tftpy: refuses an OACK whose values are not those it asked for. IPv4 only."""
    local = host.lab.scratch("tftpy")
    if options is None:
        options = {"blksize": 1428, "tsize": 0}
    client = f"tftpy.TftpClient({address!r}, {port}, {dict(options)!r})"
    program = f"import tftpy; {client}.download({name!r}, {str(local)!r})"
    return _run(host, [sys.executable, "-c", program], local)


def _atftp_small(host: Host, address: str, port: int, name: str) -> bytes:
    return atftp(host, address, port, name, options={"blksize": 8, "windowsize": 32})


def _curl_small(host: Host, address: str, port: int, name: str) -> bytes:
    return curl_tftp(host, address, port, name, options=["--tftp-blksize", "8"])


def _tftpy_small(host: Host, address: str, port: int, name: str) -> bytes:
    return tftpy(host, address, port, name, options={"blksize": 8})


def _busybox_large(host: Host, address: str, port: int, name: str) -> bytes:
    return busybox(host, address, port, name, blksize=1428)


def _atftp_bare(host: Host, address: str, port: int, name: str) -> bytes:
    return atftp(host, address, port, name, options={})


def _curl_large(host: Host, address: str, port: int, name: str) -> bytes:
    return curl_tftp(host, address, port, name, options=["--tftp-blksize", "1428"])


def _curl_bare(host: Host, address: str, port: int, name: str) -> bytes:
    return curl_tftp(host, address, port, name, options=["--tftp-no-options"])


TFTP: dict[str, Fetch] = {
    "tftp-hpa": tftp_hpa,
    "tftp-hpa netascii": netascii,
    "atftp windowsize 8": atftp,
    "atftp bare": _atftp_bare,
    "busybox": busybox,
    "busybox blksize 1428": _busybox_large,
    "curl": curl_tftp,
    "curl blksize 1428": _curl_large,
    "curl no options": _curl_bare,
    "tftpy": tftpy,
}
"""Every TFTP client with the options that its users give it."""

SMALL_BLOCKS: dict[str, Fetch] = {
    "atftp blksize 8": _atftp_small,
    "curl blksize 8": _curl_small,
    "tftpy blksize 8": _tftpy_small,
}
"""Clients that can be made to pass block 65535 with a file of half a megabyte."""

IPV4_ONLY = frozenset({"tftpy", "tftpy blksize 8"})


def _run(host: Host, argv: Sequence[str], local: Path) -> bytes:
    done = host.run(argv, TIMEOUT)
    if done.returncode or not local.exists():
        raise ClientError(f"exit {done.returncode}: {done.stdout}{done.stderr}")
    return _taken(local)


def _taken(local: Path) -> bytes:
    body = local.read_bytes()
    local.unlink()
    return body


def _authority(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
