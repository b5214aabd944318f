"""Plain data: all its digits are kept, and what is no array of real numbers is refused by name."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn

X, DIGITS = 0.1, {"rel": 1e-14}  # in float32 0.1 differs from it by 1.5e-9


@pytest.fixture
def float64():
    kpinn.set_float64()


class Digits(kpinn.PINN):
    """A residual in which each number that a user gives has its own size."""

    coordinates, fields = "x", "u"

    def __init__(self, network, rate=X):
        super().__init__(network)
        self.rate = rate
        self.unknown("a", X)
        self.unknown("b", X, positive=True)

    @kpinn.condition
    def sizes(self, u, x, f, a, b):
        return 0.0 * u + 1e2 * x + 1e3 * f + 1e4 * a + 1e5 * b + self.rate


EXPECTED = (1e2 + 1e3 + 1e4 + 1e5 + 1) * X
POINTS = {"x": [X], "f": [X]}


def digits():
    pinn = Digits(kpinn.networks.MLP(units=2, depth=1))
    pinn.compile(keras.optimizers.SGD(0.0), loss_weights={"sizes": X}, jit_compile=False)
    return pinn


PATHS = {
    "residuals": lambda pinn: pinn.residuals(POINTS)["sizes"][0, 0],
    "predict": lambda pinn: pinn.predict(POINTS)["sizes"][0, 0],
    "call": lambda pinn: pinn(POINTS)["sizes"][0, 0],
    "residuals_at": lambda pinn: pinn.residuals_at(["sizes"], POINTS)["sizes"][0, 0],
    "jacobian": lambda pinn: kpinn.jacobian(pinn, POINTS)[1][0] / np.sqrt(X),
    "evaluate": lambda pinn: np.sqrt(pinn.evaluate(POINTS, verbose=0)[0] / X),
    "fit": lambda pinn: np.sqrt(pinn.fit(POINTS, verbose=0).history["loss"][0] / X),
    "targets": lambda pinn: pinn.residuals((POINTS, [X]))["sizes"][0, 0] + X,
    "sample_weight": lambda pinn: (
        np.sqrt(pinn.evaluate(POINTS, sample_weight=[X], return_dict=True, verbose=0)["loss"]) / X
    ),
}


@pytest.mark.parametrize("path", PATHS)
def test_lists_keep_their_digits(path, float64):
    assert float(PATHS[path](digits())) == pytest.approx(EXPECTED, **DIGITS)


def test_attributes_that_change_keep_their_digits(float64):
    pinn = digits()
    for rate in (0.3, 0.7, 1.1):
        pinn.rate = rate
        found = pinn.residuals(POINTS)["sizes"][0, 0]
        assert found == pytest.approx(EXPECTED - X + rate, **DIGITS)


@pytest.mark.parametrize("points", [{"x": [X]}, {"x": (X,)}, {"x": [[X]]}, [[X]]], ids=str)
def test_derivatives_of_lists(points, float64):
    """A float32 number would be wrong in the seventh digit of the frequency times it."""
    found = kpinn.derivatives(lambda x: ops.sin(1000 * x), points, "u_xx", coordinates="x")
    assert float(found["u_xx"][0, 0]) == pytest.approx(-1e6 * np.sin(1000 * X), rel=1e-12)


def test_parameters_and_vectors_in_lists(float64):
    network = kpinn.networks.MLP(units=2, depth=1)
    network.build((None, 1))
    theta, apply = kpinn.destructure(network)
    assert float(apply(theta.numpy().tolist(), [[X]])[0, 0]) == float(
        network(np.array([[X]]))[0, 0]
    )
    pinn, vector = digits(), np.linspace(0.1, 0.9, 9)
    products = [kpinn.jacobian_vector_product(pinn, POINTS, v) for v in (vector, vector.tolist())]
    np.testing.assert_array_equal(*products)


def test_a_dataset_of_lists_has_lost_its_digits(float64):
    pinn, stream = digits(), tf.data.Dataset.from_tensors(({"x": [X], "f": [X]},))
    with pytest.warns(kpinn.PrecisionWarning, match="Make it of float64 arrays"):
        pinn.evaluate(stream, verbose=0)
    pinn.evaluate(tf.data.Dataset.from_tensors(({n: np.array(v) for n, v in POINTS.items()},)))


# What is no array ----------------------------------------------------------------------------

COLUMN = np.linspace(0.1, 0.9, 3)
WRONG = {
    "masked": (np.ma.masked_array(COLUMN, COLUMN > 0.5), "is masked, and its mask would be lost"),
    "masked list": ([np.ma.masked, 0.1, 0.2], "is masked, and its mask would be lost"),
    "complex": (COLUMN + 1j, "its numbers are complex"),
    "complex tensor": (tf.constant(COLUMN + 1j), "its numbers are complex"),
    "objects": (np.array([0.1, None, "a"], object), "its dtype is object"),
    "text": (["a", "b", "c"], "its dtype is <U1"),
    "dates": (np.array(["2026-01-01"] * 3, "datetime64[D]"), "its dtype is datetime64"),
    "ragged": ([[0.1], [0.1, 0.2], [0.3]], "inhomogeneous"),
    "sparse": (tf.sparse.from_dense(COLUMN), ""),
}


class Sampled(kpinn.PINN):
    """A condition with an array of its points."""

    coordinates, fields = "x", "u"

    @kpinn.condition
    def data(self, u, f):
        return u - f


def sampled():
    pinn = Sampled(kpinn.networks.MLP(units=2, depth=1))
    pinn.compile("adam", jit_compile=False)
    return pinn


PLACES = {
    "x": lambda wrong: sampled().fit({"x": wrong, "f": COLUMN}, verbose=0),
    "f": lambda wrong: sampled().residuals({"x": COLUMN, "f": wrong}),
    "targets": lambda wrong: sampled().fit({"x": COLUMN, "f": COLUMN}, {"data": wrong}, verbose=0),
    "sample_weight": lambda wrong: sampled().evaluate(
        {"x": COLUMN, "f": COLUMN}, sample_weight={"data": wrong}, verbose=0
    ),
    "'x' of 'predict_fields'": lambda wrong: sampled().predict_fields({"x": wrong}),
    "'x' is": lambda wrong: kpinn.derivatives(tf.sin, {"x": wrong}, "u_x", coordinates="x"),
    "'points'": lambda wrong: kpinn.derivatives(tf.sin, wrong, "u_x", coordinates="x"),
    "vector": lambda wrong: kpinn.jacobian_vector_product(
        sampled(), {"x": COLUMN, "f": COLUMN}, wrong
    ),
    "`x`": lambda wrong: kpinn.domains.Box(x=(0, 1)).contains({"x": wrong}),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_array_of_real_numbers_is_refused_by_name(kind):
    wrong, message = WRONG[kind]
    for place, call in PLACES.items():
        with pytest.raises(ValueError, match="not an array of real numbers") as error:
            call(wrong)
        assert place in str(error.value) and message in str(error.value)


class Table:
    """As a table of pandas: columns by name."""

    def __init__(self, **columns):
        self.columns, self.items = list(columns), columns.items


@pytest.mark.parametrize("make", [types.MappingProxyType, lambda points: Table(**points)])
def test_mappings_and_tables_are_dicts(make):
    pinn, points = sampled(), {"x": COLUMN, "f": COLUMN}
    expected = pinn.residuals(points)["data"]
    for given in (make(points), {"data": make(points)}, make({"data": points})):
        np.testing.assert_array_equal(pinn.residuals(given)["data"], expected)
    found = kpinn.derivatives(tf.sin, make({"x": COLUMN}), "u_x")["u_x"]
    np.testing.assert_allclose(found[:, 0], np.cos(COLUMN))


@pytest.mark.parametrize("values", [np.array([0, 1, 2]), np.array([False, True, True]), [0, 1, 1]])
def test_whole_numbers_and_booleans_are_numbers(values):
    found = kpinn.derivatives(tf.sin, {"x": values}, "u, u_x")
    np.testing.assert_allclose(found["u"][:, 0], np.sin(np.asarray(values, float)), rtol=1e-6)
    pinn, plain = sampled(), np.asarray(values, "float32")
    found = pinn.residuals({"x": values, "f": values})["data"]
    np.testing.assert_array_equal(found, pinn.residuals({"x": plain, "f": plain})["data"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_that_are_not_finite_are_refused_by_name(bad):
    def square(points):
        return points[:, :1] * points[:, 1:]

    points = {"t": [0.1, 0.2], "x": np.array([0.1, bad])}
    found = r"'x' has NaN or infinity in 1 of 2 values"
    for method in ("taylor", "reverse", "finite_difference"):
        with pytest.raises(ValueError, match=found):
            kpinn.derivatives(square, points, "u_x", method=method)
    with pytest.raises(ValueError, match="'points' has NaN or infinity in 1 of 4 values"):
        kpinn.derivatives(square, [[0.1, 0.2], [bad, 0.3]], "u_x", coordinates="t x")
    with pytest.raises(ValueError, match=found):
        kpinn.check_derivatives(square, points)
    with pytest.raises(ValueError, match="'points' has NaN or infinity in 1 of 4 values"):
        kpinn.check_derivatives(square, {n: tf.constant(x, tf.float32) for n, x in points.items()})


def test_a_missing_array_with_a_near_name_is_proposed():
    with pytest.raises(ValueError, match="asks for 'f', which .* Did you mean 'F'"):
        sampled().fit({"x": COLUMN, "F": COLUMN, "weight": COLUMN}, verbose=0)
    with pytest.raises(ValueError, match="lack the coordinate 'x'.* Did you mean 'X'"):
        sampled().fit({"X": COLUMN, "f": COLUMN}, verbose=0)
    with pytest.raises(ValueError, match="lack the coordinate 'x'.* Did you mean 'X'"):
        kpinn.derivatives(tf.sin, {"X": COLUMN}, "u_x", coordinates="x")
    sampled().residuals({"x": COLUMN, "f": COLUMN, "area": COLUMN})  # others are ignored


class Lists(keras.utils.PyDataset):
    """Batches that Keras cannot take."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return ({"x": [0.1, 0.2], "f": [0.1, 0.2]},)


def test_batches_of_lists_are_refused_by_name():
    with pytest.raises(ValueError, match="x: Lists yields lists or numbers"):
        sampled().fit(Lists(), verbose=0)
