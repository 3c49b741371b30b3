"""`fleet operator manifests` and `install`, the latter on a real API server."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from reconciler.core.crds import crds
from reconciler.core.home import OPERATOR
from reconciler.kinds import KINDS
from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.shell.exits import Exit
from reconciler.shell.operator.command import command as run_command
from tests.engines.binaries import Tier
from tests.engines.client import MERGE, connect
from tests.shell.fleet_commands import fleet, process

ALL = ("--image", "registry.example/fleetwright:1", "--git", "https://git.example/fleet.git")
PARTS = tuple(word for part in ("crds", "rbac", "operator") for word in ("--only", part))


@pytest.fixture
def repository(tmp_path):
    fleet("init", tmp_path, "--context", "trial")
    return tmp_path


def printed(*arguments, cwd=None):
    result = fleet("operator", "manifests", *arguments, cwd=cwd)
    assert result.exit_code == Exit.OK, result.stderr
    return result.stdout


def test_manifests_are_yaml_without_anchors_and_the_same_every_time(repository):
    text = printed(*ALL, *PARTS, cwd=repository)
    assert text == printed(*ALL, *PARTS, cwd=repository)
    bodies = list(yaml.safe_load_all(text))
    assert bodies[0]["kind"] == "Namespace"
    assert not [token for token in yaml.scan(text) if isinstance(token, yaml.AliasToken | yaml.AnchorToken)]
    assert bodies == json.loads(printed(*ALL, *PARTS, "-o", "json", cwd=repository))["items"]
    kinds = [body["kind"] for body in bodies]
    assert kinds.count("CustomResourceDefinition") == len(KINDS)
    assert {"ClusterRole", "ValidatingAdmissionPolicy", "Deployment", "Service", "NetworkPolicy", "ServiceAccount"} <= set(kinds)


def test_parts_that_say_nothing_of_a_fleet_need_no_repository(tmp_path):
    bodies = list(yaml.safe_load_all(printed("--only", "crds", cwd=tmp_path)))
    assert bodies == json.loads(json.dumps(list(crds(KINDS))))
    assert "ClusterRole" in printed("--only", "rbac", cwd=tmp_path)


def test_the_deployment_is_one_hardened_pod_that_never_has_a_second(repository):
    bodies = yaml.safe_load_all(printed(*ALL, "--branch", "live", "--only", "operator", cwd=repository))
    spec = next(body for body in bodies if body["kind"] == "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    container = spec["template"]["spec"]["containers"][0]
    assert container["args"][:8] == ["operator", "run", "--env", "trial", "--git", ALL[3], "--branch", "live"]
    given = run_command.make_context("run", container["args"][2:], help_option_names=["-h", "--help"]).params
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {str(given[folder]) for folder in ("credentials", "hooks", "secrets", "state")} <= mounts
    assert given["listen"] == "0.0.0.0:8080", "probes come from outside of the pod"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
    }  # fmt: skip
    assert spec["template"]["spec"]["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize(("given", "missing"), [(ALL[:2], "which repository"), (ALL[2:], "which image"), ((), "which image")])
def test_a_deployment_without_image_or_repository_is_refused(repository, given, missing):
    result = fleet("operator", "manifests", *given, *PARTS, cwd=repository)
    assert result.exit_code == Exit.USAGE
    assert missing in result.stderr
    assert "--only crds --only rbac" in result.stderr


def test_the_deployment_is_left_out_unless_it_is_asked_for(tmp_path):
    kinds = {body["kind"] for body in yaml.safe_load_all(printed(cwd=tmp_path))}
    assert "CustomResourceDefinition" in kinds
    assert "ClusterRole" in kinds
    assert "Deployment" not in kinds


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing option '--git'"),
        (("--git", "https://git.example/fleet"), "nothing says which environment"),
        (("--env", "trial", "--git", "file:///srv/fleet"), "file is not followed"),
        (("--env", "trial", "--git", "--upload-pack=x"), "is not the URL of a repository"),
        (("--env", "trial", "--git", "https://me:secret@git.example/fleet"), "URL"),
        (("--env", "trial", "--git", "https://git.example/fleet", "--branch", "-x"), "branch"),
        (("--env", "trial", "--git", "https://git.example/fleet", "--listen", "here"), "is no HOST:PORT"),
    ],
)
def test_an_operator_that_cannot_run_says_why_before_it_begins(tmp_path, arguments, said):
    result = fleet("operator", "run", *arguments, cwd=tmp_path)
    assert result.exit_code == Exit.USAGE, result.stderr
    assert said in result.stderr
    assert "secret" not in result.stderr
    assert not (tmp_path / ".fleet").exists()


def test_nothing_is_installed_where_nobody_can_be_asked(repository):
    result = fleet("operator", "install", *ALL, cwd=repository)
    assert result.exit_code == Exit.USAGE
    assert "add --yes" in result.stderr


def installed(cluster, cwd, *arguments) -> subprocess.CompletedProcess:
    code = (
        f"import os; os.environ['KUBECONFIG'] = {str(cluster.kubeconfig)!r}\n"
        f"import sys; sys.argv = ['fleet', 'operator', 'install', '--yes', *{list(arguments)!r}]\n"
        "from reconciler.shell.cli import run; sys.exit(run())"
    )
    return process(cwd=cwd, code=code)


async def test_an_installation_stands_and_a_second_one_writes_nothing(cluster, repository):
    if cluster.tier is not Tier.REAL:
        pytest.skip(f"{cluster.tier} has no admission policies: this needs a kube-apiserver")
    first = installed(cluster, repository, *ALL)
    assert first.returncode == Exit.OK, first.stderr
    again = installed(cluster, repository, *ALL)
    assert (again.returncode, again.stdout) == (Exit.OK, "Everything is installed already; nothing was written.\n"), again.stderr
    async with connect(cluster.kubeconfig) as api:
        role = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{OPERATOR}"
        whole = (await api.get(role)).body["rules"]
        await api.merge(role, {"rules": whole[:1]})
        repaired = installed(cluster, repository, *ALL)
        assert f"~ rbac.authorization.k8s.io/ClusterRole/{OPERATOR}: /rules" in repaired.stderr
        assert (await api.get(role)).body["rules"] == whole
        await api.ask("PATCH", f"/api/v1/namespaces/{SYSTEM_NAMESPACE}", {"metadata": {"labels": {"extra": "kept"}}}, MERGE)
        assert "nothing was written" in installed(cluster, repository, *ALL).stdout
        await api.delete(f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments/{OPERATOR}")
