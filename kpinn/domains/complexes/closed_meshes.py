"""Triangle meshes that bound a solid: what makes them one, and what is wrong with others."""

import numpy as np

from kpinn.domains.complexes import simplices
from kpinn.domains.complexes.rings import show


def closed_mesh(vertices, faces, label):
    """A closed mesh with outward normals; vertices at one place are one vertex.

    Args:
        vertices: `(v, 3)`.
        faces: indices of their corners, `(m, 3)`.
        label: what it is called in errors.

    Returns:
        Vertices `(v', 3)`, faces `(m, 3)`, counterclockwise seen from outside.

    Raises:
        ValueError: for faces that have no area, edges without a second face or with more than
            two, and neighbours that are oriented against each other.
    """
    if len(faces) < 4:
        raise ValueError(f"{label} has {len(faces)} faces, and a closed mesh at least 4.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(
            f"{label} has {len(vertices)} vertices, and its faces name those from {faces.min()} "
            f"to {faces.max()}. The first is 0."
        )
    vertices, place = np.unique(vertices, axis=0, return_inverse=True)
    faces = place.reshape(-1)[faces]
    _check_areas(vertices[faces], label)
    _check_edges(vertices, faces, label)
    return vertices, faces if volume(vertices[faces]) > 0 else faces[:, ::-1]


def volume(corners):
    """The volume inside of a closed mesh, positive if its normals point outward.

    Args:
        corners: of the faces, `(m, 3, 3)`.
    """
    local = corners - corners.mean(axis=(0, 1))
    return float(np.sum(np.linalg.det(local))) / 6


def _check_areas(corners, label):
    sizes = simplices.measures(corners)
    longest = np.ptp(corners, axis=1).max(axis=1)
    flat = np.flatnonzero(sizes <= np.finfo("float64").eps * longest**2)
    if len(flat):
        raise ValueError(
            f"{label} has {len(flat)} faces without area, the first one {flat[0]} at "
            f"{show(corners[flat[0], 0])}. Leave them out and close the gaps, for example by "
            "trimesh.repair."
        )


def _check_edges(vertices, faces, label):
    edges = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    forward = edges[:, 0] < edges[:, 1]
    which, number = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    number = number.reshape(-1)
    ahead = np.bincount(number[forward], minlength=len(which))
    behind = np.bincount(number[~forward], minlength=len(which))
    total = ahead + behind

    def where(bad):
        first, second = vertices[which[np.flatnonzero(bad)[0]]]
        return f"{np.sum(bad)} edges, the first from {show(first)} to {show(second)}"

    if np.any(total == 1):
        raise ValueError(
            f"{label} is open: there is a face on one side alone of {where(total == 1)}. Close it, "
            "for example by trimesh's fill_holes()."
        )
    if np.any(total > 2):
        raise ValueError(
            f"{label} is no surface: more than two faces meet at {where(total > 2)}. Take bodies "
            "that touch at an edge apart, and add them."
        )
    if np.any(ahead != behind):
        raise ValueError(
            f"{label} is not oriented: the faces on both sides run the same way along "
            f"{where(ahead != behind)}. Turn faces round, for example by trimesh's fix_normals()."
        )
