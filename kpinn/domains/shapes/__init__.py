"""Shapes, each a `Domain` of its own."""
