"""Domains beside plain numpy: `python tests/reliability/domains.py [--points 20000] [--seed 0]`.

Each domain is written a second time as an implicit function, negative inside, that shares nothing
with kpinn. A row of the table says: how many of random points are in one and not in the other;
the p-value of a chi-square test of `sample` against rejection; how far boundary points are from the
zeros of the function and their normals from its gradient (finite differences); the volume and two
fluxes through the boundary (whose divergences are integrated by Monte Carlo) in standard errors;
whether seeds reproduce. It exits with an error where a row is beyond what chance allows.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import scipy.stats

from kpinn.domains import Ball, Box, Cylinder, Ellipsoid, Mesh, Polygon, Ring, Shell

STEP = 1e-6  # of finite differences
HEADER = "misplaced        p     away  normals   edges volume  flux 1 flux 2  seeds    cpu"
STAR_RADII = np.where(np.arange(10) % 2 == 0, 1.0, 0.45)
STAR = STAR_RADII[:, None] * np.stack([f(np.arange(10) * np.pi / 5) for f in (np.cos, np.sin)], 1)
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)])  # its corners


def ball(rows, *center, radius):
    return np.linalg.norm(rows - center, axis=1) - radius


def box(rows, lower, upper):
    return np.max(np.maximum(np.array(lower) - rows, rows - np.array(upper)), axis=1)


def ring(rows, inner, outer):
    r = np.linalg.norm(rows, axis=1)
    return np.maximum(inner - r, r - outer)


def cut(a, *others):
    return np.max([a, *(-other for other in others)], axis=0)


def polygon(rows, vertices):
    """The distance to the edges, with the sign of a ray to the right."""
    inside, distance = np.zeros(len(rows), bool), np.full(len(rows), np.inf)
    for a, b in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        along = np.clip((rows - a) @ (b - a) / np.sum((b - a) ** 2), 0, 1)
        distance = np.minimum(distance, np.linalg.norm(rows - a - along[:, None] * (b - a), axis=1))
        crosses = (a[1] > rows[:, 1]) != (b[1] > rows[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            at = a[0] + (rows[:, 1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1])
        inside ^= crosses & (rows[:, 0] < at)
    return np.where(inside, -distance, distance)


def ellipse(rows, a, b):
    return np.hypot(rows[:, 0] / a, rows[:, 1] / b) - 1


def tilted_cylinder(rows, angle, radius):
    """Around the line through the origin that is the x axis turned by the angle about z."""
    along = rows[:, :1] * np.cos(angle) + rows[:, 1:2] * np.sin(angle)
    axis = np.array([np.cos(angle), np.sin(angle), 0.0])
    return np.linalg.norm(rows - along * axis, axis=1) - radius


def octahedron_faces():
    """Three corners for each octant, which run around the solid the same way."""
    faces = []
    for i in (0, 3):
        for j in (1, 4):
            for k in (2, 5):
                right_handed = np.linalg.det(OCTAHEDRON[[i, j, k]]) > 0
                faces.append([i, j, k] if right_handed else [i, k, j])
    return faces


def cases():
    """`{name: (domain, implicit function of the space, space's lower, upper)}`."""
    square = Box(x=(0, 1), y=(0, 1))
    cube = Box(x=(-1, 1), y=(-1, 1), z=(-1, 1))
    three = [((-0.3, 0, 0), 0.5), ((0.3, 0, 0), 0.5), ((0, 0.4, 0.2), 0.4)]
    holed = cube
    for (x, y, z), radius in three:
        holed = holed - Ball(x=x, y=y, z=z, radius=radius)
    rod = Cylinder(x=(-3, 3), y=0, z=0, radius=0.4).rotated(0.6, axis=(0, 0, 1))
    wedge = Polygon(x=[0, 4, 2], y=[0, 0, 2 * 3**0.5])
    slope = np.array([-(3**0.5) / 2, 0.5])
    family = Box(t=(0, 1)) * Box(mu=(1, 2), parameters="mu") * Ring(x=0, y=0, inner=0.5, outer=1)
    star = Polygon(x=STAR[:, 0], y=STAR[:, 1]) - Ellipsoid(x=0, y=0, radii=(0.4, 0.2))
    return {
        "annular sector": (
            Ring(x=0, y=0, inner=1, outer=2) & wedge,
            lambda p: np.max([ring(p, 1, 2), -p[:, 1], p @ slope], axis=0),
            [0, 0],
            [2, 2],
        ),
        "star minus ellipse": (
            star,
            lambda p: cut(polygon(p, STAR), ellipse(p, 0.4, 0.2)),
            [-1, -1],
            [1, 1],
        ),
        "box minus three balls": (
            holed,
            lambda p: cut(box(p, [-1] * 3, [1] * 3), *(ball(p, *c, radius=r) for c, r in three)),
            [-1] * 3,
            [1] * 3,
        ),
        "box minus turned cylinder": (
            cube - rod,
            lambda p: cut(box(p, [-1] * 3, [1] * 3), tilted_cylinder(p, 0.6, 0.4)),
            [-1] * 3,
            [1] * 3,
        ),
        "half shell": (
            Shell(x=0, y=0, z=0, inner=0.6, outer=1) & Box(x=(-2, 2), y=(-2, 2), z=(0, 2)),
            lambda p: np.maximum(ring(p, 0.6, 1), -p[:, 2]),
            [-1, -1, 0],
            [1, 1, 1],
        ),
        "mesh minus ball": (
            Mesh(OCTAHEDRON, octahedron_faces()) - Ball(x=0.5, y=0.2, z=0.1, radius=0.5),
            lambda p: cut((np.abs(p).sum(axis=1) - 1) / 3**0.5, ball(p, 0.5, 0.2, 0.1, radius=0.5)),
            [-1] * 3,
            [1] * 3,
        ),
        "time x parameter x ring": (family, lambda p: ring(p, 0.5, 1), [-1, -1], [1, 1]),
        "vectors: box minus ball": (
            Box(x=([0] * 3, [1] * 3)) - Ball(x=[1, 1, 1], radius=0.7),
            lambda p: cut(box(p, [0] * 3, [1] * 3), ball(p, 1, 1, 1, radius=0.7)),
            [0] * 3,
            [1] * 3,
        ),
        "square with a slit": (
            square - Box(x=(0.4, 0.402), y=(0.2, 0.8)),
            lambda p: cut(box(p, [0, 0], [1, 1]), box(p, [0.4, 0.2], [0.402, 0.8])),
            [0, 0],
            [1, 1],
        ),
        "two disks that touch": (
            Ball(x=0, y=0, radius=1) + Ball(x=2, y=0, radius=1),
            lambda p: np.minimum(ball(p, 0, 0, radius=1), ball(p, 2, 0, radius=1)),
            [-1, -1],
            [3, 1],
        ),
    }


class Comparison:
    """One domain beside its implicit function."""

    def __init__(self, domain, function, lower, upper, count, seed):
        self.domain, self.function, self.count = domain, function, count
        self.lower, self.upper = np.array(lower, "float64"), np.array(upper, "float64")
        self.rng = np.random.default_rng(seed)
        self.other = [name for name in domain.coordinates if name not in domain.spatial]
        self.scale = np.prod([np.ptp(domain.bounds[name]) for name in self.other])

    def space(self, points):
        return np.concatenate([points[name] for name in self.domain.spatial], axis=1)

    def random(self, count, margin=0.0):
        """Rows in the bounding box of the space, made larger."""
        extra = margin * (self.upper - self.lower)
        return self.rng.uniform(self.lower - extra, self.upper + extra, (count, len(extra)))

    def points(self, rows):
        """A dict of points for rows in space; time and parameters are in the middle."""
        vector = len(self.domain.spatial) == 1
        columns = [rows] if vector else [rows[:, i : i + 1] for i in range(rows.shape[1])]
        found = dict(zip(self.domain.spatial, columns, strict=True))
        for name in self.other:
            found[name] = np.full((len(rows), 1), np.mean(self.domain.bounds[name]))
        return found

    def misplaced(self):
        rows = self.random(self.count, margin=0.1)
        return int(np.sum(self.domain.contains(self.points(rows)) != (self.function(rows) <= 0)))

    def p_value(self):
        """Of a chi-square test: points of `sample` and of rejection come from the same law."""
        drawn = self.space(self.domain.sample(self.count, seed=self.rng))
        kept = self.random(20 * self.count)
        kept = kept[self.function(kept) <= 0][: self.count]
        cells = {1: 40, 2: 12, 3: 6}[drawn.shape[1]]
        edges = [np.linspace(*ends, cells + 1) for ends in zip(self.lower, self.upper, strict=True)]
        counts = np.stack([np.histogramdd(rows, edges)[0].ravel() for rows in (drawn, kept)])
        counts = counts[:, counts.sum(axis=0) >= 20]
        return scipy.stats.chi2_contingency(counts).pvalue

    def border(self):
        """Largest distance of boundary points from zeros, and of normals from the gradient."""
        points = self.domain.boundary().sample(self.count, seed=self.rng)
        rows, steps = self.space(points), STEP * np.eye(len(self.lower))
        ahead = np.stack([self.function(rows + step) for step in steps], axis=1)
        behind = np.stack([self.function(rows - step) for step in steps], axis=1)
        gradient = (ahead - behind) / (2 * STEP)
        length = np.linalg.norm(gradient, axis=1, keepdims=True)
        smooth = np.abs(ahead + behind).max(axis=1) < 1e-3 * STEP  # no edge is nearer than a step
        away = np.abs(self.function(rows)).max()
        wrong = np.abs(gradient / length - points["n"])[smooth].max()
        return away, wrong, 1 - smooth.mean()

    def deviations(self):
        """Of the volume and of two fluxes, in standard errors."""
        rows = self.random(20 * self.count)
        inside = (self.function(rows) <= 0) * np.prod(self.upper - self.lower) * self.scale
        points = self.domain.boundary().sample(self.count, seed=self.rng, extras="w")
        places, area = self.space(points), self.count * points["w"][:, 0]
        found = [_deviation(inside, float(self.domain.volume))]
        for field, divergence in ((places, rows.shape[1]), (places**2, 2 * rows.sum(axis=1))):
            flux = np.sum(field * points["n"], axis=1) * area
            found.append(_deviation(inside * divergence, flux))
        return found

    def is_reproducible(self):
        def drawn(of, seed):
            return np.concatenate(list(of.sample(100, seed=seed).values()), axis=1)

        pairs = [
            (drawn(of, 1), drawn(of, 1), drawn(of, 2))
            for of in (self.domain, self.domain.boundary())
        ]
        return all(np.array_equal(a, b) and not np.array_equal(a, c) for a, b, c in pairs)


def _deviation(samples, other):
    """Of the mean of samples from that of others, or from a number."""
    variance = samples.var() / len(samples)
    variance += np.var(other) / np.size(other)
    return (np.mean(other) - samples.mean()) / np.sqrt(variance)


def compare(name, case, count, seed):
    """A row of the table, and whether it is right."""
    begin = time.process_time()
    one = Comparison(*case, count, seed)
    misplaced, p = one.misplaced(), one.p_value()
    (away, wrong, edges), deviations, same = one.border(), one.deviations(), one.is_reproducible()
    seconds = time.process_time() - begin
    text = f"{misplaced:9d} {p:8.3f} {away:8.0e} {wrong:8.0e} {edges:7.1%}"
    text += "".join(f"{value:7.2f}" for value in deviations)
    right = misplaced == 0 and p > 1e-4 and away < 1e-9 and wrong < 1e-6 and edges < 0.02
    right = right and max(map(abs, deviations)) < 4.5 and same
    return f"{name:26s}{text} {'same' if same else 'OTHER':>6s} {seconds:6.1f}", right


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="part of a name")
    arguments = parser.parse_args()
    print(f"{'domain':26s}{HEADER}")
    failed = []
    for name, case in cases().items():
        if (arguments.only or "") in name:
            row, right = compare(name, case, arguments.points, arguments.seed)
            print(row, "" if right else "  <-", flush=True)
            failed += [] if right else [name]
    sys.exit(f"wrong: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
