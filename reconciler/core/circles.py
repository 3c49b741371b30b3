"""Circles in a graph: one of each knot, as short as can be."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping

from reconciler.model.refs import Ref

Graph = Mapping[Ref, Collection[Ref]]


def circles(graph: Graph) -> Iterator[tuple[Ref, ...]]:
    """A shortest circle through the first node of each strongly connected part of `graph`; linear in its size.

    Kosaraju's algorithm (Aho, Hopcroft, Ullman: Data Structures and Algorithms, 6.7), without recursion.
    """
    reverse: dict[Ref, list[Ref]] = {node: [] for node in graph}
    for node, targets in graph.items():
        for target in targets:
            reverse[target].append(node)
    finished = [node for tree in _trees(graph, graph) for node in tree]
    for part in _trees(reverse, reversed(finished)):
        first = min(part)
        if len(part) > 1 or first in graph[first]:
            yield _shortest(graph, first, frozenset(part))


def _trees(graph: Graph, roots: Collection[Ref] | Iterator[Ref]) -> Iterator[list[Ref]]:
    """Depth-first: what is reached first from each root, in order of leaving."""
    seen: set[Ref] = set()
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        tree: list[Ref] = []
        path = [(root, iter(graph[root]))]
        while path:
            node, targets = path[-1]
            target = next((target for target in targets if target not in seen), None)
            if target is None:
                tree.append(node)
                path.pop()
            else:
                seen.add(target)
                path.append((target, iter(graph[target])))
        yield tree


def _shortest(graph: Graph, start: Ref, part: frozenset[Ref]) -> tuple[Ref, ...]:
    """Breadth-first within `part`, from `start` back to it."""
    came: dict[Ref, Ref] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for target in sorted(graph[node]):
            if target == start:
                back = [node]
                while back[-1] != start:
                    back.append(came[back[-1]])
                return tuple(reversed(back))
            if target in part and target not in came:
                came[target] = node
                queue.append(target)
    raise AssertionError("a strongly connected part has a circle through each of its nodes")
