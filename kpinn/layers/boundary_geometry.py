"""The parts of a domain as distances, for layers: made of a domain, or read from a file."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from keras import ops

from kpinn.derivatives.names.requests import size_of
from kpinn.domains.boundaries.surface_fits import Piece, piece_of, start_of
from kpinn.domains.boundaries.surfaces import carriers, distances
from kpinn.domains.domain import Domain
from kpinn.domains.patches import constant
from kpinn.layers.gates import corrections
from kpinn.options import shown

WHOLE = "boundary"  # the name of all of the boundary, unless a part has it


@dataclasses.dataclass(frozen=True, eq=False)
class BoundaryGeometry:
    """Distances from parts of a boundary.

    Attributes:
        coordinates: `{name: components}` of the domain.
        spatial: names of those of space.
        starts: names of parts that are the start of time.
        pieces: `{part: Piece}`.
    """

    coordinates: Mapping
    spatial: tuple
    starts: tuple
    pieces: Mapping

    def rows(self, columns):
        """Points `(n, axes)` of the domain from columns by coordinate."""
        return ops.concatenate([columns[name] for name in self.coordinates], axis=1)

    def gated(self, group, rows):
        """Distances from all surfaces on which derivatives are given, times gates, and normals.

        Args:
            group: a `Group`, which says what holds where.
            rows: `(n, axes)`.

        Returns:
            `(n, k)`, unit inner normals `(n, k, spatial axes)`, and the numbers of surfaces of
            each of `group.fluxes`, whose sum is `k`.
        """
        pieces = [self.pieces[part] for part in group.fluxes]
        surfaces = [surface for piece in pieces for surface in piece.surfaces]
        counts = [len(piece.surfaces) for piece in pieces]
        own = distances(surfaces, rows, ops)
        sizes = np.repeat([piece.size for piece in pieces], counts)
        gates = corrections(
            own / constant(sizes, rows)[None, :],
            [self.pieces[part].distance(rows, ops) for part in group.values],
            [group.order(part) for part in group.values],
        )
        return own * gates, carriers(surfaces, rows, ops)[1], counts

    def in_columns(self, vectors, space, columns):
        """Vectors `(n, spatial axes)` of the domain as those of all spatial columns of `space`."""
        found, start = {}, 0
        for name in self.spatial:
            found[name] = vectors[:, start : start + self.coordinates[name]]
            start += self.coordinates[name]
        parts = [
            found.get(name, ops.zeros_like(columns[name]))
            for name, part in space.coordinates.items()
            if part.start in space.spatial
        ]
        return ops.concatenate(parts, axis=1)

    def config(self):
        """Plain data."""
        return {
            "coordinates": dict(self.coordinates),
            "spatial": list(self.spatial),
            "starts": list(self.starts),
            "pieces": {name: piece.config() for name, piece in self.pieces.items()},
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `config`; `ValueError` where arrays have other sizes."""
        coordinates = {name: int(size) for name, size in config["coordinates"].items()}
        pieces = {name: Piece.from_config(each) for name, each in config["pieces"].items()}
        width = sum(coordinates.values())
        for name, piece in pieces.items():
            for surface in piece.surfaces:
                if not surface.fits(width):
                    raise ValueError(f"a surface of {name!r} has no {width} axes.")
        return cls(coordinates, tuple(config["spatial"]), tuple(config["starts"]), pieces)


def geometry_of(domain, parts, space):
    """The parts of a domain as `BoundaryGeometry`.

    Args:
        domain: a `Domain`, or what `BoundaryGeometry.config` has returned.
        parts: names.
        space: the `Space` of the network.

    Raises:
        ValueError: if there is no such part, or no distance from it.
    """
    if isinstance(domain, dict):
        found = BoundaryGeometry.from_config(domain)
        _check_coordinates(found.coordinates, space, "the domain")
        return found
    if not isinstance(domain, Domain):
        raise ValueError(f"domain is {shown(domain)}: expected a domain of kpinn.domains.")
    sizes = {name: len(axes) for name, axes in domain.axes.items()}
    _check_coordinates(sizes, space, str(domain))
    others = [name for name in domain.coordinates if name not in domain.spatial]
    times = tuple(n for n in parts if n in others and n not in domain.parameters)
    pieces, seen = {}, {}
    for name in parts:
        if name in times:
            pieces[name] = start_of(domain, name)
            continue
        part = _part(domain, name)
        for patch in part.patches:
            if id(patch) in seen:
                raise ValueError(
                    f"{seen[id(patch)]!r} and {name!r} have a piece of the boundary of {domain} in "
                    "common: expected parts without common points."
                )
            seen[id(patch)] = name
        pieces[name] = piece_of(part)
    return BoundaryGeometry(sizes, domain.spatial, times, pieces)


def _part(domain, name):
    known = {tag for patch in domain.border for tag in patch.tags}
    if name == WHOLE and name not in known:
        return domain.boundary()
    if name not in known:
        times = [n for n in domain.coordinates if n not in (*domain.spatial, *domain.parameters)]
        raise ValueError(
            f"{domain} has no part {name!r}. Its parts are {[*sorted(known), *times, WHOLE]}."
        )
    return domain.boundary(name)


def _check_coordinates(sizes, space, domain):
    for name, size in sizes.items():
        if name not in space.coordinates or size_of(space.coordinates[name]) != size:
            raise ValueError(
                f"{domain} has the coordinate {name!r} of {size} components, and the network has "
                f"not: its coordinates are {', '.join(space.coordinates)}."
            )
