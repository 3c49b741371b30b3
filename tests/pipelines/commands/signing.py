"""What commands that sign need: a fleet that trusts a key, and that key."""

from __future__ import annotations

from functools import cache

from pipelines.adapters.keys import KeyPair, generate, public_key
from reconciler.shell import variables
from tests.pipelines.commands.scene import Scene
from tests.pipelines.signing.scene import key

OTHER = "release-2027"


@cache
def pair(name: str, word: str) -> KeyPair:
    """A locked key pair, made once: that takes a while."""
    assert name
    return generate(word.encode())


def private_pem(name: str = "release") -> str:
    """A private key that is not locked."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

    return load_der_private_key(key(name).der, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def trusting(scene: Scene, *pems: str, require: bool = False, until: str = "2036-12-31") -> None:
    """Write these keys into fleet.yaml; by default the one of `private_pem()`."""
    fleet = (scene.root / "fleet.yaml").read_text().partition("  signing:")[0]
    lines = [f"  signing:\n    require: {str(require).lower()}\n    keys:\n"]
    for place, pem in enumerate(pems or (key("release").public.pem,)):
        body = "".join(f"          {line}\n" for line in pem.strip().splitlines())
        lines.append(f"      release-{place}:\n        from: 2026-01-01\n        until: {until}\n        publicKey: |\n{body}")
    scene.write("fleet.yaml", fleet + "".join(lines))


def env(name: str = "release") -> dict[str, str | None]:
    """The environment of a job that signs."""
    return {variables.SIGNING_KEY: private_pem(name), variables.SIGNING_PASSPHRASE: None}


__all__ = ["OTHER", "env", "pair", "private_pem", "public_key", "trusting"]
