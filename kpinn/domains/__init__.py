"""Domains: geometry in, points out, as plain dicts of arrays."""

from kpinn.domains.balls import Ball, Ring, Sphere
from kpinn.domains.box import Box
from kpinn.domains.cones import Cone, Cylinder
from kpinn.domains.curves import Curve, Polyline
from kpinn.domains.domain import Domain
from kpinn.domains.ellipsoids import Ellipsoid
from kpinn.domains.integration import Measure
from kpinn.domains.joining import concatenate
from kpinn.domains.mesh import Mesh
from kpinn.domains.parts import Part
from kpinn.domains.point_cloud import PointCloud
from kpinn.domains.polygon import Polygon
from kpinn.domains.simplex import Simplex
from kpinn.domains.streams import Stream

Shell = Ring

__all__ = [
    "Ball",
    "Box",
    "Cone",
    "Curve",
    "Cylinder",
    "Domain",
    "Ellipsoid",
    "Measure",
    "Mesh",
    "Part",
    "PointCloud",
    "Polygon",
    "Polyline",
    "Ring",
    "Shell",
    "Simplex",
    "Sphere",
    "Stream",
    "concatenate",
]
