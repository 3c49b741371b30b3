"""Files and volumes: what a service finds mounted, and the objects behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reconciler.kinds.service.naming import content_name, file_key
from reconciler.kinds.service.spec import ServiceSpec, Volume
from reconciler.model.quantities import format_memory

_FILES = "config"


def config_map(name: str, namespace: str, files: dict[str, str], purpose: str) -> dict[str, Any]:
    """An immutable ConfigMap named by its content: a change makes a new one, so a rollback finds the old one as it was."""
    data = {file_key(path): text for path, text in sorted(files.items())}
    metadata = {"name": content_name(f"{name}-{purpose}", data), "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": True, "data": data}


def file_volume(config: dict[str, Any], volume: str = _FILES) -> dict[str, Any]:
    """The volume of a ConfigMap."""
    return {"name": volume, "configMap": {"name": config["metadata"]["name"]}}


def file_mounts(files: Iterable[str], volume: str = _FILES) -> list[dict[str, Any]]:
    """One mount a file, so that what stands beside it in the image stays."""
    return [{"name": volume, "mountPath": path, "subPath": file_key(path), "readOnly": True} for path in sorted(files)]


def claim_name(service: str, volume: str) -> str:
    """Name of the claim of a volume."""
    return f"{service}-{volume}"


def claims(service: str, namespace: str, spec: ServiceSpec) -> list[dict[str, Any]]:
    """The PersistentVolumeClaims of a service."""
    return [_claim(claim_name(service, name), namespace, volume) for name, volume in sorted(spec.volumes.items()) if volume.type == "claim"]


def _claim(name: str, namespace: str, volume: Volume) -> dict[str, Any]:
    spec: dict[str, Any] = {"accessModes": [volume.access], "resources": {"requests": {"storage": format_memory(volume.size)}}}
    if volume.storage_class is not None:
        spec["storageClassName"] = volume.storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def volumes(service: str, spec: ServiceSpec) -> list[dict[str, Any]]:
    """The volumes of a pod."""
    return [_volume(service, name, volume) for name, volume in sorted(spec.volumes.items())]


def _volume(service: str, name: str, volume: Volume) -> dict[str, Any]:
    if volume.type == "claim":
        return {"name": f"volume-{name}", "persistentVolumeClaim": {"claimName": claim_name(service, name)}}
    room: dict[str, Any] = {"sizeLimit": format_memory(volume.size)}
    if volume.type == "memory":
        room["medium"] = "Memory"
    return {"name": f"volume-{name}", "emptyDir": room}


def mounts(spec: ServiceSpec) -> list[dict[str, Any]]:
    """Where the volumes of a pod are mounted."""
    return [{"name": f"volume-{name}", "mountPath": volume.path} for name, volume in sorted(spec.volumes.items())]


def exclusive(spec: ServiceSpec) -> bool:
    """Whether two pods cannot have the volumes at once."""
    return any(volume.type == "claim" and volume.access in ("ReadWriteOnce", "ReadWriteOncePod") for volume in spec.volumes.values())
