"""What a Dockerfile takes from outside, and the same text with digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.core.dockerfile.context import Entry, lint_context
from pipelines.core.dockerfile.outside import outside, pin
from pipelines.core.dockerfile.parse import parse
from reconciler.model.findings import Place
from reconciler.model.refs import Ref

ROOT = Path(__file__).resolve().parents[3]
DIGEST = f"127.0.0.1:5000/cache@sha256:{'1' * 64}"
TEXT = """\
# FROM nothing
ARG VERSION=3.11
FROM example.com/tool:1 \\
  # in the middle
  AS tool
RUN echo FROM x
FROM docker.io/library/python:${VERSION}-slim AS last
COPY --chown=1:1 --from=tool /a /a
COPY --from=example.com/b:2 /b /b
COPY --from=0 /c /c
RUN --mount=type=bind,from=example.com/b:2,target=/b \\
    --mount=type=cache,from=tool,target=/c echo from=example.com/b:2
"""


def test_every_mention_is_found_where_it_stands():
    file = parse(TEXT, "Dockerfile")
    found = [(one.image, one.by, one.stage, str(file.place(one.word.start))) for one in outside(file, {"VERSION": "3.12"})]
    assert found == [
        ("example.com/tool:1", "FROM", 0, "Dockerfile:3:6"),
        ("docker.io/library/python:3.12-slim", "FROM", 1, "Dockerfile:7:6"),
        ("example.com/b:2", "COPY", 1, "Dockerfile:9:13"),
        ("example.com/b:2", "RUN", 1, "Dockerfile:11:28"),
    ]


def test_the_same_text_with_digests_differs_in_nothing_else():
    digests = {"example.com/tool:1": "T", "docker.io/library/python:3.11-slim": "P", "example.com/b:2": "B"}
    pinned = pin(parse(TEXT, ""), {}, digests)
    assert pinned == (
        TEXT.replace("FROM example.com/tool:1", "FROM T")
        .replace("docker.io/library/python:${VERSION}-slim", "P")
        .replace("--from=example.com/b:2", "--from=B")
        .replace("bind,from=example.com/b:2", "bind,from=B")
    )
    again = {one.image for one in outside(parse(pinned, ""), {})}
    assert again == {"T", "P", "B"}


def test_what_has_no_digest_is_named():
    with pytest.raises(KeyError, match=r"example\.com/b:2"):
        pin(parse(TEXT, ""), {}, {"example.com/tool:1": "T", "docker.io/library/python:3.11-slim": "P"})


def test_what_is_by_digest_already_stays_unless_something_stands_in():
    text = f"FROM {DIGEST}\n"
    assert pin(parse(text, ""), {}, {}) == text
    assert pin(parse(text, ""), {}, {DIGEST: "X"}) == "FROM X\n"


def test_a_stage_that_comes_later_is_no_stage_yet():
    file = parse("FROM b\nCOPY --from=late /a /a\nCOPY --from=1 /a /a\nFROM b AS late\n", "")
    assert [one.image for one in outside(file, {})] == ["b", "late", "1", "b"]


def test_scratch_is_nothing_from_outside():
    assert outside(parse("FROM scratch\nCOPY a /a\n", ""), {}) == ()


@pytest.mark.parametrize("path", sorted(ROOT.glob("images/*/Dockerfile")), ids=lambda path: path.parent.name)
def test_each_of_the_fleets_own_starts_from_one_image_and_takes_nothing_else(path: Path):
    file = parse(path.read_text(), str(path))
    (start,) = outside(file, {})
    pinned = pin(file, {}, {start.image: DIGEST})
    assert pinned.splitlines().count(f"FROM {DIGEST}") == 1
    assert pinned.replace(DIGEST, start.image) == path.read_text()


def found(*entries: Entry, largest: int = 100) -> list[str]:
    place = Place("specs/images/x.yaml", 7, 3)
    return [
        f"{one.code} {one.place}: {one.message}"
        for one in lint_context("images/x", "Dockerfile", entries, Ref("Image", "x"), place, largest)
    ]


def test_a_context_without_a_dockerfile_is_found_at_the_spec():
    assert found() == ["IMG101 specs/images/x.yaml:7:3: images/x has no Dockerfile"]
    assert found(Entry("dockerfile", 1)) == ["IMG101 specs/images/x.yaml:7:3: images/x has no Dockerfile"]


def test_links_may_lead_anywhere_inside():
    assert found(Entry("Dockerfile", 1), Entry("a/b", 0, "../c"), Entry("d", 0, "a/../a/./b"), Entry("a/e/f", 0, "../../Dockerfile")) == []


@pytest.mark.parametrize("target", ["..", "../y", "a/../../y", "/etc/passwd", "../x-secret"])
def test_links_that_lead_out_are_found(target: str):
    (one,) = found(Entry("Dockerfile", 1), Entry("link", 0, target))
    assert one == f"IMG116 images/x/link: it leads to {target}, outside of images/x"


def test_a_context_that_is_too_large_names_the_largest():
    assert found(Entry("Dockerfile", 50), Entry("a", 50)) == []
    (one,) = found(Entry("Dockerfile", 1), Entry("a", 50), Entry("model", 60))
    assert one.startswith("IMG117 specs/images/x.yaml:7:3: images/x has 111 bytes in 3 files, 100 are allowed; the largest: model (60")
