"""Vector calculus, against fields whose derivatives are by hand, in Cartesian coordinates."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.operators import (
    Cylindrical,
    Spherical,
    advection,
    strain,
    tensor,
    tensor_divergence,
    traction,
)

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def assert_close(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-13 * max(1, np.abs(expected).max()))


# Fields by hand --------------------------------------------------------------------------------


def rows(*matrix):
    """Matrices `(n, i, j)` from columns."""
    like = sum(each for row in matrix for each in row)
    return np.stack([np.stack([each + 0 * like for each in row], -1) for row in matrix], -2)


class Field:
    """`V = (x^2 y, y z^2, x z + y^3)`, a symmetric tensor and `U = x^2 y + z^3 x`.

    Values and derivatives at places `(n,)`, by hand.
    """

    def __init__(self, x, y, z):
        zero = 0 * x
        self.v = np.stack([x**2 * y, y * z**2, x * z + y**3], -1)
        self.jacobian = rows([2 * x * y, x**2, zero], [zero, z**2, 2 * y * z], [z, 3 * y**2, x])
        self.divergence = (2 * x * y + z**2 + x)[:, None]
        self.curl = np.stack([3 * y**2 - 2 * y * z, -z, -(x**2)], -1)
        self.laplacian = np.stack([2 * y, 2 * y, 6 * y], -1)
        self.gradient = np.stack([2 * x * y + z**3, x**2, 3 * z**2 * x], -1)
        self.scalar_laplacian = (2 * y + 6 * z * x)[:, None]
        self.tensor_divergence = np.stack([y, 2 * x + x * y, x * z], -1)


def vector(x, y, z):
    return [x**2 * y, y * z**2, x * z + y**3]


def scalar(x, y, z):
    return x**2 * y + z**3 * x


def stresses(x, y, z):
    """By rows."""
    return [[x * y, x**2, y], [x**2, z**2, x * y * z], [y, x * y * z, x + y**2]]


def cylinder(points):
    """The unit vectors along the coordinates, by rows, and Cartesian coordinates."""
    r, a, z = (points[:, i : i + 1] for i in range(3))
    c, s = tf.cos(a), tf.sin(a)
    return [[c, s, 0 * c], [-s, c, 0 * c], [0 * c, 0 * c, 1 + 0 * c]], (r * c, r * s, z)


def sphere(points):
    r, t, a = (points[:, i : i + 1] for i in range(3))
    st, ct, ca, sa = tf.sin(t), tf.cos(t), tf.cos(a), tf.sin(a)
    unit = [[st * ca, st * sa, ct], [ct * ca, ct * sa, -st], [-sa, ca, 0 * sa]]
    return unit, (r * st * ca, r * st * sa, r * ct)


SYSTEMS = {
    "cylindrical": (cylinder, Cylindrical(), "r phi z", lambda p: p[:, :1]),
    "spherical": (sphere, Spherical(), "r theta phi", lambda p: (p[:, :1], p[:, 1:2])),
}
PLACES = RNG.uniform([0.3, 0.4, 0.2], [2.0, 2.5, 1.8], (12, 3))


def physical(system, points):
    """All fields by physical components as one function of points, `(n, 1 + 3 + 9)`."""
    unit, at = SYSTEMS[system][0](points)
    v, s = vector(*at), stresses(*at)
    components = [sum(unit[i][k] * v[k] for k in range(3)) for i in range(3)]
    both = [(k, m) for k in range(3) for m in range(3)]
    entries = [sum(unit[i][k] * unit[j][m] * s[k][m] for k, m in both) for i, j in both]
    return tf.concat([scalar(*at), *components, *entries], axis=1)


def values_of(system):
    """Values by name, the place, and at the same points `Field` and unit vectors `(n, 3, 3)`."""
    change, axes, names, place = SYSTEMS[system]
    r, b, c = names.split()
    second = [f"{field}_{axis}_{axis}" for field in "uv" for axis in (r, b, c)]
    asked = ["u", "v", "s", "grad_u", "jac_v", "jac_s", f"u_{b}", *second]
    found = kpinn.derivatives(
        lambda points: physical(system, points), PLACES, asked, names, "u v[3] s[9]"
    )
    unit, at = change(tf.constant(PLACES))
    unit = np.stack([np.concatenate(row, axis=1) for row in unit], axis=1)
    return found, axes, place(tf.constant(PLACES)), Field(*(np.ravel(x) for x in at)), unit


@pytest.mark.parametrize("system", SYSTEMS)
def test_operators_are_those_of_cartesian_coordinates(system):
    f, axes, place, field, unit = values_of(system)
    names = SYSTEMS[system][2].split()
    seconds = {k: [f[f"{k}_{axis}_{axis}"] for axis in names] for k in "uv"}
    first = f["grad_u"][:, :1]
    if system == "spherical":
        first = (first, f["u_theta"])
    turned = np.einsum("nik,nkm,njm->nij", unit, field.jacobian, unit)
    assert_close(axes.gradient(place, f["grad_u"]), np.einsum("nik,nk->ni", unit, field.gradient))
    assert_close(axes.laplacian(place, first, *seconds["u"]), field.scalar_laplacian)
    assert_close(axes.jacobian(place, f["v"], f["jac_v"]), turned)
    assert_close(axes.strain(place, f["v"], f["jac_v"]), (turned + turned.swapaxes(1, 2)) / 2)
    assert_close(axes.divergence(place, f["v"], f["jac_v"]), field.divergence)
    assert_close(axes.curl(place, f["v"], f["jac_v"]), np.einsum("nik,nk->ni", unit, field.curl))
    along = np.einsum("nik,nkm,nm->ni", unit, field.jacobian, field.v)
    assert_close(axes.advection(place, f["v"], f["v"], f["jac_v"]), along)
    laplacian = axes.vector_laplacian(place, f["v"], f["jac_v"], *seconds["v"])
    assert_close(laplacian, np.einsum("nik,nk->ni", unit, field.laplacian))
    divergence = np.einsum("nik,nk->ni", unit, field.tensor_divergence)
    assert_close(axes.tensor_divergence(place, f["s"], f["jac_s"]), divergence)
    symmetric = [0, 4, 8, 5, 2, 1]
    picked = [tf.gather(f[name], symmetric, axis=1) for name in ("s", "jac_s")]
    assert_close(axes.tensor_divergence(place, *picked), divergence)


def test_a_tensor_that_is_not_symmetric_has_its_divergence_by_rows():
    """`e_r e_phi` and `e_phi e_r`, of which both have the divergence `e_phi / r`."""
    axes, r = Cylindrical(), tf.constant([[0.5], [2.0]], tf.float64)
    zero = tf.zeros((2, 9, 3), tf.float64)
    for place in (1, 3):
        components = tf.one_hot([place] * 2, 9, dtype=tf.float64)
        found = np.asarray(axes.tensor_divergence(r, components, zero))
        np.testing.assert_allclose(found[:, 1], 1.0 / r[:, 0], rtol=1e-15)
        np.testing.assert_allclose(found[:, [0, 2]], 0.0)


# Where something depends on fewer coordinates --------------------------------------------------


def swirl(points):
    r, z = points[:, :1], points[:, 1:]
    return tf.concat([r**2 * z, r * z**2, r * z], axis=1)


def test_an_axisymmetric_flow_with_swirl_is_that_by_hand():
    axes, at = Cylindrical("r z"), RNG.uniform(0.3, 2.0, (9, 2))
    f = kpinn.derivatives(swirl, at, "v, jac_v, v_rr, v_zz", "r z", "v[3]")
    r, z = at[:, :1], at[:, 1:]
    assert_close(axes.divergence(r, f["v"], f["jac_v"]), 3 * r * z + r)
    curl = np.concatenate([-2 * r * z, r**2 - z, 2 * z**2], axis=1)
    assert_close(axes.curl(r, f["v"], f["jac_v"]), curl)
    assert_close(axes.strain(r, f["v"], f["jac_v"])[:, 1, 1], (r * z)[:, 0])
    found = axes.vector_laplacian(r, f["v"], f["jac_v"], f["v_rr"], f["v_zz"])
    assert_close(found, np.concatenate([3 * z, 2 * r, z / r], axis=1))
    along = axes.advection(r, f["v"], f["v"], f["jac_v"])
    v, w = r**2 * z, r * z  # v_r v_r,r + v_z v_r,z - v_phi^2 / r
    assert_close(along[:, :1], v * 2 * r * z + w * r**2 - r * z**4)
    assert_close(along[:, 1:2], v * z**2 + w * 2 * r * z + v * z**2)


def test_an_axisymmetric_flow_without_swirl_has_two_components():
    axes, at = Cylindrical("z r"), RNG.uniform(0.3, 2.0, (9, 2))

    def flow(points):
        z, r = points[:, :1], points[:, 1:]
        return tf.concat([r * z, r**2 * z], axis=1)

    f = kpinn.derivatives(flow, at, "v, jac_v, v_z_z, v_r_r", "z r", "v[2]")
    z, r = at[:, :1], at[:, 1:]
    assert_close(axes.divergence(r, f["v"], f["jac_v"]), 3 * r * z + r)
    found = axes.vector_laplacian(r, f["v"], f["jac_v"], f["v_z_z"], f["v_r_r"])
    assert_close(found, np.concatenate([z / r, 3 * z], axis=1))


def test_what_depends_on_the_radius_only():
    axes, r = Spherical("r"), RNG.uniform(0.3, 2.0, (9, 1))
    f = kpinn.derivatives(lambda r: r**3, {"r": r}, "u_r, u_rr")
    assert_close(axes.laplacian(r, f["u_r"], f["u_rr"]), 12 * r)
    v, jac_v, v_rr = r**2, 2 * r[:, None], 2 + 0 * r
    assert_close(axes.divergence(r, tf.constant(v), jac_v), 4 * r)
    assert_close(axes.vector_laplacian(r, tf.constant(v), jac_v, v_rr), 4 + 0 * r)
    zero = 0 * r
    stress = tf.constant(np.concatenate([r**2, r, r, zero, zero, zero], axis=1))
    slope = np.concatenate([2 * r, 1 + zero, 1 + zero, zero, zero, zero], axis=1)[:, :, None]
    found = axes.tensor_divergence(r, stress, slope)
    assert_close(found, np.concatenate([4 * r - 2, zero, zero], axis=1))
    f = kpinn.derivatives(lambda r: tf.math.log(r), {"r": r}, "u_r, u_rr")
    assert_close(Cylindrical("r").laplacian(r, f["u_r"], f["u_rr"]), zero)


def test_a_laplacian_is_propagated_as_one_operator():
    axes, printed = Cylindrical("r z"), []

    def laplace(r, u_r, u_rr, u_zz):
        return axes.laplacian(r, u_r, u_rr, u_zz)

    pinn = kpinn.PINN(kpinn.networks.MLP(4, 1), "r z", "u", [laplace])
    pinn.describe(printed.append)
    assert "as one operator" in printed[0]
    points = {"r": RNG.uniform(0.5, 1.0, 9), "z": RNG.uniform(0.5, 1.0, 9)}
    f = pinn.predict_fields(points, "u_r, u_rr, u_zz")
    expected = f["u_rr"] + f["u_zz"] + f["u_r"] / points["r"][:, None]
    np.testing.assert_allclose(pinn.residuals(points)["laplace"], expected, rtol=1e-12, atol=1e-14)


# Cartesian -------------------------------------------------------------------------------------


def test_cartesian_operators_are_those_by_hand():
    at = RNG.uniform(-1, 1, (9, 3))

    def function(points):
        place = [points[:, i : i + 1] for i in range(3)]
        s = stresses(*place)
        return tf.concat([scalar(*place), *vector(*place), *s[0], *s[1], *s[2]], axis=1)

    f = kpinn.derivatives(function, at, "grad_u, v, jac_v, s, jac_s", "x y z", "u v[3] s[9]")
    field = Field(*at.T)
    along = np.sum(field.v * field.gradient, axis=1, keepdims=True)
    assert_close(advection(f["v"], f["grad_u"]), along)
    along = np.einsum("nij,nj->ni", field.jacobian, field.v)
    assert_close(advection(f["v"], f["jac_v"]), along)
    assert_close(strain(f["jac_v"]), (field.jacobian + field.jacobian.swapaxes(1, 2)) / 2)
    assert_close(tensor_divergence(f["jac_s"]), field.tensor_divergence)
    symmetric = [0, 4, 8, 5, 2, 1]
    assert_close(
        tensor_divergence(tf.gather(f["jac_s"], symmetric, axis=1)), field.tensor_divergence
    )
    assert_close(tensor(tf.gather(f["s"], symmetric, axis=1)), tensor(f["s"]))
    n = RNG.uniform(-1, 1, (9, 3))
    expected = np.einsum("nij,nj->ni", np.reshape(f["s"], (9, 3, 3)), n)
    assert_close(traction(f["s"], n), expected)


def test_plane_tensors():
    components = tf.constant([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(tensor(components)[0], [[1.0, 3.0], [3.0, 2.0]])
    jacobian = tf.constant([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])  # xx, yy, xy
    np.testing.assert_array_equal(tensor_divergence(jacobian), [[31.0, 23.0]])
    rows = tf.constant([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]]])
    np.testing.assert_array_equal(tensor_divergence(rows), [[21.0, 43.0]])


class Plate(kpinn.PINN):
    """A stress that is a derived field with the rows of a matrix, from the strain."""

    coordinates, fields = "x y", "v[2]"

    @kpinn.field(size=4)
    def stress(self, jac_v, div_v):
        pressure = ops.expand_dims(2.0 * div_v, 2) * np.eye(2)
        return pressure + 1.4 * strain(jac_v)

    @kpinn.condition
    def balance(self, jac_stress):
        return tensor_divergence(jac_stress)

    @kpinn.condition
    def free(self, stress, n):
        return traction(stress, n)


def test_an_elastic_plate_is_that_by_hand():
    """`u = x^2 y`, `v = x y^2`: div(stress) is `(lambda + mu) grad(div) + mu laplacian`."""
    truth = kpinn.manufactured(Plate, lambda x, y: ops.concatenate([x**2 * y, x * y**2], 1))
    at = RNG.uniform(0, 1, (7, 2))
    points = {"x": at[:, 0], "y": at[:, 1], "n": RNG.uniform(-1, 1, (7, 2))}
    x, y, n = at[:, :1], at[:, 1:], points["n"]
    found = truth.residuals(points)
    expected = 2.7 * 4 * np.concatenate([y, x], 1) + 0.7 * 2 * np.concatenate([y, x], 1)
    assert_close(found["balance"], expected)
    shear, normal = 0.7 * (x**2 + y**2), 8 * x * y + 2.8 * x * y
    force = [normal * n[:, :1] + shear * n[:, 1:], shear * n[:, :1] + normal * n[:, 1:]]
    assert_close(found["free"], np.concatenate(force, axis=1))


# Mistakes --------------------------------------------------------------------------------------

ONE, TWO = np.ones((3, 1)), np.ones((3, 2))
SQUARE = np.ones((3, 2, 2))
WRONG = [
    (lambda: advection(TWO, ONE), r"v has the shape \(3, 2\) and gradient \(3, 1\)"),
    (lambda: advection(TWO[0], TWO), "v has the shape"),
    (lambda: strain(TWO), r"jacobian has the shape \(3, 2\)"),
    (lambda: strain(np.ones((3, 3, 2))), r"jacobian has the shape \(3, 3, 2\)"),
    (lambda: tensor(TWO), r"components has the shape \(3, 2\)"),
    (lambda: tensor_divergence(np.ones((3, 4, 3))), "over 2 coordinates"),
    (lambda: tensor_divergence(TWO), "jacobian has the shape"),
    (lambda: Cylindrical("r theta"), "axes 'r theta': expected 'r' and some of phi, z"),
    (lambda: Cylindrical("phi z"), "axes 'phi z': expected 'r'"),
    (lambda: Cylindrical("r r"), "axes 'r r'"),
    (lambda: Cylindrical(3), "axes are names"),
    (lambda: Cylindrical("r z").divergence(ONE, ONE, SQUARE), "v has the shape"),
    (lambda: Cylindrical("r").divergence(ONE, ONE, SQUARE), "jac_v has the shape"),
    (lambda: Cylindrical("r z").gradient(ONE, ONE), "grad_u has the shape"),
    (lambda: Cylindrical("r z").laplacian(ONE, ONE, ONE), "second are 1 derivatives"),
    (lambda: Cylindrical("r z").laplacian(ONE, (ONE, ONE), ONE, ONE), "first are 2 .* along r"),
    (lambda: Spherical("r theta").gradient(ONE, TWO), "place has 1 parts: expected r and theta"),
    (lambda: Spherical("r").gradient((ONE, ONE), ONE), "place has 2 parts: expected r for"),
    (
        lambda: Spherical("r").divergence(ONE, np.ones((3, 3)), np.ones((3, 3, 1))),
        "components along r",
    ),
    (lambda: Cylindrical("r z").tensor_divergence(ONE, np.ones((3, 4)), SQUARE), "9 or 6"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_shapes_and_names_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
