"""`fleet images rescan` with a real registry and the real Trivy."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engines.trivy_db import debian, python
from tests.images.commands.hut import Hut

OPENSSL = debian("CVE-2099-0001", "openssl", "CRITICAL", "3.0.13-1")
REQUESTS = python("CVE-2099-0002", "requests", "HIGH", "2.20.0")


def test_what_became_known_since_the_build_is_told_by_who_brought_it(hut: Hut) -> None:
    hut.build()
    quiet = hut.fleet("images", "rescan")
    assert (quiet.code, quiet.out.splitlines()[-1].partition("; ")[2]) == (0, "all would pass the gate today"), quiet
    before = hut.locked
    hut.vulnerable(OPENSSL, REQUESTS)
    again = hut.fleet("images", "rescan")
    assert again.code == 1
    assert again.out.splitlines()[:6] == [
        "app fails now: 2 new since the verdict before; runs in acme/web",
        "  fix in system (1 image inherits it):",
        "    CRITICAL CVE-2099-0001 in libssl3 (3.0.11-1~deb12u1 -> 3.0.13-1): CVE-2099-0001 in openssl",
        "  of app itself:",
        "    HIGH CVE-2099-0002 in requests (2.19.0 -> 2.20.0): CVE-2099-0002 in requests",
        "system fails now: 1 new since the verdict before; nothing runs it",
    ]
    assert hut.locked == before
    assert hut.builder.built == ["system", "app"]


def test_one_image_as_json_says_all_there_is_to_know(hut: Hut) -> None:
    hut.build()
    hut.vulnerable(REQUESTS)
    done = hut.fleet("images", "rescan", "app", "-o", "json")
    (app,) = json.loads(done.out)
    assert (app["image"], app["current"], app["services"], app["verdict"], app["turned"]) == ("app", True, ["acme/web"], "failed", True)
    (new,) = app["new"]
    assert (new["id"], new["owner"], new["package"], new["fixed"], new["stance"]) == ("CVE-2099-0002", "app", "requests", "2.20.0", "fails")
    assert app["scanner"] == "trivy 0.76.0"


def test_code_scanning_gets_each_vulnerability_once_at_the_spec_of_who_brought_it(hut: Hut) -> None:
    hut.build()
    hut.vulnerable(OPENSSL, REQUESTS)
    assert hut.fleet("images", "rescan", "-o", "sarif", "--out", "rescan.sarif").code == 1
    (run,) = json.loads((hut.root / "rescan.sarif").read_text())["runs"]
    places = [(one["ruleId"], one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]) for one in run["results"]]
    assert places == [("CVE-2099-0001", "specs/images/system.yaml"), ("CVE-2099-0002", "specs/images/app.yaml")]
    assert "in app, system; runs in acme/web" in run["results"][0]["message"]["text"]


def test_without_a_database_there_is_no_verdict_and_that_is_no_pass(hut: Hut) -> None:
    hut.build()
    (hut.root.parent / "trivy" / "db" / "trivy.db").unlink()
    done = hut.fleet("images", "rescan")
    assert done.code == 3
    assert "fleet images database update" in done.err
    assert "nothing is known" in done.out


def test_an_image_that_is_not_in_the_lock_is_refused(hut: Hut) -> None:
    hut.build("system")
    done = hut.fleet("images", "rescan", "sytem")
    assert (done.code, "did you mean `system`?" in done.err) == (2, True)


def test_a_held_build_is_judged_too(hut: Hut) -> None:
    hut.build()
    first = hut.lock.images["app"].current
    hut.write("images/app/more", "more\n")
    hut.write("images/app/Dockerfile", (hut.root / "images/app/Dockerfile").read_text() + "COPY more /srv/more\n")
    hut.commit("more")
    hut.build()
    web = hut.root / "specs/services/acme/web.yaml"
    web.write_text(f"{web.read_text()}  forceImageTag: {{tag: {first.tag}, reason: slow, by: ana}}\n")
    hut.vulnerable(REQUESTS)
    said = json.loads(hut.fleet("images", "rescan", "app", "-o", "json").out)
    assert [(one["digest"] == first.digest, one["services"]) for one in said] == [(False, []), (True, ["acme/web"])]


@pytest.fixture
def taken() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that takes letters, and what it got."""
    letters: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            letters.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", letters
    server.shutdown()
    thread.join()
    server.server_close()


def test_who_asked_for_it_is_told_once_what_is_new(hut: Hut, taken: tuple[str, list[dict[str, Any]]]) -> None:
    hut.build()
    url, letters = taken
    secrets = hut.root.parent / "secrets"
    secrets.mkdir()
    (secrets / "key").write_text("secret\n")
    text = (hut.root / "fleet.yaml").read_text().replace("target: {memory: {}}", "target: {kubernetes: {context: none, simulated: true}}")
    target = f"  notifications: {{security: {{type: webhook, url: {url}, secret: key, events: [vulnerable]}}}}\n"
    hut.write("fleet.yaml", text.replace("  environments:\n", target + "  environments:\n"))

    def told() -> list[str]:
        letters.clear()
        hut.fleet("images", "rescan", "app", "--notify", str(secrets))
        return [f"{one['topic']} {one['text'].splitlines()[0]}" for one in letters]

    assert told() == []
    hut.vulnerable(REQUESTS)
    assert told() == ["vulnerable app fails now: 1 new since the verdict before; runs in acme/web"]
    assert told() == [], "the same is told once"
    hut.vulnerable(REQUESTS, OPENSSL)
    assert [one.partition(":")[2] for one in told()] == [" 2 new since the verdict before; runs in acme/web"]
    hut.vulnerable()
    assert told() == ["vulnerable app has no vulnerabilities that its verdict did not know of"]
