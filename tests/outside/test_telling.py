from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.address import content, for_github, for_slack, wants
from reconciler.core.reach import unreachable
from reconciler.core.telling import Message, Teller
from reconciler.model.fleet import Notification
from reconciler.model.happenings import (
    ApprovalNeeded,
    BuildPutBack,
    ConflictFound,
    LeaseChanged,
    PauseChanged,
    SourceChanged,
    SourceState,
    VulnerabilitiesFound,
)
from reconciler.model.result import Ending
from tests.outside.happened import COMMIT, DEPLOYMENT, NOON, WEB, began, condition, drift, ended

OTHER = "1" * 40


def told(teller: Teller, *happenings) -> list[tuple[str, str]]:
    for happening in happenings:
        teller.hear(happening)
    return [(message.topic, message.text) for message in teller.news(NOON).messages]


def topics(teller: Teller, *happenings) -> list[str]:
    return [topic for topic, _ in told(teller, *happenings)]


def test_a_commit_is_told_once_however_often_it_is_looked_at_again():
    teller = Teller()
    assert topics(teller, began(), ended(created=3)) == ["begun", "applied"]
    for _ in range(3):
        assert topics(teller, began(because="resync"), ended()) == []
    assert topics(teller, began(because="drift"), ended(updated=1)) == []
    assert topics(teller, began(OTHER), ended(revision=OTHER)) == ["begun", "applied"]


def test_a_failure_is_told_once_and_its_end_as_well():
    teller = Teller()
    assert topics(teller, ended()) == ["applied"]
    assert topics(teller, ended(Ending.FAILED, message="2 writes failed")) == ["failed"]
    assert topics(teller, ended(Ending.FAILED, message="2 writes failed")) == []
    assert topics(teller, ended(Ending.FAILED, message="1 write failed")) == ["failed"]
    assert topics(teller, ended()) == ["applied"]


def test_only_the_last_word_counts():
    assert topics(Teller(), ended(Ending.BLOCKED), ended()) == ["applied"]
    assert topics(Teller(), condition("web", "Stalled", "True"), condition("web", "Ready", "True", "Healthy", before="False")) == []


@pytest.mark.parametrize("ending", [Ending.LOCKED, Ending.STALE, Ending.CANCELLED])
def test_a_run_that_is_followed_by_another_is_not_told(ending):
    assert topics(Teller(), ended(ending)) == []


def test_an_unhealthy_service_and_its_recovery_are_told():
    teller = Teller()
    assert told(teller, condition("web", "Stalled", "True", "Unhealthy", "exit code 1")) == [
        ("unhealthy", "Service/platform/web is Stalled (Unhealthy): exit code 1")
    ]
    assert topics(teller, condition("web", "Stalled", "True", "Unhealthy", "exit code 1, 7 times")) == []
    assert topics(teller, condition("web", "Stalled", "False", "NotStalled"), condition("web", "Ready", "False", "RollingOut")) == []
    assert topics(teller, condition("web", "Ready", "True", "Healthy")) == ["healthy"]
    assert topics(teller, condition("web", "Ready", "False", "RollingOut"), condition("web", "Ready", "True", "Healthy")) == []


def test_what_is_on_its_way_is_not_told():
    assert topics(Teller(), condition("web", "Ready", "False", "RollingOut"), condition("web", "Progressing", "True")) == []


def test_what_is_blocked_is_told_unless_something_else_tells_it():
    blocked = [
        condition(f"s{reason}", "Blocked", "True", reason) for reason in ("ImagePending", "AwaitingWave", "AwaitingApproval", "Paused")
    ]
    assert told(Teller(), *blocked) == [("blocked", "Service/platform/sImagePending is Blocked (ImagePending)")]


def test_many_at_once_are_one_message():
    teller = Teller()
    found = told(
        teller, *(condition(f"s{number}", "Stalled", "True") for number in range(1000)), condition("web", "Held", "True", "Pinned")
    )
    assert [topic for topic, _ in found] == ["unhealthy", "held"]
    assert found[0][1].startswith("1000 resources are unhealthy: Service/platform/s0, ")
    assert found[0][1].endswith(" and 995 more")
    assert topics(teller, *(condition(f"s{number}", "Stalled", "True") for number in range(1000))) == []


def test_repairs_are_summed_up_and_each_sum_is_told():
    teller = Teller()
    assert told(teller, drift()) == [
        ("drift", "apps/Deployment/platform/web was changed by kubectl-edit and is as applied again: /spec/replicas")
    ]
    text = told(teller, *(drift(f"w{number}") for number in range(12)))[0][1]
    assert text.startswith("12 objects were not as applied, and are again, by kubectl-edit: apps/Deployment/platform/w0, ")
    assert text.endswith(" and 7 more")
    assert topics(teller) == []


def test_the_source_is_told_when_it_fails_and_when_it_is_back():
    teller = Teller()
    assert topics(teller, SourceChanged(SourceState.FOLLOWED, COMMIT)) == []
    assert topics(teller, SourceChanged(SourceState.UNAVAILABLE, COMMIT, "timed out")) == ["source"]
    assert topics(teller, SourceChanged(SourceState.UNAVAILABLE, COMMIT, "refused")) == []
    assert topics(teller, SourceChanged(SourceState.FOLLOWED, OTHER)) == ["source"]
    assert topics(teller, SourceChanged(SourceState.FOLLOWED, COMMIT)) == []
    assert topics(teller, SourceChanged(SourceState.BROKEN, COMMIT)) == ["source"]
    assert topics(teller, SourceChanged(SourceState.BROKEN, OTHER)) == ["source"]


def test_people_are_told_what_waits_for_them():
    teller = Teller()
    assert topics(teller, ApprovalNeeded("r1", "sha256:a", "8 deletions"), ApprovalNeeded("r2", "sha256:a", "8 deletions")) == ["approval"]
    assert topics(teller, ApprovalNeeded("r3", "sha256:a", "8 deletions, again")) == []
    assert topics(teller, ApprovalNeeded("r4", "sha256:b", "9 deletions")) == ["approval"]
    assert topics(teller, ConflictFound(DEPLOYMENT, WEB, ("hpa",)), PauseChanged("all", None, paused=True)) == ["conflict", "paused"]
    assert topics(teller, PauseChanged("all", None, paused=False), LeaseChanged(held=True, holder="me")) == ["paused"]


def test_what_an_earlier_process_told_is_not_told_again():
    first, second = Teller(), Teller()
    first.hear(ended(Ending.FAILED))
    second.remember(first.news(NOON).said)
    assert topics(second, ended(Ending.FAILED)) == []


def test_no_token_is_told():
    message = Teller()
    message.hear(ended(Ending.FAILED, message="https://ana:hunter2@git.example"))
    assert "hunter2" not in message.news(NOON).messages[0].text


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["True", "False"]), st.booleans())))
def test_no_word_is_said_twice_in_a_row(steps):
    teller, heard = Teller(), {}
    for name, status, flush in steps:
        teller.hear(condition(name, "Ready", status) if status == "True" else condition(name, "Stalled", "True"))
        if flush:
            for message in teller.news(NOON).messages:
                assert heard.get(message.subject) != message.topic
                heard[message.subject] = message.topic


HOOK = Notification(type="webhook", url="https://hooks.example/x", secret="key")
SLACK = Notification(type="slack", url_from="slack")
GITHUB = Notification(type="github", secret="token", repository="acme/fleet")


def test_targets_get_what_they_asked_for():
    drifted, run = Message("drift", "drift", "t", "t"), Message("failed", "run", "t", "t", COMMIT, "failure")
    began_ = Message("begun", "begun", "t", "t", COMMIT, "pending")
    some = HOOK.model_copy(update={"events": ("drift",)})
    assert [wants(one, message) for one in (HOOK, some, GITHUB) for message in (drifted, run, began_)] == [
        True, True, False, True, False, False, False, True, True,
    ]  # fmt: skip
    assert not wants(GITHUB, Message("failed", "run", "t", "t", "../../x", "failure"))


def test_slack_is_given_no_command():
    body = content(Message("failed", "run", "<!channel> <https://evil|click> a&b\n\x1b", "k"), "id", "f", "trial", NOON)
    assert for_slack(body) == {"text": "[f trial] failed: &lt;!channel&gt; &lt;https://evil|click&gt; a&amp;b  "}


def test_a_commit_status_is_as_short_as_github_wants_it():
    status = for_github(content(Message("failed", "run", "x" * 1000, "k", COMMIT, "failure"), "id", "f", "trial", NOON))
    assert (status["state"], status["context"], len(status["description"])) == ("failure", "fleetwright/trial", 140)


@pytest.mark.parametrize(
    ("address", "private", "trial", "allowed"),
    [
        ("140.82.121.6", (), False, True),
        ("2606:50c0:8000::153", (), False, True),
        ("10.0.0.7", (), False, False),
        ("10.0.0.7", ("HOOKS.internal",), False, True),
        ("192.168.1.1", ("other.internal",), False, False),
        ("100.64.0.1", (), False, False),
        ("fd00::1", (), False, False),
        ("fd00::1", ("hooks.internal",), False, True),
        ("127.0.0.1", ("hooks.internal",), False, False),
        ("127.0.0.1", (), True, True),
        ("::1", (), False, False),
        ("169.254.169.254", ("hooks.internal",), True, False),
        ("::ffff:169.254.169.254", ("hooks.internal",), True, False),
        ("64:ff9b::a9fe:a9fe", ("hooks.internal",), True, False),
        ("64:ff9b::a00:1", (), False, False),
        ("2002:0a00:0001::", (), False, False),
        ("fd00:ec2::254", ("hooks.internal",), True, False),
        ("fe80::1%eth0", ("hooks.internal",), True, False),
        ("0.0.0.0", ("hooks.internal",), True, False),
        ("224.0.0.1", ("hooks.internal",), True, False),
        ("nonsense", ("hooks.internal",), True, False),
    ],
)
def test_messages_go_only_where_anybody_may_go_or_git_says(address, private, trial, allowed):
    assert (unreachable(address, "hooks.internal", private, trial=trial) == "") is allowed


def test_a_build_that_is_put_back_is_told_once_with_the_condition_that_follows():
    teller, said = Teller(), "held at t-a, by the operator: t-b did not become healthy: its pods crash"
    put_back = BuildPutBack(WEB, "platform", "t-b", "t-a", said)
    text = f"Service/platform/web: t-b is given up; it is {said}"
    assert told(teller, put_back) == [("held", text)] * 2, "one is for people, one for git"
    assert topics(teller, condition("web", "Held", "True", "PutBack", said, before="")) == []
    assert topics(teller, condition("web", "Held", "False", "NotHeld")) == ["held"]
    assert topics(teller, put_back) == ["held"]


def test_vulnerabilities_are_told_again_only_when_they_are_others_or_were_gone():
    def found(*ids: str, passed: bool = False) -> VulnerabilitiesFound:
        return VulnerabilitiesFound("web", "sha256:1", ids, passed, (), f"web has {len(ids)}")

    teller = Teller()
    assert topics(teller, found(passed=True)) == []
    assert topics(teller, found("CVE-1", "CVE-2")) == ["vulnerable"]
    assert topics(teller, found("CVE-2", "CVE-1")) == []
    assert topics(teller, found("CVE-1")) == ["vulnerable"]
    assert topics(teller, found(passed=True)) == ["vulnerable"]
    assert topics(teller, found("CVE-1")) == ["vulnerable"]
