"""Domains: geometry in, points out, as plain dicts of arrays."""

from kpinn.domains.balls import Ball
from kpinn.domains.box import Box
from kpinn.domains.domain import Domain
from kpinn.domains.parts import Part
from kpinn.domains.streams import Stream

__all__ = ["Ball", "Box", "Domain", "Part", "Stream"]
