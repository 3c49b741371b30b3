"""Layers: reads what a builder changed, makes it canonical against the parent's files, and writes the same bytes for the same files.

The rules, in order (image spec 1.1, layer.md, says what a layer is; what follows is what this product adds):

* One path, one entry, relative to the root and through the tree's own symbolic links; `..` is refused. The root itself has no entry.
* An entry is dropped when the parent's merged tree has it already: same kind, mode, owner, target, extended attributes and content.
  A time alone is no change, and neither is which paths of the parent were hard links of each other.
* Opaque directories become one whiteout for each topmost path that is gone; whiteouts come first.
* What engines put there, logs and caches is left out (`rules.py`), and so is byte code that the clamped times would make stale.
* Times are clamped to the source date: later ones become it, earlier ones (they come from packages and archives) stay.
* Entries are sorted by name; of hard links the first is the file, if they end up in one layer.
"""
