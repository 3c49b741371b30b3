"""Any conformant Kubernetes API server as a target."""

from reconciler.adapters.cluster.cluster import KubernetesCluster, connect
from reconciler.adapters.cluster.credentials import identify
from reconciler.adapters.cluster.kubeconfig import Access, access, inside
from reconciler.adapters.cluster.speaking import Acting
from reconciler.adapters.cluster.transport import Pace

__all__ = ["Access", "Acting", "KubernetesCluster", "Pace", "access", "connect", "identify", "inside"]
