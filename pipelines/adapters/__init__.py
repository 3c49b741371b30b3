"""Doors to what builds need of the world, one tool or library each. They do not know each other."""
