"""Domains: geometry in, points out, as plain dicts of arrays."""

from kpinn.domains.domain import Domain
from kpinn.domains.integrating.integration import Measure
from kpinn.domains.joining import concatenate
from kpinn.domains.parts import Part
from kpinn.domains.points.streams import Stream
from kpinn.domains.shapes.balls import Ball, Ring, Sphere
from kpinn.domains.shapes.box import Box
from kpinn.domains.shapes.cones import Cone, Cylinder
from kpinn.domains.shapes.curves import Curve, Polyline
from kpinn.domains.shapes.ellipsoids import Ellipsoid
from kpinn.domains.shapes.mesh import Mesh
from kpinn.domains.shapes.point_cloud import PointCloud
from kpinn.domains.shapes.polygon import Polygon
from kpinn.domains.shapes.simplex import Simplex

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
