from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

import appliance
from appliance.commands import main as commands
from appliance.commands.main import main

COMMANDS = (
    *("proxy", "config", "config check", "status", "find", "explain", "move", "forget", "get"),
    "",
)


def exit_of(*arguments: str) -> int:
    """The exit status, be it returned or raised by argparse."""
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "required: COMMAND"),
        ("nonsense", "invalid choice: 'nonsense'"),
        ("--nonsense", "required: COMMAND"),
        ("status extra", "unrecognized arguments: extra"),
        ("status --nonsense", "unrecognized arguments: --nonsense"),
        ("status -c", "expected one argument"),
        ("config", "required: VERB"),
        ("config nonsense", "invalid choice: 'nonsense'"),
        ("find", "required: NAME-or-DEVICE"),
        ("explain", "a NAME, --last N or --client IP is needed"),
        ("explain --last", "expected one argument"),
        ("explain --last many", 'found "many"; allowed: a whole number from 1 to 2000'),
        ("explain --last 0", 'found "0"; allowed: a whole number from 1 to 2000'),
        ("explain --last 2001", 'found "2001"; allowed: a whole number from 1 to 2000'),
        ("explain --last -1", 'found "-1"; allowed: a whole number from 1 to 2000'),
        ("explain --last 1_0", 'found "1_0"; allowed: a whole number from 1 to 2000'),
        ("explain --last \u0661", "allowed: a whole number from 1 to 2000"),
        (f"explain --last {'9' * 5000}", "allowed: a whole number from 1 to 2000"),
        ("explain x --client nobody", 'found "nobody"; allowed: an IPv4 or IPv6 address'),
        ("explain x --client \x1b", r'found "\x1b"; allowed: an IPv4 or IPv6 address'),
        ("explain --client 127.0.0.1:69", 'found "127.0.0.1:69"; allowed: an IPv4 or IPv6 address'),
        (
            "find ../x",
            'found "../x" (name that leads out of the store); allowed: the name of a file or device',
        ),
        ("find \x1b", r'found "\x1b" (name with bytes that are not printable text); allowed: the name of'),
        (
            "find \udcff",
            r'found "\udcff" (name with bytes that are not printable text); allowed: the name of',
        ),
        (f"find {'x' * 256}", "(name longer than 255 bytes)"),
        (
            "forget ../x",
            'found "../x" (name that leads out of the store); allowed: the name of a file or device',
        ),
        ("explain x --client", "expected one argument"),
        ("move", "required: DEVICE, --to"),
        ("move --to east", "required: DEVICE"),
        ("move SEP001122334455", "required: --to"),
        ("move SEP001122334455 --to", "expected one argument"),
        ("move ../x --to east", 'found "../x" (name that leads out of the store)'),
        ("forget", "one of the arguments DEVICE-or-NAME --all is required"),
        ("forget x --all", "not allowed with argument"),
        ("forget --all x", "not allowed with argument"),
        ("get", "required: URL"),
        ("get tftp://127.0.0.1/x --blksize large", 'found "large"; allowed: a whole number from 8 to 65464'),
        ("get tftp://127.0.0.1/x --blksize 7", 'found "7"; allowed: a whole number from 8 to 65464'),
        ("get tftp://127.0.0.1/x --blksize 65465", 'found "65465"; allowed: a whole number from 8 to 65464'),
        ("get tftp://127.0.0.1/x --windowsize 0", 'found "0"; allowed: a whole number from 1 to 65535'),
        ("get tftp://127.0.0.1/x --windowsize 65536", "allowed: a whole number from 1 to 65535"),
        ("get tftp://127.0.0.1/x --timeout 0", 'found "0"; allowed: a whole number from 1 to 255'),
        ("get tftp://127.0.0.1/x --timeout 256", 'found "256"; allowed: a whole number from 1 to 255'),
        ("get http://127.0.0.1/x --tsize", "--tsize: for tftp:// URLs alone; found http://127.0.0.1/x"),
        ("get http://127.0.0.1/x --blksize 512 --netascii", "--blksize, --netascii: for tftp:// URLs alone"),
        ("get http://127.0.0.1/x --windowsize 1 --timeout 1", "--windowsize, --timeout: for tftp:// URLs"),
        ("get ftp://127.0.0.1/x", "ftp://127.0.0.1/x is not tftp://HOST[:PORT]/NAME or http://"),
        ("get 127.0.0.1/x", "is not tftp://"),
        ("get tftp:///x", "is not tftp://"),
        ("get tftp://127.0.0.1:0/x", "is not tftp://"),
        ("get tftp://127.0.0.1:65536/x", "is not tftp://"),
        ("get tftp://127.0.0.1:port/x", "is not tftp://"),
        ("get http://[::1/x", "is not tftp://"),
        ("get tftp://127.0.0.1", "names no file"),
        ("get tftp://127.0.0.1/", "names no file"),
        ("get tftp://127.0.0.1/folder/", "names no file"),
        ("get tftp://127.0.0.1/a%00b -o x", "names no file"),
    ],
)
def test_a_wrong_call(arguments: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(*arguments.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: appliance")
    assert told in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("forget", ""), "an empty name; --all is everything"),
        (("find", ""), "found nothing (name of a folder); allowed: the name of a file or device"),
        (("explain", "x", "--client", ""), "found nothing; allowed: an IPv4 or IPv6 address"),
    ],
)
def test_nothing(arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As in `appliance forget "$DEVICE"`, where the variable was never set: it is not everything."""
    assert exit_of(*arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(*command.split(), "--help") == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"usage: appliance {command}".rstrip())
    assert "options:" in out
    assert err == ""


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    exit_of("--help")
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert command.split(" ")[0] in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of("--version") == 0
    assert capsys.readouterr().out == f"appliance {appliance.__version__}\n"


ASKING = (
    *(
        "status",
        "find x",
        "explain x",
        "explain --last 1",
        "explain --client ::1",
        "move x --to east",
        "forget x",
        "forget --all",
    ),
)


@pytest.mark.parametrize("json", ["", " --json"])
@pytest.mark.parametrize("command", ASKING)
def test_no_configuration(
    command: str, json: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.conf"
    assert exit_of(*f"{command}{json}".split(), "-c", str(path)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f'appliance: {path}: found "No such file or directory"; allowed: a file that can be read\n'


def test_no_configuration_to_serve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of("proxy", "-c", str(tmp_path / "none.conf")) == 1
    assert "No such file or directory" in capsys.readouterr().err


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A configuration with which no proxy runs."""
    path = tmp_path / "appliance.conf"
    path.write_text(f"version = 1\n[paths]\nrun = {tmp_path}\ndata = {tmp_path}\n")
    return path


@pytest.mark.parametrize("command", ASKING)
def test_no_proxy(command: str, configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(*command.split(), "-c", str(configuration)) == 1
    out, err = capsys.readouterr()
    path = configuration.parent / "proxy.sock"
    assert out == ""
    assert err == f"appliance: no proxy runs with this configuration ({path})\n"


def test_the_configuration_of_the_environment(
    configuration: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_CONFIG", str(configuration))
    assert exit_of("status") == 1
    assert f"({configuration.parent / 'proxy.sock'})" in capsys.readouterr().err
    assert exit_of("status", "-c", "/nonexistent") == 1
    assert "/nonexistent" in capsys.readouterr().err
    monkeypatch.setenv("APPLIANCE_CONFIG", "")
    assert exit_of("config", "check") in (0, 1)
    assert "/data/appliance.conf" in "".join(capsys.readouterr())


def test_no_default_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APPLIANCE_CONFIG", raising=False)
    monkeypatch.setattr(commands, "DEFAULT", tmp_path / "none.conf")
    assert exit_of("status") == 1
    assert capsys.readouterr().err == (
        f'appliance: {tmp_path / "none.conf"}: found "No such file or directory"; '
        "allowed: a file that can be read (give -c FILE, or set APPLIANCE_CONFIG)\n"
    )
    (tmp_path / "none.conf").mkdir()
    assert exit_of("status") == 1
    assert "give -c FILE" not in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_takes_a_configuration(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_of(*command.split(), "--help")
    assert ("--config FILE" in capsys.readouterr().out) is (command not in ("", "config"))


def test_every_fault_of_a_configuration_is_told(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration.write_text("version = 1\n[tftp]\nport = 70000\nprot = 1\n")
    assert exit_of("status", "-c", str(configuration)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" line ")[2][:16] for line in lines] == ["3: [tftp] port: ", "4: [tftp] prot: "]
    assert all(line.startswith(f"appliance: {configuration}: ") for line in lines)


def test_ports_that_cannot_be_had(configuration: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
    ):
        udp.bind(("127.0.0.1", 0))
        tcp.bind(("127.0.0.1", 0))
        ports = f"port = {udp.getsockname()[1]}\nhttp_port = {tcp.getsockname()[1]}\n"
        text = configuration.read_text()
        configuration.write_text(f"{text}[tftp]\nlisten = 127.0.0.1\n{ports}")
        command = [sys.executable, "-m", "appliance", "proxy", "-c", str(configuration)]
        done = subprocess.run(command, capture_output=True, timeout=20, check=False, encoding="utf-8")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("appliance: no port could be opened: 127.0.0.1 port ")
    assert done.stderr.count("Address already in use") == 2


@pytest.mark.parametrize("option", ["", "--json"])
def test_a_reader_that_has_enough(option: str, configuration: Path) -> None:
    """As `appliance ... | head -c 0`: no traceback, and no success."""
    argv = [sys.executable, "-m", "appliance", "config", "check", str(configuration), *option.split()]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(20) == 1
    assert said == b""


def closing(descriptor: int) -> Callable[[], None]:
    """What makes a process start without one of its streams."""
    return lambda: os.close(descriptor)


FULL = (1, "appliance: standard output: No space left on device\n")


@pytest.mark.parametrize(
    "command", ["config check", "config check --json", "--help", "config check --help", "--version"]
)
def test_standard_output_that_is_full(command: str, configuration: Path) -> None:
    argv = [sys.executable, "-m", "appliance", *command.split()]
    # Where nothing is buffered argparse itself hears of the fault, and keeps silent.
    environment = {**os.environ, "APPLIANCE_CONFIG": str(configuration), "PYTHONUNBUFFERED": ""}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            argv, stdout=full, stderr=subprocess.PIPE, timeout=20, check=False, text=True, env=environment
        )
    assert (done.returncode, done.stderr) == FULL


@pytest.mark.parametrize(
    ("command", "descriptor", "status", "said"),
    [
        ("config check", 1, 1, "appliance: standard output: closed\n"),
        ("config check --json", 1, 1, "appliance: standard output: closed\n"),
        ("get http://127.0.0.1:1/x -o -", 1, 1, "appliance: standard output: closed\n"),
        ("nonsense", 1, 2, "usage: appliance"),
        ("config check", 2, 0, ""),
        ("get http://127.0.0.1:1/x -o -", 2, 1, ""),
        ("nonsense", 2, 2, ""),
    ],
)
def test_a_stream_that_is_closed(
    command: str, descriptor: int, status: int, said: str, configuration: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "appliance", *command.split()],
        capture_output=True,
        timeout=20,
        check=False,
        text=True,
        env={**os.environ, "APPLIANCE_CONFIG": str(configuration)},
        preexec_fn=closing(descriptor),
    )
    assert done.returncode == status
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr
    assert done.stdout == "" or descriptor == 2


def test_typed() -> None:
    """Programs that import it are checked against its type hints."""
    assert resources.files(appliance).joinpath("py.typed").is_file()
    assert '"appliance": ["py.typed"]' in (Path(__file__).parents[2] / "setup.py").read_text()
