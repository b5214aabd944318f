"""The one place where a function that takes points together is refused.

It has no derivative at a point: tapes return that of a sum over the points, differences and Taylor
coefficients that of all points moved at once. That points keep apart is proved from the traced
graph; where it cannot be, and where gradients are others than those of the operations, it is tried
on numbers. A verdict is kept for the graph, of which the next trace of a function is a copy.
"""

import collections
import contextlib
import dataclasses
import re
import warnings
import weakref

import numpy as np
import tensorflow as tf

from kpinn.derivatives.context import COMMON
from kpinn.derivatives.declarations import is_declared
from kpinn.derivatives.errors import FAILURES, CustomGradientWarning, RefusedError
from kpinn.derivatives.graphs.tracing import TraceError, bodies_of, trace, trace_or_none
from kpinn.derivatives.graphs.walker import CALLS
from kpinn.derivatives.per_point import custom_gradients, probe
from kpinn.derivatives.per_point.copies import NoCopyError, at_once, copy_of
from kpinn.derivatives.per_point.explanations import ADVICE, culprit, explained
from kpinn.derivatives.per_point.keeps_rows import COUNT, why_mixed
from kpinn.derivatives.precision import EPSILON

_KEPT = 256  # verdicts
_CUSTOM = rb"CustomGradient-\d+"
_WRITES = ("Assign", "ResourceApply", "ResourceScatter")
_DRAWS = ("Random", "StatelessRandom", "StatelessTruncated", "TruncatedNormal")
# Operations whose shapes, known when they are traced, decide whether they can be called.
_OF_ANY_NUMBER = frozenset(
    (
        *("AddV2", "BiasAdd", "Const", "Cos", "Elu", "Identity", "MatMul", "Mul", "NoOp", "Neg"),
        *("Placeholder", "ReadVariableOp", "Relu", "Sigmoid", "Sin", "Softplus", "Sub", "Tanh"),
        *("ConcatV2", "Exp", "IdentityN", "Pack", "RealDiv", "Square", "StridedSlice"),
    )
)
_PLACES = ("Range", "LinSpace", "Cumsum", "Cumprod", "OneHot")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is known of a function.

    Attributes:
        together: why it is refused; `None` if it is not.
        gradients: what to warn of its custom gradients; `None` for nothing.
        count: the number of points for which it is known; `None` for any.
    """

    together: str | None = None
    gradients: str | None = None
    count: int | None = None


_verdicts = collections.OrderedDict()
_of_functions = weakref.WeakKeyDictionary()
_tried = weakref.WeakSet()


@tf.autograph.experimental.do_not_convert
def refuse_together(function, traced, points):
    """Raises `RefusedError` for a function of which a point of the outputs depends on others.

    Args:
        function: `(n, d) -> (n, m)`.
        traced: its `ConcreteFunction`; `None` if it cannot be traced.
        points: tensor `(n, d)` that it is called on.
    """
    if is_declared(function):
        return
    key, known = None if traced is None else _key(traced.graph), _verdicts
    if key is not None and custom_gradients.nodes_of(traced.graph):
        known = _own_verdicts(function)  # other gradients have the same nodes
    verdict = known.get(key)
    if verdict is None or verdict.count not in (None, points.shape[0]):
        verdict = _judge(function, traced, points)
        if verdict.gradients:
            warnings.warn(verdict.gradients, CustomGradientWarning, stacklevel=2)
    if key is not None:
        known[key] = verdict
        known.move_to_end(key)
        if len(known) > _KEPT:
            known.popitem(last=False)
    if verdict.together:
        raise RefusedError(verdict.together)


def _own_verdicts(function):
    """The verdicts of a function that are for no other one."""
    try:
        return _of_functions.setdefault(_origin(function), collections.OrderedDict())
    except TypeError:  # what cannot be referred to weakly
        return collections.OrderedDict()


def _origin(function):
    """What a user gave, of a function that is made anew for each call."""
    return getattr(function, "origin", function)


def _key(graph):
    """What makes a verdict: the nodes of a graph; `None` if tensors without a value count too."""
    outer = [outer for outer, inner in graph.captures if inner.dtype != tf.resource]
    if any(tf.is_symbolic_tensor(tensor) for tensor in outer):
        return None
    definition = graph.as_graph_def()
    functions = {function.signature.name: function for function in definition.library.function}
    names = sorted(functions, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])
    for node in definition.node:
        node.attr.pop("_gradient_op_type", None)
    nodes = [*definition.node, *(functions[name] for name in names)]
    text = b"".join(node.SerializeToString(deterministic=True) for node in nodes)
    # Each trace counts on in these names.
    known = {name.encode(): b"function %d" % i for i, name in enumerate(names)}
    pattern = b"|".join([*sorted(map(re.escape, known), key=len, reverse=True), _CUSTOM])
    text = re.sub(pattern, lambda match: known.get(match[0], b""), text)
    values = [hash(np.asarray(tensor).tobytes()) for tensor in outer if tensor.dtype != tf.variant]
    return text, tuple(graph.inputs[0].shape), str(graph.outputs[0].shape), *values


# Verdicts ----------------------------------------------------------------------------------


def _judge(function, traced, points):
    known = None if tf.is_symbolic_tensor(points) else np.asarray(points, np.float64)
    epsilon = EPSILON.get(points.dtype, EPSILON[tf.float32])
    if traced is None:
        return Verdict(_untraced(function, points, known, epsilon))
    if traced.graph.outputs[0].shape.rank == 0:
        return Verdict()  # no row for each point, as will be said
    try:
        few, traced = _of_few(function, traced, points.shape[0])
    except NoCopyError:
        return Verdict()
    count = None if few.count == COUNT else points.shape[0]
    if few.count == 1:
        return Verdict(count=count)
    message = _mixed(function, few, known, epsilon)
    if message is None and few.count == COUNT:
        message = _placed(function, traced, few, epsilon)
    if message is not None or not custom_gradients.nodes_of(traced.graph):
        return Verdict(message, count=count)
    # Another trace, since TensorFlow adds outputs to the graph of what it differentiates.
    again = trace(function, points.shape[1], points.dtype, few.count)
    return Verdict(*custom_gradients.look_at(again, few.count), count)


def _of_few(function, traced, count):
    """A `Copy` for `COUNT` points, or for the number that the function needs, and its trace."""
    points, output = traced.graph.inputs[0], traced.graph.outputs[0]
    needed = points.shape[0] or (output.shape[0] if output.shape.rank else None) or count
    try:
        if points.shape[0] not in (None, COUNT):
            of_few = trace(function, points.shape[1], points.dtype, COUNT, exactly=True)
            return _running(of_few, output), of_few
        return _running(traced, output), traced
    except (TraceError, NoCopyError):
        if needed is None:
            raise NoCopyError("the number of points is not known") from None
        return copy_of(traced, needed), traced


def _running(traced, before):
    """A `Copy` for `COUNT` points, tried where only a call shows whether it is for so many.

    Args:
        traced: a `ConcreteFunction`.
        before: the output of the function for any number of points, or another one.
    """
    few = copy_of(traced, COUNT)
    output = few.graph.outputs[0]
    if output.shape.rank and before.shape.rank and COUNT in output.shape[1:]:
        if before.shape[1:] != output.shape[1:]:
            raise NoCopyError("the number of columns is that of the points")
    kinds = {operation.type for operation in few.graph.get_operations()}
    if not kinds <= _OF_ANY_NUMBER:
        try:
            few(np.full(few.graph.inputs[0].shape, 0.7))
        except tf.errors.OpError as error:
            raise NoCopyError(str(error)) from error
    return few


def _mixed(function, few, known, epsilon):
    """Why points influence each other; `None` if they do not."""
    mixed = why_mixed(few.graph)
    kinds = {operation.type for operation in few.graph.get_operations()}
    if mixed is not None and not kinds.isdisjoint(CALLS) and few.count == COUNT:
        size, dtype = few.graph.inputs[0].shape[1], few.graph.inputs[0].dtype
        again = trace_or_none(function, size, dtype, COUNT, exactly=True)
        mixed = mixed if again is None else why_mixed(again.graph)
    if mixed is None:
        return None
    if mixed.operation is None and any(COMMON in o.name for o in few.graph.get_operations()):
        return None  # numbers would show the steps of differences
    writes = any(kind.startswith(_WRITES) for kind in kinds)
    seen = None if writes else _seen(few, known, epsilon, mixed.operation is not None)
    if seen is False or (seen is None and mixed.operation is None):
        return None
    return explained(mixed.operation or culprit(few, epsilon), mixed.reason)


def _seen(few, known, epsilon, every):
    """Whether a dependence is seen in numbers: with the weights as they are, and with others.

    Where operations take points together, it is sought at points of `every` size.
    """
    generator, size = np.random.default_rng(0), few.graph.inputs[0].shape[1]
    draws = probe.drawn(generator, few.count, size, known)
    draws = draws if every else [draws[0], *draws[2::2]]
    seen = at_once(lambda: probe.depends(few, draws, epsilon))
    if seen:
        return True
    with few.moved(generator):
        if at_once(lambda: probe.depends(few, draws[: 2 if every else 1], epsilon)):
            return True
    if any(operation.type == "StopGradient" for operation in few.graph.get_operations()):
        return probe.gradients_reach(few.tensor, draws, few.graph.inputs[0].dtype) or seen
    return seen


def _placed(function, traced, few, epsilon):
    """Why values follow the number of the points, or their places; `None` if they do not."""
    nodes = [node for body in bodies_of(traced.graph) for node in body]
    any_number = traced.graph.inputs[0].shape[0] is None
    if any(node.op.startswith((*_WRITES, *_DRAWS)) for node in nodes):
        return None
    if any_number and not any(map(_counts, nodes)):
        return None
    generator, size = np.random.default_rng(0), few.graph.inputs[0].shape[1]
    rows, order = generator.uniform(0.5, 1.5, (COUNT, size)), generator.permutation(COUNT)
    try:
        part = _of_number(function, traced, 3)(rows[:3])
        values = few(rows)
        moved = probe.differs(few(rows[order]), values[order], epsilon**0.25)
        if moved or probe.differs(part, values[:3], epsilon**0.25):
            return (
                "the values of the function at a point follow the number of the points, or the "
                f"place of the point among them, as with tf.shape(x)[0] or tf.range. {ADVICE}"
            )
    except (*FAILURES, NoCopyError, TraceError):
        pass  # a function for a fixed number of points
    return None


def _counts(node):
    """Whether a node makes numbers of places, or may make one of the number of points."""
    if node.op != "Cast":
        return node.op in _PLACES
    source, result = (tf.as_dtype(node.attr[name].type) for name in ("SrcT", "DstT"))
    return source.is_integer and result.is_floating


def _of_number(function, traced, count):
    points = traced.graph.inputs[0]
    if points.shape[0] is not None:
        traced = trace(function, points.shape[1], points.dtype, count, exactly=True)
    return copy_of(traced, count)


def _untraced(function, points, known, epsilon):
    """The same for a function that runs in eager mode only; it is tried once."""
    origin = _origin(function)
    with contextlib.suppress(TypeError):  # of what cannot be referred to weakly
        if origin in _tried:
            return None
        _tried.add(origin)
    if known is None or len(known) < 2:
        return None

    def call(rows):
        return np.asarray(function(tf.constant(rows, points.dtype)), np.float64)

    draws = probe.drawn(np.random.default_rng(0), len(known), points.shape[1], known)
    seen = probe.depends(call, draws[-1:], epsilon, digits=1)
    return explained(None) if seen else None
