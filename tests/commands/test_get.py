from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.commands import progress
from appliance.commands.main import main
from appliance.commands.progress import Progress, bar
from appliance.report.text import printable
from tests.commands.servers import HttpServer, Server, TftpServer, blocks
from tests.netns.process import REPOSITORY
from tests.report.printed import SHAPES
from tests.report.shape import unlike

BODY = bytes(range(256)) * 10
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)
OACK = b"\0\6blksize\x001428\0tsize\x002560\0"

Serve = Callable[[], Server]


def http() -> Server:
    return HttpServer(HEAD, BODY[:100], BODY[100:])


def tftp() -> Server:
    return TftpServer(*blocks(BODY))


def with_options() -> Server:
    return TftpServer(OACK, *blocks(BODY, 1428))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("server", [http, tftp])
@pytest.mark.parametrize("output", [None, "other.bin", "{here}/other.bin", "folder/other.bin"])
def test_a_file(server: Serve, output: str | None, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "folder").mkdir()
    target = "file.bin" if output is None else output.format(here=here)
    with server() as serving:
        assert main(["get", serving.url("a/file.bin"), *(["-o", target] if output else [])]) == 0
    assert Path(target).read_bytes() == BODY
    assert [path.name for path in Path(target).parent.iterdir() if path.is_file()] == [Path(target).name]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{target}: {len(BODY)} bytes in ")


@pytest.mark.parametrize("server", [http, tftp])
def test_to_standard_output(server: Serve, here: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with server() as serving:
        assert main(["get", serving.url("file.bin"), "-o", "-"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == BODY
    assert err.startswith(b"-: 2560 bytes in ")
    assert list(here.iterdir()) == []


def told(text: str, shape: str) -> Any:
    """What `--json` printed, which has the shape of its example."""
    value = json.loads(text)
    assert list(unlike(value, SHAPES[shape])) == []
    assert value["bytes"] == len(BODY)
    assert value["sha256"] == hashlib.sha256(BODY).hexdigest()
    return value


@pytest.mark.parametrize(
    ("server", "shape", "facts"),
    [
        (http, "get-http", {"size_bytes": 2560}),
        (lambda: HttpServer(b"HTTP/1.0 200 OK\r\n\r\n", BODY), "get-http", {"size_bytes": None}),
        (tftp, "get-tftp", {"size_bytes": None, "options": {}, "retransmits": 0, "duplicates": 0}),
    ],
)
def test_json(server: Serve, shape: str, facts: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with server() as serving:
        url = serving.url("file.bin")
        assert main(["get", url, "--json"]) == 0
    out, err = capsys.readouterr()
    value = told(out, shape)
    assert value == value | facts | {"url": url, "output": "file.bin"}
    assert err == ""


def test_json_beside_the_file(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with http() as serving:
        assert main(["get", serving.url("file.bin"), "-o", "-", "--json"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == BODY
    assert told(err.decode(), "get-http")["output"] == "-"


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    with with_options() as serving:
        assert main(["get", serving.url("file.bin"), "--blksize", "1428", "--tsize", "--json"]) == 0
    assert serving.asked == b"\0\1file.bin\0octet\0blksize\x001428\0tsize\x000\0"
    value = told(capsys.readouterr().out, "get-tftp")
    assert (value["options"], value["size_bytes"]) == ({"blksize": "1428", "tsize": "2560"}, 2560)


def test_netascii(here: Path) -> None:
    with TftpServer(*blocks(b"one\r\ntwo\r\0\r\n")) as serving:
        assert main(["get", serving.url("file.txt"), "--netascii"]) == 0
    assert serving.asked == b"\0\1file.txt\0netascii\0"
    assert (here / "file.txt").read_bytes() == b"one\ntwo\r\n"


@pytest.mark.parametrize(
    ("name", "asked", "line"),
    [
        ("Desktops/List.xml", b"Desktops/List.xml", b"/Desktops/List.xml"),
        ("/x", b"/x", b"//x"),
        ("a%20b", b"a b", b"/a%20b"),
        ("a b", b"a b", b"/a%20b"),
        ("Gr\u00fc\u00dfe", "Gr\u00fc\u00dfe".encode(), b"/Gr%C3%BC%C3%9Fe"),
        ("\udcff", b"\xff", b"/%FF"),
        ("a\\b", b"a\\b", b"/a\\b"),
        ("..%2fb", b"../b", b"/..%2fb"),
    ],
)
def test_what_is_asked(name: str, asked: bytes, line: bytes, here: Path) -> None:
    with tftp() as serving:
        assert main(["get", serving.url(name), "-o", "x"]) == 0
    assert serving.asked == b"\0\1" + asked + b"\0octet\0"
    with http() as serving:
        assert main(["get", serving.url(name), "-o", "x"]) == 0
    assert serving.asked.startswith(b"GET " + line + b" HTTP/1.1\r\n")


def test_the_name_of_the_file_leads_nowhere_else(here: Path) -> None:
    (here / "in").mkdir()
    os.chdir(here / "in")
    with tftp() as serving:
        assert main(["get", serving.url("a/..%2fb")]) == 0
    assert [str(path.relative_to(here)) for path in here.rglob("*")] == ["in", "in/b"]


def error(code: int, text: bytes) -> bytes:
    return b"\0\5" + code.to_bytes(2, "big") + text + b"\0"


FAILURES: list[tuple[tuple[bytes, ...], type[Server], str]] = [
    ((error(1, b"File not found"),), TftpServer, "the server does not have it"),
    ((error(2, b"Access violation"),), TftpServer, "TFTP error 2: Access violation"),
    ((error(0, b"\x1b[2J\x07\n" + "\u202e".encode()),), TftpServer, r"TFTP error 0: \x1b[2J\x07\n\u202e"),
    ((blocks(BODY)[0], error(0, b"\x1b[2J")), TftpServer, "ended by the server (error 0)"),
    ((b"\0\6blksize\x009999\0",), TftpServer, "the server does not cope with these options"),
    ((b"HTTP/1.1 404 Not Found\r\n\r\n",), HttpServer, "HTTP status 404 Not Found"),
    ((b"HTTP/1.1 500 \x1b[2J\x9b\r\n\r\n",), HttpServer, r"HTTP status 500 \x1b[2J\x9b"),
    ((b"\x1b[2J\r\n\r\n",), HttpServer, r"\x1b[2J"),
    ((b"",), HttpServer, "Remote end closed connection without response"),
    ((HEAD, BODY[:-1]), HttpServer, "ended after 2559 of 2560 bytes"),
    ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",), HttpServer, "IncompleteRead"),
]


@pytest.mark.parametrize(("answers", "server", "text"), FAILURES)
@pytest.mark.parametrize("before", [None, b"of an earlier day"])
def test_a_failure(
    answers: tuple[bytes, ...],
    server: Callable[..., Server],
    text: str,
    before: bytes | None,
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line says why, without a stranger's bytes; no part of the file is left, and no earlier one gone."""
    if before is not None:
        (here / "file.bin").write_bytes(before)
    with server(*answers) as serving:
        url = serving.url("file.bin")
        assert main(["get", url, "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"appliance: {url}: ")
    assert text in err
    assert "cluster" not in err
    assert err.removesuffix("\n").isprintable()
    left = [path.read_bytes() for path in here.iterdir()]
    assert left == ([] if before is None else [before])


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("tftp://127.0.0.1:1/x", "tftp://127.0.0.1:1/x: no TFTP answer: Connection refused"),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:1/x: Connection refused"),
        ("tftp://a..b/x", "a..b: "),
        ("http://a..b/x", "http://a..b/x: "),
        (f"tftp://{'a' * 70}/x", f"{'a' * 70}: "),
    ],
)
def test_nobody_there(url: str, text: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", url]) == 1
    assert capsys.readouterr().err.startswith(f"appliance: {text}")
    assert list(here.iterdir()) == []


def test_a_folder_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "tftp://127.0.0.1:1/x", "-o", "none/x"]) == 1
    assert capsys.readouterr().err == "appliance: none/x: No such file or directory\n"


def test_what_is_no_file_is_written_to_and_stays(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As with `-o /dev/null`."""
    os.mkfifo(here / "x")
    reader = os.open(here / "x", os.O_RDWR)
    with http() as serving:
        assert main(["get", serving.url("x")]) == 0
    assert os.read(reader, 2 * len(BODY)) == BODY
    os.close(reader)
    assert (here / "x").is_fifo()
    assert [path.name for path in here.iterdir()] == ["x"]


def test_a_folder_in_place_of_the_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "x").mkdir()
    assert main(["get", "tftp://127.0.0.1:1/x"]) == 1
    assert capsys.readouterr().err == "appliance: x: Is a directory\n"
    assert [path.name for path in here.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("count", "size", "seconds", "line"),
    [
        (0, 100, 1, "x  [------------------------------]   0%  0.0 MB/s"),
        (50, 100, 1, "x  [###############---------------]  50%  0.0 MB/s"),
        (1_000_000, 2_000_000, 0.5, "x  [###############---------------]  50%  2.0 MB/s"),
        (99, 100, 1, "x  [#############################-]  99%  0.0 MB/s"),
        (100, 100, 1, "x  [##############################] 100%  0.0 MB/s"),
        (200, 100, 1, "x  [##############################] 100%  0.0 MB/s"),
        (5_000_000, None, 2, "x  5000000 bytes  2.5 MB/s"),
        (7, 0, 1, "x  7 bytes  0.0 MB/s"),
        (0, None, 0, "x  0 bytes  0.0 MB/s"),
    ],
)
def test_bar(count: int, size: int | None, seconds: float, line: str) -> None:
    assert bar("x", count, size, seconds) == line


class Screen(io.StringIO):
    """Standard error on a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "INTERVAL", 0)
    with Progress("\x1b[2J") as drawing:
        drawing.show(50, 100)
        drawing.show(60, None)
    nothing, first, second, wiped, after = screen.getvalue().split("\r")
    assert first.startswith(r"\x1b[2J  [###############---------------]  50%  ")
    assert second.rstrip().startswith(r"\x1b[2J  60 bytes  ")
    assert len(second) == len(first)  # what is left of a longer line is taken away
    assert (nothing, wiped.strip(), after) == ("", "", "")


def test_a_bar_is_not_drawn_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "INTERVAL", 1000)
    with Progress("x") as drawing:
        drawing._drawn = time.monotonic()
        drawing.show(50, 100)
    assert screen.getvalue() == ""


def test_no_bar_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("x") as drawing:
        drawing.show(50, 100)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "size", "count"),
    [
        ("x" * 300, 10**12, 10**12),
        ("\x1b" * 300, 10**12, 10**12),
        ("x" * 300, None, 10**12),
        ("\u6f22" * 300, 10**12, 10**12),
        ("\u6f22x" * 300, 10**12, 10**12),
    ],
)
def test_a_bar_fits(name: str, size: int | None, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "INTERVAL", 0)
    with Progress(name) as drawing:
        drawing._started -= 11
        drawing.show(count, size)
    _, line, wiped, _ = screen.getvalue().split("\r")
    columns = sum(2 if letter >= "\u2e80" else 1 for letter in line)
    assert columns <= 79
    assert len(wiped) == 79
    assert line.startswith(printable(name)[:8])


@pytest.mark.parametrize("name", ["x" * 24, "SEP00270DC01C92.cnf.xml"])
def test_a_name_that_fits_is_whole(name: str) -> None:
    assert Progress(name)._what == name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("scheme", ["tftp", "http"])
def test_a_signal(scheme: str, number: signal.Signals, here: Path) -> None:
    """While the server is silent: no part of the file is left, and nothing is said."""
    kind = socket.SOCK_DGRAM if scheme == "tftp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as silent:
        silent.settimeout(10)
        silent.bind(("127.0.0.1", 0))
        if scheme == "http":
            silent.listen()
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/x"
        accepted: list[socket.socket] = []
        with subprocess.Popen(
            [sys.executable, "-m", "appliance", "get", url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=here,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            # Under nohup, or in the background of a script, they are ignored.
            preexec_fn=lambda: [signal.signal(each, signal.SIG_DFL) for each in signals()],
        ) as process:
            try:
                if scheme == "tftp":
                    silent.recvfrom(600)
                else:
                    accepted.append(silent.accept()[0])
                assert len(list(here.iterdir())) == 1
                process.send_signal(number)
                out, err = process.communicate(timeout=20)
            finally:
                process.kill()
                for wire in accepted:
                    wire.close()
    assert (process.returncode, out, err) == (130, b"", b"")
    assert list(here.iterdir()) == []


def signals() -> tuple[signal.Signals, ...]:
    return (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_signals_are_as_before(here: Path) -> None:
    before = [signal.getsignal(each) for each in signals()]
    with http() as serving:
        assert main(["get", serving.url("x")]) == 0
    assert [signal.getsignal(each) for each in signals()] == before


def test_the_configuration_is_not_read(here: Path) -> None:
    with http() as serving:
        assert main(["get", serving.url("x"), "-c", "/nonexistent"]) == 0


def test_a_device_that_is_full(capsys: pytest.CaptureFixture[str]) -> None:
    with http() as serving:
        assert main(["get", serving.url("x"), "-o", "/dev/full"]) == 1
    assert capsys.readouterr().err == "appliance: /dev/full: No space left on device\n"
