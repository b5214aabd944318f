"""Whether the derivatives of a model are right, by methods that share nothing."""
