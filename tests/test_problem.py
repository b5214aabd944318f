"""What a condition gets and reads is what it says: names, variables, attributes, whole sets."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from problems import BOX, Formula, Heat, heat_points, small_heat

import kpinn
from kpinn.derivatives.names.space import Space
from kpinn.problem.arguments import Array, Coordinate, Names, Quantity, Unknown

X = np.linspace(0.2, 1.0, 9)[:, None]


def pinn_of(*conditions, formula=lambda x: x**2, coordinates="x", **kwargs):
    network = Formula(formula, dtype="float64")
    return kpinn.PINN(network, coordinates, "u", conditions=list(conditions), **kwargs)


# Names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "derived"),
    [
        ("x", Coordinate, None),
        ("nu", Unknown, None),
        ("u", Quantity, False),
        ("u_xx", Quantity, False),
        ("laplacian_u", Quantity, False),
        ("flux_x", Quantity, True),
        ("u_n", Array, False),
        ("flux_n", Array, True),
        ("f", Array, False),
    ],
)
def test_each_name_is_one_kind_of_argument(name, kind, derived):
    argument = Names(Space("x y", "u"), {"flux": 2}, {"nu": np.float64(1.0)}).argument(name)
    assert type(argument) is kind and argument.name == name
    assert getattr(argument, "derived", None) is derived


@pytest.mark.parametrize(
    ("widths", "axes"),
    [
        ({"n": 2}, ("n", "n")),
        ({"nn": 2}, ("nn",)),
        ({"nn": 2, "u_nn": 1}, ("nn",)),
        ({"u_nn": 1}, None),
        ({"n": 3, "u_nn": 1}, None),  # vectors of another width are no directions
    ],
)
def test_directions_are_those_that_the_points_have(widths, axes):
    names = Names(Space("x y", "u"), {}, {})
    found = names.at(names.argument("u_nn"), widths)
    assert found == Array("u_nn") if axes is None else found.request.axes == axes


# An array named like something known never takes its place ------------------------------------


def residual(u, u_x):
    return u + u_x


NAMED = {"u": np.full_like(X, 7.0), "u_x": np.full_like(X, 5.0)}


@pytest.mark.parametrize("form", ["residuals", "call", "dataset", "predict_fields", "check"])
def test_arrays_named_like_fields_are_ignored(form):
    pinn = pinn_of(residual)
    pinn.compile("sgd", jit_compile=False)
    points, expected = {"x": X} | NAMED, X**2 + 2 * X
    if form == "residuals":
        found = pinn.residuals(points)["residual"]
    elif form == "call":
        found = pinn({name: tf.constant(a) for name, a in points.items()})["residual"]
    elif form == "predict_fields":
        found = pinn.predict_fields(points, "u, u_x")
        found = found["u"] + found["u_x"]
    elif form == "check":
        report = kpinn.check_derivatives(pinn, points)
        assert report.ok and {"u", "u_x"} <= set(report.errors)
        return
    else:
        stream = tf.data.Dataset.from_tensors(points)
        loss = pinn.evaluate(stream, return_dict=True, verbose=0)["residual"]
        np.testing.assert_allclose(float(loss), np.mean(expected**2), rtol=1e-12)
        loss = pinn.fit(stream, verbose=0).history["residual"][0]
        np.testing.assert_allclose(loss, np.mean(expected**2), rtol=1e-12)
        return
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_arrays_named_like_unknowns_derived_fields_and_derivatives_are_ignored():
    class Named(kpinn.PINN):
        coordinates, fields = "x y", "u"

        def __init__(self, network):
            super().__init__(network)
            self.unknown("k", 3.0)

        @kpinn.field
        def twice(self, u):
            return 2 * u

        @kpinn.condition
        def each(self, k, twice, twice_x, u_n):
            return k + 10 * twice + 100 * twice_x + 1000 * u_n

    pinn = Named(Formula(lambda x, y: x * y, dtype="float64"))
    y, normal = X[::-1], np.hstack([np.ones_like(X), np.zeros_like(X)])
    points = {"x": X, "y": y, "n": normal}
    points |= {name: np.full_like(X, -1.0) for name in ("k", "twice", "twice_x", "u_n", "u")}
    expected = 3 + 20 * X * y + 200 * y + 1000 * y
    np.testing.assert_allclose(pinn.residuals(points)["each"], expected, rtol=1e-6)


def test_an_array_may_be_named_like_a_derivative_along_a_direction_that_there_is_not():
    def measured(u, u_d):
        return u - u_d

    found = pinn_of(measured).residuals({"x": X, "u_d": 0.5 * X})["measured"]
    np.testing.assert_allclose(found, X**2 - 0.5 * X, rtol=1e-12)


# Variables that would stay as they are --------------------------------------------------------


def by_variable(variable):
    def growth(u, u_x):
        return u_x - variable * u

    return growth


OUTSIDE = {
    "a TensorFlow variable": lambda: tf.Variable(0.5, dtype=tf.float64),
    "a Keras variable": lambda: keras.Variable(0.5, dtype="float64"),
}


@pytest.mark.parametrize("what", OUTSIDE)
@pytest.mark.parametrize(
    "optimizer", ["sgd", kpinn.optimizers.LBFGS, kpinn.optimizers.ScipyMinimize]
)
def test_a_variable_of_nobody_is_refused(what, optimizer):
    pinn = pinn_of(by_variable(OUTSIDE[what]()))
    pinn.compile(optimizer if optimizer == "sgd" else optimizer(), jit_compile=False)
    with pytest.raises(ValueError, match="depends on .*which this model does not train.*unknown"):
        pinn.fit({"x": X}, verbose=0)


@pytest.mark.parametrize("stream", ["arrays", "dataset", "generator"])
def test_a_network_in_a_closure_is_refused(stream):
    other = Formula(lambda x: 0.5 + 0 * x, dtype="float64", name="conductivity")

    def flux(x, u_x):
        return other(x) * u_x - 1.0

    pinn = pinn_of(flux)
    pinn.compile("sgd", jit_compile=False)
    points = {"x": tf.constant(X)}
    given = {
        "arrays": points,
        "dataset": tf.data.Dataset.from_tensors(points),
        "generator": ((points,) for _ in range(3)),
    }[stream]
    with pytest.raises(ValueError, match="depends on '.*scale.*', which this model does not train"):
        pinn.fit(given, steps_per_epoch=1, verbose=0)


def test_attributes_frozen_variables_and_previous_solutions_are_no_error():
    frozen = tf.Variable(0.5, dtype=tf.float64, trainable=False)
    before = pinn_of(residual)
    layer = Formula(lambda x: x, trainable=False, dtype="float64")

    class Next(kpinn.PINN):
        coordinates, fields = "x", "u"

        def __init__(self, network, previous):
            super().__init__(network)
            self.previous = previous
            self.factor = keras.Variable(2.0, dtype="float64", name="factor")

        @kpinn.condition
        def step(self, x, u):
            return (
                self.factor * u - frozen * self.previous.network(x) - layer(x) + before.network(x)
            )

    pinn = Next(Formula(lambda x: x, dtype="float64"), pinn_of(residual))
    assert len(pinn.trainable_variables) == 2  # those of the previous solution are none of it
    pinn.compile("sgd", jit_compile=False)
    with pytest.raises(ValueError, match="scale"):  # frozen as a layer that is no attribute
        pinn.fit({"x": X}, verbose=0)
    pinn.layer = layer
    old = float(pinn.previous.network.scale.numpy())
    pinn.compile("sgd", jit_compile=False)
    pinn.fit({"x": X}, epochs=3, verbose=0)
    assert float(pinn.previous.network.scale.numpy()) == old
    assert float(pinn.factor.numpy()) != 2.0


@keras.saving.register_keras_serializable(package="tests")
class Correction(kpinn.PINN):
    """What is left of the sum of previous solutions."""

    coordinates, fields = "x", "u"

    def __init__(self, network, previous):
        super().__init__(network)
        self.previous = previous

    @kpinn.condition
    def rest(self, x, u):
        previous = self.previous
        if isinstance(previous, dict):
            previous = list(previous.values())
        previous = previous if isinstance(previous, list) else [previous]
        return u + sum(each.network(x) for each in previous) - 1.0


@keras.saving.register_keras_serializable(package="tests")
def first_residual(u, x):
    return u - x


@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: [p], lambda p: {"first": p}])
def test_previous_solutions_stay_as_they_are_and_are_saved(wrap, tmp_path):
    def network():
        return kpinn.networks.MLP(units=3, depth=1, dtype="float64")

    before = kpinn.PINN(network(), "x", "u", conditions=[first_residual])
    pinn = Correction(network(), wrap(before))
    weights = before.get_weights()
    pinn.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    pinn.fit({"x": X}, epochs=2, verbose=0)
    assert len(pinn.trainable_variables) == len(pinn.network.trainable_variables)
    assert all(map(np.array_equal, weights, before.get_weights()))
    pinn.save(tmp_path / "rest.keras")
    again = keras.models.load_model(tmp_path / "rest.keras")
    found = again.residuals({"x": X})["rest"]
    np.testing.assert_allclose(found, pinn.residuals({"x": X})["rest"], rtol=1e-12)


def test_variables_that_a_train_step_trains_are_declared():
    weight = tf.Variable(1.0, dtype=tf.float64)

    class Own(kpinn.PINN):
        coordinates, fields = "x", "u"

        @kpinn.condition
        def scaled(self, u):
            return weight * u

        def train_step(self, batch):
            logs = super().train_step(batch)
            weight.assign_add(0.5)
            return logs

    pinn = Own(Formula(lambda x: x, dtype="float64"))
    pinn.compile("sgd", jit_compile=False)
    with pytest.raises(ValueError, match="pass it to pinn.declare_trained"):
        pinn.fit({"x": X}, verbose=0)
    pinn.declare_trained(weight)
    pinn.fit({"x": X}, epochs=2, verbose=0)
    assert float(weight) == 2.0


# What a condition reads -----------------------------------------------------------------------


class Reader(kpinn.PINN):
    """Reads a number, a container and what a method of it says."""

    coordinates, fields = "x", "u"

    def __init__(self, network):
        super().__init__(network)
        self.rate, self.table, self.count = 1.0, {"a": [1.0, 2.0]}, 2

    def source(self):
        return self.shift if hasattr(self, "shift") else 0.0

    @kpinn.condition
    def reads(self, u, u_x):
        return u_x - self.rate * u + self.table["a"][0] + self.source() + self.count


def expected(pinn):
    shift = pinn.shift if hasattr(pinn, "shift") else 0.0
    return 2 * X - pinn.rate * X**2 + pinn.table["a"][0] + shift + pinn.count


def change_rate(pinn):
    pinn.rate = 0.25


def change_table(pinn):
    pinn.table["a"][0] = -3.0


def change_shift(pinn):
    pinn.shift = 0.5


def change_count(pinn):
    pinn.count = 5


CHANGES = [change_rate, change_table, change_count, change_shift]


def reader():
    pinn = Reader(Formula(lambda x: x**2, dtype="float64"))
    pinn.shift = 0.125
    return pinn


@pytest.mark.parametrize("change", CHANGES)
def test_residuals_follow_what_is_changed_between_two_calls(change):
    pinn = reader()
    for _ in range(2):
        np.testing.assert_allclose(pinn.residuals({"x": X})["reads"], expected(pinn), rtol=1e-6)
        change(pinn)
        np.testing.assert_allclose(pinn.residuals({"x": X})["reads"], expected(pinn), rtol=1e-6)
        pinn.rate = 2.0


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.0),
        lambda: kpinn.optimizers.LBFGS(),
        lambda: kpinn.optimizers.ScipyMinimize(),
        lambda: kpinn.optimizers.LevenbergMarquardt(),
    ],
)
@pytest.mark.parametrize("change", [change_rate, change_table])
def test_fit_and_evaluate_follow(optimizer, change):
    pinn = reader()
    pinn.compile(optimizer(), jit_compile=False)
    for _ in range(2):
        pinn.fit({"x": X}, verbose=0)
        change(pinn)
        pinn.network.scale.assign(1.0)
        loss = np.mean(expected(pinn) ** 2)
        found = pinn.evaluate({"x": X}, return_dict=True, verbose=0)["reads"]
        np.testing.assert_allclose(found, loss, rtol=1e-6)
        matrix, rows = kpinn.jacobian(pinn, {"x": X})
        np.testing.assert_allclose(np.sum(rows**2), loss, rtol=1e-6)
        if isinstance(pinn.optimizer, keras.optimizers.SGD):
            found = pinn.fit({"x": X}, verbose=0).history["reads"][0]
            np.testing.assert_allclose(found, loss, rtol=1e-6)
        pinn.rate = 1.5


@pytest.mark.parametrize("wrap", [lambda points: points, tf.data.Dataset.from_tensors])
def test_a_callback_that_changes_a_number_costs_one_more_trace(wrap):
    traces = []

    class Counted(Reader):
        def call(self, points, training=None):
            traces.extend([] if tf.executing_eagerly() else [1])
            return super().call(points, training)

    pinn = Counted(Formula(lambda x: x**2, dtype="float64"))
    pinn.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    losses = []

    def anneal(epoch, logs=None):
        pinn.rate = 1.0 / (1 + epoch)
        losses.append(np.mean(expected(pinn) ** 2))

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=anneal)
    points = wrap({"x": X})
    stream = {"steps_per_epoch": 1} if isinstance(points, tf.data.Dataset) else {}
    points = points.repeat() if stream else points
    found = pinn.fit(points, epochs=6, verbose=0, callbacks=[callback], **stream)
    np.testing.assert_allclose(found.history["reads"], losses, rtol=1e-6)
    assert sum(traces) == 2  # with the first number, and with a variable


def test_a_number_that_has_to_be_one_is_traced_anew():
    class Chosen(kpinn.PINN):
        coordinates, fields = "x", "u"

        @kpinn.condition
        def chosen(self, x, u):
            return u if self.high > 0.5 else x

    pinn = Chosen(Formula(lambda x: x**2, dtype="float64"))
    for high in (0.0, 1.0, 0.25, 0.75, 0.0):
        pinn.high = high
        found = pinn.residuals({"x": X})["chosen"]
        np.testing.assert_allclose(found, X**2 if high > 0.5 else X, rtol=1e-12)


def test_derived_fields_closures_and_globals_are_followed():
    class Powers(kpinn.PINN):
        coordinates, fields = "x", "u"
        exponent = 2.0

        @kpinn.field
        def power(self, x):
            return x**self.exponent

        @kpinn.condition
        def slope(self, power_x):
            return power_x

    pinn = Powers(Formula(lambda x: x, dtype="float64"))
    points = {"x": np.array([[0.0], [2.0]])}
    for exponent in (2.0, 3.0, 4.0):
        pinn.exponent = exponent
        found = pinn.residuals(points)["slope"]
        np.testing.assert_allclose(found, exponent * points["x"] ** (exponent - 1), atol=1e-12)
    settings = {"k": 1.0}

    def closed(u):
        return settings["k"] * u + GLOBAL[0]

    pinn = pinn_of(closed)
    for k, g in ((1.0, 0.0), (2.0, 0.0), (2.0, 5.0)):
        settings["k"], GLOBAL[0] = k, g
        np.testing.assert_allclose(pinn.residuals({"x": X})["closed"], k * X**2 + g, rtol=1e-12)


GLOBAL = [0.0]


def test_functions_that_a_condition_calls_are_followed():
    pinn = reader()
    settings = [1.0]
    pinn.source = lambda: helper() + settings[0]
    for change in (lambda: settings.append(settings.pop() + 1.0), lambda: GLOBAL.append(2.0)):
        found = pinn.residuals({"x": X})["reads"]
        change()
        shift = helper() + settings[0] - pinn.shift
        found = pinn.residuals({"x": X})["reads"]
        np.testing.assert_allclose(found, expected(pinn) + shift, rtol=1e-6)


def helper():
    return float(len(GLOBAL))


class Constants:
    """Read through the class, by a method, or by a call."""

    k = 1.0

    def __init__(self):
        self.own = 1.0

    def scaled(self, u):
        return self.own * u

    def __call__(self, u):
        return self.scaled(u)


class Slots:
    __slots__ = ("k",)


def through(name):
    """A PINN whose residual is `k u`, and a function that sets `k`; by where `k` is."""
    module, constants, slots, table = types.ModuleType("mine"), Constants(), Slots(), {"k": 1.0}
    module.k = slots.k = 1.0
    local = type("Local", (Constants,), {})
    bodies = {
        "a module": (lambda self, u: module.k * u, lambda k: setattr(module, "k", k)),
        "a class": (lambda self, u: local.k * u, lambda k: setattr(local, "k", k)),
        "slots": (lambda self, u: slots.k * u, lambda k: setattr(slots, "k", k)),
        "a callable object": (lambda self, u: constants(u), lambda k: setattr(constants, "own", k)),
        "a bound method": (lambda self, u: self.bound(u), lambda k: setattr(constants, "own", k)),
        "a function in a dict": (lambda self, u: self.made["f"](u), lambda k: table.update(k=k)),
        "a method": (lambda self, u: self.called() * u, lambda k: table.update(k=k)),
        "a property": (lambda self, u: self.got * u, lambda k: table.update(k=k)),
        "a class method": (lambda self, u: self.of_class() * u, None),
        "its class": (lambda self, u: type(self).k * u, None),
        "a private attribute": (lambda self, u: self._k * u, None),
    }
    body, change = bodies[name]

    class Through(kpinn.PINN):
        coordinates, fields, k = "x", "u", 1.0

        @kpinn.condition
        def read(self, u):
            return body(self, u)

        def called(self):
            return table["k"]

        @property
        def got(self):
            return table["k"]

        @classmethod
        def of_class(cls):
            return cls.k

    pinn = Through(Formula(lambda x: x**2, dtype="float64"))
    pinn.bound, pinn.made, pinn._k = constants.scaled, {"f": lambda u: table["k"] * u}, 1.0
    if name in ("a class method", "its class"):
        change = lambda k: setattr(Through, "k", k)  # noqa: E731
    elif name == "a private attribute":
        change = lambda k: setattr(pinn, "_k", k)  # noqa: E731
    return pinn, change


@pytest.mark.parametrize(
    "where",
    [
        *("a module", "a class", "slots", "a callable object", "a bound method"),
        *("a function in a dict", "a method", "a property", "a class method", "its class"),
        "a private attribute",
    ],
)
def test_whatever_a_condition_reads_through_is_followed(where):
    pinn, change = through(where)
    for k in (1.0, 2.0, 0.5, 3):
        change(k)
        np.testing.assert_allclose(pinn.residuals({"x": X})["read"], k * X**2, rtol=1e-6)


def test_a_previous_solution_that_a_condition_evaluates_is_followed():
    before = reader()

    def step(x, u):
        return u - before.residuals_at(("reads",), {"x": x})["reads"]

    pinn = pinn_of(step)
    for rate in (1.0, 0.5, 0.25):
        before.rate = rate
        found = pinn.residuals({"x": X})["step"]
        np.testing.assert_allclose(found, X**2 - expected(before), rtol=1e-6)


def test_a_condition_that_counts_its_calls_is_not_traced_in_each_epoch():
    calls = []

    def counted(u):
        calls.append(tf.executing_eagerly())
        return u

    pinn = pinn_of(counted)
    for optimizer in (keras.optimizers.SGD(0.0), kpinn.optimizers.LBFGS()):
        pinn.compile(optimizer, jit_compile=False)
        pinn.fit({"x": X}, epochs=2, verbose=0, callbacks=[keras.callbacks.Callback()])
        before = calls.count(False)
        pinn.fit({"x": X}, epochs=3, verbose=0, callbacks=[keras.callbacks.Callback()])
        assert calls.count(False) == before


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_train_batch_begin"])
@pytest.mark.parametrize("change", ["rate", "table"])
def test_what_a_callback_changes_counts_from_the_next_step_on(stream, hook, change):
    pinn, losses = reader(), []
    pinn.compile(keras.optimizers.SGD(0.0), jit_compile=False, steps_per_execution=1)

    def act(index, logs=None):
        if change == "rate":
            pinn.rate *= 0.5
        else:
            pinn.table["a"][0] *= 0.5
        losses.append(np.mean(expected(pinn) ** 2))

    callback = keras.callbacks.Callback()
    setattr(callback, hook, act)
    points = tf.data.Dataset.from_tensors({"x": X}).repeat() if stream else {"x": X}
    found = pinn.fit(points, epochs=4, steps_per_epoch=1, verbose=0, callbacks=[callback])
    np.testing.assert_allclose(found.history["reads"], losses, rtol=1e-6)


class Approach(kpinn.PINN):
    """u = target x."""

    coordinates, fields = "x", "u"

    def __init__(self):
        super().__init__(kpinn.networks.MLP(units=4, depth=1, dtype="float64"))
        self.target = [1.0]

    @kpinn.condition
    def equal(self, x, u):
        return u - self.target[0] * x


@pytest.mark.parametrize("optimizer", [kpinn.optimizers.LBFGS, kpinn.optimizers.SSBroyden])
def test_optimizers_that_remember_their_loss_go_on_after_a_change(optimizer):
    keras.utils.set_random_seed(0)
    pinn = Approach()
    pinn.compile(optimizer(), jit_compile=False)

    def act(epoch, logs=None):
        if epoch == 10:
            pinn.target[0] = 2.0

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=act)
    losses = pinn.fit({"x": X}, epochs=40, verbose=0, callbacks=[callback]).history["loss"]
    assert len(losses) > 20 and losses[-1] < 0.1 * losses[10]


def test_a_minimizer_refuses_changes_while_it_works():
    pinn = Approach()
    pinn.compile(kpinn.optimizers.ScipyMinimize(), jit_compile=False)

    def act(epoch, logs=None):
        pinn.target[0] = 1.0 + epoch

    callback = keras.callbacks.LambdaCallback(on_epoch_end=act)
    with pytest.raises(ValueError, match="needs the same values that conditions read"):
        pinn.fit({"x": X}, epochs=10, verbose=0, callbacks=[callback])


def test_what_no_condition_reads_costs_no_trace():
    pinn = reader()
    pinn.residuals({"x": X})
    before = pinn.objective
    pinn.notes, pinn.rate = "something", pinn.rate
    assert pinn.objective is before
    pinn.rate = 7.0
    assert pinn.objective is not before


def test_an_exported_model_keeps_its_numbers(tmp_path):
    pinn = reader()
    for rate in (0.5, 0.25):
        pinn.rate = rate
        pinn.residuals({"x": X})
    pinn.export(tmp_path / "reader")
    served = tf.saved_model.load(tmp_path / "reader").signatures["residual_reads"]
    np.testing.assert_allclose(served(x=tf.constant(X))["reads"], expected(pinn), rtol=1e-6)


# Whole sets -----------------------------------------------------------------------------------


def spread(u):
    return u - ops.mean(u)


def pairs(u):
    half = ops.shape(u)[0] // 2
    return ops.concatenate([u[:half] - u[half:], 0 * u[half:]], axis=0)


def each(u):
    return ops.where(u > 0.3, u, 2 * u)


def flat(u):
    return u[:, 0]


def fixed(u):
    return u * np.linspace(1.0, 2.0, 9)[:, None]


def noisy(u):
    return u + tf.random.normal(tf.shape(u), dtype=u.dtype)


def noisy_spread(u):
    return noisy(u) - ops.mean(u)


def slightly(u):
    return u - 1e-14 * ops.sum(u)


def root(x, u):
    return ops.sqrt(x - 1.0) * u  # not a number at some of the points


APART = [each, flat, noisy, root]


@pytest.mark.parametrize(
    ("condition", "together"),
    [(c, True) for c in (spread, pairs, fixed, noisy_spread, slightly)]
    + [(c, False) for c in APART],
)
def test_which_conditions_take_their_points_together(condition, together):
    pinn = pinn_of(condition)
    assert pinn.problem.takes_together(condition.__name__, {"x": 1}) is together


@pytest.mark.parametrize("condition", [spread, pairs])
def test_residuals_of_whole_sets_are_not_split(condition):
    """Other conditions are, as a set of more points than fit into memory must be."""
    x = np.linspace(0.0, 1.0, 40)[:, None]
    pinn = pinn_of(condition, each)
    whole = pinn.residuals({"x": x})
    for found in (pinn.residuals({"x": x}, batch_size=7), pinn.predict({"x": x}, batch_size=7)):
        for name, value in whole.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-14)
    if condition is spread:
        np.testing.assert_allclose(whole["spread"], x**2 - np.mean(x**2), atol=1e-12)


def test_mini_batches_of_whole_sets_are_refused():
    pinn = pinn_of(spread)
    pinn.compile("sgd", jit_compile=False)
    with pytest.raises(ValueError, match="'spread' takes its points together.*batch_size=4"):
        pinn.fit({"x": X}, batch_size=4, verbose=0)
    pinn.fit({"x": X}, batch_size=9, verbose=0)
    stream = tf.data.Dataset.from_tensors({"x": X}).repeat()
    assert np.isfinite(pinn.fit(stream, steps_per_epoch=2, verbose=0).history["loss"]).all()


# The model ------------------------------------------------------------------------------------


def test_a_subclass_of_a_subclass_is_checked_once_it_is_complete():
    class Base(Heat):
        def __init__(self, network, **kwargs):
            super().__init__(network, **kwargs)
            self.unknown("late", 1.0)

    class Last(Base):
        def __init__(self, network):
            super().__init__(network, conductivity=2.0)
            self.unknown("later", 1.0)

        @kpinn.condition
        def both(self, u, late, later):
            return u - late - later

    pinn = Last(kpinn.networks.MLP(units=3, depth=1))
    assert set(pinn.unknowns) == {"late", "later"}
    config = pinn.get_config()
    assert "conductivity" not in config and config["unknowns"] == []


def test_a_constructor_may_take_nothing_or_anything():
    class Nothing(Heat):
        def __init__(self):
            super().__init__(kpinn.networks.MLP(units=3, depth=1))

    class Doubled:
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.conductivity *= 2

    class Anything(Doubled, Heat):
        pass

    assert set(Nothing().residuals(heat_points())) == {"heat", "start"}
    Nothing.from_config(Nothing().get_config())  # whose "name" it does not take
    pinn = Anything(kpinn.networks.MLP(units=3, depth=1), conductivity=3.0)
    assert pinn.conductivity == 6.0
    again = Anything.from_config(pinn.get_config())
    assert again.conductivity == 6.0


def test_the_problem_knows_no_training_and_is_replaced_not_changed():
    pinn = small_heat()
    before = pinn.problem
    pinn.fit(heat_points(), verbose=0)
    assert pinn.problem is not before and before.scales == {}
    assert pinn.problem.scales == {"t": 0.5, "x": 0.5}
    found = before.residuals({k: tf.constant(v, tf.float32) for k, v in BOX.sample(5).items()})
    assert found["heat"].shape == (5, 1)


@pytest.mark.parametrize("name", ["network", "method", "coordinates", "fields"])
def test_what_names_mean_cannot_be_changed(name):
    pinn = small_heat()
    setattr(pinn, name, getattr(pinn, name))
    other = kpinn.networks.MLP(units=8, depth=2) if name == "network" else "reverse"
    with pytest.raises(ValueError, match=f"{name} cannot be set.*Make another PINN"):
        setattr(pinn, name, other)
