"""`kpinn.networks.Fields`: one network from several, each with its own coordinates."""

import keras
import numpy as np
import pytest
from keras import ops

import kpinn
from kpinn.networks import MLP, Fields

POINTS = {n: np.random.default_rng(i).uniform(size=(6, 1)) for i, n in enumerate("txy")}


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


class Wave(keras.layers.Layer):
    """`sin` of a sum of the columns times 1, 2, 3, ..., and its product with a weight."""

    def build(self, shape):
        self.size = self.add_weight(shape=(), initializer="ones", name="size")

    def call(self, points):
        factors = ops.arange(1.0, points.shape[1] + 1.0, dtype=points.dtype)
        return self.size * ops.sin(ops.sum(factors * points, axis=1, keepdims=True))


class Diffusion(kpinn.PINN):
    coordinates, fields = "t x y", "u k s"

    @kpinn.condition
    def balance(self, u_t, grad_u, laplacian_u, k, grad_k):
        return u_t - k * laplacian_u - ops.sum(grad_u * grad_k, axis=1, keepdims=True)

    @kpinn.condition
    def front(self, s_t, s_tt, s_x, laplacian_s, k_t, hessian_k):
        parts = [s_t, s_tt, s_x, laplacian_s, k_t, hessian_k[:, 0]]
        return ops.concatenate(parts, axis=1)

    @kpinn.condition
    def data(self, u):
        return u


def network():
    return Fields({"u": Wave(), "k": (Wave(), "y x"), "s": (Wave(), "t")}, coordinates="t x y")


def closed_forms():
    t, x, y = (POINTS[name] for name in "txy")
    u, k = t + 2 * x + 3 * y, y + 2 * x
    balance = np.cos(u) + 13 * np.sin(k) * np.sin(u) - 7 * np.cos(u) * np.cos(k)
    zero = np.zeros_like(t)
    hessian = [-4 * np.sin(k), -2 * np.sin(k)]
    front = np.hstack([np.cos(t), -np.sin(t), zero, zero, zero, *hessian])
    return {"balance": balance, "front": front, "data": np.sin(u)}


@pytest.mark.parametrize("method", ["auto", "taylor", "reverse", "finite_difference"])
def test_each_network_sees_its_own_coordinates(method):
    found = Diffusion(network(), method=method).residuals(POINTS)
    for name, expected in closed_forms().items():
        tolerance = 1e-5 if method == "finite_difference" else 1e-13
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=tolerance)


def test_the_network_is_one():
    one = network()
    t, x, y = (POINTS[name] for name in "txy")
    values = np.asarray(one(np.hstack([t, x, y])))
    expected = np.sin(np.hstack([t + 2 * x + 3 * y, y + 2 * x, t]))
    np.testing.assert_allclose(values, expected, atol=1e-15)
    assert len(one.trainable_variables) == 3


def test_networks_that_nothing_is_asked_of_are_not_evaluated():
    class Failing(keras.layers.Layer):
        asked = 0

        def call(self, points):
            Failing.asked += 1
            return points[:, :1]

    pinn = kpinn.PINN(Fields({"u": MLP(4, 1), "k": Failing()}, "x"), "x", "u k", [slope])
    before = Failing.asked
    pinn.residuals({"x": POINTS["x"]})
    pinn.predict_fields({"x": POINTS["x"]}, "u, u_x")
    assert Failing.asked == before
    pinn.predict_fields({"x": POINTS["x"]}, "k")
    assert Failing.asked > before


def slope(u_x):
    return u_x


def test_describe_counts_what_is_zero_as_nothing():
    """A Laplacian in three coordinates of a network that sees one of these."""

    def equation(laplacian_k):
        return laplacian_k

    every = kpinn.PINN(Fields({"k": MLP(4, 1)}, "x y z"), "x y z", "k", [equation])
    one = kpinn.PINN(Fields({"k": (MLP(4, 1), "y")}, "x y z"), "x y z", "k", [equation])
    assert passes(every) == 5  # the value, three slopes, the sum
    assert passes(one) == 3


def passes(pinn):
    lines = []
    pinn.describe(lines.append)
    return int(lines[0].splitlines()[1].split()[3])


def test_all_are_trained_and_saved_with_their_weights(tmp_path):
    pinn = Diffusion(network())
    pinn.compile(kpinn.optimizers.LevenbergMarquardt())
    first = pinn.fit(POINTS, epochs=1, verbose=0).history["loss"][0]
    assert pinn.fit(POINTS, epochs=5, verbose=0).history["loss"][-1] < first
    assert all(float(variable) != 1.0 for variable in pinn.network.trainable_variables)
    pinn.network.save(tmp_path / "fields.keras")
    custom = {"Wave": Wave}
    other = keras.saving.load_model(tmp_path / "fields.keras", custom_objects=custom)
    points = np.hstack([POINTS[name] for name in "txy"])
    np.testing.assert_array_equal(other(points), pinn.network(points))


def test_vectors_several_inputs_and_parameters():
    x, y = keras.Input((1,), name="x"), keras.Input((1,), name="y")
    functional = keras.Model([x, y], ops.concatenate([x * y, x + y], axis=1))

    def divergence(div_v, p_mu, v_mu):
        return ops.concatenate([div_v, p_mu, v_mu], axis=1)

    parts = Fields({"v[2]": (functional, "x y"), "p": (Wave(), "mu")}, "x y mu")
    pinn = kpinn.PINN(parts, "x y", "v[2] p", [divergence], parameters="mu")
    points = {"x": POINTS["x"], "y": POINTS["y"], "mu": POINTS["t"]}
    found = pinn.residuals(points)["divergence"]
    expected = np.hstack([points["y"] + 1, np.cos(points["mu"]), np.zeros((6, 2))])
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_inside_another_layer_it_is_a_network_like_others():
    doubled = keras.Sequential([network(), keras.layers.Rescaling(2.0, dtype="float64")])
    pinn = kpinn.PINN(doubled, "t x y", "u k s", [slope_of_k])
    t = 2 * np.cos(POINTS["y"] + 2 * POINTS["x"])
    np.testing.assert_allclose(pinn.residuals(POINTS)["slope_of_k"], t, atol=1e-14)


def slope_of_k(k_y, k_t):
    return k_y + k_t


BAD = [
    (lambda: Fields({}, "x"), "networks is {}: expected a dict"),
    (lambda: Fields({"u": 3}, "x"), "expected for the names of fields a Keras layer"),
    (lambda: Fields({"u": (MLP(), "z")}, "x"), "'z' is none of the coordinates x"),
    (lambda: Fields({"u": MLP(), "u v": MLP()}, "x"), "'u' is named twice"),
    (lambda: Fields({"u": MLP(), "v": MLP(dtype="float32")}, "x"), "in float64 and"),
    (lambda: Fields({"u v": MLP()}, "x")(np.zeros((2, 1))), "expected (n, 2)"),
    (lambda: kpinn.PINN(Fields({"u": MLP()}, "y"), "x", "u", [slope]), "coordinates of the"),
    (lambda: kpinn.PINN(Fields({"v": MLP()}, "x"), "x", "u", [slope]), "fields of the"),
]


@pytest.mark.parametrize("make, message", BAD, ids=[message for _, message in BAD])
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)
