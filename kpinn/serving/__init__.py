"""A trained PINN at work: predictions, exports, saved files."""
