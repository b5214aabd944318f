"""Functions that take points together are refused by every method; others are taken, and right."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.derivatives.per_point import independence

COUNT = 5
POINTS = np.random.default_rng(0).uniform(0.2, 0.9, (COUNT, 2))
METHODS = ("taylor", "reverse", "forward", "finite_difference")
STEP = 1e-3


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def column(x):
    return tf.sin(x[:, :1] * 1.3 + x[:, 1:])


def features(x):
    """Eight of them for each point."""
    return tf.sin(x[:, :1] * np.linspace(0.3, 1.7, 8) + x[:, 1:])


def total(h):
    return tf.reduce_sum(tf.reshape(h, (-1, np.prod(h.shape[1:]))), axis=1, keepdims=True)


def of_layer(make, before=features):
    """A function with a layer in it, made where it is called first."""
    made = []

    def function(x):
        if not made:
            keras.utils.set_random_seed(1)
            with tf.init_scope():
                made.append(make())
                made[0](before(tf.constant(POINTS)))
        return total(made[0](before(x)))

    return function


def attends(*arguments):
    layer = keras.layers.MultiHeadAttention(*arguments)
    return lambda h: layer(h, h)


def tokens(x):
    return tf.reshape(features(x), (-1, 4, 2))


def as_one_sequence(x):
    """All points as the tokens of one sequence."""
    return features(x)[None]


def in_one_sequence(make):
    function = of_layer(make, as_one_sequence)
    return lambda x: function(x) + column(x)


def looped(x):
    """Each point, in a loop, gets what was summed before."""
    n = tf.shape(x)[0]

    def body(i, total, found):
        total = total + x[i, 0]
        return i + 1, total, found.write(i, total * x[i, 1])

    start = tf.constant(0), tf.constant(0.0, x.dtype), tf.TensorArray(x.dtype, n)
    return tf.while_loop(lambda i, *_: i < n, body, start)[2].stack()[:, None]


@tf.custom_gradient
def with_a_mean_in_its_gradient(x):
    return tf.sin(x), lambda upstream: upstream * tf.reduce_mean(tf.cos(x))


def attention_over_points(x):
    h = features(x)
    return total(tf.nn.softmax(h @ tf.transpose(h)) @ h)


def branch(x):
    """A value is another one below the mean."""
    return tf.where(x[:, :1] < tf.reduce_mean(x[:, :1]), column(x), 2.0 * column(x))


def picked(x):
    return column(x) * tf.gather(x[:, :1], tf.argmax(x[:, 0]))


def fixed_number(x):
    weights = tf.fill((x.shape[0], 1), tf.constant(1.0 / x.shape[0], x.dtype))
    return x[:, :1] - tf.reduce_sum(weights * x[:, :1], axis=0, keepdims=True)


def batch_norm(x):
    h = features(x)
    mean, variance = tf.nn.moments(h, 0)
    return total(tf.nn.batch_normalization(h, mean, variance, None, None, 1e-3) ** 3)


MIXING_MATRIX = np.random.default_rng(1).uniform(size=(COUNT, COUNT))
VARIABLE = tf.Variable(np.zeros((1, 1)))  # a part that is zero at first
TOGETHER = {
    "mean": lambda x: column(x) - tf.reduce_mean(column(x)),
    "transposed mean": lambda x: (
        x[:, :1] - tf.transpose(tf.reduce_mean(tf.transpose(x[:, :1]), 1, keepdims=True))
    ),
    "stopped mean": lambda x: x[:, :1] - tf.stop_gradient(tf.reduce_mean(x, 0))[:1],
    "pinned": lambda x: column(x) - column(x)[:1],
    "pinned last": lambda x: column(x) - column(x)[-1:],
    "gathered row": lambda x: column(x) - tf.gather(column(x), [0]),
    "gathered with shape": lambda x: (
        column(x) - tf.gather(column(x), tf.zeros(tf.shape(x)[:1], tf.int32))
    ),
    "row by gather_nd": lambda x: column(x) * tf.gather_nd(column(x), [[1, 0]]),
    "row by one-hot": lambda x: (
        column(x) - tf.one_hot([2], tf.shape(x)[0], dtype=x.dtype) @ column(x)
    ),
    "reversed": lambda x: column(x) + tf.reverse(column(x), [0]),
    "rolled": lambda x: column(x) * tf.roll(column(x), 1, 0),
    "shifted": lambda x: tf.concat([column(x)[1:], column(x)[:1]], 0),
    "sorted": lambda x: tf.sort(column(x), axis=0),
    "sorted transpose": lambda x: tf.transpose(tf.sort(tf.transpose(column(x)))),
    "ranks": lambda x: column(x) * tf.cast(tf.argsort(tf.argsort(x[:, 0])), x.dtype)[:, None],
    "top": lambda x: column(x) - tf.math.top_k(tf.transpose(column(x)), 1)[0],
    "unique": lambda x: (
        column(x) * tf.cast(tf.unique(tf.round(x[:, 0] * 3.0))[1], x.dtype)[:, None]
    ),
    "largest": lambda x: column(x) / tf.reduce_max(column(x)),
    "picked by a value": picked,
    "below the mean": branch,
    "cumulative sum": lambda x: tf.cumsum(column(x), 0),
    "cumulative sum of a transpose": lambda x: tf.transpose(tf.cumsum(tf.transpose(column(x)), 1)),
    "cumulative product": lambda x: tf.math.cumprod(column(x), 0),
    "cumulative logsumexp": lambda x: tf.math.cumulative_logsumexp(column(x), 0),
    "scan": lambda x: tf.scan(lambda a, b: 0.5 * a + b, column(x)),
    "loop": looped,
    "fold": lambda x: column(x) * tf.foldl(tf.add, column(x)),
    "softmax": lambda x: tf.nn.softmax(column(x), axis=0),
    "normalized": lambda x: tf.nn.l2_normalize(column(x), axis=0),
    "clipped by norm": lambda x: tf.clip_by_norm(x[:, :1], 5.0),
    "attention": attention_over_points,
    "attention layer": in_one_sequence(lambda: attends(1, 4)),
    "convolution": in_one_sequence(lambda: keras.layers.Conv1D(2, 3, padding="same")),
    "recurrent layer": in_one_sequence(lambda: keras.layers.GRU(3)),
    "pooled": in_one_sequence(lambda: keras.layers.GlobalAveragePooling1D()),
    "batch statistics": batch_norm,
    "gram matrix": lambda x: tf.linalg.diag_part(x @ tf.transpose(x) @ x @ tf.transpose(x))[
        :, None
    ],
    "matrix of the points": lambda x: tf.cast(MIXING_MATRIX, x.dtype) @ column(x),
    "einsum": lambda x: tf.einsum("ni,mi->n", x, x)[:, None],
    "outer product": lambda x: total(column(x) * tf.transpose(column(x))),
    "solution": lambda x: tf.linalg.solve(
        tf.matmul(x, x, transpose_a=True) + tf.eye(2, dtype=x.dtype), tf.transpose(x)
    )[0][:, None],
    "segments": lambda x: (
        column(x)
        - tf.gather(
            tf.math.segment_mean(column(x), tf.range(tf.shape(x)[0]) // 2),
            tf.range(tf.shape(x)[0]) // 2,
        )
    ),
    "reshaped": lambda x: tf.reshape(tf.transpose(x), (-1, 2))[:, :1] + column(x),
    "a part that is zero at first": lambda x: column(x) + VARIABLE * tf.reduce_mean(x),
    "mean of values with stopped gradients": lambda x: (
        x[:, :1] - tf.reduce_mean(x[:, :1]) + tf.stop_gradient(tf.reduce_mean(x[:, :1]))
    ),
    "gradient of its own": lambda x: with_a_mean_in_its_gradient(x[:, :1]),
    "fixed number": fixed_number,
    "number of points": lambda x: column(x) / tf.cast(tf.shape(x)[0], x.dtype),
    "number in Python": lambda x: (
        column(x) / tf.fill((x.shape[0], 1), tf.cast(x.shape[0], x.dtype))
    ),
    "places": lambda x: column(x) * tf.cast(tf.range(tf.shape(x)[0]), x.dtype)[:, None],
}


def gather_of_constants(x):
    table = tf.constant(np.linspace(0.0, 1.0, 12).reshape(4, 3))
    rows = tf.cast(tf.stop_gradient(3.0 * x[:, 0]), tf.int32)
    return total(tf.gather(table, rows) * x[:, :1])


def ragged(x):
    lengths = tf.fill((tf.shape(x)[0],), 8)
    values = tf.RaggedTensor.from_row_lengths(tf.reshape(features(x), (-1,)), lengths)
    return tf.reduce_sum(values, axis=1)[:, None]


def exponential(x):
    a, b = x[:, 0], x[:, 1]
    matrices = tf.reshape(tf.stack([a * b, b, -b, a], axis=1), (-1, 2, 2))
    return total(tf.linalg.expm(3.0 * matrices))


def softmax_by_hand(x):
    """Shifted by the largest value of all points, which changes nothing."""
    h = features(x)
    powers = tf.exp(h - tf.stop_gradient(tf.reduce_max(h)))
    return total(h * powers / tf.reduce_sum(powers, axis=1, keepdims=True))


def there_and_back(x):
    order = tf.argsort(x[:, 0])
    return tf.gather(column(tf.gather(x, order)), tf.argsort(order))


def iterated(x):
    """A fixed number of steps of Newton's method."""
    y = tf.ones_like(x[:, :1])
    _, y = tf.while_loop(
        lambda i, y: i < 5, lambda i, y: (i + 1, y - (y**3 + y - x[:, :1]) / (3 * y**2 + 1)), (0, y)
    )
    return y


def gradients(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = column(x) ** 2
    return tape.gradient(values, x)[:, 1:]


def fixed_points(x):
    return column(x) - column(tf.constant([[0.0, 0.0]], x.dtype))


GRID = np.linspace(0.0, 1.0, 4)
APART = {
    "sine": column,
    "features": lambda x: total(features(x)),
    "value at a fixed point": fixed_points,
    "gather of constants": gather_of_constants,
    "ragged rows": ragged,
    "exponential of matrices": exponential,
    "softmax by hand": softmax_by_hand,
    "there and back": there_and_back,
    "newton": iterated,
    "gradients inside": gradients,
    "map_fn": lambda x: tf.map_fn(tf.sin, x)[:, :1],
    "vectorized_map": lambda x: total(tf.vectorized_map(lambda row: tf.sin(row) * row[1], x)),
    "scan along features": lambda x: total(
        tf.transpose(tf.scan(lambda a, b: 0.5 * a + b, tf.transpose(features(x))))
    ),
    "associative scan along features": lambda x: total(
        ops.associative_scan(tf.multiply, features(x), axis=1)
    ),
    "cumulative sum along features": lambda x: total(tf.cumsum(features(x), 1) ** 2),
    "sorted features": lambda x: tf.sort(features(x), axis=-1)[:, :1],
    "top feature": lambda x: tf.math.top_k(features(x), 2)[0][:, 1:],
    "softmax": lambda x: tf.nn.softmax(features(x))[:, :1],
    "logsumexp": lambda x: tf.reduce_logsumexp(features(x), 1, keepdims=True),
    "norm": lambda x: tf.norm(features(x) + 2.0, axis=1, keepdims=True),
    "mean over features of a transpose": lambda x: tf.transpose(
        tf.reduce_mean(tf.transpose(features(x)), 0, keepdims=True)
    ),
    "moments of features": lambda x: tf.nn.moments(features(x), 1, keepdims=True)[1],
    "einsum": lambda x: tf.einsum("ni,nij,nj->n", x, x[:, :, None] * x[:, None], x)[:, None],
    "outer product of features": lambda x: total(features(x)[:, :, None] * features(x)[:, None, :]),
    "batch of matrix products": lambda x: total(tokens(x) @ tf.transpose(tokens(x), (0, 2, 1))),
    "solution for each point": lambda x: tf.linalg.solve(
        tokens(x)[:, :2] + 3.0 * tf.eye(2, dtype=x.dtype), x[:, :, None]
    )[:, 0],
    "determinant": lambda x: tf.linalg.det(tokens(x)[:, :2])[:, None],
    "interpolation": lambda x: total(
        tf.nn.relu(1.0 - 3.0 * tf.abs(x[:, :1] - GRID)) * np.array([0.0, 1.0, 0.5, 2.0])
    ),
    "basis functions": lambda x: total(tf.exp(-((x[:, :1, None] - GRID) ** 2))),
    "cond": lambda x: tf.cond(tf.shape(x)[0] > 0, lambda: column(x), lambda: 2.0 * column(x)),
    "tf.function": lambda x: tf.function(column)(x),
    "where": lambda x: tf.where(x[:, :1] > 0.5, column(x), x[:, 1:] ** 2),
    "boolean mask and scatter": lambda x: tf.tensor_scatter_nd_update(
        column(x), tf.where(x[:, 0] > 0.5), 2.0 * tf.boolean_mask(column(x), x[:, 0] > 0.5)
    ),
    "split and stack": lambda x: total(tf.stack(tf.split(features(x), 4, axis=1), axis=2) ** 2),
    "all of shape one": lambda x: column(x) * tf.ones([tf.shape(x)[0], 1], x.dtype),
    "silu": lambda x: tf.nn.silu(x[:, :1] * x[:, 1:]),
    "attention over features": of_layer(lambda: attends(2, 3), tokens),
    "convolution over features": of_layer(lambda: keras.layers.Conv1D(3, 2), tokens),
    "pooling over features": of_layer(lambda: keras.layers.AveragePooling1D(2), tokens),
    "GRU over features": of_layer(lambda: keras.layers.GRU(3), tokens),
    "LSTM over features": of_layer(lambda: keras.layers.LSTM(3), tokens),
    "bidirectional": of_layer(
        lambda: keras.layers.Bidirectional(keras.layers.SimpleRNN(2)), tokens
    ),
    "batch normalization": of_layer(lambda: keras.layers.BatchNormalization()),
    "rescaling": of_layer(lambda: keras.layers.Rescaling(0.3, 0.1)),
    "normalization": of_layer(lambda: keras.layers.Normalization(mean=0.4, variance=2.0)),
    "einsum layer": of_layer(lambda: keras.layers.EinsumDense("abc,cd->abd", (4, 3)), tokens),
    "time distributed": of_layer(
        lambda: keras.layers.TimeDistributed(keras.layers.Dense(3, "tanh")), tokens
    ),
    "bilinear": of_layer(lambda: keras.layers.Dense(3, "gelu")),
}
LAYER_NORM = {
    "layer normalization": of_layer(lambda: keras.layers.LayerNormalization()),
    "group normalization": of_layer(lambda: keras.layers.GroupNormalization(2)),
}


SLOW = ("bidirectional", "LSTM over features", "vectorized_map")


@pytest.mark.parametrize("name", TOGETHER)
def test_points_that_are_taken_together_are_refused(name):
    TOGETHER[name](tf.constant(POINTS))  # makes layers
    for method, request in (*((method, "u_x") for method in METHODS), ("taylor", "u")):
        with pytest.raises(ValueError, match="Such a function has no derivative at a point"):
            kpinn.derivatives(TOGETHER[name], POINTS, request, "x y", method=method)


def slope(function):
    """The derivative along the first coordinate by differences of order four."""
    values = [np.asarray(function(tf.constant(POINTS + [[k * STEP, 0.0]]))) for k in (-2, -1, 1, 2)]
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * STEP)


@pytest.mark.filterwarnings("ignore::kpinn.DerivativeFallbackWarning")
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in APART | LAYER_NORM]
)
def test_points_that_are_apart_are_taken(name):
    function = (APART | LAYER_NORM)[name]
    expected = slope(function)
    for method in METHODS:
        values = kpinn.derivatives(function, POINTS, "u, u_x", "x y", method=method)
        np.testing.assert_allclose(values["u_x"], expected, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(values["u"], function(tf.constant(POINTS)), rtol=1e-12)


def branches(x):
    """The first coordinate is that of a function, which has five rows after each other."""
    features = tf.repeat(features_of(x[::5]), 5, axis=0)[: tf.shape(x)[0]]
    return total(features * tf.sin(x[:, 1:] * np.linspace(0.5, 1.5, 8)))


def features_of(x):
    return tf.sin(x[:, :1] * np.linspace(0.3, 1.7, 8))


class Branches(keras.layers.Layer):
    def call(self, x):
        return branches(x)


@kpinn.derivatives.independent
class Declared(Branches):
    pass


SHARING = {
    "function": lambda: kpinn.derivatives.independent(lambda x: branches(x)),
    "class": Declared,
    "layer": lambda: kpinn.derivatives.independent(Branches()),
    "inside": lambda: keras.Sequential([keras.layers.Identity(), Declared()]),
}
ROWS = np.concatenate([np.repeat([[0.3], [0.8]], 5, axis=0), np.tile(POINTS[:, 1:], (2, 1))], 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SHARING)
def test_rows_that_share_something_by_design_are_declared(name, method):
    expected = features_of(tf.constant(ROWS)) * np.linspace(0.5, 1.5, 8)
    expected = total(expected * tf.cos(ROWS[:, 1:] * np.linspace(0.5, 1.5, 8)))
    with pytest.raises(ValueError, match="StridedSlice"):
        kpinn.derivatives(branches, ROWS, "u_y", "x y", method=method)
    found = kpinn.derivatives(SHARING[name](), ROWS, "u_y", "x y", method=method)
    np.testing.assert_allclose(found["u_y"], expected, rtol=1e-6)


def test_a_derived_field_of_a_declared_network_is_declared():
    class Slopes(kpinn.PINN):
        coordinates, fields = "x y", "u"

        @kpinn.field
        def slope(self, u_y):
            return u_y * u_y

        @kpinn.condition
        def flat(self, slope_y):
            return slope_y

    found = Slopes(Declared()).residuals({"x": ROWS[:, 0], "y": ROWS[:, 1]})["flat"]
    assert np.isfinite(found).all()


def test_what_cannot_be_declared():
    with pytest.raises(TypeError, match="cannot be declared"):
        kpinn.derivatives.independent("a network")


# In a PINN ---------------------------------------------------------------------------------------


class Pinned(keras.layers.Layer):
    def build(self, shape):
        self.dense = keras.layers.Dense(1)
        self.dense.build(shape)
        self.built = True

    def call(self, x):
        return self.dense(x) - self.dense(x)[:1]


def test_a_network_that_takes_points_together_is_refused_at_construction():
    def slope(u_x):
        return u_x

    with pytest.raises(ValueError, match=r"StridedSlice \(pinned.*takes rows of other points"):
        kpinn.PINN(Pinned(), "x y", "u", conditions=[slope])


class PinnedField(kpinn.PINN):
    coordinates, fields = "x y", "p"

    @kpinn.field
    def pressure(self, p):
        return p - p[:1]

    @kpinn.condition
    def value(self, pressure):
        return pressure


@pytest.mark.parametrize("name", ["pressure", "pressure_x"])
def test_derived_fields_that_take_points_together_are_refused(name, tmp_path):
    """As values too, by whatever is done with them."""
    pinn = PinnedField(kpinn.networks.MLP(units=3, depth=1))
    pinn.compile(jit_compile=False)
    points = {"x": POINTS[:, 0], "y": POINTS[:, 1]}
    for act in (
        lambda: pinn.predict_fields(points, name),
        lambda: pinn.residuals(points),
        lambda: pinn.fit(points, verbose=0),
        lambda: pinn.evaluate(points, verbose=0),
        lambda: kpinn.jacobian(pinn, points),
        lambda: pinn.export(tmp_path / "model", derivatives=name),
    ):
        with pytest.raises(ValueError, match="takes rows of other points"):
            act()


def test_a_condition_may_take_its_points_together():
    def pinned(p):
        return p - tf.reduce_mean(p)

    pinn = kpinn.PINN(kpinn.networks.MLP(units=3, depth=1), "x y", "p", conditions=[pinned])
    values = pinn.residuals({"x": POINTS[:, 0], "y": POINTS[:, 1]})["pinned"]
    np.testing.assert_allclose(values.mean(), 0.0, atol=1e-15)


# What it costs -----------------------------------------------------------------------------------


def test_a_verdict_is_kept_for_the_next_trace(monkeypatch):
    """A new trace of the same network is not judged again, whatever names TensorFlow counts on."""
    for function in (column, APART["newton"], APART["exponential of matrices"]):
        for _ in range(2):
            kpinn.derivatives(function, POINTS, "u_x", "x y")
        with monkeypatch.context() as patch:
            patch.setattr(independence, "_judge", None)
            kpinn.derivatives(function, POINTS[:3], "u_x", "x y")


def test_the_steps_of_differences_are_no_dependence():
    """Differences in a derived field follow the range of the points."""

    class Flux(kpinn.PINN):
        coordinates, fields = "x y", "u"

        @kpinn.field
        def flux(self, u_x, laplacian_u):
            return u_x + 0.1 * laplacian_u

        @kpinn.condition
        def balance(self, flux_x):
            return flux_x

    recurrent = keras.layers.Reshape((2, 2)), keras.layers.GRU(1)
    for network in (
        kpinn.networks.MLP(units=3, depth=1),
        keras.Sequential([keras.layers.Dense(4), *recurrent]),
    ):
        pinn = Flux(network, method=kpinn.FiniteDifference(accuracy=6))
        found = pinn.residuals({"x": POINTS[:, 0], "y": POINTS[:, 1]})["balance"]
        assert np.isfinite(found).all()
