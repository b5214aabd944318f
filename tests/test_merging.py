"""Linear combinations of derivatives: asked for, and found in conditions."""

import math

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from keras import ops
from problems import Heat

import kpinn
from kpinn.derivatives.api import parse_all
from kpinn.derivatives.channels.plan import Plan
from kpinn.derivatives.names.space import Space
from kpinn.problem import merging
from kpinn.problem.affine import affine
from kpinn.problem.arguments import Quantity
from kpinn.problem.points import widths_of
from kpinn.problem.problem import Problem

VISCOSITY = 0.01 / math.pi


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def network(inputs, outputs=1):
    layers = [keras.layers.Dense(6, "tanh"), keras.layers.Dense(5, "tanh")]
    return keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(outputs)])


def drawn(names, count=7):
    rng = np.random.default_rng(0)
    return {name: rng.uniform(-1, 1, (count, 1)) for name in names.split()}


# Asked for -----------------------------------------------------------------------------------

COMBINATIONS = {  # terms, and channels
    "heat": ({"u_t": 1.0, "u_xx": -VISCOSITY}, 3),
    "wave": ({"u_tt": 1, "u_xx": -4}, 4),
    "Korteweg-de Vries": ({"u_t": 1.0, "u_xxx": 1.0}, 4),
    "Kuramoto-Sivashinsky": ({"u_t": 1.0, "u_xx": 1.0, "u_xxxx": 1.0}, 5),
    "mixed": ({"u_tx": 0.3, "biharmonic_u": -2.0, "u": 1e-9}, 5),
    "nothing": ({"u_xx": 0.0}, 1),
}


@pytest.mark.parametrize("name", COMBINATIONS)
def test_combinations_are_exact_and_take_few_channels(name):
    terms, channels = COMBINATIONS[name]
    model, points = network(2), drawn("t x", 3)
    columns = np.concatenate(list(points.values()), axis=1)
    weights = [weight.astype(float) for weight in model.get_weights()]
    axes = {"biharmonic_u": "xxxx", "u": ""}
    expected = sum(
        factor
        * references.partials(
            references.mlp(weights),
            columns,
            tuple("tx".index(a) for a in axes.get(term, term.partition("_")[2])),
        )
        for term, factor in terms.items()
    )
    space = Space("t x", "u")
    assert len(Plan.of(parse_all({name: terms}, space), space).algebra) == channels
    for method, tolerance in (("taylor", 1e-12), ("reverse", 1e-12)):
        found = kpinn.derivatives(model, points, {"u": "u", name: terms}, "t x", method=method)
        assert list(found) == ["u", name]
        scale = max(np.max(np.abs(expected)), 1e-30)
        assert np.max(np.abs(found[name] - expected)) <= tolerance * scale


@pytest.mark.parametrize(
    "terms, message",
    [
        ({"u_x": 1.0, "v_x": 1.0}, r"'r' adds up terms of \['u', 'v'\]: expected one field"),
        ({"grad_u": 1.0}, "'r' adds up 'grad_u': only derivatives, laplacian_ and biharmonic_"),
        ({"u_x": "2"}, "'r' takes 'u_x' times '2': expected a finite number, or an array"),
        ({"u_x": math.nan}, "'r' takes 'u_x' times nan"),
        ({"u_z": 1.0}, "'u_z'"),
        ({}, r"'r' adds up terms of \[\]"),
    ],
)
def test_misuse(terms, message):
    with pytest.raises(ValueError, match=message):
        kpinn.derivatives(network(2, 2), drawn("x y"), {"r": terms}, "x y", "u v")


# Found in conditions -------------------------------------------------------------------------


def burgers(u, u_t, u_x, u_xx):
    return u_t + u * u_x - VISCOSITY * u_xx


def divided(u_t, u_xx):
    return -(u_xx / 4.0 - u_t) * 2.0 - 1.0


def twice(u_t, u_xx):
    return u_t - u_xx + 0.5 * u_xx


def by_ops(u, u_t, laplacian_u):
    return ops.subtract(u_t, ops.multiply(0.3, laplacian_u)) + ops.sin(u)


def variable_factor(x, u_t, u_xx):
    return u_t - x * u_xx


def nonlinear(u_t, u_xx):
    return u_t - u_xx**2


def also_elsewhere(u_t, u_xx):
    return u_t - u_xx + ops.exp(u_t)


def of_two_columns(u_t, u_xx):
    return ops.concatenate([u_t - u_xx, u_t], axis=1)


def flat(u_t, u_xx):
    return (u_t - u_xx)[:, 0]


def with_an_array(u_t, u_xx, f):
    return u_t - u_xx - f


def along_a_direction(u_t, u_nn):
    return u_t - 0.5 * u_nn


def scaled_by_arrays(x, f, u_t, u_xx):
    return 2.0 * u_t / x - (-x * f) * u_xx / 4.0


def by_functions_of_coordinates(t, x, u_t, u_xx, u_x):
    return u_t - ops.exp(x * t) * u_xx + ops.sin(x) * u_x


def of_two_factors(t, x, u_t, u_xx):
    return x * (u_t - t * u_xx) + 3.0 * u_xx


def black_scholes(x, u, u_t, u_x, u_xx):
    return u_t + 0.02 * x**2 * u_xx + 0.05 * x * u_x - 0.05 * u


def third_order(x, u_t, u_xxx, u_xx):
    return u_t + x * u_xxx + (1.0 + x) * u_xx


def by_a_field(u, u_t, u_xx):
    return u_t - ops.exp(u) * u_xx


def by_numbers_of_points(x, u_t, u_xx):
    return u_t - ops.mean(x, axis=0, keepdims=True) * u_xx


def by_something_of_another_shape(x, u_t, u_xx):
    return u_t - ops.sum(u_xx * ops.transpose(x), axis=1, keepdims=True)


def by_nothing(x, u_t, u_xx):
    return u_t - u_xx / (0.0 * x)


def along_normals(n, u_t, u_x):
    return n[:, :1] * u_t + n[:, 1:] * u_x


def random_factor(x, u_t, u_xx):
    return u_t - tf.random.stateless_uniform((1, 1), (1, 2), dtype=x.dtype) * u_xx


CONDITIONS = [  # the condition, the factors found, channels without and with them
    (burgers, {"u_t": 1.0, "u_xx": -VISCOSITY}, 4, 3),
    (divided, {"u_t": 2.0, "u_xx": -0.5}, 4, 3),
    (twice, {"u_t": 1.0, "u_xx": -0.5}, 4, 3),
    (by_ops, {"u_t": 1.0, "laplacian_u": -0.3}, 4, 3),
    (variable_factor, {"u_t": 1.0, "u_xx": {"x": -1.0}}, 4, 3),
    (scaled_by_arrays, {"u_t": {"/x": 2.0}, "u_xx": {"xf": 0.25}}, 4, 3),
    (by_functions_of_coordinates, {"u_t": 1.0, "u_xx": {"?": -1.0}, "u_x": {"?": 1.0}}, 4, 3),
    (of_two_factors, {"u_t": {"x": 1.0}, "u_xx": {"tx": -1.0, "": 3.0}}, 4, 3),
    (black_scholes, {"u_t": 1.0, "u_xx": {"?": 0.02}, "u_x": {"x": 0.05}}, 4, 3),
    (third_order, {"u_t": 1.0, "u_xxx": {"x": 1.0}, "u_xx": {"?": 1.0}}, 5, 4),
    (by_a_field, {"u_t": 1.0}, 4, 4),
    (by_numbers_of_points, {"u_t": 1.0, "u_xx": {"?": -1.0}}, 4, 3),
    (by_something_of_another_shape, {"u_t": 1.0}, 4, 4),
    (random_factor, {"u_t": 1.0, "u_xx": {"?": -1.0}}, 4, 3),
    (by_nothing, {"u_t": 1.0}, 4, 4),
    (along_normals, {"u_t": {"?": 1.0}, "u_x": {"?": 1.0}}, 3, 2),
    (nonlinear, {"u_t": 1.0}, 4, 4),
    (also_elsewhere, {"u_xx": -1.0}, 4, 4),
    (of_two_columns, {}, 4, 4),
    (flat, {}, 4, 4),
    (with_an_array, {"u_t": 1.0, "u_xx": -1.0}, 4, 3),
    (along_a_direction, {"u_t": 1.0, "u_nn": -0.5}, 4, 3),
]


def points_of(condition):
    extra = {with_an_array: "f", scaled_by_arrays: "f", along_a_direction: "n"}.get(condition)
    points = drawn("t x")
    if extra:
        points[extra] = np.random.default_rng(1).uniform(-1, 1, (7, 1))
    if condition is along_normals:
        points["n"] = np.random.default_rng(1).uniform(-1, 1, (7, 2))
    return {name: tf.constant(array) for name, array in points.items()}


def readable(found, factor):
    """Monomials as texts: `"tx"`, `"/x"`, with `?` for what the condition computes."""

    def text(monomial):
        return "".join("/" * (p < 0) + (found.name(tensor) or "?") for tensor, p in monomial)

    return {text(monomial): number for monomial, number in factor.items()}


@pytest.mark.parametrize("condition, factors, before, after", CONDITIONS)
def test_what_is_found(condition, factors, before, after):
    pinn = kpinn.PINN(network(2), "t x", "u", conditions=[condition])
    problem, arrays = pinn.problem, points_of(condition)
    function, widths = pinn.conditions[condition.__name__], widths_of(arrays)
    arguments = problem.arguments_at(function, widths)
    shapes = {argument.name: problem.names.shape(argument, widths) for argument in arguments}
    names = [name for name in shapes if name.startswith(("u_", "laplacian"))]
    known = [argument.name for argument in merging.known(problem, function, widths)]
    found = affine(function, shapes, names, known, problem.dtype)
    assert {name: readable(found, factor) for name, factor in found.factors.items()} == {
        name: {"": factor} if isinstance(factor, float) else factor
        for name, factor in factors.items()
    }
    made = merging.merges(problem, [function], widths)
    assert merging.count(problem, [function], {}) == before
    assert merging.count(problem, [function], made) == after


@pytest.mark.parametrize(
    "condition", [row[0] for row in CONDITIONS if row[0] not in (random_factor, by_nothing)]
)
@pytest.mark.parametrize("compiled", ({}, {"jit_compile": True}))
def test_residuals_and_gradients_are_the_same(condition, compiled):
    pinn = kpinn.PINN(network(2), "t x", "u", conditions=[condition])
    arrays, name = points_of(condition), condition.__name__

    def gradients():
        with tf.GradientTape() as tape:
            residual = pinn.residuals_at((name,), arrays)[name]
            loss = tf.reduce_mean(residual**2)
        weights = [variable.value for variable in pinn.trainable_variables]
        return residual, tape.gradient(loss, weights, unconnected_gradients="zero")

    eager, graph = gradients(), tf.function(gradients, autograph=False, **compiled)()
    for a, b in zip(tf.nest.flatten(eager), tf.nest.flatten(graph), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


class Inverse(kpinn.PINN):
    coordinates = "t x"
    fields = "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.diffusivity = self.unknown("diffusivity", 0.5)

    @kpinn.condition
    def heat(self, u_t, u_xx, diffusivity):
        return u_t - diffusivity * u_xx

    @kpinn.condition
    def by_attribute(self, u_t, u_xx):
        return u_t - 2.0 * self.diffusivity * u_xx


@pytest.mark.parametrize("names", (("heat",), ("by_attribute",), ("heat", "by_attribute")))
@pytest.mark.parametrize("compiled", ({}, {"jit_compile": True}))
def test_a_trained_factor_gets_its_gradient(names, compiled):
    pinn = Inverse(network(2))
    arrays, problem = points_of(burgers), pinn.problem
    found = merging.merges(problem, [pinn.conditions[name] for name in names], widths_of(arrays))
    assert bool(found) == (len(names) == 1)  # two operators are no gain over two derivatives

    def gradients(**how):
        with tf.GradientTape() as tape:
            found = pinn.residuals_at(names, arrays)
            loss = sum(tf.reduce_mean(residual**2) for residual in found.values())
        variables = [variable.value for variable in pinn.trainable_variables]
        return found, tape.gradient(loss, variables, unconnected_gradients="zero")

    eager, graph = gradients(), tf.function(gradients, autograph=False, **compiled)()
    for a, b in zip(tf.nest.flatten(eager), tf.nest.flatten(graph), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("compiled", ({}, {"jit_compile": True}))
def test_a_network_as_a_factor_gets_its_gradient(compiled):
    """An unknown function of the coordinates."""

    class Conductor(kpinn.PINN):
        coordinates = "t x"
        fields = "u"

        def __init__(self, network, conductivity):
            super().__init__(network)
            self.conductivity = conductivity

        @kpinn.condition
        def heat(self, x, u_t, u_xx):
            return u_t - ops.softplus(self.conductivity(x)) * u_xx

    pinn = Conductor(network(2), network(1))
    arrays = points_of(burgers)
    assert merging.merges(pinn.problem, list(pinn.conditions.values()), widths_of(arrays))

    def gradients():
        with tf.GradientTape() as tape:
            residual = pinn.residuals_at(("heat",), arrays)["heat"]
            loss = tf.reduce_mean(residual**2)
        variables = [variable.value for variable in pinn.trainable_variables]
        assert len(variables) == 12
        return residual, tape.gradient(loss, variables, unconnected_gradients="zero")

    eager, graph = gradients(), tf.function(gradients, autograph=False, **compiled)()
    for a, b in zip(tf.nest.flatten(eager), tf.nest.flatten(graph), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_the_jacobian_with_a_trained_factor():
    """Its column is the slope of the residual, and the others those of separate derivatives."""

    class Apart(Inverse):
        @kpinn.condition
        def heat(self, u_t, u_xx, diffusivity):
            return u_t + ops.maximum(-diffusivity * u_xx, -np.inf)

        by_attribute = None

    class Merged(Inverse):
        by_attribute = None

    points, model, found = drawn("t x"), network(2), []
    for kind in (Merged, Apart):
        pinn = kind(model)
        pinn.compile("adam")
        found.append(kpinn.jacobian(pinn, points)[0])
        column = ["diffusivity" in v.path for v in pinn.trainable_variables].index(True)
    start = sum(math.prod(v.shape) for v in pinn.trainable_variables[:column])
    slope = kpinn.derivatives(model, points, "u_xx", "t x")["u_xx"]
    np.testing.assert_allclose(found[0][:, start], -slope[:, 0] / math.sqrt(7), rtol=1e-11)
    np.testing.assert_allclose(*found, rtol=1e-10, atol=1e-12)


def test_fields_that_share_an_operator():
    class NavierStokes(kpinn.PINN):
        coordinates = "t x y"
        fields = "u v p"

        @kpinn.condition
        def momentum_x(self, u, v, u_t, u_x, u_y, p_x, laplacian_u):
            return u_t + u * u_x + v * u_y + p_x - 0.01 * laplacian_u

        @kpinn.condition
        def momentum_y(self, u, v, v_t, v_x, v_y, p_y, laplacian_v):
            return v_t + u * v_x + v * v_y + p_y - 0.01 * laplacian_v

        @kpinn.condition
        def mass(self, u_x, v_y):
            return u_x + v_y

    pinn = NavierStokes(network(3, 3))
    functions, arrays = list(pinn.conditions.values()), drawn("t x y")
    found = merging.merges(pinn.problem, functions, widths_of(arrays))
    assert merging.count(pinn.problem, functions, {}) == 5
    assert merging.count(pinn.problem, functions, found) == 4
    assert not found["mass"].arguments


# What it costs -------------------------------------------------------------------------------


def test_describe():
    lines = []
    Heat(network(2)).describe(print_fn=lambda text: lines.extend(text.splitlines()))
    table = {line.split("  ")[0]: line.split()[-3:] for line in lines[1:-2]}
    assert lines[0].split()[-3:] == ["passes", "differences", "tapes"]
    assert table["heat"] == ["3", "5", "4"]
    assert lines[-2] == "heat: +1 u_t -1 u_xx as one operator"


def test_describe_names_factors():
    lines = []
    kpinn.PINN(network(2), "t x", "u", conditions=[of_two_factors, black_scholes]).describe(
        print_fn=lambda text: lines.extend(text.splitlines())
    )
    assert "of_two_factors: +x u_t -t x u_xx +3 u_xx as one operator" in lines
    assert "black_scholes: +1 u_t +0.05 x u_x +0.02 (...) u_xx as one operator" in lines


@pytest.mark.parametrize(
    "method, passes", [("taylor", "3"), ("reverse", "4"), ("finite_difference", "5")]
)
def test_describe_shows_the_method_of_the_condition(method, passes):
    lines = []
    pinn = kpinn.PINN(network(2), "t x", "u", conditions=[burgers], method=method)
    pinn.describe(print_fn=lambda text: lines.extend(text.splitlines()))
    assert lines[1].split()[-4:-2] == [method, passes]


def test_describe_names_what_has_no_rule():
    class Quantile(keras.layers.Layer):
        def call(self, x):
            return tf.math.erfinv(x)

    layers = [keras.layers.Dense(1, "tanh"), Quantile(name="quantile")]
    pinn = kpinn.PINN(
        keras.Sequential([keras.Input((2,)), *layers]), "t x", "u", conditions=[burgers]
    )
    lines = []
    pinn.describe(print_fn=lines.append)
    assert "Erfinv" in lines[0] and "quantile" in lines[0]


# Several sets of points ----------------------------------------------------------------------


class Sets(kpinn.PINN):
    coordinates = "t x"
    fields = "u"

    @kpinn.field
    def flux(self, x, u_x):
        return x * u_x

    @kpinn.condition
    def inside(self, u_t, u_xx):
        return u_t - u_xx

    @kpinn.condition
    def start(self, x, u):
        return u - x

    @kpinn.condition
    def walls(self, u, f):
        return u - f

    @kpinn.condition
    def slope(self, u_x):
        return u_x

    @kpinn.condition
    def slopes(self, t, u_x):
        return u_x - t

    @kpinn.condition
    def through(self, flux):
        return flux

    @kpinn.condition(method="reverse")
    def by_tapes(self, u):
        return u


@pytest.mark.parametrize("compiled", (False, True))
def test_sets_on_which_the_same_is_asked_go_through_the_network_together(compiled, monkeypatch):
    asked = []
    values = Problem.values

    def counted(self, arguments, *args, **kwargs):
        if any(isinstance(argument, Quantity) for argument in arguments):
            asked.append(sorted(argument.name for argument in arguments))
        return values(self, arguments, *args, **kwargs)

    monkeypatch.setattr(Problem, "values", counted)
    pinn = Sets(network(2))
    points = {name: drawn("t x", 3 + i) for i, name in enumerate(pinn.conditions)}
    points["walls"]["f"] = np.ones((5, 1))
    points = {n: {k: tf.constant(a) for k, a in arrays.items()} for n, arrays in points.items()}
    call = tf.function(pinn.call, autograph=False) if compiled else pinn.call
    together = call(points)
    assert list(together) == list(pinn.conditions)
    inside = ["u_t", "u_xx"] if not compiled else []
    expected = [inside, ["u"], ["u_x"], ["flux"], ["u"]]
    assert [names for names in asked if names] == [names for names in expected if names]
    for name, residual in together.items():
        alone = pinn.residuals_at((name,), points[name])[name]
        np.testing.assert_allclose(residual, alone, rtol=1e-12, atol=1e-14)
