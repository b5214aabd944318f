"""Fields, derivatives and residuals at points, in batches."""

import numpy as np
import tensorflow as tf

from kpinn.derivatives.names.declarations import split_names
from kpinn.options import names as names_of
from kpinn.options import positive_whole
from kpinn.problem import refusals
from kpinn.problem.points import in_order, minus_target, one_set, sets_of, widths_of

BATCH = 16_384


class Prediction:
    """What a problem says at points.

    Args:
        problem: the `Problem`.
        compiled: the `Compiled` functions.
        step: number of the training step, on which random directions depend.
    """

    def __init__(self, problem, compiled, step):
        self.problem, self.compiled = problem, compiled
        self.step = tf.cast(step, tf.int64)

    def fields(self, points, names, method, batch_size):
        """See `PINN.predict_fields`; `method` is a resolved one."""
        problem, batch_size = self.problem, positive_whole("batch_size", batch_size)
        names = list(problem.space.fields) if names is None else names
        names = split_names(names_of("names", names, "u, u_x"))
        arrays = one_set("predict_fields", points, problem, None)
        asked = problem.quantities(names, widths_of(arrays))

        def values(arrays, step):
            return problem.values(asked, arrays, method, step=step)

        return self._batched(("fields", names, str(method)), values, arrays, batch_size)

    def residuals(self, data, batch_size):
        """See `PINN.residuals`; `data` is a `Data`.

        A condition that takes its points together gets all of them at a time.
        """
        batch_size = positive_whole("batch_size", batch_size)
        found, problem = {}, self.problem
        for names, arrays in sets_of(problem, data.points):
            widths = widths_of(arrays)
            count = next(iter(arrays.values())).shape[0]
            split = count > batch_size
            whole = tuple(n for n in names if split and problem.takes_together(n, widths))
            rest = tuple(name for name in names if name not in whole)
            for part, size in ((whole, count), (rest, batch_size)):
                found |= self._residuals(part, arrays, size) if part else {}
        return {
            name: np.asarray(minus_target(name, residual, data.targets.get(name)))
            for name, residual in in_order(problem, found).items()
        }

    def _residuals(self, names, arrays, batch_size):
        def residuals(arrays, step):
            return self.problem.residuals_at(names, arrays, step)

        found = self._batched(("residuals", names), residuals, arrays, batch_size)
        for name, residual in found.items():  # in a graph the number of points is not known
            count = min(batch_size, next(iter(arrays.values())).shape[0])
            refusals.check_shape(name, (count, *residual.shape[1:]), count)
        return found

    def _batched(self, key, function, arrays, batch_size):
        specs = {name: tf.TensorSpec((None, a.shape[1]), a.dtype) for name, a in arrays.items()}
        signature = [specs, tf.TensorSpec((), tf.int64)]
        compute = function
        if not self.compiled.eager:
            compute = self.compiled.graph((key, *specs.items()), function, signature=signature)
        parts, count = [], next(iter(arrays.values())).shape[0]
        if count > batch_size:
            refusals.refuse_torn(self.problem, arrays, batch_size)
        for start in range(0, count, batch_size):
            part = {name: array[start : start + batch_size] for name, array in arrays.items()}
            parts.append({n: value.numpy() for n, value in compute(part, self.step).items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
