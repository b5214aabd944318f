"""The line search: how far to go along a direction.

It is a loop that evaluates one trial step per turn and hands its value and slope to a pure
function, which says what to try next. The loop is a `tf.while_loop`, so that a search runs eagerly,
inside `tf.function` and on an accelerator alike.
"""

import typing

import tensorflow as tf

from kpinn.optimizers.flat import epsilon

MOST_EVALUATIONS = 40

# One launch for what would be a hundred operations on single numbers.
_compiled = tf.function(jit_compile=True, autograph=False)

# Stages of the search, named by the next trial of the loop.
EXPANDING, HALVING, FIRST_SECANT, SECOND_SECANT, MIDPOINT = range(5)


class Trial(typing.NamedTuple):
    """The loss at one step along the direction.

    Attributes:
        value: the loss, a scalar.
        slope: its derivative by the step, a scalar.
        gradient: the gradient of the loss, `(p,)`.
    """

    value: tf.Tensor
    slope: tf.Tensor
    gradient: tf.Tensor


class LineSearchResult(typing.NamedTuple):
    """Where a line search ended.

    Attributes:
        step: the step, a scalar; zero if no trial was better than the start.
        value: the loss there.
        gradient: the gradient there, `(p,)`.
        evaluations: how often loss and gradient were evaluated, int32.
        succeeded: whether the step meets the conditions of the search. If not, it is the best of
            the trials.
        finite: whether a trial had a finite loss and slope.
    """

    step: tf.Tensor
    value: tf.Tensor
    gradient: tf.Tensor
    evaluations: tf.Tensor
    succeeded: tf.Tensor
    finite: tf.Tensor


class _Goal(typing.NamedTuple):
    """What a step has to reach."""

    value: tf.Tensor  # at the start
    slope: tf.Tensor  # at the start
    largest_step: tf.Tensor
    decrease: float
    curvature: float


class _Bracket(typing.NamedTuple):
    """What is known between two trials; `low` and `high` are `(step, value, slope)`."""

    trial: tf.Tensor  # the step to evaluate next
    low: tf.Tensor
    high: tf.Tensor
    width: tf.Tensor  # of an earlier bracket, to see whether it shrinks
    stage: tf.Tensor
    accepted: tf.Tensor
    done: tf.Tensor


def hager_zhang(along, start, first_step, largest_step=float("inf"), decrease=0.1, curvature=0.9):
    """A step that meets the Wolfe conditions or, near a minimum, the approximate ones.

    The approximate conditions ask for a slope in a range, and of the loss only that it does not
    rise by more than its rounding error. They can be checked where two values of the loss differ
    by rounding alone, and so a search goes on at the rounding floor of the loss, where the
    gradient still knows the way down.

    Args:
        along: `step -> Trial`.
        start: the `Trial` of step zero, with a negative slope.
        first_step: the first trial.
        largest_step: no trial is longer. A step of this length is accepted if the loss does not
            rise and goes on falling beyond it.
        decrease: `delta` in the paper, below one half.
        curvature: `sigma` in the paper, between `decrease` and one.

    Returns:
        A `LineSearchResult`.

    References:
        W. W. Hager and H. Zhang, A new conjugate gradient method with guaranteed descent and an
        efficient line search, SIAM Journal on Optimization 16 (2005), 170-192, section 4.
        W. W. Hager and H. Zhang, Algorithm 851: CG_DESCENT, ACM Transactions on Mathematical
        Software 32 (2006), 113-137.
    """
    goal = _goal(start, largest_step, decrease, curvature)
    return _search(along, start, goal, first_step)


def step_to_bounds(theta, direction, bounds, fraction=0.995):
    """The longest step that leaves every parameter between its bounds.

    It goes a fraction of the way to the nearest bound, so that a search stays inside.

    Args:
        theta: the parameters `(p,)`.
        direction: the direction `(p,)`.
        bounds: lower and upper bounds `(p,)`, infinite where there is none.
        fraction: how much of the way, below one.

    Returns:
        A scalar, infinite if no bound lies ahead.

    References:
        Nocedal & Wright, formula 19.9.
    """
    lower, upper = bounds
    moves = direction != 0
    room = tf.where(direction < 0, theta - lower, upper - theta)
    speed = tf.where(moves, tf.abs(direction), tf.ones_like(direction))
    steps = tf.where(moves, room / speed, tf.constant(float("inf"), theta.dtype))
    return fraction * tf.maximum(tf.reduce_min(steps), 0)


# The loop ----------------------------------------------------------------------------------


def _goal(start, largest_step, decrease, curvature):
    if not 0 < decrease < curvature < 1:
        raise ValueError(
            f"decrease is {decrease} and curvature is {curvature}: expected "
            "0 < decrease < curvature < 1."
        )
    largest_step = _number(largest_step, start.value.dtype)
    return _Goal(start.value, start.slope, largest_step, decrease, curvature)


def _number(value, dtype):
    """A number or tensor in the dtype; `tf.cast` would round a Python number to float32 first."""
    return tf.cast(value, dtype) if tf.is_tensor(value) else tf.constant(value, dtype)


def _search(along, start, goal, first_step):
    """Evaluates trials until one is accepted or there is nothing left to try."""
    dtype = start.value.dtype
    zero = tf.zeros((), dtype)
    origin = tf.stack([zero, start.value, start.slope])
    first_step = tf.minimum(_number(first_step, dtype), goal.largest_step)
    bracket = _Bracket(
        trial=first_step,
        low=origin,
        high=origin,
        width=tf.constant(float("inf"), dtype),
        stage=tf.constant(EXPANDING),
        accepted=tf.constant(False),
        done=~(first_step > 0),
    )

    def evaluate(bracket, best):
        trial = along(bracket.trial)
        after = _after_trial(goal, bracket, trial.value, trial.slope)
        finite = tf.math.is_finite(trial.value) & tf.math.is_finite(trial.slope)
        better = after.accepted | (finite & (trial.value < best.value))
        best = LineSearchResult(
            step=tf.where(better, bracket.trial, best.step),
            value=tf.where(better, trial.value, best.value),
            gradient=tf.where(better, trial.gradient, best.gradient),
            evaluations=best.evaluations + 1,
            succeeded=after.accepted,
            finite=best.finite | finite,
        )
        return after, best

    none, no = tf.constant(0), tf.constant(False)
    best = LineSearchResult(zero, start.value, start.gradient, none, no, no)
    return tf.while_loop(
        lambda bracket, best: ~bracket.done & (best.evaluations < MOST_EVALUATIONS),
        evaluate,
        [bracket, best],
    )[1]


def _point(step, value, slope):
    """`(step, value, slope)`, which is as high as can be if it is not finite."""
    finite = tf.math.is_finite(value) & tf.math.is_finite(slope)
    value = tf.where(finite, value, tf.constant(float("inf"), value.dtype))
    # Falling, so that the rules take it for a point beyond a hill.
    return tf.stack([step, value, tf.where(finite, slope, -tf.ones_like(slope))])


# The rules ---------------------------------------------------------------------------------


@_compiled
def _after_trial(goal, bracket, value, slope):
    """What follows a trial in the loop of section 4; rules B1-B3, U1-U3, S1-S4, L1-L3."""
    point = _point(bracket.trial, value, slope)
    step, value, slope = tf.unstack(point)
    stage = bracket.stage
    level = value <= goal.value + _rounding(value) * tf.abs(goal.value)
    rising = slope >= 0
    expanding = (stage == EXPANDING) & ~rising & level
    at_bound = expanding & (step >= goal.largest_step)
    accepted = _meets_wolfe(goal, step, value, slope, level) | at_bound
    # U1-U3. The high end is not known to be rising while the stage is HALVING.
    low = tf.where(~rising & level, point, bracket.low)
    high = tf.where(rising | ~level, point, bracket.high)
    halving = ~rising & (~level | (stage == HALVING))
    trial, next_stage, width = _next_interpolation(bracket, point, low, high)
    trial = tf.where(halving, _middle(low, high), trial)
    trial = tf.where(expanding, tf.minimum(5 * step, goal.largest_step), trial)
    next_stage = tf.where(halving, HALVING, next_stage)
    narrow = high[0] - low[0] <= 2 * epsilon(point.dtype) * high[0]
    return _Bracket(
        trial=trial,
        low=low,
        high=high,
        width=tf.where(halving | expanding, bracket.width, width),
        stage=tf.where(expanding, EXPANDING, next_stage),
        accepted=accepted,
        done=accepted | (~expanding & narrow),
    )


def _rounding(value):
    """Relative rounding error that is allowed for in a loss.

    A residual is a difference of larger numbers, so that the loss, its square, has fewer right
    digits than the dtype. The paper takes 1e-6 in float64.
    """
    return max(1e-6, epsilon(value.dtype) ** 0.5)


def _meets_wolfe(goal, step, value, slope, level):
    """Conditions T1 or T2 of the paper."""
    curved = slope >= goal.curvature * goal.slope
    falls = value - goal.value <= goal.decrease * step * goal.slope
    approximately = level & (slope <= (2 * goal.decrease - 1) * goal.slope)
    return curved & (falls | approximately)


def _next_interpolation(bracket, point, low, high):
    """The trial, its stage, and the width that the round of trials began with."""
    stage, width = bracket.stage, high[0] - low[0]
    # S2-S4: from the end that has just been replaced, whichever it was.
    second = _secant(tf.where(point[2] >= 0, bracket.high, bracket.low), point)
    again = (stage == FIRST_SECANT) & (second > low[0]) & (second < high[0])
    # L2: a round that did not shrink the bracket enough ends with a bisection.
    in_round = (stage == FIRST_SECANT) | (stage == SECOND_SECANT)
    bisect = in_round & (width > 0.66 * bracket.width)
    # L1: a new round.
    first = _secant(low, high)
    usable = (first > low[0]) & (first < high[0])
    trial = tf.where(again, second, tf.where(bisect | ~usable, _middle(low, high), first))
    next_stage = tf.where(bisect | ~usable, MIDPOINT, FIRST_SECANT)
    next_stage = tf.where(again, SECOND_SECANT, next_stage)
    return trial, next_stage, tf.where(again | bisect, bracket.width, width)


def _middle(low, high):
    """Half way between the ends, or nearer to the low one if the loss at the other is infinite."""
    half, near = tf.constant(0.5, low.dtype), tf.constant(0.2, low.dtype)
    return low[0] + tf.where(tf.math.is_finite(high[1]), half, near) * (high[0] - low[0])


def _secant(a, b):
    """Where the line through two slopes is zero."""
    return (a[0] * b[2] - b[0] * a[2]) / (b[2] - a[2])
