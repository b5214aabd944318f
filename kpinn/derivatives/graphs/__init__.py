"""Traced graphs: the walk through them, what they propagate, and what they must not."""
