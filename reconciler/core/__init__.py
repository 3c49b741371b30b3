"""Pure verbs, one a file: what decides, and never does."""
