"""The database is fetched by the real Trivy from a registry that is no more than a few files over HTTP."""

import gzip
import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.adapters.trivy import Settings, Trivy
from pipelines.model.oci import MANIFEST
from pipelines.ports import NoVerdict
from tests.engines import trivy_db
from tests.images.layouts import Deb, dpkg, layout, tar

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FINDING = trivy_db.debian("CVE-2099-0001", "openssl", "CRITICAL", "3.0.13-1")


class Registry:
    """Serves one database under any name (OCI distribution specification, pull only)."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifest = b""
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, _, name = self.path.rpartition("/")
                body = (
                    registry.blobs.get(name, b"") if kind.endswith("blobs") else registry.manifest if kind.endswith("manifests") else b"{}"
                )
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", MANIFEST if kind.endswith("manifests") else "application/octet-stream")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def repository(self) -> str:
        return f"127.0.0.1:{self.server.server_port}/acme/trivy-db:2"

    def publish(self, folder: Path) -> None:
        """The files of a database, as one layer (trivy-db's media types)."""
        layer = gzip.compress(tar({path.name: path.read_bytes() for path in (folder / "db").iterdir()}), mtime=0)
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self.put(b"{}", "application/vnd.aquasec.trivy.config.v1+json"),
                "layers": [self.put(layer, "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip")],
            }
        ).encode()

    def put(self, data: bytes, media_type: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        annotations = {"org.opencontainers.image.title": "db.tar.gz"} if "layer" in media_type else {}
        return {"mediaType": media_type, "digest": digest, "size": len(data), "annotations": annotations}


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    thread = threading.Thread(target=registry.server.serve_forever, args=(0.01,))
    thread.start()
    yield registry
    registry.server.shutdown()
    thread.join()
    registry.server.server_close()


@pytest.fixture
def trivy(trivy_program: Path, tmp_path: Path, registry: Registry) -> Trivy:
    return Trivy(Settings(trivy_program, tmp_path / "cache", lambda: NOON, repository=registry.repository, seconds=60.0))


async def test_an_update_makes_an_old_database_new(trivy: Trivy, registry: Registry, tmp_path: Path) -> None:
    image = layout(tmp_path / "web", [dpkg(Deb("libssl3", "3.0.11-1", "openssl"))])
    trivy_db.write(tmp_path / "cache", [], NOON - timedelta(days=3))
    with pytest.raises(NoVerdict, match="3 days ago"):
        await trivy.scan(image.folder)
    registry.publish(trivy_db.write(tmp_path / "published", [FINDING], NOON - timedelta(hours=1)))
    assert await trivy.update() == trivy.database() == "2026-11-21T11:00:00Z"
    assert b"CVE-2099-0001" in (await trivy.scan(image.folder)).report
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["db"]


async def test_a_first_update_needs_nothing_to_be_there(trivy: Trivy, registry: Registry, tmp_path: Path) -> None:
    registry.publish(trivy_db.write(tmp_path / "published", [FINDING], NOON))
    await trivy.update()
    assert trivy.database() == "2026-11-21T12:00:00Z"


FAULTS: dict[str, tuple[Callable[[Registry], object], str]] = {
    "nothing there": (lambda registry: setattr(registry, "manifest", b""), "could not fetch its database"),
    "no manifest": (lambda registry: setattr(registry, "manifest", b"garbage"), "could not fetch its database"),
    "another blob": (lambda registry: registry.blobs.update(dict.fromkeys(registry.blobs, b"garbage")), "could not fetch its database"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_an_update_that_fails_leaves_the_old_database(name: str, trivy: Trivy, registry: Registry, tmp_path: Path) -> None:
    fault, sentence = FAULTS[name]
    trivy_db.write(tmp_path / "cache", [FINDING], NOON)
    before = (tmp_path / "cache" / "db" / "trivy.db").read_bytes()
    registry.publish(trivy_db.write(tmp_path / "published", [], NOON))
    fault(registry)
    with pytest.raises(NoVerdict, match=sentence):
        await trivy.update()
    assert (tmp_path / "cache" / "db" / "trivy.db").read_bytes() == before
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["db"]


async def test_a_registry_out_of_reach_is_said_with_its_name(trivy_program: Path, tmp_path: Path) -> None:
    settings = Settings(trivy_program, tmp_path / "cache", lambda: NOON, repository="127.0.0.1:9/acme/trivy-db:2", seconds=60.0)
    with pytest.raises(NoVerdict, match=r"127\.0\.0\.1:9") as caught:
        await Trivy(settings).update()
    assert "repository" in caught.value.fix
