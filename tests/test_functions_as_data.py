"""Functions as data: a branch evaluated once for each function, and mini-batches of functions."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn

COUNT, PLACES, WIDTH = 6, 4, 5
RNG = np.random.default_rng(0)
X, F = RNG.uniform(size=(COUNT, PLACES, 1)), RNG.normal(size=(COUNT, 1, 3))
SETS = {"x": X, "f": np.repeat(F, PLACES, axis=1), "source": np.sin(X + F[:, :, :1])}
POINTS = {name: values.reshape(-1, values.shape[-1]) for name, values in SETS.items()}


class ByRow(keras.layers.Layer):
    """A DeepONet whose branch is evaluated for each row."""

    def __init__(self):
        super().__init__(dtype="float64")
        self.branch = kpinn.networks.MLP(4, 1, WIDTH, dtype="float64")
        self.trunk = kpinn.networks.MLP(4, 1, WIDTH, dtype="float64")

    def call(self, rows):
        return ops.sum(self.features(rows[:, 1:]) * self.trunk(rows[:, :1]), axis=1, keepdims=True)

    def features(self, functions):
        return self.branch(functions)


@kpinn.derivatives.independent
class ByFunction(ByRow):
    """The same, whose branch is evaluated for each function."""

    def features(self, functions):
        repeated = ops.repeat(self.branch(functions[::PLACES]), PLACES, axis=0)
        return repeated[: ops.shape(functions)[0]]


def equation(u_x, source):
    return u_x - source


def made(network=ByFunction):
    keras.utils.set_random_seed(0)
    pinn = kpinn.PINN(network(), "x", "u", conditions=[equation], parameters="f[3]")
    pinn.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    return pinn


def batches(sets, size):
    """As in `docs/networks.md`."""
    tensors = {name: tf.constant(values) for name, values in sets.items()}
    count = len(next(iter(sets.values())))

    def chosen(rows):
        found = {name: tf.gather(values, rows) for name, values in tensors.items()}
        return {name: tf.reshape(part, (-1, part.shape[-1])) for name, part in found.items()}

    order = tf.data.Dataset.range(count).shuffle(count, seed=1).repeat()
    return order.batch(size).map(chosen)


WAYS = {
    "arrays": (lambda: POINTS, {"batch_size": 2 * PLACES, "shuffle": False}),
    "dataset": (lambda: batches(SETS, 2), {"steps_per_epoch": 3}),
}


@pytest.mark.parametrize("way", WAYS)
def test_mini_batches_of_functions_train_as_by_row(way):
    points, schedule = WAYS[way]
    losses = [
        made(network).fit(points(), **schedule, epochs=2, verbose=0).history["loss"]
        for network in (ByRow, ByFunction)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-9)


def matrices(network):
    """The rows of each matrix product in the gradient of a loss."""
    trained = network.trainable_variables

    def gradient(points, source):
        with tf.GradientTape() as tape:
            u_x = kpinn.derivatives(network, points, "u_x", "x", "u", parameters="f[3]")["u_x"]
            loss = tf.reduce_mean((u_x - source) ** 2)
        return tape.gradient(loss, trained)

    given = np.hstack([POINTS["x"], POINTS["f"]]), POINTS["source"]
    specs = [tf.TensorSpec(each.shape, "float64") for each in given]
    graph = tf.function(gradient).get_concrete_function(*specs).graph
    products = [each for each in graph.get_operations() if each.type == "MatMul"]
    rows = [max(size for tensor in each.inputs for size in tensor.shape) for each in products]
    assert all(rows)
    return rows


def test_the_branch_is_evaluated_once_for_each_function():
    by_row, by_function = (matrices(made(each).network) for each in (ByRow, ByFunction))
    assert by_row.count(COUNT) == 0 and by_function.count(COUNT) == 5
    assert by_row.count(COUNT * PLACES) - by_function.count(COUNT * PLACES) == 5


def test_rows_of_a_function_that_a_batch_takes_apart_are_refused():
    pinn, known = made(), made(ByRow)
    known.set_weights(pinn.get_weights())
    for schedule in ({"batch_size": 2 * PLACES}, {"batch_size": PLACES - 1, "shuffle": False}):
        with pytest.raises(ValueError, match="declared independent.*batch_size.*whole groups"):
            pinn.fit(POINTS, **schedule, verbose=0)
        known.fit(POINTS, **schedule, verbose=0)
    known.set_weights(pinn.get_weights())
    for predict in (pinn.predict_fields, pinn.residuals):
        with pytest.raises(ValueError, match="declared independent.*batch_size.*whole groups"):
            predict(POINTS, batch_size=PLACES + 1)
    u, expected = (
        each.predict_fields(POINTS, batch_size=2 * PLACES)["u"] for each in (pinn, known)
    )
    np.testing.assert_allclose(u, expected, rtol=1e-12)


def test_more_points_than_are_evaluated_at_a_time_are_checked_whole(monkeypatch):
    monkeypatch.setattr("kpinn.training.fit.CHUNK", PLACES + 1)
    history = made().fit(POINTS, epochs=1, verbose=0).history["loss"]
    np.testing.assert_allclose(history, made(ByRow).fit(POINTS, verbose=0).history["loss"])
