"""Signing, promoting and cleaning up against a real registry: the commands, as people call them."""

from __future__ import annotations

import json
from datetime import date

import pytest

from pipelines.adapters.registry import KnownLogins, OciRegistry, Settings
from pipelines.core.attestation import verdict_statement
from pipelines.core.provenance import provenance_statement
from pipelines.core.tally import digest_of
from pipelines.flow.build.papers import put, sbom, statement
from pipelines.model.oci import Pinned, Repository
from pipelines.model.trust import PROVENANCE, VERDICT
from pipelines.shell import equipment
from reconciler.model.lock import Build
from tests.images.registry.goods import Image
from tests.pipelines.commands.conftest import scene  # noqa: F401  a fixture
from tests.pipelines.commands.scene import Scene, provenance, waited
from tests.pipelines.commands.signing import env, trusting
from tests.pipelines.signing.scene import SBOM, verdict

LONG_AGO = date(2020, 1, 2)


@pytest.fixture
def real(scene: Scene, registry_host: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Scene:  # noqa: F811
    """The repository of the commands' tests with a real registry, and a second environment with another place in it."""
    monkeypatch.setattr(equipment, "registry", lambda: OciRegistry(Settings(KnownLogins({}))))
    fleet = (scene.root / "fleet.yaml").read_text().replace("registry.example/acme", f"{registry_host}/{prefix}")
    live = f"  environments:\n    live:\n      target: {{memory: {{}}}}\n      registry: {registry_host}/{prefix}/live\n      lock: live.lock\n"
    scene.write("fleet.yaml", fleet.replace("  environments:\n", live))
    trusting(scene)
    return scene


def built(at: Repository, tag: str) -> Build:
    """An image in the real registry, as a build leaves it."""

    async def push() -> Build:
        registry = equipment.registry()
        try:
            image = await Image().into(registry, at, tag)
            pinned = Pinned(at, image.document.digest)
            said = provenance_statement(pinned, provenance("base"))
            judged = verdict_statement(pinned, digest_of(SBOM), verdict(), digest_of(said))
            await put(registry, pinned, [sbom(SBOM), statement(said, PROVENANCE), statement(judged, VERDICT)])
            return Build(pinned.digest, tag, digest_of(tag.encode()), LONG_AGO, digest_of(judged), digest_of(SBOM))
        finally:
            await registry.close()

    return waited(push())


def there(at: Repository, digest: str) -> bool:
    async def ask() -> bool:
        registry = equipment.registry()
        try:
            return await registry.head(at, digest) is not None
        finally:
            await registry.close()

    return waited(ask())


def test_from_a_build_to_another_environment_and_to_its_end(real, registry_host, prefix):
    home, live = Repository(registry_host, f"{prefix}/base"), Repository(registry_host, f"{prefix}/live/base")
    old, new = built(home, "20200102-aaaaaaa"), built(home, "20200102-bbbbbbb")
    real.locked(base=(new, old))
    assert real.images("publish", **env()).exit_code == 0
    assert real.images("verify").exit_code == 0
    assert real.images("promote", "--from", "test", "--to", "live").exit_code == 0
    result = real.images("verify", "--env", "live")
    assert (result.exit_code, result.stdout.endswith("1 of 1 builds verify.\n")) == (0, True)

    real.locked(base=(new,))
    found = json.loads(real.images("gc", "-o", "json").stdout)
    assert old.digest in {one["digest"] for one in found["drops"]}
    assert real.images("gc", "--yes").exit_code == 0
    assert not there(home, old.digest)
    assert there(live, new.digest)
    assert real.images("verify").exit_code == 0
    assert real.images("verify", "--env", "live").exit_code == 0
    assert json.loads(real.images("gc", "-o", "json").stdout)["drops"] == []
