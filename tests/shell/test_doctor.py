"""`fleet doctor`: of a machine, and of a real API server."""

from __future__ import annotations

import asyncio
import json

import pytest
import yaml

from reconciler.shell.cluster_checks import wanted
from reconciler.shell.exits import Exit
from reconciler.shell.workspace import open_workspace
from tests.engines.binaries import Tier
from tests.shell.fleet_commands import fleet

SECRETS = """\
apiVersion: fleetwright.dev/v1alpha1
kind: Service
metadata: {name: hello}
spec:
  image: hello
  machine: main
  hardware: small
  health: {tcp: http}
  ports: {http: 8080}
  secrets: {DATABASE_URL: hello-db/url, API_KEY: hello-api/key}
"""


@pytest.fixture
def repository(tmp_path):
    fleet("init", tmp_path, "--context", "nowhere")
    return tmp_path


def checked(*arguments, cwd, **environ):
    result = fleet("doctor", "-o", "json", *arguments, cwd=cwd, **environ)
    return result.exit_code, {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def test_each_line_has_a_state_and_failures_a_fix(repository):
    result = fleet("doctor", cwd=repository, KUBECONFIG=str(repository / "none"))
    assert result.exit_code == Exit.FINDINGS
    lines = result.stdout.splitlines()
    assert any(line.startswith("ok    python ") for line in lines)
    failed = next(at for at, line in enumerate(lines) if line.startswith("fail  kubeconfig"))
    assert "there is no kubeconfig" in lines[failed]
    assert "help: set KUBECONFIG" in lines[failed + 1]
    assert lines[-1] == "1 failed."


def test_a_sound_repository_passes_offline(repository):
    code, checks = checked("--offline", cwd=repository)
    assert code == Exit.OK
    assert checks["specs"]["seen"] == "4 specs, no errors"
    assert checks["repository"]["state"] == "warn"
    assert "git init" in checks["repository"]["fix"]
    assert "kubeconfig" not in checks


def test_broken_specs_fail_and_the_rest_is_still_checked(repository):
    (repository / "specs/images/hello.yaml").write_text("kind: [")
    code, checks = checked(cwd=repository, KUBECONFIG=str(repository / "none"))
    assert code == Exit.FINDINGS
    assert checks["specs"]["state"] == "fail"
    assert checks["specs"]["fix"] == "fleet lint"
    assert checks["kubeconfig"]["state"] == "fail"


def test_a_missing_git_fails_with_a_fix(repository):
    code, checks = checked("--offline", cwd=repository, PATH=str(repository))
    assert code == Exit.FINDINGS
    assert checks["git"]["state"] == "fail"
    assert "apt-get install git" in checks["git"]["fix"]
    assert checks["trivy"] == {
        "name": "trivy", "state": "ok", "seen": "not installed; only the gate of builds would need it", "fix": ""
    }  # fmt: skip


def test_outside_of_a_repository_the_machine_is_still_checked(tmp_path):
    code, checks = checked(cwd=tmp_path)
    assert code == Exit.FINDINGS
    assert checks["python"]["state"] == "ok"
    assert "fleet.yaml" in checks["specs"]["seen"]


def test_an_unknown_variable_fails_a_line(repository):
    code, checks = checked("--offline", cwd=repository, FLEET_ENVX="1")
    assert code == Exit.FINDINGS
    assert "FLEET_ENVX" in checks["variables"]["seen"]


def test_an_address_where_nothing_listens_fails_with_a_sentence(repository):
    kubeconfig = {
        "current-context": "nowhere",
        "contexts": [{"name": "nowhere", "context": {"cluster": "c", "user": ""}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
    }
    (repository / "kubeconfig").write_text(json.dumps(kubeconfig))
    code, checks = checked(cwd=repository, KUBECONFIG=str(repository / "kubeconfig"))
    assert code == Exit.FINDINGS
    assert checks["kubeconfig"]["state"] == "ok"
    assert checks["cluster"]["state"] == "fail"
    assert checks["cluster"]["fix"]


def test_secrets_are_gathered_from_what_is_rendered(repository):
    (repository / "specs/services/team/hello.yaml").write_text(SECRETS)
    workspace = open_workspace(repository)
    found = wanted(workspace.graph(workspace.environment(None)))
    assert found == {("team", "hello-api"): ("Service/team/hello",), ("team", "hello-db"): ("Service/team/hello",)}


def at(repository, kubeconfig, prefix="x"):
    (repository / "specs/services/team/hello.yaml").write_text(SECRETS)
    text = (repository / "fleet.yaml").read_text()
    here = f'{{kubeconfig: "{kubeconfig}"}}}}\n      namespacePrefix: {prefix}-'
    (repository / "fleet.yaml").write_text(text.replace('{context: "nowhere"}}', here))


async def test_missing_secrets_are_named_and_present_ones_are_not(repository, cluster, api, prefix):
    namespace = f"{prefix}-team"
    at(repository, cluster.kubeconfig, prefix)
    code, checks = await asyncio.to_thread(checked, cwd=repository)
    assert code == Exit.OK, checks
    assert checks["cluster"]["state"] == "ok"
    assert "2 of 2 are missing" in checks["secrets"]["seen"]
    await api.apply(f"/api/v1/namespaces/{namespace}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hello-db"}, "stringData": {"url": "hunter2"}}
    await api.apply(f"/api/v1/namespaces/{namespace}/secrets/hello-db", secret)
    result = await asyncio.to_thread(fleet, "doctor", cwd=repository)
    assert f"1 of 2 are missing, their pods cannot start: {namespace}/hello-api (for Service/team/hello)" in result.stdout
    assert f"kubectl -n {namespace} create secret generic hello-api" in result.stdout
    assert "hunter2" not in result.stdout


def test_what_an_account_may_not_do_is_told(repository, cluster):
    if cluster.tier is not Tier.REAL:
        pytest.skip(f"{cluster.tier} has no rights to review")
    kubeconfig = yaml.safe_load(cluster.kubeconfig.read_text())
    kubeconfig["users"][0]["user"]["as"] = "nobody"
    (repository / "nobody").write_text(yaml.safe_dump(kubeconfig))
    at(repository, "nobody")
    code, checks = checked(cwd=repository)
    assert code == Exit.FINDINGS
    assert checks["rights"]["state"] == "fail"
    assert "list, watch, create, patch, delete namespaces" in checks["rights"]["seen"]
    assert checks["secrets"]["state"] == "warn"
    assert "cannot be looked up" in checks["secrets"]["seen"]
