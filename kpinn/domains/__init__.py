"""Domains: geometry in, points out, as plain dicts of arrays."""

from kpinn.domains.balls import Ball, Ring, Sphere
from kpinn.domains.box import Box
from kpinn.domains.cones import Cone, Cylinder
from kpinn.domains.domain import Domain
from kpinn.domains.ellipsoids import Ellipsoid
from kpinn.domains.integration import Measure
from kpinn.domains.joining import concatenate
from kpinn.domains.parts import Part
from kpinn.domains.streams import Stream

Shell = Ring

__all__ = [
    "Ball",
    "Box",
    "Cone",
    "Cylinder",
    "Domain",
    "Ellipsoid",
    "Measure",
    "Part",
    "Ring",
    "Shell",
    "Sphere",
    "Stream",
    "concatenate",
]
