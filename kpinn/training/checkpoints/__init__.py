"""Checkpoints of a training: what the next step depends on, written as a whole or not at all."""
