"""The minimizers of scipy."""
