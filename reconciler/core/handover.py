"""Hand-over: replicas that an autoscaler is to set from now on keep their live value until it does.

A field that its only owner no longer applies falls back to its default (Kubernetes, "Transferring ownership"): four replicas would become one.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.ownership import fields_of
from reconciler.model.canonical import digest
from reconciler.model.manifests import Manifest, Observed


def handed_over(manifest: Manifest, live: Observed | None) -> Manifest:
    """The manifest with the replicas that are live, while it names none and they are still ours. None are not kept: nobody would start one."""
    if manifest.id.kind != "Deployment" or live is None or "replicas" in manifest.body["spec"]:
        return manifest
    replicas = live.body["spec"].get("replicas")
    if not replicas or "f:replicas" not in (fields_of(live.body) or {}).get("f:spec", {}):
        return manifest
    body = {**manifest.body, "spec": {**manifest.body["spec"], "replicas": replicas}}
    return replace(manifest, body=body, digest=digest(body))
