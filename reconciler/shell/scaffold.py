"""The first files of a new repository: one of each thing that a service needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template

from reconciler.core.schema import schemas
from reconciler.kinds import KINDS
from reconciler.shell.reference import schema_files

SCHEMAS = "schema"
"""Folder of the JSON Schemas that the editor checks specs by."""

_FLEET = """\
# yaml-language-server: $$schema=schema/fleet.json
# What holds for the whole fleet. Everything else is one file a thing, under specs/.
apiVersion: fleetwright.dev/v1alpha1
kind: Fleet
metadata: {name: $name}
spec:
  defaultEnvironment: trial # what a bare `fleet apply` reaches; never production
  registry: localhost:5000 # where images are pushed to and pulled from

  # Where services go. A service names its machine.
  machines:
    main: {memory: 8Gi, cpu: 4}

  # What one replica asks for. A service names its profile.
  hardware:
    small: {cpu: 100m, memory: 128Mi}

  tiers:
    team: {quotas: {cpu: 4, memory: 8Gi, objects: 100}}

  policy: default # the pack of tenants that name none

  # A wave starts when what changes in the one before is healthy.
  waves: {0: platform, 10: services}

  environments:
    trial:
      target: {kubernetes: {context: $context}}
      unlocked: tag # what has never been built runs as REGISTRY/NAME:unlocked
    production:
      target: {kubernetes: {context: production}}
      registry: registry.example/$name
"""
_TENANT = """\
# yaml-language-server: $$schema=../../schema/tenant.json
# A tenant: a namespace with quotas, roles and a closed network. Its services are in specs/services/$tenant/.
apiVersion: fleetwright.dev/v1alpha1
kind: Tenant
metadata: {name: $tenant}
spec:
  tier: team
"""
_IMAGE = """\
# yaml-language-server: $$schema=../../schema/image.json
# An image: here a root file system out of Debian packages. With `context: images/hello` a Dockerfile there adds to it.
apiVersion: fleetwright.dev/v1alpha1
kind: Image
metadata: {name: hello}
spec:
  from: {debian: {suite: bookworm, packages: [python3]}}
"""
_SERVICE = """\
# yaml-language-server: $$schema=../../../schema/service.json
# A service: one image, kept running. The folder is its tenant. `fleet explain service` tells every field.
apiVersion: fleetwright.dev/v1alpha1
kind: Service
metadata: {name: hello}
spec:
  image: hello
  machine: main
  hardware: small
  wave: 10
  ports: {http: 8080}
  health: {http: /, port: http}
  entrypoint: [python3, -m, http.server, "8080", --directory, /srv/hello]
  config:
    /srv/hello/index.html: |
      <h1>Hello</h1>
"""
_PACK = """\
# yaml-language-server: $$schema=../../schema/policy-pack.json
# A policy pack: rules, one a file under policies/default, and the settings that tenants start from.
apiVersion: fleetwright.dev/v1alpha1
kind: PolicyPack
metadata: {name: default}
spec:
  version: "1.0"
  rules: policies/default
"""
_RULE = """\
# A rule holds where its expression (CEL) is true; the pack's `block: [SVC901]` makes an error of the warning.
scope: Service
severity: warning
expression: has(object.spec.health)
message: "{name} has no health check"
fix: "add one, such as health: {http: /healthz, port: http}"
cases:
  good: {health: {http: /healthz, port: http}}
  bad: {}
"""
_IGNORE = """\
# What fleet keeps for itself: caches, and the history in its ledger.
/.fleet/
"""


def files(name: str, tenant: str, context: str) -> Mapping[str, str]:
    """Every file by its path, for a fleet of that name with one tenant, whose trial is the cluster of that kubeconfig context."""
    words = {"name": name, "tenant": tenant, "context": json.dumps(context)}
    texts = {
        "fleet.yaml": _FLEET,
        f"specs/tenants/{tenant}.yaml": _TENANT,
        "specs/images/hello.yaml": _IMAGE,
        "specs/policy-packs/default.yaml": _PACK,
        "policies/default/SVC901.yaml": _RULE,
        f"specs/services/{tenant}/hello.yaml": _SERVICE,
        ".gitignore": _IGNORE,
    }
    made = {path: Template(text).substitute(words) for path, text in texts.items()}
    made[".vscode/settings.json"] = editor()
    return made | {f"{SCHEMAS}/{file}": text for file, text in schema_files().items()}


def editor() -> str:
    """Settings by which the YAML extension of VS Code knows the schema of every file, with or without a modeline."""
    known = {f"specs/{kind.folder}/**/*.yaml": kind.name for kind in KINDS} | {"fleet.yaml": "Fleet"}
    titles = {schema["title"]: file for file, schema in schemas(KINDS).items()}
    return json.dumps({"yaml.schemas": {f"./{SCHEMAS}/{titles[kind]}": glob for glob, kind in known.items()}}, indent=2) + "\n"
