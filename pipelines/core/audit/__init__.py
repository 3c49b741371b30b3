"""The dependency audit: what code in an image imports, links and loads, against what the image has."""
