"""The hut: a fleet of two images on a base with Debian packages and one service, built in this process by a builder that only copies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from unittest.mock import patch

from pipelines.adapters.registry import KnownLogins, OciRegistry, Settings
from pipelines.model.oci import Repository
from pipelines.shell import equipment
from tests.fleets import API, PACK, service, tenant
from tests.images.commands.copying import CopyBuilder
from tests.images.commands.running import fleet
from tests.images.layouts import Deb, dist_info, dpkg, tar
from tests.images.registry.goods import Image
from tests.images.story.shop import Done, Shop
from tests.images.story.shop import fleet as declared
from tests.images.story.shop import image as spec

BASE = dpkg(Deb("libssl3", "3.0.11-1~deb12u1", "openssl"), Deb("zlib1g", "1:1.2.13.dfsg-1", "zlib"))
SITE = "/usr/local/lib/python3.11/site-packages"


def package(name: str, version: str) -> str:
    """METADATA of a Python distribution."""
    return next(iter(dist_info(name, version).values())).decode()


def files(host: str, path: str) -> dict[str, str]:
    base = f"{host}/{path}/upstream:12"
    return {
        "fleet.yaml": declared(host).replace("/shop\n", f"/{path}\n"),
        ".gitignore": "/.fleet/\n",
        "specs/policy-packs/default.yaml": PACK,
        "specs/tenants/acme.yaml": tenant("acme"),
        "specs/services/acme/web.yaml": service("web"),
        "specs/images/system.yaml": spec("system", f"{{registry: {base}}}"),
        "specs/images/app.yaml": spec("app", "{image: system}"),
        "images/system/Dockerfile": f"FROM {base}\nCOPY pip {SITE}/pip-23.0.dist-info/METADATA\nUSER 1000:1000\n",
        "images/system/pip": package("pip", "23.0"),
        "images/app/Dockerfile": f"FROM system\nCOPY requests {SITE}/requests-2.19.0.dist-info/METADATA\nUSER 1000:1000\n",
        "images/app/requests": package("requests", "2.19.0"),
    }


class Hut(Shop):
    """Commands run here, not in processes of their own."""

    builder: CopyBuilder

    @classmethod
    def pitched(cls, folder: Path, host: str, trivy: Path, path: str) -> Hut:
        """A clone of it, and its base image in the registry."""
        hut = cls(folder / "repo", folder / "blobs", host, trivy, path)
        hut.builder = CopyBuilder()
        for name, text in files(host, path).items():
            hut.write(name, text)
        hut.git("init", "-q", "-b", "main")
        hut.commit("the hut")
        hut.vulnerable()
        asyncio.run(upstream(host, path))
        return hut

    def fleet(self, *arguments: str, **env: str) -> Done:
        here = {
            "FLEET_BLOBS": str(self.state),
            "FLEET_TRIVY": str(self.trivy),
            "FLEET_TRIVY_DATABASE": str(self.root.parent / "trivy"),
            "FLEET_LEDGER": f"sqlite:///{self.root.parent / 'ledger.db'}",
        }
        with patch.object(equipment, "builder", self.building):
            result = fleet(*arguments, cwd=self.root, **{**here, **env})
        return Done(result.exit_code, result.stdout, result.stderr)

    async def building(self, *_: object, builds: bool) -> CopyBuilder:
        """Instead of one that needs a machine of its own."""
        return self.builder

    @property
    def locked(self) -> bytes | None:
        """The lock as it stands on the disk."""
        file = self.root / "fleet.lock"
        return file.read_bytes() if file.exists() else None


async def upstream(host: str, path: str) -> None:
    registry = OciRegistry(Settings(KnownLogins({})))
    try:
        await Image(tar(BASE)).into(registry, Repository(host, f"{path}/upstream"), "12")
    finally:
        await registry.close()


__all__ = ["API", "Hut"]
