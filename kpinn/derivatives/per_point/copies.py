"""A traced function once more: for a number of points, with other weights, to be called at once.

Nothing of the function runs in Python again. Gradients of a copy are those of its operations: a
`tf.custom_gradient` is left out.
"""

import concurrent.futures
import contextlib
import dataclasses

import numpy as np
import tensorflow as tf

from kpinn.derivatives.tensorflow_private import captured


class NoCopyError(Exception):
    """A function that cannot be called apart from where it was traced, or for so many points."""


@dataclasses.dataclass(frozen=True, eq=False)
class Copy:
    """A function of points.

    Attributes:
        function: `(n, d) -> outputs`, a `ConcreteFunction`.
        variables: the variables that are trained, its own.
    """

    function: object
    variables: tuple

    @property
    def graph(self):
        """Its graph; the first input are the points."""
        return self.function.graph

    @property
    def count(self):
        """The number of points; `None` for any."""
        return self.graph.inputs[0].shape[0]

    def __call__(self, points):
        """The output, an array in float64."""

        def called():
            found = self.tensor(tf.constant(points, self.graph.inputs[0].dtype))
            return np.asarray(found, np.float64)

        return at_once(called)

    @contextlib.contextmanager
    def moved(self, generator):
        """Gives its variables other values near the ones that they have, for a while."""
        before = at_once(lambda: [variable.numpy() for variable in self.variables])
        self._assign([_near(value, generator) for value in before])
        try:
            yield
        finally:
            self._assign(before)

    def _assign(self, values):
        def assigned():
            for variable, value in zip(self.variables, values, strict=True):
                variable.assign(tf.cast(value, variable.dtype))

        at_once(assigned)

    def tensor(self, points):
        """The output as a tensor, which a tape may record."""
        return self.function(points)[0]


def copy_of(traced, count):
    """A `Copy` of a `ConcreteFunction` of points `(n, d)`.

    Args:
        traced: the function, traced for any number of points or for `count`.
        count: number of points; `None` for any.

    Raises:
        NoCopyError: if it cannot be made.
    """
    graph = traced.graph
    definition = graph.as_graph_def()
    for node in definition.node:
        node.attr.pop("_gradient_op_type", None)
    points, *names = [tensor.name for tensor in graph.inputs]
    variables = {id(variable.handle): variable for variable in graph.variables}

    def made():
        used = {key: _own(variable) for key, variable in variables.items()}
        outer = [_outside(pair, used) for pair in graph.captures]

        def imported(rows):
            outputs = [tensor.name for tensor in graph.outputs]
            inputs = dict(zip(names, map(captured, outer), strict=True)) | {points: rows}
            return tf.graph_util.import_graph_def(definition, inputs, outputs, name="")

        spec = tf.TensorSpec((count, graph.inputs[0].shape[1]), graph.inputs[0].dtype)
        own = tuple(new for key, new in used.items() if new is not variables[key])
        return Copy(tf.compat.v1.wrap_function(imported, [spec]), own)

    try:
        return at_once(made)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise NoCopyError(str(error)) from error


def at_once(function):
    """What a function returns in eager mode, whatever is traced or recorded around it.

    A thread of its own has neither a graph nor a tape; `tf.init_scope` would stop the tapes inside
    too.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(function).result()


def _near(value, generator):
    """Another array near one."""
    size = np.sqrt(np.mean(np.square(value.astype(np.float64)))) or 1.0
    scaled = value * generator.uniform(0.7, 1.4, value.shape)
    return scaled + 0.2 * size * generator.standard_normal(value.shape)


def _own(variable):
    """A copy of a variable that is trained; any other one itself."""
    if not variable.trainable or not variable.dtype.is_floating:
        return variable
    return tf.Variable(variable.read_value(), trainable=False)


def _outside(pair, variables):
    """What stands for a tensor from outside: itself, or numbers where it has no value yet."""
    outer, inner = pair
    if inner.dtype == tf.resource and id(outer) in variables:
        return variables[id(outer)].handle
    if not tf.is_symbolic_tensor(outer):
        return outer
    value = tf.get_static_value(outer)
    if value is not None:
        return tf.constant(value)
    if not outer.dtype.is_floating or not outer.shape.is_fully_defined():
        raise NoCopyError(f"{outer.name} has no value yet")
    drawn = np.random.default_rng(0).uniform(0.5, 1.5, outer.shape)
    return tf.constant(drawn, outer.dtype)
