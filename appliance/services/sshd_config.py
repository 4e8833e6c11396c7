"""sshd_config(5) of this box, and when SSH is open at all. One user alone logs in, with the console as its
login shell: what a session may do is the console's affair, so that nothing here forces a command.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from appliance.config.model import Ssh

USER = "admin"
PORT = 22
KEYS = ("ed25519", "ecdsa", "rsa")
"""The types of the host keys, the preferred one first."""

_RULES = (
    # Who, and by what.
    "PermitRootLogin no",
    "StrictModes yes",
    "PubkeyAuthentication yes",
    "PasswordAuthentication yes",
    "PermitEmptyPasswords no",
    "KbdInteractiveAuthentication no",
    "HostbasedAuthentication no",
    # How often, and how long. What is silent for two minutes is gone.
    "LoginGraceTime 30",
    "MaxAuthTries 4",
    "MaxStartups 10:30:30",
    "MaxSessions 4",
    "ClientAliveInterval 30",
    "ClientAliveCountMax 4",
    # What a session may bring along or reach: nothing.
    "DisableForwarding yes",
    "PermitTunnel no",
    "PermitUserEnvironment no",
    "PermitUserRC no",
    "PrintMotd no",
    "PrintLastLog no",
    "UseDNS no",
    "PidFile none",
)


def is_open(ssh: Ssh, now: datetime) -> bool:
    """Whether somebody can log in at this time."""
    return ssh.enabled and (ssh.until is None or now < ssh.until)


def key_path(folder: Path, kind: str) -> Path:
    """A host key's file."""
    return folder / f"ssh_host_{kind}_key"


def rendered(ssh: Ssh, folder: Path, port: int = PORT) -> str:
    """The text of sshd_config. `folder` holds the host keys, and `authorized_keys` of the user."""
    lines = [f"Port {port}"]
    lines += [f"HostKey {key_path(folder, kind)}" for kind in KEYS]
    lines += [f"AuthorizedKeysFile {folder / 'authorized_keys'}"]
    users = [f"{USER}@{network}" for network in ssh.allow] or [USER]
    lines += [f"AllowUsers {user}" for user in users]
    return "".join(f"{line}\n" for line in (*lines, *_RULES))
