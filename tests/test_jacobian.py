"""The Jacobian of the residuals: against TensorFlow row by row, differences and mpmath."""

import functools
import re
import warnings

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from keras import layers, ops

import kpinn
from kpinn.derivatives.tensorflow_private import captured
from kpinn.objective.jacobian import residual_jacobian, residual_jvp, residual_vector, residual_vjp
from kpinn.problem.points import Data

BOX = kpinn.domains.Box(t=(0, 1), x=(-1, 1))


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


# Conditions --------------------------------------------------------------------------------


def burgers(u, u_t, u_x, u_xx):
    return u_t + u * u_x - 0.1 * u_xx


def system(x, u, u_t, u_x, u_xx, k):
    return ops.concatenate([u_t + u * u_x - ops.exp(k) * u_xx, ops.sin(u) * u_x + x], axis=1)


def value(u):
    return u


# Networks ----------------------------------------------------------------------------------


def stack(*parts):
    return keras.Sequential([keras.Input((2,)), *parts])


def mlp(units=5, depth=2):
    return kpinn.networks.MLP(units=units, depth=depth)


def of_images(*parts):
    """Layers on `(n, 6, 2)` between dense ones."""
    before = layers.Dense(12, "tanh"), layers.Reshape((6, 2))
    return stack(*before, *parts, layers.Flatten(), layers.Dense(1))


def shared_layer():
    layer, x = layers.Dense(5, "tanh"), keras.Input((2,))
    return keras.Model(x, layers.Dense(1)(layer(layer(layers.Dense(5)(x)))))


def attention():
    x = keras.Input((2,))
    h = layers.Reshape((3, 2))(layers.Dense(6, "tanh")(x))
    return keras.Model(x, layers.Dense(1)(layers.Flatten()(layers.MultiHeadAttention(2, 2)(h, h))))


class Tied(layers.Layer):
    """Weights that are used twice, transposed, normalized, broadcast and as a scalar."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4), name="kernel")
        self.direction = self.add_weight(shape=(shape[-1], 3), name="direction")
        self.size = self.add_weight(shape=(3,), initializer="ones", name="size")
        self.slope = self.add_weight(shape=(), initializer="ones", name="slope")
        self.latent = self.add_weight(shape=(1, 2), initializer="ones", name="latent")

    def call(self, x):
        h = ops.tanh(self.slope * (x @ self.kernel))
        again = ops.silu(h @ ops.transpose(self.kernel))
        norm = ops.sqrt(ops.sum(self.direction**2, axis=0))
        normalized = ops.tanh(x @ (self.size * self.direction / norm))
        latent = ops.broadcast_to(self.latent, (ops.shape(x)[0], 2))
        return ops.concatenate([again, normalized, h, latent], axis=1)


class Hard(keras.Model):
    """Boundary values that hold by construction, with a scalar of its own."""

    def __init__(self):
        super().__init__()
        self.network, self.factor = mlp(), self.add_weight(shape=(), name="factor")

    def call(self, points):
        t, x = points[:, :1], points[:, 1:]
        return ops.sin(np.pi * x) + t * (1 - x**2) * self.network(points) + self.factor * t


class Looped(layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")

    def call(self, x):
        kernel = self.kernel.value

        def step(i, h):
            return i + 1, tf.tanh(h @ kernel)

        return tf.while_loop(lambda i, h: i < 3, step, [0, x])[1]


class Looked(layers.Layer):
    """A row of a table for each point, read by an operation on the variable itself."""

    def build(self, shape):
        self.table = self.add_weight(shape=(3, 4), initializer="normal", name="table")

    def call(self, x):
        where = tf.cast(tf.floor(2.9 * tf.stop_gradient(tf.abs(x[:, 0]))), tf.int32)
        return ops.tanh(ops.concatenate([x, tf.gather(self.table.value, where)], axis=1))


class Scaled(layers.Layer):
    """A product with a gradient of its own."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

    def call(self, x):
        @tf.custom_gradient
        def product(x, factor):
            return x * factor, lambda g: (g * factor, tf.reduce_sum(g * x))

        return product(x, tf.convert_to_tensor(self.factor))


def squares(x):
    return tf.linalg.diag_part(tf.linalg.diag(x) @ tf.linalg.diag(tf.sin(x)))


NETWORKS = {
    "mlp": mlp,
    "layer normalization": lambda: stack(
        *(layers.Dense(6), layers.LayerNormalization(), layers.Activation("tanh")),
        layers.Dense(1),
    ),
    "group normalization": lambda: stack(
        *(layers.Dense(6), layers.GroupNormalization(2), layers.Activation("tanh")),
        layers.Dense(1),
    ),
    "batch normalization": lambda: stack(
        *(layers.Dense(4), layers.BatchNormalization(), layers.Activation("silu")),
        layers.Dense(1),
    ),
    "spectral normalization": lambda: stack(
        layers.Dense(4, "tanh"), layers.SpectralNormalization(layers.Dense(4)), layers.Dense(1)
    ),
    "shared layer": shared_layer,
    "dense on sequences": lambda: of_images(layers.Dense(3, "tanh")),
    "convolution": lambda: of_images(
        layers.Conv1D(3, 3, activation="tanh"), layers.Conv1D(2, 2, padding="same")
    ),
    "pooling": lambda: of_images(layers.Conv1D(2, 3), layers.AveragePooling1D(2)),
    "attention": attention,
    "tied": lambda: stack(layers.Dense(3, "tanh"), Tied(), layers.Dense(1)),
    "hard": Hard,
    "diagonal": lambda: stack(layers.Dense(3, "tanh"), layers.Lambda(squares), layers.Dense(1)),
}
SLOW = {  # where it cannot be proved that points do not influence each other
    "loop": (lambda: stack(layers.Dense(3, "tanh"), Looped(), layers.Dense(1)), "taylor"),
    "table": (lambda: stack(Looked(), layers.Dense(1)), "taylor"),
    "gradient": (lambda: stack(layers.Dense(3, "tanh"), Scaled(), layers.Dense(1)), "reverse"),
    # Their shapes are lost in a loop, or on the way back.
    "recurrent": (
        lambda: stack(layers.Dense(4), layers.Reshape((2, 2)), layers.LSTM(3), layers.Dense(1)),
        "taylor",
    ),
}


def make(network, conditions, method="auto", **compile_arguments):
    """A compiled PINN with random weights and the unknown `k`."""
    pinn = kpinn.PINN(network, "t x", "u", conditions=conditions, method=method)
    pinn.unknown("k", 0.3)
    pinn.compile("adam", jit_compile=False, **compile_arguments)
    rng = np.random.default_rng(0)
    for variable in pinn.trainable_variables:
        variable.assign_add(0.2 * rng.normal(size=variable.shape))
    return pinn


def small(**compile_arguments):
    """Two conditions on points of their own."""
    pinn = make(mlp(depth=1), [burgers, value], **compile_arguments)
    return pinn, {"burgers": BOX.sample(6, seed=0), "value": BOX.face(t=0).sample(4, seed=1)}


# References --------------------------------------------------------------------------------


def by_tape(pinn, points):
    """TensorFlow's Jacobian, with a backward pass for each row."""
    data, values = pinn.prepare(points), [v.value for v in pinn.trainable_variables]

    @tf.function(autograph=False)
    def compute():
        with tf.GradientTape() as tape:
            residuals = residual_vector(pinn.objective, data)
        parts = tape.jacobian(
            residuals, values, unconnected_gradients="zero", experimental_use_pfor=False
        )
        return tf.concat([tf.reshape(part, (part.shape[0], -1)) for part in parts], axis=1)

    return compute().numpy()


def by_differences(pinn, compute, direction):
    """The derivative of residuals along a direction, by differences of fourth order."""
    step = 2.5e-4
    theta = np.concatenate([v.numpy().ravel() for v in pinn.trainable_variables])
    values = {}
    for offset in (-2, -1, 1, 2, 0):
        start = 0
        for variable in pinn.trainable_variables:
            part = (theta + offset * step * direction)[start:][: variable.numpy().size]
            variable.assign(part.reshape(variable.shape))
            start += part.size
        values[offset] = compute().numpy()
    weights = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}
    return sum(weight * values[offset] for offset, weight in weights.items()) / step


def assert_close(actual, expected, tolerance=1e-10):
    largest = np.abs(expected).max()
    assert np.shape(actual) == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * largest)


# The matrix --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_it_equals_tensorflow_row_by_row_and_differences(name):
    pinn, points = make(NETWORKS[name](), [system]), BOX.sample(5, seed=0)
    matrix, _ = kpinn.jacobian(pinn, points)
    assert_close(matrix, by_tape(pinn, points))
    rng, basis, data = np.random.default_rng(1), np.eye(matrix.shape[1]), pinn.prepare(points)
    compute = tf.function(lambda: residual_vector(pinn.objective, data), autograph=False)
    for direction in [basis[0], basis[-1], *rng.normal(size=(2, matrix.shape[1]))]:
        assert_close(matrix @ direction, by_differences(pinn, compute, direction), 1e-8)


@pytest.mark.parametrize(
    ("method", "name", "tolerance"),
    [
        ("reverse", "mlp", 1e-10),
        ("reverse", "convolution", 1e-10),
        ("reverse", "tied", 1e-10),
        ("reverse", "hard", 1e-10),
        # Rounding of a finite difference is amplified by the square of its step.
        ("finite_difference", "mlp", 1e-6),
        ("finite_difference", "batch normalization", 1e-6),
        ("finite_difference", "attention", 1e-6),
        (kpinn.FiniteDifference(step=0.1), "mlp", 1e-10),
    ],
)
def test_other_methods(method, name, tolerance):
    pinn, points = make(NETWORKS[name](), [system], method), BOX.sample(5, seed=0)
    assert_close(kpinn.jacobian(pinn, points)[0], by_tape(pinn, points), tolerance)


def test_it_equals_mpmath():
    pinn, points = make(mlp(4), [burgers]), BOX.sample(3, seed=0)
    matrix, residuals = kpinn.jacobian(pinn, points)
    weights = [variable.numpy() for variable in pinn.network.trainable_variables]

    def equation(function, point):
        axes = [], [0], [1], [1, 1]
        u, u_t, u_x, u_xx = (references.partial(function, point, each) for each in axes)
        return u_t + u * u_x - references.exact(0.1) * u_xx

    for i, point in enumerate(np.concatenate([points["t"], points["x"]], axis=1)):
        parts = references.loss_gradient(references.mlp, weights, point[None], equation)
        of_square = np.concatenate([[0.0], *(part.ravel() for part in parts)])  # first is k
        assert_close(matrix[i], of_square / (2 * len(residuals) * residuals[i]), 1e-12)


@pytest.mark.parametrize("name", SLOW)
def test_where_nothing_can_be_proved_each_row_is_a_backward_pass(name):
    network, method = SLOW[name]
    pinn, points = make(network(), [system], method), BOX.sample(4, seed=0)
    with pytest.warns(kpinn.DerivativeFallbackWarning, match="condition 'system': .* backward"):
        matrix, _ = kpinn.jacobian(pinn, points)
    assert_close(matrix, by_tape(pinn, points))


def test_branches_are_refused():
    def branches(x):
        return tf.cond(tf.reduce_sum(tf.shape(x)) > 3, lambda: tf.sin(x), lambda: tf.cos(x))

    network = stack(layers.Dense(3, "tanh"), layers.Lambda(branches), layers.Dense(1))
    pinn, points = make(network, [system]), BOX.sample(4, seed=0)
    with (
        pytest.warns(kpinn.DerivativeFallbackWarning, match="backward"),
        pytest.raises(ValueError, match="tf.where in the network, or an optimizer without"),
    ):
        kpinn.jacobian(pinn, points)
    # Else no distribution strategy could begin in this process.
    assert tf.compat.v1.get_variable_scope().caching_device is None


def picked(u):
    return ops.take(u, np.array([2, 0, 1, 3, 4, 5]), axis=0)


# What the field of six points is turned into, and whether points influence each other.
MIXED = {
    "mean": (lambda u: u - ops.mean(u), True),
    "mean that is stopped": (lambda u: u * ops.stop_gradient(ops.mean(u)), False),
    "largest": (lambda u: u / ops.max(u), True),
    "sum so far": (lambda u: ops.cumsum(u, axis=0), True),
    "softmax": (lambda u: ops.softmax(u, axis=0), True),
    "reversed": (lambda u: u[::-1], True),
    "reversed twice": (lambda u: ops.flip(ops.flip(u, 0), 0) * u, False),
    "picked": (picked, True),
    "neighbours": (lambda u: ops.concatenate([u[1:] - u[:-1], u[:1]], axis=0), True),
    "first": (lambda u: u - u[:1], True),
    "all pairs": (lambda u: (u @ ops.transpose(u))[:, :1], True),
    "pairs of a row": (lambda u: ops.transpose(ops.transpose(u) * 2.0), False),
    "matrix of the points": (lambda u: ops.eye(6, dtype="float64")[:, ::-1] @ u, True),
    "halves": (lambda u: ops.concatenate(ops.split(u, 2, axis=0), axis=0) * u, False),
    "halves changed": (lambda u: ops.concatenate(ops.split(u, 2, axis=0)[::-1], axis=0), True),
    "other shape": (lambda u: ops.reshape(ops.reshape(u, (2, 3)), (6, 1)) ** 2, False),
    "other order": (lambda u: ops.reshape(ops.transpose(ops.reshape(u, (2, 3))), (6, 1)), True),
    "rolled": (lambda u: ops.roll(u, 1, axis=0), True),
    "sorted": (lambda u: ops.sort(u, axis=0), True),
    "einsum": (lambda u: ops.einsum("ni,nj->nij", u, u)[:, 0], False),
    "einsum over points": (lambda u: ops.einsum("ni,mi->ni", u, u), True),
    "columns": (lambda u: ops.softmax(ops.concatenate([u, u**2, 0 * u], axis=1)), False),
    "tiled": (lambda u: ops.sum(ops.tile(u, (1, 3)) ** 2, axis=1, keepdims=True), False),
    "padded": (lambda u: ops.pad(u, ((1, 0), (0, 0)))[1:], False),
    "shifted": (lambda u: ops.pad(u, ((1, 0), (0, 0)))[:-1], True),
    "only a parameter": (lambda k: ops.broadcast_to(k, (6, 1)), False),
    "nothing": (lambda x: x, False),
    "flat": (lambda u: u[:, 0] ** 2, False),
}


@pytest.mark.parametrize("name", MIXED)
def test_points_that_influence_each_other(name):
    function, mixed = MIXED[name]
    names = {"k": "k", "x": "x"}.get(function.__code__.co_varnames[0], "u")
    conditions = {
        "u": lambda u: function(u),
        "k": lambda k: function(k),
        "x": lambda x: function(x),
    }
    condition = conditions[names]
    condition.__name__ = "condition"
    pinn, points = make(mlp(3, 1), [condition]), BOX.sample(6, seed=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        matrix, _ = kpinn.jacobian(pinn, points)
    assert_close(matrix, by_tape(pinn, points))
    assert bool(caught) == mixed, [str(each.message) for each in caught]


# What it is the matrix of ------------------------------------------------------------------

MEAN_SQUARES = {
    "default": {},
    "by name": {"loss": "mean_squared_error"},
    "sum": {"loss": keras.losses.MeanSquaredError(reduction="sum")},
    "by weight": {"loss": keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")},
    "weights": {"loss_weights": {"system": 3.0, "value": 0.2}},
}


def loss_and_gradient(pinn, points):
    data = pinn.prepare(points)
    with tf.GradientTape() as tape:
        loss, _, _ = pinn.objective.loss(data)
    values = [variable.value for variable in pinn.trainable_variables]
    parts = tape.gradient(loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return float(loss), np.concatenate([part.numpy().ravel() for part in parts])


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", MEAN_SQUARES)
def test_the_sum_of_squares_is_the_loss(name, shared):
    pinn = make(mlp(), [value, system], **MEAN_SQUARES[name])
    rng = np.random.default_rng(0)
    points = BOX.sample(6, seed=0)
    targets = {"value": rng.normal(size=6)}
    weights = {"value": rng.uniform(size=6), "system": rng.uniform(size=6 if shared else 4)}
    if not shared:
        points = {"value": points, "system": BOX.sample(4, seed=1)}
    for batch in (points, (points, targets), (points, targets, weights)):
        matrix, residuals = kpinn.jacobian(pinn, batch)
        loss, gradient = loss_and_gradient(pinn, batch)
        assert residuals @ residuals == pytest.approx(loss, rel=1e-12)
        assert_close(2 * residuals @ matrix, gradient, 1e-12)


def test_rows_and_columns_are_in_order():
    pinn, points = make(mlp(), [value, system]), BOX.sample(3, seed=0)
    theta, apply = kpinn.destructure(pinn)
    matrix, residuals = kpinn.jacobian(pinn, points)
    found = pinn.residuals(points)
    expected = [found["value"].ravel() / np.sqrt(3), found["system"].ravel() / np.sqrt(6)]
    np.testing.assert_allclose(residuals, np.concatenate(expected), rtol=1e-12)
    assert matrix.shape == (9, theta.shape[0])
    moved = theta + 1e-6 * np.eye(theta.shape[0])[4]
    change = apply(moved, {n: tf.constant(a) for n, a in points.items()})["value"].numpy().ravel()
    np.testing.assert_allclose((change / np.sqrt(3) - residuals[:3]) / 1e-6, matrix[:3, 4], 1e-4)


def test_derived_fields_and_conditions_that_are_left_out():
    class Flux(kpinn.PINN):
        coordinates, fields = "t x", "u"

        @kpinn.field
        def flux(self, x, u_x):
            return (1 + x) * u_x * self.unknowns["c"]

        @kpinn.condition
        def balance(self, u_t, flux_x):
            return u_t - flux_x

        @kpinn.condition
        def start(self, u):
            return u

    pinn = Flux(mlp())
    pinn.unknown("c", 2.0)
    points = {"balance": BOX.sample(4, seed=0)}
    assert_close(kpinn.jacobian(pinn, points)[0], by_tape(pinn, points))


def test_float32():
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    pinn, points = make(mlp(), [system]), BOX.sample(5, seed=0)
    matrix, residuals = kpinn.jacobian(pinn, points)
    assert matrix.dtype == residuals.dtype == np.float32
    assert_close(matrix, by_tape(pinn, points), 1e-5)


def test_frozen_layers_have_no_columns():
    pinn, points = small()
    before = kpinn.jacobian(pinn, points)[0]
    pinn.network.layers[1].trainable = False
    after = kpinn.jacobian(pinn, points)[0]
    assert after.shape[1] == kpinn.destructure(pinn)[0].shape[0] < before.shape[1]
    assert_close(after, by_tape(pinn, points))


# Forms -------------------------------------------------------------------------------------


def spread(u, u_x):
    return u_x * (u - ops.mean(u))


def test_row_by_row_in_xla():
    pinn, points = make(mlp(3), [spread, value]), BOX.sample(4, seed=0)
    data, expected = pinn.prepare(points), by_tape(pinn, points)
    call = tf.function(
        lambda: residual_jacobian(pinn.objective, data), autograph=False, jit_compile=True
    )
    with pytest.warns(kpinn.DerivativeFallbackWarning, match="'spread': Mean .* may mix"):
        matrix, _ = call()
    assert_close(matrix.numpy(), expected)


@pytest.mark.parametrize("form", ["graph", "XLA"])
@pytest.mark.parametrize(
    ("name", "method"),
    [("mlp", "auto"), ("attention", "finite_difference"), ("convolution", "reverse")],
)
def test_within_compiled_functions(form, name, method):
    pinn = make(NETWORKS[name](), [value, burgers], method)
    points = BOX.sample(5, seed=0)
    data = pinn.prepare(points)
    function = functools.partial(residual_jacobian, pinn.objective)
    function = tf.function(function, autograph=False, jit_compile=form == "XLA")
    expected = kpinn.jacobian(pinn, points)
    for actual, each in zip(function(data), expected, strict=True):
        assert_close(actual.numpy(), each, 1e-5 if method == "finite_difference" else 1e-13)


def test_a_compiled_loop_of_steps_solves_a_problem():
    """Gauss and Newton with a little damping, all steps in one call of XLA."""
    pinn, points = small(loss_weights={"value": 10.0})
    data, variables = pinn.prepare((points, {"value": np.ones(4)})), pinn.trainable_variables

    def step(i, _):
        matrix, residuals = residual_jacobian(pinn.objective, data)
        normal = tf.matmul(matrix, matrix, transpose_a=True)
        right = tf.linalg.matvec(matrix, residuals, transpose_a=True)
        change = tf.linalg.cholesky_solve(
            tf.linalg.cholesky(normal + 1e-6 * tf.eye(normal.shape[0], dtype=normal.dtype)),
            right[:, None],
        )
        start = 0
        for variable in variables:
            size = int(np.prod(variable.shape))
            variable.assign_sub(tf.reshape(change[start : start + size], variable.shape))
            start += size
        return i + 1, tf.reduce_sum(residuals**2)

    @tf.function(autograph=False, jit_compile=True)
    def train():
        start = [tf.constant(0), tf.constant(0.0, tf.float64)]
        return tf.while_loop(lambda i, _: i < 30, step, start, maximum_iterations=30)[1]

    before, _ = loss_and_gradient(pinn, (points, {"value": np.ones(4)}))
    assert before > 0.1
    assert float(train()) < 1e-9


def test_products_without_the_matrix():
    pinn, points = small(loss_weights={"value": 3.0})
    matrix, residuals = kpinn.jacobian(pinn, points)
    data, rng = pinn.prepare(points), np.random.default_rng(0)
    right, left = (rng.normal(size=size) for size in matrix.shape[::-1])
    assert_close(kpinn.jacobian_vector_product(pinn, points, right), matrix @ right, 1e-12)
    assert_close(kpinn.vector_jacobian_product(pinn, points, left), left @ matrix, 1e-12)
    for jit in (False, True):
        forward = tf.function(
            lambda v: residual_jvp(pinn.objective, data, v), autograph=False, jit_compile=jit
        )
        backward = tf.function(
            lambda v: residual_vjp(pinn.objective, data, v), autograph=False, jit_compile=jit
        )
        assert_close(forward(tf.constant(right)).numpy(), matrix @ right, 1e-12)
        assert_close(backward(tf.constant(left)).numpy(), left @ matrix, 1e-12)
    assert_close(residual_vector(pinn.objective, data).numpy(), residuals, 1e-14)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_chunks_of_rows_give_the_same_matrix(rows):
    pinn, points = make(mlp(), [value, system]), BOX.sample(5, seed=0)
    whole, residuals = kpinn.jacobian(pinn, points)
    with pytest.raises(ValueError, match="which is more than memory=1000. Pass") as error:
        kpinn.jacobian(pinn, points, memory=1000)
    least = int(re.search(r"memory=(\d+), or use", str(error.value))[1])
    one_point = 2 * 2 * whole[0].nbytes
    parts, again = kpinn.jacobian(pinn, points, memory=least + (rows - 1) * one_point)
    assert_close(parts, whole, 1e-14)
    assert_close(again, residuals, 1e-14)


# Refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": {"value": kpinn.losses.Mean()}}, "loss of condition 'value' is Mean: only a"),
        ({"loss": {"value": "mae"}}, "is mean_absolute_error: only a mean square"),
    ],
)
def test_losses_that_are_no_sum_of_squares(arguments, message):
    pinn, points = small(**arguments)
    with pytest.raises(ValueError, match=message):
        kpinn.jacobian(pinn, points)


def test_negative_weights_are_no_sum_of_squares():
    pinn, points = small(loss_weights={"value": 1.0})
    pinn.loss_weights["value"].assign(-1.0)
    with pytest.raises(ValueError, match="loss weight of 'value' is negative"):
        kpinn.jacobian(pinn, points)


def regularized():
    return stack(layers.Dense(3, kernel_regularizer="l2"), layers.Dense(1))


def without_parameters():
    pinn, points = small()
    pinn.trainable = False
    return lambda: kpinn.jacobian(pinn, points)


def dynamic_points():
    pinn, points = small()
    data = pinn.prepare(points)
    specs = {"t": tf.TensorSpec((None, 1), tf.float64), "x": tf.TensorSpec((None, 1), tf.float64)}
    call = tf.function(
        lambda arrays: residual_jacobian(pinn.objective, Data({"burgers": arrays}, {}, {})),
        input_signature=[specs],
        autograph=False,
    )
    return lambda: call(data.points["burgers"])


def with_points(points):
    pinn, _ = small()
    return lambda: kpinn.jacobian(pinn, points)


def product(function, size):
    pinn, points = small()
    return lambda: function(pinn, points, np.zeros(size))


def tapes_through_a_normalization():
    pinn = make(NETWORKS["layer normalization"](), [lambda_slope], "reverse")
    return lambda: kpinn.jacobian(pinn, BOX.sample(3, seed=0))


def lambda_slope(u_x):
    return u_x


ONE = {name: np.zeros((3, 1)) for name in "tx"}


@pytest.mark.parametrize(
    ("make_call", "message"),
    [
        (without_parameters, "has no trainable parameters"),
        (dynamic_points, "residual of unknown shape .*known number of points"),
        (lambda: with_points(({"value": ONE}, {"value": np.zeros((3, 2))})), "have the shape"),
        (lambda: with_points(({"value": ONE}, {}, {"value": [1.0, -1.0, 1.0]})), "sample weights"),
        (lambda: with_points({"nothing": ONE}), "points are given for 'nothing'"),
        (lambda: product(kpinn.jacobian_vector_product, 3), "shape .3,.: expected .*parameters"),
        (lambda: product(kpinn.vector_jacobian_product, 3), r"expected \(10,\), .*residuals"),
        (tapes_through_a_normalization, "stops the gradient of the mean"),
        (
            lambda: lambda: kpinn.jacobian(make(regularized(), [value]), ONE),
            "regularization losses .*, which are no residuals",
        ),
    ],
)
def test_errors_say_what_is_wrong(make_call, message):
    call = make_call()
    with pytest.raises(ValueError, match=message):
        call()


def test_stochastic_estimates_need_their_own_loss():
    method = kpinn.Stochastic(draws=2)

    def poisson(laplacian_u):
        return laplacian_u

    pinn = kpinn.PINN(mlp(), "x y", "u", conditions=[poisson], method=method)
    points = kpinn.domains.Box(x=(0, 1), y=(0, 1)).sample(4, seed=0)
    for _ in range(2):
        with pytest.raises(ValueError, match="is Product: only a mean square.*loss 'mse'"):
            kpinn.jacobian(pinn, points)
        pinn.compile("adam")


def test_a_handle_from_outside_has_one_placeholder():
    variable = tf.Variable(1.0)

    @tf.function(autograph=False)
    def function():
        first, read = captured(variable.handle), variable.read_value()
        assert first is captured(variable.handle)
        assert read.op.inputs[0].op.inputs[0] is first or read.op.inputs[0] is first
        return read

    assert float(function()) == 1.0


def test_what_a_condition_calls_has_columns_before_its_first_call():
    class Conductor(kpinn.PINN):
        coordinates, fields = "t x", "u"

        def __init__(self, network):
            super().__init__(network)
            self.conductivity = kpinn.networks.MLP(3, 1)

        @kpinn.condition
        def balance(self, u, u_xx):
            return self.conductivity(u) * u_xx

    pinn = Conductor(mlp())
    pinn.compile("sgd")
    points = {"t": np.linspace(0, 1, 4), "x": np.linspace(-1, 1, 4)}
    matrix, _ = kpinn.jacobian(pinn, points)
    assert matrix.shape[1] == sum(v.numpy().size for v in pinn.trainable_variables)
    assert np.all(np.abs(matrix).max(axis=0)[-1:] > 0)
