"""Every derivative by every method, against references, closed forms and one another."""

import functools
import itertools
import math

import keras
import mpmath
import numpy as np
import pytest
import references
import tensorflow as tf

import kpinn
from kpinn import FiniteDifference

EXACT = ("taylor", "reverse", "forward")
METHODS = (*EXACT, FiniteDifference(accuracy=6))
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
SMOOTH = ("elu", "exponential", "gelu", "mish", "selu", "sigmoid", "silu", "sin", "softplus")
SMOOTH += ("softsign", "squareplus", "tanh")
TO_FOURTH_ORDER = [
    "".join(axes)
    for order in range(1, 5)
    for axes in itertools.combinations_with_replacement("xy", order)
]


@pytest.fixture(params=TOLERANCE)
def dtype(request):
    keras.config.set_floatx(request.param)
    keras.config.set_dtype_policy(request.param)
    return request.param


@pytest.fixture
def float64():
    kpinn.set_float64()


def network(weights, activation="tanh"):
    """A Keras model with given weights, in the dtype of the test."""
    activation = keras.ops.sin if activation == "sin" else keras.activations.get(activation)
    *hidden, last = weights[::2]
    layers = [keras.layers.Dense(kernel.shape[1], activation=activation) for kernel in hidden]
    model = keras.Sequential(
        [keras.Input((len(weights[0]),)), *layers, keras.layers.Dense(last.shape[1])]
    )
    model.set_weights(weights)
    return model


def drawn(*shape, seed=1):
    """Random numbers in (-1, 1) that float32 represents, so that both dtypes share references."""
    values = np.random.default_rng(seed).uniform(-1, 1, shape)
    return values.astype("float32").astype("float64")


def drawn_weights(*sizes):
    shapes = [shape for a, b in itertools.pairwise(sizes) for shape in ((a, b), (b,))]
    return [drawn(*shape, seed=i) for i, shape in enumerate(shapes)]


def axes_of(name, coordinates="xy"):
    return tuple(coordinates.index(letter) for letter in name)


def error(value, expected):
    """The largest error relative to the largest reference; absolute where that is zero.

    A reference that is zero but for rounding, below 1e-100, counts as zero.
    """
    expected = np.asarray(expected)
    assert value.shape == expected.shape
    largest = np.max(np.abs(expected), initial=0.0)
    return np.max(np.abs(np.asarray(value) - expected), initial=0.0) / (
        largest if largest > 1e-100 else 1.0
    )


def compiled(function, mode):
    if mode == "eager":
        return function
    return tf.function(function, autograph=False, jit_compile=mode == "xla")


# The references themselves -------------------------------------------------------------------


def test_references_have_fifty_digits():
    def function(point):
        x, y = point
        return np.array([mpmath.sin(2 * x) * mpmath.exp(y)])

    with mpmath.workdps(references.DIGITS):
        point = references.exact([0.3, 0.7])
        value = references.partial(function, point, (0, 0, 0, 1))[0]
        expected = -8 * mpmath.cos(2 * point[0]) * mpmath.exp(point[1])
        assert abs(value / expected - 1) < mpmath.mpf(10) ** -50


# Values --------------------------------------------------------------------------------------

WEIGHTS = drawn_weights(2, 5, 4, 2)
POINTS = drawn(5, 2, seed=9)


@functools.cache
def expected_value(activation, name):
    return references.partials(references.mlp(WEIGHTS, activation), POINTS, axes_of(name))


def check_values(activation, method, dtype):
    values = kpinn.derivatives(
        network(WEIGHTS, activation),
        POINTS.astype(dtype),
        ["u", *(f"u_{name}" for name in TO_FOURTH_ORDER)],
        coordinates="x y",
        fields="u[2]",
        method=method,
    )
    assert {value.dtype.name for value in values.values()} == {dtype}
    for name in ("", *TO_FOURTH_ORDER):
        value = values[f"u_{name}" if name else "u"]
        assert error(value, expected_value(activation, name)) < TOLERANCE[dtype], name


@pytest.mark.parametrize("activation", SMOOTH)
def test_taylor(activation, dtype):
    check_values(activation, kpinn.Taylor(strict=True), dtype)


@pytest.mark.parametrize("activation", SMOOTH)
def test_reverse(activation, dtype):
    check_values(activation, "reverse", dtype)


@pytest.mark.parametrize("activation", ("silu", "sin", "softplus", "softsign", "tanh"))
def test_forward(activation, dtype):
    check_values(activation, "forward", dtype)


# Kinks are at -1, -0.5, 0, 0.5, 1 and, for some, at -3, 3 and 6: no value is near one.
INPUTS = np.concatenate([np.linspace(-3.77, 3.71, 23), [-6.8, 6.4]])[:, None]
MIXED = np.array([[1.0, -0.6, 0.3, 0.8]])  # inputs of activations of a whole vector


# Not sparsemax: its values in Keras 3.15 are wrong themselves, they do not sum to one.
@pytest.mark.parametrize("name", sorted(references.ELEMENTWISE | references.WHOLE))
def test_activations_of_keras_to_fourth_order(name, float64):
    function = getattr(keras.activations, name, None) or getattr(keras.ops, name)
    if name == "threshold":
        function = functools.partial(function, threshold=0.5, default_value=0.0)
    scales = MIXED if name in references.WHOLE else np.ones((1, 1))
    reference = references.activation(name)
    size = function(tf.constant(INPUTS * scales)).shape[1]
    values = kpinn.derivatives(
        lambda x: function(x * scales),
        {"x": INPUTS},
        "u, u_x, u_xx, u_xxx, u_xxxx",
        fields=f"u[{size}]",
        method="reverse",
    )
    for order, value in enumerate(values.values()):
        expected = references.partials(
            lambda point: reference(point[0] * references.exact(scales[0])), INPUTS, (0,) * order
        )
        assert error(value, expected) < TOLERANCE["float64"], order


# Gradients with respect to the parameters ----------------------------------------------------

SMALL = drawn_weights(2, 3, 1)
NAMES = ("x", "xy", "xxy", "xxyy")


@functools.cache
def expected_gradient(activation, name):
    build = functools.partial(references.mlp, name=activation)
    return references.loss_gradient(build, SMALL, POINTS[:3], axes_of(name))


def gradients(model, points, requests, mode, **kwargs):
    """The gradient of the mean square of each request with respect to the weights."""
    variables = [variable.value for variable in model.trainable_variables]

    def each(points):
        with tf.GradientTape(persistent=True) as tape:
            values = kpinn.derivatives(model, points, requests, coordinates="x y", **kwargs)
            losses = {name: tf.reduce_mean(value**2) for name, value in values.items()}
        # The last bias has no part in a derivative: its gradient would be None.
        zero = tf.UnconnectedGradients.ZERO
        return {name: tape.gradient(loss, variables, None, zero) for name, loss in losses.items()}

    return compiled(each, mode)(tf.constant(points))


def largest_error(gradient, expected):
    def flat(parts):
        return np.concatenate([np.ravel(part) for part in parts])

    return error(flat(gradient), flat(expected))


@pytest.mark.parametrize("activation", ("silu", "sin", "softsign", "tanh"))
@pytest.mark.parametrize(
    "method, mode, dtype",
    [
        ("taylor", "eager", "float64"),
        ("taylor", "graph", "float64"),
        ("taylor", "xla", "float64"),
        ("reverse", "eager", "float64"),
        ("reverse", "graph", "float64"),
        ("reverse", "xla", "float64"),
        ("forward", "eager", "float64"),
        ("forward", "graph", "float64"),
        # As `fit` runs them.
        ("taylor", "xla", "float32"),
        ("reverse", "xla", "float32"),
        ("forward", "graph", "float32"),
    ],
    indirect=["dtype"],
)
def test_gradients_with_respect_to_parameters(method, mode, activation, dtype):
    found = gradients(
        network(SMALL, activation),
        POINTS[:3].astype(dtype),
        [f"u_{name}" for name in NAMES],
        mode,
        method=method,
    )
    for name in NAMES:
        expected = expected_gradient(activation, name)
        assert largest_error(found[f"u_{name}"], expected) < TOLERANCE[dtype], name


@pytest.mark.parametrize("mode", ("eager", "graph", "xla"))
def test_gradient_through_a_difference_is_that_of_the_difference(mode, dtype):
    found = gradients(
        network(SMALL),
        POINTS[:3].astype(dtype),
        "u_yy",
        mode,
        method=FiniteDifference(step=0.5),
    )
    operator = references.difference(0.5, axis=1)
    expected = references.loss_gradient(references.mlp, SMALL, POINTS[:3], operator)
    assert largest_error(found["u_yy"], expected) < TOLERANCE[dtype]


# Finite differences --------------------------------------------------------------------------

LINE = np.linspace(-1.0, 1.0, 17)


def promised(order, accuracy, epsilon=2.0**-52, shared=None):
    """The error for a function of size one that the documentation of the step promises."""
    shared = shared or order  # the highest order, which the step is chosen for
    step = (shared * epsilon / accuracy) ** (1 / (accuracy + shared))
    return step**accuracy + epsilon / step**order


def sine_error(order, points, method):
    name = "u_" + "x" * order
    value = kpinn.derivatives(lambda x: tf.sin(x + 0.3), {"x": points}, name, method=method)[name]
    expected = np.sin(points.astype("float64") + 0.3 + order * np.pi / 2)[:, None]
    return np.max(np.abs(value.numpy() - expected))


@pytest.mark.parametrize("order", (1, 2, 3, 4))
@pytest.mark.parametrize("accuracy", (2, 4, 6))
def test_error_of_the_default_step(accuracy, order):
    method = FiniteDifference(accuracy)
    assert sine_error(order, LINE, method) < 25 * promised(order, accuracy)
    if (accuracy, order) not in [(2, 3), (2, 4)]:  # those warn in float32
        limit = 25 * promised(order, accuracy, 2.0**-23)
        assert sine_error(order, LINE.astype("float32"), method) < limit


@pytest.mark.parametrize("order", (1, 2, 3, 4))
@pytest.mark.parametrize("accuracy", (2, 4, 6))
@pytest.mark.parametrize("scheme", ("forward", "backward"))
def test_one_sided_schemes_lose_at_most_three_digits_more(scheme, accuracy, order):
    error = sine_error(order, LINE, FiniteDifference(accuracy, scheme))
    assert error < 1000 * promised(order, accuracy)


@pytest.mark.parametrize("name", ("x", "xx", "xxx", "xxxx", "xy", "xxy", "xyyy", "xxyy"))
@pytest.mark.parametrize("accuracy", (2, 4, 6))
@pytest.mark.parametrize("scheme", ("central", "forward", "backward"))
def test_order_of_convergence(scheme, accuracy, name):
    powers = np.array([name.count("x"), name.count("y")])

    def function(points):
        # All values of its stencil around zero are as small as the powers of the step that they
        # are divided by: no digits are lost, so that the truncation error shows at small steps.
        return tf.reduce_prod(points**powers, 1, True) * tf.exp(tf.reduce_sum(points, 1, True))

    def difference(step):
        method = FiniteDifference(accuracy, scheme, step)
        point = np.zeros((1, 2))
        return kpinn.derivatives(function, point, f"u_{name}", coordinates="x y", method=method)

    steps = 0.032 * 0.8 ** np.arange(4)
    exact = np.prod([math.factorial(power) for power in powers])
    errors = [abs(float(difference(step)[f"u_{name}"][0, 0]) - exact) for step in steps]
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(accuracy, abs=0.2)


@pytest.mark.parametrize("activation", ("gelu", "sin", "softplus", "tanh"))
@pytest.mark.parametrize("accuracy", (2, 4, 6))
def test_differences_of_networks(accuracy, activation, float64):
    values = kpinn.derivatives(
        network(WEIGHTS, activation),
        POINTS,
        [f"u_{name}" for name in TO_FOURTH_ORDER],
        coordinates="x y",
        fields="u[2]",
        method=FiniteDifference(accuracy),
    )
    expected = {name: expected_value(activation, name) for name in ("", *TO_FOURTH_ORDER)}
    size = max(np.max(np.abs(value)) for value in expected.values())
    for name in TO_FOURTH_ORDER:
        limit = 100 * size * promised(len(name), accuracy, shared=4)
        assert np.max(np.abs(values[f"u_{name}"] - expected[name])) < limit, name


# Operators -----------------------------------------------------------------------------------

RATES, PHASES = np.array([0.9, -1.3, 0.7]), np.array([0.2, 0.5, -0.4])
SCALES = np.array([1.0, -2.0, 0.5])  # of the components of a vector field
CLOUD = drawn(6, 3, seed=3)


def product(points):
    """`sin(a x + b) sin(c y + d) ...`, `(n, 1)`."""
    size = points.shape[1]
    return tf.reduce_prod(tf.sin(RATES[:size] * points + PHASES[:size]), axis=1, keepdims=True)


def product_derivative(points, *axes):
    """A derivative of `product` in closed form, `(n, 1)`."""
    columns = range(points.shape[1])
    orders = [axes.count(i) for i in columns]
    factors = [
        RATES[i] ** k * np.sin(RATES[i] * points[:, i] + PHASES[i] + k * np.pi / 2)
        for i, k in zip(columns, orders, strict=True)
    ]
    return np.prod(factors, axis=0)[:, None]


def vectors(points):
    """A field with one component per coordinate, multiples of `product`, `(n, d)`."""
    return product(points) * SCALES[: points.shape[1]]


def gradient_of_product(points):
    return np.hstack([product_derivative(points, i) for i in range(points.shape[1])])


def curl_of_product(points):
    slopes = gradient_of_product(points)
    if points.shape[1] == 2:
        return SCALES[1] * slopes[:, :1] - SCALES[0] * slopes[:, 1:]
    return np.cross(slopes, SCALES[:3])


OPERATORS = {
    "grad_u": gradient_of_product,
    "laplacian_u": lambda x: -sum(RATES[: x.shape[1]] ** 2) * product_derivative(x),
    "biharmonic_u": lambda x: sum(RATES[: x.shape[1]] ** 2) ** 2 * product_derivative(x),
    "hessian_u": lambda x: np.moveaxis(
        [[product_derivative(x, i, j)[:, 0] for i in range(x.shape[1])] for j in range(x.shape[1])],
        -1,
        0,
    ),
    "jac_u": lambda x: gradient_of_product(x)[:, None],
    "jac_v": lambda x: SCALES[: x.shape[1], None] * gradient_of_product(x)[:, None],
    "div_v": lambda x: gradient_of_product(x) @ SCALES[: x.shape[1], None],
    "laplacian_v": lambda x: OPERATORS["laplacian_u"](x) * SCALES[: x.shape[1]],
    "biharmonic_v": lambda x: OPERATORS["biharmonic_u"](x) * SCALES[: x.shape[1]],
    "curl_v": curl_of_product,
}


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("dimension", (1, 2, 3))
def test_operators_in_closed_form(dimension, method):
    points = CLOUD[:, :dimension]
    names = [name for name in OPERATORS if name != "curl_v" or dimension > 1]
    values = kpinn.derivatives(
        lambda x: tf.concat([product(x), vectors(x)], axis=1),
        points,
        names,
        coordinates="x y z"[: 2 * dimension],
        fields=f"u v[{dimension}]",
        method=method,
    )
    # A difference of the fourth order along three coordinates loses most.
    tolerance = 1e-13 if method in EXACT else 1e-6
    for name in names:
        assert error(values[name], OPERATORS[name](points)) < tolerance, name


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("coordinates", ("t x y", "x t y", "time x[2]"))
def test_operators_leave_time_out(coordinates, method):
    spatial = (0, 2) if coordinates == "x t y" else (1, 2)
    values = kpinn.derivatives(
        product, CLOUD, "laplacian_u, grad_u", coordinates=coordinates, method=method
    )
    tolerance = 1e-13 if method in EXACT else 1e-9
    expected = sum(product_derivative(CLOUD, i, i) for i in spatial)
    assert error(values["laplacian_u"], expected) < tolerance
    assert error(values["grad_u"], gradient_of_product(CLOUD)[:, spatial]) < tolerance


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_operators_are_made_of_derivatives(method, float64):
    names = "u_xx u_xy u_xz u_yy u_yz u_zz u_xxxx u_yyyy u_zzzz u_xxyy u_xxzz u_yyzz".split()
    operators = ["laplacian_u", "hessian_u", "biharmonic_u", "grad_u", "u_x", "u_y", "u_z"]
    value = kpinn.derivatives(
        network(drawn_weights(3, 5, 1)),
        CLOUD,
        names + operators,
        coordinates="x y z",
        method=method,
    )
    xx, xy, xz, yy, yz, zz, *fourth = (value[name] for name in names)
    rows = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
    hessian = np.array([[entry[:, 0] for entry in row] for row in rows]).transpose(2, 0, 1)
    assert error(value["hessian_u"], hessian) == 0
    assert error(value["laplacian_u"], np.trace(hessian, axis1=1, axis2=2)[:, None]) < 1e-15
    xxxx, yyyy, zzzz, xxyy, xxzz, yyzz = fourth
    biharmonic = xxxx + yyyy + zzzz + 2 * (xxyy + xxzz + yyzz)
    assert error(value["biharmonic_u"], biharmonic) < 1e-15
    assert error(value["grad_u"], np.hstack([value["u_x"], value["u_y"], value["u_z"]])) == 0


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_curl_of_a_gradient_and_divergence_of_a_curl_vanish(method, float64):
    model = network(drawn_weights(3, 5, 1))

    def gradient(points):
        inner = kpinn.derivatives(model, points, "grad_u", coordinates="x y z")
        return inner["grad_u"]

    def three(points):
        return tf.concat([model(points), model(2.0 * points), model(points + 1.0)], axis=1)

    def curl(points):
        inner = kpinn.derivatives(three, points, "curl_v", coordinates="x y z", fields="v[3]")
        return inner["curl_v"]

    of = functools.partial(
        kpinn.derivatives, points=CLOUD, coordinates="x y z", fields="v[3]", method=method
    )
    tolerance = 1e-13 if method in EXACT else 1e-9
    assert np.max(np.abs(of(gradient, requests="curl_v")["curl_v"])) < tolerance
    assert np.max(np.abs(of(curl, requests="div_v")["div_v"])) < tolerance
    assert np.max(np.abs(of(curl, requests="curl_v")["curl_v"])) > 0.01  # not all is zero


# Directions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_directions(method):
    vectors = {"n": drawn(6, 2, seed=4), "s": drawn(6, 2, seed=5), "whole": drawn(6, 3, seed=6)}
    units = {"e": np.tile([1.0, 0.0], (6, 1)), "f": np.tile([0.0, 1.0], (6, 1))}
    names = "u_e u_e_e_f u_n u_nn u_n_s u_n_t u_whole".split()
    arrays = dict(zip("txy", CLOUD.T, strict=True)) | vectors | units
    value = kpinn.derivatives(product, arrays, names, coordinates="t x y", method=method)

    n, s = (np.pad(vectors[name], ((0, 0), (1, 0))) for name in "ns")  # nothing along time
    slopes, hessian = gradient_of_product(CLOUD), OPERATORS["hessian_u"](CLOUD)
    expected = {
        "u_e": product_derivative(CLOUD, 1),
        "u_e_e_f": product_derivative(CLOUD, 1, 1, 2),
        "u_n": np.einsum("ni,ni->n", n, slopes)[:, None],
        "u_nn": np.einsum("ni,nij,nj->n", n, hessian, n)[:, None],
        "u_n_s": np.einsum("ni,nij,nj->n", n, hessian, s)[:, None],
        "u_n_t": np.einsum("ni,ni->n", n, hessian[:, 0])[:, None],
        "u_whole": np.einsum("ni,ni->n", vectors["whole"], slopes)[:, None],
    }
    tolerance = 1e-13 if method in EXACT else 1e-7
    for name in names:
        assert error(value[name], expected[name]) < tolerance, name


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_direction_that_is_zero_everywhere(method):
    arrays = {"x": LINE, "n": np.zeros_like(LINE)}
    value = kpinn.derivatives(tf.sin, arrays, "u_n, u_nn", coordinates="x", method=method)
    assert np.max(np.abs(value["u_n"])) < 1e-10 and np.max(np.abs(value["u_nn"])) < 1e-10


# Points, shapes, modes -----------------------------------------------------------------------

SHAPES = {
    "v": (2,),
    "p": (1,),
    "v_x": (2,),
    "v_xy": (2,),
    "p_ty": (1,),
    "v_n": (2,),
    "p_nn": (1,),
    "grad_p": (2,),
    "hessian_p": (2, 2),
    "laplacian_p": (1,),
    "laplacian_v": (2,),
    "biharmonic_p": (1,),
    "biharmonic_v": (2,),
    "div_v": (1,),
    "curl_v": (1,),
    "jac_v": (2, 2),
    "jac_p": (1, 2),
}


@pytest.mark.parametrize("count", (0, 1, 4))
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_shapes(method, count):
    points = dict.fromkeys("txy", np.ones(count)) | {"n": np.ones((count, 2))}
    values = kpinn.derivatives(
        lambda x: tf.sin(x),
        points,
        list(SHAPES),
        coordinates="t x y",
        fields="v[2] p",
        method=method,
    )
    assert {name: tuple(value.shape) for name, value in values.items()} == {
        name: (count, *shape) for name, shape in SHAPES.items()
    }


@pytest.mark.parametrize("size, shape", [(2, (4, 1)), (3, (4, 3))])
def test_shape_of_a_curl(size, shape):
    points = {"x": np.ones((4, size))}
    values = kpinn.derivatives(tf.sin, points, "curl_v", fields=f"v[{size}]")
    assert values["curl_v"].shape == shape


def column(i):
    return CLOUD[:, i : i + 1]


@pytest.mark.parametrize(
    "points, coordinates",
    [
        (CLOUD, "t x y"),
        (tf.constant(CLOUD), ["t", "x", "y"]),
        ({"t": column(0), "x": column(1), "y": column(2)}, None),
        ({"t": CLOUD[:, 0], "x": CLOUD[:, 1], "y": CLOUD[:, 2]}, None),
        ({"y": CLOUD[:, 2], "x": tf.constant(column(1)), "t": CLOUD[:, 0], "f": 0}, "t x y"),
    ],
)
def test_forms_of_points(points, coordinates):
    if isinstance(points, dict) and "f" in points:
        points = points | {"f": np.zeros(6)}  # an array that nothing asks for
    value = kpinn.derivatives(product, points, "u_x", coordinates=coordinates)["u_x"]
    assert error(value, product_derivative(CLOUD, 1)) < 1e-14


def test_a_vector_coordinate_is_its_components():
    names = "u, grad_u, hessian_u, laplacian_u, biharmonic_u"
    whole = kpinn.derivatives(product, {"x": CLOUD}, names)
    split = kpinn.derivatives(product, CLOUD, names, coordinates="x y z")
    for name, value in whole.items():
        assert error(value, split[name]) == 0, name


def test_numbers_without_a_dtype_are_of_floatx():
    assert kpinn.derivatives(tf.sin, {"x": [0, 1]}, "u_x")["u_x"].dtype == tf.float32
    kpinn.set_float64()
    assert kpinn.derivatives(tf.sin, {"x": [0, 1]}, "u_x")["u_x"].dtype == tf.float64


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"method": "magic"},
            "method 'magic' is unknown: expected one of 'auto', 'taylor', 'reverse', 'for",
        ),
        ({"points": LINE}, r"points are an array, .* pass coordinates='t x', or a dict"),
        ({"requests": ""}, "requests are names such as 'u, u_x', not ''"),
        ({"requests": "u_y"}, "'u_y' asks for a derivative with respect to 'y'"),
        ({"points": LINE[:, None], "coordinates": "x y"}, r"shape \(17, 1\): expected \(n, 2\)"),
        ({"coordinates": "t x"}, "points lack the coordinate 't': there are x"),
        ({"coordinates": "x[2]"}, r"coordinate 'x' has the shape \(17, 1\): expected \(n, 2\)"),
        ({"points": {"x": LINE, "y": [1.0]}}, "different numbers of points: {'x': 17, 'y': 1}"),
        ({"points": {"x": np.ones((2, 2, 2))}, "coordinates": "x"}, r"expected \(n, 1\) or \(n,\)"),
        ({"points": {"x": ["a"]}}, "'x' is not an array of real numbers"),
        ({"fields": "u v"}, r"returned the shape \(17, 1\) .* expected \(n, 2\).* fields: u, v"),
        ({"function": lambda x: x[0, 0]}, r"the function returned the shape \(\)"),
    ],
)
def test_misuse(arguments, message):
    arguments = {"function": tf.sin, "points": {"x": LINE}, "requests": "u_x"} | arguments
    with pytest.raises(ValueError, match=message):
        kpinn.derivatives(**arguments)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_eager_graph_and_xla_agree(method, float64):
    model = network(drawn_weights(3, 5, 2))

    def call(points, normal):
        arrays = dict(zip("txy", tf.unstack(points, axis=1), strict=True)) | {"n": normal}
        names = "u_t, v_xx, u_xxy, u_nn, laplacian_v, hessian_u"
        return kpinn.derivatives(
            model, arrays, names, coordinates="t x y", fields="u v", method=method
        )

    arguments = tf.constant(CLOUD), tf.constant(drawn(6, 2))
    eager = call(*arguments)
    # XLA would compile a forward accumulator anew for each call.
    for mode in ("graph", "xla") if method != "forward" else ("graph",):
        values = compiled(call, mode)(*arguments)
        for name, value in eager.items():
            assert error(values[name], value) < (1e-13 if method in EXACT else 1e-7), name
