"""A lock for the trial: two invented builds of each image, so that rollbacks and holds can be tried where nothing is ever built."""

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

AGES = (timedelta(days=1), timedelta(days=4))
HEADER = "# Invented for the trial, where no container runs: nothing here was built, scanned or pushed.\n"


def digest(*parts: str) -> str:
    return "sha256:" + hashlib.sha256("/".join(("invented", *parts)).encode()).hexdigest()


def lines(images: list[str], today: date) -> Iterator[str]:
    yield f"{HEADER}lockVersion: 1\nimages:\n"
    for image in images:
        tags = [f"{today - age:%Y%m%d}-{hashlib.sha256(str(age).encode()).hexdigest()[:7]}" for age in AGES]
        yield f'  {image}:\n    current: "{digest(image, tags[0])}"\n    builds:\n'
        for tag, age in zip(tags, AGES, strict=True):
            facts = f'tag: {tag}, built: {today - age}, verdict: "{digest(image, tag, "verdict")}", sbom: "{digest(image, tag, "sbom")}"'
            yield f'      "{digest(image, tag)}": {{{facts}}}\n'


def write_lock(specs: Path, path: Path, today: date) -> int:
    """Writes the lock for every image that has a spec, unless there is one already; how many images it names."""
    images = sorted(spec.stem for spec in (specs / "images").glob("*.yaml"))
    if images and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines(images, today)))
    return len(images)
