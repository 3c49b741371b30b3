"""`fleet images list` and `lineage` say what the lock has, and what runs it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from tests.pipelines.commands.scene import Scene


def listed(scene: Scene, *words: str) -> dict[str, dict[str, object]]:
    return {one["image"]: one for one in json.loads(scene.images("list", *words, "-o", "json").stdout)}


def test_images_come_in_the_graphs_order_with_what_the_lock_says_of_each(scene):
    old, new = scene.built("base", "v1", "20261119-aaaaaaa"), scene.built("base", "v2", "20261120-bbbbbbb")
    scene.locked(base=(new, old))
    result = scene.images("list")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["base", "middle", "side", "top", "platform-own"]
    assert lines[1].split()[:3] == ["base", "20261120-bbbbbbb", new.digest[7:19]]
    assert lines[1].split()[-3:] == ["passed", "2", "0"]
    assert lines[-1].split()[-1] == "1"


def test_a_key_that_fits_the_files_is_current(scene):
    first = json.loads(scene.images("plan", "base", "-o", "json").stdout)[0]
    assert first["decision"] == "open"
    text = 'lockVersion: 1\nbases:\n  "registry.example/debian:12": {digest: "sha256:%s", resolved: 2026-11-20}\nimages: {}\n'
    scene.write("fleet.lock", text % ("d" * 64))
    key = json.loads(scene.images("plan", "base", "-o", "json").stdout)[0]["key"]
    build = replace(scene.built("base", "v1", "20261120-bbbbbbb"), key=key)
    lines = f'images:\n  base:\n    current: "{build.digest}"\n    builds:\n      "{build.digest}": {{tag: {build.tag}, key: "{key}", built: 2026-11-20}}\n'
    scene.write("fleet.lock", text.replace("images: {}\n", lines) % ("d" * 64))
    assert listed(scene)["base"]["key"] == "current"
    scene.write("images/runtime/entry", "#!/bin/sh\necho other\n")
    assert listed(scene)["base"]["key"] == "outdated"


def test_builds_entered_by_hand_and_bad_ones_are_told_apart(scene):
    hand = replace(scene.built("base", "v1", "20261119-aaaaaaa"), key="", verdict="", sbom="")
    scene.locked(base=(hand, replace(scene.built("base", "v0", "20261118-aaaaaaa"), bad=True)))
    found = listed(scene)["base"]
    assert [build["gate"] for build in found["builds"]] == ["none", "bad"]
    assert found["prev"] is None


def test_an_image_that_no_spec_declares_is_shown_at_the_end(scene):
    scene.locked(zzz=(scene.built("zzz", "v1", "20261119-aaaaaaa"),))
    assert list(listed(scene))[-1] == "zzz"
    assert listed(scene)["zzz"]["key"] == "gone"


def test_names_are_those_of_the_fleet(scene):
    assert list(listed(scene, "middle")) == ["base", "middle"]
    result = scene.images("list", "mid")
    assert result.exit_code == 2
    assert "there is no image mid" in result.stderr


def test_the_lineage_has_children_below_their_parents_and_services_below_those(scene):
    build = scene.built("top", "v1", "20261119-aaaaaaa")
    scene.locked(top=(build,))
    assert scene.images("lineage").stdout.splitlines() == [
        "registry.example/debian:12",
        "`- base  never built",
        "   |- middle  never built",
        f"   |  `- top  20261119-aaaaaaa  {build.digest[7:19]}  passed, its parent first",
        "   |     `- platform-own  never built",
        "   |           run by platform/own (by the tag unlocked)",
        "   `- side  never built",
    ]


def test_the_lineage_as_a_chart_has_a_box_for_each_image_and_an_arrow_for_each_from(scene):
    chart = scene.images("lineage", "-o", "mermaid").stdout
    boxes = dict(re.findall(r'^  (\w+)\["([^"]*)"\]$', chart, re.MULTILINE))
    arrows = {
        (boxes[one].partition(":")[0], boxes[two].partition(":")[0]) for one, two in re.findall(r"^  (\w+) --> (\w+)$", chart, re.MULTILINE)
    }
    assert {("base", "middle"), ("middle", "top"), ("base", "side"), ("top", "platform-own")} < arrows
    assert "platform/own" in chart


def test_the_lineage_as_json_says_what_each_service_runs(scene):
    build = scene.built("platform-own", "v1", "20261119-aaaaaaa")
    scene.locked(**{"platform-own": (build,)})
    found = {one["image"]: one for one in json.loads(scene.images("lineage", "-o", "json").stdout)["images"]}
    assert found["platform-own"]["runs"] == {"Service/platform/own": {"digest": build.digest, "tag": build.tag, "held": False}}
