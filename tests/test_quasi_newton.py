"""Quasi-Newton optimizers against textbook formulas, scipy, and minima that are known."""

import functools

import keras
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from kpinn.optimizers.flat_optimizer import (
    CONVERGED,
    NO_PROGRESS,
    NONFINITE,
    RUNNING,
    FlatObjective,
)
from kpinn.optimizers.quasi_newton.inverse_hessian import (
    History,
    Move,
    bfgs,
    ssbroyden,
    two_loop,
    update_dense,
    update_limited,
)
from kpinn.optimizers.quasi_newton.methods import BFGS, LBFGS, SSBroyden

OPTIMIZERS = {"LBFGS": LBFGS, "BFGS": BFGS, "SSBroyden": SSBroyden}
DENSE = {"BFGS": bfgs, "SSBroyden": ssbroyden}
UPDATES = {name: update_dense(family) for name, family in DENSE.items()}


# Problems ----------------------------------------------------------------------------------


def rosenbrock(x):
    return tf.reduce_sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def quadratic(condition, size=10):
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(size, size)))
    scales = np.logspace(0, np.log10(condition), size) ** 0.5

    def loss(x):
        rows = tf.constant(scales[:, None] * rotation, x.dtype)
        return tf.reduce_sum(tf.linalg.matvec(rows, x - 1) ** 2)

    return loss


def beale(z):
    x, y = z[0], z[1]
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def log_cosh(x):
    weights = tf.constant(np.logspace(-1, 2, x.shape[0]), x.dtype)
    distance = tf.abs(x - 1)  # log cosh without overflow
    return tf.reduce_sum(weights * (distance + tf.math.log1p(tf.exp(-2 * distance)) - np.log(2)))


PROBLEMS = {  # loss, start, minimum
    "rosenbrock_2": (rosenbrock, [-1.2, 1.0], [1.0] * 2),
    "rosenbrock_10": (rosenbrock, [-1.2, 1.0] * 5, [1.0] * 10),
    "quadratic_1e2": (quadratic(1e2), [0.0] * 10, [1.0] * 10),
    "quadratic_1e4": (quadratic(1e4), [0.0] * 10, [1.0] * 10),
    "beale": (beale, [1.0, 1.0], [3.0, 0.5]),
    "log_cosh": (log_cosh, [-3.0] * 6, [1.0] * 6),
    "logarithm": (lambda x: tf.reduce_sum(x - tf.math.log(x) - 1), [0.1, 9.0], [1.0] * 2),
}
SIZE = 10
WHICH, WEIGHT = tf.Variable(0), tf.Variable(1.0, dtype=tf.float64)


def any_problem(x):
    """The loss that the variables choose, so that one compiled step serves all problems.

    The parameters beyond those of the problem are without effect.
    """
    losses = [
        lambda loss=loss, start=start: loss(x[: len(start)]) for loss, start, _ in PROBLEMS.values()
    ]
    return tf.cast(WEIGHT, x.dtype) * tf.switch_case(WHICH.read_value(), losses)


def objective_of(loss, bounds=None):
    @tf.function(autograph=False)
    def value_and_gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = loss(theta)
        return value, tape.gradient(value, theta)

    return FlatObjective(value_and_gradient, None, None, None, None, bounds)


@functools.cache
def compiled(name, dtype):
    """An optimizer and its compiled step for `any_problem`."""
    optimizer, objective = OPTIMIZERS[name](), objective_of(any_problem)

    @tf.function(autograph=False)
    def step(theta, state, stale):
        return optimizer.step(objective, theta, state, stale)

    return optimizer, objective, step


class Run:
    """A minimisation step by step, of which everything is remembered."""

    def __init__(self, optimizer, objective, start, step=None, dtype="float64"):
        self.optimizer, self.objective = optimizer, objective
        self.theta = tf.constant(start, dtype)
        self.state = optimizer.initial_state(self.theta)
        self.thetas, self.losses, self.evaluations, self.status = [self.theta], [], 0, RUNNING
        self.step = step or functools.partial(optimizer.step, objective)

    def steps(self, count, stale=False):
        for _ in range(count):
            fresh = tf.constant(stale or not self.losses)
            self.theta, self.state, progress = self.step(self.theta, self.state, fresh)
            stale = False
            self.thetas.append(self.theta)
            self.losses.append(float(progress.loss))
            self.evaluations += int(progress.evaluations)
            self.status = int(progress.status)
            if self.status != RUNNING:
                break
        return self


def run(name, problem, count=600, start=None, dtype="float64"):
    """A compiled run on one of the problems."""
    WHICH.assign(list(PROBLEMS).index(problem))
    WEIGHT.assign(1.0)
    start = PROBLEMS[problem][1] if start is None else start
    padded = [*start, *[0.5] * (SIZE - len(start))]
    optimizer, objective, step = compiled(name, dtype)
    return Run(optimizer, objective, padded, step, dtype).steps(count)


def run_eagerly(optimizer, loss, start, count):
    """A run that is not compiled as a whole, on any loss."""
    return Run(optimizer, objective_of(loss), start).steps(count)


COMBINATIONS = [
    *((problem, "float64") for problem in PROBLEMS),
    *((problem, "float32") for problem in ("rosenbrock_10", "log_cosh")),
]


def marked(name, problem, dtype):
    """Every combination is compiled by itself, so that some of them wait for the slow tests."""
    marks = [pytest.mark.slow] if (name, dtype) == ("BFGS", "float32") else []
    return pytest.param(name, problem, dtype, marks=marks)


@pytest.mark.parametrize(
    "name, problem, dtype",
    [marked(name, *each) for name in OPTIMIZERS for each in COMBINATIONS],
)
def test_the_minimum_is_found_to_rounding(name, problem, dtype):
    epsilon = float(np.finfo(dtype).eps)
    minimum = PROBLEMS[problem][2]
    found = run(name, problem, dtype=dtype)
    assert found.status in (CONVERGED, NO_PROGRESS)
    assert found.theta.dtype == dtype
    # The first five are sums of squares; the value of the others is a difference of numbers as
    # large as one, whose rounding hides the last half of the digits.
    squares = problem not in ("log_cosh", "logarithm")
    assert float(found.state["lowest"]) <= (1e5 * epsilon**2 if squares else 100 * epsilon)
    tolerance = 1e3 * epsilon if squares else 100 * epsilon**0.5
    np.testing.assert_allclose(found.theta[: len(minimum)], minimum, atol=tolerance)
    np.testing.assert_array_equal(found.theta[len(minimum) :], 0.5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values())
def test_one_parameter(optimizer):
    found = run_eagerly(optimizer(), lambda x: (x[0] - 2) ** 2 + (x[0] - 2) ** 4, [5.0], 20)
    assert float(found.theta[0]) == pytest.approx(2.0, abs=1e-12)


@pytest.mark.parametrize("problem", ["rosenbrock_10"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_eager_equals_compiled(name, problem):
    graph = run(name, problem, count=8)
    eager = Run(graph.optimizer, graph.objective, graph.thetas[0]).steps(8)
    assert eager.evaluations == graph.evaluations
    np.testing.assert_allclose(eager.thetas, graph.thetas, rtol=1e-9)
    np.testing.assert_allclose(eager.losses, graph.losses, rtol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_as_good_as_scipy(name):
    theirs = scipy.optimize.minimize(
        scipy.optimize.rosen,
        np.zeros(SIZE),
        jac=scipy.optimize.rosen_der,
        method="BFGS",
        tol=1e-9,
    )
    ours = run(name, "rosenbrock_10", start=[0.0] * SIZE)
    assert ours.losses[-1] <= theirs.fun
    np.testing.assert_allclose(ours.theta, theirs.x, atol=1e-8)
    assert ours.evaluations <= 1.5 * theirs.nfev


@pytest.mark.parametrize("problem", ["rosenbrock_10", "quadratic_1e4"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_takes_little_more_than_one_evaluation(name, problem):
    found = run(name, problem, count=25)
    # Its scaling costs the last one some, on a problem as small as this.
    assert found.evaluations <= (1.5 if name == "SSBroyden" else 1.3) * len(found.losses)


# The inverse Hessian -----------------------------------------------------------------------


def spd(size=7, seed=0, spread=2.0):
    """A symmetric positive definite matrix with eigenvalues around one."""
    generator = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(generator.normal(size=(size, size)))
    matrix = rotation * np.exp(generator.uniform(-spread, spread, size)) @ rotation.T
    return (matrix + matrix.T) / 2


def random_move(matrix, seed, size=7):
    """A step along minus H g of a quadratic loss with another Hessian."""
    generator = np.random.default_rng(seed)
    gradient, hessian = generator.normal(size=size), spd(size, seed + 100)
    step = generator.uniform(0.1, 2.0)
    s = -step * matrix @ gradient
    y = hessian @ s
    return Move(s, y, gradient + y, -matrix @ gradient, s @ np.linalg.solve(matrix, s))


def tensors(move, dtype="float64"):
    return Move(*(tf.constant(part, dtype) for part in move))


def textbook_bfgs(matrix, s, y):
    """Nocedal & Wright, formula 6.17."""
    rho, identity = 1 / (y @ s), np.eye(len(s))
    left = identity - rho * np.outer(s, y)
    return left @ matrix @ left.T + rho * np.outer(s, s)


def textbook_ssbroyden(matrix, s, y):
    """Urban, Stefanou & Pons (2025), formulas 13 to 23, step by step."""
    ys, Hy, n = y @ s, matrix @ y, len(s)
    yHy = y @ Hy
    b, h = s @ np.linalg.solve(matrix, s) / ys, yHy / ys
    a = b * h - 1
    c = (a / (a + 1)) ** 0.5
    rho_minus = min(1, h * (1 - c))
    theta_minus, theta_plus = (rho_minus - 1) / a, 1 / rho_minus
    theta = max(theta_minus, min(theta_plus, (1 - b) / b))
    sigma = 1 + theta * a
    rho, power = min(1, 1 / b), sigma ** (1 / (1 - n))
    tau = min(rho * power, sigma) if theta <= 0 else rho * min(power, 1 / theta)
    phi = (1 - theta) / (1 + a * theta)
    v = yHy**0.5 * (s / ys - Hy / yHy)
    broyden = matrix - np.outer(Hy, Hy) / yHy + phi * np.outer(v, v)
    return broyden / tau + np.outer(s, s) / ys


TEXTBOOK = {"BFGS": textbook_bfgs, "SSBroyden": textbook_ssbroyden}
SOME, ONE = tf.constant(5), tf.constant(1.0, tf.float64)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", DENSE)
def test_an_update_is_that_of_the_textbook(name, seed):
    H = spd(seed=seed)
    move = random_move(H, seed)
    updated = UPDATES[name](tf.constant(H), tensors(move), SOME, ONE)
    expected = TEXTBOOK[name](H, move.s, move.y)
    np.testing.assert_allclose(updated.inverse_hessian, expected, atol=1e-12 * abs(expected).max())
    direction = -expected @ move.gradient
    np.testing.assert_allclose(updated.direction, direction, atol=1e-12 * abs(direction).max())
    assert int(updated.count) == 6
    assert float(updated.scale) == pytest.approx(move.y @ move.s / (move.y @ move.y))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", DENSE)
def test_the_secant_equation_holds_and_the_matrix_stays_definite(name, seed):
    H = tf.constant(spd(seed=seed, spread=1.0))
    for turn in range(10):
        move = random_move(H.numpy(), 1000 * seed + turn)
        H = UPDATES[name](H, tensors(move), SOME, ONE).inverse_hessian
        H_y = tf.linalg.matvec(H, move.y)
        np.testing.assert_allclose(H_y, move.s, atol=1e-11 * abs(move.s).max())
        assert np.linalg.eigvalsh(H).min() > 0
        np.testing.assert_array_equal(H, tf.transpose(H))


def test_the_self_scaled_family_contains_bfgs():
    H = spd(seed=3)
    move = random_move(H, 3)
    plain = UPDATES["BFGS"](tf.constant(H), tensors(move), SOME, ONE)
    as_member = update_dense(lambda h, b, size: (0 * h, 0 * h + 1))
    member = as_member(tf.constant(H), tensors(move), SOME, ONE)
    np.testing.assert_array_equal(plain.inverse_hessian, member.inverse_hessian)
    np.testing.assert_allclose(
        plain.inverse_hessian, textbook_bfgs(H, move.s, move.y), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("name", DENSE)
def test_the_first_update_scales_the_identity(name):
    """Nocedal & Wright, formula 6.20: what the matrix holds does not matter before it."""
    move = random_move(0.3 * np.eye(7), 5)
    junk = tf.constant(np.full((7, 7), np.nan))
    updated = UPDATES[name](junk, tensors(move), tf.constant(0), 0.3 * ONE)
    scale = move.y @ move.s / (move.y @ move.y)
    expected = textbook_bfgs(scale * np.eye(7), move.s, move.y)
    np.testing.assert_allclose(updated.inverse_hessian, expected, atol=1e-12)
    assert int(updated.count) == 1


@pytest.mark.parametrize("y_of_s", [lambda s: -s, lambda s: 0 * s, lambda s: np.nan * s])
@pytest.mark.parametrize("name", [*DENSE, "LBFGS"])
def test_no_update_where_the_loss_is_not_convex(name, y_of_s):
    H = spd(seed=2)
    move = random_move(H, 2)
    y = y_of_s(move.s)
    move = tensors(move._replace(y=y, gradient=np.ones(7)))
    if name == "LBFGS":
        rows = tf.ones((3, 7), tf.float64)
        before = History(rows, rows, tf.ones(3, tf.float64) / 7)
        updated = update_limited(before, move, SOME, ONE)
        for old, new in zip(before, updated.inverse_hessian, strict=True):
            np.testing.assert_array_equal(old, new)
    else:
        updated = UPDATES[name](tf.constant(H), move, SOME, ONE)
        np.testing.assert_array_equal(updated.inverse_hessian, H)
        np.testing.assert_allclose(updated.direction, -H.sum(axis=1), rtol=1e-12)
    assert (int(updated.count), float(updated.scale)) == (5, 1.0)


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_the_two_loop_recursion_is_bfgs(count):
    """From a multiple of the identity, with the last `count` pairs."""
    generator = np.random.default_rng(0)
    steps = generator.normal(size=(6, 7))
    changes = steps @ spd(seed=8)
    history = History(steps, changes, 1 / (steps * changes).sum(axis=1))
    H = 0.7 * np.eye(7)
    for s, y in list(zip(steps, changes, strict=True))[6 - count :]:
        H = textbook_bfgs(H, s, y)
    gradient = generator.normal(size=7)
    history = History(*(tf.constant(part) for part in history))
    ours = two_loop(history, tf.constant(gradient), tf.constant(count), 0.7 * ONE)
    np.testing.assert_allclose(ours, H @ gradient, rtol=1e-10)


def test_a_history_forgets_the_oldest_pair():
    history = History(*(tf.zeros(shape, tf.float64) for shape in ((3, 2), (3, 2), (3,))))
    count, scale = tf.constant(0), ONE
    for turn in range(1, 6):
        s = np.array([turn, -1.0])
        move = Move(s, 2.0 * s, s, -s, s @ s)
        history, _, count, scale = update_limited(history, tensors(move), count, scale)
    assert int(count) == 3
    np.testing.assert_array_equal(history.s[:, 0], [3, 4, 5])
    np.testing.assert_allclose(history.rho, [1 / 20, 1 / 34, 1 / 52])
    assert float(scale) == 0.5


@pytest.mark.parametrize("name", DENSE)
def test_a_run_keeps_the_matrix_of_the_textbook(name):
    found = run(name, "rosenbrock_10", count=25)
    points = np.array(found.thetas)
    gradients = np.array([found.objective.value_and_gradient(tf.constant(x))[1] for x in points])
    steps, changes = np.diff(points, axis=0), np.diff(gradients, axis=0)
    matrix = np.eye(SIZE) * (steps[0] @ changes[0]) / (changes[0] @ changes[0])
    matrix = textbook_bfgs(matrix, steps[0], changes[0])
    for s, y, gradient in zip(steps[1:], changes[1:], gradients[1:-1], strict=True):
        newton = -matrix @ gradient
        cosine = s @ newton / (np.linalg.norm(s) * np.linalg.norm(newton))
        assert cosine == pytest.approx(1.0, abs=1e-6)
        matrix = TEXTBOOK[name](matrix, s, y)
    np.testing.assert_allclose(found.state["inverse_hessian"], matrix, rtol=1e-4, atol=1e-6)


# State -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_stale_state_evaluates_again_and_keeps_the_curvature(name):
    warm = run(name, "quadratic_1e4", count=25)
    WEIGHT.assign(1.1)
    warm.theta = warm.thetas[0]
    value = float(warm.objective.value_and_gradient(warm.theta)[0])
    cold = Run(warm.optimizer, warm.objective, warm.theta, warm.step).steps(25)
    count, evaluations = int(warm.state["count"]), warm.evaluations
    warm.steps(1, stale=True)
    assert warm.losses[-1] < value
    assert 2 <= warm.evaluations - evaluations <= 4
    assert int(warm.state["count"]) == count + 1
    assert warm.steps(5).losses[-1] < 0.1 * cold.losses[5]


def test_nothing_is_evaluated_twice():
    seen = []

    def remembered(theta):
        seen.append(theta.numpy().tobytes())
        return rosenbrock(theta), tf.constant(scipy.optimize.rosen_der(theta.numpy()))

    objective = FlatObjective(remembered, None, None, None, None)
    found = Run(SSBroyden(), objective, [-1.2, 1.0]).steps(15)
    assert found.evaluations == len(seen) == len(set(seen))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_direction_that_does_not_descend_is_replaced(name):
    found = run(name, "rosenbrock_2", count=5)
    found.state["direction"] = -found.state["direction"]
    found.steps(1)
    assert found.losses[-1] < found.losses[-2]
    assert int(found.state["count"]) == 1
    np.testing.assert_allclose(found.steps(300).theta[:2], 1.0, atol=1e-10)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_search_that_fails_is_repeated_along_the_gradient(name):
    found = run(name, "rosenbrock_2", count=5)
    gradient = found.state["gradient"]
    across = tf.concat([gradient[1:2], -gradient[:1], tf.zeros(8, tf.float64)], axis=0)
    # It goes down so little that no fall is to be seen before the loss rises.
    found.state["direction"] = 1e9 * across - 1e-9 * gradient
    found.steps(1)
    assert found.losses[-1] < found.losses[-2]
    assert int(found.state["count"]) == 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values())
def test_no_progress_is_reported_and_changes_nothing(optimizer):
    """A gradient with the wrong sign: the loss rises wherever a search looks."""
    objective = FlatObjective(lambda x: (tf.reduce_sum(x**2), -2 * x), None, None, None, None)
    found = Run(optimizer(), objective, [1.0, 2.0]).steps(3)
    assert found.status == NO_PROGRESS
    assert found.losses == [5.0]
    np.testing.assert_array_equal(found.theta, [1.0, 2.0])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_loss_that_is_not_finite_is_reported(name):
    found = run(name, "logarithm", count=3, start=[-1.0, 1.0])
    assert (found.status, len(found.losses)) == (NONFINITE, 1)
    np.testing.assert_array_equal(found.theta, found.thetas[0])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_at_a_minimum_it_has_converged(name):
    found = run(name, "rosenbrock_2", start=[1.0, 1.0])
    assert (found.status, found.evaluations) == (CONVERGED, 1)
    loose = run_eagerly(OPTIMIZERS[name](tolerance=1e3), rosenbrock, [-1.2, 1.0], 3)
    assert (loose.status, len(loose.losses)) == (CONVERGED, 1)


def test_it_stops_where_the_loss_is_all_rounding():
    """The slope is never zero, and the loss is so large that it cannot be seen to fall."""
    scales = tf.constant(np.logspace(0, 3, SIZE))

    @tf.function
    def value_and_gradient(x):
        return 1e12 + tf.reduce_sum(tf.abs(tf.sin(1e5 * x))), scales * (x - 1 / 3) + tf.sin(1e9 * x)

    objective = FlatObjective(value_and_gradient, None, None, None, None)
    optimizer = LBFGS(memory=3)
    step = tf.function(functools.partial(optimizer.step, objective), autograph=False)
    found = Run(optimizer, objective, [0.34] * SIZE, step).steps(1000)
    assert found.status == NO_PROGRESS
    assert len(found.losses) < 1000
    assert float(found.state["lowest"]) == min(found.losses)


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["lower", "upper"])
@pytest.mark.parametrize("optimizer", [LBFGS(), SSBroyden()])
def test_bounds_are_kept(optimizer, sign):
    bound = tf.constant([-np.inf, 0.3, 1e-6], tf.float64)

    def loss(x):  # the second is lowest on its bound, the third close to it
        x = sign * x
        return (x[0] - 2) ** 2 + 10 * (x[1] + 1) ** 2 + 1e3 * (x[2] - 2e-3) ** 2 + x[0] * x[2]

    none = tf.fill((3,), tf.constant(np.inf, tf.float64))
    objective = objective_of(loss, (bound, none) if sign > 0 else (-none, -bound))
    step = tf.function(functools.partial(optimizer.step, objective), autograph=False)
    first, third = np.linalg.solve([[2, 1], [1, 2e3]], [4, 4])
    for start in ([0.0, 1.0, 1.0], [5.0, 0.3, 1e-6]):  # inside, and on the bounds
        found = Run(optimizer, objective, sign * np.array(start), step).steps(60)
        assert np.min(sign * np.array(found.thetas) - bound) >= 0
        np.testing.assert_allclose(sign * found.theta, [first, 0.3, third], atol=1e-6)


# Arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_arguments_survive_saving(name):
    options = {"first_step": 0.1, "tolerance": 1e-7, "memory": 7}
    optimizer = OPTIMIZERS[name](**options, name="mine")
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == {**options, "name": "mine"}


def test_a_matrix_that_does_not_fit_is_refused():
    theta = tf.zeros(1000)
    with pytest.raises(ValueError, match=r"1000 x 1000 float32 numbers, 4 MiB.*LBFGS.*=4000000"):
        SSBroyden(memory=10**6).initial_state(theta)
    assert SSBroyden(memory=4 * 10**6).initial_state(theta)["inverse_hessian"].shape == (1000,) * 2


@pytest.mark.parametrize(
    "optimizer, options, message",
    [
        (LBFGS, {"memory": 0}, "memory is a positive whole number"),
        (LBFGS, {"memory": 2.5}, "memory is a positive whole number"),
        (BFGS, {"memory": 0}, "memory is a positive whole number"),
        (SSBroyden, {"first_step": 0.0}, "first_step is a positive number"),
        (BFGS, {"first_step": float("nan")}, "first_step is a positive number"),
        (BFGS, {"tolerance": -1.0}, r"tolerance is a number in \[0, inf\)"),
    ],
)
def test_arguments_that_cannot_be_are_refused(optimizer, options, message):
    with pytest.raises(ValueError, match=message):
        optimizer(**options)
