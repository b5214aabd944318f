"""Damped linear least squares, against dense solutions in numpy and in many digits."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from linear_systems import folded, graded, in_many_digits, stacked

from kpinn.optimizers.least_squares import dense

pytestmark = pytest.mark.usefixtures("factorised_on")
both_kinds = pytest.mark.parametrize("by", ["products", "reflections"])

SHAPES = {
    "tall": (40, 7),
    "square": (6, 6),
    "wide": (4, 9),
    "one row": (1, 5),
    "one column": (12, 1),
    "one number": (1, 1),
}


def system(rows, columns, rank=None, seed=0):
    """A matrix `(rows, columns)` and residuals `(rows,)`."""
    rng = np.random.default_rng(seed)
    rank = min(rows, columns) if rank is None else rank
    matrix = rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, columns))
    return matrix, rng.normal(size=rows)


def solved(factor, damping):
    return factor.solve(tf.constant(damping, factor.matrix.dtype))


@both_kinds
@pytest.mark.parametrize("damping", [1e-8, 1e-2, 1.0, 1e6])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_is_that_of_the_stacked_system(shape, damping, by):
    matrix, residuals = system(*SHAPES[shape])
    step, _, _ = solved(folded(matrix, residuals, by=by), damping)
    expected = stacked(matrix, residuals, damping)
    # Products have the square of the condition number, which the damping bounds.
    error = 1e-10 if by == "reflections" else 1e-10 + 1e-14 / damping
    np.testing.assert_allclose(step, expected, rtol=0, atol=error * np.abs(expected).max())


@both_kinds
@pytest.mark.parametrize("chunk", [1, 2, 7, 16, 39, 40, 100])
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_may_come_in_chunks(shape, chunk, by):
    matrix, residuals = system(*SHAPES[shape])
    factor = folded(matrix, residuals, chunk, by=by)
    rows = np.column_stack([matrix, residuals])
    found = factor.matrix.numpy()
    if by == "reflections":
        np.testing.assert_array_equal(found, np.triu(found))
        found = found.T @ found
    np.testing.assert_allclose(found, rows.T @ rows, rtol=1e-12, atol=1e-12)
    assert float(factor.scale) == pytest.approx(np.sum(matrix**2, axis=0).max(), rel=1e-13)
    step, decrease, _ = solved(factor, 1e-2)
    whole = solved(folded(matrix, residuals, by=by), 1e-2)
    np.testing.assert_allclose(step, whole[0], rtol=1e-9, atol=1e-11)
    assert float(decrease) == pytest.approx(float(whole[1]), rel=1e-11)


@pytest.mark.parametrize("columns", [1, 2, 31, 32, 33, 70])  # around the size of a block
@both_kinds
def test_any_number_of_columns(columns, by):
    matrix, residuals = system(2 * columns, columns)
    step, _, _ = solved(folded(matrix, residuals, 11, by=by), 0.1)
    np.testing.assert_allclose(step, stacked(matrix, residuals, 0.1), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("damping", [1e-10, 1e-3, 1.0])
@pytest.mark.parametrize("rank", [0, 1, 3])
def test_a_matrix_may_lack_rank(rank, damping):
    matrix, residuals = system(20, 6, rank)
    step, decrease, _ = solved(folded(matrix, residuals, 8), damping)
    expected, predicted = in_many_digits(matrix, residuals, damping)
    # Rounding of the matrix moves its null space, out of which the damping alone keeps the step.
    error = 1e-15 * max(1.0, np.linalg.norm(matrix)) / damping**0.5
    np.testing.assert_allclose(
        step, expected, atol=1e-11 + error * np.linalg.norm(residuals) / damping**0.5
    )
    assert float(decrease) == pytest.approx(predicted, rel=1e-9, abs=1e-14)


def test_columns_of_zeros_have_no_step():
    matrix, residuals = system(10, 4)
    matrix[:, 2] = 0.0
    step = solved(folded(matrix, residuals), 1e-6)[0].numpy()
    assert step[2] == 0.0
    np.testing.assert_allclose(step, stacked(matrix, residuals, 1e-6), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("condition", [1e2, 1e6, 1e10, 1e13])
def test_small_singular_values_are_not_lost(condition):
    """The error is that of a backward stable method; normal equations would square it."""
    matrix, residuals = graded(60, 12, condition)
    damping = condition**-2.0
    step, decrease, _ = solved(folded(matrix, residuals, 25), damping)
    expected, predicted = in_many_digits(matrix, residuals, damping)
    # In both the condition number of the damped matrix, not its square.
    allowed = 50.0 * np.finfo(float).eps * condition
    assert np.linalg.norm(step - expected) < allowed * np.linalg.norm(expected)
    assert float(decrease) == pytest.approx(predicted, rel=allowed)


def test_a_decrease_far_below_the_loss_is_accurate():
    """Where the residuals are almost at their minimum, a difference of losses is all rounding."""
    matrix, residuals = system(30, 5)
    residuals -= matrix @ np.linalg.lstsq(matrix, residuals, rcond=None)[0]
    residuals += 1e-9 * matrix @ np.ones(5)
    _, decrease, _ = solved(folded(matrix, residuals), 1e-6)
    _, predicted = in_many_digits(matrix, residuals, 1e-6)
    assert predicted < 1e-15 * (residuals @ residuals)
    assert float(decrease) == pytest.approx(predicted, rel=1e-5)


@both_kinds
@pytest.mark.parametrize("damping", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_decrease_is_that_of_its_definition(shape, damping, by):
    matrix, residuals = system(*SHAPES[shape])
    step, decrease, _ = solved(folded(matrix, residuals, 3, by=by), damping)
    _, predicted = in_many_digits(matrix, residuals, damping)
    assert float(decrease) == pytest.approx(predicted, rel=1e-10)
    wide = np.longdouble
    after = matrix.astype(wide) @ step.numpy().astype(wide) + residuals
    before = residuals.astype(wide)
    assert float(decrease) == pytest.approx(float(before @ before - after @ after), rel=1e-10)


@both_kinds
def test_more_damping_shortens_the_step(by):
    factor = folded(*system(20, 6), by=by)
    found = [solved(factor, 10.0**k) for k in range(-8, 9)]
    lengths = [np.linalg.norm(step) for step, _, _ in found]
    assert all(longer > shorter for longer, shorter in zip(lengths, lengths[1:], strict=False))
    decreases = [float(decrease) for _, decrease, _ in found]
    assert min(decreases) > 0.0
    assert decreases == sorted(decreases, reverse=True)


@both_kinds
@pytest.mark.parametrize("shape", SHAPES)
def test_with_much_damping_it_is_a_step_along_the_gradient(shape, by):
    matrix, residuals = system(*SHAPES[shape])
    step, _, _ = solved(folded(matrix, residuals, by=by), 1e12)
    expected = -1e-12 * residuals @ matrix
    np.testing.assert_allclose(step, expected, rtol=0, atol=1e-7 * np.abs(expected).max())


@both_kinds
@pytest.mark.parametrize("damping", [1e-4, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_further_right_hand_sides(shape, damping, by):
    matrix, residuals = system(*SHAPES[shape])
    _, _, again = solved(folded(matrix, residuals, 5, by=by), damping)
    vector = np.random.default_rng(2).normal(size=matrix.shape[0])
    normal = matrix.T @ matrix + damping * np.eye(matrix.shape[1])
    found = again(tf.constant(vector))
    np.testing.assert_allclose(normal @ found.numpy(), vector @ matrix, rtol=1e-9, atol=1e-9)


@both_kinds
def test_the_step_solves_the_normal_equations_too(by):
    matrix, residuals = system(20, 6)
    step, _, again = solved(folded(matrix, residuals, by=by), 0.3)
    np.testing.assert_allclose(again(tf.constant(-residuals)), step, rtol=1e-11)


@both_kinds
@pytest.mark.parametrize("chunk", [3, 40])
@pytest.mark.parametrize("shape", SHAPES)
def test_float32(shape, chunk, by):
    matrix, residuals = (a.astype("float32") for a in system(*SHAPES[shape]))
    factor = folded(matrix, residuals, chunk, "float32", by)
    step, decrease, again = solved(factor, 0.5)
    normal = again(-tf.constant(residuals))
    assert {t.dtype for t in (factor.matrix, step, decrease, normal)} == {tf.float32}
    expected, predicted = in_many_digits(matrix, residuals, 0.5)
    np.testing.assert_allclose(step, expected, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(normal, expected, rtol=2e-4, atol=2e-5)
    assert float(decrease) == pytest.approx(predicted, rel=1e-5)


def test_float32_is_solved_in_float64():
    """The factor is rounded once; a QR in float32 would lose the small singular values."""
    matrix, residuals = (a.astype("float32") for a in graded(60, 12, 1e4))
    step, _, _ = solved(folded(matrix, residuals, None, "float32"), 1e-8)
    expected, _ = in_many_digits(matrix, residuals, 1e-8)
    assert np.linalg.norm(step - expected) < 1e-3 * np.linalg.norm(expected)


@pytest.mark.parametrize("damping", [1.0, 1e-14])
def test_within_a_compiled_loop_as_outside(damping):
    matrix, residuals = (tf.constant(a) for a in system(20, 6))
    transposed = functools.partial(tf.linalg.matvec, tf.transpose(matrix))

    def fold_jacobian(theta, function, result, merge=None):
        for first in (0, 8, 16):
            rows = slice(first, first + 8)
            result = function(result, matrix[rows], residuals[rows])
        return result

    def solve_twice(damping):
        theta, scale = tf.zeros((6,), tf.float64), tf.ones((), tf.float64)
        factor = dense.dense_model(fold_jacobian, transposed, theta, damping, scale)

        def body(damping, _):
            _, _, again = factor.solve(damping)
            return 2.0 * damping, again(residuals)

        start = damping
        return tf.while_loop(lambda last, _: last < 3.0 * start, body, [damping, theta])[1]

    damping = tf.constant(damping, tf.float64)
    found = tf.function(solve_twice, autograph=False)(damping)
    np.testing.assert_array_equal(found, solve_twice(damping))
    by = "products" if damping == 1.0 else "reflections"
    _, _, again = solved(folded(matrix, residuals, 8, by=by), 2.0 * damping)
    np.testing.assert_array_equal(found, again(residuals))


@pytest.mark.parametrize(
    ("damping", "dtype", "by"),
    [
        (1e-10, "float64", "products"),
        (1e-12, "float64", "reflections"),
        (0.1, "float32", "products"),
        (1e-3, "float32", "reflections"),
    ],
)
def test_small_dampings_are_for_reflections(damping, dtype, by):
    """The scale counts too: both are multiplied by the square of a factor of the loss."""
    matrix, residuals = system(20, 6)
    matrix = tf.constant(matrix, dtype)
    for factor in (1.0, 1e-8, 1e8):
        found = dense.dense_model(
            lambda theta, fold, start, _: fold(start, matrix, tf.constant(residuals, dtype)),
            None,
            tf.zeros((6,), dtype),
            tf.constant(damping * factor, dtype),
            tf.constant(factor, dtype),
        )
        assert bool(found.products) == (by == "products")


@both_kinds
def test_the_smallest_damping_can_be_told_from_zero(by):
    """Steps are finite down to it, also for a matrix that lacks rank."""
    factor = folded(*system(20, 6, 3), by=by)
    smallest = float(factor.smallest_damping())
    assert 0.0 < smallest < 1e-10 * float(factor.scale)
    step, decrease, again = solved(factor, smallest)
    for part in (step, decrease, again(tf.ones((20,), tf.float64))):
        assert np.isfinite(part).all()


@pytest.mark.parametrize("columns", [1, 399, 400, 835, 1601])  # one block, and up to three levels
def test_products_by_blocks(columns):
    rows = np.random.default_rng(0).normal(size=(7, columns))
    found = dense.products_of(tf.constant(rows))
    np.testing.assert_allclose(found, rows.T @ rows, rtol=0, atol=1e-13)


def test_products_that_do_not_suffice_give_nan():
    """A step that is not finite is not accepted; an exception would end the training."""
    step, decrease, again = solved(folded(*system(20, 6, 3), by="products"), 1e-40)
    for part in (step, decrease, again(tf.ones((20,), tf.float64))):
        assert np.isnan(part).all()


@both_kinds
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_stay_so(value, by):
    matrix, residuals = system(20, 6)
    residuals[3] = value
    factor = folded(matrix, residuals, 8, by=by)
    step, decrease, _ = solved(factor, 0.1)
    assert not np.isfinite(step).all() and not np.isfinite(decrease)


@both_kinds
def test_inputs_are_left_as_they_are(by):
    matrix, residuals = system(10, 4)
    copies = matrix.copy(), residuals.copy()
    factor = folded(matrix, residuals, 3, by=by)
    kept = factor.matrix.numpy().copy()
    step, decrease, again = solved(factor, 0.1)
    again(tf.constant(residuals))
    for one, two in zip((step, decrease), solved(factor, 0.1)[:2], strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(factor.matrix, kept)
    np.testing.assert_array_equal(matrix, copies[0])
    np.testing.assert_array_equal(residuals, copies[1])
