"""Gauss-Newton steps for large networks: in the space of the residuals, on sketches; and SPRING."""

import functools
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from linear_systems import fold, folded, graded, in_many_digits, stacked

import kpinn
from kpinn.optimizers import SPRING, LevenbergMarquardt, Sequence
from kpinn.optimizers.flat import join
from kpinn.optimizers.flat_optimizer import FlatObjective
from kpinn.optimizers.least_squares.levenberg_marquardt import SOLVERS
from kpinn.optimizers.least_squares.linear_model import Start
from kpinn.optimizers.least_squares.row_space import collect, row_space_bytes, row_space_model
from kpinn.optimizers.least_squares.sketch import draw_signs, sketched_model

on_both = pytest.mark.usefixtures("factorised_on")
both_kinds = pytest.mark.parametrize("by", ["products", "reflections"])

SHAPES = {
    "wide": (7, 40),
    "square": (6, 6),
    "tall": (9, 4),
    "one row": (1, 5),
    "one column": (12, 1),
    "one number": (1, 1),
}


def system(rows, columns, seed=0):
    """A matrix `(rows, columns)` and residuals `(rows,)`."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, columns)), rng.normal(size=rows)


def linear(matrix, residuals, chunk=5, dtype="float64"):
    """The `FlatObjective` of residuals that are linear in the parameters."""
    matrix, offset = tf.constant(matrix, dtype), tf.constant(residuals, dtype)

    def residuals(theta):
        return tf.linalg.matvec(matrix, theta) + offset

    return FlatObjective(
        value_and_gradient=None,
        residuals=residuals,
        fold_jacobian=lambda theta, *rest: fold(matrix, residuals(theta), chunk, *rest),
        jacobian_vector=lambda theta, v: tf.linalg.matvec(matrix, v),
        vector_jacobian=lambda theta, v: tf.linalg.matvec(matrix, v, transpose_a=True),
    )


def kernel_of(matrix, residuals, by="products", dtype="float64"):
    matrix, residuals = tf.constant(matrix, dtype), tf.constant(residuals, dtype)
    return row_space_model(matrix, residuals, tf.constant(by == "products"))


def solved(model, damping):
    return model.solve(tf.constant(damping, model.residuals.dtype))


# The kernel --------------------------------------------------------------------------------


@on_both
@both_kinds
@pytest.mark.parametrize("damping", [1e-8, 1e-2, 1.0, 1e6])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_is_that_of_the_damped_system(shape, damping, by):
    matrix, residuals = system(*SHAPES[shape])
    step, decrease, _ = solved(kernel_of(matrix, residuals, by), damping)
    expected, predicted = in_many_digits(matrix, residuals, damping)
    # Products have the square of the condition number, which the damping bounds.
    error = 1e-11 if by == "reflections" else 1e-11 + 1e-13 / damping
    np.testing.assert_allclose(step, expected, rtol=0, atol=error * np.abs(expected).max())
    assert float(decrease) == pytest.approx(predicted, rel=error)
    # The stacked system has the condition number `1 / sqrt(damping)` in the null space.
    by_numpy, error = stacked(matrix, residuals, damping), error + 1e-13 / damping**0.5
    np.testing.assert_allclose(step, by_numpy, rtol=0, atol=error * np.abs(expected).max())


@on_both
@both_kinds
@pytest.mark.parametrize("damping", [1e-4, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_agrees_with_the_dense_model(shape, damping, by):
    matrix, residuals = system(*SHAPES[shape])
    found, expected = kernel_of(matrix, residuals, by), folded(matrix, residuals, 5, by=by)
    assert float(found.scale) == pytest.approx(float(expected.scale), rel=1e-13)
    assert float(found.scale) == pytest.approx(np.sum(matrix**2, axis=0).max(), rel=1e-13)
    assert float(found.smallest_damping()) == pytest.approx(
        float(expected.smallest_damping()), rel=1e-12
    )
    vector = tf.constant(np.random.default_rng(2).normal(size=len(matrix)))
    (step, decrease, solve), (other_step, other_decrease, other_solve) = (
        model.solve(tf.constant(damping, tf.float64)) for model in (found, expected)
    )
    scale = np.abs(other_step).max()
    np.testing.assert_allclose(step, other_step, rtol=1e-8, atol=1e-9 * scale)
    np.testing.assert_allclose(solve(vector), other_solve(vector), rtol=1e-7, atol=1e-9)
    assert float(decrease) == pytest.approx(float(other_decrease), rel=1e-9)


@on_both
@both_kinds
def test_further_vectors(by):
    matrix, residuals = system(7, 40)
    step, _, solve = solved(kernel_of(matrix, residuals, by), 0.3)
    np.testing.assert_allclose(solve(tf.constant(-residuals)), step, rtol=1e-11, atol=1e-13)
    vector = np.random.default_rng(2).normal(size=7)
    normal = matrix.T @ matrix + 0.3 * np.eye(40)
    np.testing.assert_allclose(
        normal @ solve(tf.constant(vector)).numpy(), vector @ matrix, atol=1e-11
    )


@on_both
@pytest.mark.parametrize("condition", [1e2, 1e6, 1e10, 1e13])
def test_small_singular_values_are_not_lost(condition):
    """The error is that of a backward stable method; products would square it."""
    matrix, residuals = graded(12, 30, condition)
    damping = condition**-2.0
    step, decrease, _ = solved(kernel_of(matrix, residuals, "reflections"), damping)
    expected, predicted = in_many_digits(matrix, residuals, damping)
    allowed = 50.0 * np.finfo(float).eps * condition
    assert np.linalg.norm(step - expected) < allowed * np.linalg.norm(expected)
    assert float(decrease) == pytest.approx(predicted, rel=allowed)


def test_products_are_exact_down_to_the_damping_that_they_are_used_for():
    matrix, residuals = graded(12, 30, 1e13)
    damping = 3e-11
    step, decrease, _ = solved(kernel_of(matrix, residuals), damping)
    expected, predicted = in_many_digits(matrix, residuals, damping)
    assert np.linalg.norm(step - expected) < 1e-3 * np.linalg.norm(expected)
    assert float(decrease) == pytest.approx(predicted, rel=1e-3)


@on_both
@both_kinds
def test_a_decrease_far_below_the_loss_is_accurate(by):
    """Two equal rows have residuals whose difference no step can change."""
    matrix, residuals = system(4, 9)
    matrix, residuals = np.concatenate([matrix, matrix]), np.concatenate([residuals, -residuals])
    residuals[:4] += 1e-9
    _, decrease, _ = solved(kernel_of(matrix, residuals, by), 1e-6)
    _, predicted = in_many_digits(matrix, residuals, 1e-6)
    assert predicted < 1e-15 * (residuals @ residuals)
    assert float(decrease) == pytest.approx(predicted, rel=1e-5)


@on_both
@both_kinds
@pytest.mark.parametrize("shape", ["wide", "square", "tall"])
def test_kernel_in_float32(shape, by):
    matrix, residuals = (a.astype("float32") for a in system(*SHAPES[shape]))
    step, decrease, solve = solved(kernel_of(matrix, residuals, by, "float32"), 0.5)
    found = solve(-tf.constant(residuals))
    assert {t.dtype for t in (step, decrease, found)} == {tf.float32}
    expected, predicted = in_many_digits(matrix, residuals, 0.5)
    np.testing.assert_allclose(step, expected, rtol=5e-5, atol=1e-5)
    np.testing.assert_allclose(found, expected, rtol=5e-4, atol=1e-4)
    assert float(decrease) == pytest.approx(predicted, rel=1e-4)


@on_both
@both_kinds
def test_numbers_that_are_not_finite_stay_so(by):
    matrix, residuals = system(6, 20)
    for value in (np.nan, np.inf):
        broken = residuals.copy()
        broken[3] = value
        step, decrease, _ = solved(kernel_of(matrix, broken, by), 0.1)
        assert not np.isfinite(step).all() and not np.isfinite(decrease)
        broken = matrix.copy()
        broken[2, 3] = value
        step, decrease, _ = solved(kernel_of(broken, residuals, by), 0.1)
        assert not np.isfinite(step).all() and not np.isfinite(decrease)


@on_both
def test_products_that_do_not_suffice_give_nan():
    matrix, residuals = graded(6, 20, 1e12)
    for part in solved(kernel_of(matrix, residuals), 1e-40)[:2]:
        assert np.isnan(part).all()


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_rows_are_collected(chunk):
    matrix, residuals = system(7, 12)
    found = collect(linear(matrix, residuals, chunk).fold_jacobian, tf.zeros((12,), tf.float64))
    np.testing.assert_array_equal(found[0], matrix)
    np.testing.assert_array_equal(found[1], residuals)


# The sketch --------------------------------------------------------------------------------


def signs_matrix(signs):
    matrix = np.zeros((signs.rows, len(signs.values)))
    matrix[signs.buckets.numpy(), np.arange(len(signs.values))] = signs.values.numpy()
    return matrix


def sketch_of(matrix, residuals, signs, chunk=5, dtype="float64", by="products"):
    objective = linear(matrix, residuals, chunk, dtype)
    theta = tf.zeros((matrix.shape[1],), dtype)
    residuals = objective.residuals(theta)
    return sketched_model(objective, theta, residuals, signs, tf.constant(by == "products"))


def test_sketches_are_right_on_average():
    """The mean of `(S J)^T S J` over many draws is `J^T J`; so is that of the gradient."""
    matrix, residuals = system(24, 5)
    draw = tf.function(lambda number: draw_signs(24, 6, number, tf.float64)[:2], autograph=False)
    found, gradients, count = [], [], 800
    for number in range(count):
        signs = draw_signs(24, 6, 0, tf.float64)._replace(
            **dict(zip(("buckets", "values"), draw(tf.constant(number)), strict=True))
        )
        sums = signs_matrix(signs) @ matrix
        found.append(sums.T @ sums)
        gradients.append(sums.T @ signs_matrix(signs) @ residuals)
    for draws, expected in ((found, matrix.T @ matrix), (gradients, matrix.T @ residuals)):
        error = np.mean(draws, axis=0) - expected
        deviation = np.std(draws, axis=0) / math.sqrt(count)
        assert np.abs(error / deviation).max() < 4.5
        assert deviation.max() < 0.07 * np.abs(expected).max()


@pytest.mark.parametrize(("count", "rows"), [(24, 6), (25, 6), (6, 6), (7, 1)])
def test_signs_fill_all_sums_alike(count, rows):
    signs = draw_signs(count, rows, 3, tf.float64)
    members = np.bincount(signs.buckets.numpy(), minlength=rows)
    assert set(members) <= {count // rows, -(-count // rows)} and len(members) == rows
    assert set(np.abs(signs.values.numpy())) == {1.0}
    again, other = (draw_signs(count, rows, number, tf.float64) for number in (3, 4))
    np.testing.assert_array_equal(signs_matrix(again), signs_matrix(signs))
    assert np.any(signs_matrix(other) != signs_matrix(signs))


@both_kinds
@pytest.mark.parametrize("chunk", [1, 7, 30, 100])
def test_the_step_of_a_sketch(chunk, by):
    matrix, residuals = system(30, 12)
    signs = draw_signs(30, 8, 1, tf.float64)
    small, damping = signs_matrix(signs), 1e-3
    step, decrease, solve = sketch_of(matrix, residuals, signs, chunk, by=by).solve(
        tf.constant(damping, tf.float64)
    )
    expected = stacked(small @ matrix, small @ residuals, damping)
    np.testing.assert_allclose(step, expected, rtol=1e-9, atol=1e-10)
    after = matrix @ expected + residuals
    assert float(decrease) == pytest.approx(residuals @ residuals - after @ after, rel=1e-9)
    vector = np.random.default_rng(2).normal(size=30)
    expected = stacked(small @ matrix, -small @ vector, damping)
    np.testing.assert_allclose(solve(tf.constant(vector)), expected, rtol=1e-8, atol=1e-9)


# Steps -------------------------------------------------------------------------------------


def stepped(optimizer, objective, theta, state=None, count=1):
    """Parameters, state and statuses after some steps."""
    state, statuses = optimizer.initial_state(theta) if state is None else state, []
    for _ in range(count):
        theta, state, progress = optimizer.step(objective, theta, state, tf.constant(False))
        statuses.append(int(progress.status))
    return theta, state, statuses


def damped_state(optimizer, theta, damping):
    """As after a step with a damping, for a Jacobian of scale one."""
    numbers = {"damping": tf.constant(damping, tf.float64), "scale": tf.ones((), tf.float64)}
    return optimizer.initial_state(theta) | numbers


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_makes_a_linear_model(solver):
    """Of one kind, so that nothing else has to know which one it is."""
    matrix, residuals = system(9, 12)
    objective, theta = linear(matrix, residuals), tf.zeros((12,), tf.float64)
    chosen, before = SOLVERS[solver](), objective.residuals(theta)
    start = Start(tf.reduce_sum(before**2), tf.constant(False), before, None)
    damping, zero = tf.constant(0.3, tf.float64), tf.zeros((), tf.float64)
    state = {"damping": zero, "scale": zero} | chosen.initial_state()
    model = chosen.model(objective, theta, start, state)
    largest = np.linalg.norm(matrix, 2) ** 2
    assert 0.05 * largest < float(model.scale) < largest * (1 + 1e-12)
    assert 0.0 < float(model.smallest_damping()) < 1e-9 * largest
    step, decrease, solve = model.solve(damping)
    after = matrix @ step.numpy() + residuals
    assert float(decrease) == pytest.approx(residuals @ residuals - after @ after, rel=1e-9)
    np.testing.assert_allclose(solve(-before), step, rtol=1e-9, atol=1e-12)
    if solver in ("dense", "kernel"):  # the others solve another system, or end before rounding
        np.testing.assert_allclose(step, stacked(matrix, residuals, 0.3), rtol=1e-9)
    following, tries_on = chosen.next_state(state, theta, start, tf.constant(True))
    assert set(following) == set(chosen.initial_state()) and not tries_on


@pytest.mark.parametrize("damping", [1e-3, 1e-13])
@pytest.mark.parametrize("solver", ["kernel", "sketch"])
def test_a_step_is_that_of_the_dense_solver(solver, damping):
    """A sketch has nothing to add up where there are no more residuals than sums."""
    matrix, residuals = graded(12, 30, 1e5)
    objective, theta = linear(matrix, residuals), tf.zeros((30,), tf.float64)
    found = []
    for name in ("dense", solver):
        optimizer = LevenbergMarquardt(name, trials=1)
        found.append(stepped(optimizer, objective, theta, damped_state(optimizer, theta, damping)))
    (expected, _, _), (moved, state, _) = found
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert float(state["damping"]) == damping
    right = stacked(matrix, residuals, damping)
    assert np.linalg.norm(moved - right) < 1e-5 * np.linalg.norm(right)


def test_each_step_of_a_sketch_has_signs_of_its_own():
    objective, theta = linear(*system(40, 12)), tf.zeros((12,), tf.float64)
    optimizer = LevenbergMarquardt("sketch", rank=8)
    first, state, _ = stepped(optimizer, objective, theta)
    assert int(state["draws"]) == 1
    again, _, _ = stepped(optimizer, objective, theta)
    np.testing.assert_array_equal(again, first)
    other = optimizer.initial_state(theta) | {"draws": tf.constant(1)}
    other, _, _ = stepped(optimizer, objective, theta, other)
    assert np.linalg.norm(other - first) > 1e-3 * np.linalg.norm(first)


def test_sketches_lead_to_the_minimum():
    matrix, solution = system(60, 12)[0], np.arange(12.0)
    objective, theta = linear(matrix, -matrix @ solution), tf.zeros((12,), tf.float64)
    moved, _, _ = stepped(LevenbergMarquardt("sketch", rank=8), objective, theta, count=40)
    np.testing.assert_allclose(moved, solution, atol=1e-4)


def test_a_sketch_without_progress_is_followed_by_others():
    """One may be unlucky; five in a row, and there is no progress to make."""
    optimizer, theta = LevenbergMarquardt("sketch", rank=8, trials=2), tf.zeros((12,), tf.float64)
    running, no_progress = 0, 2
    expected = [running] * 4 + [no_progress]
    for count, codes in ((40, expected * 2 + [running]), (8, [no_progress] * 2)):
        constant = functools.partial(tf.ones, (count,), tf.float64)
        objective = linear(*system(count, 12))._replace(residuals=lambda _, get=constant: get())
        state = damped_state(optimizer, theta, 1e-13)  # nothing is left to be seen by reflections
        _, state, statuses = stepped(optimizer, objective, theta, state, len(codes))
        assert statuses == codes
        assert int(state["draws"]) == len(codes)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize("damping", [1e-2, 1e-13])
@pytest.mark.parametrize("shape", ["wide", "square", "tall"])
def test_a_step_of_spring(shape, damping, momentum):
    matrix, residuals = system(*SHAPES[shape])
    theta, last = (np.random.default_rng(k).normal(size=matrix.shape[1]) for k in (3, 4))
    optimizer = SPRING(0.25, damping, momentum, None)
    moved, state, _ = stepped(
        optimizer, linear(matrix, residuals), tf.constant(theta), {"direction": tf.constant(last)}
    )
    last, residuals = momentum * last, residuals + matrix @ theta
    weight = damping * np.sum(matrix**2, axis=0).max()
    expected = last - in_many_digits(matrix, residuals - matrix @ last, weight)[0]
    np.testing.assert_allclose(state["direction"], expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(moved, theta - 0.25 * expected, rtol=1e-6, atol=1e-9)


def test_a_step_of_spring_is_no_longer_than_max_norm():
    objective, theta = linear(*system(7, 40)), tf.zeros((40,), tf.float64)
    free, _, _ = stepped(SPRING(0.5, max_norm=None), objective, theta)
    bound, _, _ = stepped(SPRING(0.5, max_norm=1e-3), objective, theta)
    assert np.linalg.norm(free) > 1e-2
    np.testing.assert_allclose(bound, free * (1e-3 / np.linalg.norm(free)), rtol=1e-6)
    long, _, _ = stepped(SPRING(0.5, max_norm=1e3), objective, theta)
    np.testing.assert_array_equal(long, free)


def test_momentum_keeps_what_other_batches_saw():
    """Of random rows of a consistent system the steps with momentum learn more: Kaczmarz."""
    matrix, _ = graded(60, 30, 3.0)
    solution = np.random.default_rng(5).normal(size=30)
    residuals, distances = -matrix @ solution, []
    for momentum in (0.0, 0.9):
        optimizer, theta = SPRING(0.1, 1e-9, momentum, None), tf.zeros((30,), tf.float64)
        state, rng = optimizer.initial_state(theta), np.random.default_rng(0)
        for _ in range(150):
            rows = rng.choice(60, 12, replace=False)
            theta, state, _ = stepped(
                optimizer, linear(matrix[rows], residuals[rows]), theta, state
            )
        distances.append(np.linalg.norm(theta - solution) / np.linalg.norm(solution))
    assert distances[1] < 1e-3 * distances[0] and distances[1] < 1e-5


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_spring_stays_where_it_is_if_a_loss_is_not_finite(value):
    matrix, residuals = system(7, 40)
    residuals[2] = value
    theta, last = tf.ones((40,), tf.float64), tf.ones((40,), tf.float64)
    moved, state, statuses = stepped(
        SPRING(), linear(matrix, residuals), theta, {"direction": last}
    )
    np.testing.assert_array_equal(moved, theta)
    np.testing.assert_array_equal(state["direction"], last)
    assert statuses == [3]


def test_spring_without_anything_to_learn():
    theta = tf.ones((4,), tf.float64)
    moved, _, statuses = stepped(SPRING(), linear(np.zeros((3, 4)), np.zeros(3)), theta, count=2)
    np.testing.assert_array_equal(moved, theta)
    assert statuses == [1, 1]
    _, _, statuses = stepped(SPRING(), linear(np.zeros((3, 4)), np.ones(3)), theta, count=2)
    assert statuses == [0, 0]


# Through fit -------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tests.row_space")
class Poisson(kpinn.PINN):
    """u_xx = -pi^2 sin(pi x) on [-1, 1], and zero at the ends."""

    coordinates, fields = "x", "u"

    @kpinn.condition
    def equation(self, x, u_xx):
        return u_xx / math.pi**2 + ops.sin(math.pi * x)

    @kpinn.condition
    def ends(self, u):
        return u


def points(count):
    return {"equation": {"x": np.linspace(-1, 1, count)}, "ends": {"x": np.array([-1.0, 1.0])}}


FEW, MANY = points(40), points(200)  # for 141 parameters
MAKE = {
    "kernel": lambda: LevenbergMarquardt("kernel"),
    "sketch": lambda: LevenbergMarquardt("sketch", rank=80),
    "spring": lambda: SPRING(max_norm=0.3),
}
DATA = {"kernel": FEW, "sketch": MANY, "spring": FEW}
each = pytest.mark.parametrize("name", MAKE)


def poisson(optimizer, **options):
    keras.utils.set_random_seed(1)
    pinn = Poisson(kpinn.networks.MLP(units=10, depth=2))
    pinn.compile(optimizer, jit_compile=False, **options)
    return pinn


def variables(pinn):
    return [*pinn.weights, *pinn.optimizer.variables]


@functools.cache
def compiled(name):
    """In float64, with the values that it had at first: most of the time is the tracing."""
    pinn = poisson(MAKE[name]())
    pinn.optimizer.build(pinn.trainable_variables)
    return pinn, [variable.numpy() for variable in variables(pinn)]


def fresh(name):
    """A model in float64 and its optimizer before their first step."""
    kpinn.set_float64()
    pinn, values = compiled(name)
    for variable, value in zip(variables(pinn), values, strict=True):
        variable.assign(value)
    return pinn


def fit(pinn, epochs, data, **arguments):
    return pinn.fit(data, epochs=epochs, verbose=0, **arguments).history["loss"]


def theta_of(pinn):
    return join([variable.value for variable in pinn.trainable_variables]).numpy()


@pytest.mark.parametrize(
    ("name", "epochs", "limit"),
    [("kernel", 60, 1e-7), ("sketch", 60, 1e-5), ("spring", 100, 1e-8)],
)
def test_a_pinn_is_trained_in_float64(name, epochs, limit):
    pinn = fresh(name)
    losses = fit(pinn, epochs, DATA[name])
    assert losses[-1] < limit
    assert name == "spring" or np.all(np.diff(losses) <= 0)
    assert losses[-1] == pytest.approx(pinn.evaluate(DATA[name], verbose=0)[0], rel=1e-6)
    x = np.linspace(-1, 1, 201)
    error = pinn.predict_fields({"x": x})["u"][:, 0] - np.sin(np.pi * x)
    assert np.abs(error).max() < 10.0 * math.sqrt(limit)
    result = pinn.optimizer.result
    assert result.code in ("iteration_limit", "no_progress")
    np.testing.assert_array_equal(result.theta, theta_of(pinn))


@each
def test_a_pinn_is_trained_in_float32(name):
    losses = fit(poisson(MAKE[name]()), 120 if name == "spring" else 20, DATA[name])
    assert losses[-1] < 1e-3


@each
def test_eager_equals_compiled(name):
    losses = fit(fresh(name), 2, DATA[name])
    eager = fit(poisson(MAKE[name](), run_eagerly=True), 2, DATA[name])
    np.testing.assert_allclose(eager, losses, rtol=1e-6)


@each
def test_a_saved_training_goes_on_bit_for_bit(name, tmp_path):
    pinn = fresh(name)
    fit(pinn, 3, DATA[name])
    pinn.save(tmp_path / "poisson.keras")
    loaded = keras.saving.load_model(tmp_path / "poisson.keras")
    assert loaded.optimizer.get_config() == pinn.optimizer.get_config()
    expected = fit(pinn, 5, DATA[name], initial_epoch=3)
    assert fit(loaded, 5, DATA[name], initial_epoch=3) == expected
    np.testing.assert_array_equal(theta_of(loaded), theta_of(pinn))


@pytest.mark.parametrize(
    ("name", "options"), [("kernel", {}), ("spring", {}), ("spring", {"run_eagerly": True})]
)
def test_mini_batches(name, options):
    kpinn.set_float64()
    pinn = poisson(MAKE[name](), **options)
    start = pinn.evaluate(MANY, verbose=0)[0]
    epochs = 1 if options else 30
    assert len(fit(pinn, epochs, MANY, batch_size=30)) == epochs
    assert int(pinn.optimizer.iterations.numpy()) == 7 * epochs
    limit = 1.0 if options else 1e-3
    assert pinn.evaluate(MANY, verbose=0)[0] < limit * start


def test_spring_respects_bounds_and_schedules():
    kpinn.set_float64()

    class Down(kpinn.PINN):
        coordinates, fields = "x", "u"

        def __init__(self, network):
            super().__init__(network)
            self.unknown("a", initial=0.1, positive=True)

        @kpinn.condition
        def push(self, u, a):
            return a + 1.0 + 0.0 * u

    pinn = Down(kpinn.networks.MLP(units=3, depth=1))
    rate = keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)
    pinn.compile(SPRING(rate, max_norm=None), jit_compile=False)
    fit(pinn, 10, {"x": np.linspace(0, 1, 4)})
    assert float(pinn.unknowns["a"].numpy()) == pytest.approx(1e-7, rel=10)
    assert float(pinn.unknowns["a"].numpy()) > 0.0
    assert float(pinn.optimizer.learning_rate) == pytest.approx(0.25)


def test_spring_takes_the_learning_rate_of_callbacks():
    pinn = poisson(SPRING())
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.0)
    fit(pinn, 1, FEW)
    before = theta_of(pinn)
    fit(pinn, 2, FEW, callbacks=[schedule])
    np.testing.assert_array_equal(theta_of(pinn), before)


# Errors and arguments ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "data", "message"),
    [
        (
            LevenbergMarquardt("kernel", memory=1000),
            FEW,
            f"LevenbergMarquardt needs {row_space_bytes(42, 141)} bytes for 42 residuals and 141 "
            "parameters, which is more than memory=1000: pass fewer points or batch_size",
        ),
        (
            LevenbergMarquardt("sketch", memory=1000),
            MANY,
            f"LevenbergMarquardt needs {row_space_bytes(70, 141)} bytes for 70 sums of residuals "
            "and 141 parameters, which is more than memory=1000: pass a smaller rank",
        ),
        (
            SPRING(memory=1000),
            FEW,
            f"SPRING needs {row_space_bytes(42, 141)} bytes for 42 residuals and 141 parameters, "
            "which is more than memory=1000: pass fewer points or batch_size",
        ),
        (LevenbergMarquardt(memory=100), MANY, "pass solver='sketch' with a small rank"),
        (LevenbergMarquardt("sketch", rank=142), MANY, "rank=142 is more than the 141 parameters"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_step(optimizer, data, message):
    pinn = poisson(optimizer)
    before = pinn.get_weights()
    with pytest.raises(ValueError, match=message):
        fit(pinn, 2, data)
    for one, two in zip(pinn.get_weights(), before, strict=False):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (
            LevenbergMarquardt,
            {"rank": 5},
            "rank=5 is for the solver 'sketch', not 'dense'",
        ),
        (LevenbergMarquardt, {"solver": "cg"}, "solver 'cg' is unknown: .* 'kernel', 'sketch'"),
        (LevenbergMarquardt, {"solver": "sketch", "rank": 0}, "rank is a positive whole number"),
        (LevenbergMarquardt, {"solver": "sketch", "rank": 1.5}, "whole number, not 1.5"),
        (SPRING, {"learning_rate": 0.0}, "learning_rate is a positive number, not 0.0"),
        (SPRING, {"learning_rate": math.nan}, "learning_rate is a positive number, not nan"),
        (SPRING, {"damping": 0.0}, "damping is a positive number, not 0.0"),
        (SPRING, {"damping": math.inf}, "damping is a positive number, not inf"),
        (SPRING, {"momentum": 1.0}, r"momentum is a number in \[0, 1\), not 1.0"),
        (SPRING, {"momentum": -0.1}, r"momentum is a number in \[0, 1\), not -0.1"),
        (SPRING, {"momentum": math.nan}, r"momentum is a number in \[0, 1\), not nan"),
        (SPRING, {"max_norm": 0.0}, "max_norm is a positive number, not 0.0"),
    ],
)
def test_arguments_out_of_range(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize(
    "optimizer",
    [
        LevenbergMarquardt("sketch", 0.2, 0.5, 7, 2**20, 33),
        SPRING(0.25, 1e-4, 0.5, 0.125, 2**20),
        SPRING(keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5), max_norm=None),
    ],
)
def test_configuration(optimizer):
    config = json.dumps(keras.optimizers.serialize(optimizer))
    again = keras.optimizers.deserialize(json.loads(config))
    assert type(again) is type(optimizer)
    assert json.dumps(keras.optimizers.serialize(again)) == config


def test_losses_that_are_no_sum_of_squares():
    pinn = poisson(SPRING(), loss="mae")
    with pytest.raises(ValueError, match="only a mean square is a sum of squares"):
        fit(pinn, 1, FEW)


def test_spring_is_a_stage():
    kpinn.set_float64()
    pinn = poisson(Sequence([(SPRING(max_norm=0.3), 20), (LevenbergMarquardt("kernel"), 20)]))
    losses = fit(pinn, 40, FEW)
    assert losses[39] < 1e-3 * losses[19] < 1e-3 * losses[0]
