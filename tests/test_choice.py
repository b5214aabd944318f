"""`method="auto"`: what it computes by tapes, and that these give what Taylor coefficients give."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.derivatives.api import parse_all
from kpinn.derivatives.choice import cheaper
from kpinn.derivatives.errors import CustomGradientWarning
from kpinn.derivatives.graphs.tracing import trace
from kpinn.derivatives.names.space import Space
from kpinn.derivatives.operations.table import TABLE
from kpinn.derivatives.tapes import agree, by_tapes

# What costs less -----------------------------------------------------------------------------


def names_of_cheaper(requests, coordinates, fields="u"):
    space = Space(coordinates, fields)
    return [request.name for request in cheaper(parse_all(requests, space), space)]


@pytest.mark.parametrize(
    "requests, coordinates, fields",
    [
        ("u, u_x, u_y", "x y", "u"),  # two passes, three channels
        ("u, grad_u", "x[100]", "u"),
        ("u_x, u_y, u_z", "x y z", "u"),
        ("jac_v", "x y z", "v[2]"),  # three, four
        ("jac_v", "x[4]", "v[3]"),  # four, five
        ("hessian_u", "x y z", "u"),  # eight, ten
        ("u, grad_u, hessian_u", "x[10]", "u"),  # 22, 66
    ],
)
def test_all_by_tapes(requests, coordinates, fields):
    assert names_of_cheaper(requests, coordinates, fields) == requests.split(", ")


@pytest.mark.parametrize(
    "requests, coordinates, fields",
    [
        ("u", "x[100]", "u"),
        ("u, u_x", "x", "u"),  # two passes, two channels
        ("jac_v", "x y", "v[2]"),  # three, three
        ("jac_v", "x[3]", "v[3]"),  # four, four
        ("hessian_u", "x y", "u"),  # six, six
        ("u, u_t, u_x, u_xx", "t x", "u"),
        ("laplacian_u", "x[100]", "u"),
        ("u_t, grad_u, laplacian_u", "t x[20]", "u"),  # the gradient comes with the Laplacian
        ({"v": {"u_x": 1.0, "u_y": 2.0, "u_z": 3.0}}, "x y z", "u"),  # one sum: two channels
        ("u_xxx, u_yyy, u_xyz", "x y z", "u"),  # of a higher order than two
    ],
)
def test_none_by_tapes(requests, coordinates, fields):
    assert names_of_cheaper(requests, coordinates, fields) == []


def test_some_by_tapes():
    names = names_of_cheaper("u, grad_u, u_ttt, u_t", "t x[20]")
    assert names == ["u", "grad_u", "u_t"]  # 2 passes and 4 channels, 24 channels


# Operations whose derivatives are the same ---------------------------------------------------

RNG = np.random.default_rng(0)
WEIGHTS = tf.Variable(RNG.normal(size=(3, 3)))
AT = np.array([0.0, 1.0, -1.0, 0.3, 3.0, 6.0, -3.0, 100.0, -100.0, 800.0])  # kinks, large values
POINTS = np.stack([AT, AT[::-1], np.roll(AT, 3)], axis=1)
REQUESTS, COORDINATES, FIELDS = "u, u_x, v_y, w_xy, u_xx, w_z, v_yz", "x y z", "u v w"
raw = tf.raw_ops


CASES = {  # operation: a function of tensors (n, 3)
    "Abs": tf.abs,
    "Add": lambda x: raw.Add(x=x, y=x),
    "AddN": lambda x: raw.AddN(inputs=[x, 2.0 * x]),
    "AddV2": lambda x: x + WEIGHTS[0],
    "BiasAdd": lambda x: tf.nn.bias_add(x, WEIGHTS[1]),
    "BiasAddV1": lambda x: raw.BiasAddV1(value=x, bias=WEIGHTS[1]),
    "BroadcastTo": lambda x: tf.reduce_sum(
        raw.BroadcastTo(input=x[:, :, None], shape=(10, 3, 2)), 2
    ),
    "ConcatV2": lambda x: tf.concat([x[:, 1:], x[:, :1]], 1),
    "Cos": tf.cos,
    "Div": lambda x: raw.Div(x=x, y=1.0 + WEIGHTS[0] ** 2),
    "Erf": tf.math.erf,
    "Exp": lambda x: tf.exp(-x * x),
    "ExpandDims": lambda x: tf.reduce_sum(tf.expand_dims(x, 1) * x[:, :, None], 2),
    "Identity": tf.identity,
    "IdentityN": lambda x: tf.identity_n([x, x])[1],
    "MatMul": lambda x: x @ WEIGHTS,
    "Mean": lambda x: x * tf.reduce_mean(x, axis=1, keepdims=True),
    "Mul": lambda x: x * x * WEIGHTS[0],
    "Neg": tf.negative,
    "Pack": lambda x: tf.stack([x[:, 1], x[:, 0], x[:, 2]], 1),
    "Pow": lambda x: x**3,
    "RealDiv": lambda x: x / (1.0 + WEIGHTS[0] ** 2),
    "Relu": tf.nn.relu,
    "Relu6": tf.nn.relu6,
    "Reshape": lambda x: tf.reshape(tf.reshape(x, (-1, 1, 3)), (-1, 3)),
    "Sigmoid": tf.sigmoid,
    "Sin": tf.sin,
    "Slice": lambda x: raw.Slice(input=x, begin=[0, 1], size=[-1, 2]) @ WEIGHTS[:2],
    "Split": lambda x: tf.concat(tf.split(x, 3, axis=1)[::-1], 1),
    "SplitV": lambda x: tf.concat(tf.split(x, [1, 2], axis=1)[::-1], 1),
    "Square": tf.square,
    "Squeeze": lambda x: tf.squeeze(x[:, None], 1),
    "StridedSlice": lambda x: x[:, ::-1],
    "Sub": lambda x: WEIGHTS[0] - x,
    "Sum": lambda x: x * tf.reduce_sum(x, axis=1, keepdims=True),
    "Tanh": tf.tanh,
    "Unpack": lambda x: tf.stack(tf.unstack(x, axis=1)[::-1], 1),
}


def test_each_operation_has_a_case():
    assert {name for name, facts in TABLE.items() if facts.by_tapes} == set(CASES)


def with_gradients(compute):
    """Values, the gradient of the sum of their squares, and the gradient of its square."""
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            values = list(compute(tf.constant(POINTS)).values())
            total = tf.add_n([tf.reduce_sum(value**2) for value in values])
        gradient = tape.gradient(total, WEIGHTS)
        square = tf.reduce_sum(gradient**2)
    return [*values, gradient, tf.convert_to_tensor(outer.gradient(square, WEIGHTS))]


@pytest.mark.parametrize("name", CASES)
def test_tapes_and_taylor_are_the_same(name):
    def function(x):
        return CASES[name](x @ WEIGHTS) + CASES[name](x)

    def tapes(points):
        graph = trace(function, 3, tf.float64, len(POINTS)).graph
        assert name in {operation.type for operation in graph.get_operations()}
        assert agree(graph)
        space = Space(COORDINATES, FIELDS)
        return by_tapes(graph, points, parse_all(REQUESTS, space), {}, space)

    def taylor(points):
        return kpinn.derivatives(function, points, REQUESTS, COORDINATES, FIELDS, "taylor")

    for found, expected in zip(with_gradients(tapes), with_gradients(taylor), strict=True):
        size = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11 * size)


# Functions -----------------------------------------------------------------------------------


class Normalized(keras.Sequential):
    def __init__(self):
        layers = [keras.layers.Dense(4), keras.layers.LayerNormalization(), keras.layers.Dense(1)]
        super().__init__(layers)


def root(x):
    return tf.sqrt(tf.reduce_sum(x * x, axis=1, keepdims=True))


@tf.custom_gradient
def cut(x):
    """Its gradient is not that of its values, as tapes over the function would have it."""
    return tf.sin(x), lambda upstream: 0.0 * upstream


def complex_inside(x):
    z = tf.complex(x[:, :1], x[:, 1:2])
    return tf.math.real(z * z)


OTHERS = {
    "declared": kpinn.derivatives.independent(lambda x: x[:, :1] * x[:, 1:2]),
    "divided": lambda x: x[:, :1] / x[:, 1:2],
    "fractional power": lambda x: x[:, :1] ** 1.5,
    "larger": lambda x: tf.maximum(x[:, :1], x[:, 1:2]),
    "largest": lambda x: tf.reduce_max(x, axis=1, keepdims=True),
    "loop": lambda x: tf.while_loop(
        lambda y: True, lambda y: (y * y,), [x[:, :1]], maximum_iterations=2
    )[0],
    "normalized": Normalized(),
    "root": root,
    "softplus": lambda x: tf.nn.softplus(x[:, :1] * x[:, 1:2]),
    "stopped": lambda x: tf.stop_gradient(x[:, :1]) * x[:, 1:2],
    "where": lambda x: tf.where(x[:, :1] > 0, x[:, :1], x[:, 1:2]),
}


def kinds_of(method, function, requests="u, u_x, u_y, u_z"):
    """The operations of the graph of derivatives."""

    @tf.function(autograph=False)
    def compute(x):
        return kpinn.derivatives(function, x, requests, "x y z", "u", method)

    graph = compute.get_concrete_function(tf.TensorSpec((5, 3))).graph
    return sorted(operation.type for operation in graph.get_operations())


def test_complex_numbers_inside_stay_with_taylor():
    assert not agree(trace(complex_inside, 3, tf.float64, 5).graph)


@pytest.mark.parametrize("name", OTHERS)
def test_other_functions_stay_with_taylor(name):
    assert kinds_of("auto", OTHERS[name]) == kinds_of("taylor", OTHERS[name])


def test_custom_gradients_are_those_of_the_operations():
    def function(x):
        return tf.reduce_sum(cut(x), axis=1, keepdims=True)

    x = RNG.normal(size=(4, 3))
    with pytest.warns(CustomGradientWarning, match="is not the derivative"):
        values = kpinn.derivatives(function, x, "u, grad_u", "x[3]")
    np.testing.assert_allclose(values["grad_u"], np.cos(x), atol=1e-14)


def network(columns):
    keras.utils.set_random_seed(0)
    made = kpinn.networks.MLP(6, 2, dtype="float64")
    made.build((None, columns))
    return made


def test_along_directions():
    x = RNG.normal(size=(4, 3))
    normal = RNG.normal(size=(4, 3))
    points = {"x": x[:, :1], "y": x[:, 1:2], "z": x[:, 2:], "n": normal}
    asked = "u, u_x, u_y, u_z, u_n", "x y z"
    found, expected = (
        kpinn.derivatives(network(3), points, *asked, "u", method) for method in ("auto", "taylor")
    )
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-13)
    np.testing.assert_allclose(
        found["u_n"][:, 0],
        np.sum(normal * np.concatenate([found[n] for n in ("u_x", "u_y", "u_z")], 1), axis=1),
        rtol=1e-13,
    )


# Models --------------------------------------------------------------------------------------


def eikonal(grad_u, f):
    return ops.sum(grad_u**2, axis=1, keepdims=True) - f


def mixed(u, grad_u, u_ttt):
    return u_ttt + u * ops.sum(grad_u**2, axis=1, keepdims=True)


def mixed_in_first_order(u_t, grad_u):
    return u_t + ops.sum(grad_u**2, axis=1, keepdims=True)


def of(condition, method, columns="x[6]"):
    pinn = kpinn.PINN(
        network(int(columns[-2]) + columns.startswith("t")),
        columns,
        "u",
        conditions=[condition],
        method=method,
    )
    pinn.compile(keras.optimizers.SGD(1e-2), jit_compile=False)
    return pinn


EIKONAL = {"x": RNG.uniform(size=(20, 6)), "f": np.ones((20, 1))}
MIXED = {"t": RNG.uniform(size=(20, 1)), "x": RNG.uniform(size=(20, 9))}


@pytest.mark.parametrize("how", ["plain", "XLA", "eager"])
@pytest.mark.parametrize(
    "condition, columns, points", [(eikonal, "x[6]", EIKONAL), (mixed, "t x[9]", MIXED)]
)
def test_fit_is_the_same(condition, columns, points, how):
    weights = []
    for method in ("auto", "taylor"):
        pinn = of(condition, method, columns)
        options = {"jit_compile": how == "XLA", "run_eagerly": how == "eager"}
        pinn.compile(keras.optimizers.SGD(1e-2), **options)
        pinn.fit(points, epochs=2, verbose=0)
        weights.append(np.concatenate([np.ravel(w) for w in pinn.network.get_weights()]))
    np.testing.assert_allclose(*weights, rtol=1e-9, atol=1e-12)


def test_an_export_and_values_are_the_same(tmp_path):
    pinn, other = of(eikonal, "auto"), of(eikonal, "taylor")
    expected = other.predict_fields(EIKONAL, "u, grad_u")
    found = pinn.predict_fields(EIKONAL, "u, grad_u")
    np.testing.assert_allclose(found["grad_u"], expected["grad_u"], rtol=1e-12)
    pinn.export(tmp_path / "eikonal")
    served = kpinn.load_export(tmp_path / "eikonal").signatures["derivatives"]
    values = served(x=tf.constant(EIKONAL["x"]))
    expected = pinn.predict_fields(EIKONAL, "grad_u")["grad_u"]
    np.testing.assert_allclose(values["grad_u"], expected, rtol=1e-12)


class Flow(kpinn.PINN):
    coordinates = "x y z"
    fields = "u"

    @kpinn.field
    def flux(self, u, u_x, u_y, u_z):
        return u * u_x + u_y * u_z

    @kpinn.condition
    def balance(self, flux, flux_x, flux_y, flux_z, u_x, u_y, u_z):
        return flux_x + flux_y * flux_z - flux + u_x * u_y * u_z


def test_derived_fields_and_their_derivatives():
    points = {name: RNG.uniform(size=(5, 1)) for name in "xyz"}
    names = "flux, flux_x, flux_y, flux_z, u_x"
    found, expected = (
        Flow(network(3), method=method).predict_fields(points, names)
        for method in ("auto", "taylor")
    )
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-11, atol=1e-13)


def test_derivatives_of_a_layer_of_derivatives():
    layer = kpinn.layers.Derivatives(network(3), "u_x, u_y, u_z", "x y z", dtype="float64")

    def slope(x):
        return layer(x)["u_x"]

    x = RNG.uniform(size=(5, 3))
    found = kpinn.derivatives(slope, x, "v_x, v_y, v_z", "x y z", "v")
    expected = kpinn.derivatives(network(3), x, "u_xx, u_xy, u_xz", "x y z", "u", "taylor")
    for one, other in zip(found.values(), expected.values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_jacobians_keep_their_channels():
    matrices = [kpinn.jacobian(of(eikonal, method), EIKONAL)[0] for method in ("auto", "taylor")]
    np.testing.assert_array_equal(*matrices)


def transport(u_t, grad_u, u):
    return u_t + ops.sum(grad_u, axis=1, keepdims=True) - u * 0.5 + 1.0


@pytest.mark.parametrize("method", ["auto", "taylor", "reverse"])
@pytest.mark.parametrize("condition", [transport, mixed_in_first_order])
def test_what_is_linear_in_the_output_layer_is_known(condition, method):
    pinn = of(condition, method, "t x[6]")
    for layer in pinn.network.layers[:-1]:
        layer.trainable = False
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), jit_compile=False)
    points = {"t": RNG.uniform(size=(20, 1)), "x": RNG.uniform(size=(20, 6))}
    found = pinn.objective.is_affine(pinn.prepare(points))
    # The operations of gradients are not in the table, so that "reverse" cannot be proved.
    assert found is (condition is transport and method != "reverse")


def test_where_tapes_do_not_record():
    x = tf.constant(RNG.normal(size=(4, 6)))
    model = network(6)
    with tf.init_scope():
        values = kpinn.derivatives(model, x, "u, grad_u", "x[6]")
    expected = kpinn.derivatives(model, x, "u, grad_u", "x[6]", "u", "taylor")
    np.testing.assert_array_equal(values["grad_u"], expected["grad_u"])


def test_describe_says_what_runs():
    lines = []
    of(eikonal, "auto").describe(print_fn=lines.append)
    row = lines[0].splitlines()[1]
    assert row.split() == ["eikonal", "grad_u", "reverse", "2", "12", "2"]
