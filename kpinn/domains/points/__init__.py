"""From patches to points."""
