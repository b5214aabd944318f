"""What a propagation carries: algebras of channels, and jets."""
