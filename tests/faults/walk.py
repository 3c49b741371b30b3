"""Walks: what people, git, the network and bad luck do to an operator, in an order that a seed decides, against a model of what has to hold."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from reconciler.adapters.memory import Request
from reconciler.core.orders import APPROVED, PAUSED
from reconciler.core.render import owner_of
from reconciler.model.documents import SourceTree
from reconciler.model.graph import Held
from reconciler.model.manifests import ENVIRONMENT_LABEL, MANAGER, ObjectId
from reconciler.model.spec import GROUP
from reconciler.ports import BranchGone, Refused, SourceUnavailable, Unreachable
from tests.faults.oracle import Expected, converged, desired, inventory, silent_books, stable
from tests.faults.place import ENVIRONMENT, SPECIFIED, SYSTEM, WRITES, Life, Place, lenient, reading
from tests.faults.scenarios import BUILDS, HOLD, approving
from tests.faults.simulated import simulate
from tests.fleets import Repo, lock, service, tenant
from tests.flow.operator.conftest import Shelf

EXTRAS = ("", "  env: {A: b}\n", "  env: {A: c}\n", "  replicas: 2\n", '  config: {/etc/app.conf: "x=1"}\n', '  config: {/etc/app.conf: "x=2"}\n',
          "  volumes: {data: {path: /data, size: 1Gi}}\n")  # fmt: skip
NAMES = ("s0", "s1", "s2", "s3")
TENANTS = ("acme", "zeta")
LONGEST = 3 * 3600.0


class Forge(Shelf):
    """A repository whose old commits can still be read after its branch was rewritten, as a mirror has them."""

    def __init__(self, repo: Repo) -> None:
        super().__init__(repo)
        self.known = {repo.revision: repo}

    def push(self, repo: Repo) -> str:
        self.known[repo.revision] = repo
        return super().push(repo)

    def tree(self, revision: str | None = None) -> SourceTree:
        if revision not in self.known:
            raise SourceUnavailable(f"there is no commit {revision}")
        repo = self.known[revision]
        return SourceTree(repo.revision, False, {path: text.encode() for path, text in repo.files.items()})


@dataclass
class Walk:
    """One walk. `told` is what was done, for whoever reads of a violation."""

    seed: int
    steps: int = 6
    told: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    paused: dict[str, int] = field(default_factory=dict)
    """Owners, or `all`: the length of the history when the pause was known to be in force; -1 before."""
    kept: set[ObjectId] = field(default_factory=set)
    """Objects that stay although nobody declares them: of broken files, and of what went while a file was broken."""
    broken: dict[str, str] = field(default_factory=dict)
    """Broken files, and what was in them."""

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.number = 0

    # ------------------------------------------------------------------ the walk

    def violations(self) -> list[str]:
        """Walks, and says what did not hold, with the steps that led there."""
        with reading() as read:
            read.forget()
            return simulate(self._walked())

    async def _walked(self) -> list[str]:
        base = lenient(Repo.small(2).having("fleet.lock", lock("b", *BUILDS)))
        self.repo = replace(base, revision=self._revision())
        self.forge = Forge(self.repo)
        self.place = Place(self.forge)
        self.place.start()
        async with approving(self.place):
            wrong: list[str] = []
            try:
                wrong = await self._check()
                for number in range(self.steps):
                    if wrong:
                        break
                    self.told.append(f"-- step {number}")
                    await self._step()
                    wrong = await self._check()
            except AssertionError as stuck:
                wrong = [str(stuck)]
            finally:
                await self.place.close()
        return [f"{one}" for one in wrong]

    async def _step(self) -> None:
        acts = self._acts()
        for _ in range(self.chance.randint(1, 4)):
            act = self.chance.choices([act for act, _ in acts], [weight for _, weight in acts])[0]
            if (what := act()) is not None:
                if act != self._api_faults:  # each request that it breaks is counted
                    self.faults[act.__name__.strip("_").replace("_", " ")] += 1
                self.told.append(what)
            self.place.wake()
            await asyncio.sleep(self.chance.choice((0.0, 0.05, 0.4, 1.0, 7.0, 40.0)))

    def _acts(self) -> list[tuple[Callable[[], str | None], int]]:
        return [
            (self._set_service, 6), (self._remove_service, 3), (self._hold, 3), (self._release, 2), (self._new_build, 2), (self._suspend, 2),
            (self._add_tenant, 1), (self._remove_tenant, 1), (self._break_file, 2), (self._break_fleet, 1), (self._mend, 3),
            (self._delete_object, 4), (self._edit_object, 4), (self._relabel, 2), (self._edit_by_hand, 2), (self._delete_namespace, 1),
            (self._delete_resource, 2), (self._edit_resource, 2), (self._scribble_status, 1), (self._pause, 2), (self._resume, 3),
            (self._rewrite_branch, 2), (self._git_down, 2), (self._api_faults, 5), (self._watch_lost, 2), (self._crash, 3), (self._second, 1),
            (self._terminate, 1), (self._jump, 1), (self._forge_label, 1), (self._lose_books, 2),
        ]  # fmt: skip

    async def _check(self) -> list[str]:
        """Everything is healed; then it has to become quiet, right, and stay so."""
        place, self.forge.fault = self.place, None
        place.fault = lambda life, request, late: None
        if not any(not life.dead for life in place.lives):
            place.start()
        place.wake()
        await self._settled()
        revision = self._followed()
        wrong = converged(place, revision, self._expected(revision)) + self._pauses() + self._strangers() + self._vitals(revision)
        if not wrong:
            wrong = await stable(place) + silent_books(place)
        self.paused = {owner: len(place.history) for owner in self.paused}
        return wrong

    async def _settled(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST
        while True:
            await self.place.quiet()
            lives = [life for life in self.place.lives if not life.dead and not life.tasks[0].done()]
            leaders = [life for life in lives if life.operator.vitals().leading]
            assert len(leaders) <= 1 or loop.time() < end, "two operators lead"
            if len(leaders) == 1 and self._is_at_rest(leaders[0]):
                return
            if not leaders and "fleet.yaml" in self.broken and all(life.operator.state.desire is None for life in lives):
                self.told.append(f"nobody knows where the fleet lives: {self._mend()}")  # a new process, and `fleet.yaml` is broken
                self.place.wake()
            assert loop.time() < end, f"no rest: {[self._restless(life) for life in lives]}; said {self.place.ears.said[-3:]}"

    def _is_at_rest(self, life: Life) -> bool:
        state, now = life.operator.state, self.place.clock.now()
        quarrels = any(one.is_on(now - timedelta(seconds=70)) for one in state.quarrels.values())  # its end is told by the next pass
        return not (state.troubles or quarrels or life.operator.vitals().queue or state.asked) and (
            state.applied == self._followed() and state.result is not None
        )

    def _restless(self, life: Life) -> str:
        state = life.operator.state
        return f"{life.operator.vitals()} troubles {state.troubles} asked {state.asked} result {state.result and state.result.message}"

    # ------------------------------------------------------------------ the model

    def _followed(self) -> str:
        """The commit that should be applied: the newest one; while its `fleet.yaml` does not stand, the one that was in force when it came.

        That is the one before it, or an earlier one, where nobody had looked yet.
        """
        if "fleet.yaml" not in self.broken:
            return self.repo.revision
        leaders = [life.operator for life in self.place.lives if not life.dead and life.operator.vitals().leading]
        seen = {leader.state.desire.revision for leader in leaders if leader.state.desire is not None}
        earlier = [revision for revision in self.forge.known if revision in seen and revision != self.repo.revision]
        return earlier[-1] if earlier else self.good.revision

    def _expected(self, revision: str) -> Expected:
        live = self.place.live()
        want = {one.id for one in desired(self.place, revision).manifests}
        names = self._loose(revision)
        loose = {id for id, one in live.items() if str(owner_of(one.body["metadata"]["labels"])) in names or "all" in self.paused}
        kept = frozenset((self.kept - want) | (loose - want)) if self.broken or self.paused else frozenset()
        return Expected(kept & live.keys() if self.paused else kept, names, not self.broken)

    def _loose(self, revision: str) -> frozenset[str]:
        if "all" in self.paused:
            fleet = desired(self.place, revision).graph.fleet
            return frozenset(str(ref) for ref in (*fleet.resources, *fleet.broken))
        return frozenset(self.paused)

    def _pauses(self) -> list[str]:
        """Nothing of what is paused was written since the pause was known to be in force."""
        found = []
        for owner, since in self.paused.items():
            for write in self.place.history[since:] if since >= 0 else ():
                if write.by == MANAGER and write.id.namespace != SYSTEM and write.id.group not in (GROUP, "apiextensions.k8s.io"):
                    body = write.after or write.before
                    assert body is not None
                    if owner in ("all", str(owner_of(body["metadata"].get("labels", {})))):
                        found.append(f"{write.verb} of {write.id} although {owner} is paused")
        return found

    def _strangers(self) -> list[str]:
        objects = self.place.store.objects
        return [
            f"the foreign {id} was touched"
            for id, version in self.place.foreign.items()
            if id not in objects or objects[id]["metadata"]["resourceVersion"] != version
        ]

    def _vitals(self, revision: str) -> list[str]:
        """What gauges say."""
        leader = next(life for life in self.place.lives if not life.dead and life.operator.vitals().leading)
        told = leader.operator.vitals()
        holds = sum(isinstance(one, Held) for one in desired(self.place, revision).graph.choices.values())
        found = [] if told.holds == holds else [f"it counts {told.holds} holds, and there are {holds}"]
        found += [] if told.paused == len(self.paused) else [f"it counts {told.paused} pauses, and there are {len(self.paused)}"]
        return found + ([] if told.revision == revision else [f"it says {told.revision} is applied, and {revision} should be"])

    def _revision(self) -> str:
        self.number += 1
        return f"{self.seed % 0xFFFF:04x}{self.number:036x}"

    def _push(self, repo: Repo) -> None:
        self.repo = replace(repo, revision=self._revision())
        self.forge.push(self.repo)

    def _services(self) -> list[str]:
        return sorted(path for path in self.repo.files if path.startswith("specs/services/") and path not in self.broken)

    def _owned(self, path: str) -> set[ObjectId]:
        """The live objects of a service by its file."""
        owner = _owner(path)
        return {id for id, one in self.place.live().items() if str(owner_of(one.body["metadata"]["labels"])) == owner}

    def _calm(self) -> list[ObjectId]:
        """Objects that an operator answers for now: drift of them is repaired."""
        if "all" in self.paused:
            return []
        live = self.place.live()
        return sorted(
            id for id, one in live.items() if id not in self.kept and str(owner_of(one.body["metadata"]["labels"])) not in self.paused
        )

    # ------------------------------------------------------------------ git

    def _set_service(self) -> str | None:
        spaces = [name for name in TENANTS if f"specs/tenants/{name}.yaml" in self.repo.files]
        path = f"specs/services/{self.chance.choice(spaces)}/{self.chance.choice(NAMES)}.yaml"
        if path in self.broken or "volumes" in self.repo.files.get(path, ""):
            return None  # a claim of another size is a matter of its own
        wave, extra = self.chance.choice((0, 10, 20)), self.chance.choice(EXTRAS)
        self._push(self.repo.having(path, service(_name(path), wave, extra)))
        return f"{path}: wave {wave} {extra.strip()}"

    def _remove_service(self) -> str | None:
        if len(self._services()) < 2:
            return None
        path = self.chance.choice(self._services())
        if self.broken:
            self.kept |= self._owned(path)
        self._push(self.repo.without([path]))
        return f"remove {path}"

    def _hold(self) -> str | None:
        return self._edited("forceImageTag", HOLD, want=False)

    def _release(self) -> str | None:
        return self._edited("forceImageTag", HOLD, want=True)

    def _edited(self, mark: str, text: str, *, want: bool) -> str | None:
        paths = [path for path in self._services() if (mark in self.repo.files[path]) is want]
        if not paths:
            return None
        path = self.chance.choice(paths)
        before = self.repo.files[path]
        self._push(self.repo.having(path, before.replace(text, "") if want else before + text))
        return f"{'release' if want else 'hold'} {path}"

    def _new_build(self) -> str | None:
        now = self.chance.choice("ab")
        self._push(self.repo.having("fleet.lock", lock(now, *BUILDS)))
        return f"build {now}"

    def _suspend(self) -> str | None:
        path = f"specs/tenants/{self.chance.choice(TENANTS)}.yaml"
        if path not in self.repo.files:
            return None
        state = self.chance.choice(("active", "suspended"))
        self._push(self.repo.having(path, tenant(_name(path), f"  state: {state}\n")))
        return f"{path} is {state}"

    def _add_tenant(self) -> str | None:
        if "specs/tenants/zeta.yaml" in self.repo.files or "all" in self.paused:
            return None
        self._push(self.repo.having("specs/tenants/zeta.yaml", tenant("zeta")).having("specs/services/zeta/z.yaml", service("z")))
        return "tenant zeta comes"

    def _remove_tenant(self) -> str | None:
        theirs = [path for path in self.repo.files if path.startswith(("specs/services/zeta/", "specs/tenants/zeta"))]
        if not theirs or self.broken or self.paused:
            return None
        self._push(self.repo.without(theirs))
        return "tenant zeta goes"

    def _break_file(self) -> str | None:
        if len(self._services()) < 2:
            return None
        path = self.chance.choice(self._services())
        self.kept |= self._owned(path)
        self.broken[path] = self.repo.files[path]
        self._push(self.repo.having(path, "kind: ["))
        return f"break {path}"

    def _break_fleet(self) -> str | None:
        if self.broken:
            return None
        self.good = self.repo
        self.broken["fleet.yaml"] = self.repo.files["fleet.yaml"]
        self._push(self.repo.having("fleet.yaml", "kind: ["))
        return "break fleet.yaml"

    def _mend(self) -> str | None:
        if not self.broken:
            return None
        repo = self.repo
        for path, text in self.broken.items():
            repo = repo.having(path, text)
        self.broken.clear()
        self.kept.clear()
        self._push(repo)
        return "mend all files"

    def _rewrite_branch(self) -> str | None:
        """Somebody force-pushes; then it turns out to be meant (a person approves), or it is put back."""
        if len(self.forge.commits) < 2 or self.broken or self.place.record not in self.place.store.objects:
            return None
        lost, under = self.forge.commits[-1], self.forge.commits[-2]
        if any("kind: [" in text for text in under.files.values()):
            return None
        self.forge.rewind(1)
        if self.chance.random() < 0.5:
            self.forge.push(lost)
            return "force-push, and back"
        self._push(self.forge.head)
        self.place.annotate(self.place.record, APPROVED, self.repo.revision)
        return "force-push, approved"

    def _git_down(self) -> str:
        self.forge.fault = self.chance.choice((SourceUnavailable("the server does not answer"), BranchGone("main")))
        return f"git: {self.forge.fault}"

    # ------------------------------------------------------------------ drift

    def _delete_object(self) -> str | None:
        ids = [id for id in self._calm() if id.kind != "Namespace"]
        if not ids:
            return None
        id = self.chance.choice(ids)
        self.place.store.remove(id)
        return f"delete {id}"

    def _delete_namespace(self) -> str | None:
        if self.paused or self.broken or self.place.foreign:
            return None
        id = ObjectId("", "Namespace", "", "acme")
        if id not in self.place.store.objects:
            return None
        self.place.store.remove(id)
        return f"delete {id}"

    def _edit_object(self) -> str | None:
        return self._workload(self.chance.choice(("somebody", "kubectl-edit")), _other_values)

    def _edit_by_hand(self) -> str | None:
        return self._workload("kubectl-edit", _more_values)

    def _workload(self, manager: str, mutate: Callable[[dict[str, Any]], None]) -> str | None:
        ids = [id for id in self._calm() if id.kind == "Deployment"]
        if not ids:
            return None
        id = self.chance.choice(ids)
        self.place.edit(id, mutate, manager)
        return f"{manager} edits {id}: {mutate.__name__}"

    def _relabel(self) -> str | None:
        live = self.place.live()
        known = {id for id, entry in inventory(self.place).items() if id in live and entry.uid == live[id].uid}
        # Of what a run has not written down yet, nobody could tell whose it was: a person has to.
        ids = [id for id in self._calm() if id in known and id.kind not in ("Namespace", "PersistentVolumeClaim")]
        if not ids:
            return None
        id, value = self.chance.choice(ids), self.chance.choice(("", "somewhere-else"))

        def mutate(body: dict[str, Any]) -> None:
            labels = {name: text for name, text in body["metadata"]["labels"].items() if name != ENVIRONMENT_LABEL}
            body["metadata"]["labels"] = labels | ({ENVIRONMENT_LABEL: value} if value else {})

        self.place.edit(id, mutate)
        return f"label of {id} is {value!r}"

    def _delete_resource(self) -> str | None:
        ids = self._resources()
        if not ids:
            return None
        id = self.chance.choice(ids)
        self.paused.pop(_name_of(id), None)  # the order was on it
        self.place.store.remove(id)
        return f"delete {id}"

    def _edit_resource(self) -> str | None:
        ids = [id for id in self._resources() if id.kind == "Service"]
        if not ids:
            return None
        id = self.chance.choice(ids)

        def mutate(body: dict[str, Any]) -> None:
            body["spec"]["wave"] = 20 - body["spec"].get("wave", 0) + 1

        self.place.edit(id, mutate, self.chance.choice(("somebody", "kubectl-edit")))
        return f"edit {id}"

    def _scribble_status(self) -> str | None:
        ids = self._resources()
        if not ids:
            return None
        id = self.chance.choice(ids)

        def mutate(body: dict[str, Any]) -> None:
            body["status"] = {**body.get("status", {}), "revision": "scribble"}

        self.place.edit(id, mutate, "somebody", "status")
        return f"scribble on {id}"

    def _resources(self) -> list[ObjectId]:
        return [one.id for one in self.place.store.select({}, SPECIFIED) if one.id not in self.place.foreign]

    # ------------------------------------------------------------------ orders

    def _pause(self) -> str | None:
        if self.chance.random() < 0.3:
            coming = "specs/tenants/zeta.yaml" in self.repo.files and ObjectId("", "Namespace", "", "zeta") not in self.place.store.objects
            if self.place.record not in self.place.store.objects or "all" in self.paused or coming:
                return None
            self.place.annotate(self.place.record, PAUSED, "true")
            self.paused["all"] = -1
            return "pause all"
        ids = [
            id for id in self._resources() if id.kind == "Service" and f"specs/services/{id.namespace}/{id.name}.yaml" in self._services()
        ]
        if not ids:
            return None
        id = self.chance.choice(ids)
        self.place.annotate(id, PAUSED, "true")
        self.paused[_name_of(id)] = -1
        return f"pause {id}"

    def _resume(self) -> str | None:
        if not self.paused:
            return None
        for owner in self.paused:
            if owner == "all":
                self.place.annotate(self.place.record, PAUSED, None)
            else:
                kind, space, name = owner.split("/")
                self.place.annotate(ObjectId(GROUP, kind, space, name), PAUSED, None)
        self.paused.clear()
        return "resume"

    # ------------------------------------------------------------------ bad luck

    def _api_faults(self) -> str:
        rate, kinds = self.chance.choice((0.05, 0.2, 0.6)), self.chance.sample(range(6), 3)

        def fault(life: Life, request: Request, *, late: bool) -> Any:
            if request.id is not None and request.id.kind == "Lease" and self.chance.random() < 0.5:
                return None
            if self.chance.random() > rate / 2:
                return None
            found = _fault(self.chance.choice(kinds), request, late=late)
            if found is not None:
                said = str(found.status) if isinstance(found, Refused) else "no answer"
                self.faults[f"API: {said}{' after it took effect' if late else ''}"] += 1
            return found

        self.place.fault = fault
        return f"one request in {1 / rate:.0f} fails: {kinds}"

    def _watch_lost(self) -> str:
        for life in self.place.lives:
            life.cluster.interrupt()
        return "watches are lost"

    def _crash(self) -> str | None:
        lives = [life for life in self.place.lives if not life.dead]
        if not lives:
            return None
        life = self.chance.choice(lives)
        life.kill_at, life.kill_after = life.writes + self.chance.randint(1, 12), self.chance.random() < 0.5
        self.place.start()
        return f"kill at the write {life.kill_at - life.writes} from now, {'after' if life.kill_after else 'before'} it"

    def _second(self) -> str | None:
        if sum(not life.dead for life in self.place.lives) > 1:
            return None
        self.place.start()
        return "a second operator"

    def _terminate(self) -> str | None:
        lives = [life for life in self.place.lives if not life.dead]
        if len(lives) < 2:
            return None
        life = lives[0]
        life.stop.set("the end")
        return "SIGTERM"

    def _jump(self) -> str:
        by = timedelta(hours=self.chance.choice((-1, 1)))
        self.place.clock.jump(by)
        return f"the clock jumps by {by}"

    def _forge_label(self) -> str | None:
        id = ObjectId("", "ConfigMap", "acme", f"foreign-{self.number}")
        if ObjectId("", "Namespace", "", "acme") not in self.place.store.objects or id in self.place.foreign:
            return None
        labels = {ENVIRONMENT_LABEL: ENVIRONMENT, "app.kubernetes.io/managed-by": "fleetwright"}
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": id.name, "namespace": "acme", "labels": labels},
            "data": {"a": "b"},
        }
        self.place.store.apply(body, "somebody")
        self.place.foreign[id] = self.place.store.objects[id]["metadata"]["resourceVersion"]
        return f"forge {id}"

    def _lose_books(self) -> str | None:
        """Somebody deletes what the operator keeps for itself."""
        ids = [id for id in self.place.store.objects if id.namespace == SYSTEM and (id != self.place.record or "all" not in self.paused)]
        if not ids:
            return None
        id = self.chance.choice(sorted(ids))
        self.place.store.remove(id)
        return f"delete {id}"


def _fault(kind: int, request: Request, *, late: bool) -> Any:
    writes = request.verb in WRITES
    match kind:
        case 0:
            return Unreachable("the connection broke", ambiguous=late and writes)
        case 1 if writes and not late:
            return Refused(409, "Conflict", "Operation cannot be fulfilled: the object has been modified")
        case 2 if writes:
            return Refused(500, "InternalError", "etcdserver: request timed out")
        case 3 if writes and not late:
            return Refused(403, "Forbidden", "is forbidden: not just now")
        case 4 if request.verb == "preview":
            return Refused(422, "Invalid", "a webhook is of another opinion")
        case 5 if request.verb in ("list", "watch", "read"):
            return Unreachable("the server is overloaded")
        case _:
            return None


def _other_values(body: dict[str, Any]) -> None:
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/other:1"
    body["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "somebody"


def _more_values(body: dict[str, Any]) -> None:
    body["spec"]["template"]["spec"]["containers"][0].setdefault("env", []).append({"name": "LEFT", "value": "by hand"})


def _name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".yaml")


def _owner(path: str) -> str:
    _, _, space, _ = path.split("/")
    return f"Service/{space}/{_name(path)}"


def _name_of(id: ObjectId) -> str:
    return f"{id.kind}/{id.namespace}/{id.name}" if id.namespace else f"{id.kind}/{id.name}"
