"""Traps of TensorFlow and Keras that kpinn gets right or refuses, and costs of differences."""

import functools
from fractions import Fraction

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

import kpinn
from kpinn import FiniteDifference, PrecisionWarning
from kpinn.derivatives.methods.finite_difference import check_precision, stencil

TAPES = ("reverse", "forward")
EXACT = ("taylor", *TAPES)
METHODS = (*EXACT, FiniteDifference(accuracy=6))
LINE = np.linspace(-1.03, 0.97, 9)
POINTS = np.random.default_rng(5).uniform(-1, 1, (4, 2))


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def drawn_weights(*shapes):
    generator = np.random.default_rng(7)
    return [generator.uniform(-1, 1, shape) for shape in shapes]


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def relative_error(value, expected):
    return np.max(np.abs(np.asarray(value) - expected)) / np.max(np.abs(expected))


def loss_and_gradient(model, points, name, method="reverse"):
    """The mean square of a derivative, and its gradient; `None` for what it does not depend on."""
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        value = kpinn.derivatives(model, points, name, coordinates="x y", method=method)[name]
        loss = tf.reduce_mean(value**2)
    return loss, tape.gradient(loss, variables)


# Gradients that are None ---------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.sin(x[:, :1]),
        lambda x: tf.ones_like(x[:, :1]),
        lambda x: tf.zeros((x.shape[0], 1), x.dtype),
        lambda x: tf.stop_gradient(x[:, :1]),
    ],
    ids=["of x only", "ones", "no points", "stopped"],
)
def test_no_dependence_on_a_coordinate(function, method):
    names = "u_y, u_yy, u_xy, u_xxyy, laplacian_u, grad_u"
    values = kpinn.derivatives(function, POINTS, names, coordinates="x y", method=method)
    for name in ("u_y", "u_yy", "u_xy", "u_xxyy"):
        assert values[name].shape == (4, 1)
        assert np.max(np.abs(values[name])) < 1e-6, name
    assert np.max(np.abs(values["grad_u"][:, 1])) < 1e-6


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize(
    "activation", ("linear", "relu", "relu6", "hard_tanh", "leaky_relu", "hard_sigmoid")
)
def test_piecewise_linear_networks_have_no_second_derivatives(activation, method):
    weights = drawn_weights((2, 4), 4, (4, 1), 1)
    layers = [keras.layers.Dense(4, activation), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.set_weights(weights)
    names = ["u_x", "u_xx", "u_xy", "u_xxx", "u_xyy"]
    values = kpinn.derivatives(model, POINTS, names, coordinates="x y", method=method)
    expected = references.partials(references.mlp(weights, activation), POINTS, (0,))
    assert relative_error(values["u_x"], expected) < 1e-14
    for name in names[1:]:
        assert not np.any(values[name]), name


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("compiled", (False, True))
def test_variables_without_part_in_a_derivative(compiled, method):
    class Extra(keras.layers.Layer):
        def build(self, shape):
            self.dense = keras.layers.Dense(1)
            self.dense.build(shape)
            self.unused = self.add_weight(shape=(3,))

        def call(self, x):
            return self.dense(x)

    model = Extra()
    model.build((None, 2))
    call = functools.partial(loss_and_gradient, model, tf.constant(POINTS), "u_xx", method)
    if compiled:
        call = tf.function(call, autograph=False, jit_compile=method != "forward")
    loss, gradient = call()
    assert abs(float(loss)) < 1e-12  # the second derivative of a linear function
    for part in gradient:
        assert part is None or np.max(np.abs(part)) < 1e-6


# Gradients that TensorFlow lacks -------------------------------------------------------------


@pytest.mark.parametrize("method", EXACT)
def test_softsign_is_differentiable_again_and_again(method):
    names = ["u_x", "u_xx", "u_xxx", "u_xxxx"]
    values = kpinn.derivatives(tf.nn.softsign, {"x": LINE}, names, method=method)
    for order, name in enumerate(names, 1):
        sign, size = np.sign(LINE), 1 + np.abs(LINE)
        expected = np.prod(range(1, order + 1)) * (-sign) ** (order - 1) / size ** (order + 1)
        assert relative_error(values[name][:, 0], expected) < 1e-14


@pytest.mark.parametrize("method", ("taylor", "reverse"))
@pytest.mark.parametrize("axes", ((0, 0), (0, 1, 1)))
def test_gradients_with_respect_to_weights_through_softsign(axes, method):
    weights = drawn_weights((2, 3), 3, (3, 3), 3, (3, 1), 1)
    layers = [keras.layers.Dense(3, "softsign"), keras.layers.Dense(3, "softsign")]
    model = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dense(1)])
    model.set_weights(weights)
    name = "u_" + "".join("xy"[axis] for axis in axes)
    _, gradient = loss_and_gradient(model, POINTS, name, method)
    build = functools.partial(references.mlp, name="softsign")
    expected = references.loss_gradient(build, weights, POINTS, axes)
    assert gradient[-1] is None  # the last bias
    assert relative_error(flat(gradient[:-1]), flat(expected[:-1])) < 1e-12


def with_slices(x):
    size = (keras.ops.shape(x)[0], 1)
    return tf.concat([tf.sin(keras.ops.slice(x, (0, i), size)) for i in (1, 0)], axis=1)


def with_concatenation(x):
    return keras.layers.Concatenate()([tf.sin(x[:, :1]), x[:, 1:], x[:, :1] * x[:, 1:]])


@pytest.mark.parametrize("method", ("taylor", "reverse"))
@pytest.mark.parametrize("features", (with_slices, with_concatenation))
def test_slices_and_concatenations_with_a_dynamic_batch_under_xla(features, method):
    """The gradient of a slice under XLA is `XlaDynamicUpdateSlice`; TensorFlow lacks its own."""
    layers = [keras.layers.Lambda(features), keras.layers.Dense(5, "tanh"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model(POINTS)

    def call(points):
        return loss_and_gradient(model, points, "u_xxy", method)

    signature = [tf.TensorSpec((None, 2), tf.float64)]
    xla = tf.function(call, input_signature=signature, autograph=False, jit_compile=True)
    for count in (4, 3):
        points = tf.constant(POINTS[:count])
        (loss, gradient), (expected_loss, expected) = xla(points), call(points)
        assert relative_error(loss, expected_loss) < 1e-13
        assert relative_error(flat(gradient[:-1]), flat(expected[:-1])) < 1e-12


def test_gradient_of_an_updated_slice():
    """Both gradients: where a slice of `x` is overwritten by `part`, and outside of it."""

    @tf.function(autograph=False, jit_compile=True)
    def gradient(x, part, weights):
        with tf.GradientTape() as tape:
            tape.watch([x, part])
            updated = gen_xla_ops.xla_dynamic_update_slice(x, part, tf.constant([1, 0]))
            loss = tf.reduce_sum(weights * updated**2)
        return tape.gradient(loss, [x, part])

    x, weights = np.arange(6.0).reshape(3, 2), np.arange(1.0, 7.0).reshape(3, 2)
    of_x, of_part = gradient(tf.constant(x), tf.constant([[7.0]], tf.float64), weights)
    expected = 2 * weights * x
    expected[1, 0] = 0.0
    assert np.array_equal(of_x, expected)
    assert np.array_equal(of_part, [[2 * weights[1, 0] * 7.0]])


# Layers whose second derivatives TensorFlow gets wrong ---------------------------------------

NORMALIZATIONS = {
    "LayerNormalization": (lambda: keras.layers.LayerNormalization(name="normed"), 1),
    "GroupNormalization": (lambda: keras.layers.GroupNormalization(2, name="normed"), 2),
    "custom": (lambda: Moments(name="normed"), 1),
}


class Moments(keras.layers.Layer):
    """What a user may write; `LayerNormalization` with another name for all that kpinn knows."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=shape[1:], initializer="ones")
        self.beta = self.add_weight(shape=shape[1:])

    def call(self, x):
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        return self.gamma * (x - mean) / tf.sqrt(variance + 1e-3) + self.beta


@pytest.fixture(params=NORMALIZATIONS)
def normalized(request):
    """A network with a normalization, and its reference as a function of the weights."""
    layer, groups = NORMALIZATIONS[request.param]
    hidden = [keras.layers.Dense(4), layer(), keras.layers.Activation("tanh")]
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1)])
    model.set_weights(drawn_weights((2, 4), 4, 4, 4, (4, 1), 1))
    return model, functools.partial(references.mlp, groups=groups)


@pytest.mark.parametrize("name", ("u_xx", "u_xxy", "laplacian_u"))
@pytest.mark.parametrize("method", TAPES)
def test_normalizations_are_refused_from_the_second_order(method, name, normalized):
    model, _ = normalized
    message = (
        f"normed.*' computes a variance .* by method='{method}' would be wrong.* Use method='f"
    )
    with pytest.raises(ValueError, match=message):
        kpinn.derivatives(model, POINTS, name, coordinates="x y", method=method)
    with pytest.raises(ValueError, match=message):
        tf.function(kpinn.derivatives)(model, POINTS, name, coordinates="x y", method=method)


@pytest.mark.parametrize("axes", ((0,), (0, 1), (0, 0, 1), (0, 0, 1, 1)))
def test_normalizations_by_taylor_coefficients(axes, normalized):
    """Values and gradients, which nested tapes get wrong."""
    model, build = normalized
    name = "u_" + "".join("xy"[axis] for axis in axes)
    points, method = POINTS[:2], kpinn.Taylor(strict=True)
    value = kpinn.derivatives(model, points, name, coordinates="x y", method=method)[name]
    expected = references.partials(build(model.get_weights()), points, axes)
    assert relative_error(value, expected) < 1e-12
    expected = references.loss_gradient(build, model.get_weights(), points, axes)
    call = functools.partial(loss_and_gradient, model, points, name, method)
    for mode in (call, tf.function(call, autograph=False, jit_compile=True)):
        _, gradient = mode()
        assert gradient[-1] is None  # the last bias
        assert relative_error(flat(gradient[:-1]), flat(expected[:-1])) < 1e-11


@pytest.mark.parametrize("method", TAPES)
def test_first_derivatives_of_normalizations_are_right_but_have_no_gradient(method, normalized):
    model, build = normalized
    value = kpinn.derivatives(model, POINTS, "u, u_y", coordinates="x y", method=method)
    reference = build(model.get_weights())
    assert relative_error(value["u"], references.partials(reference, POINTS, ())) < 1e-13
    assert relative_error(value["u_y"], references.partials(reference, POINTS, (1,))) < 1e-13
    with pytest.raises(LookupError, match="normed.* the gradient of a first derivative by method="):
        loss_and_gradient(model, POINTS, "u_y", method)
    call = functools.partial(loss_and_gradient, model, POINTS, "u_y", method)
    with pytest.raises(LookupError, match="normed"):
        tf.function(call, autograph=False)()


def test_the_gradient_of_a_normalized_network_itself_is_right(normalized):
    model, build = normalized
    _, gradient = loss_and_gradient(model, POINTS, "u")
    expected = references.loss_gradient(build, model.get_weights(), POINTS, ())
    assert relative_error(flat(gradient), flat(expected)) < 1e-12


@pytest.mark.parametrize("axes", ((0,), (0, 0), (0, 1)))
def test_finite_differences_are_right_for_normalizations(axes, normalized):
    model, build = normalized
    name = "u_" + "".join("xy"[axis] for axis in axes)
    method = FiniteDifference(accuracy=6)
    value = kpinn.derivatives(model, POINTS, name, coordinates="x y", method=method)[name]
    expected = references.partials(build(model.get_weights()), POINTS, axes)
    assert relative_error(value, expected) < 1e-5
    _, gradient = loss_and_gradient(model, POINTS, name, method)
    expected = references.loss_gradient(build, model.get_weights(), POINTS, axes)
    gradient = [np.zeros(1) if part is None else part for part in gradient]
    assert relative_error(flat(gradient), flat(expected)) < 1e-5


def test_a_variance_is_found_in_a_function_for_a_fixed_number_of_points():
    def function(x):
        mixed = tf.concat([x, tf.sin(x), x**2], axis=1)
        mean, variance = tf.nn.moments(mixed, axes=[1], keepdims=True)
        return tf.stack([(mixed[i] - mean[i]) / variance[i] for i in range(x.shape[0])])[:, :1]

    with pytest.raises(ValueError, match="computes a variance"):
        kpinn.derivatives(function, {"x": LINE}, "u_xx", method="reverse")


def test_what_is_known_of_a_network_is_forgotten_when_it_changes():
    model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(4, "tanh")])
    names = {"requests": "u_xx", "fields": "u[4]", "method": "reverse"}

    class Wrapped:
        layer = model

        def __call__(self, x):
            mean, variance = tf.nn.moments(self.layer(x), [1], keepdims=True)
            return (self.layer(x) - mean) / variance

    kpinn.derivatives(model, {"x": LINE}, **names)
    with pytest.raises(ValueError, match="computes a variance"):
        kpinn.derivatives(Wrapped(), {"x": LINE}, **names)
    model.add(keras.layers.LayerNormalization())
    with pytest.raises(ValueError, match="computes a variance"):
        kpinn.derivatives(model, {"x": LINE}, **names)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_layer_in_training_differentiates_the_network_of_inference(method):
    """Dropout and statistics of the batch have no derivative at a point."""
    layers = [keras.layers.Dense(8, "tanh"), keras.layers.BatchNormalization()]
    model = keras.Sequential([*layers, keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model(POINTS)

    class Outer(keras.layers.Layer):
        def call(self, points, training=None):
            values = kpinn.derivatives(model, points, "u_xy", coordinates="x y", method=method)
            return values["u_xy"]

    kernel, bias, *_, last, _ = model.get_weights()
    reference = references.mlp([kernel, bias, last / np.sqrt(1.001), np.zeros(1)])
    expected = references.partials(reference, POINTS, (0, 1))
    assert relative_error(Outer()(POINTS, training=True), expected) < 1e-9


# Forward accumulators ------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", (False, True))
@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize(
    "name, expected, slope",
    [("u_x", 18.0, 12.0), ("u_xx", 18.0, 12.0), ("u_xy", 0.0, 0.0)],
)
def test_gradients_where_nested_accumulators_are_wrong(name, expected, slope, method, compiled):
    """The second derivative of `(w x)^2` is `2 w^2`, with the slope `4 w` in `w`, at w = 3."""
    weight = tf.Variable(3.0, dtype=tf.float64)
    points = tf.constant([[1.0, 0.0]], tf.float64)

    def call():
        with tf.GradientTape() as tape:
            value = kpinn.derivatives(
                lambda x: (weight * x[:, :1]) ** 2, points, name, coordinates="x y", method=method
            )[name]
        return value, tape.gradient(value, weight, None, tf.UnconnectedGradients.ZERO)

    value, gradient = (tf.function(call, autograph=False) if compiled else call)()
    assert float(value[0, 0]) == pytest.approx(expected, abs=1e-7)
    assert float(gradient) == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("name", ("u_x", "u_xx", "u_xxy", "laplacian_u", "hessian_u"))
def test_never_two_accumulators_at_a_time(name, monkeypatch):
    active, most = [], []

    class Counted(tf.autodiff.ForwardAccumulator):
        def __enter__(self):
            active.append(self)
            most.append(len(active))
            return super().__enter__()

        def __exit__(self, *args):
            active.pop()
            return super().__exit__(*args)

    monkeypatch.setattr(tf.autodiff, "ForwardAccumulator", Counted)
    kpinn.derivatives(
        lambda x: tf.reduce_prod(tf.sin(x), axis=1, keepdims=True),
        POINTS,
        name,
        coordinates="x y",
        method="forward",
    )
    assert max(most) == 1


# Finite differences: precision ---------------------------------------------------------------


def difference(dtype, name, *args, points=LINE, **kwargs):
    points = np.asarray(points, dtype)
    method = FiniteDifference(*args, **kwargs)
    return kpinn.derivatives(tf.sin, {"x": points}, name, method=method)[name].numpy()[:, 0]


@pytest.mark.parametrize(
    "dtype, order, options",
    [
        ("float64", 4, {}),
        ("float64", 4, {"scheme": "forward"}),
        ("float64", 2, {"step": 1e-3}),
        ("float64", 1, {"step": 1e-6}),
        ("float32", 1, {}),
        ("float32", 2, {}),
        ("float32", 2, {"step": 0.01}),
        ("float32", 4, {"accuracy": 4}),
        ("float32", 4, {"accuracy": 6}),
        ("float32", 1, {"scheme": "backward"}),
    ],
)
def test_differences_of_enough_precision_do_not_warn(dtype, order, options):
    value = difference(dtype, "u_" + "x" * order, **options)  # a warning is an error in tests
    assert relative_error(value, np.sin(LINE + order * np.pi / 2)) < 0.01


@pytest.mark.parametrize(
    "dtype, order, options, message",
    [
        (
            "float32",
            3,
            {},
            "order 3 along 'x', with accuracy 2, has an error of about 0.003",
        ),
        ("float32", 4, {}, "about 0.009 at the best step for .* 1e-07: use a higher accuracy"),
        (
            "float32",
            2,
            {"scheme": "forward"},
            "order 2 along 'x', with accuracy 2, .*error of about 0.005",
        ),
        (
            "float32",
            2,
            {"step": 1e-3},
            "for order 2 along 'x' is 0.001 of .* costs 2.2 digits more",
        ),
        ("float64", 2, {"step": 1e-6}, "is 1e-06 of the coordinate's scale.* 3.9 digits more"),
        ("float64", 1, {"step": 1e-9}, "3.5 digits more than the best step, 5e-06"),
    ],
)
def test_differences_that_lose_digits_warn(dtype, order, options, message):
    with pytest.warns(PrecisionWarning, match=message):
        value = difference(dtype, "u_" + "x" * order, **options)
    assert np.isfinite(value).all()


@pytest.mark.parametrize(
    "dtype, order, options, message",
    [
        (
            "float16",
            1,
            {},
            "order 1 along 'x', with accuracy 2, .*error of about 0.02 .* epsilon 0.001",
        ),
        ("float32", 5, {}, "order 5 along 'x', with accuracy 2, .*float64, or an exact method"),
        ("float32", 3, {"scheme": "forward"}, "the central scheme"),
        ("float32", 4, {"scheme": "backward", "accuracy": 4}, "order 4 along 'x', with accuracy 4"),
        ("float32", 2, {"step": 1e-4}, "rounding costs 4.2 digits more than the best step, 0.02"),
        ("float64", 2, {"step": 1e-7}, "rounding costs 5.9 digits more"),
        ("float64", 4, {"step": 1e-5}, "use step=None, float64, or an exact method"),
    ],
)
def test_differences_without_digits_are_refused(dtype, order, options, message):
    with pytest.raises(ValueError, match=message):
        difference(dtype, "u_" + "x" * order, **options)


def test_digits_are_those_of_the_least_precise_layer():
    keras.config.set_dtype_policy("mixed_float16")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="epsilon 0.001"):
        kpinn.derivatives(model, {"x": LINE}, "u_x", method="finite_difference")
    expected = np.full((9, 1), model.get_weights()[0])
    with pytest.warns(PrecisionWarning, match="epsilon 0.001"):
        method = FiniteDifference(accuracy=6)
        difference = kpinn.derivatives(model, {"x": LINE}, "u, u_x", method=method)
    for value in (difference, kpinn.derivatives(model, {"x": LINE}, "u, u_x")):
        assert value["u"].dtype == value["u_x"].dtype == tf.float32  # the variables' dtype
        assert relative_error(value["u_x"], expected) < 0.01


def test_float16_points():
    with pytest.warns(PrecisionWarning, match="epsilon 0.001"):
        value = difference("float16", "u_x", accuracy=6)
    assert relative_error(value, np.cos(LINE)) < 0.05


def test_a_function_less_precise_than_its_points_is_refused():
    message = "returns float32 for points in float64, .* too small: pass float32 points"
    with pytest.raises(ValueError, match=message):
        kpinn.derivatives(
            lambda x: tf.cast(x, tf.float32), {"x": LINE}, "u_x", method="finite_difference"
        )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"accuracy": 3}, "accuracy 3 is unknown: expected one of 2, 4, 6"),
        (
            {"scheme": "upwind"},
            "scheme 'upwind' is unknown: expected one of 'central'",
        ),
        ({"step": 0.0}, "step is a positive number, not 0.0"),
        ({"step": {"x": -1.0}}, "step is a positive number, not -1.0"),
        ({"step": float("nan")}, "not nan"),
    ],
)
def test_misuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        FiniteDifference(**arguments)


def test_check_precision_by_itself():
    check_precision(2, 2, 2.0**-52)
    with pytest.warns(PrecisionWarning, match="for the derivative"):
        check_precision(3, 2, 2.0**-23)
    with pytest.raises(ValueError, match="for u_xxx"):
        check_precision(3, 2, 2.0**-10, what="u_xxx")


# Finite differences: steps and costs ---------------------------------------------------------


class Recorded:
    """A function of two coordinates that keeps the points it is called with."""

    def __init__(self):
        self.calls = []

    def __call__(self, points):
        self.calls.append(points.numpy())
        return tf.reduce_sum(tf.sin(points), axis=1, keepdims=True)


def recorded(points, names, **options):
    function = Recorded()
    method = FiniteDifference(**options)
    for _ in range(2):  # in the first call it is tried whether points are independent
        function.calls.clear()
        kpinn.derivatives(function, points, names, coordinates="x y", method=method)
    return function.calls


@pytest.mark.parametrize(
    "names, rows",
    [
        ("u", 1),
        ("u_x", 2),
        ("u, u_x, u_xx", 3),
        ("u, u_x, u_xx, u_y", 5),
        ("laplacian_u", 5),
        ("laplacian_u, grad_u, u", 5),
        ("hessian_u", 9),
        ("u_xxxx, u_xxx, u_xx, u_x, u", 5),
        ("biharmonic_u", 13),
    ],
)
def test_one_forward_pass_of_as_many_rows_as_the_stencil_has_points(names, rows):
    assert [call.shape for call in recorded(POINTS, names)] == [(4 * rows, 2)]


@pytest.mark.parametrize("accuracy", (2, 4, 6))
@pytest.mark.parametrize("order", (1, 2, 3))
@pytest.mark.parametrize("low, high", [(-1, 1), (0, 1e3), (2, 2.001), (-7, 5), (3, 3)])
def test_steps_are_powers_of_two_that_follow_the_range(low, high, order, accuracy):
    x = np.linspace(low, high, 8)
    (rows,) = recorded(np.stack([x, x], axis=1), "u_" + "x" * order, accuracy=accuracy)
    distances = np.abs(rows[:, 0].reshape(-1, 8)[:, 0] - x[0])
    step = min(distance for distance in distances if distance > 0)
    half_range = (high - low) / 2 or high  # of a single coordinate: its size
    rule = (order * 2.0**-52 / accuracy) ** (1 / (order + accuracy)) * half_range
    assert step == 2.0 ** np.round(np.log2(rule))
    assert np.array_equal(rows[:, 1], np.tile(x, len(rows) // 8))


def test_steps_for_each_coordinate():
    points = np.zeros((1, 2))
    (rows,) = recorded(points, "laplacian_u", step={"x": 0.25})
    assert rows[:, 0].max() == 0.25
    assert rows[:, 1].max() == 2.0**-13  # eps ** (1 / 4), for a coordinate of size one
    (rows,) = recorded(points, "laplacian_u", step=0.1)
    assert rows[:, 0].max() == rows[:, 1].max() == 0.1


def test_the_step_along_a_direction_moves_no_coordinate_further_than_its_own():
    x, y = np.linspace(0, 1, 5), np.linspace(0, 100, 5)
    function = Recorded()
    arrays = {"x": x, "y": y, "n": np.full((5, 2), 7.0)}
    kpinn.derivatives(function, arrays, "u_n", coordinates="x y", method="finite_difference")
    moved = np.abs(function.calls[-1].reshape(2, 5, 2) - np.stack([x, y], axis=1)).max(axis=(0, 1))
    rule = (2.0**-52 / 2) ** (1 / 3) * 0.5
    assert moved[0] == pytest.approx(moved[1], rel=1e-6)
    assert rule / 1.5 < moved[0] < rule * 1.5


def test_coordinates_far_from_zero():
    """A step that follows the range alone would be lost where floats are 0.06 apart."""
    x = (1e6 + np.linspace(0.0, 8.0, 9)).astype("float32")
    for name, expected in (("u_x", np.cos(x - 1e6)), ("u_xx", -np.sin(x - 1e6))):
        value = kpinn.derivatives(
            lambda x: tf.sin(x - 1e6), {"x": x}, name, method="finite_difference"
        )[name]
        assert np.max(np.abs(value[:, 0] - expected)) < 0.02
    with pytest.raises(ValueError, match="step 0.01 for order 1 along 'x' is rounded away"):
        method = FiniteDifference(step=0.01)
        kpinn.derivatives(tf.sin, {"x": x}, "u_x", method=method)


@pytest.mark.parametrize(
    "order, accuracy, scheme, weights, denominator",
    [
        (1, 2, "central", {-1: -1, 1: 1}, 2),
        (1, 6, "central", {-3: -1, -2: 9, -1: -45, 1: 45, 2: -9, 3: 1}, 60),
        (2, 4, "central", {-2: -1, -1: 16, 0: -30, 1: 16, 2: -1}, 12),
        (4, 2, "central", {-2: 1, -1: -4, 0: 6, 1: -4, 2: 1}, 1),
        (1, 2, "forward", {0: -3, 1: 4, 2: -1}, 2),
        (2, 2, "forward", {0: 2, 1: -5, 2: 4, 3: -1}, 1),
        (1, 2, "backward", {0: 3, -1: -4, -2: 1}, 2),
        (3, 2, "backward", {0: 5, -1: -18, -2: 24, -3: -14, -4: 3}, 2),
    ],
)
def test_stencils_of_the_literature(order, accuracy, scheme, weights, denominator):
    expected = {offset: Fraction(weight, denominator) for offset, weight in weights.items()}
    assert dict(stencil(order, accuracy, scheme)) == expected


# Derivatives that tapes take for zero --------------------------------------------------------


def through_numpy(x):
    return tf.ensure_shape(tf.numpy_function(np.sin, [x], x.dtype), (None, 2))[:, :1]


LOST = {
    "numpy": (through_numpy, "PyFunc .*calls Python"),
    "zeta": (lambda x: tf.math.zeta(2.0 + x[:, :1], 1.0 + x[:, 1:]), "Zeta .*its input 0"),
    "betainc": (lambda x: tf.math.betainc(*tf.split(0.1 + x, 2, 1), 0.3), "Betainc .*input 0"),
    "within a branch": (
        lambda x: tf.cond(
            tf.shape(x)[0] > 0,
            lambda: tf.math.zeta(2.0 + x[:, :1], 1.0 + x[:, 1:]),
            lambda: x[:, :1],
        ),
        "Zeta .*its input 0",
    ),
}


@pytest.mark.parametrize("method", TAPES)
@pytest.mark.parametrize("name", LOST)
def test_tapes_refuse_what_they_would_take_for_zero(name, method):
    function, message = LOST[name]
    points = np.array([[0.3, 0.7], [0.1, 0.2]])
    with pytest.raises(ValueError, match=message):
        kpinn.derivatives(function, points, "u_x", "x y", method=method)
    values = kpinn.derivatives(function, points, "u", "x y", method=method)
    assert np.isfinite(values["u"]).all()


@pytest.mark.parametrize("method", TAPES)
def test_tapes_take_what_has_a_gradient_or_is_constant(method):
    def called(x):
        y = tf.ensure_shape(tf.py_function(tf.sin, [x], x.dtype), (None, 2))[:, :1]
        return y + tf.math.zeta(tf.constant(2.0, x.dtype), 3.0) + tf.zeros_like(y)

    points = np.array([[0.3, 0.7], [0.1, 0.2]])
    values = kpinn.derivatives(called, points, "u_x, u_y", "x y", method=method)
    np.testing.assert_allclose(values["u_x"], np.cos(points[:, :1]), rtol=1e-14)
    np.testing.assert_array_equal(values["u_y"], np.zeros((2, 1)))


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function], ids=["eager", "tf.function"])
def test_a_loop_without_a_limit_under_a_persistent_tape(wrap):
    """TensorFlow then packs the loop into a function, which gets -1 for "no limit"."""
    rate = tf.Variable(1.3, dtype=tf.float64)

    def looped(x):
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.sin(y) + rate), (0, x))[1]

    @wrap
    def values():
        with tf.GradientTape(persistent=True) as tape:
            found = kpinn.derivatives(looped, tf.constant([[0.5]], tf.float64), "u, u_x", "x")
        return found["u"], found["u_x"], tape.gradient(found["u"], rate)

    y, y_x, y_rate = np.array(0.5), 1.0, 0.0
    for _ in range(3):
        y, y_x, y_rate = np.sin(y) + 1.3, np.cos(y) * y_x, np.cos(y) * y_rate + 1.0
    for found, expected in zip(values(), (y, y_x, y_rate), strict=True):
        np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-12)
