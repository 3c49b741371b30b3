"""What is audited follows from the image's spec and from what runs in it."""

from pathlib import Path

from pipelines.core.audit.ask import folders
from pipelines.core.audit.evidence import APPLICATIONS, EVERYTHING, Named
from pipelines.core.audit.report import sentences
from pipelines.model.audit import Grade
from tests.fleets import API, IMAGE, Repo, service
from tests.pipelines.audit.test_cases import PYTHON, SYSTEM, audited

AUDIT = "  audit: {python: [/opt/venv/], libraries: [/opt/venv], packages: [ffmpeg]}\n"
WORKER = "  worker: {app: jobs.app:app, broker: {service: s2}, beat: {}, queues: {default: {}}}\n"
TASK = f"{API}\nkind: Task\nmetadata: {{name: nightly}}\nspec: {{worker: s0, entrypoint: jobs.night:run, timeLimit: 60s}}\n"


def test_what_the_spec_says_is_audited():
    asked = folders(Repo.small().having("specs/images/app.yaml", IMAGE + AUDIT).graph(), "app")
    assert (asked.python, asked.libraries, asked.packages) == (frozenset({"opt/venv"}), frozenset({"opt/venv"}), ("ffmpeg",))


def test_a_spec_that_says_nothing_has_everything_audited():
    asked = folders(Repo.small().graph(), "app")
    assert (asked.python, asked.libraries, asked.modules) == (APPLICATIONS, EVERYTHING, {})


def test_modules_that_services_and_tasks_name_are_audited():
    repo = Repo.small().having("specs/services/acme/s0.yaml", service("s0", extra=WORKER)).having("specs/tasks/acme/nightly.yaml", TASK)
    repo = repo.having("specs/services/acme/s1.yaml", service("s1", extra="  command: [python3, -m, shop.serve, -m, other]\n"))
    assert dict(folders(repo.graph(), "app").modules) == {
        "jobs.app": Named("the service acme/s0", Grade.ERROR),
        "jobs.night": Named("the task acme/nightly", Grade.WARNING),
        "shop.serve": Named("the service acme/s1", Grade.ERROR),
    }


async def test_a_named_module_that_is_not_there_is_told(tmp_path: Path):
    modules = {"shop.serve": Named("the service acme/s1", Grade.ERROR), "jobs": Named("the task acme/nightly", Grade.WARNING)}
    site = {"usr/lib/python3/dist-packages/jobs.py": "import redis\n", "app/shop/__init__.py": ""}
    found = await audited(tmp_path, SYSTEM, PYTHON, site, python=frozenset({"app"}), modules=modules)
    assert list(sentences(found))[:2] == [
        "error: the module shop.serve is missing: named by the service acme/s1; nothing in the image has it",
        "warning: the module redis is missing: imported by /usr/lib/python3/dist-packages/jobs.py:1; add the distribution redis",
    ]
