"""The servers that are compared: the limit, the peers at their best, and the proxy.

Peers are started without a log of requests where they let that be switched off, and with room for as
many transfers as there are clients. The proxy writes the record of each request into a file.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.build import Tools
from tests.bench.load import Endpoint
from tests.bench.pin import SERVER
from tests.bench.running import Running, start
from tests.serve.proxy import free_port

HOST = "127.0.0.1"
DNSMASQ: Endpoint = (f"127.200.{random.randrange(1, 255)}.69", 69)  # its port cannot be set
NO_BOUND = 1 << 30
SELECT = "select() ends at 1024 descriptors"

TFTPY = """
import sys, tftpy
tftpy.TftpServer(sys.argv[1]).listen(sys.argv[2], int(sys.argv[3]))
"""

FBTFTP = """
import os, sys
from fbtftp.base_handler import BaseHandler, ResponseData
from fbtftp.base_server import BaseServer

class File(ResponseData):
    def __init__(self, path):
        self._size = os.stat(path).st_size
        self._file = open(path, "rb")
    def read(self, n):
        return self._file.read(n)
    def size(self):
        return self._size
    def close(self):
        self._file.close()

class Handler(BaseHandler):
    def get_response_data(self):
        return File(os.path.join(sys.argv[1], self._path))

class Server(BaseServer):
    def get_handler(self, server, peer, path, options):
        return Handler(server, peer, path, options, lambda stats: None)

Server(sys.argv[2], int(sys.argv[3]), retries=5, timeout=5).run()
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """What servers stand on: our own programs, where the peers are, and a folder for what they write."""

    tools: Tools
    bench: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Kind:
    """One server to compare. `clients_max` bounds the rows that it runs, `why` says why it does.

    `root`: needs to be started by root. The CPU time of one that ends its processes without waiting
    for them is not known.
    """

    name: str
    start: Callable[[Ground, Path], Running]
    speaks: str = "tftp"
    clients_max: int = NO_BOUND
    why: str = ""
    root: bool = False
    cpu_known: bool = True


def limit(ground: Ground, root: Path) -> Running:
    """What the machine can do at all."""
    port = free_port()
    served = [str(path) for path in sorted(root.iterdir())]
    argv = [str(ground.tools.limit), HOST, str(port), *served]
    return start("limit", argv, ground.folder, SERVER, tftp=(HOST, port))


def dnsmasq(ground: Ground, root: Path) -> Running:
    """dnsmasq as a TFTP server only."""
    argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--user=root"]
    argv += ["--port=0", "--bind-interfaces", f"--listen-address={DNSMASQ[0]}", "--enable-tftp"]
    argv += [f"--tftp-root={root}", "--tftp-max=65000", "--quiet-tftp", "--log-facility=/dev/null"]
    return start("dnsmasq", argv, ground.folder, SERVER, tftp=DNSMASQ)


def atftpd(ground: Ground, root: Path) -> Running:
    """atftp's server: a thread a transfer."""
    port = free_port()
    argv = [str(ground.bench / "debian/usr/sbin/atftpd"), "--daemon", "--no-fork", "--user", "root.root"]
    argv += ["--logfile", "/dev/null", "--verbose=0", "--maxthread", "10000"]
    argv += ["--bind-address", HOST, "--port", str(port), str(root)]
    return start("atftpd", argv, ground.folder, SERVER, tftp=(HOST, port))


def tftpd_hpa(ground: Ground, root: Path) -> Running:
    """tftp-hpa's server: a process a transfer."""
    port = free_port()
    argv = [str(ground.bench / "debian/usr/sbin/in.tftpd"), "-L", "--secure", "--user", "nobody"]
    argv += ["--address", f"{HOST}:{port}", str(root)]
    return start("tftpd-hpa", argv, ground.folder, SERVER, tftp=(HOST, port))


def tftpy(ground: Ground, root: Path) -> Running:
    """tftpy's server: one loop around select()."""
    return _python(ground, "tftpy", TFTPY, root)


def fbtftp(ground: Ground, root: Path) -> Running:
    """fbtftp with the smallest handler that serves a folder: a process a transfer."""
    return _python(ground, "fbtftp", FBTFTP, root)


def nginx(ground: Ground, root: Path) -> Running:
    """nginx with one worker, set for small files that do not change."""
    port = free_port()
    argv = nginx_argv(ground, root.name, [f"server {{ listen {HOST}:{port}; root {root}; }}"])
    return start("nginx", argv, ground.folder, SERVER, http=(HOST, port))


def proxy(ground: Ground, root: Path) -> Running:
    """The proxy with its local store alone."""
    return start_proxy(ground, {"local": {"root": root}})


PEERS = (
    Kind("dnsmasq", dnsmasq, root=True),
    Kind("atftpd", atftpd, clients_max=1000, why=SELECT),
    Kind("tftpd-hpa", tftpd_hpa, root=True, cpu_known=False),
    Kind("tftpy", tftpy, clients_max=1000, why=SELECT),
    Kind("fbtftp", fbtftp, clients_max=100, why="one Python process a transfer, without a bound"),
    Kind("nginx", nginx, speaks="http"),
)
LIMIT = Kind("limit", limit)
PROXY = Kind("proxy", proxy, speaks="tftp http")

Settings = Mapping[str, Mapping[str, object]]
"""Section -> key -> value; a section "clusters/NAME" is a cluster."""


def start_proxy(ground: Ground, settings: Settings) -> Running:
    """`appliance proxy` with this configuration and a folder of its own; its log goes to a file."""
    tftp, http = free_port(), free_port()
    folder = ground.folder / f"proxy-{tftp}"
    for each in (folder, folder / "data", folder / "data/tftp", folder / "run"):
        each.mkdir(exist_ok=True)
        each.chmod(0o777)  # started as root, it becomes another user
    own: dict[str, Mapping[str, object]] = {
        "paths": {"data": folder / "data", "run": folder / "run"},
        "tftp": {"listen": HOST, "port": tftp, "http_port": http},
    }
    configuration = folder / "appliance.conf"
    configuration.write_text(_text({**settings, **own}))
    argv = [str(Path(sys.executable).with_name("appliance")), "proxy", "-c", str(configuration)]
    return start("proxy", argv, ground.folder, SERVER, tftp=(HOST, tftp), http=(HOST, http))


def nginx_argv(ground: Ground, name: str, servers: Sequence[str], log: str = "off") -> list[str]:
    """The command of an nginx in the foreground; `log` is its access_log, format `bench`."""
    folder = ground.folder / f"nginx-{name}"
    folder.mkdir(exist_ok=True)
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = f"""
        daemon off; worker_processes 1; worker_rlimit_nofile 16384; pid {folder}/pid; {user}
        events {{ worker_connections 16000; }}
        http {{
            log_format bench '$server_addr $request_uri';
            access_log {log}; default_type application/octet-stream; {temporary}
            sendfile on; tcp_nopush on; tcp_nodelay on; open_file_cache max=20000 inactive=60s;
            keepalive_requests 1000000000; keepalive_timeout 60s;
            {" ".join(servers)}
        }}
    """
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    program = str(ground.bench / "debian/usr/sbin/nginx")
    return [program, "-p", str(folder), "-e", "stderr", "-c", str(configuration)]


def _python(ground: Ground, name: str, code: str, root: Path) -> Running:
    port = free_port()
    argv = [str(ground.bench / "peers/bin/python"), "-c", code, str(root), HOST, str(port)]
    return start(name, argv, ground.folder, SERVER, tftp=(HOST, port))


def _text(settings: Settings) -> str:
    lines = ["version = 1"]
    for section, keys in settings.items():
        if not section.startswith("clusters/"):
            lines += [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items())]
    lines.append("[clusters]")
    for section, keys in settings.items():
        if section.startswith("clusters/"):
            name = section.partition("/")[2]
            lines += [f"[[{name}]]", *(f"{key} = {value}" for key, value in keys.items())]
    return "\n".join([*lines, ""])
