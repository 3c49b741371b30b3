"""`fleet graph`."""

from __future__ import annotations

import json
import re

import pytest

from reconciler.model.refs import Ref
from reconciler.shell.exits import Exit
from reconciler.shell.report.graph_text import MOST, Drawing, graph_dot, graph_mermaid
from tests.shell.fleet_commands import fleet

SERVICE = "apiVersion: fleetwright.dev/v1alpha1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{image: {image}, machine: main, hardware: small, dependsOn: {uses}}}\n"
IMAGE = (
    "apiVersion: fleetwright.dev/v1alpha1\nkind: Image\nmetadata: {{name: {name}}}\nspec: {{from: {{image: {above}}}, context: images/x}}\n"
)


@pytest.fixture
def repository(tmp_path):
    """hello <- base <- web (image); services: hello, front -> back -> image web; twin of the image's name."""
    fleet("init", tmp_path)
    for name, above in (("base", "hello"), ("web", "base")):
        (tmp_path / f"specs/images/{name}.yaml").write_text(IMAGE.format(name=name, above=above))
    for name, image, uses in (("front", "web", "[back]"), ("back", "web", "[]"), ("web", "base", "[]")):
        (tmp_path / f"specs/services/team/{name}.yaml").write_text(SERVICE.format(name=name, image=image, uses=uses))
    return tmp_path


def drawn(repository, *arguments):
    result = fleet("graph", "-o", "json", *arguments, cwd=repository)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    return {node["ref"] for node in found["nodes"]}, {(edge["from"], edge["to"]) for edge in found["edges"]}


def test_all_specs_and_links_are_drawn(repository):
    nodes, edges = drawn(repository)
    assert nodes >= {"Image/base", "Image/web", "Service/team/front", "Tenant/team"}
    assert edges >= {
        ("Image/web", "Image/base"),
        ("Image/base", "Image/hello"),
        ("Service/team/front", "Image/web"),
        ("Service/team/front", "Service/team/back"),
    }


def test_a_name_draws_its_neighbours_in_both_directions(repository):
    nodes, _ = drawn(repository, "Image/web")
    assert nodes == {"Image/web", "Image/base", "Service/team/front", "Service/team/back"}


def test_depth_reaches_further_but_not_back(repository):
    nodes, _ = drawn(repository, "front", "--depth", 9)
    assert {"Image/web", "Image/base", "Image/hello", "Service/team/back"} <= nodes
    assert "Service/team/web" not in nodes, "it shares a base, it is no neighbour"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("web", "write Image/web or Service/team/web"), ("fronnt", "did you mean"), ("zzzzzz", "`fleet graph -o json` lists all")],
)
def test_what_cannot_be_drawn_is_refused_with_a_way_on(repository, name, expected):
    result = fleet("graph", name, cwd=repository)
    assert result.exit_code == Exit.USAGE
    assert expected in result.stderr


def test_broken_specs_are_drawn_as_such(repository):
    (repository / "specs/services/team/back.yaml").write_text("kind: [")
    found = json.loads(fleet("graph", "-o", "json", cwd=repository).stdout)
    assert [node["ref"] for node in found["nodes"] if node["broken"]] == ["Service/team/back"]
    assert "xlabel=broken" in fleet("graph", cwd=repository).stdout


def test_the_same_specs_give_the_same_drawing(repository):
    for output in ("dot", "mermaid", "json"):
        assert fleet("graph", "-o", output, cwd=repository).stdout == fleet("graph", "-o", output, cwd=repository).stdout


def star(edges):
    middle, leaves = Ref("Image", "middle"), [Ref("Service", f"s{number}", "t") for number in range(edges)]
    return Drawing("f", (middle, *leaves), tuple((leaf, middle) for leaf in leaves))


def test_mermaid_gives_way_to_a_table_above_its_limit():
    assert graph_mermaid(star(MOST)).startswith("graph LR\n")
    assert graph_mermaid(star(MOST + 1)).startswith("| what | links to |\n")


def test_hostile_names_cannot_leave_their_quotes():
    name = 'x"]; evil [label="\n\\N|`'
    drawing = Drawing(name, (Ref("Image", name), Ref("Image", "b")), ((Ref("Image", name), Ref("Image", "b")),))
    dot = graph_dot(drawing)
    assert all(line.count('"') - line.count('\\"') in (0, 2, 4) for line in dot.splitlines())
    assert len(dot.splitlines()) == 7
    labels = re.findall(r'\["([^"]*)"\]', graph_mermaid(drawing))
    assert len(labels) == 2
    assert "evil [" not in graph_mermaid(drawing)
