"""Tetrahedra that fill a closed mesh, where there are some without further vertices on it."""

import numpy as np
import scipy  # not scipy.optimize, which is slow to load, and loads when it is first named

from kpinn.domains.complexes import simplices
from kpinn.domains.complexes.closed_meshes import volume

EXACT = 1e-11  # relative error of the volume of tetrahedra that fill the mesh, by rounding


def tetrahedra(vertices, faces, level):
    """Tetrahedra that fill a closed mesh, and nothing twice.

    From one point inside, if one sees the whole surface; else those of Delaunay that lie inside,
    if they have the faces of the mesh.

    Args:
        vertices: `(v, 3)`.
        faces: `(m, 3)`, with outward normals.
        level: the signed distance, a function of points `(n, 3)`.

    Returns:
        Array `(k, 4, 3)`, or None where neither is possible.
    """
    from_one_point = _star(vertices[faces])
    return _delaunay(vertices, faces, level) if from_one_point is None else from_one_point


def _star(corners):
    """Tetrahedra with a corner at the point that is farthest from the planes of all faces."""
    normals = simplices.normals(corners)
    offsets = np.sum(normals * corners[:, 0], axis=1)
    found = scipy.optimize.linprog(
        [0, 0, 0, -1],
        A_ub=np.concatenate([normals, np.ones((len(normals), 1))], axis=1),
        b_ub=offsets,
        bounds=(None, None),
    )
    size = np.ptp(corners, axis=(0, 1)).max()
    if not found.success or found.x[3] <= 1e-6 * size:
        return None
    point = np.broadcast_to(found.x[:3], (len(corners), 1, 3))
    return np.concatenate([point, corners], axis=1)


def _delaunay(vertices, faces, level):
    """Delaunay's tetrahedra inside, if their surface is that of the mesh."""
    found = vertices[scipy.spatial.Delaunay(vertices).simplices]
    sizes = simplices.measures(found)
    found = found[(sizes > 0) & (level(found.mean(axis=1)) < 0)]
    whole = volume(vertices[faces])
    if abs(simplices.measures(found).sum() - whole) > EXACT * whole:
        return None
    # Of a tetrahedron that sticks out, and of one that lacks, a facet leaves the surface.
    facets = np.concatenate([np.delete(found, corner, axis=1) for corner in range(4)])
    middle = facets.mean(axis=1)
    return found if np.all(level(middle) <= 1e-9 * np.ptp(vertices, axis=0).max()) else None
