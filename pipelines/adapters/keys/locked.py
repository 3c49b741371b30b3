"""Private keys on disk as cosign keeps them: PKCS #8 in NaCl's secretbox, by a key that scrypt makes of the passphrase.

So `cosign sign --key` takes ours, and we take cosign's (cosign, pkg/cosign/keys.go; go-securesystemslib, encrypted).
"""

from __future__ import annotations

import base64
import secrets
from hashlib import scrypt

import orjson

from pipelines.core.decode import decode, inner, text, unbase64
from pipelines.model.trust import Malformed

_KIND = "ENCRYPTED SIGSTORE PRIVATE KEY"
_KINDS = (_KIND, "ENCRYPTED COSIGN PRIVATE KEY")
_COST, _BLOCK, _LANES = 1 << 16, 8, 1
"""scrypt's N, r and p, as cosign has them."""
_MOST_COST = 1 << 18
_LIMIT = 64 << 10
_NONCE, _SALT = 24, 32


class BadKey(Exception):
    """What should be a key is none, or of another kind, or its passphrase is wrong."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


def _body(pem: bytes, kind: str) -> bytes:
    _, _, rest = pem.partition(f"-----BEGIN {kind}-----".encode())
    body, end, _ = rest.partition(f"-----END {kind}-----".encode())
    try:
        if end:
            return unbase64(b"".join(body.split()).decode("ascii"), "the key")
    except (Malformed, UnicodeDecodeError):
        pass
    raise BadKey("this private key is cut off or damaged")


def unlock(pem: bytes, passphrase: bytes) -> bytes | None:
    """The private key (DER) in a locked PEM; None where the PEM is of another kind. Raises BadKey."""
    kind = next((kind for kind in _KINDS if f"-----BEGIN {kind}-----".encode() in pem), None)
    return _opened(_body(pem, kind), passphrase) if kind else None


def _opened(data: bytes, passphrase: bytes) -> bytes:
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    what = "the locked key"
    try:
        value = decode(data, what, _LIMIT)
        kdf, cipher = inner(value, "kdf", what), inner(value, "cipher", what)
        if (kdf.get("name"), cipher.get("name")) != ("scrypt", "nacl/secretbox"):
            raise BadKey("this private key is locked in a way that is not known here")
        salt = unbase64(text(kdf, "salt", what), what)
        nonce = unbase64(text(cipher, "nonce", what), what)
        sealed = unbase64(text(value, "ciphertext", what), what)
        key = _derived(passphrase, salt, inner(kdf, "params", what))
    except Malformed as bad:
        raise BadKey(str(bad)) from None
    if len(nonce) != _NONCE:
        raise BadKey("this private key is cut off or damaged")
    try:
        return SecretBox(key).decrypt(sealed, nonce)
    except CryptoError:
        raise BadKey("the passphrase is wrong, or the key is damaged") from None


def _derived(passphrase: bytes, salt: bytes, params: dict[str, object]) -> bytes:
    """scrypt's key, as long as the file asks for no more memory and time than a key of ours does (or four times as much)."""
    cost, block, lanes = (params.get(name) for name in ("N", "r", "p"))
    if type(cost) is not int or not 1 < cost <= _MOST_COST or cost & (cost - 1) or (block, lanes) != (_BLOCK, _LANES):
        raise BadKey("this private key is locked with parameters that are not known here")
    return scrypt(passphrase, salt=salt, n=cost, r=_BLOCK, p=_LANES, maxmem=132 * _BLOCK * cost, dklen=32)


def lock(plain: bytes, passphrase: bytes) -> str:
    """A private key (PKCS #8, DER) as PEM that only the passphrase opens."""
    from nacl.secret import SecretBox

    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    params = {"N": _COST, "r": _BLOCK, "p": _LANES}
    sealed = SecretBox(_derived(passphrase, salt, dict(params))).encrypt(plain, nonce).ciphertext
    parts = {
        "kdf": {"name": "scrypt", "params": params, "salt": base64.b64encode(salt).decode()},
        "cipher": {"name": "nacl/secretbox", "nonce": base64.b64encode(nonce).decode()},
        "ciphertext": base64.b64encode(sealed).decode(),
    }
    body = base64.b64encode(orjson.dumps(parts)).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {_KIND}-----", *lines, f"-----END {_KIND}-----", ""])
