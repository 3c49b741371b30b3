"""Same files, same bytes; and what a layer does to its parent is what the builder did."""

import io
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.layer.index import index
from pipelines.core.layer.tree import stacked
from tests.pipelines.layer.tars import DATE, Leaf, entries, folder, hard, packed, tar

NAMES = st.sampled_from(["a", "b", "b-c", ".d", "é"])
LEAVES = st.builds(
    Leaf,
    kind=st.sampled_from(["file", "file", "symlink", "fifo"]),
    content=st.sampled_from([b"x", b"y", b"longer" * 200]),
    mode=st.sampled_from([0o644, 0o755, 0o4755]),
    uid=st.sampled_from([0, 1000, 3_000_000]),
    gid=st.just(0),
    xattrs=st.sampled_from([(), (("user.k", "v"),)]),
    mtime=st.just(DATE + 5),
    device=st.just((0, 0)),
)
Folder = dict[str, "Folder | Leaf"]
FOLDERS = st.recursive(LEAVES, lambda below: st.dictionaries(NAMES, below, max_size=3), max_leaves=12).filter(
    lambda found: isinstance(found, dict)
)


def settled(leaf: Leaf) -> Leaf:
    return leaf._replace(content=b"" if leaf.kind == "fifo" else leaf.content, mode=0o777 if leaf.kind == "symlink" else leaf.mode)


def flat(tree: Folder, prefix: str = "") -> Iterator[tuple[str, Leaf]]:
    for name, below in tree.items():
        path = f"{prefix}{name}"
        if isinstance(below, dict):
            yield path, folder()
            yield from flat(below, f"{path}/")
        else:
            yield path, settled(below)


def white(path: str) -> tuple[str, Leaf]:
    above, slash, name = path.rpartition("/")
    return f"{above}{slash}.wh.{name}", Leaf(mode=0)


def raw(parent: dict[str, Leaf], child: dict[str, Leaf], draw: st.DataObject) -> list[tuple[str, Leaf]]:
    """What some engine would say of the way from one tree to the other: any order and times, opaque directories or not, and noise."""
    said: dict[str, Leaf] = {}
    renewed: set[str] = set()
    for path, leaf in child.items():
        above = [path[:at] for at, each in enumerate(path) if each == "/"]
        if leaf.kind == "directory" and parent.get(path, leaf).kind == "directory" and draw.draw(st.booleans()):
            renewed.add(path)
            said.update([draw.draw(st.sampled_from([(f"{path}/.wh..wh..opq", Leaf(mode=0)), white(path)]))] if path in parent else [])
        if parent.get(path) != leaf or renewed & {path, *above} or draw.draw(st.booleans()):
            said[path] = leaf
    for path in parent:
        above = path.rpartition("/")[0]
        if path not in child and (not above or child.get(above, Leaf()).kind == "directory"):
            said.update([white(path)])
    shuffled = draw.draw(st.permutations(list(said.items())))
    return [(name, leaf._replace(mtime=DATE + draw.draw(st.sampled_from([0, 1, 7.5, 9e8])))) for name, leaf in shuffled]


@given(FOLDERS, FOLDERS, st.data())
def test_whatever_an_engine_says_about_the_same_files_gives_the_same_bytes_and_exactly_the_childs_tree(
    before: Folder, after: Folder, data: st.DataObject
):
    parent, child = dict(flat(before)), dict(flat(after))
    lower = entries(tar(parent))
    layers = [packed(tar(raw(parent, child, data)), lower) for _ in range(2)]
    assert layers[0] == layers[1]
    tree = dict(lower)
    for body in layers[0]:
        tree = stacked(tree, index(io.BytesIO(body)))
    assert tree == entries(tar(child))


@given(FOLDERS, FOLDERS, st.data())
def test_layers_split_by_path_have_the_same_tree(before: Folder, after: Folder, data: st.DataObject):
    parent, child = dict(flat(before)), dict(flat(after))
    lower = entries(tar(parent))
    tree = dict(lower)
    for body in packed(tar(raw(parent, child, data)), lower, split=("a", "b/b")):
        tree = stacked(tree, index(io.BytesIO(body)))
    assert tree == entries(tar(child))


@given(st.permutations(["x/one", "x/two", "y/three", "z"]), st.permutations(range(4)))
def test_of_hard_links_the_first_by_name_is_the_file_whichever_it_was(order: list[str], places: list[int]):
    file, *others = order
    items = [(file, Leaf(content=b"same", mode=0o4711)), *((other, hard(file)) for other in others), ("x", folder()), ("y", folder())]
    shuffled = [items[at] for at in places] + items[4:]
    assert packed(tar(shuffled)) == packed(tar(items))
    [body] = packed(tar(shuffled))
    straight = [
        ("x", folder()),
        ("x/one", Leaf(content=b"same", mode=0o4711)),
        ("x/two", hard("x/one")),
        ("y", folder()),
        ("y/three", hard("x/one")),
        ("z", hard("x/one")),
    ]
    assert [body] == packed(tar(straight))


@given(FOLDERS)
def test_what_did_not_change_makes_no_layer(tree: Folder):
    body = tar(dict(flat(tree)))
    assert packed(body, entries(body)) == []


@given(FOLDERS)
def test_a_canonical_layer_is_its_own_canonical_layer(tree: Folder):
    for body in packed(tar(dict(flat(tree)))):
        assert packed(body) == [body]
