"""One step each, oldest first. A step that was released is never edited."""
