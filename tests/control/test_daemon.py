"""Control as a process: what becomes of changes, whatever ends it in between, and whoever asks."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from appliance.config.bundle import Origin, encode
from appliance.control import client
from appliance.control.protocol import VerbError, Whose
from appliance.control.verbs import GIVEN_MAX
from tests.control.daemon import SLACK, Control, cluster
from tests.netns.process import REPOSITORY, wait_for

LONG = 600.0  # s of a window that no test sees the end of


def test_confirmed() -> None:
    """A change that is confirmed is the confirmed file, and stays in force over a restart."""
    with Control(proxy=True) as box:
        text = box.text(cluster("east"))
        found = box.commit(text, comment="a cluster", confirm_s=LONG)
        assert found["confirm_s"] == LONG
        assert box.proxy_clusters() == ["east"]
        assert box.in_force.read_bytes() == text
        assert box.confirmed.read_bytes() == box.text()
        assert box.marker()["result"] == "pending"
        status = box.ask("status")
        assert (status["phase"], status["pending"]["revision"]) == ("pending", found["revision"])
        assert 0 < status["pending"]["left_s"] <= LONG
        assert box.ask("confirm")["result"] == "confirmed"
        assert box.confirmed.read_bytes() == text
        assert box.marker()["result"] == "confirmed"
        assert box.terminate() == 0
        box.start()
        assert box.in_force.read_bytes() == text
        assert box.ask("status")["revision"] == found["revision"]
        verbs = [(entry["verb"], entry["result"]) for entry in box.audit()]
        number = found["revision"]
        waits = f"revision {number} waits {LONG:g} s for its confirmation"
        assert verbs == [("commit", waits), ("confirm", f"revision {number} confirmed")]


def test_not_confirmed() -> None:
    """Without a confirmation everything is as before, and the reason is told."""
    with Control(proxy=True) as box:
        box.commit(box.text(cluster("east")), confirm_s=1.0)
        status = box.wait_reverted()
        assert (status["last"]["result"], status["last"]["why"]) == ("reverted", "not confirmed in time")
        assert box.in_force.read_bytes() == box.confirmed.read_bytes() == box.text()
        assert box.proxy_clusters() == []
        assert box.audit()[-1] | {"time": ""} == {
            "time": "",
            "user": "",
            "pid": 0,
            "verb": "revert",
            "what": "not confirmed in time",
            "result": "reverted",
        }
        with pytest.raises(VerbError, match="nothing to confirm"):
            box.ask("confirm")


@pytest.mark.parametrize("end", ["killed", "terminated", "power"])
def test_ended_within_the_window(end: str) -> None:
    """What was not confirmed before the end is reverted by the next start."""
    with Control(proxy=True) as box:
        box.commit(box.text(cluster("east")), confirm_s=LONG)
        if end == "killed":
            box.kill()
        elif end == "terminated":
            assert box.terminate() == 0
        else:
            box.lose_power()
        assert box.marker()["result"] == "pending"
        if end == "power":
            assert box.command("control", "--prepare").returncode == 0
            assert box.in_force.read_bytes() == box.text()
            box.start_proxy()
        box.start()
        status = box.wait_reverted()
        assert status["last"]["why"] == "not confirmed before the daemon or the machine ended"
        assert box.in_force.read_bytes() == box.text()
        assert box.proxy_clusters() == []
        assert box.marker()["result"] == "reverted"


def test_ended_between_the_confirmed_file_and_its_marker() -> None:
    """What is in the confirmed file was confirmed, whatever the marker says."""
    with Control() as box:
        text = box.text(cluster("east"))
        box.commit(text, confirm_s=LONG)
        box.kill()
        box.confirmed.write_bytes(text)
        box.start()
        assert box.ask("status")["last"]["result"] == "confirmed"
        assert box.in_force.read_bytes() == text


def test_one_change_at_a_time() -> None:
    """Another one is refused while one waits; `revert` makes room."""
    with Control() as box:
        box.commit(box.text(cluster("east")), confirm_s=LONG)
        with pytest.raises(VerbError, match="confirm or revert it first"):
            box.commit(box.text(cluster("west")), confirm_s=LONG)
        assert box.ask("revert")["result"] == "reverted"
        found = box.commit(box.text(cluster("west")))
        assert found["confirm_s"] == 0
        assert b"west" in box.confirmed.read_bytes()


def test_faults() -> None:
    """A configuration with faults, or for other folders, changes nothing."""
    with Control() as box:
        for text, why in (
            (box.text("[lookup]\nbudget = soon\n"), "budget"),
            (box.text().replace(b"/data\n", b"/other\n"), "paths"),
            (b"\xff\xfe", "UTF-8"),
        ):
            with pytest.raises(VerbError, match=why) as refused:
                box.commit(text, confirm_s=LONG)
            assert refused.value.whose is Whose.CONFIGURATION
        assert box.ask("status")["phase"] == "settled"
        assert not (box.data / "change.json").exists()


def test_a_proxy_that_refuses() -> None:
    """What the proxy does not take is not in force for anybody."""
    with Control("[local]\nname = store\n", proxy=True) as box:
        # The store's name counts from the next start on: until then no cluster can have it.
        text = box.text("[local]\nname = other\n" + cluster("store"))
        with pytest.raises(VerbError, match="all is as before"):
            box.commit(text, confirm_s=LONG)
        assert box.in_force.read_bytes() == box.confirmed.read_bytes() == box.text("[local]\nname = store\n")
        assert box.ask("status")["last"]["result"] == "reverted"


def test_a_proxy_that_reads_another_file() -> None:
    """A change would not reach it: it is refused before anything is touched."""
    with Control() as box:
        box._start("proxy", "proxy", "-c", str(box.confirmed))
        wait_for(box._proxy_answers, "the proxy answers", SLACK)
        with pytest.raises(VerbError, match="the proxy reads"):
            box.commit(box.text(cluster("east")), confirm_s=LONG)
        assert not (box.data / "change.json").exists()


def test_a_start_without_a_usable_file() -> None:
    """The newest good revision is in force, and the status says so."""
    with Control() as box:
        good = box.text(cluster("east"))
        box.commit(good, confirm_s=0)
        assert box.terminate() == 0
        box.confirmed.write_bytes(good + b"[nonsense]\n")
        prepared = box.command("control", "--prepare")
        assert prepared.returncode == 0
        assert "is in force instead" in prepared.stderr
        box.start()
        assert "is in force instead" in box.ask("status")["fault"]
        assert box.in_force.read_bytes() == good
        box.commit(good, confirm_s=0)
        assert box.ask("status")["fault"] == ""


def test_edited_by_hand() -> None:
    """`reload` goes by the confirmed file as it is now; with faults all stays."""
    with Control() as box:
        text = box.text(cluster("east"))
        box.confirmed.write_bytes(text)
        box.ask("reload")
        assert box.in_force.read_bytes() == text
        box.confirmed.write_bytes(b"nonsense\n")
        with pytest.raises(VerbError, match="nonsense"):
            box.ask("reload")
        assert box.in_force.read_bytes() == text


def test_two_daemons() -> None:
    """A second one for the same configuration does not start, and leaves the first alone."""
    with Control() as box:
        second = box.command("control")
        assert second.returncode == 1
        assert "another daemon answers there" in second.stderr
        assert box.ask("status")["phase"] == "settled"


def test_commands() -> None:
    """The verbs of `appliance config`, as text and as JSON."""
    with Control() as box:
        candidate = box.folder / "new.conf"
        candidate.write_bytes(box.text(cluster("east")))
        done = box.command("config", "commit", str(candidate), "--confirm", "600", "--comment", "east")
        assert done.returncode == 0, done.stderr
        assert "reverted in 600 s" in done.stdout
        assert box.command("config", "confirm").stdout.startswith("revision 2 confirmed")
        assert [each["comment"] for each in box.json("config", "history")["revisions"]] == [
            "east",
            "found at the start",
        ]
        assert box.json("config", "show")["text"].encode() == candidate.read_bytes()
        assert any(line.startswith("+[[east]]") for line in box.json("config", "diff")["lines"])
        assert box.json("config", "diff", "1", "1") == {"lines": [], "settings": []}
        assert box.json("config", "rollback", "1")["confirm_s"] == 0
        assert box.confirmed.read_bytes() == box.text()
        assert box.json("network", "apply") == {"changes": [], "refused": []}
        for words in (["confirm"], ["revert"], ["rollback", "99"], ["diff", "1", "99"]):
            done = box.command("config", *words)
            assert done.returncode == 1
            assert done.stderr.startswith("appliance: ")
    assert box.command("config", "history").returncode == 1


def test_status_shows_what_waits() -> None:
    """With its countdown; without control it goes on without it."""
    with Control(proxy=True) as box:
        box.commit(box.text(cluster("east")), confirm_s=LONG)
        assert box.json("status")["control"]["pending"]["revision"] == 2
        assert "unless `appliance config confirm` follows" in box.command("status").stdout
        box.kill()
        assert "control" not in box.json("status")


def test_export_and_import() -> None:
    """A box as one file: its keys under a passphrase alone, and back as a change that can be reverted."""
    with Control() as box:
        key, store = box.data / "keys/signing.pem", box.data / "trust/store.pem"
        for path, content in ((key, b"secret"), (store, b"public")):
            path.parent.mkdir()
            path.write_bytes(content)
        secret, bundle = box.folder / "passphrase", box.folder / "box.bundle"
        secret.write_text("correct horse\n")
        assert box.json("config", "export", str(bundle))["left_out"] == 1
        assert b"secret" not in bundle.read_bytes()
        sealed = box.json("config", "export", str(bundle), "--passphrase-file", str(secret))
        assert (sealed["secrets"], sealed["left_out"]) == (1, 0)
        box.commit(box.text(cluster("east")), confirm_s=0)
        key.unlink()
        store.unlink()
        words = ("config", "import", str(bundle), "--passphrase-file", str(secret), "--confirm", "600")
        assert box.json(*words)["confirm_s"] == LONG
        assert not key.exists()
        box.ask("confirm")
        assert (key.read_bytes(), store.read_bytes()) == (b"secret", b"public")
        assert box.confirmed.read_bytes() == box.text()
        secret.write_text("another one\n")
        done = box.command(*words)
        assert done.returncode == 1
        assert "passphrase" in done.stderr
        bundle.write_bytes(b"no bundle")
        assert box.command("config", "import", str(bundle)).returncode == 1


def test_a_bundle_of_other_files() -> None:
    """Only what an export takes along has a place; a bundle for a peer keeps this box's own name."""
    with Control("[system]\nhostname = one\n") as box:
        origin = Origin("1", "", "", "", False)
        bundle = box.folder / "box.bundle"
        bundle.write_bytes(encode(origin, box.text(), {"log/audit.log": b"nothing happened"}))
        done = box.command("config", "import", str(bundle))
        assert done.returncode == 1
        assert "another folder" in done.stderr
        text = box.text("[system]\nhostname = other\n" + cluster("east"))
        bundle.write_bytes(encode(Origin("1", "", "", "", True), text, {}))
        box.json("config", "import", str(bundle), "--confirm", "0")
        found = box.confirmed.read_text()
        assert "hostname = one" in found
        assert "hostname = other" not in found
        assert "[[east]]" in found


def test_many_at_once() -> None:
    """200 verbs of 20 clients: each is answered."""

    def client_of(number: int) -> int:
        with client.Connection(box.socket) as connection:
            verbs = ("status", "network_show", "revision", "network_plan", "check")
            answers = [connection.ask(verbs[(number + turn) % len(verbs)]) for turn in range(10)]
            return len([each for each in answers if isinstance(each, dict)])

    with Control() as box, ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(client_of, range(20))) == 200
        assert box.ask("status")["phase"] == "settled"


def test_bad_clients() -> None:
    """One that stalls mid-message, one that sends 10 MB, one with other arguments: the next is answered."""
    with Control() as box, contextlib.ExitStack() as stack:
        for _ in range(5):
            stalling = stack.enter_context(socket.socket(socket.AF_UNIX))
            stalling.connect(str(box.socket))
            stalling.sendall(b'{"v":1,"id":1,')
        flooding = stack.enter_context(socket.socket(socket.AF_UNIX))
        flooding.settimeout(SLACK)
        flooding.connect(str(box.socket))
        with contextlib.suppress(OSError):
            flooding.sendall(b"x" * 10_000_000)
        for args in ({"revision": "1"}, {"revision": True}, {"other": 1}):
            with pytest.raises(VerbError):
                box.ask("revision", **args)
        for window in (-1, 1e9, "1", float("nan"), True):
            with pytest.raises(VerbError):
                box.commit(box.text(), confirm_s=window)
        with client.Connection(box.socket) as connection:
            for _ in range(GIVEN_MAX // 30000):
                connection.ask("put", {"data": "A" * 40000})
            with pytest.raises(VerbError, match="more than"):
                connection.ask("put", {"data": "A" * 40000})
        assert box.ask("status")["phase"] == "settled"


@pytest.mark.root
def test_an_unprivileged_client() -> None:
    """Who is nobody is not let in, and where the socket lets him in is told why he may not ask."""
    with Control() as box:
        box.socket.chmod(0o666)
        code = (
            "import json, os, socket, sys\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "for verb in ('status', 'commit'):\n"
            "    with socket.socket(socket.AF_UNIX) as wire:\n"
            "        wire.connect(sys.argv[1])\n"
            "        call = {'v': 1, 'id': 1, 'verb': verb, 'args': {}}\n"
            "        wire.sendall(json.dumps(call).encode() + b'\\n')\n"
            "        print(wire.makefile().readline(), end='')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(box.socket)],
            capture_output=True,
            text=True,
            timeout=SLACK,
            check=True,
            cwd=REPOSITORY,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [each["error"]["whose"] for each in answers] == ["peer", "peer"]
        assert all("may not ask for anything" in each["error"]["text"] for each in answers)


def test_the_socket() -> None:
    """Nobody but its user and its group come through."""
    with Control() as box:
        found = box.socket.stat()
        assert found.st_mode & 0o777 == 0o660
        assert found.st_uid == os.geteuid()
