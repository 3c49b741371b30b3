"""Dockerfiles, in the subset that all builders understand alike: read, held against the spec, and tied to digests."""
