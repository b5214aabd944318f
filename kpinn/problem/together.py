"""Whether a condition takes its points together, as one with a mean over them does.

Such a condition is evaluated on a whole set of points. What its arguments are made of does not
matter, so that it is called on random numbers: where a point's residual has a gradient with respect
to another point, or is another without the other points, the points are taken together.
"""

import numpy as np
import tensorflow as tf

COUNT = 8  # points on which it is tried
RUNS = 2  # with other numbers


def takes_together(function, shapes, dtype):
    """Whether residuals of some points depend on others; asked outside of any graph.

    Args:
        function: takes a dict of tensors by name and returns residuals `(n, k)` or `(n,)`.
        shapes: dict from argument to its shape, with `None` for the number of points.
        dtype: dtype of the tensors.
    """
    generator = np.random.default_rng(0)
    return any(_run(function, shapes, dtype, generator) for _ in range(RUNS))


def _has_gradient(function, values, shapes):
    """Whether the residual of the first point has a gradient with respect to others."""
    points = [value for name, value in values.items() if None in shapes[name]]
    with tf.GradientTape() as tape:
        tape.watch(points)
        first = tf.convert_to_tensor(function(values))[0]
    found = tape.gradient(first, points)
    others = (tf.convert_to_tensor(each)[1:].numpy() for each in found if each is not None)
    return any(np.any(np.nan_to_num(each)) for each in others)


def _run(function, shapes, dtype, generator):
    sizes = {n: [COUNT if k is None else k for k in shape] for n, shape in shapes.items()}
    values = {n: tf.constant(generator.uniform(0.5, 1.5, k), dtype) for n, k in sizes.items()}

    def residual(rows):
        chosen = {n: tf.gather(v, rows) if None in shapes[n] else v for n, v in values.items()}
        return np.asarray(tf.convert_to_tensor(function(chosen)), np.float64)

    every, some = np.arange(COUNT), np.array([5, 2])
    try:
        if _has_gradient(function, values, shapes):
            return True
        whole, again, part = residual(every), residual(every), residual(some)
    except Exception:  # a function of a number of points, which are then taken as they are
        return True
    if whole.shape[:1] != (COUNT,) or part.shape[:1] != (len(some),):
        return True
    if not np.array_equal(whole, again, equal_nan=True):
        return False  # it draws random numbers, of which each point has its own
    tolerance = 1e3 * float(np.finfo(dtype.as_numpy_dtype).eps)
    return not np.allclose(whole[some], part, tolerance, tolerance, equal_nan=True)
