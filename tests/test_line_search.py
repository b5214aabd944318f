"""The line search against the conditions that it promises."""

import math

import numpy as np
import pytest
import tensorflow as tf

from kpinn.optimizers.quasi_newton.line_search import (
    MOST_EVALUATIONS,
    Trial,
    hager_zhang,
    step_to_bounds,
)

# J. J. More and D. J. Thuente, Line search algorithms with guaranteed sufficient decrease, ACM
# Transactions on Mathematical Software 20 (1994), section 5.


def more_thuente_1(x, beta=2.0):
    return -x / (x**2 + beta)


def more_thuente_2(x, beta=0.004):
    return (x + beta) ** 5 - 2 * (x + beta) ** 4


def more_thuente_3(x, beta=0.01, size=39):
    bend = tf.where(
        tf.abs(x - 1) < beta,
        (x - 1) ** 2 / (2 * beta) + beta / 2,
        tf.abs(x - 1),
    )
    wave = tf.sin(size * math.pi / 2 * x)
    return bend + 2 * (1 - beta) / (size * math.pi) * wave


def yanai(x, beta_1, beta_2):
    gamma_1 = (1 + beta_1**2) ** 0.5 - beta_1
    gamma_2 = (1 + beta_2**2) ** 0.5 - beta_2
    return gamma_1 * ((1 - x) ** 2 + beta_2**2) ** 0.5 + gamma_2 * (x**2 + beta_1**2) ** 0.5


FUNCTIONS = {
    "more_thuente_1": more_thuente_1,
    "more_thuente_2": more_thuente_2,
    "more_thuente_3": more_thuente_3,
    "more_thuente_4": lambda x: yanai(x, 0.001, 0.001),
    "more_thuente_5": lambda x: yanai(x, 0.01, 0.001),
    "more_thuente_6": lambda x: yanai(x, 0.001, 0.01),
    "quadratic": lambda x: (x - 1) ** 2,
    "small": lambda x: 1e-12 * (x - 3) ** 2,  # squares of its slopes underflow in float32
    "quartic": lambda x: (x - 0.3) ** 4 - x,
    "logarithm": lambda x: -tf.math.log(2 - x) - 3 * x,  # NaN beyond 2
    "overflow": lambda x: tf.exp(200 * x) - 1e3 * x,
}


def along(function, dtype=tf.float64):
    """The search's view of a function of one number."""

    def trial(step):
        step = tf.convert_to_tensor(step, dtype)
        with tf.GradientTape() as tape:
            tape.watch(step)
            value = function(step)
        slope = tape.gradient(value, step)
        return Trial(value, slope, tf.reshape(slope, (1,)))

    return trial


def run(function, first_step, dtype=tf.float64, **options):
    trial = along(function, dtype)
    start = trial(0.0)
    assert start.slope < 0
    result = hager_zhang(trial, start, first_step, **options)
    return result, start, trial


def strong_wolfe_holds(result, start, there, decrease=1e-4, curvature=0.9):
    falls = there.value <= start.value + decrease * result.step * start.slope
    return bool(falls & (tf.abs(there.slope) <= -curvature * start.slope))


def hager_zhang_holds(result, start, there, decrease=0.1, curvature=0.9):
    curved = there.slope >= curvature * start.slope
    falls = there.value - start.value <= decrease * result.step * start.slope
    level = there.value <= start.value + 1e-6 * tf.abs(start.value)
    gentle = there.slope <= (2 * decrease - 1) * start.slope
    return bool(curved & (falls | (level & gentle)))


@pytest.mark.parametrize("first_step", [1e-3, 0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_step_meets_the_conditions(function, first_step):
    result, start, trial = run(FUNCTIONS[function], first_step)
    there = trial(result.step)
    assert bool(result.succeeded)
    assert float(result.step) > 0
    assert hager_zhang_holds(result, start, there)
    assert int(result.evaluations) <= 20
    assert float(result.value) == float(there.value)
    assert float(result.gradient[0]) == float(there.slope)


@pytest.mark.parametrize("curvature", [0.1, 1e-2, 1e-3])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_strict_search_finds_a_minimum(function, curvature):
    options = {"decrease": min(1e-3, curvature / 10), "curvature": curvature}
    result, start, trial = run(FUNCTIONS[function], 1.0, **options)
    assert hager_zhang_holds(result, start, trial(result.step), **options)


@pytest.mark.parametrize("function", ["quadratic", "small", "quartic", "more_thuente_1"])
def test_in_float32(function):
    result, start, trial = run(FUNCTIONS[function], 1.0, tf.float32)
    assert result.step.dtype == tf.float32
    assert bool(result.succeeded)
    assert strong_wolfe_holds(result, start, trial(result.step), 0.0)


def test_a_good_first_step_takes_one_evaluation():
    result, *_ = run(FUNCTIONS["quadratic"], 0.9)
    assert (float(result.step), int(result.evaluations)) == (0.9, 1)


@pytest.mark.parametrize("function", ["more_thuente_2", "more_thuente_5", "logarithm"])
def test_compiled_equals_eager(function):
    eager, *_ = run(FUNCTIONS[function], 7.0)

    @tf.function
    def compiled():
        trial = along(FUNCTIONS[function])
        return hager_zhang(trial, trial(0.0), 7.0)

    for ours, theirs in zip(eager, compiled(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12)


def walled(place):
    """A slope that goes down to a wall, behind which nothing is a number."""

    def trial(step):
        step = tf.convert_to_tensor(step, tf.float64)
        sign = tf.where(step < place, tf.constant(-1.0, step.dtype), math.nan)
        return Trial(sign * step, sign, tf.reshape(sign, (1,)))

    return trial


def test_a_wall_of_nan_is_approached():
    """The loss falls up to a point beyond which it is not a number: the best trial is returned."""
    wall = walled(1.0)
    result = hager_zhang(wall, wall(0.0), 64.0)
    assert not bool(result.succeeded)
    assert 0.9 < float(result.step) < 1
    assert float(result.value) == -float(result.step)


def test_nothing_is_found_where_all_is_nan():
    wall = walled(1e-300)
    result = hager_zhang(wall, wall(0.0), 1.0)
    assert (float(result.step), float(result.value)) == (0.0, 0.0)
    assert not bool(result.succeeded)
    assert int(result.evaluations) <= MOST_EVALUATIONS


def test_no_trial_lies_beyond_the_largest_step():
    seen = []

    def remembered(step):
        seen.append(float(step))
        return along(lambda x: -x)(step)

    result = hager_zhang(remembered, along(lambda x: -x)(0.0), 1e-2, 0.7)
    assert max(seen) == float(result.step) == 0.7
    assert bool(result.succeeded)


def test_there_is_no_search_where_the_bound_leaves_no_room():
    result, *_ = run(FUNCTIONS["quadratic"], 1.0, largest_step=0.0)
    assert (float(result.step), int(result.evaluations)) == (0.0, 0)


def noisy(step):
    """A parabola on a large constant: its value is all rounding, its slope is right."""
    step = tf.convert_to_tensor(step, tf.float64)
    slope = 2e-20 * (step - 1)
    rounding = tf.math.floormod(step * 7919.0, 1.0) * 2e-15
    return Trial(1 + rounding + 1e-15 * tf.sign(step), slope, tf.reshape(slope, (1,)))


def test_it_goes_on_at_the_rounding_floor():
    found = hager_zhang(noisy, noisy(0.0), 1.2)
    assert bool(found.succeeded)
    assert float(found.step) == pytest.approx(1.0, abs=0.9)


@pytest.mark.parametrize(
    "options", [{"decrease": 0.9, "curvature": 0.5}, {"decrease": 0.0}, {"curvature": 1.0}]
)
def test_conditions_that_no_step_can_meet_are_refused(options):
    with pytest.raises(ValueError, match="expected 0 < decrease < curvature < 1"):
        run(FUNCTIONS["quadratic"], 1.0, **options)


def test_steps_to_bounds():
    theta = tf.constant([1.0, 2.0, -3.0, 0.5])
    direction = tf.constant([-2.0, 1.0, -100.0, 0.0])
    lower, none = tf.constant([0.0, 0.0, -math.inf, 0.5]), tf.fill((4,), math.inf)
    for sign, bounds in ((1.0, (lower, none)), (-1.0, (-none, -lower))):
        start, along = sign * theta, sign * direction
        assert float(step_to_bounds(start, along, bounds)) == pytest.approx(0.995 * 0.5)
        assert float(step_to_bounds(start, -along, bounds)) == pytest.approx(0.995 * 2.0)
        away = sign * tf.abs(direction)
        assert math.isinf(float(step_to_bounds(start, away, bounds)))
