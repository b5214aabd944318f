"""From patches to measures and quadrature."""
