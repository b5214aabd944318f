"""Domains, parts and streams as copies and in other processes."""

import copy
import pickle

import keras
import numpy as np
import pytest

from kpinn import domains

TIME = domains.Box(t=(0, 1))
DISK = domains.Ball(x=0.2, y=0.2, radius=0.05)
FLOW = domains.Box(x=(0, 2.2), y=(0, 0.41)) - DISK.named("cylinder")
NAMED = FLOW.with_parts(inlet=FLOW.face(x=0), walls=FLOW.boundary("y"))
CORNERS = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


def left(x):
    return x < 0.2


def path(t):
    return 0.3 * keras.ops.sin(t)


def front(n):
    return n[:, :1] > 0


DOMAINS = [
    domains.Box(t=(0, 1), x=([0, 0], [1, 2])),
    domains.Box(mu=(1, 2), parameters="mu") * FLOW,
    domains.Ball(x=[0, 0, 0], radius=1),
    domains.Ring(x=0, y=0, inner=0.5, outer=1),
    domains.Sphere(x=0, y=0, z=0, radius=1) & domains.Box(x=(-1, 1), y=(-1, 1), z=(0, 1)),
    domains.Ellipsoid(x=0, y=0, radii=(2, 1)),
    domains.Cylinder(x=(0, 5), y=0, z=0, radius=1),
    domains.Cone(x=0, y=0, z=(0, 2), radius=(1, 0.5)),
    domains.Simplex(x=[0, 1, 0], y=[0, 0, 1]),
    domains.Polygon(x=[0, 2, 2, 0], y=[0, 0, 2, 2], holes=[{"x": [0, 1, 1], "y": [1, 0.5, 1.5]}]),
    domains.Polyline(x=[0, 0.5, 0.6], y=[0, 0.1, 0.5]),
    domains.Curve(lambda s: (np.cos(s), np.sin(s)), (0, 2 * np.pi)),  # kept as polynomials
    domains.PointCloud(x=[0.0, 1.0, 3.0], n=[1.0, -1.0, 1.0], weights=[1.0, 2.0, 1.0]),
    domains.Mesh(CORNERS, [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]),
    NAMED,
    TIME * NAMED,
    (TIME * DISK).moved(x=path).named("disk"),
    FLOW.moved(x=1).scaled(2).rotated(0.2),
    FLOW.extruded(z=(0, 1)),
    domains.Ball(r=2, z=0, radius=0.5).revolved(r="x y"),
    TIME * FLOW - (TIME * domains.Ball(x=1, y=0.2, radius=0.1)).moved(x=path).named("disk"),
]
PARTS = [
    FLOW.face(x=0),
    FLOW.boundary(),
    NAMED.boundary("cylinder", "walls"),
    NAMED.boundary("cylinder").where(left),
    NAMED.boundary("cylinder").where(front).where(left),
    FLOW.face(x=0) + FLOW.boundary("cylinder"),
    FLOW.boundary().where(left) + FLOW.boundary("y"),
    FLOW.boundary().faces[1],
    (TIME * NAMED).face(t=0),
    FLOW.with_parts(a=FLOW.boundary().where(left), b=FLOW.boundary("y")).boundary("a", "b"),
    DOMAINS[-1].boundary("disk"),
    domains.Polygon(x=[0, 2, 0], y=[0, 0, 1]).edge(1),
]


def pickled(value):
    return pickle.loads(pickle.dumps(value))


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("copied", [pickled, copy.deepcopy])
@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_domains(domain, copied):
    again = copied(domain)
    assert repr(again) == repr(domain) and again.coordinates == domain.coordinates
    assert_same(again.sample(20, seed=0), domain.sample(20, seed=0))
    assert again.volume == domain.volume and again.parameters == domain.parameters
    if domain.border:
        border, same = domain.boundary(), again.boundary()
        assert_same(same.sample(20, seed=0), border.sample(20, seed=0))


@pytest.mark.parametrize("copied", [pickled, copy.deepcopy])
@pytest.mark.parametrize("part", PARTS, ids=str)
def test_parts(part, copied):
    again = copied(part)
    assert repr(again) == repr(part) and again.names == part.names and again.fixed == part.fixed
    assert_same(again.sample(20, seed=0), part.sample(20, seed=0))
    assert again.area == part.area


def test_a_domain_and_its_parts_stay_together():
    """So that parts can be added, and given names."""
    flow, inlet, walls = pickled((FLOW, FLOW.face(x=0), FLOW.boundary("y")))
    assert inlet.domain is flow and (inlet + walls).area == pytest.approx(4.81)
    named = flow.with_parts(inlet=inlet, walls=walls)
    assert named.boundary("walls").area == pytest.approx(4.4)


@pytest.mark.parametrize("seed", [None, 3])
def test_streams(seed):
    stream = NAMED.boundary("cylinder").stream(16, seed, extras="w tangents")
    np.random.seed(0)
    again = pickled(stream)
    following = np.random.random()
    np.random.seed(0)
    assert np.random.random() == following  # making it again drew nothing
    assert repr(again) == repr(stream) and again.extras == stream.extras
    assert_same(again.points(), stream.points())
    if seed is not None:
        assert_same(again.points(1, 2), stream.points(1, 2))


@pytest.mark.parametrize(
    "thing",
    [
        (TIME * DISK).moved(x=lambda t: 0.3 * t),
        FLOW.boundary().where(lambda x: x < 0.2),
        FLOW.with_parts(left=FLOW.boundary().where(lambda x: x < 0.2)),
    ],
    ids=["moved", "where", "with_parts"],
)
def test_functions_without_a_name_are_copied_but_not_pickled(thing):
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(thing)
    source = thing.boundary() if hasattr(thing, "boundary") else thing
    copied = copy.deepcopy(source)
    assert_same(copied.sample(9, seed=0), source.sample(9, seed=0))
