"""The parts of `kpinn.check_derivatives` that need nothing but the engine."""
