"""Derivatives of fractional order, beside those of powers, with gamma functions by mpmath."""

import mpmath
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.operators import caputo, caputo_l1, gruenwald_letnikov

T = np.array([[0.3], [1.0], [2.5]])
ORDERS = (0.1, 0.5, 0.9)


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def of_power(power, order, start=0.0):
    """The derivative of `(t - start)^power`, a number if `power` is zero."""
    factor = mpmath.gamma(power + 1) / mpmath.gamma(power + 1 - order)
    return float(factor) * (T - start) ** (power - order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("power", [1, 2, 5])
def test_the_rule_of_gauss_and_jacobi_is_exact_for_powers(power, order):
    found = caputo(lambda s: power * s ** (power - 1), tf.constant(T), order, nodes=4)
    np.testing.assert_allclose(found, of_power(power, order), rtol=1e-13)
    later = caputo(lambda s: 2 * (s - 0.2), tf.constant(T), order, 3, start=0.2)
    np.testing.assert_allclose(later, of_power(2, order, 0.2), rtol=1e-13)


@pytest.mark.parametrize("order", ORDERS)
def test_the_l1_scheme_has_its_order(order):
    np.testing.assert_allclose(
        caputo_l1(lambda s: 3 * s + 7, tf.constant(T), order, 5), 3 * of_power(1, order), rtol=1e-12
    )
    errors = [
        np.abs(caputo_l1(lambda s: s**2, tf.constant(T), order, steps) - of_power(2, order)).max()
        for steps in (100, 200)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2 - order, abs=0.1)
    assert errors[1] < 1e-2


@pytest.mark.parametrize("order", ORDERS)
def test_differences_have_first_order(order):
    errors = [
        np.abs(
            gruenwald_letnikov(lambda s: s**2, tf.constant(T), order, n) - of_power(2, order)
        ).max()
        for n in (100, 200)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1, abs=0.1)
    constant = gruenwald_letnikov(tf.ones_like, tf.constant(T), order, 20_000)
    np.testing.assert_allclose(constant, of_power(0, order), rtol=1e-3)


@pytest.mark.parametrize("scheme", [caputo_l1, gruenwald_letnikov])
def test_steps_begin_at_the_start(scheme):
    """Of a line that is zero there, which the first scheme knows exactly."""
    t = tf.constant(T)
    found = scheme(lambda s: s - 0.2, t, 0.5, 200, start=0.2)
    np.testing.assert_allclose(found, of_power(1, 0.5, 0.2), rtol=5e-3)
    exactly = scheme is caputo_l1
    assert np.allclose(found, of_power(1, 0.5, 0.2), rtol=1e-12) == exactly


def test_an_unknown_order_has_a_gradient():
    order = tf.constant(0.4, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(order)
        total = tf.reduce_sum(caputo_l1(lambda s: s, tf.constant(T), order, 5))
    slope = sum(
        float(mpmath.diff(lambda a, t=t: t ** (1 - a) / mpmath.gamma(2 - a), 0.4)) for t in T[:, 0]
    )
    assert float(tape.gradient(total, order)) == pytest.approx(slope, rel=1e-12)


def test_in_a_condition():
    """`D u = t` with `u(0) = 0`, whose solution is `t^1.5 / gamma(2.5)`; tried on `t^2`."""

    def equation(t, at):
        return caputo(lambda s: at("u_t", t=s), t, 0.5)

    pinn = kpinn.PINN(Square(), "t", "u", [equation])
    np.testing.assert_allclose(pinn.residuals({"t": T})["equation"], of_power(2, 0.5), rtol=1e-13)


class Square(kpinn.layers.Rescale):
    def __init__(self):
        super().__init__(-1.0, 1.0)

    def call(self, t):
        return ops.square(t)


@pytest.mark.parametrize("function", [caputo, caputo_l1, gruenwald_letnikov])
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"order": 1.0}, "order is a number in"),
        ({"order": 0.5, "start": "a"}, "start"),
        ({"order": "half"}, "order"),
    ],
)
def test_arguments_out_of_range(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(lambda s: s, tf.constant(T), **arguments)
    with pytest.raises(ValueError, match="positive whole number"):
        function(lambda s: s, tf.constant(T), 0.5, 0)
