from datetime import date
from hashlib import sha256

import pytest

from reconciler.core.environment import environment
from reconciler.core.holds import Edit, Pin, Scene, hold, holding, release, rollback
from reconciler.core.understand import understand
from reconciler.kinds import KINDS
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding
from reconciler.model.lock import Build, Builds, Lock

FLEET = b"""\
apiVersion: fleetwright.dev/v1alpha1
kind: Fleet
metadata: {name: reference}
spec:
  defaultEnvironment: trial
  machines: {mainpc: {memory: 64Gi}}
  hardware: {cpu-small: {cpu: 250m, memory: 512Mi}}
  environments:
    production: {target: {kubernetes: {context: fleet}}}
    trial: {target: {memory: {}}, lock: .fleet/trial.lock, unlocked: tag}
"""
WEB = """\
# The registry of all services.
apiVersion: fleetwright.dev/v1alpha1
kind: Service
metadata: {name: NAME}
spec:
  image: family-web   # the family
  machine: mainpc
  hardware: cpu-small
"""
TODAY = date(2026, 11, 21)
PIN = Pin("5xx after the bump", "ana", TODAY)


def build(tag: str, *, bad: bool = False) -> Build:
    return Build("sha256:" + sha256(tag.encode()).hexdigest(), tag, "k", date(2026, 11, int(tag[-2:])), bad=bad)


NEW, WORSE, OLD = build("20261121"), build("20261119", bad=True), build("20261118")
LOCK = Lock({"family-web": Builds(NEW, (NEW, WORSE, OLD))})


def scene(lock: Lock = LOCK, env: str = "production", **specs: str) -> Scene:
    """A fleet of `tenant__name` services."""
    specs = specs or {"platform__registry": WEB, "platform__web": WEB, "agents__web": WEB}
    files = {"fleet.yaml": FLEET}
    for where, text in specs.items():
        tenant, _, name = where.partition("__")
        files[f"specs/services/{tenant}/{name}.yaml"] = text.replace("NAME", name).encode()
        files[f"specs/tenants/{tenant}.yaml"] = (
            f"apiVersion: fleetwright.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {tenant}}}\nspec: {{tier: team}}\n".encode()
        )
    tree = SourceTree("r", False, files)
    fleet = understand(tree, KINDS).fleet
    return Scene(fleet, tree, KINDS, environment(fleet, env), lock)


def edited(outcome: Edit | Finding) -> Edit:
    assert isinstance(outcome, Edit), outcome
    return outcome


def refused(outcome: Edit | Finding) -> tuple[str, str]:
    assert isinstance(outcome, Finding), outcome
    assert outcome.place.path
    return outcome.code, f"{outcome.message}; {outcome.fix}"


def test_a_rollback_to_prev_is_one_line_and_says_who_what_why():
    edit = edited(rollback(scene(), "registry", "prev", PIN))
    assert edit.path == "specs/services/platform/registry.yaml"
    line = '  forceImageTag: {tag: "20261118", reason: "5xx after the bump", by: ana}\n'
    text = WEB.replace("NAME", "registry")
    assert edit.data.decode() == text.replace("# the family\n", "# the family\n" + line)
    assert edit.before.decode() == text
    assert edit.message == "Roll registry back to 20261118\n\n5xx after the bump\n\nBy: ana\nService: platform/registry\nWas: 20261121\n"


def test_prev_is_the_newest_other_build_that_is_not_bad():
    assert b'tag: "20261118"' in edited(rollback(scene(), "registry", "prev", PIN)).data
    assert b'tag: "20261119"' in edited(rollback(scene(), "registry", "20261119", PIN)).data


def test_a_hold_pins_what_is_current():
    edit = edited(
        hold(scene(), "registry", Pin("demo at nine", "Ana Ü <a@b>", TODAY, until=date(2026, 12, 2), environments=("production",)))
    )
    assert (
        '  forceImageTag: {tag: "20261121", reason: "demo at nine", by: "Ana Ü <a@b>", until: 2026-12-02, environments: [production]}\n'
    ) in edit.data.decode()
    assert edit.message.startswith("Hold registry at 20261121\n")
    assert "Was:" not in edit.message
    assert "Until: 2026-12-02" in edit.message


def test_what_a_verb_writes_reads_back_as_a_hold():
    before = scene(platform__registry=WEB)
    edit = edited(rollback(before, "registry", "prev", Pin('a "quote": it\'s # all', "ana", TODAY, date(2026, 12, 2))))
    after = scene(platform__registry=edit.data.decode())
    assert not after.fleet.findings
    ((ref, held),) = holding(after.fleet, KINDS).items()
    assert ref.short == "platform/registry"
    assert (held.tag, held.reason, held.by, held.until) == ("20261118", 'a "quote": it\'s # all', "ana", date(2026, 12, 2))
    lifted = edited(release(after, "registry", "bo", "fixed in 20261122"))
    assert lifted.data == edit.before
    assert lifted.message == (
        "Release registry from 20261118\n\nfixed in 20261122\n\nBy: bo\nService: platform/registry\nHeld at: 20261118\n"
        'Held by: ana\nBecause: a "quote": it\'s # all\n'
    )


def test_a_hold_stays_through_an_update_of_the_lock():
    edit = edited(rollback(scene(platform__registry=WEB), "registry", "prev", PIN))
    newer = build("20261122")
    after = scene(Lock({"family-web": Builds(newer, (newer, NEW, OLD))}), platform__registry=edit.data.decode())
    assert [held.tag for held in holding(after.fleet, KINDS).values()] == ["20261118"]


def test_an_unknown_service_has_a_suggestion():
    code, text = refused(rollback(scene(), "regstry", "prev", PIN))
    assert (code, "did you mean `registry`?" in text) == ("HLD010", True)
    code, text = refused(rollback(scene(), "platfrm/registry", "prev", PIN))
    assert (code, "did you mean `platform/registry`?" in text) == ("HLD010", True)


def test_a_name_of_two_tenants_is_not_guessed():
    code, text = refused(hold(scene(), "web", PIN))
    assert code == "HLD011"
    assert "`agents` and `platform`" in text
    assert edited(hold(scene(), "agents/web", PIN)).path == "specs/services/agents/web.yaml"


def test_only_services_are_held():
    assert refused(hold(scene(), "platform", PIN))[0] == "HLD010"


def test_a_tag_that_never_passed_the_gate_lists_those_that_did():
    code, text = refused(rollback(scene(), "registry", "20261117", PIN))
    assert code == "HLD001"
    assert "20261121, 20261119, 20261118" in text


def test_unsafe_allows_it_and_says_so():
    edit = edited(rollback(scene(), "registry", "20261117", Pin("only this works", "ana", TODAY, unsafe=True)))
    assert b"unsafe: true}" in edit.data
    assert "Unsafe: this tag never passed the gate" in edit.message
    assert b"unsafe" not in edited(rollback(scene(), "registry", "20261118", Pin("why", "ana", TODAY, unsafe=True))).data


def test_a_hold_is_not_taken_over_unless_one_says_so():
    held = scene(platform__registry=edited(rollback(scene(platform__registry=WEB), "registry", "prev", PIN)).data.decode())
    code, text = refused(hold(held, "registry", PIN))
    assert code == "HLD012"
    assert "at 20261118 (by ana, 5xx after the bump)" in text
    again = edited(rollback(held, "registry", "20261121", Pin("better", "bo", TODAY, replace=True)))
    before, after = again.before.decode().splitlines(), again.data.decode().splitlines()
    assert [line for line in after if line not in before] == ['  forceImageTag: {tag: "20261121", reason: better, by: bo}']
    assert len(before) == len(after)


def test_a_literal_prev_gives_way_to_what_it_meant():
    edit = edited(rollback(scene(platform__registry=WEB + "  forceImageTag: prev\n"), "registry", "prev", PIN))
    assert edit.data.decode().endswith('  forceImageTag: {tag: "20261118", reason: "5xx after the bump", by: ana}\n')


def test_what_is_not_held_is_not_released():
    assert refused(release(scene(), "registry", "ana"))[0] == "HLD013"


def test_without_a_previous_build_there_is_no_prev():
    assert refused(rollback(scene(Lock({"family-web": Builds(NEW, (NEW, WORSE))})), "registry", "prev", PIN))[0] == "HLD014"


def test_what_nobody_built_is_not_held():
    assert refused(rollback(scene(Lock()), "registry", "prev", PIN))[0] == "HLD015"
    assert refused(hold(scene(Lock()), "registry", PIN))[0] == "HLD015"
    assert refused(hold(scene(Lock()), "registry", PIN, "20261118"))[0] == "HLD001"


def test_where_nothing_is_locked_any_tag_will_do():
    edit = edited(rollback(scene(Lock(), "trial"), "registry", "20261118", PIN))
    assert b"unsafe" not in edit.data


def test_a_rollback_to_the_current_build_is_no_rollback():
    assert refused(rollback(scene(), "registry", "20261121", PIN))[0] == "HLD016"


def test_a_spec_that_does_not_parse_is_not_edited():
    broken = scene(platform__registry=WEB.replace("image:", "imagge:"))
    code, _ = refused(rollback(broken, "registry", "prev", PIN))
    assert code == "HLD017"


def test_a_hold_does_not_end_before_it_begins():
    assert refused(hold(scene(), "registry", Pin("why", "ana", TODAY, until=date(2026, 11, 20))))[0] == "HLD018"
    assert edited(hold(scene(), "registry", Pin("why", "ana", TODAY, until=TODAY)))


@pytest.mark.parametrize(
    "reason", ["tab\tand\nlines", "Trailer: forged\n\nSigned-off-by: bo", "# comment", "- list", "{a: b}", "no", "ü – 漢"]
)
def test_any_reason_is_one_line_in_spec_and_message(reason):
    edit = edited(rollback(scene(platform__registry=WEB), "registry", "prev", Pin(reason, "ana", TODAY)))
    assert len(edit.data.splitlines()) == len(edit.before.splitlines()) + 1
    (held,) = holding(scene(platform__registry=edit.data.decode()).fleet, KINDS).values()
    assert held.reason == reason
    assert edit.message.split("\n\n")[1] == " ".join(reason.split())


@pytest.mark.parametrize("reason", ["\0", "a\u202eb", "\x1b[31m"])
def test_a_reason_that_nobody_can_see_is_refused(reason):
    assert refused(rollback(scene(), "registry", "prev", Pin(reason, "ana", TODAY)))[0] == "EDT002"


def test_a_tag_is_never_more_than_a_tag():
    code, text = refused(rollback(scene(), "registry", "x}\nimage: evil", Pin("why", "ana", TODAY, unsafe=True)))
    assert code == "HLD019"
    assert "is not a tag" in text
