"""Every request that a TFTP server has been seen to stumble over (tftp.md 3b, by its row numbers)."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.process import wait_for
from tests.serve.conftest import QUICK, sound
from tests.serve.phone import Phone, ack, data, error, fetch, oack, rrq
from tests.serve.proxy import Proxy

FILE = random.Random(1).randbytes(1300)

SILENCE = None
DATA = data(1, FILE[:512])  # and no option taken
UNAVAILABLE, NOT_FOUND, ACCESS, ILLEGAL = (error(code)[:4] for code in (0, 1, 2, 4))

Row = tuple[str, bytes, bytes | None]


def offer(*strings: str | bytes, name: str | bytes = "good.bin", mode: str = "octet") -> bytes:
    return rrq(name, *strings, mode=mode)


SENT: list[Row] = [
    ("1 empty datagram", b"", SILENCE),
    ("2 one byte", b"\0", SILENCE),
    ("2 one byte 1", b"\1", SILENCE),
    ("3 opcode only", b"\0\1", ILLEGAL),
    ("3 opcode and NUL", b"\0\1\0", ILLEGAL),
    ("4 opcode 0", b"\0\0good.bin\0octet\0", SILENCE),
    ("4 opcode 9", b"\0\x09good.bin\0octet\0", SILENCE),
    ("4 opcode 256", b"\1\0good.bin\0octet\0", SILENCE),
    ("5 stray ACK", ack(1), SILENCE),
    ("5 stray DATA", data(1, b"x"), SILENCE),
    ("5 stray OACK", oack("blksize", "512"), SILENCE),
    ("5 stray ERROR", error(4, b"illegal"), SILENCE),
    ("6 no NUL after the name", b"\0\1good.bin", ILLEGAL),
    ("6 no NUL after the mode", b"\0\1good.bin\0octet", ILLEGAL),
    ("7 empty name", rrq(""), ILLEGAL),
    ("7 empty mode", rrq("good.bin", mode=""), ILLEGAL),
    ("8 mode xyz", rrq("good.bin", mode="xyz"), ILLEGAL),
    ("8 mode mail", rrq("good.bin", mode="mail"), ILLEGAL),
    ("8 mode in capitals", rrq("good.bin", mode="OCTET"), DATA),
    ("20 a request of 1025 bytes", offer("x", "y" * 1005)[:1024] + b"\0", ILLEGAL),
    ("20 1000 strings", offer(*["option"] * 1000), ILLEGAL),
]

OPTIONS: list[Row] = [
    ("9 no value", offer("blksize"), DATA),
    ("9 no last NUL", offer("blksize", "1024")[:-1], DATA),
    ("9 no name", offer("", "1024"), DATA),
    ("10 blksize abc", offer("blksize", "abc"), DATA),
    ("10 blksize empty", offer("blksize", ""), DATA),
    ("11 blksize -1", offer("blksize", "-1"), DATA),
    ("12 blksize 0", offer("blksize", "0"), DATA),
    ("12 blksize 7", offer("blksize", "7"), DATA),
    ("12 blksize 8", offer("blksize", "8"), oack("blksize", "8")),
    ("13 blksize 65465", offer("blksize", "65465"), oack("blksize", "65464")),
    ("13 blksize 65536", offer("blksize", "65536"), oack("blksize", "65464")),
    ("14 blksize of 90 digits", offer("blksize", "9" * 90), DATA),
    ("15 fullwidth digits", offer("blksize", "\uff15\uff11\uff12"), DATA),
    ("15 blksize +512", offer("blksize", "+512"), DATA),
    ("15 blksize 5_12", offer("blksize", "5_12"), DATA),
    ("15 blksize with a blank", offer("blksize", " 512"), DATA),
    ("15 blksize 000600", offer("blksize", "000600"), oack("blksize", "600")),
    ("15 name in capitals", offer("BLKSIZE", "600"), oack("BLKSIZE", "600")),
    ("16 blksize twice", offer("blksize", "1024", "blksize", "600"), oack("blksize", "1024")),
    ("16 blksize twice, the first bad", offer("blksize", "x", "blksize", "600"), DATA),
    ("17 timeout 0", offer("timeout", "0"), DATA),
    ("17 timeout 255", offer("timeout", "255"), DATA),
    ("17 timeout 256", offer("timeout", "256"), DATA),
    ("17 timeout x", offer("timeout", "x"), DATA),
    ("17 timeout 1", offer("timeout", "1"), oack("timeout", "1")),
    ("18 windowsize 0", offer("windowsize", "0"), DATA),
    ("18 windowsize 65536", offer("windowsize", "65536"), oack("windowsize", "64")),
    (
        "18 window of 4 GB",
        offer("windowsize", "65535", "blksize", "65464"),
        oack("windowsize", "8", "blksize", "65464"),
    ),
    ("19 unknown option", offer("multicast", "", "x-cookie", "1"), DATA),
    ("19 a known one between unknown ones", offer("a", "1", "tsize", "0", "b", "2"), oack("tsize", "1300")),
    ("19 option names of bytes", offer(b"\xff\xfe", "1", "blksize", b"\xb2"), DATA),
    ("20 the 17th option", offer(*["x", "1"] * 16, "blksize", "1024"), DATA),
    ("20 a request of 1024 bytes", offer("blksize", "600", "x", "y" * 988), oack("blksize", "600")),
    ("43 tsize of nothing", offer("tsize", "0", name="empty.bin"), data(1, b"")),
    ("44 tsize in netascii", offer("tsize", "0", name="lines.txt", mode="netascii"), data(1, b"a\r\nb")),
]

NAMES: list[Row] = [
    ("21 parent", rrq("../../../etc/passwd"), ACCESS),
    ("21 absolute", rrq("/etc/passwd"), NOT_FOUND),
    ("21 absolute, with the store", rrq("/data/tftp/../secret"), ACCESS),
    ("22 backslashes", rrq("..\\..\\etc\\passwd"), ACCESS),
    ("22 parent at the end", rrq("x/.."), ACCESS),
    ("22 parent of a folder", rrq("folder/../good.bin"), ACCESS),
    ("22 percent signs", rrq("%2e%2e/%2e%2e/etc/passwd"), NOT_FOUND),
    ("23 dot", rrq("."), NOT_FOUND),
    ("23 slash", rrq("/"), NOT_FOUND),
    ("23 backslash", rrq("\\"), NOT_FOUND),
    ("23 folder", rrq("folder"), NOT_FOUND),
    ("23 file as folder", rrq("good.bin/x"), NOT_FOUND),
    ("24 link out", rrq("passwd"), NOT_FOUND),
    ("24 link to a device", rrq("zero"), NOT_FOUND),
    ("24 link to a file", rrq("good.link"), NOT_FOUND),
    ("24 link to a folder", rrq("folder.link/inner.bin"), NOT_FOUND),
    ("25 FIFO", rrq("fifo"), NOT_FOUND),
    ("25 FIFO as folder", rrq("fifo/x"), NOT_FOUND),
    ("25 file that may not be read", rrq("locked.bin"), UNAVAILABLE),
    ("26 no UTF-8", rrq(b"\xff\xfe\x80"), NOT_FOUND),
    ("26 an encoded surrogate", rrq(b"\xed\xa0\x80"), NOT_FOUND),
    ("26 a name with 0xff behind", rrq(b"good.bin\xff"), NOT_FOUND),
    ("27 newline", rrq("evil\nERROR everything is lost"), NOT_FOUND),
    ("27 escape sequence", rrq("evil\x1b[31m\x1b]0;owned\x07"), NOT_FOUND),
    ("27 right to left", rrq("evil\u202egnp.exe"), NOT_FOUND),
    ("27 format characters", rrq("evil%s%n%n{0.__class__}"), NOT_FOUND),
    ("28 name of 256 bytes", rrq("n" * 256), ILLEGAL),
    ("28 name of 255 bytes", rrq("n" * 255), NOT_FOUND),
    ("28 name of 4 kB", rrq("n" * 4096), ILLEGAL),
    ("28 name of 60 kB", rrq("n" * 60000), ILLEGAL),
    ("29 WRQ to a file", rrq("good.bin", opcode=2), ACCESS),
    ("29 WRQ to a new file", rrq("new.bin", "tsize", "10", opcode=2), ACCESS),
    ("29 WRQ without a mode", b"\0\2good.bin\0", ILLEGAL),
    ("30 folder beside the store", rrq("../tftp2/secret"), ACCESS),
    ("30 the same by its name", rrq("tftp2/secret"), NOT_FOUND),
]

ROWS = SENT + OPTIONS + NAMES


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with sound(QUICK) as proxy:
        proxy.write("good.bin", FILE)
        proxy.write("empty.bin", b"")
        proxy.write("lines.txt", b"a\nb")
        proxy.write("locked.bin", b"secret")
        (proxy.store / "locked.bin").chmod(0)
        (proxy.store / "folder").mkdir()
        proxy.write("folder/inner.bin", b"inner")
        beside = proxy.store.with_name("tftp2")
        beside.mkdir()
        (beside / "secret").write_bytes(b"secret")
        for link, target in {
            "passwd": Path("/etc/passwd"),
            "zero": Path("/dev/zero"),
            "good.link": Path("good.bin"),
            "folder.link": Path("folder"),
        }.items():
            (proxy.store / link).symlink_to(target)
        os.mkfifo(proxy.store / "fifo")
        assert fetch(proxy.tftp, "good.bin") == FILE
        yield proxy


def _end(phone: Phone, answer: bytes) -> None:
    if answer[:2] in (b"\0\3", b"\0\6"):
        phone.send(error(0, b"enough"))


@pytest.mark.parametrize(("sent", "wanted"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_request(sent: bytes, wanted: bytes | None, proxy: Proxy) -> None:
    """One datagram, and the one answer to it, or none."""
    with Phone(proxy.tftp) as phone:
        phone.send(sent)
        if wanted is SILENCE:
            # The server takes one after the other: what it says to this one comes first.
            phone.send(rrq("w", opcode=2))
            assert phone.receive()[:4] == ACCESS
            assert phone.waiting() == []
            return
        answer = phone.receive()
        _end(phone, answer)
        assert (answer[:4] if wanted[:2] == b"\0\5" else answer) == wanted


def test_after_all_of_them(proxy: Proxy) -> None:
    """The table over and over, in any order, all of it at once and no answer taken: nothing is left of it."""

    def send_all() -> None:
        # Without the one that makes the server patient for 7 s.
        rows = [sent for _, sent, wanted in ROWS if wanted != oack("timeout", "1")] * 10
        random.Random(2).shuffle(rows)
        phones = [Phone(proxy.tftp) for _ in rows]
        proxy.pause()
        for phone, sent in zip(phones, rows, strict=True):
            phone.send(sent)
        proxy.go_on()
        assert fetch(proxy.tftp, "good.bin") == FILE
        proxy.settle()
        for phone in phones:
            phone.wire.close()

    send_all()
    before, memory = proxy.descriptors(), proxy.memory()
    for _ in range(3):
        send_all()
    # The sockets lent to transfers are kept for the next ones, as many as ran at once in any round; one
    # lost for each transfer would be more than a thousand.
    proxy.settle(before + 100)
    assert proxy.memory() - memory < 10 * 1024 * 1024
    assert (proxy.store / "good.bin").read_bytes() == FILE
    assert not (proxy.store / "new.bin").exists()


def test_nothing_reaches_the_log_unescaped(proxy: Proxy) -> None:
    """Row 27: what a stranger calls a file is shown as escapes, and never as more lines."""
    for _, sent, wanted in NAMES:
        if b"evil" in sent:
            with Phone(proxy.tftp) as phone:
                phone.send(sent)
                assert phone.receive()[:4] == wanted
    wait_for(lambda: proxy.log().count("evil") >= 4, "the log tells of them")
    shown = proxy.log().replace("\n", "")
    assert shown.isprintable()
    assert not any(line.startswith("ERROR") for line in proxy.log().splitlines())
    names = [record["name"] for record in proxy.records(4)]
    assert names == [
        "evil\\nERROR everything is lost",
        "evil\\x1b[31m\\x1b]0;owned\\x07",
        "evil\\u202egnp.exe",
        "evil%s%n%n{0.__class__}",
    ]


def test_errors_tell_nothing_of_the_box(proxy: Proxy) -> None:
    """The texts of errors are fixed, and end with a NUL."""
    for _, sent, wanted in ROWS:
        if wanted is not None and wanted[:2] == b"\0\5":
            with Phone(proxy.tftp) as phone:
                phone.send(sent)
                text = phone.receive()[4:]
                assert text in {
                    b"not available now\0",
                    b"file not found\0",
                    b"access violation\0",
                    b"illegal TFTP operation\0",
                }
