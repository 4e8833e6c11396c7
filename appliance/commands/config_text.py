"""What control tells of changes, as text for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from appliance.report.text import printable


def change(data: Mapping[str, Any]) -> str:
    """What became of a change."""
    return f"revision {data['revision']} {data['result']}: {printable(data['why'])}"


def committed(data: Mapping[str, Any]) -> str:
    """A change that is in force."""
    lines = [f"revision {data['revision']} is in force" + ("" if data["confirm_s"] else " and confirmed")]
    lines += [f"  {printable(each)}" for each in data["network"]]
    if data["restart"]:
        lines.append(f"from the next start on: {', '.join(data['restart'])}")
    if data["proxy"]:
        lines.append(printable(data["proxy"]))
    lines += tests(data["tests"])
    if data["confirm_s"]:
        lines.append(f"it is reverted in {data['confirm_s']:g} s unless `appliance config confirm` follows")
    return "\n".join(lines)


def exported(data: Mapping[str, Any]) -> str:
    """A bundle that was written."""
    lines = [f"{data['bytes']} bytes" + (", for a peer" if data["for_peer"] else "")]
    if data["secrets"]:
        lines.append(f"{data['secrets']} keys are in it, under the passphrase")
    if data["left_out"]:
        why = "they stay with their box" if data["for_peer"] else "give --passphrase-file to have them in it"
        lines.append(f"{data['left_out']} keys are left out: {why}")
    lines += [f"left out, not a file that a bundle takes: {printable(each)}" for each in data["others"]]
    return "\n".join(lines)


def waiting(data: Mapping[str, Any]) -> str:
    """A change that waits, with its countdown."""
    lines = [
        f"revision {data['revision']} of {printable(data['author'])} is reverted in {data['left_s']:.0f} s "
        "unless `appliance config confirm` follows",
        *tests(data["tests"]),
    ]
    return "\n".join(lines)


def tests(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Self-tests that are worse than before, or fail; a line for each."""
    words = {True: "passes", False: "fails", None: "not tested"}
    return [
        f"{'WORSE' if each['before'] and each['after'] is False else 'self-test'}: {printable(each['name'])} "
        f"{words[each['after']]}, before: {words[each['before']]}"
        + (f" ({printable(each['why'])})" if each["why"] else "")
        for each in found
        if each["after"] is not True
    ]
