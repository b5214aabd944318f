"""Names: of coordinates and fields, and of what can be asked for."""
