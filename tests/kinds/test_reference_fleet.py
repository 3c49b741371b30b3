"""The fleet that this repository declares: its images and services."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

from reconciler.core.environment import environment
from reconciler.core.place import place
from reconciler.core.understand import Understanding, understand
from reconciler.kinds import KINDS
from reconciler.kinds.image.cuda import cuda_of
from reconciler.kinds.image.spec import ImageSpec
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.documents import SourceTree
from reconciler.model.fleet import Environment
from reconciler.model.graph import Placed
from reconciler.model.holds import Needs
from reconciler.model.refs import Ref

ROOT = Path(__file__).parents[2]


@cache
def fleet() -> Understanding:
    """The repository's own source."""
    paths = [ROOT / "fleet.yaml", *ROOT.glob("specs/**/*.yaml"), *(path for path in ROOT.glob("policies/**/*") if path.is_file())]
    return understand(SourceTree("0" * 40, False, {str(path.relative_to(ROOT)): path.read_bytes() for path in paths}), KINDS)


def services() -> dict[Ref, ServiceSpec]:
    return {ref: spec for ref, resource in fleet().fleet.resources.items() if isinstance(spec := resource.spec, ServiceSpec)}


def needs() -> dict[Ref, Needs]:
    kind = next(kind for kind in KINDS if kind.name == "Service")
    found = {ref: kind.needs(fleet().fleet.resources[ref], fleet().fleet) for ref in services()}
    assert None not in found.values()
    return {ref: need for ref, need in found.items() if need is not None}


def test_images_and_services_have_no_findings_but_bases_without_digests():
    found = {found.code for found in fleet().findings if found.code.startswith(("IMG", "SVC", "SPC")) or found.place.path == "fleet.yaml"}
    assert found <= {"IMG001", "REF001"}


def test_images_start_from_what_the_build_order_says():
    order = {
        ref.name: resource.spec.from_.image for ref, resource in fleet().fleet.resources.items() if isinstance(resource.spec, ImageSpec)
    }
    assert {name for name, parent in order.items() if parent is None} == {
        *("base-python", "base-gpu-cu121", "legacy-py310-cpu"),
        *("opa", "tusd", "clamav", "redis"),
    }
    chain, name = [], "family-llm-cu121"
    while name is not None:
        chain.append(name)
        name = order[name]
    assert chain == ["family-llm-cu121", "family-torch-cu121", "base-gpu-cu121"]


def test_eighteen_gpu_services_share_the_card_of_mainpc():
    on_card = [need for need in needs().values() if need.machine == "mainpc" and need.gpu_memory]
    machine = fleet().fleet.spec.machines["mainpc"]
    assert len(on_card) == 18
    assert sum(need.gpu_memory * need.replicas for need in on_card) <= machine.gpu.memory


def test_no_machine_is_promised_more_memory_than_it_has():
    asked: Counter[str] = Counter()
    for need in needs().values():
        asked[need.machine] += need.memory * need.replicas
    assert all(asked[name] <= machine.memory for name, machine in fleet().fleet.spec.machines.items())


def test_every_gpu_service_runs_an_image_with_cuda_and_a_driver_that_is_there():
    for ref, need in needs().items():
        spec = services()[ref]
        assert bool(need.gpu_memory) == (cuda_of(fleet().fleet, spec.image) is not None), ref
        assert need.driver == ("530.30.02" if need.gpu_memory else ""), ref


def test_production_places_everything_and_the_trial_everything_without_a_gpu():
    for name, everything in (("production", True), ("trial", False)):
        where = environment(fleet().fleet, name)
        assert isinstance(where, Environment)
        placed = {ref for ref, need in needs().items() if isinstance(place(need, where), Placed)}
        assert placed == {ref for ref, need in needs().items() if everything or not need.gpu_memory}


def test_services_of_the_platform_come_first_and_those_of_agents_later():
    assert {spec.wave for ref, spec in services().items() if ref.tenant == "platform"} == {0}
    assert Counter(spec.wave for ref, spec in services().items() if ref.tenant == "agents") == {10: 7, 20: 18, 30: 8, 40: 7}


def test_every_service_has_a_health_check_and_a_centre_for_its_reports():
    assert [ref for ref, spec in services().items() if spec.health is None] == []
    assert {spec.machine for spec in services().values()} <= fleet().fleet.spec.observability.keys()


def test_the_original_name_of_every_agent_is_kept():
    names = {
        resource.labels.get("source-name", "")
        for ref, resource in fleet().fleet.resources.items()
        if ref.tenant == "agents" and ref.kind == "Service"
    }
    assert "" not in names
    assert {"TinyLlamaServiceEnhanced", "RealTimeAudioPipelinePC2", "NLUAgent", "UnifiedObservabilityCenter"} <= names


def test_worker_applications_have_at_least_five_queues_and_no_early_redelivery():
    workers = [spec.worker for spec in services().values() if spec.worker is not None]
    assert sum(len(worker.queues) for worker in workers) >= 5
    assert {worker.visibility_timeout for worker in workers} == {7_200_000}
