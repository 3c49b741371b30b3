"""Fleets of any size, as files in a git repository of their own. The same size always gives the same files."""

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

API = "apiVersion: fleetwright.dev/v1alpha1"
TENANTS = 20
IMAGES = 10
WAVES = (0, 10, 20, 30, 40)
KUBECONFIG = ".fleet/kubeconfig"
"""Where the fleet looks for its cluster, from the root of its repository."""
OBJECTS = "ServiceAccount, NetworkPolicy, Service, Deployment"
"""What one service stands for."""


class Size(NamedTuple):
    """How large a fleet is."""

    services: int

    @property
    def tenants(self) -> int:
        return min(TENANTS, max(1, self.services // 10))

    @property
    def specs(self) -> int:
        """Files below `specs/`."""
        return self.services + self.tenants + IMAGES + 1


def make(root: Path, services: int, build: int = 1) -> Path:
    """Writes and commits a fleet into a new folder."""
    write(root, files(Size(services), build))
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "A fleet")):
        _git(root, *command)
    return root


def bump(root: Path, build: int) -> None:
    """Commits this build of every image, so that every service rolls."""
    write(root, {"fleet.lock": lock(build)})
    _git(root, "commit", "-q", "--allow-empty", "-a", "-m", f"Build {build}")


def write(root: Path, texts: Mapping[str, str]) -> None:
    for path, text in texts.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def files(size: Size, build: int) -> dict[str, str]:
    """Every file of a fleet: `fleet.yaml`, its lock, images, one pack with rules, tenants, and services spread over them."""
    found = {".gitignore": "/.fleet/\n", "fleet.yaml": FLEET, "fleet.lock": lock(build)}
    found["specs/policy-packs/default.yaml"] = PACK
    found |= {f"policies/default/{code}.yaml": text for code, text in RULES.items()}
    found |= {f"specs/images/{image_name(number)}.yaml": image(number) for number in range(IMAGES)}
    found |= {f"specs/tenants/{tenant_name(number)}.yaml": tenant(number) for number in range(size.tenants)}
    for number in range(size.services):
        found[f"specs/services/{tenant_name(number % size.tenants)}/{service_name(number)}.yaml"] = service(number, size)
    return found


def tenant_name(number: int) -> str:
    return f"team-{number:02}"


def image_name(number: int) -> str:
    return f"family-{number}"


def service_name(number: int) -> str:
    return f"agent-{number:05}"


FLEET = f"""\
{API}
kind: Fleet
metadata: {{name: bench}}
spec:
  defaultEnvironment: trial
  registry: registry.example/bench
  machines:
    mainpc: {{memory: 64000Gi, cpu: 16000}}
    pc2: {{memory: 64000Gi, cpu: 16000}}
  hardware:
    cpu-small: {{cpu: 100m, memory: 256Mi}}
    cpu-large: {{cpu: 1, memory: 3Gi}}
  tiers:
    team: {{features: [chat, tools]}}
  waves: {{{", ".join(f"{wave}: wave {wave}" for wave in WAVES)}}}
  policy: default
  sync: {{deadline: 0s}}
  values: {{domain: bench.example, logLevel: info}}
  environments:
    trial:
      target: {{kubernetes: {{kubeconfig: {KUBECONFIG}}}}}
      values: {{domain: trial.example, logLevel: debug}}
"""
PACK = f"{API}\nkind: PolicyPack\nmetadata: {{name: default}}\nspec:\n  version: '1.0'\n  rules: policies/default\n"


def _rule(expression: str, message: str, good: str, bad: str) -> str:
    return f"""\
scope: Service
expression: >-
  {expression}
message: "{message}"
fix: look at the specs beside it
cases:
  good: {good}
  bad: {bad}
"""


RULES = {
    "SVC101": _rule("has(object.spec.health)", "{name} has no health check", "{health: {http: /healthz}}", "{}"),
    "SVC102": _rule(
        "!has(object.spec.env) || object.spec.env.all(name, !name.endsWith('_PASSWORD'))",
        "{name} has a password in a variable",
        "{env: {LOG_LEVEL: info}}",
        "{env: {DB_PASSWORD: x}}",
    ),
    "SVC103": _rule("has(object.spec.ports)", "{name} has no port", "{ports: {http: 8080}}", "{}"),
}


def image(number: int) -> str:
    return f"""\
{API}
kind: Image
metadata: {{name: {image_name(number)}}}
spec:
  from: {{registry: "registry.example/base-{number}@{_digest("base", number)}"}}
"""


def tenant(number: int) -> str:
    # No quota: nothing on a bare API server counts what is used, and admission would refuse every pod until somebody does.
    return f"""\
{API}
kind: Tenant
metadata: {{name: {tenant_name(number)}}}
spec:
  tier: team
  members: {{ana@team{number}.example: owner, bo@team{number}.example: viewer}}
"""


def service(number: int, size: Size) -> str:
    """One service of about 25 lines; every second one calls the first of its tenant."""
    first = number % size.tenants
    calls = f"  dependsOn: [{service_name(first)}]\n" if number >= size.tenants and number % 2 else ""
    return f"""\
# Agent {number} of the fleet that is measured.
{API}
kind: Service
metadata: {{name: {service_name(number)}, labels: {{source-name: Agent{number}}}}}
spec:
  image: {image_name(number % IMAGES)}
  machine: {"pc2" if number % 3 == 0 else "mainpc"}
  hardware: {"cpu-large" if number % 5 == 0 else "cpu-small"}
  wave: {WAVES[number * len(WAVES) // size.services] if number >= size.tenants else 0}
  ports: {{http: 8080, metrics: 9090}}
  health: {{http: /healthz, port: http, startup: 60s}}
  env:
    LOG_LEVEL: ${{env.logLevel}}
    AGENT_NUMBER: "{number}"
    PUBLIC_URL: https://{service_name(number)}.${{env.domain}}/
  secrets: {{DATABASE_URL: database/url}}
{calls}"""


def lock(build: int) -> str:
    """The lock after so many builds: each image has its current and its previous one."""
    lines = ["lockVersion: 1\nimages:\n"]
    for number in range(IMAGES):
        name = image_name(number)
        lines.append(f'  {name}:\n    current: "{_digest(name, build)}"\n    builds:\n')
        for one in range(build, max(0, build - 2), -1):
            facts = f'tag: 20260{one % 9 + 1:d}01-{one:07x}, key: "{_digest("key", one)}", built: 2026-0{one % 9 + 1:d}-01'
            lines.append(f'      "{_digest(name, one)}": {{{facts}}}\n')
    return "".join(lines)


def _digest(*parts: object) -> str:
    return "sha256:" + hashlib.sha256(repr(parts).encode()).hexdigest()


def _git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(("git", *identity, *arguments), cwd=root, check=True, stdout=subprocess.DEVNULL)
