"""Builds images: what each starts from, one image from recipe to verdict, and all of them in the order that they need."""
