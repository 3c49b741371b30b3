from datetime import date
from difflib import unified_diff
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reconciler.core.edit import NotEdited, add_key, remove_key, set_scalar
from reconciler.core.inline import inline
from reconciler.core.load import load

ROOT = Path(__file__).parents[2]
HOLD = {"tag": "20261118-4be1d07", "reason": "5xx after the bump", "by": "ana", "until": date(2026, 12, 2)}
LINE = '  forceImageTag: {tag: 20261118-4be1d07, reason: "5xx after the bump", by: ana, until: 2026-12-02}\n'

WEB = """\
# yaml-language-server: $schema=../../../schemas/Service.json
apiVersion: fleetwright.dev/v1alpha1   # fixed
kind: Service
metadata: {name: web, labels: {source-name: "Web – Ü"}}

spec:
  image: family-web   # the family

  # two of them, since one dies at night
  replicas: 2
  ports: {http: 8080}
  env:
    GREETING: 'it''s "fine"'
    TABBED: "a\tb"
    POEM: |
      first

      second
  command: [a, "b",
    c]
"""


def hold(text: str, after: str | None = "image") -> str:
    return add_key("web.yaml", text.encode(), ("spec",), "forceImageTag", HOLD, after).decode()


def release(text: str) -> str:
    return remove_key("web.yaml", text.encode(), ("spec", "forceImageTag")).decode()


def diff(before: str, after: str) -> list[str]:
    lines = unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_a_hold_is_one_line_behind_the_image():
    held = hold(WEB)
    assert diff(WEB, held) == ["+" + LINE]
    assert held.splitlines(keepends=True)[7] == LINE
    assert release(held) == WEB


@pytest.mark.parametrize("after", ["image", "replicas", "ports", "env", "command", "nothing", None])
@pytest.mark.parametrize(
    "write",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.removesuffix("\n"),
        lambda text: text.replace("\n", "\r\n").removesuffix("\r\n"),
        lambda text: text.replace("  ", "    "),
        lambda text: text + "\n# the end\n",
        lambda text: text + "\n\n",
        lambda text: text.replace("    c]\n", "    c]\n  last: |\n    words\n"),
        lambda text: text.replace("    c]\n", "    c]\n  last: |+\n    words\n\n\n"),
        lambda text: text.replace("    c]\n", "    c]\n  last:\n"),
        lambda text: text.replace("    c]\n", "    c]\n  last:\n  - a\n  - b: 1\n"),
        lambda text: text.replace("    c]\n", "    c]\n  last: plain\n    and more\nmore: 1\n"),
        lambda text: text.replace("kind:", '"kind":'),
    ],
)
def test_hold_and_release_leave_every_other_byte(write, after):
    text = write(WEB)
    held = hold(text, after)
    added = [line for line in diff(text, held) if line.startswith("+")]
    assert sum("forceImageTag" in line for line in added) == 1
    assert release(held) == text


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("spec: {image: web, replicas: 2}  # c\n", "spec: {image: web, X, replicas: 2}  # c\n"),
        ("spec: {image: web}", "spec: {image: web, X}"),
        ("spec: { image: web }\n", "spec: { image: web, X }\n"),
        ("spec: {image: web,}\n", "spec: {image: web, X,}\n"),
        ("spec: {\n  image: web,  # the family\n  replicas: 2\n}\n", "spec: {\n  image: web, X,  # the family\n  replicas: 2\n}\n"),
        ("spec: {}\n", "spec: {X}\n"),
        ("spec: {replicas: 2}\n", "spec: {replicas: 2, X}\n"),
        ('{"kind": "Service", "spec": {"image": "web"}}', '{"kind": "Service", "spec": {"image": "web", X}}'),
    ],
)
def test_in_braces_a_hold_stands_between_its_neighbours(text, held):
    assert hold(text) == held.replace("X", LINE.strip())
    assert release(hold(text)) == text


def test_a_hold_written_over_several_lines_is_lifted_whole():
    text = WEB.replace("  ports:", "  forceImageTag:  # why\n    tag: x\n\n    # because\n    reason: >\n      it\n      fails\n  ports:")
    assert release(text) == WEB


def test_a_bare_tag_is_lifted_too():
    assert release(WEB.replace("  ports:", "  forceImageTag: 20261118-4be1d07  # why\n  ports:")) == WEB


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("image: family-web ", "other", "image: other "),
        ("image: family-web ", "a # b", 'image: "a # b" '),
        ("image: family-web ", "yes", 'image: "yes" '),
        ("image: family-web ", "1e5", 'image: "1e5" '),
        ("image: family-web ", None, "image: null "),
        ("image: family-web ", date(2026, 12, 2), "image: 2026-12-02 "),
        ("image: 'family-web' ", "it's", "image: 'it''s' "),
        ("image: 'family-web' ", "tab\tone", 'image: "tab\\tone" '),
        ('image: "family-web" ', 'a"b\\c', 'image: "a\\"b\\\\c" '),
        ('image: "family-web" ', "Ünï", 'image: "Ünï" '),
        ('image: "family-web" ', 3, "image: 3 "),
        ("image: family\n    web ", "other", "image: other "),
        ("image: ", "other", "image: other "),
        ("image:", "other", "image: other"),
    ],
)
def test_a_scalar_is_set_in_the_quotes_that_stand_there(old, value, new):
    text = WEB.replace("image: family-web ", old)
    assert set_scalar("web.yaml", text.encode(), ("spec", "image"), value).decode() == WEB.replace("image: family-web ", new)


def test_a_scalar_in_a_list_or_under_a_number_is_set():
    assert set_scalar("a", b"a: [x, {b: 1}]\n", ("a", 1, "b"), 2) == b"a: [x, {b: 2}]\n"
    assert set_scalar("a", b"a:\n- x\n- b\n", ("a", 1), "z") == b"a:\n- x\n- z\n"
    assert set_scalar("a", b"waves: {0: platform, '1': x}\n", ("waves", 0), "core") == b"waves: {0: core, '1': x}\n"
    assert set_scalar("a", b"waves: {0: platform, '1': x}\n", ("waves", "1"), "core") == b"waves: {0: platform, '1': core}\n"


@pytest.mark.parametrize(
    ("edit", "line", "why"),
    [
        (lambda text: set_scalar("w", text, ("spec", "nothing"), 1), 7, "there is no `nothing`"),
        (lambda text: set_scalar("w", text, ("spec", "ports"), 1), 11, "not a value on one line"),
        (lambda text: set_scalar("w", text, ("spec", "env", "POEM"), 1), 15, "not a value on one line"),
        (lambda text: add_key("w", text, ("spec",), "image", "x"), 7, "is there already"),
        (lambda text: add_key("w", text, ("kind",), "image", "x"), 3, "not a mapping"),
        (lambda text: add_key("w", text, ("spec", "command"), "image", "x"), 19, "not a mapping"),
        (lambda text: remove_key("w", text, ("spec", "nothing")), 7, "there is no `nothing`"),
        (lambda text: remove_key("w", text, ("spec", "command", 1)), 19, "only a key"),
    ],
)
def test_what_cannot_be_edited_is_a_finding_with_its_place(edit, line, why):
    with pytest.raises(NotEdited, match=why) as refusal:
        edit(WEB.encode())
    assert (refusal.value.finding.code, refusal.value.finding.place.line) == ("EDT002", line)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("a:\n  b: 1\n", ("a", "b")),
        ("- a: 1\n  b: 2\n", (0, "a")),
        ("a: {b: 1, # why\n  c: 2}\n", ("a", "c")),
        ("? a\n: b\nc: 1\n", ("a",)),
        ("a: {b: {c: 1}\n, d: 2}\n", ("a", "b", "x")),
    ],
)
def test_a_removal_that_would_take_more_with_it_is_refused(text, pointer):
    with pytest.raises(NotEdited) as refusal:
        remove_key("a.yaml", text.encode(), pointer)
    assert refusal.value.finding.code == "EDT002"


@pytest.mark.parametrize(
    "text", ["", "a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a: [\n", "\ufeffa: 1\n", "a: 1\n---\nb: 2\n", "a: 1\n" + "[" * 30_000]
)
def test_a_file_that_does_not_read_is_not_edited(text):
    with pytest.raises(NotEdited) as refusal:
        set_scalar("a.yaml", text.encode(), ("a",), 2)
    assert refusal.value.finding.code == "EDT001"


def test_a_line_end_that_would_become_part_of_a_text_is_not_added():
    with pytest.raises(NotEdited, match="more than that"):
        add_key("a.yaml", b"a: |\n  words", (), "b", 1)
    assert add_key("a.yaml", b"c: 1\na: |\n  words", (), "b", 1, after="c") == b"c: 1\nb: 1\na: |\n  words"


def test_text_that_nobody_can_see_is_not_written():
    with pytest.raises(NotEdited):
        set_scalar("a.yaml", b"a: 1\n", ("a",), "x\u202ey")


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co")), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | words
    | st.sampled_from(["no", "1_0", "0x1", "2026-1-1", "~", ".", "-", "1.", "a: b"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words.filter(bool), inner, max_size=3), max_leaves=8
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(values)
def test_one_line_says_what_the_value_says(value):
    loaded = load("a.yaml", f"a: {inline(value)}\n".encode())
    assert loaded.findings == ()
    assert loaded.value == {"a": value}
    assert inline(value).count("\n") == 0


names = st.from_regex(r"[a-zA-Z][a-zA-Z0-9]{0,6}", fullmatch=True)


@st.composite
def documents(draw, depth: int = 0) -> list[str]:
    """The lines of a block mapping such as people write: comments, blank lines, quotes, blocks of text, lists, braces."""
    step = draw(st.sampled_from(["  ", "    ", " "]))
    lines: list[str] = []
    for name in draw(st.lists(names.filter(lambda name: name.lower() not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")),
                              min_size=1, max_size=4, unique=True)):  # fmt: skip
        lines += draw(st.sampled_from([[], [], ["# words – ü"], [""]]))
        form = draw(st.sampled_from(["inline", "inline", "single", "block", "nested", "list", "empty"] if depth < 3 else ["inline"]))
        comment = draw(st.sampled_from(["", "", "  # why"]))
        match form:
            case "inline":
                lines.append(f"{name}: {inline(draw(values))}{comment}")
            case "single":
                lines.append(f"{name}:   'it''s'{comment}")
            case "block":
                lines += [f"{name}: {draw(st.sampled_from(['|', '>', '|-', '|+']))}", f"{step}text", "", f"{step}more"]
            case "nested":
                lines += [f"{name}:{comment}", *(step + line if line else "" for line in draw(documents(depth + 1)))]
            case "list":
                lines += [f"{name}:", "- a", *(["  # in"] if comment else []), "- b: 1", "  c: 2"]
            case "empty":
                lines.append(f"{name}:{comment}")
    return lines


@given(documents(), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_set_then_removed_is_the_same_file(lines, newline, ended, data):
    text = newline.join(lines) + (newline if ended else "")
    loaded = load("a.yaml", text.encode())
    assume(not loaded.findings and "forceImageTag" not in text)
    assume(ended or lines[-1].strip() != "more")  # a line end behind a block of text would become part of it
    pointers = [()] + [(key,) for key, value in loaded.value.items() if isinstance(value, dict) and value]
    parent = data.draw(st.sampled_from(pointers))
    inside = loaded.value[parent[0]] if parent else loaded.value
    after = data.draw(st.sampled_from([None, *(key for key in inside if isinstance(key, str))]))
    held = add_key("a.yaml", text.encode(), parent, "forceImageTag", HOLD, after)
    again = load("a.yaml", held)
    assert (again.value[parent[0]] if parent else again.value)["forceImageTag"]["tag"] == HOLD["tag"]
    assert remove_key("a.yaml", held, (*parent, "forceImageTag")) == text.encode()


SPECS = sorted((ROOT / "specs").rglob("*.yaml"))


@pytest.mark.skipif(not SPECS, reason="there are no specs/ beside the tests")
def test_every_spec_of_the_fleet_can_be_held_and_released():
    for file in SPECS:
        data = file.read_bytes()
        held = add_key(file.name, data, ("spec",), "forceImageTag", HOLD, "image")
        assert len(held.splitlines()) <= len(data.splitlines()) + 1
        assert remove_key(file.name, held, ("spec", "forceImageTag")) == data
