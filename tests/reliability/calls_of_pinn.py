"""The calls of a `kpinn.PINN`, on models that live as long as they are sound."""

import functools
import itertools
import pathlib
import tempfile

import keras
import kinds_of_values as kinds
import numpy as np
from hypothesis import strategies as st
from keras import ops
from kinds_of_values import FLAG, Kind, choice, fresh, later, whole
from table_of_calls import EDGES_OF_WINDOWS, MEMORY, call

import kpinn

LIFE = 150  # calls after which a model is made anew


class Heat(kpinn.PINN):
    """u_t = k u_xx, u = sin(pi x)."""

    coordinates, fields = "t x", "u"

    @kpinn.condition
    def heat(self, u_t, u_xx):
        return u_t - 0.1 * u_xx

    @kpinn.condition
    def start(self, x, u):
        return u - ops.sin(np.pi * x)


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(1e-3),
    "adam": lambda: keras.optimizers.Adam(1e-3),
    "lm": lambda: kpinn.optimizers.LevenbergMarquardt(),
    "lbfgs": lambda: kpinn.optimizers.LBFGS(),
    "scipy": lambda: kpinn.optimizers.ScipyMinimize(),
}
_kept, _uses, trained = {}, itertools.count(), []


def shared(name):
    """A compiled model, which keeps its traces from call to call."""
    if name not in _kept or next(_uses) % LIFE == 0:
        _kept[name] = Heat(kinds.network())
        _kept[name].compile(OPTIMIZERS[name](), jit_compile=False)
    return _kept[name]


def forget():
    """Throws the models away, which a wrong call may have spoilt."""
    _kept.clear()


def fit(name, **arguments):
    """A call of `fit`; it is counted if it trained."""
    pinn = shared(name)
    history = pinn.fit(**{"verbose": 0} | arguments)
    if history.epoch:
        trained.append(name)
        assert np.isfinite(history.history["loss"]).all(), "the loss is not finite"
    return history


EPOCHS = Kind(st.sampled_from([1, 1, 1, 2, 0, 1.0, np.int64(1)]), whole(0).invalid | st.none())
WRONG_SIZES = {"heat": 0}, {"heat": "2"}, {"heart": 1}, {"heat": 10_000}, {3: 1}
BATCH_SIZE = Kind(whole(1, 3).valid, whole(1).invalid | st.sampled_from(WRONG_SIZES))
OPTIONAL = {"batch_size": BATCH_SIZE, "steps_per_epoch": whole(1, 2)}
CALLBACKS = Kind(
    later(lambda: None, list, lambda: [keras.callbacks.Callback()], keras.callbacks.Callback),
    st.sampled_from([3, "early", [3], [keras.callbacks.EarlyStopping], kinds.nothing, ["a"]]),
)
VALIDATION = Kind(
    kinds.POINTS.valid,
    kinds.POINTS.invalid.filter(lambda x: x is not None),
    kinds.POINTS.aliases,
)
FREQUENCY = Kind(
    st.sampled_from([1, 2, [1], (1, 3)]), st.sampled_from([0, -1, 1.5, "a", None, [0]])
)
SPLIT = Kind(
    st.sampled_from([0.0, 0, None]),
    st.sampled_from([0.2, "a", 1j, np.nan, 1, np.zeros(2), np.array("a")]),
)
CLASS_WEIGHT = Kind(st.none(), st.sampled_from([{0: 1.0}, 3, "a", {}]))
VERBOSE = Kind(st.just(0), st.sampled_from([3, "a", None, -1, 1.5, [], 1j]))
FIT = {
    "x": kinds.POINTS.needed(),
    "epochs": EPOCHS,
    "verbose": VERBOSE,
    "callbacks": CALLBACKS,
    "validation_split": SPLIT,
    "class_weight": CLASS_WEIGHT,
    "shuffle": FLAG,
    "initial_epoch": Kind(st.just(0), whole(0).invalid | st.none()),
    "validation_freq": FREQUENCY,
}
ARRAYS = Kind(
    kinds.right_set() | kinds.right_set().map(kinds.by_condition),
    kinds.POINTS.invalid,
    kinds.POINTS.aliases,
    required=True,
)
BY_ARRAYS = FIT | {"x": ARRAYS, "y": kinds.BY_ROW, "sample_weight": kinds.BY_ROW}
call("PINN.fit", functools.partial(fit, "adam"), 12, 10, **FIT, validation_data=VALIDATION)
call("PINN.fit", functools.partial(fit, "sgd"), 12, 13, **BY_ARRAYS, **OPTIONAL)
for each in ("lm", "lbfgs", "scipy"):
    call("PINN.fit", functools.partial(fit, each), 7, 11, **BY_ARRAYS)

# Its construction ------------------------------------------------------------------------------


def equation(u_t, u_xx):
    """A condition without a class."""
    return u_t - u_xx


WRONG_CONDITIONS = [["eq"], [], 3, "eq", [3], None, [lambda u: u], equation, [None]]
METHODS = kinds.METHOD
call(
    "PINN",
    kpinn.PINN,
    5,
    network=kinds.NETWORK.needed(),
    coordinates=kinds.COORDINATES.needed(),
    fields=Kind(kinds.FIELDS.valid, kinds.FIELDS.invalid, ("field", "names", "coord"), True),
    conditions=Kind(st.just([equation]), st.sampled_from(WRONG_CONDITIONS), ("condition",), True),
    method=METHODS,
    allow_mixed_precision=FLAG,
)
call(
    "PINN",
    lambda **arguments: kpinn.PINN(kinds.network(), "t", "u", [equation], **arguments),
    1,
    parameters=kinds.PARAMETERS.needed(),
)


def is_array(value):
    """Whether a value is an array of numpy."""
    return isinstance(value, np.ndarray)


call(
    "PINN.unknown",
    lambda **arguments: Heat(kinds.network()).unknown(**arguments),
    3,
    name=kinds.IDENTIFIER.needed(),
    initial=Kind(
        kinds.POSITIVE.valid | st.sampled_from([[1.0, 2.0], np.ones((2, 2))]),
        kinds.SCALAR.invalid.filter(lambda x: np.shape(x) != (2,) if is_array(x) else True),
        required=True,
    ),
    positive=FLAG,
)
call(
    "PINN.unknown",
    lambda **arguments: Heat(kinds.network()).unknown("k", [1.0, 2.0, 1.5], **arguments),
    2,
    lower=Kind(
        st.sampled_from([None, 0, -1.0, -np.inf, [0.0, -np.inf, 1.0], np.zeros(3)]),
        st.sampled_from(
            [1.5, "a", np.nan, np.inf, 1j, [0.0, 0.0], {}, [None] * 3, True, np.eye(3)]
        ),
    ),
    upper=Kind(
        st.sampled_from([None, 2, 3.0, np.inf, [1.0, np.inf, 2.0], np.full(3, 4.0)]),
        st.sampled_from([1.5, "a", np.nan, -np.inf, 1j, [9.0, 9.0], {}, [None] * 3, True]),
    ),
)
SOLUTION = Kind(
    fresh(lambda: lambda t, x: t * x, lambda: {"u": lambda x: x**2}, lambda: {"u": 1.5}),
    fresh(lambda: 3, lambda: None, lambda: "u", lambda: {}, lambda: {"w": 1.0}, lambda: {"u": "a"})
    | fresh(lambda: lambda y: y, lambda: lambda x: x[:, 0], lambda: {"u": 1j}, lambda: [1.0]),
)
PROBLEM = Kind(
    later(lambda: Heat, lambda: shared("sgd")),
    fresh(lambda: 3, lambda: None, lambda: keras.Model, lambda: "heat", lambda: keras.Sequential()),
)
call(
    "manufactured",
    kpinn.manufactured,
    2,
    problem=PROBLEM.needed(),
    solution=SOLUTION.needed(),
    unknowns=Kind(
        fresh(lambda: None, dict), fresh(lambda: {"k": 1.0}, lambda: 3, lambda: "a", lambda: [1.0])
    ),
)
VARIABLES = Kind(
    later(lambda: keras.Variable(1.0)),
    st.sampled_from([3, "a", None, [1.0], np.ones(2), kinds.nothing]),
    ("variables",),
)
call(
    "PINN.declare_trained",
    lambda variable: shared("sgd").declare_trained(variable),
    1,
    variable=VARIABLES.needed(),
)

# Its settings ----------------------------------------------------------------------------------

LOSS = Kind(
    later(lambda: "mse", lambda: {"heat": "mae"}, kpinn.losses.Mean, lambda: None),
    st.sampled_from(["foo", 3, 1j, ["mse"], {"hot": "mse"}, {"heat": 3}, "hinge", [[]]])
    | st.sampled_from(["sparse_categorical_crossentropy", "binary_crossentropy", "kl_divergence"]),
)
WEIGHTS = Kind(
    fresh(lambda: None, dict, lambda: {"heat": 2.0}, lambda: {"start": 0}),
    kinds.number(0.0, np.inf, True).invalid.map(lambda x: {"heat": x})
    | st.sampled_from([{"hot": 1.0}, 3.0, [1.0, 2.0], "a"]),
)
METRICS = Kind(
    fresh(lambda: None, lambda: ["mae"], lambda: {"heat": ["mse"]}, lambda: "mae"),
    st.sampled_from(["foo", 3, [3], {"hot": ["mae"]}, {"heat": ["foo"]}, ["accuracy"], 1j]),
)
OPTIMIZER = Kind(
    later(*OPTIMIZERS.values(), lambda: "adam"),
    st.sampled_from(["adan", 3, None, keras.optimizers.Adam, [1], 1j, kinds.nothing]),
)
call(
    "PINN.compile",
    lambda **arguments: shared("compiled").compile(**arguments),
    6,
    optimizer=OPTIMIZER,
    loss=LOSS,
    loss_weights=WEIGHTS,
    metrics=METRICS,
    jit_compile=choice("auto", True, False),
    steps_per_execution=Kind(st.sampled_from(["auto", 1, 2, 2.0]), whole(1).invalid | st.none()),
    run_eagerly=FLAG,
    nonfinite=choice("raise", "stop", "rollback"),
    weighted_metrics=Kind(st.none(), st.sampled_from([["mae"], "mae", 3])),
    auto_scale_loss=FLAG,
)
OPTIMIZERS["compiled"] = OPTIMIZERS["sgd"]

# Points in, values out -------------------------------------------------------------------------

BATCH = Kind(whole(1).valid, whole(1).invalid | st.none())


def of(method, name="sgd"):
    """A method of a model."""
    return lambda **arguments: getattr(shared(name), method)(**arguments)


def recommended(points):
    """What is recommended for a model."""
    return kpinn.recommend(shared("sgd"), points, print_fn=str)


def weighted(points):
    """The weights of a model's conditions."""
    return kpinn.loss_weights(shared("sgd"), points)


def marched(**arguments):
    """A march of a new model."""
    pinn = Heat(kpinn.layers.TimeWindows(kinds.network(), "t x", start=0.0))
    pinn.compile("sgd", jit_compile=False)
    return kpinn.march(pinn, **{"verbose": 0} | arguments)


def window(a, b):
    """Three points."""
    return {"t": np.linspace(a, b, 3), "x": np.linspace(0.0, 1.0, 3)}


SAMPLE = Kind(st.just(window), st.sampled_from([3, None, "a", {"t": [0.0]}]))
PARTS = Kind(ARRAYS.valid, ARRAYS.invalid, ARRAYS.aliases, True)
GIVEN = {"x": PARTS, "y": kinds.BY_ROW, "sample_weight": kinds.BY_ROW}
EVALUATE = {
    "return_dict": FLAG,
    "verbose": VERBOSE.needed(),
    "steps": whole(1, 2),
    "callbacks": CALLBACKS,
}
IN_MEMORY = Kind(
    ARRAYS.valid,
    ARRAYS.invalid.filter(lambda x: not hasattr(x, "take") or isinstance(x, np.ndarray)),
    ARRAYS.aliases,
    True,
)
call("PINN.evaluate", of("evaluate"), 6, x=kinds.POINTS.needed(), **EVALUATE)
call("PINN.evaluate", of("evaluate"), 3, **GIVEN, verbose=VERBOSE.needed(), batch_size=whole(1))
call("PINN.prepare", of("prepare"), 3, x=IN_MEMORY, every=FLAG)
call("PINN.adapt", of("adapt"), 2, x=PARTS, sample_weight=kinds.BY_ROW)
call("recommend", recommended, 2, points=PARTS)
call("loss_weights", weighted, 1, points=PARTS)
call(
    "march",
    marched,
    1,
    sample=SAMPLE.needed(),
    edges=Kind(
        EDGES_OF_WINDOWS.valid.filter(lambda x: x is not None), EDGES_OF_WINDOWS.invalid
    ).needed(),
    epochs=EPOCHS,
    verbose=VERBOSE,
)
call("PINN.residuals", of("residuals"), 4, points=IN_MEMORY, batch_size=BATCH)
call("PINN.predict", of("predict"), 2, x=kinds.POINTS.needed(), verbose=VERBOSE.needed())
call(
    "PINN.predict_fields",
    of("predict_fields"),
    4,
    points=kinds.ARRAYS.named("predict_fields").needed(),
    names=kinds.REQUESTS,
    batch_size=BATCH,
)
ASKED = Kind(
    st.sampled_from(["heat", ["heat", "start"], ("start",)]),
    st.sampled_from(["hot", 3, None, [], [3], 1j, {"heat": 1}]),
)
call("PINN.residuals_at", of("residuals_at"), 2, names=ASKED.needed(), arrays=kinds.FORMS.needed())
call(
    "PINN.describe", of("describe"), 1, print_fn=Kind(st.just(str), st.sampled_from([3, None, "a"]))
)


def replace(method, **arguments):
    """Replaces what `fit` trains on."""
    pinn = shared("sgd")
    pinn.fit(kinds.by_condition(kinds.one_set()), epochs=0, verbose=0)
    return getattr(pinn, method)(**arguments)


SETS = Kind(
    kinds.right_set().map(kinds.by_condition) | kinds.right_set().map(lambda x: {"heat": x}),
    IN_MEMORY.invalid.filter(lambda x: x is not None),
    IN_MEMORY.aliases,
    True,
)
ROWS = Kind(
    kinds.BY_ROW.valid.filter(lambda x: x is not None), kinds.BY_ROW.invalid, kinds.BY_ROW.aliases
)
call("PINN.replace_points", functools.partial(replace, "replace_points"), 2, x=SETS)
call(
    "PINN.replace_weights",
    functools.partial(replace, "replace_weights"),
    2,
    sample_weight=ROWS.needed(),
)


def exported(path, **arguments):
    """Writes a model into a new folder."""
    if isinstance(path, str) and path == "new":
        path = pathlib.Path(tempfile.mkdtemp()) / "model"
    return shared("sgd").export(path, **arguments)


PATH = Kind(st.just("new"), st.sampled_from([None, 3, "", 1j, [], " "]))
ENDPOINTS = Kind(
    st.sampled_from(["u_x", ["u_xx", "u_t"], None]),
    st.sampled_from(["u_q", "w", 3, [], "", 1j, [3], "u_n"]),
)
call("PINN.export", exported, 1, path=PATH.needed(), derivatives=ENDPOINTS)

IS_PINN = Kind(later(lambda: shared("sgd")), st.sampled_from([3, None, "a", kinds.nothing]))
VECTOR = Kind(
    fresh(lambda: np.ones(9), lambda: [0.1] * 9),
    fresh(lambda: np.ones(8), lambda: 0.5, lambda: "a", lambda: np.ones((9, 1)), lambda: [1j] * 9),
)
WHERE = Kind(kinds.right_set(), IN_MEMORY.invalid, IN_MEMORY.aliases, True)
call("jacobian", kpinn.jacobian, 2, pinn=IS_PINN.needed(), points=WHERE, memory=MEMORY)
call(
    "jacobian_vector_product",
    kpinn.jacobian_vector_product,
    2,
    pinn=IS_PINN.needed(),
    points=WHERE,
    vector=VECTOR.needed(),
)
NOISE = Kind(
    fresh(lambda: {"heat": 0.1}, lambda: {"heat": 1, "start": 0.5}),
    st.sampled_from(
        ["hot", 3, {}, {"heat": 0.0}, {"heat": "a"}, [], 1j, None, {"heat": [0.1] * 7}]
    ),
    required=True,
)
call(
    "covariance",
    kpinn.covariance,
    2,
    pinn=IS_PINN.needed(),
    points=WHERE,
    noise=NOISE,
    tolerance=Kind(st.sampled_from([1e-10, 1e-6, None]), st.sampled_from([0.0, 1.0, -1, "a", 1j])),
    memory=MEMORY,
)
SIX = Kind(fresh(lambda: np.ones(6)), VECTOR.invalid, ("vector",), True)
call(
    "vector_jacobian_product",
    kpinn.vector_jacobian_product,
    2,
    pinn=IS_PINN.needed(),
    points=WHERE,
    vector=SIX,
)
