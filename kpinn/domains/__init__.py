"""Domains: geometry in, points out, as plain dicts of arrays."""

from kpinn.domains.box import Box

__all__ = ["Box"]
