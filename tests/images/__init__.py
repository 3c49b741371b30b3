"""Images, made and judged with the real tools."""
