"""Training under a distribution strategy: each step is divided among the replicas.

What comes in is the whole step, the same on every worker; what goes out is what one device would
have, but for rounding. The only thing that replicas exchange is a sum.
"""
