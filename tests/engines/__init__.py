"""The engine room: a Kubernetes API server for trials and tests, and the player of stages that stands in for kubelets and controllers."""
