"""Linking: names become references, references an order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.check import scene
from reconciler.core.circles import circles
from reconciler.core.linking import Linking, link
from reconciler.core.parse import parse
from reconciler.model.refs import Ref
from tests.core.kinds import KINDS, document, tree


def services(edges: dict[str, list[str]], **fields: object) -> dict[str, bytes]:
    return {
        f"specs/services/acme/{name}.yaml": document("Service", name, image="base", dependsOn=f"[{', '.join(targets)}]", **fields)
        for name, targets in edges.items()
    }


def linked(files: dict[str, bytes]) -> Linking:
    return link(parse(tree(files), KINDS), KINDS)


def ref(name: str) -> Ref:
    return Ref("Service", name, "acme")


def test_links_go_both_ways() -> None:
    linking = linked(services({"web": ["api", "db"], "api": ["db"], "db": []}))
    assert linking.targets(ref("web")) == (Ref("Image", "base"), ref("api"), ref("db"))
    assert linking.backlinks[ref("db")] == (ref("api"), ref("web"))
    assert linking.findings == ()
    assert linking.unresolved == frozenset()


def test_order_has_linked_before_linkers_and_names_in_order() -> None:
    order = linked(services({"a": ["z"], "b": [], "z": []})).order
    assert [one.name for one in order if one.kind == "Service"] == ["b", "z", "a"]
    assert order.index(Ref("Image", "base")) < order.index(ref("b"))


def test_links_without_order_make_no_circle() -> None:
    files = {**services({"web": []}), "specs/tenants/acme.yaml": document("Tenant", "acme", gateway="web")}
    linking = linked(files)
    assert linking.findings == ()
    assert linking.targets(Ref("Tenant", "acme")) == (ref("web"),)


def test_unresolved_are_those_with_dangling_links_or_in_circles_only() -> None:
    linking = linked(services({"a": ["b"], "b": ["a"], "behind": ["a"], "lost": ["nowhere"], "well": []}))
    assert linking.unresolved == {ref("a"), ref("b"), ref("lost")}
    assert set(linking.order[-3:]) == {ref("a"), ref("b"), ref("behind")}


def test_scene_shows_no_links_to_broken_specs() -> None:
    files = {**services({"web": ["api", "db"], "db": []}), **services({"api": []}, replica=1)}
    fleet = parse(tree(files), KINDS)
    linking = link(fleet, KINDS)
    assert ref("api") in linking.targets(ref("web"))
    seen = scene(fleet, linking, tree(files))
    assert [target.name for _, target in seen.links(ref("web"))] == ["base", "db"]
    assert seen.contents("specs/services/acme/db.yaml") == files["specs/services/acme/db.yaml"]


def test_chain_longer_than_the_stack_is_no_matter() -> None:
    files = services({f"s{index}": [f"s{index + 1}"] for index in range(1100)} | {"s1100": []})
    assert [one.name for one in linked(files).order if one.kind == "Service"] == [f"s{index}" for index in range(1100, -1, -1)]
    files |= services({"s1100": ["s0"]})
    (circle,) = linked(files).findings
    assert circle.message.startswith("references in a circle: s0 -> s1 -> s2")


NODES = st.integers(0, 7).map(lambda number: Ref("Service", f"s{number}", "acme"))


@given(st.sets(st.tuples(NODES, NODES), max_size=20))
@settings(max_examples=200, deadline=None, database=None)
def test_circles_are_found_exactly_where_there_are_some(edges: set[tuple[Ref, Ref]]) -> None:
    graph = {Ref("Service", f"s{number}", "acme"): frozenset(b for a, b in edges if a.name == f"s{number}") for number in range(8)}
    found = list(circles(graph))
    for circle in found:
        assert all(after in graph[before] for before, after in zip(circle, (*circle[1:], circle[0]), strict=True))
        assert len(set(circle)) == len(circle)

    def reach(start: Ref) -> set[Ref]:
        seen: set[Ref] = set()
        queue = [start]
        while queue:
            for target in graph[queue.pop()] - seen:
                seen.add(target)
                queue.append(target)
        return seen

    knots = {frozenset(other for other in reach(node) if node in reach(other)) for node in graph if node in reach(node)}
    assert len(found) == len(knots)
    assert all(any(set(circle) <= knot for circle in found) for knot in knots)
