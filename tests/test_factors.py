"""Factors of derivatives that are no numbers: variables, and functions of the points."""

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from keras import layers

import kpinn
from kpinn.derivatives.api import parse_all
from kpinn.derivatives.channels.plan import Plan
from kpinn.derivatives.names.space import Space
from kpinn.derivatives.per_point.keeps_rows import keeps_rows


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


COUNT = 5
TERMS = {"u_t": 1.0, "u_xx": "nu", "u_x": -2.0, "u_xxx": "c", "u": "c"}
AXES = {"u_t": (0,), "u_xx": (1, 1), "u_x": (1,), "u_xxx": (1, 1, 1), "u": ()}


def drawn(*shape):
    return np.random.default_rng(len(shape) + shape[-1]).uniform(-1, 1, shape)


def points():
    return {"t": drawn(COUNT, 1), "x": drawn(COUNT, 1, 1)[:, 0]}


def mlp():
    inner = [layers.Dense(6, "tanh"), layers.Dense(5, "tanh")]
    return keras.Sequential([keras.Input((2,)), *inner, layers.Dense(1)])


def factors():
    return {"nu": tf.Variable(-0.3, dtype="float64"), "c": tf.Variable(drawn(COUNT, 1))}


def combined(model, given, method="taylor", where=None):
    terms = {name: given.get(f, f) for name, f in TERMS.items()}
    requests = {"u_x": "u_x", "sum": terms}
    return kpinn.derivatives(model, where or points(), requests, "t x", method=method)["sum"]


def separate(model, given):
    found = kpinn.derivatives(model, points(), list(TERMS), "t x")
    return sum(given.get(f, f) * found[name] for name, f in TERMS.items())


@pytest.mark.parametrize("method", ("taylor", "reverse", "forward", "finite_difference"))
def test_sums_are_exact(method):
    model, given = mlp(), factors()
    weights = [weight.astype(float) for weight in model.get_weights()]
    columns = np.concatenate(list(points().values()), axis=1)
    parts = {n: references.partials(references.mlp(weights), columns, a) for n, a in AXES.items()}
    numbers = {name: value.numpy() for name, value in given.items()}
    expected = sum(numbers.get(f, f) * parts[name] for name, f in TERMS.items())
    tolerance = 1e-4 if method == "finite_difference" else 1e-12
    np.testing.assert_allclose(combined(model, given, method), expected, rtol=0, atol=tolerance)


def test_a_sum_takes_one_channel():
    space, given = Space("t x", "u"), factors()
    terms = {name: given.get(f, f) for name, f in TERMS.items()}
    assert len(Plan.of(parse_all({"sum": terms}, space), space).algebra) == 4


# Any network ---------------------------------------------------------------------------------


class Weighted(layers.Layer):
    """A function `(x, w)` of the points and of weights `(2, 2)`."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.w = self.add_weight(shape=(2, 2), initializer="orthogonal")
        self.built = True

    def call(self, x):
        return self.function(x, self.w.value)


def attention(x, w):
    rows = tf.sin(x[:, :, None] * tf.constant([[1.0, 2.0]], x.dtype)) @ w
    weights = tf.nn.softmax(rows @ tf.transpose(rows, (0, 2, 1)))
    return tf.reduce_sum(weights @ rows, axis=(1, 2))[:, None]


def by_einsum(x, w):
    y = tf.einsum("nj,nk->njk", tf.sin(x @ w), tf.cos(x))
    return tf.reduce_sum(tf.tanh(y), axis=[1, 2])[:, None]


def reversed_rows(x, w):
    order = tf.range(tf.shape(x)[0])[::-1]
    return tf.gather(tf.reduce_sum(tf.tanh(tf.gather(x, order) @ w), 1, keepdims=True), order)


def as_columns(x, w):
    """Points along the second axis."""
    return tf.transpose(tf.reduce_sum(tf.tanh(w @ tf.transpose(x)), axis=0, keepdims=True))


def in_pairs(x, w):
    """Twice as many rows as points."""
    y = tf.tanh(tf.reshape(x @ w, (-1, 1)) + 0.5)
    return tf.reduce_prod(tf.reshape(y, (-1, 2)), axis=1, keepdims=True)


def by_loop(x, w):
    start, body = (0, x), lambda i, y: (i + 1, tf.sin(y @ w))
    return tf.while_loop(lambda i, y: i < 3, body, start, maximum_iterations=3)[1][:, :1]


def by_branch(x, w):
    y = tf.cond(w[0, 0] > 0, lambda: tf.sin(x @ w), lambda: tf.exp(x @ w))
    return y[:, :1] * y[:, 1:]


@tf.function(autograph=False)
def inner(x, w):
    return tf.tanh(x @ w)


def by_call(x, w):
    return tf.reduce_sum(inner(inner(x, w), w) ** 3, axis=1, keepdims=True)


def inverses(x, w):
    y = tf.tanh(x @ w)
    return tf.linalg.inv(y[:, :, None] * y[:, None, :] + tf.eye(2, dtype=x.dtype))[:, 0, :1]


def stacked(x, w):
    a, b = tf.unstack(tf.tanh(x @ w), axis=1)
    c, d = tf.split(tf.stack([a * b, a / (2.0 + b)], axis=1), 2, axis=1)
    y = tf.expand_dims(tf.concat([c, tf.nn.log_softmax(d * x)], axis=1), 1)
    return tf.reduce_max(tf.squeeze(y, 1), axis=1, keepdims=True)


def rows_by_points(x, w):
    """The sum over the points of what is zero for all but one: no row is by itself."""
    y = tf.tanh(x @ w)
    return tf.reduce_sum(tf.linalg.diag(y[:, 0]), axis=1)[:, None]


FUNCTIONS = {  # the function, and whether row `i` is proved to be of point `i` everywhere
    attention: True,
    by_einsum: True,
    reversed_rows: False,
    as_columns: False,
    in_pairs: False,
    by_loop: False,
    by_branch: False,
    by_call: False,
    inverses: True,
    stacked: True,
    rows_by_points: False,
}


def model_of(function):
    return keras.Sequential([keras.Input((2,)), Weighted(function)])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_keeps_rows(function):
    assert keeps_rows(model_of(function), 2, tf.float64) == FUNCTIONS[function]


@pytest.mark.filterwarnings("ignore::kpinn.DerivativeFallbackWarning")
@pytest.mark.parametrize("which, how", (("nu", "graph"), ("c", "eager"), ("c", "XLA")))
@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_and_gradients_are_those_of_separate_terms(function, which, how):
    model, given = model_of(function), factors()
    given = {"nu": given[which], "c": given[which]}
    variables = [given[which], *(v.value for v in model.trainable_variables)]

    def gradients(combine):
        with tf.GradientTape() as tape:
            found = combine(model, given)
            loss = tf.reduce_sum(found * tf.constant(drawn(COUNT, 1, 1)[:, 0]))
        return [found, *tape.gradient(loss, variables)]

    compiled = {"autograph": False, "jit_compile": how == "XLA"}
    call = gradients if how == "eager" else tf.function(gradients, **compiled)
    for a, b in zip(call(combined), gradients(separate), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


def test_any_number_of_points():
    model, given = mlp(), factors()

    @tf.function(input_signature=[tf.TensorSpec((None, 1), tf.float64)] * 3, autograph=False)
    def call(t, x, c):
        return combined(model, {**given, "c": c}, where={"t": t, "x": x})

    columns = points()
    found = call(columns["t"], columns["x"], given["c"])
    np.testing.assert_allclose(found, separate(model, given), rtol=1e-12)


def test_stochastic():
    """Along directions with entries of one, sums of functions of one coordinate are exact."""
    x, nu = drawn(COUNT, 4), tf.Variable(drawn(COUNT, 1))
    requests = {"sum": {"laplacian_u": nu, "u": 2.0}}
    found = kpinn.derivatives(
        lambda x: tf.reduce_sum(tf.sin(x), axis=1, keepdims=True),
        x,
        requests,
        "x[4]",
        method=kpinn.Stochastic(directions=3),
    )["sum"]
    expected = (2.0 - nu.numpy()) * np.sum(np.sin(x), axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("which", ("nu", "c"))
def test_mixed_precision(which):
    """In bfloat16, with eight bits; the gradient of the factor is in its own dtype."""
    keras.utils.set_random_seed(0)
    keras.config.set_floatx("float32")
    inner = [layers.Dense(6, "tanh", dtype="mixed_bfloat16") for _ in range(2)]
    model = keras.Sequential([keras.Input((2,)), *inner, layers.Dense(1)])
    factor = tf.Variable({"nu": 0.5, "c": np.full((COUNT, 1), 0.5)}[which], dtype=tf.float32)
    given = {"nu": factor, "c": factor}
    gradients = []
    for combine in (combined, separate):
        with tf.GradientTape() as tape:
            found = combine(model, given)
        gradients.append(tape.gradient(found, factor))
    assert gradients[0].dtype == tf.float32
    np.testing.assert_allclose(*gradients, atol=0.1 * np.max(np.abs(gradients[1])))


def test_one_value_is_that_of_a_number():
    model = mlp()
    expected = combined(model, {"nu": 0.5, "c": 1.0})
    values = np.float32(0.5), np.array([0.5]), keras.Variable(0.5), tf.constant([[0.5]])
    for value in (*values, tf.Variable(0.5), np.full(COUNT, 0.5)):
        found = combined(model, {"nu": value, "c": tf.constant(1.0)})
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", ((3, 1), (COUNT, 2), (1, COUNT), (COUNT, 1, 1), (0, 1)))
def test_other_shapes_are_refused(shape):
    message = rf"'sum' has a factor of shape \({shape[0]}, .*\): expected one value, or one for"
    with pytest.raises(ValueError, match=message):
        combined(mlp(), {"nu": np.zeros(shape), "c": 1.0})


def test_check_derivatives():
    requests = {"sum": {"u_t": 1.0, "u_xx": tf.Variable(-0.5)}}
    assert kpinn.check_derivatives(mlp(), points(), requests, "t x").ok
    requests["sum"]["u_xx"] = np.ones((COUNT, 1))
    with pytest.raises(ValueError, match="takes factors with one value"):
        kpinn.check_derivatives(mlp(), points(), requests, "t x")
