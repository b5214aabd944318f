"""What a PINN minimises, as functions of its parameters."""
