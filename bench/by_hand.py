"""What somebody without fleet would run for the same images: buildah, Trivy, and a program that asks a registry for each."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from bench import pace
from bench.processes import run
from tests.engines import trivy

OFFLINE = ("--quiet", "--skip-db-update", "--skip-java-db-update", "--offline-scan", "--skip-version-check", "--disable-telemetry")
ASK = """
import asyncio, sys, httpx

async def main():
    async with httpx.AsyncClient() as client:
        asked = [client.head(url, headers={"Accept": "application/vnd.oci.image.manifest.v1+json"}) for url in sys.argv[1:]]
        for answer in await asyncio.gather(*asked):
            answer.raise_for_status()

asyncio.run(main())
"""


def asked(root: Path, host: str) -> float:
    """Seconds of a program that asks the registry for the image of each lock entry, all at once, and does nothing else."""
    images = yaml.safe_load((root / "fleet.lock").read_text())["images"]
    urls = [f"http://{host}/v2/shop/{name}/manifests/{image['current']}" for name, image in images.items()]
    return run((sys.executable, "-c", ASK, *urls), root).wall


def built(root: Path, host: str, names: Iterable[str], storage: Path, then: Callable[[str], None] = lambda _: None) -> tuple[float, float]:
    """Seconds, and the machine's speed meanwhile, of the same Dockerfiles by buildah, parents first, each pushed and the next started from what was pushed."""
    options = ("buildah", "--root", f"{storage}/root", "--runroot", f"{storage}/run")
    began = time.monotonic()
    for name in names:
        folder, tag = root / "images" / name, f"{host}/{storage.name}/{name}:1"
        text = (folder / "Dockerfile").read_text()
        parent = text.partition("\n")[0].removeprefix("FROM ")
        if "/" not in parent:
            text = text.replace(f"FROM {parent}", f"FROM {host}/{storage.name}/{parent}:1", 1)
        with tempfile.NamedTemporaryFile("w", suffix=".Dockerfile") as file:
            file.write(text)
            file.flush()
            how = ("--isolation", "chroot", "--layers=false", "--tls-verify=false", "-f", file.name, "-t", tag)
            run((*options, "build", "-q", *how, str(folder)), root)
        run((*options, "push", "-q", "--tls-verify=false", tag), root)
        then(tag)
    ended = time.monotonic()
    return ended - began, pace.speed(began, ended)


def judged(root: Path, cache: Path) -> Callable[[str], None]:
    """Trivy over an image that was pushed, with a database that lies in a folder: what is in it, then what of that is vulnerable."""
    program, how = str(trivy.find()), (*OFFLINE, "--cache-dir", str(cache), "--cache-backend", "memory")

    def judge(tag: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            sbom = f"{folder}/sbom.cdx.json"
            run((program, "image", *how, "--format", "cyclonedx", "--output", sbom, tag), root)
            run((program, "sbom", *how, "--format", "json", "--output", f"{folder}/report.json", sbom), root)

    return judge
