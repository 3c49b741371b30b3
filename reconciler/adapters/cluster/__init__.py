"""Any conformant Kubernetes API server as a target."""

from reconciler.adapters.cluster.cluster import KubernetesCluster, connect
from reconciler.adapters.cluster.credentials import identify
from reconciler.adapters.cluster.kubeconfig import Access, access
from reconciler.adapters.cluster.transport import Pace

__all__ = ["Access", "KubernetesCluster", "Pace", "access", "connect", "identify"]
