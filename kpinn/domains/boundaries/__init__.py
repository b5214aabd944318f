"""Normalised distance functions of parts of a boundary."""
