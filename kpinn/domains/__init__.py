"""Domains: geometry in, points out, as plain dicts of arrays."""

from kpinn.domains.balls import Ball
from kpinn.domains.box import Box
from kpinn.domains.curves import Curve, Polyline
from kpinn.domains.domain import Domain
from kpinn.domains.mesh import Mesh
from kpinn.domains.parts import Part
from kpinn.domains.point_cloud import PointCloud
from kpinn.domains.polygon import Polygon
from kpinn.domains.simplex import Simplex

__all__ = [
    "Ball",
    "Box",
    "Curve",
    "Domain",
    "Mesh",
    "Part",
    "PointCloud",
    "Polygon",
    "Polyline",
    "Simplex",
]
