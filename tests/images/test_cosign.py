"""cosign 2.5 and oras 1.2 take what we push to a real registry, and we take what cosign signs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from pipelines.adapters.keys import generate, private_key, public_key, read_private_key
from pipelines.adapters.registry import KnownLogins, OciRegistry, Settings
from pipelines.core.attestation import NOTHING, referrer, sbom_statement, verdict_statement
from pipelines.core.manifest import encode
from pipelines.core.provenance import Dependency, Provenance, provenance_statement
from pipelines.core.tally import digest_of
from pipelines.flow.sign import sign
from pipelines.flow.trusted import Trusted
from pipelines.flow.verify import verify
from pipelines.model.oci import CONFIG, EMPTY, Descriptor, ImageManifest, Pinned, Repository
from pipelines.model.trust import CYCLONEDX, VERDICT, Subject, Unattested, Verified, WrongKey
from pipelines.ports import Push
from tests.engines.cache import EngineMissing
from tests.engines.fixtures import in_ci
from tests.engines.signing_tools import signing_tools

TODAY = date(2026, 11, 21)
PASSPHRASE = "correct horse"
PLAIN_HTTP = ("--allow-http-registry", "--allow-insecure-registry")
VERIFYING = (*PLAIN_HTTP, "--insecure-ignore-tlog=true")
"""No transparency log: that one is public, and keys with dates do its work here."""
SIGNING = (*PLAIN_HTTP, "--tlog-upload=false", "--yes")
BOM = orjson.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [{"type": "library", "name": "openssl"}]})


class Bench(NamedTuple):
    """The programs, a folder with a key pair, and the registry."""

    tools: Path
    folder: Path
    host: str

    def run(self, program: str, *arguments: str | Path, ok: bool = True) -> str:
        """Run cosign or oras; what it printed, errors last."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "COSIGN_PASSWORD": PASSPHRASE, "DOCKER_CONFIG": str(self.folder)}
        done = subprocess.run([self.tools / program, *arguments], cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, registry_host: str) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    try:
        tools = signing_tools(print)
    except EngineMissing as missing:
        if in_ci():
            pytest.fail(f"cosign and oras should be here: {missing}", pytrace=False)
        pytest.skip(f"no cosign and oras: {missing}")
    pair = generate(PASSPHRASE.encode())
    (folder / "release.key").write_text(pair.private)
    (folder / "release.key").chmod(0o600)
    (folder / "release.pub").write_text(pair.public)
    (folder / "other.pub").write_text(generate(b"").public)
    return Bench(tools, folder, registry_host)


@pytest.fixture
async def registry() -> AsyncIterator[OciRegistry]:
    registry = OciRegistry(Settings(KnownLogins({})))
    yield registry
    await registry.close()


async def put(registry: OciRegistry, repository: Repository, data: bytes, media_type: str) -> Descriptor:
    """A blob."""

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    blob = Descriptor(media_type, digest_of(data), len(data))
    await registry.push_blob(repository, Push(blob, chunks))
    return blob


async def pushed(registry: OciRegistry, repository: Repository, word: str) -> Pinned:
    """A small image, a different one for each word."""
    rootfs = {"type": "layers", "diff_ids": []}
    config = orjson.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs, "config": {"Labels": {"word": word}}})
    document = encode(ImageManifest(await put(registry, repository, config, CONFIG), ()))
    await registry.push_manifest(repository, word, document)
    return Pinned(repository, document.digest)


@pytest.fixture
async def image(bench: Bench, registry: OciRegistry, prefix: str) -> Pinned:
    """An image that no other test has, with its SBOM."""
    repository = Repository(bench.host, f"{prefix}/web")
    image = await pushed(registry, repository, "web")
    subject = await registry.head(repository, image.digest)
    assert subject
    blob = await put(registry, repository, BOM, CYCLONEDX)
    await put(registry, repository, NOTHING, EMPTY)
    await registry.attach(repository, referrer(subject, blob, CYCLONEDX, {}))
    return image


def said(**over: Any) -> dict[str, Any]:
    verdict = {"scanner": "trivy 0.76.0", "database": "2026-11-21T06:00:00Z", "policy": digest_of(b""), "passed": True, "counts": {}}
    return {**verdict, **over}


def provenance() -> Provenance:
    when = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
    return Provenance(
        image="web", spec="specs/images/web.yaml", key="k", platform="linux/amd64", args={}, builder="https://ci.example/build",
        engine="buildah 1.28.2", run="https://ci.example/runs/7", started=when, finished=when,
        dependencies=(Dependency("source", "https://git.example/acme/fleet", "gitCommit:" + "a" * 40),),
    )  # fmt: skip


def statements(image: Pinned) -> list[bytes]:
    return [
        verdict_statement(image, digest_of(BOM), said()),
        provenance_statement(image, provenance()),
        sbom_statement(image, BOM),
    ]


async def found(registry: OciRegistry, image: Pinned, public: str, **names: str) -> Any:
    subject = Subject("web", image, **names)
    return (await verify(registry, [subject], [Trusted("k", public_key(public), TODAY, TODAY)], TODAY))[subject]


async def test_cosign_verifies_what_we_signed(bench, registry, image):
    key, warning = read_private_key(bench.folder / "release.key", PASSPHRASE.encode())
    assert not warning
    await sign(registry, image, statements(image), key)
    printed = bench.run("cosign", "verify", "--key", "release.pub", *VERIFYING, str(image))
    assert image.digest in printed
    assert "The signatures were verified against the specified public key" in printed
    assert "no matching signatures" in bench.run("cosign", "verify", "--key", "other.pub", *VERIFYING, str(image), ok=False)


@pytest.mark.parametrize("kind", [VERDICT, "slsaprovenance1", "cyclonedx"])
async def test_cosign_verifies_our_attestations(bench, registry, image, kind):
    key, _ = read_private_key(bench.folder / "release.key", PASSPHRASE.encode())
    await sign(registry, image, statements(image), key)
    printed = bench.run("cosign", "verify-attestation", "--key", "release.pub", "--type", kind, *VERIFYING, str(image))
    assert '"payloadType":"application/vnd.in-toto+json"' in printed
    wrong = bench.run("cosign", "verify-attestation", "--key", "other.pub", "--type", kind, *VERIFYING, str(image), ok=False)
    assert "no matching attestations" in wrong


async def test_cosign_finds_no_signature_that_we_did_not_make(bench, image):
    assert "no signatures found" in bench.run("cosign", "verify", "--key", "release.pub", *VERIFYING, str(image), ok=False)


async def test_a_verdict_of_another_image_does_not_pass_cosign_either(bench, registry, image):
    key, _ = read_private_key(bench.folder / "release.key", PASSPHRASE.encode())
    other = await pushed(registry, image.repository, "other")
    await sign(registry, other, statements(other), key)
    for suffix in ("sig", "att"):
        document = await registry.manifest(image.repository, f"{other.digest.replace(':', '-')}.{suffix}")
        await registry.push_manifest(image.repository, f"{image.digest.replace(':', '-')}.{suffix}", document)
    bench.run("cosign", "verify", "--key", "release.pub", *VERIFYING, str(image), ok=False)
    bench.run("cosign", "verify-attestation", "--key", "release.pub", "--type", VERDICT, *VERIFYING, str(image), ok=False)


async def test_we_verify_what_cosign_signed_and_attested(bench, registry, image):
    bench.run("cosign", "generate-key-pair", "--output-key-prefix", "theirs")
    bench.run("cosign", "sign", "--key", "theirs.key", *SIGNING, str(image))
    public = (bench.folder / "theirs.pub").read_text()
    assert await found(registry, image, public) == Unattested("the gate's verdict")
    predicate = bench.folder / "predicate.json"
    predicate.write_bytes(orjson.dumps(said(digest=image.digest, sbom=digest_of(BOM))))
    bench.run("cosign", "attest", "--key", "theirs.key", "--type", VERDICT, "--predicate", predicate, *SIGNING, str(image))
    assert isinstance(await found(registry, image, public), Verified)
    assert await found(registry, image, (bench.folder / "release.pub").read_text()) == WrongKey("signature")


async def test_we_sign_with_the_key_that_cosign_made_and_it_with_ours(bench, registry, image):
    bench.run("cosign", "generate-key-pair", "--output-key-prefix", "made")
    key = private_key((bench.folder / "made.key").read_bytes(), PASSPHRASE.encode())
    assert key.public.pem == (bench.folder / "made.pub").read_text()
    await sign(registry, image, statements(image), key)
    bench.run("cosign", "verify", "--key", "made.pub", *VERIFYING, str(image))
    bench.run("cosign", "sign", "--key", "release.key", *SIGNING, str(image))
    for name in ("made.pub", "release.pub"):
        bench.run("cosign", "verify", "--key", name, *VERIFYING, str(image))
    assert isinstance(await found(registry, image, (bench.folder / "made.pub").read_text()), Verified)


async def test_signatures_of_cosign_and_ours_stand_side_by_side(bench, registry, image):
    bench.run("cosign", "generate-key-pair", "--output-key-prefix", "first")
    bench.run("cosign", "sign", "--key", "first.key", *SIGNING, str(image))
    key, _ = read_private_key(bench.folder / "release.key", PASSPHRASE.encode())
    await sign(registry, image, statements(image), key)
    for name in ("first.pub", "release.pub"):
        bench.run("cosign", "verify", "--key", name, *VERIFYING, str(image))


async def test_oras_lists_and_pulls_what_we_attached(bench, registry, image):
    key, _ = read_private_key(bench.folder / "release.key", PASSPHRASE.encode())
    await sign(registry, image, statements(image), key)
    printed = bench.run("oras", "discover", "--plain-http", "--format", "json", str(image))
    listed = orjson.loads(printed)["manifests"]
    types = sorted(one["artifactType"] for one in listed)
    assert types == [CYCLONEDX, *["application/vnd.dsse.envelope.v1+json"] * 3]
    told = {one["annotations"].get("in-toto.io/predicate-type") for one in listed if one.get("annotations")}
    assert {VERDICT, "https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom"} <= told
    sbom = next(one for one in listed if one["artifactType"] == CYCLONEDX)
    manifest = orjson.loads(bench.run("oras", "manifest", "fetch", "--plain-http", sbom["reference"]))
    reference = f"{image.repository}@{manifest['layers'][0]['digest']}"
    bench.run("oras", "blob", "fetch", "--plain-http", "--output", "bom.json", reference)
    assert (bench.folder / "bom.json").read_bytes() == BOM
