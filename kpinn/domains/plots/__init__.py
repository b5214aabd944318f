"""Pictures of domains and their parts."""
