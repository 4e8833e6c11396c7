"""`appliance trust cert`: this box's own certificates."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from appliance.commands.answer import Failure, show, show_json
from appliance.commands.sink import sink
from appliance.commands.trust_text import content, findings, whole
from appliance.config import load
from appliance.config.model import Configuration
from appliance.report.text import printable
from appliance.report.trust import OwnCertificate, OwnCertificates, Requested
from appliance.trust import certificate as certificates
from appliance.trust import check, identity
from appliance.trust.certificate import BadCertificate, Certificate
from appliance.trust.identity import BadSubject, Identity, Purpose, Subject, Unfit
from appliance.trust.keystore import Keystore, KeysUnusable
from appliance.trust.shown import certificate_shown

CHAIN_BYTES = 256 * 1024


def run(options: argparse.Namespace) -> int:
    """Print them."""
    _print(options, Keystore(load.read(options.config).paths.data), ())
    return 0


def make(options: argparse.Namespace) -> int:
    """Make what is missing, or another one."""
    configuration = load.read(options.config)
    keystore = Keystore(configuration.paths.data)
    maker = _maker(options, configuration)
    try:
        with keystore.locked():
            changed = [] if options.renew is None else keystore.renew(Purpose(options.renew), maker)
            changed += [each for each in keystore.make_missing(maker) if each not in changed]
    except KeysUnusable as error:
        raise Failure(printable(str(error))) from None
    _print(options, keystore, changed)
    return 0


def request(options: argparse.Namespace) -> int:
    """Write a request."""
    configuration = load.read(options.config)
    own = _read(Keystore(configuration.paths.data), Purpose(options.purpose))
    if own is None:
        raise Failure(f"this box has no {options.purpose} certificate; appliance trust cert make")
    made = identity.request(own, configuration.system.hostname)
    with sink(options.output) as out:
        out.write(made)
    told = Requested(options.purpose, own.certificate.subject, options.output)
    if options.json and options.output != "-":
        show_json(asdict(told))
    elif options.output != "-":
        show(f"{printable(told.output)}: a request for {printable(told.subject)}")
    return 0


def install(options: argparse.Namespace) -> int:
    """Install what a certificate authority has signed."""
    keystore, purpose = Keystore(load.read(options.config).paths.data), Purpose(options.purpose)
    given = []
    for path in options.files:
        try:
            given += certificates.read(content(path, CHAIN_BYTES))
        except BadCertificate as error:
            raise Failure(f"{printable(str(path))}: {error}") from None
    try:
        with keystore.locked():
            own = _read(keystore, purpose)
            if own is None:
                raise Failure(f"this box has no {purpose} certificate; appliance trust cert make")
            keystore.write(purpose, identity.install(own, given, datetime.now(UTC)))
    except (KeysUnusable, Unfit) as error:
        raise Failure(printable(str(error))) from None
    _print(options, keystore, [purpose])
    return 0


def own_certificates(keystore: Keystore) -> dict[Purpose, Certificate | None]:
    """All of this box, by purpose, for which no key is read; `Failure`."""
    try:
        return {purpose: keystore.certificate(purpose) for purpose in Purpose}
    except KeysUnusable as error:
        raise Failure(printable(str(error))) from None


def _read(keystore: Keystore, purpose: Purpose) -> Identity | None:
    try:
        return keystore.read(purpose)
    except KeysUnusable as error:
        raise Failure(printable(str(error))) from None


def _maker(options: argparse.Namespace, configuration: Configuration) -> Callable[[Purpose], Identity]:
    host = configuration.system.hostname
    name = options.name or host
    not_before = options.not_before or datetime.now(UTC).replace(microsecond=0)

    def subject(purpose: Purpose) -> Subject:
        # The standby will be the signing one, by the same name.
        what = Purpose.SIGNING if purpose is Purpose.STANDBY else purpose
        rest = (options.unit, options.organization, options.locality, options.state, options.country)
        return Subject(f"{name}-{what}", *rest)

    try:
        subject(Purpose.SIGNING)
    except BadSubject as error:
        raise Failure(f"a name that cannot stand in a certificate: {error}") from None
    return lambda purpose: identity.make(purpose, subject(purpose), host, not_before)


def _print(options: argparse.Namespace, keystore: Keystore, changed: Sequence[Purpose]) -> None:
    found = {str(purpose): each for purpose, each in own_certificates(keystore).items()}
    told = OwnCertificates(
        certificates=tuple(
            OwnCertificate(purpose, None if each is None else certificate_shown(each))
            for purpose, each in found.items()
        ),
        changed=tuple(str(purpose) for purpose in changed),
        findings=tuple(check.own(found, (), {}, datetime.now(UTC))),
    )
    if options.json:
        show_json(asdict(told))
        return
    parts = [
        whole(
            each.purpose,
            each.certificate,
            *([("", "new")] if each.purpose in told.changed else []),
        )
        for each in told.certificates
        if each.certificate is not None
    ]
    show("\n\n".join([*parts, *([findings(told.findings)] if told.findings else [])]))
