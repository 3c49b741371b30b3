"""Reports of plans: text, Markdown, JSON, differences."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import click
import pytest

from reconciler.model.findings import Place, warning
from reconciler.model.manifests import Stage
from reconciler.model.plan import Change, Note, NoteKind, Roll
from reconciler.model.refs import Ref
from reconciler.shell.report.diff_text import diff_text
from reconciler.shell.report.plan_json import plan_json, read_hash
from reconciler.shell.report.plan_markdown import LIMIT, marker, plan_markdown
from reconciler.shell.report.plan_text import plan_text
from tests.shell import plans
from tests.shell.golden import is_golden

CASES = {"rollback": plans.rollback, "everything": plans.everything, "base-image": plans.base_image, "nothing": plans.plan}
ENEMY = "`]|</details><script>@ops ![x](http://evil) ``` \x1b[2J\u202e\r\n--> \ud800"
NAMED = ENEMY.replace("\ud800", "")


@pytest.mark.parametrize("name", CASES)
def test_text_is_golden(name):
    assert is_golden(f"{name}.txt", plan_text(CASES[name](), plans.graph(), edited=2))


@pytest.mark.parametrize("name", CASES)
def test_markdown_is_golden(name):
    assert is_golden(f"{name}.md", plan_markdown(CASES[name](), plans.graph()))


@pytest.mark.parametrize("name", CASES)
def test_json_is_golden(name):
    assert is_golden(f"{name}.json", plan_json(CASES[name](), plans.graph()))


@pytest.mark.parametrize("name", ["rollback", "everything"])
def test_diff_is_golden(name):
    assert is_golden(f"{name}.diff", diff_text(CASES[name]()))


def test_verbose_text_tells_every_object_and_field():
    assert is_golden("everything-verbose.txt", plan_text(plans.everything(), plans.graph(), verbose=True))


def test_many_changes_are_a_line_each_and_their_reason_is_said_once():
    text = plan_text(plans.many(300), plans.graph())
    assert text.count("\n") < 310
    assert text.count("because") == 1
    assert f"fleet.lock names {plans.NEW_TAG} (300 resources)" in text


def test_many_new_services_take_a_line_each():
    steps = [plans.create(kind, plans.service(f"new-{number}")) for number in range(400) for kind in ("Deployment", "Service")]
    text = plan_text(plans.plan(*steps), plans.graph())
    assert text.count("\n") < 410
    assert "because" not in text
    assert "Plan: 800 to add" in text


def test_simulated_environments_say_so():
    for report in (plan_text, plan_markdown):
        assert "(simulated)" in report(plans.rollback(), plans.graph("trial", simulated=True))
        assert "simulated" not in report(plans.rollback(), plans.graph())
    assert json.loads(plan_json(plans.rollback(), plans.graph("trial", simulated=True)))["simulated"] is True


def test_color_adds_nothing_but_color():
    plain = plan_text(plans.everything(), plans.graph())
    painted = plan_text(plans.everything(), plans.graph(), color=True)
    assert "\x1b[" in painted
    assert click.unstyle(painted) == plain
    assert click.unstyle(diff_text(plans.everything(), color=True)) == diff_text(plans.everything())


def test_the_default_environment_needs_no_option_in_hints():
    made = plans.plan(plans.create("Service", plans.service("web")), environment="trial")
    assert "Apply it with: fleet apply\n" in plan_text(made, plans.graph("trial"))


def test_a_comparison_of_revisions_offers_no_apply():
    text = plan_text(plans.rollback(), plans.graph(), against="origin/main")
    assert "against origin/main" in text
    assert "fleet apply" not in text


def test_guarded_deletions_say_how_to_go_on():
    for text in (plan_text(plans.everything(), plans.graph()), plan_markdown(plans.everything(), plans.graph())):
        assert "Guards hold 2 steps" in text
        assert "fleet apply --env production --allow-delete=2" in text


@pytest.mark.parametrize("report", [lambda p: plan_text(p, plans.graph()), lambda p: plan_markdown(p, plans.graph()), plan_json, diff_text])
def test_no_secret_value_is_shown(report):
    web = plans.service("web")
    data = [
        plans.env("DB_PASSWORD", "hunter2", "hunter3"),
        plans.env("BROKER_URL", "redis://user:hunter2@redis/0", "redis://user:hunter3@redis/1"),
        Change(f"{plans.CONTAINER}/env/API_TOKEN", None, {"name": "API_TOKEN", "value": "hunter2"}),
        Change("/spec/template/spec/containers", [{"env": [{"name": "MY_SECRET", "value": "hunter2"}]}], []),
        Change("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration", '{"password": "hunter2"}', None),
        Change("/data/client_secret", "hunter2", "hunter3"),
    ]
    text = report(plans.plan(plans.update("Deployment", web, data, ("because of redis://u:hunter2@redis",))))
    assert "hunter" not in text
    assert "DB_PASSWORD" in text
    assert "redis/1" in text


def test_references_to_secrets_are_shown():
    reference = {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "registry-db", "key": "url"}}}
    change = Change(f"{plans.CONTAINER}/env/DATABASE_URL", None, reference)
    text = plan_text(plans.plan(plans.update("Deployment", plans.service("web"), [change], ("x",))), plans.graph())
    assert "env DATABASE_URL  (none) -> secret registry-db/url" in text


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (f"r/web@{plans.OLD}", f"r/web@{plans.NEW}", f"{plans.OLD_TAG} -> {plans.NEW_TAG}"),
        (f"r/web@{plans.OLD}", f"r/api@{plans.OLD}", f"web:{plans.OLD_TAG} -> api:{plans.OLD_TAG}"),
        ("a.io/web:1", "b.io/web:1", "a.io/web:1 -> b.io/web:1"),
        ("r/web@sha256:" + "d" * 64, "r/web:unlocked", "sha256:dddddddddddd -> unlocked"),
        ("localhost:5000/web", "localhost:5000/web:2", "latest -> 2"),
    ],
)
def test_images_are_told_by_tag_where_the_lock_knows_one(before, after, expected):
    made = plans.plan(plans.update("Deployment", plans.service("web"), [Change(f"{plans.CONTAINER}/image", before, after)], ("x",)))
    assert expected in plan_text(made, plans.graph())


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, "1", '1 -> "1"'),
        ("", "x", '"" -> x'),
        ("a\nb\n", "a", "(2 lines) -> a"),
        ("x" * 500 + "old", "x" * 500 + "new", "xold -> ...xxx"),
        (None, {"a": [1]}, '(none) -> {"a": [1]}'),
    ],
)
def test_values_differ_to_the_eye(before, after, expected):
    made = plans.plan(plans.update("Deployment", plans.service("web"), [Change("/spec/x", before, after)], ("x",)))
    assert expected in plan_text(made, plans.graph())


def hostile():
    web = plans.service("web")
    changes = [plans.env(ENEMY, ENEMY, ENEMY + "2"), Change("/spec/" + ENEMY, [ENEMY], {ENEMY: ENEMY})]
    return plans.plan(
        plans.update("Deployment", web, changes, (ENEMY,)),
        plans.create("Service", Ref("Service", NAMED, NAMED)),
        effects=(Roll(web, (Ref("Image", ENEMY), web)),),
        notes=(Note(NoteKind.HELD, web, ENEMY),),
        findings=(warning("HLD002", "late").at(Place(ENEMY, 1, 1), ENEMY, ENEMY),),
    )


@pytest.mark.parametrize(
    "report", [lambda p: plan_text(p, plans.graph(), verbose=True), lambda p: plan_markdown(p, plans.graph()), lambda p: plan_json(p, plans.graph()), diff_text]
)  # fmt: skip
def test_control_characters_are_escaped_everywhere(report):
    text = report(hostile())
    assert not {letter for letter in text if not letter.isprintable()} - {"\n"}
    text.encode()


def test_hostile_text_stays_inside_code_in_markdown():
    text = plan_markdown(hostile(), plans.graph())
    assert text.startswith(marker("production") + "\n")
    outside, ticks = [], None
    for line in text.splitlines():
        if ticks is None and line.startswith("```"):
            ticks = line[: len(line) - len(line.lstrip("`"))]
        elif ticks is not None and line.strip() == ticks:
            ticks = None
        elif ticks is None:
            outside.append(line)
    assert ticks is None, "a fence was left open"
    for line in outside:
        plain = re.sub(r"(`+)[^`]*\1|<code>[^<]*</code>", "", line)
        assert "@ops" not in plain
        assert "<script" not in plain
        assert "evil" not in plain


def test_the_marker_cannot_be_broken_out_of():
    assert marker("a --> <b>") == "<!-- fleetwright plan a_--___b_ -->"


@pytest.mark.parametrize("count", [0, 1, 61, 1000, 10_000])
def test_markdown_stays_below_the_limit(count):
    made = plans.many(count)
    text = plan_markdown(made, plans.graph())
    assert len(text.encode()) <= LIMIT
    assert f"{count:,} to change" in text or "No changes" in text
    shown = text.count("\n~ ")
    assert f"and {count - shown:,} more resources, not shown here" in text if shown < count else shown == count


def test_markdown_of_the_worst_plan_stays_below_the_limit():
    """Long hostile names everywhere, 10,000 of everything."""
    names = [f"{'é' * 200}{number}" for number in range(10_000)]
    refs = [Ref("Service", name, name) for name in names]
    made = plans.plan(
        *(plans.update("Deployment", ref, [plans.env(ref.name, "a" * 999, "b" * 999)] * 9, (ENEMY * 9,)) for ref in refs[:2000]),
        *(plans.delete("Deployment", ref) for ref in refs[:2000]),
        effects=[Roll(ref, (Ref("Image", ref.name), ref)) for ref in refs],
        notes=[Note(NoteKind.HELD, ref, ref.name) for ref in refs],
        findings=[warning("HLD002", "x").at(Place(name), ENEMY * 99) for name in names],
    )
    made = replace(made, hash="sha256:" + "f" * 64)
    text = plan_markdown(made, plans.graph(), place="p" * 300, against="r" * 300)
    assert len(text.encode()) <= LIMIT
    assert text.count("<details") == text.count("</details>\n")
    for title in ("To delete: 2,000", "To change: 2,000", "10,000 notes", "10,000 warnings"):
        assert title in text


def test_markdown_shows_what_weighs_most_first():
    text = plan_markdown(plans.everything(), plans.graph())
    order = [text.index(f"<summary>{title}") for title in ("Blocked", "To delete", "To change", "To add")]
    assert order == sorted(order)


def test_charts_are_drawn_only_while_they_are_small():
    image = Ref("Image", "web")
    small, large = (plans.plan(effects=[Roll(ref, (image, ref)) for ref in map(plans.service, map(str, range(n)))]) for n in (3, 300))
    assert "```mermaid" in plan_markdown(small, plans.graph())
    assert "```mermaid" not in plan_markdown(large, plans.graph())


def test_a_saved_plan_binds_by_hash_and_environment():
    assert read_hash(plan_json(plans.rollback(), plans.graph())) == ("sha256:" + "c" * 64, "production")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[]", "no formatVersion"),
        ('{"formatVersion": "2.0", "hash": "x", "environment": "y"}', "not one that this version reads"),
        ('{"formatVersion": "1.7", "environment": "y"}', "no hash"),
        ('{"formatVersion": "1.0", "hash": "x", "environment": "y", "against": "HEAD"}', "never made for a target"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_saved_plan_is_refused_with_a_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        read_hash(text)


def test_a_newer_minor_format_is_read():
    assert read_hash('{"formatVersion": "1.9", "hash": "x", "environment": "y", "new": 1}') == ("x", "y")


def test_stages_come_in_the_order_of_an_apply():
    owner = Ref("Tenant", "acme")
    steps = [
        plans.delete("Service", plans.service("old")),
        plans.create("Deployment", plans.service("b"), wave=40),
        plans.create("Deployment", plans.service("a"), wave=0),
        plans.create("ResourceQuota", owner, stage=Stage.TENANCY),
        plans.create("Namespace", owner, stage=Stage.NAMESPACES),
    ]
    text = plan_text(plans.plan(*steps), plans.graph())
    titles = [line for line in text.splitlines()[1:] if line and not line.startswith(" ")][:-2]
    assert titles == ["namespaces", "tenants", "wave 0: platform", "wave 40: legacy and remaining", "deletions"]
