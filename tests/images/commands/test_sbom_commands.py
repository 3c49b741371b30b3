"""`fleet sbom search` and `fleet sbom diff`: from the ledger, which builds and the command itself fill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.images.commands.hut import Hut, package
from tests.images.commands.test_rescan import REQUESTS


def said(hut: Hut, *arguments: str) -> list[tuple[str, list[str], str, list[str]]]:
    done = hut.fleet("sbom", "search", *arguments, "-o", "json")
    assert done.code == 0, done
    return [
        (one["image"], [f"{each['name']} {each['version']}" for each in one["packages"]], one["verdict"].split()[0], one["services"])
        for one in json.loads(done.out)
    ]


def ledger(hut: Hut) -> Path:
    return hut.root.parent / "ledger.db"


def test_after_a_build_it_is_known_which_images_and_services_carry_what(hut: Hut) -> None:
    hut.build()
    openssl = ["libssl3 3.0.11-1~deb12u1"]
    expected = [("app", openssl, "passed", ["acme/web"]), ("system", openssl, "passed", [])]
    assert said(hut, "openssl<3.0.14", "--offline") == expected
    assert said(hut, "openssl>=3.0.14", "--offline") == []
    assert said(hut, "pypi:requests") == [("app", ["requests 2.19.0"], "passed", ["acme/web"])]
    text = hut.fleet("sbom", "search", "requests").out
    tag, commit = hut.lock.images["app"].current.tag, hut.git("rev-parse", "HEAD").strip()
    assert text.startswith(f"app:{tag} sha256:")
    assert f" of {commit[:40]}, passed " in text
    assert hut.fleet("sbom", "search", "perl").out == "nothing carries perl\n"


def test_a_lost_ledger_is_filled_again_from_the_registry(hut: Hut) -> None:
    hut.build()
    ledger(hut).unlink()
    offline = hut.fleet("sbom", "search", "requests", "--offline")
    assert (offline.code, offline.err.count("it is not known what is in")) == (3, 2), offline
    assert [one[0] for one in said(hut, "requests")] == ["app"]
    assert [one[0] for one in said(hut, "requests", "--offline")] == ["app"]


def test_an_sbom_that_cannot_be_had_makes_the_answer_incomplete_and_says_so(hut: Hut) -> None:
    hut.build()
    ledger(hut).unlink()
    text = (hut.root / "fleet.yaml").read_text()
    hut.write("fleet.yaml", text.replace(f"registry: {hut.host}/{hut.path}", f"registry: {hut.host}/nowhere"))
    done = hut.fleet("sbom", "search", "requests")
    assert done.code == 3
    assert "it is not known what is in app" in done.err


def test_a_rescan_changes_what_the_ledger_says_of_the_verdict(hut: Hut) -> None:
    hut.build()
    hut.vulnerable(REQUESTS)
    hut.fleet("images", "rescan")
    assert [one[2] for one in said(hut, "requests")] == ["failed"]


def test_two_builds_are_compared_by_tag_digest_prev_or_file(hut: Hut) -> None:
    hut.build()
    first = hut.lock.images["app"].current
    hut.write("images/app/requests", package("requests", "2.20.0"))
    dockerfile = (hut.root / "images/app/Dockerfile").read_text()
    hut.write("images/app/Dockerfile", dockerfile.replace("2.19.0", "2.20.0"))
    hut.commit("newer")
    hut.build()
    for before in ("app:prev", f"app:{first.tag}", first.digest, f"app@{first.digest[:22]}"):
        done = hut.fleet("sbom", "diff", before, "app")
        assert (done.code, done.out) == (1, "~ pypi requests 2.19.0 -> 2.20.0\n"), (before, done)
    assert hut.fleet("sbom", "diff", "app", "app").out == "the same packages\n"
    hut.write("x.json", json.dumps({"bomFormat": "CycloneDX", "components": []}))
    done = hut.fleet("sbom", "diff", "x.json", "system", "-o", "json")
    assert [one["name"] for one in json.loads(done.out)] == ["libssl3", "zlib1g", "pip"]


BAD = {
    "no query": (["search", "<3"], "cannot be understood"),
    "no bound": (["search", "openssl<"], "is not a bound"),
    "no image": (["diff", "nobody", "app"], "the lock has no build of nobody"),
    "no tag": (["diff", "app:nothing", "app"], "the lock has no build nothing of app"),
    "no digest": (["diff", "0" * 64, "app"], "no builds whose digest begins with"),
    "no SBOM": (["diff", "./fleet.yaml", "app"], "is no SBOM"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_meant_is_refused(name: str, hut: Hut) -> None:
    arguments, sentence = BAD[name]
    if name == "no tag":
        hut.build()
    done = hut.fleet("sbom", *arguments)
    assert (done.code, sentence in done.err) == (2, True), done
