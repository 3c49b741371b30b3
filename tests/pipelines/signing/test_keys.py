"""Keys: made, locked, read again, and everything that is no key."""

from __future__ import annotations

import base64
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.adapters.keys import BadKey, EcPrivateKey, generate, private_key, public_key, read_private_key, save
from tests.pipelines.signing.scene import key

PAIR = generate(b"correct horse")
LOCKED = PAIR.private.encode()
PUBLIC = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_key_is_opened_by_its_passphrase_only():
    opened = private_key(LOCKED, b"correct horse")
    assert opened.public.pem == PAIR.public
    for wrong in (b"", b"correct horse ", b"Correct horse"):
        with pytest.raises(BadKey, match="passphrase is wrong"):
            private_key(LOCKED, wrong)


def test_two_keys_are_never_the_same():
    other = generate(b"correct horse")
    assert other.public != PAIR.public
    assert other.private != PAIR.private


def test_a_signature_holds_for_its_data_and_its_key_only():
    signature = key("a").sign(b"data")
    assert key("a").public.verifies(b"data", signature)
    assert not key("a").public.verifies(b"Data", signature)
    assert not key("b").public.verifies(b"data", signature)
    for garbage in (b"", b"\x30", signature[:-1], signature + b"\0", b"\xff" * 70):
        assert not key("a").public.verifies(b"data", garbage)


def test_the_same_data_has_the_same_signature():
    assert key("a").sign(b"data") == key("a").sign(b"data")
    assert key("a").sign(b"data") != key("a").sign(b"datb")


def test_a_fingerprint_is_the_same_for_both_parts():
    assert key("a").fingerprint == key("a").public.fingerprint == public_key(key("a").public.pem).fingerprint
    assert key("a").fingerprint != key("b").fingerprint


def test_a_private_key_shows_nothing_of_itself():
    opened = private_key(LOCKED, b"correct horse")
    assert str(opened._key.private_numbers().private_value) not in repr(opened)
    assert repr(opened).startswith("<")


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("lock", [b"", b"secret"])
def test_keys_of_openssl_are_read(form: PrivateFormat, lock: bytes):
    plain = ec.generate_private_key(ec.SECP256R1())
    pem = plain.private_bytes(Encoding.PEM, form, BestAvailableEncryption(lock) if lock else NoEncryption())
    assert private_key(pem, lock).der == EcPrivateKey(plain).der
    if lock:
        with pytest.raises(BadKey, match="is locked"):
            private_key(pem, b"")
        with pytest.raises(BadKey, match="passphrase is wrong"):
            private_key(pem, b"other")
    else:
        assert private_key(pem, b"needless").der == EcPrivateKey(plain).der


OTHERS = [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)]


@pytest.mark.parametrize("other", OTHERS, ids=lambda one: type(one).__name__)
def test_keys_of_another_kind_are_refused(other):
    with pytest.raises(BadKey, match="another kind"):
        private_key(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), b"")
    with pytest.raises(BadKey, match="another kind"):
        public_key(other.public_key().public_bytes(*PUBLIC).decode())


def parts() -> dict:
    return orjson.loads(base64.b64decode(b"".join(LOCKED.split(b"\n")[1:-2])))


def pem_of(value: object) -> bytes:
    kind = b"ENCRYPTED SIGSTORE PRIVATE KEY"
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (kind, base64.b64encode(orjson.dumps(value)), kind)


PARAMS = [{"N": 1 << 30, "r": 8, "p": 1}, {"N": 0, "r": 8, "p": 1}, {"N": 65535, "r": 8, "p": 1}, {"N": 65536, "r": 1 << 20, "p": 1},
          {"N": 65536, "r": 8, "p": 1 << 20}, {"N": "65536", "r": 8, "p": 1}, {"N": True, "r": 8, "p": 1}, {}]  # fmt: skip


@pytest.mark.parametrize("params", PARAMS)
def test_a_key_file_cannot_ask_for_all_memory(params):
    value = parts()
    value["kdf"]["params"] = params
    with pytest.raises(BadKey, match="parameters"):
        private_key(pem_of(value), b"correct horse")


def test_a_damaged_key_is_refused():
    value = parts()
    for damage in (
        {},
        [],
        {**value, "ciphertext": "AAAA"},
        {**value, "ciphertext": ""},
        {**value, "ciphertext": "%"},
        {**value, "cipher": {"name": "nacl/secretbox", "nonce": "AAAA"}},
        {**value, "cipher": {"name": "none", "nonce": value["cipher"]["nonce"]}},
        {**value, "kdf": {"name": "none"}},
        {**value, "kdf": 3},
    ):
        with pytest.raises(BadKey):
            private_key(pem_of(damage), b"correct horse")
    for cut in (LOCKED[:200], LOCKED[:-20], LOCKED.replace(b"\n", b"!\n"), b"", b"-----BEGIN EC PRIVATE KEY-----\n", b"x" * 100_000):
        with pytest.raises(BadKey):
            private_key(cut, b"correct horse")


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_what_is_no_key_is_refused_and_nothing_worse(noise: bytes):
    for pem in (noise, b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(noise) + b"\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(BadKey):
            private_key(pem, b"")
    for text in (noise.decode("latin-1"), f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(noise).decode()}\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(BadKey):
            public_key(text)


def test_a_point_off_the_curve_is_no_key():
    der = bytearray(key("a").public._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    der[-1] ^= 1
    with pytest.raises(BadKey):
        public_key(f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(bytes(der)).decode()}\n-----END PUBLIC KEY-----\n")


def test_a_key_that_others_can_read_is_told(tmp_path: Path):
    file = tmp_path / "release.key"
    file.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file.chmod(0o600)
    assert read_private_key(file, b"")[1] == ""
    for mode in (0o640, 0o604, 0o660, 0o644):
        file.chmod(mode)
        assert read_private_key(file, b"")[1] == f"{file} can be read by others: chmod 600 {file}"


def test_a_key_file_that_is_none_says_which(tmp_path: Path):
    file = tmp_path / "release.key"
    with pytest.raises(BadKey, match=r"release\.key cannot be read: No such file"):
        read_private_key(file, b"")
    with pytest.raises(BadKey, match="cannot be read: Is a directory"):
        read_private_key(tmp_path, b"")
    file.write_text("hello")
    with pytest.raises(BadKey, match=r"release\.key: this is not a private key"):
        read_private_key(file, b"")


def test_a_new_key_is_for_its_owner_only_and_never_overwrites_another(tmp_path: Path):
    private, public = tmp_path / "release.key", tmp_path / "release.pub"
    save(PAIR, private, public)
    assert private.stat().st_mode & 0o777 == 0o600
    assert (private.read_text(), public.read_text()) == PAIR
    with pytest.raises(BadKey, match=r"release\.key is there already"):
        save(generate(b""), private, tmp_path / "other.pub")
    assert private.read_text() == PAIR.private
    assert not (tmp_path / "other.pub").exists()
    with pytest.raises(BadKey, match="cannot be written: No such file"):
        save(PAIR, tmp_path / "nowhere" / "x.key", public)
