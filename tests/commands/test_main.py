from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import appliance
from appliance.commands.main import main

COMMANDS = (
    *("proxy", "config", "config check", "status", "find", "explain", "forget", "get"),
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
        ("explain", "a NAME, or --last N, is needed"),
        ("explain --last", "expected one argument"),
        ("explain --last many", "invalid int value: 'many'"),
        ("explain x --client", "expected one argument"),
        ("forget", "one of the arguments DEVICE-or-NAME --all is required"),
        ("forget x --all", "not allowed with argument"),
        ("forget --all x", "not allowed with argument"),
        ("get", "required: URL"),
        ("get tftp://127.0.0.1/x --blksize large", "invalid int value: 'large'"),
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


def test_nothing_is_not_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """`appliance forget "$DEVICE"`, where the variable was never set."""
    assert exit_of("forget", "") == 2
    assert "--all is everything" in capsys.readouterr().err


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


ASKING = ("status", "find x", "explain x", "explain --last 1", "forget x", "forget --all")


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
    assert err == f"appliance: the daemon cannot be asked: No such file or directory ({path})\n"


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
