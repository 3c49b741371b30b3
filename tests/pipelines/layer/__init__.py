"""Layers: read, made canonical, written."""
