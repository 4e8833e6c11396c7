"""Secrets under a passphrase: scrypt (RFC 7914) makes the key, AES-256-GCM encrypts and detects changes."""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

PASSPHRASE_MIN = 8
PASSPHRASE_MAX = 1024
"""Characters of a passphrase."""

_MAGIC = b"phone-appliance sealed 1\n"  # with other costs it is another number
_SALT = 16  # bytes
_NONCE = 12
_TAG = 16
_N, _R, _P = 2**15, 8, 3  # 32 MiB, for about half a second of a small box


class Unsealable(ValueError):
    """Bytes that this passphrase does not open; says why."""


def seal(data: bytes, passphrase: str) -> bytes:
    """`data` under a passphrase. ValueError where that is too short or too long."""
    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    return _MAGIC + salt + nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, data, _MAGIC)


def unseal(sealed: bytes, passphrase: str) -> bytes:
    """What was sealed with this passphrase; Unsealable for anything else."""
    head = len(_MAGIC) + _SALT + _NONCE
    if not sealed.startswith(_MAGIC) or len(sealed) < head + _TAG:
        raise Unsealable("these are no sealed secrets, or those of newer software")
    salt, nonce = sealed[len(_MAGIC) : head - _NONCE], sealed[head - _NONCE : head]
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, sealed[head:], _MAGIC)
    except ValueError as error:
        raise Unsealable(str(error)) from None
    except InvalidTag:
        raise Unsealable("another passphrase sealed these secrets, or they are damaged") from None


def _key(passphrase: str, salt: bytes) -> bytes:
    if not PASSPHRASE_MIN <= len(passphrase) <= PASSPHRASE_MAX:
        raise ValueError(f"a passphrase has {PASSPHRASE_MIN} to {PASSPHRASE_MAX} characters")
    return Scrypt(salt=salt, length=32, n=_N, r=_R, p=_P).derive(passphrase.encode("utf-8", "surrogatepass"))
