"""Pictures of domains and parts: where points are, to which part they belong, what is out."""

import sys

import matplotlib
import numpy as np
import pytest

from kpinn.backend import look
from kpinn.domains import (
    Ball,
    Box,
    Cone,
    Ellipsoid,
    Mesh,
    PointCloud,
    Polygon,
    Polyline,
    Ring,
    Sphere,
)
from kpinn.domains.plots import groups, pictures3d

CHANNEL = Box(x=(0, 2.2), y=(0, 0.41)) - Ball(x=0.2, y=0.2, radius=0.05).named("cylinder")
FLOW = CHANNEL.with_parts(
    inlet=CHANNEL.face(x=0), outlet=CHANNEL.face(x=2.2), walls=CHANNEL.boundary("y")
)
LAKE = Polygon(
    x=[0, 3, 3, 1, 0],
    y=[0, 0, 2, 1.5, 2],
    holes={"island": {"x": [0.5, 1, 1], "y": [0.5, 0.5, 1]}},
    edges={"river": 4},
)
MOVING = Box(t=(0, 8)) * Box(x=(0, 2.2), y=(0, 0.41)) - (
    Box(t=(0, 8)) * Ball(x=0.2, y=0.2, radius=0.05)
).moved(x=lambda t: 0.1 * t).named("disk")
TORUS = Ball(r=2, z=0, radius=0.5).revolved(r="x y")
TETRAHEDRON = (
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]],
)


def points(axes):
    """`{label: points (n, d)}` of what has a name in the legend."""
    handles, labels = axes.get_legend_handles_labels()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == labels
    rows = (_rows(handle) for handle in handles)
    return dict(zip(labels, rows, strict=True))


def _rows(handle):
    in_space = getattr(handle, "_offsets3d", None)  # has no public name
    rows = handle.get_offsets() if in_space is None else np.stack(in_space, axis=1)
    return np.asarray(np.ma.getdata(rows))


def by_name(rows, domain):
    return dict(zip(domain.spatial, rows.T, strict=True))


def arrows(axes):
    """Arrows of a plane picture: tails and vectors, `(n, 2)` each."""
    drawn = [c for c in axes.collections if isinstance(c, matplotlib.quiver.Quiver)]
    tails = np.concatenate([arrow.XY for arrow in drawn])
    return tails, np.concatenate([np.stack([a.U, a.V], axis=1) for a in drawn])


def test_points_are_those_of_the_parts():
    drawn = points(FLOW.plot())
    assert list(drawn) == ["inside", "inlet", "outlet", "walls", "cylinder"]
    assert FLOW.contains(by_name(drawn["inside"], FLOW)).all() and len(drawn["inside"]) == 400
    x, y = drawn["cylinder"].T
    np.testing.assert_allclose(np.hypot(x - 0.2, y - 0.2), 0.05, rtol=1e-9)
    assert (drawn["inlet"][:, 0] == 0).all() and (drawn["outlet"][:, 0] == 2.2).all()
    assert set(drawn["walls"][:, 1]) == {0, 0.41}
    gaps = np.diff(np.sort(drawn["walls"][drawn["walls"][:, 1] == 0, 0]))
    np.testing.assert_allclose(gaps, gaps.mean(), rtol=1e-6)
    lengths = {k: len(v) / 400 for k, v in drawn.items() if k != "inside"}
    expected = {k: FLOW.boundary(k).area / FLOW.boundary().area for k in lengths}
    assert lengths == pytest.approx(expected, abs=0.02)


def test_parts_have_colours_that_all_can_tell_apart():
    handles, labels = FLOW.plot().get_legend_handles_labels()
    shades = [matplotlib.colors.to_hex(h.get_facecolor()[0]) for h in handles]
    assert shades == [look.PALE.lower(), *(c.lower() for c in look.COLOURS[:4])]
    assert labels[0] == "inside"


def test_arrows_point_out():
    tails, vectors = arrows(FLOW.plot())
    assert FLOW.contains(by_name(tails, FLOW)).all()
    assert not FLOW.contains(by_name(tails + 0.3 * vectors, FLOW)).any()
    assert FLOW.contains(by_name(tails - 0.3 * vectors, FLOW)).all()
    axes = FLOW.plot(normals=False)
    assert not any(isinstance(c, matplotlib.quiver.Quiver) for c in axes.collections)


def test_pictures_have_equal_axes_with_names():
    axes = FLOW.plot()
    assert axes.get_aspect() == 1
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
    axes = Ball(x=[0, 0], radius=1).plot()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x[0]", "x[1]")


def test_axes_of_a_figure_are_taken_and_returned():
    given = matplotlib.figure.Figure().subplots()
    assert LAKE.plot(given) is given
    assert LAKE.edge("river").plot(given, points=20) is given
    assert len(points(given)["inside"]) == 400


@pytest.mark.parametrize(
    "domain, expected",
    [
        (LAKE, ["inside", "river", "outer", "island"]),
        (Ring(x=0, y=0, inner=0.5, outer=1), ["inside", "outer", "inner"]),
        (Ball(x=0, y=0, radius=1), ["inside", "boundary"]),
        (Ellipsoid(x=0, y=0, radii=(2, 1)).named("shell"), ["inside", "shell"]),
        (Box(x=(0, 1), y=(0, 1)), ["inside", "x", "y"]),
        (Sphere(x=0, y=0, radius=1), ["points"]),
        (Polyline(x=[0, 1, 1], y=[0, 0, 1]), ["points"]),
        (PointCloud(x=[0, 1, 1], y=[0, 0, 1]), ["points"]),
        (TORUS, ["boundary"]),
        (FLOW.extruded(z=(0, 1)), ["inlet", "outlet", "walls", "cylinder", "z"]),
        (Cone(x=0, y=0, z=(0, 2), radius=1), ["side", "z"]),
    ],
    ids=repr,
)
def test_every_part_is_in_the_legend(domain, expected):
    drawn = points(domain.plot(points=60))
    assert sorted(drawn) == sorted(expected)
    rows = np.concatenate(list(drawn.values()))
    assert domain.contains(by_name(rows, domain)).all()


def test_a_picture_at_a_fixed_time():
    drawn = points(MOVING.plot(fixed={"t": 4}))
    assert list(drawn) == ["inside", "x", "y", "disk"]
    np.testing.assert_allclose(np.hypot(*(drawn["disk"] - [0.6, 0.2]).T), 0.05, rtol=1e-9)
    rows = by_name(drawn["inside"], MOVING) | {"t": np.full(len(drawn["inside"]), 4.0)}
    assert MOVING.contains(rows).all()
    family = Box(mu=(1, 2), parameters="mu") * FLOW
    assert list(points(family.plot(fixed={"mu": 1.5}))) == list(points(FLOW.plot()))


def test_pictures_of_parts():
    assert list(points(FLOW.boundary("cylinder").plot())) == ["cylinder"]
    drawn = points((FLOW.face(x=0) + FLOW.boundary("cylinder")).plot())
    assert list(drawn) == ["inlet", "cylinder"]
    front = FLOW.boundary("cylinder").where(lambda n: n[:, :1] > 0)
    (rows,) = points(front.plot(points=50)).values()
    assert (rows[:, 0] < 0.2).all() and 45 <= len(rows) <= 55
    (rows,) = points((Box(t=(0, 1)) * FLOW).face(t=0).plot(points=50)).values()
    assert FLOW.contains(by_name(rows, FLOW)).all() and len(rows) == 50


@pytest.mark.parametrize(
    "picture, message",
    [
        (lambda: Box(x=(0, 1)).plot(), "two or three dimensions of space, and Box.* has 1"),
        (lambda: Ball(x=[0] * 4, radius=1).plot(), "of space, and Ball.* has 4"),
        (lambda: MOVING.plot(), r"is at one t. Fix it: fixed={'t': 0}"),
        (lambda: MOVING.plot(fixed={"t": 9}), "There is no point of .* at the fixed values"),
        (lambda: MOVING.plot(fixed={"x": 1}), r"at fixed time and parameters, \('t',\), not"),
        (lambda: MOVING.plot(fixed={"t": [1, 2]}), r"fixed\['t'\] needs 1 number"),
        (lambda: FLOW.boundary("cylinder").plot(points=0), "points"),
        (lambda: FLOW.plot3d(), "surfaces in three dimensions of space.*use plot()"),
        (lambda: TORUS.plot3d(opacity=2), "opacity"),
        (lambda: TORUS.plot(matplotlib.figure.Figure().subplots()), "with projection='3d'"),
    ],
)
def test_pictures_that_are_refused(picture, message):
    with pytest.raises(ValueError, match=message):
        picture()


def test_fixed_values_are_a_dict():
    with pytest.raises(TypeError, match="`fixed` must be a dict"):
        MOVING.plot(fixed=4)


@pytest.mark.parametrize(
    "package, picture, message",
    [
        ("matplotlib.figure", FLOW.plot, r"pip install kpinn\[plot\]"),
        ("pyvista", TORUS.plot3d, r"pip install kpinn\[mesh\]"),
    ],
)
def test_without_a_package_the_extra_is_named(monkeypatch, package, picture, message):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=message):
        picture()


# Surfaces


BODIES = {
    "torus": (TORUS, 1e-2),
    "channel": (FLOW.extruded(z=(0, 0.41)), 2e-3),
    "cut ball": (Ball(x=0, y=0, z=0, radius=1) - Box(x=(0, 1), y=(0, 1), z=(0, 1)), 2e-2),
    "lens": (Ball(x=0, y=0, z=0, radius=1) & Ball(x=1, y=0, z=0, radius=1), 2e-2),
    "prism": (LAKE.extruded(z=(0, 1)), 1e-6),
    "tetrahedron": (Mesh(*TETRAHEDRON), 1e-6),
    "sphere": (Sphere(x=0, y=0, z=0, radius=1), 1e-2),
}


@pytest.mark.parametrize("name", BODIES)
def test_triangles_are_the_surface(name):
    body, tolerance = BODIES[name]
    patches = [p for own in groups.of_domain(body, None).values() for p in own]
    vertices, triangles = pictures3d.triangulated(body, patches, 1_500)
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    expected = body.volume if body.is_surface else body.boundary().area
    assert area == pytest.approx(expected, rel=tolerance)
    level = body.level(vertices, np)
    np.testing.assert_allclose(level, 0, atol=1e-6)  # on the boundary, up to its seams


class Plotter:
    """Stands for that of pyvista, which needs a display."""

    def __init__(self):
        self.meshes = {}

    def add_mesh(self, mesh, label, color, opacity):
        self.meshes[label] = (mesh, color, opacity)

    def add_legend(self, **style):
        self.legend = style

    def show_grid(self, **titles):
        self.titles = list(titles.values())


def test_pyvista_gets_a_mesh_for_each_part():
    pytest.importorskip("pyvista")
    plotter, duct = Plotter(), FLOW.extruded(z=(0, 0.41))
    assert duct.plot3d(plotter, points=400, opacity=0.5) is plotter
    assert list(plotter.meshes) == ["inlet", "outlet", "walls", "cylinder", "z"]
    for label, (mesh, _, opacity) in plotter.meshes.items():
        assert mesh.area == pytest.approx(duct.boundary(label).area, rel=2e-2)
        assert opacity == 0.5
    assert len({color for _, color, _ in plotter.meshes.values()}) == 5
    assert plotter.titles == ["x", "y", "z"]
    own = Plotter()
    unsteady = Box(t=(0, 1)) * duct
    unsteady.boundary("cylinder").plot3d(own, points=400, fixed={"t": 0.5})
    assert list(own.meshes) == ["cylinder"]
