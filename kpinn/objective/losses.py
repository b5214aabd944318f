"""The losses of conditions."""

import functools
import types

import keras
import tensorflow as tf
from keras import ops

from kpinn.derivatives.graphs.python_calls import ADVICE, named, refuse_python
from kpinn.objective.functionals import Mean, Product
from kpinn.options import number, of_keras, shown
from kpinn.problem.points import check_known, check_target


class Losses:
    """The loss of every condition and its weight, a variable.

    It computes in the dtype of the residuals, where Keras's own compiled loss would compute in
    `floatx`, and conditions may be left out, as in validation.

    Args:
        names: names of the conditions.
        loss: a loss for all conditions or a dict by condition; by default the mean square.
        weights: `None` or a dict from condition to number; by default one.
        dtype: dtype of the residuals.
        doubled: names of conditions with two draws, whose loss is a `Product` by default.

    Attributes:
        functions: dict from condition to its loss.
        weights: dict from condition to a Keras variable.

    Raises:
        ValueError: for a name that is not a condition, or a weight that is not a number.
    """

    def __init__(self, names, loss=None, weights=None, dtype="float32", doubled=()):
        by_name = dict(loss) if isinstance(loss, dict) else dict.fromkeys(names, loss)
        weights = {} if weights is None else weights
        if not isinstance(weights, dict):
            raise ValueError(
                f"loss_weights is {shown(weights)}: expected a dict from condition to number."
            )
        for argument, given in (("loss", by_name), ("loss_weights", weights)):
            check_known(given, names, f"{argument} names")
        usual = {name: Product() if name in doubled else "mse" for name in names}
        self.functions = {n: _loss(n, by_name.get(n), usual[n]) for n in names}
        self.weights = {name: _weight(name, weights.get(name, 1.0), dtype) for name in names}

    def terms(self, residuals, targets, sample_weight, share=None):
        """The loss of each condition, before its weight.

        Args:
            residuals: dict from condition to tensor `(n, k)`.
            targets: dict from condition to tensor `(n, k)`; where there is none it is zero.
            sample_weight: dict from condition to tensor `(n,)` or `(n, 1)`.
            share: the `Share` of a replica, whose part of the loss is wanted.

        Returns:
            A dict from condition to scalar tensor.
        """
        terms = {}
        for name, residual in residuals.items():
            values = self.at_points(name, targets.get(name), residual)
            reduce = _reduce if share is None else functools.partial(share.part, name)
            terms[name] = reduce(values, sample_weight.get(name), self.reduction(name))
        return terms

    def check(self, data, residuals, eager):
        """Raises `ValueError` for losses that need targets, and for those that have no gradient.

        Args:
            data: a `Data`.
            residuals: dict from condition to tensor `(n, k)`, in eager mode.
            eager: whether the training will run them as they are, without a graph.
        """
        for name, residual in residuals.items():
            target, loss = data.targets.get(name), self.functions[name]
            label = getattr(loss, "name", None) or getattr(loss, "__name__", "")
            if target is None and label in _OF_TARGETS and is_of_keras(loss):
                raise ValueError(
                    f"loss of {name!r} is {label}, which has no meaning where targets are zero: "
                    "pass targets, or use 'mse', 'mae', 'huber' or 'log_cosh'."
                )
            if not is_of_keras(loss) and not isinstance(loss, Mean | Product):
                self._check_gradient(name, tf.ones_like(residual), eager)

    def _check_gradient(self, name, residual, eager):
        loss, label = functools.partial(self.at_points, name, None), f"loss of {name!r}"
        spec = tf.TensorSpec(residual.shape, residual.dtype)
        refuse_python(label, loss, [spec], [True], eager)
        with tf.GradientTape() as tape:
            tape.watch(residual)
            value = loss(residual)
        if tape.gradient(value, residual) is None:
            raise ValueError(f"{label} does not depend on the residual: {ADVICE}.")

    def at_points(self, name, target, residual):
        """The loss of a condition at its points, `(n,)`.

        Args:
            name: name of the condition.
            target: like the residual, or `None` for zeros.
            residual: a tensor `(n, k)`.
        """
        loss = self.functions[name]
        if target is None:
            target = ops.zeros_like(residual)
        else:
            target = target[:, None] if len(target.shape) == 1 else target
            check_target(name, residual, target)
        target = ops.cast(target, residual.dtype)
        with named(f"loss of {name!r}"):
            return (loss.call if isinstance(loss, keras.losses.Loss) else loss)(target, residual)

    def reduction(self, name):
        """How the losses at the points become one: the reduction of a Keras loss."""
        return getattr(self.functions[name], "reduction", "sum_over_batch_size")

    def total(self, terms, regularization=(), share=None):
        """The weighted sum of the terms and the regularization losses.

        With a share it is a part of the loss, and the sum of all parts is the loss. So it is in
        Keras's own loop over the replicas of a distribution strategy, where shares are equal.
        """
        if share is None:
            terms = {name: divided(term, self.parts(name)) for name, term in terms.items()}
        parts = [ops.convert_to_tensor(self.weights[name]) * t for name, t in terms.items()]
        once = (lambda value: divided(value, replicas())) if share is None else share.once
        rest = [once(ops.cast(r, parts[0].dtype)) for r in regularization]
        return sum(parts[1:], parts[0]) + sum(rest)

    def parts(self, name):
        """Of how many replicas the loss of a condition is the mean; a sum over points is none."""
        return 1 if self.reduction(name) == "sum" else replicas()


def replicas():
    """Among how many replicas of a distribution strategy Keras's own loop divides a step."""
    alone = tf.distribute.in_cross_replica_context()
    return 1 if alone else tf.distribute.get_strategy().num_replicas_in_sync


def divided(value, count):
    """A value divided by a number, which is one nearly always."""
    return value if count == 1 else value / count


def _loss(name, given, usual):
    """A loss of Keras or of a user; raises `ValueError` for one of classes."""
    found = of_keras(f"loss of {name!r}:", keras.losses.get, usual if given is None else given)
    if found is None:
        raise ValueError(f"loss of {name!r} is {shown(given)}: expected a loss such as 'mse'.")
    if is_of_classes(found):
        raise ValueError(
            f"loss of {name!r} is {shown(given)}, which compares classes: a residual is a real "
            "number. Use 'mse', 'mae', 'huber', 'log_cosh' or a loss of your own."
        )
    return found


def is_of_keras(found):
    """Whether a loss or metric is one of Keras's own."""
    owner = found if isinstance(found, types.FunctionType) else type(found)
    return owner.__module__.startswith("keras.")


def is_of_classes(found):
    """Whether a loss or metric of Keras is for classes or probabilities, by its name."""
    name = getattr(found, "name", None) or getattr(found, "__name__", "")
    return is_of_keras(found) and any(part in name for part in _OF_CLASSES)


_OF_TARGETS = (
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "cosine_similarity",
)
_OF_CLASSES = (
    *("crossentropy", "cross_entropy", "hinge", "divergence", "poisson", "ctc", "dice", "tversky"),
    *("circle", "accuracy", "precision", "recall", "auc", "f1", "fbeta", "iou", "io_u"),
    *("negatives", "positives", "sensitivity", "specificity"),
)


def _weight(name, value, dtype):
    value = number(f"loss_weights[{name!r}]", value, "[0, inf)")
    return keras.Variable(value, trainable=False, dtype=dtype, name=f"loss_weight_{name}")


def _reduce(values, weight, reduction):
    if weight is not None:
        values = values * ops.reshape(ops.cast(weight, values.dtype), ops.shape(values))
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "mean_with_sample_weight" and weight is not None:
        return ops.sum(values) / ops.sum(ops.cast(weight, values.dtype))
    return ops.mean(values)
