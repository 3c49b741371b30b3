"""The order of the steps. Effects only through ports."""
