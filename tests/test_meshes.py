"""Closed triangle meshes: areas and volumes in closed form, normals, points inside, faults."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kpinn.domains import Ball, Box, Mesh, Polygon

CUBE = (
    np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)]),
    np.array(
        [
            [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
            [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
        ]
    ),
)  # fmt: skip


def prism(ring, height=1.0):
    """Vertices and faces of a prism over a star-shaped polygon `(n, 2)` around the origin."""
    n = len(ring)
    low, high = (np.column_stack([ring, np.full(n, z)]) for z in (0.0, height))
    middle = [[0.0, 0.0, 0.0], [0.0, 0.0, height]]
    this, after = np.arange(n), (np.arange(n) + 1) % n
    faces = [
        np.column_stack([this, after, after + n]),
        np.column_stack([this, after + n, this + n]),
        np.column_stack([after, this, np.full(n, 2 * n)]),
        np.column_stack([this + n, after + n, np.full(n, 2 * n + 1)]),
    ]
    return np.concatenate([low, high, middle]), np.concatenate(faces)


def torus(around=24, across=12, large=1.0, small=0.4):
    """Vertices and faces of a torus of quadrangles, cut into triangles."""
    u, v = np.meshgrid(np.arange(around), np.arange(across), indexing="ij")
    a, b = 2 * np.pi * u / around, 2 * np.pi * v / across
    radius = large + small * np.cos(b)
    vertices = np.stack([radius * np.cos(a), radius * np.sin(a), small * np.sin(b)], axis=-1)

    def number(i, j):
        return ((u + i) % around) * across + (v + j) % across

    one = np.stack([number(0, 0), number(1, 0), number(1, 1)], axis=-1)
    two = np.stack([number(0, 0), number(1, 1), number(0, 1)], axis=-1)
    return vertices.reshape(-1, 3), np.concatenate([one.reshape(-1, 3), two.reshape(-1, 3)])


def twisted(angle=0.15):
    """An L-shaped prism whose top is turned, so that no Delaunay tetrahedra have its faces."""
    ring = np.array([[0, 0], [2, 0], [2, 0.2], [0.2, 0.2], [0.2, 2], [0, 2]]) - 0.1
    vertices, faces = prism(ring)
    x, y, z = vertices.T
    turn = angle * z
    turned = [x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn), z]
    return np.stack(turned, axis=1), faces


def cone_volume(vertices, faces):
    """The volume as a sum of signed tetrahedra with a corner at the origin."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return np.sum(np.cross(a, b) * c) / 6


def area(vertices, faces):
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return np.sum(np.linalg.norm(np.cross(b - a, c - a), axis=1)) / 2


def solid_angle(vertices, faces, rows):
    """Of the whole surface, as a share of that of a sphere (van Oosterom and Strackee)."""
    a, b, c = (vertices[faces][:, i] - rows[:, None] for i in range(3))
    x, y, z = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    over = np.sum(a * np.cross(b, c), axis=-1)
    under = x * y * z + np.sum(a * b, -1) * z + np.sum(b * c, -1) * x + np.sum(a * c, -1) * y
    return np.arctan2(over, under).sum(axis=1) / (2 * np.pi)


MESHES = {"cube": CUBE, "torus": torus(), "prism": prism(np.array([[1, 0], [0, 1], [-1, -1.0]]))}


@pytest.mark.parametrize("name", MESHES)
def test_area_volume_and_membership(name):
    vertices, faces = MESHES[name]
    mesh = Mesh(vertices, faces)
    assert mesh.volume == pytest.approx(cone_volume(vertices, faces), rel=1e-13)
    assert mesh.boundary().area == pytest.approx(area(vertices, faces), rel=1e-13)
    rows = np.random.default_rng(0).uniform(-1.5, 1.5, (2000, 3))
    inside = solid_angle(vertices, faces, rows) > 0.5
    np.testing.assert_array_equal(mesh.level(rows, np) < 0, inside)
    assert mesh.tetrahedra is not None
    points = mesh.sample(500, "sobol", seed=0)
    assert mesh.contains(points).all()
    assert (solid_angle(vertices, faces, mesh.frame.rows(points)) > 0.5).all()


def test_quadrature_of_a_torus_against_the_flux_through_its_faces():
    vertices, faces = torus()
    points, weights = Mesh(vertices, faces).quadrature(1)
    assert weights.min() > 0
    assert weights.sum() == pytest.approx(cone_volume(vertices, faces), rel=1e-12)
    points, weights = Mesh(vertices, faces).quadrature(30_000)
    # The integral of x**2 over a tetrahedron with a corner at the origin, in closed form.
    corners = vertices[faces]
    x = corners[..., 0]
    sizes = np.linalg.det(corners) / 6
    exact = np.sum(sizes * ((x**2).sum(axis=1) + x.sum(axis=1) ** 2)) / 20
    assert np.sum(weights * points["x"] ** 2) == pytest.approx(exact, rel=1e-11)


def test_quadrature_on_the_boundary_of_a_torus():
    vertices, faces = torus()
    points, weights = Mesh(vertices, faces).boundary().quadrature(4 * len(faces))
    assert np.sum(weights) == pytest.approx(area(vertices, faces), rel=1e-13)
    flux = np.sum(weights * points["z"] * points["n"][:, 2:])
    assert flux == pytest.approx(cone_volume(vertices, faces), rel=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.3, 2.0), min_size=5, max_size=14), st.floats(0.2, 3.0))
def test_prisms_over_random_stars(radii, height):
    angles = 2 * np.pi * np.arange(len(radii)) / len(radii)
    ring = np.array(radii)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    mesh = Mesh(*prism(ring, height))
    after = np.roll(ring, -1, axis=0)
    base = np.sum(ring[:, 0] * after[:, 1] - ring[:, 1] * after[:, 0]) / 2
    assert mesh.volume == pytest.approx(base * height, rel=1e-12)
    points, weights = mesh.quadrature(1)
    assert weights.sum() == pytest.approx(base * height, rel=1e-11)
    assert np.sum(weights * points["z"]) == pytest.approx(base * height**2 / 2, rel=1e-10)


def test_without_tetrahedra_points_come_from_boxes():
    vertices, faces = twisted()
    mesh = Mesh(vertices, faces)
    assert mesh.tetrahedra is None and mesh.inside[0].keep
    points = mesh.sample(4000, seed=0)
    rows = mesh.frame.rows(points)
    assert len(rows) == 4000 and (solid_angle(vertices, faces, rows) > 0.5).all()
    assert mesh.volume == pytest.approx(cone_volume(vertices, faces), rel=1e-13)
    # Uniform: the share of the points in a half is that of the volume.
    other = np.random.default_rng(1).uniform(mesh.lower, mesh.upper, (20_000, 3))
    other = other[solid_angle(vertices, faces, other) > 0.5]
    for axis in range(3):
        assert scipy.stats.ks_2samp(rows[:, axis], other[:, axis]).pvalue > 1e-3
    for domain in (mesh, mesh - Ball(x=0, y=0, z=0, radius=0.3)):
        with pytest.raises(ValueError, match="no quadrature for Mesh.* no tetrahedra were found"):
            domain.quadrature(100)


def test_points_of_a_cube_are_uniform():
    points = Mesh(*CUBE).sample(16_000, seed=0)
    cells = np.floor(4 * np.hstack([points[k] for k in "xyz"])).astype(int) @ [16, 4, 1]
    assert scipy.stats.chisquare(np.bincount(cells, minlength=64)).pvalue > 1e-3


@pytest.mark.parametrize("name", MESHES)
def test_the_boundary_has_outward_normals_and_is_uniform(name):
    vertices, faces = MESHES[name]
    mesh = Mesh(vertices, faces)
    points = mesh.boundary().sample(1500, seed=0)
    rows = mesh.frame.rows(points)
    assert np.abs(mesh.level(rows, np)).max() < 1e-14
    np.testing.assert_allclose(np.linalg.norm(points["n"], axis=1), 1, rtol=1e-14)
    assert (solid_angle(vertices, faces, rows - 1e-6 * points["n"]) > 0.5).all()
    assert (solid_angle(vertices, faces, rows + 1e-6 * points["n"]) < 0.5).all()
    if name == "cube":
        sides = np.argmax(points["n"] @ np.concatenate([np.eye(3), -np.eye(3)]).T, axis=1)
        assert scipy.stats.chisquare(np.bincount(sides, minlength=6)).pvalue > 1e-3


@pytest.mark.parametrize("dtype, near", [("float64", 1e-14), ("float32", 2e-6)])
def test_meshes_are_the_same_in_a_compiled_step(dtype, near):
    mesh = Mesh(*torus())
    rows = np.random.default_rng(0).uniform(-1.5, 1.5, (300, 3)).astype(dtype)
    levels = mesh.level(keras.ops.convert_to_tensor(rows), keras.ops)
    assert keras.backend.standardize_dtype(levels.dtype) == mesh.level(rows, np).dtype == dtype
    np.testing.assert_allclose(levels, mesh.level(rows.astype("float64"), np), atol=near)
    unit = (rows / 3 + 0.5).astype(dtype)
    for patch in (*mesh.inside, *mesh.border):
        own = unit[:, : patch.numbers]
        placed = patch.place(keras.ops.convert_to_tensor(own), keras.ops)
        np.testing.assert_allclose(placed, patch.place(own, np), atol=near)
        assert keras.backend.standardize_dtype(placed.dtype) == dtype
    normals = mesh.border[0].normal(keras.ops.convert_to_tensor(unit[:, :2]), keras.ops)
    np.testing.assert_allclose(normals, mesh.border[0].normal(unit[:, :2], np), atol=near)


@pytest.mark.parametrize("shape", ["torus", "coast"])
@pytest.mark.parametrize("dtype, near", [("float64", 1e-14), ("float32", 2e-6)])
def test_sides_in_a_compiled_step(shape, dtype, near):
    """Of surfaces with many facets: the sign everywhere, the distance near the surface."""
    if shape == "torus":
        domain, width = Mesh(*torus()), 3
    else:
        angles = np.linspace(0, 2 * np.pi, 1500, endpoint=False)
        radii = 1 + 0.3 * np.cos(7 * angles) + 0.05 * np.sin(60 * angles)
        domain, width = Polygon(x=radii * np.cos(angles), y=radii * np.sin(angles)), 2
    border = domain.boundary().sample(1000, seed=0)
    points, normals = domain.frame.rows(border), border["n"]
    close = [points + step * normals for step in (1e-4, -1e-4)]
    random = np.random.default_rng(0)
    far = [random.uniform(-size, size, (2000, width)) for size in (1.5, 4.0)]
    side = tf.function(lambda rows: domain.side(rows, keras.ops), jit_compile=True)
    for rows in (*close, *far):
        rows = rows.astype(dtype)
        found, level = side(tf.constant(rows)).numpy(), domain.level(rows.astype("float64"), np)
        assert found.dtype == dtype
        sure = np.abs(level) > near
        np.testing.assert_array_equal(np.sign(found[sure]), np.sign(level[sure]))
        assert np.all(np.abs(found) >= np.abs(level) - near)
        at = np.abs(level) < 2e-4
        np.testing.assert_allclose(found[at], level[at], atol=near)


def test_a_mesh_turned_inside_out_as_a_whole_is_turned_back():
    vertices, faces = torus()
    outward, inward = Mesh(vertices, faces), Mesh(vertices, faces[:, ::-1])
    assert outward.volume == pytest.approx(inward.volume, rel=1e-15) and inward.volume > 0
    row = np.array([[1.0, 0.0, 0.0]])
    assert inward.level(row, np)[0] < -0.3


def test_a_hollow():
    """A cube in a cube, whose faces look into the hollow."""
    vertices, faces = CUBE
    inner = 0.25 + 0.5 * vertices
    mesh = Mesh(np.concatenate([vertices, inner]), np.concatenate([faces, 8 + faces[:, ::-1]]))
    assert mesh.volume == pytest.approx(1 - 0.125, rel=1e-14)
    rows = np.array([[0.5, 0.5, 0.5], [0.1, 0.5, 0.5], [1.5, 0.5, 0.5]])
    np.testing.assert_allclose(mesh.level(rows, np), [0.25, -0.1, 0.5], atol=1e-15)
    points = mesh.sample(500, seed=0)
    assert np.max(np.abs(mesh.frame.rows(points) - 0.5), axis=1).min() > 0.25


def test_vertices_of_each_triangle_apart_as_in_stl():
    vertices, faces = torus()
    mesh = Mesh(vertices[faces].reshape(-1, 3), np.arange(3 * len(faces)).reshape(-1, 3))
    assert mesh.volume == pytest.approx(cone_volume(vertices, faces), rel=1e-13)


def test_parts_of_a_mesh():
    vertices, faces = CUBE
    mesh = Mesh(vertices, faces, parts={"left": [0, 1], "right": range(2, 4), "corner": 0})
    assert mesh.boundary("left").area == 1 and mesh.boundary("corner").area == 0.5
    assert set(mesh.boundary("right").sample(20)["x"].ravel()) == {1}
    bottom = mesh.boundary().where(lambda n: n[:, 2] < -0.5)
    assert set(bottom.sample(20)["z"].ravel()) == {0}
    vector = Mesh(vertices, faces, coordinates="x[3]")
    assert vector.boundary().sample(5)["x"].shape == (5, 3)


def test_a_convex_mesh_is_known_to_cover_what_is_inside():
    assert Mesh(*CUBE).is_convex and not Mesh(*torus()).is_convex
    hollow = Mesh(*CUBE) - Ball(x=0.5, y=0.5, z=0.5, radius=0.4)
    assert hollow.volume == pytest.approx(1 - 4 / 3 * np.pi * 0.4**3, rel=1e-14)
    assert hollow.volume.error == 0


def test_combinations_and_products():
    cube = Mesh(*CUBE)
    cut = cube - Ball(x=0, y=0, z=0, radius=0.5)
    points = cut.sample(300, seed=0)
    assert np.linalg.norm(cut.frame.rows(points), axis=1).min() > 0.5
    assert (Box(t=(0, 1)) * cube).boundary().sample(5)["n"].shape == (5, 3)


FAULTS = [
    ((CUBE[0], CUBE[1][1:]), "is open: there is a face on one side alone of 3 edges"),
    ((CUBE[0], np.concatenate([CUBE[1][:1, ::-1], CUBE[1][1:]])), "is not oriented.* 3 edges"),
    ((CUBE[0], CUBE[1][:2]), "has 2 faces, and a closed mesh at least 4"),
    ((CUBE[0], CUBE[1] + 1), "has 8 vertices, and its faces name those from 1 to 8"),
    ((CUBE[0], CUBE[1].astype(float)), "are ints, got float64"),
    ((CUBE[0], None), "needs `faces`"),
    ((CUBE[0][:, :2], CUBE[1]), r"got \(8, 2\) and"),
    ((CUBE[0] * np.nan, CUBE[1]), "must be finite"),
    ((CUBE[0] * [1, 1, 0], CUBE[1]), "faces without area, the first one"),
    (("there_is_none.stl",), "There is no file 'there_is_none.stl'"),
]


@pytest.mark.parametrize("arguments, message", FAULTS)
def test_mesh_refuses(arguments, message):
    if isinstance(arguments[0], str):
        pytest.importorskip("trimesh")
    with pytest.raises(ValueError, match=message):
        Mesh(*arguments)


def test_mesh_refuses_bodies_that_touch_at_an_edge():
    vertices, faces = CUBE
    both = np.concatenate([vertices, vertices + [1, 1, 0]])
    with pytest.raises(ValueError, match="more than two faces meet at 1 edges"):
        Mesh(both, np.concatenate([faces, faces + 8]))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"coordinates": "x y"}, "lies in 3 dimensions, got 2"),
        ({"coordinates": "x y t"}, "'t' is time"),
        ({"coordinates": "x y y"}, "'y' is there twice"),
        ({"parts": {"left": 12}}, "no face 12 for the name 'left'.* 0 to 11"),
    ],
)
def test_mesh_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        Mesh(*CUBE, **options)


@pytest.mark.parametrize("kind", ["stl", "obj", "ply"])
def test_files(tmp_path, kind):
    trimesh = pytest.importorskip("trimesh")
    ball = trimesh.creation.icosphere(subdivisions=2)
    path = tmp_path / f"ball.{kind}"
    ball.export(path)
    mesh = Mesh(path)
    assert mesh.volume == pytest.approx(ball.volume, rel=1e-6)
    assert Mesh(ball).boundary().area == pytest.approx(ball.area, rel=1e-13)


def test_without_trimesh_the_error_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "trimesh", None)
    with pytest.raises(ImportError, match=r"pip install kpinn\[geometry\]"):
        Mesh(tmp_path / "ball.stl")
