"""What is valid for an argument and what is not, as Hypothesis strategies: the judge of the fuzz.

A `Kind` is a pair of strategies. What neither of them draws is not judged.
"""

import dataclasses
import math
import types
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

import kpinn


@dataclasses.dataclass(frozen=True)
class Kind:
    """What an argument may be.

    Attributes:
        valid: strategy for values that are right.
        invalid: strategy for values that are wrong.
        aliases: words of which a message names one, beside the argument.
        required: whether the argument has to be given.
    """

    valid: st.SearchStrategy
    invalid: st.SearchStrategy
    aliases: tuple = ()
    required: bool = False

    def needed(self):
        """The same, to be given in each call."""
        return dataclasses.replace(self, required=True)

    def named(self, *aliases):
        """The same with aliases."""
        return dataclasses.replace(self, aliases=aliases)


def nothing(x):
    """A function that is no layer, no loss and no class."""
    return x


@dataclasses.dataclass(frozen=True)
class Later:
    """An object that is made just before the call, since Hypothesis forbids random numbers."""

    make: Callable


def later(*makers):
    """One of a few objects of Keras, made anew in each call."""
    return st.sampled_from(makers).map(Later)


def fresh(*makers):
    """One of a few plain objects, made anew in each call."""
    return st.sampled_from(makers).map(lambda make: make())


ODD = st.sampled_from(  # never right where a number, a text or a function is expected
    [
        *([], {}, [None], [[1.0], [2.0, 3.0]], object(), 1j, b"bytes", math.nan, types),
        *(np.array([1.0, 2.0]), np.array("text"), np.datetime64("2026-01-01"), ...),
    ]
)
NOT_FINITE = st.sampled_from([math.nan, math.inf, -math.inf])
TEXT = st.text(max_size=6) | st.sampled_from(["a b", "1", "__class__", "é", "None", "u_", "\n"])
NOT_NUMBERS = TEXT | ODD | st.booleans()


def whole(least, most=4):
    """Whole numbers."""
    integers = st.integers(least, most)
    valid = integers | integers.map(np.int64) | integers.map(float)
    fractions = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: x % 1)
    return Kind(valid, st.integers(max_value=least - 1) | fractions | NOT_FINITE | NOT_NUMBERS)


def number(low, high, with_low=False):
    """Real numbers between two, of which the lower one may be included; never the upper one."""
    sizes = [1e-3, 0.25, 0.5, 0.75, 1.0, 3, 10.0]
    inside = [x for each in sizes for x in (each, -each) if low < x < high]
    inside += [low] if with_low else []
    outside = [x for each in sizes for x in (each, -each) if not low <= x <= high]
    outside += [high] if with_low else [low, high]
    valid = st.sampled_from(inside)
    return Kind(valid | valid.map(np.float64), st.sampled_from(outside) | NOT_FINITE | NOT_NUMBERS)


def choice(*allowed):
    """A few values."""
    known = {(type(each), each) for each in allowed}
    wrong = (TEXT | st.integers(7, 99)).filter(lambda x: (type(x), x) not in known)
    return Kind(st.sampled_from(allowed), wrong | ODD)


FLAG = Kind(st.booleans(), TEXT | ODD | st.integers() | st.none())
SEED = Kind(st.integers(0, 99) | st.none(), st.integers(max_value=-1) | TEXT | ODD)
SCALAR = number(-math.inf, math.inf)
POSITIVE = number(0.0, math.inf)
FUNCTION = Kind(st.just(nothing), (TEXT | ODD | st.integers()).filter(lambda x: not callable(x)))
LABEL = Kind(
    st.sampled_from(["net", "a1"]) | st.none(),
    st.sampled_from(["", " ", "a/b"]) | ODD.filter(lambda x: not isinstance(x, str)),
)
IDENTIFIER = Kind(
    st.sampled_from(["viscosity", "a1", "C_d"]),
    st.sampled_from(["", "a b", "1a", "__class__", "class", "x", "u", "u_x", "loss", "é", "a-b"])
    | ODD
    | st.none(),
    ("unknown", "name"),
)
ACTIVATION = Kind(
    st.sampled_from(["tanh", "sigmoid", None, keras.activations.sin])
    if hasattr(keras.activations, "sin")
    else st.sampled_from(["tanh", "sigmoid", None]),
    st.sampled_from(["tanhh", "", 3, 1j, [], [None]]),
)
INITIALIZER = Kind(st.sampled_from(["zeros", "glorot_normal"]), st.sampled_from(["foo", 3, 1j, []]))
METHOD = Kind(
    st.sampled_from(["taylor", "reverse", "auto", kpinn.Taylor()]),
    TEXT | ODD | st.integers() | st.sampled_from([kpinn.Taylor, "central"]),
)


def network():
    """A network of two coordinates that is as small as can be."""
    return kpinn.networks.MLP(units=2, depth=1)


NETWORK = Kind(later(network), TEXT | ODD | st.none() | st.just(nothing), ("model",))
COORDINATES = Kind(
    st.sampled_from(["t x", ["t", "x"], ("t", "x"), "t, x"]),
    st.sampled_from(["", "t t", "t_ x", "1", [3], 3, {"t": 1}, 1j, [None], "t x[0]", "é x", [[]]])
    | st.sampled_from([np.array(["t", "x"]), np.ones(2)]),
    ("coordinate",),
)
PARAMETERS = Kind(  # where "t" is the only coordinate
    st.sampled_from(["x", ["x"], ("x",)]),
    st.sampled_from(["", "t", "x x", "x_", "1", [3], 3, {"x": 1}, 1j, [None], "x[0]", "u", [[]]]),
    ("parameter", "coordinate", "lack"),
)
FIELDS = Kind(
    st.sampled_from(["u", ["u"]]),
    st.sampled_from(["u u", "1", [3], 3, {"u": 1}, 1j, [None], "u[0]", "é", [[]], "t"])
    | st.sampled_from([np.array(["u"]), np.ones(2)]),
    ("field", "coordinate"),
)
REQUESTS = Kind(
    st.sampled_from(["u", "u, u_x", ["u_t", "u_xx"], "laplacian_u"]),
    st.sampled_from(["u_q", "w", "", "u_", [3], 3, 1j, [None], [], "grad_", "é", ["u_x w"]]),
    ("request", "names", "derivative", "grad_"),
)


# Points --------------------------------------------------------------------------------------


def column(count=3, shift=0.0):
    """A column of points."""
    return np.linspace(0.1, 0.9, count)[:, None] + shift


def one_set(**changes):
    """One set of points, with changes."""
    found = {"t": column(), "x": column(shift=0.05)} | changes
    return {name: values for name, values in found.items() if values is not None}


def masked():
    """An array with a mask."""
    return np.ma.masked_array(column(), column() > 0.5)


_ARRAYS = {  # what is wrong with an array
    "missing": lambda: None,
    "nan": lambda: np.array([[0.1], [np.nan], [0.2]]),
    "inf": lambda: np.array([[0.1], [np.inf], [0.2]]),
    "empty": lambda: np.zeros((0, 1)),
    "short": lambda: column(2),
    "wide": lambda: np.zeros((3, 2)),
    "deep": lambda: np.zeros((3, 1, 1)),
    "scalar": lambda: 0.5,
    "text": lambda: ["a", "b", "c"],
    "objects": lambda: np.array([[None], [1.0], ["a"]], dtype=object),
    "complex": lambda: column() + 1j,
    "masked": masked,
    "masked list": lambda: [np.ma.masked, 0.1, 0.2],
    "ragged": lambda: [[0.1], [0.1, 0.2], [0.3]],
    "dates": lambda: np.array(["2026-01-01"] * 3, dtype="datetime64[D]"),
    "none": lambda: [0.1, None, 0.3],
    "module": lambda: math,
    "sparse": lambda: tf.sparse.from_dense(column()),
    "ragged tensor": lambda: tf.ragged.constant([[0.1], [0.1, 0.2], [0.3]]),
    "text tensor": lambda: tf.constant(["a", "b", "c"]),
    "complex tensor": lambda: tf.constant(column() + 1j),
    "function": lambda: nothing,
}
_RIGHT = {
    "list": lambda: [0.1, 0.2, 0.3],
    "flat": lambda: column()[:, 0],
    "tensor": lambda: tf.constant(column()),
    "variable": lambda: tf.Variable(column()),
    "float32": lambda: column().astype("float32"),
    "integers": lambda: np.array([0, 1, 2]),
    "bools": lambda: np.array([True, False, True]),
}
_WRONG_SETS = {
    "none": lambda: None,
    "number": lambda: 3,
    "text": lambda: "points",
    "array": lambda: np.zeros((3, 4)),  # two columns have names by `coordinates`
    "nothing": dict,
    "list of arrays": lambda: [column(), column()],
    "structured": lambda: np.zeros(3, dtype=[("t", float), ("x", float)]),
}


def wrong_array(name="x", but=()):
    """One set of points with a wrong array."""
    keys = sorted(_ARRAYS.keys() - set(but))
    return st.sampled_from(keys).map(lambda key: one_set(**{name: _ARRAYS[key]()}))


def right_set():
    """One set of points, in different forms."""
    return st.sampled_from(sorted(_RIGHT)).map(lambda key: one_set(x=_RIGHT[key]()))


ARRAYS = Kind(
    right_set(), wrong_array() | wrong_array("t") | fresh(*_WRONG_SETS.values()), ("'x'", "'t'")
)
FORMS = Kind(  # where a value may be no number
    right_set(), wrong_array(but=("nan", "inf")) | fresh(*_WRONG_SETS.values()), ARRAYS.aliases
)


def by_condition(arrays):
    """The same points for the conditions `heat` and `start`."""
    return {"heat": arrays, "start": one_set()}


def dataset(element, batches=2):
    """A dataset that repeats one element."""
    return tf.data.Dataset.from_tensors(element).repeat(batches)


_WRONG_STREAMS = {
    "range": lambda: tf.data.Dataset.range(3),
    "no element": lambda: dataset(by_condition(one_set())).take(0),
    "coordinate": lambda: dataset(by_condition({"x": column()})),
    "condition": lambda: dataset({"heat": one_set(), "stort": one_set()}),
    "text": lambda: dataset(by_condition(one_set(x=tf.constant(["a", "b", "c"])))),
    "nan": lambda: dataset(by_condition(one_set(x=np.full((3, 1), np.nan)))),
}
POINTS = Kind(
    right_set()
    | right_set().map(by_condition)
    | fresh(lambda: dataset(one_set()), lambda: dataset(by_condition(one_set()))),
    wrong_array()
    | wrong_array("t").map(by_condition)
    | fresh(*_WRONG_SETS.values(), *_WRONG_STREAMS.values())
    | fresh(lambda: {"heat": one_set(), "stort": one_set()}, lambda: {"heat": 3, "start": 4}),
    ("points", "'x'", "'t'", "'heat'"),
)
_ROWS = {key: make for key, make in _ARRAYS.items() if key not in ("missing", "wide", "none")}
BY_ROW = Kind(  # targets or sample weights of `heat`
    fresh(lambda: None, lambda: {"heat": column()}, lambda: {"heat": [0.1, 0.2, 0.3]}),
    st.sampled_from(sorted(_ROWS)).map(lambda key: {"heat": _ROWS[key]()})
    | fresh(lambda: {"hot": column()}, lambda: 3, lambda: "a", lambda: [1, 2])
    | fresh(lambda: {"heat": np.zeros((3, 2))}),
    ("targets", "sample_weight", "'heat'"),
)
