"""What is seen of a step of Keras's loop that was not finite, whose points are gone afterwards."""

import tensorflow as tf

MOST = 1_000  # names


class Sightings:
    """The points of such a step; under XLA, which cannot keep them, which parts were not finite.

    Args:
        jit: whether XLA compiles the step.

    Attributes:
        batch: the `Data` of the step, or `None`.
    """

    def __init__(self, jit):
        self.jit, self.batch, self._names = jit, None, []
        self._finite = tf.Variable(tf.ones((MOST,), tf.bool), trainable=False)

    def keep(self, data, gradients=(), variables=()):
        """Keeps what is seen.

        Args:
            data: the `Data` of the step.
            gradients: list of tensors, one for each of the variables.
            variables: list of Keras variables.
        """
        if self.jit:
            named = _named(data, gradients, variables)
            self._names = list(named)[:MOST]
            seen = [tf.reduce_all(tf.math.is_finite(named[name])) for name in self._names]
            self._finite.assign(seen + [True] * (MOST - len(seen)))
        else:
            tensors = tf.nest.flatten(data, expand_composites=True)
            tf.numpy_function(lambda *arrays: self._set(data, arrays), tensors, [])

    def _set(self, data, arrays):
        tensors = [tf.convert_to_tensor(array) for array in arrays]
        self.batch = tf.nest.pack_sequence_as(data, tensors)

    def sentence(self, trackers):
        """What was not finite, where the points are not known.

        Args:
            trackers: dict from condition to the mean of its loss, up to the step.
        """
        seen = zip(self._names, self._finite.numpy()[: len(self._names)], strict=True)
        names = [name for name, is_finite in seen if not is_finite]
        of_batch = [name for name in names if not name.startswith(GRADIENT)]
        if of_batch:
            return f"{of_batch[0]} is not finite."
        terms = [n for n, mean in trackers.items() if not tf.math.is_finite(mean.result())]
        if terms:
            return f"the loss of condition {terms[0]!r} is not finite."
        return f"{names[0]} is not finite, though the loss is." if names else "the loss is not."


GRADIENT = "the gradient"


def _named(data, gradients, variables):
    """Dict from what the parts of a `Data` and gradients are called to their tensors."""
    named = {}
    for path, tensor in _leaves(data.points, ()):
        owner = f" of condition {path[0]!r}" if len(path) > 1 else ""
        named[f"{path[-1]!r} of the points{owner}"] = tensor
    for what, part in (("targets", data.targets), ("sample weights", data.sample_weight)):
        named |= {f"one of the {what} of {name!r}": tensor for name, tensor in part.items()}
    for gradient, variable in zip(gradients, variables, strict=True):
        named[f"{GRADIENT} with respect to {variable.path!r}"] = gradient
    return {name: tensor for name, tensor in named.items() if tensor.dtype.is_floating}


def _leaves(tree, path):
    if isinstance(tree, dict):
        for name, part in tree.items():
            yield from _leaves(part, (*path, name))
    else:
        yield path, tree
