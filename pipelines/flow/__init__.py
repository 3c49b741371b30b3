"""The order of the steps of a build, a rescan, a clean-up. Effects only through `pipelines.ports`."""
