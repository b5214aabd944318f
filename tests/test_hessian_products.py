"""Products of the Hessian of the loss with vectors, against differences of gradients."""

import keras
import numpy as np
import pytest
from keras import ops
from problems import heat_points, small_heat

import kpinn
from kpinn.optimizers import ScipyMinimize
from kpinn.optimizers.scipy.minimize import HESSIAN_METHODS
from kpinn.training.scipy_loop import Functions

METHODS = {
    "taylor": 1e-7,
    "reverse": 1e-7,
    "forward": 1e-7,
    "finite_difference": 1e-3,  # the differences of which the gradient consists are rounded
    "stochastic": 1e-7,
}


def of_pinn(pinn, points):
    """The parameters, and the gradient and the product as functions of them."""
    pinn.compile("adam", jit_compile=False, loss_weights={"start": 3.0})
    data = pinn.prepare(points)
    functions, theta = Functions(pinn.objective, data), kpinn.destructure(pinn)[0].numpy()
    return theta, lambda t: functions.value_and_gradient(t)[1], functions.hessian_product


class Heat(kpinn.PINN):
    """A nonlinear one, in two dimensions of space."""

    coordinates, fields = "t x y", "u"

    @kpinn.condition
    def heat(self, u, u_t, laplacian_u):
        return u_t - laplacian_u + u**3

    @kpinn.condition
    def start(self, x, u):
        return u - ops.sin(np.pi * x)


def points():
    box = kpinn.domains.Box(t=(0, 1), x=(0, 1), y=(0, 1))
    return {"heat": box.sample(20, seed=0), "start": box.face(t=0).sample(10, seed=1)}


@pytest.mark.parametrize("method", METHODS)
def test_every_derivative_method(method):
    kpinn.set_float64()
    tolerance = METHODS[method]
    method = kpinn.Stochastic(directions=2) if method == "stochastic" else method
    pinn = Heat(kpinn.networks.MLP(units=6, depth=2), method=method)
    theta, gradient, product = of_pinn(pinn, points())
    for vector in np.random.default_rng(0).normal(size=(2, theta.size)):
        expected = (gradient(theta + 1e-5 * vector) - gradient(theta - 1e-5 * vector)) / 2e-5
        found = product(theta, vector)
        assert np.linalg.norm(found - expected) <= tolerance * np.linalg.norm(expected)
        np.testing.assert_array_equal(kpinn.destructure(pinn)[0], theta)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.LayerNormalization,
        lambda: keras.layers.Activation("softsign"),
        lambda: keras.layers.Activation("gelu"),
        lambda: keras.layers.Reshape((6,)),
    ],
)
def test_layers_whose_second_derivatives_tensorflow_gets_wrong_or_lacks(layer):
    """With conditions of order zero, which call the network as it is, and of order two."""
    kpinn.set_float64()
    layers = [keras.Input((3,)), keras.layers.Dense(6, "tanh"), layer(), keras.layers.Dense(1)]
    theta, gradient, product = of_pinn(Heat(keras.Sequential(layers)), points())
    vector = np.random.default_rng(0).normal(size=theta.size)
    expected = (gradient(theta + 1e-5 * vector) - gradient(theta - 1e-5 * vector)) / 2e-5
    np.testing.assert_allclose(product(theta, vector), expected, rtol=1e-5, atol=1e-6)


def test_the_hessian_is_symmetric_and_that_of_a_quadratic_is_exact():
    """With a linear network the loss is quadratic in its kernel: mean of (x . k + b)^2."""
    kpinn.set_float64()
    x = np.random.default_rng(0).normal(size=(7, 1))

    def zero(u):
        return u

    pinn = kpinn.PINN(
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), "x", "u", conditions=[zero]
    )
    pinn.compile("adam", jit_compile=False)
    product = Functions(pinn.objective, pinn.prepare({"x": x})).hessian_product
    rows = np.hstack([x, np.ones_like(x)])
    found = np.stack([product(np.array([0.3, -0.2]), vector) for vector in np.eye(2)])
    np.testing.assert_allclose(found, 2 * rows.T @ rows / 7, rtol=1e-12)


@pytest.mark.parametrize(
    ("method", "floatx"), [*((m, "float64") for m in HESSIAN_METHODS), ("trust-ncg", "float32")]
)
def test_fit_with_the_hessian(method, floatx):
    if floatx == "float64":
        kpinn.set_float64()
    pinn, points = small_heat(ScipyMinimize(method)), heat_points(16, 8)
    losses = pinn.fit(points, epochs=25, verbose=0).history["loss"]
    assert len(losses) == 25
    assert losses[-1] < 0.5 * losses[0]
    assert (np.diff(losses) <= 1e-6).all() or method == "trust-constr"
    loss = pinn.evaluate(points, return_dict=True, verbose=0)["loss"]
    assert loss == pytest.approx(pinn.optimizer.result.loss, rel=1e-4)


def test_newtons_method_needs_fewer_iterations_than_gradients_do():
    kpinn.set_float64()
    found = {}
    for method in ("trust-ncg", "CG"):
        keras.utils.set_random_seed(0)
        pinn = small_heat(ScipyMinimize(method))
        found[method] = min(pinn.fit(heat_points(), epochs=60, verbose=0).history["loss"])
    assert found["trust-ncg"] < 0.5 * found["CG"]


def test_xla_and_eager_mode():
    kpinn.set_float64()

    def residual(u, u_x):
        return u_x + u - 1.0

    found = []
    for arguments in ({"jit_compile": True}, {"run_eagerly": True}, {"jit_compile": False}):
        keras.utils.set_random_seed(0)
        pinn = kpinn.PINN(kpinn.networks.MLP(units=3, depth=1), "x", "u", conditions=[residual])
        pinn.compile(ScipyMinimize("trust-ncg"), **arguments)
        history = pinn.fit({"x": np.linspace(0, 1, 5)}, epochs=3, verbose=0).history
        found.append(history["loss"])
    np.testing.assert_allclose(found, found[:1] * 3, rtol=1e-6)


def test_a_wrong_hessian_is_found_before_the_first_step():
    """A residual whose first derivatives are right and whose second ones are zero."""
    kpinn.set_float64()

    def residual(u):
        return 2 * u * ops.stop_gradient(u) - ops.stop_gradient(u) ** 2

    pinn = kpinn.PINN(kpinn.networks.MLP(units=3, depth=1), "x", "u", conditions=[residual])
    pinn.compile(ScipyMinimize("trust-ncg"), jit_compile=False)
    with pytest.raises(ValueError, match="products with the Hessian are not changes of the grad"):
        pinn.fit({"x": [1.0, 2.0]}, verbose=0)
    assert pinn.optimizer.result is None
    pinn.compile(ScipyMinimize("L-BFGS-B"), jit_compile=False)
    pinn.fit({"x": [1.0, 2.0]}, epochs=3, verbose=0)
    assert pinn.optimizer.result.code == "iteration_limit"
