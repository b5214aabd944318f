"""Windows of time: `kpinn.layers.TimeWindows` and `kpinn.march`, beside closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.domains import Box
from kpinn.layers import HardCondition, TimeWindows
from kpinn.networks import MLP, RandomFeatures
from kpinn.objective.compiled import ByShapes
from kpinn.optimizers import LBFGS, LevenbergMarquardt, ScipyMinimize, Sequence, SSBroyden

PI = np.pi


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


@keras.saving.register_keras_serializable(package="test_time_windows")
class Oscillator(kpinn.PINN):
    """u' = v, v' = -u, from (0, 1): u = sin t."""

    coordinates = "t"
    fields = "u v"

    @kpinn.condition
    def position(self, u_t, v):
        return u_t - v

    @kpinn.condition
    def speed(self, v_t, u):
        return v_t + u


@keras.saving.register_keras_serializable(package="test_time_windows")
class Heat(kpinn.PINN):
    """u_t = 0.1 u_xx, zero at both ends, from sin(pi x): u = exp(-0.1 pi^2 t) sin(pi x)."""

    coordinates = "t x"
    fields = "u"

    @kpinn.condition
    def heat(self, u_t, u_xx):
        return u_t - 0.1 * u_xx


@keras.saving.register_keras_serializable(package="test_time_windows")
def pulse(x):
    return ops.sin(PI * x)


@keras.saving.register_keras_serializable(package="test_time_windows")
def inside(x):
    return 4.0 * x * (1.0 - x)


def oscillator(units=8):
    network = MLP(units=units, depth=1, outputs=2)
    return Oscillator(TimeWindows(network, "t", {"u": 0.0, "v": 1.0}, fields="u v"))


def rod():
    return TimeWindows(HardCondition(MLP(units=3, depth=2), "t x", distance=inside), "t x", pulse)


def linear(scale=2.0, units=60, start=pulse, order=1):
    unit = kpinn.layers.Rescale(0.0, 1.0)
    features = RandomFeatures(units, scale=scale, seed=0, embedding=unit)
    return TimeWindows(HardCondition(features, "t x", distance=inside), "t x", start, order)


def grid(a, b, times=12, places=12):
    return Box(t=(a, b), x=(0, 1)).sample({"t": times, "x": places}, "grid")


@pytest.fixture
def traces(monkeypatch):
    """The shapes that are traced, one for each compiled function and shape."""
    made, keep = [], ByShapes._keep

    def counted(self, function, arguments):
        made.append(self._key(arguments))
        return keep(self, function, arguments)

    monkeypatch.setattr(ByShapes, "_keep", counted)
    return made


# Long times ----------------------------------------------------------------------------------


def test_an_ode_over_twenty_windows_with_one_trace(traces):
    network = RandomFeatures(20, outputs=2, scale=2.0, seed=0)
    pinn = Oscillator(TimeWindows(network, "t", {"u": 0.0, "v": 1.0}, fields="u v"))
    pinn.compile(LevenbergMarquardt())
    counts = []

    def sample(a, b):
        counts.append(len(traces))
        return {"t": np.linspace(a, b, 31)}

    edges = np.linspace(0.0, 20.0, 21)
    history = kpinn.march(pinn, sample, edges, verbose=0, epochs=2)
    assert 0 == counts[0] < counts[1] == counts[-1]
    assert history.epoch == list(range(20)) and max(history.history["loss"]) < 1e-14
    assert history.history.keys() >= {"loss", "position", "speed"}

    t = np.linspace(0.0, 20.0, 401)
    found = pinn.predict_fields({"t": t}, "u, v, u_t, u_tt")
    np.testing.assert_allclose(found["u"][:, 0], np.sin(t), atol=1e-7)
    np.testing.assert_allclose(found["v"][:, 0], np.cos(t), atol=1e-7)
    np.testing.assert_allclose(found["u_t"][:, 0], np.cos(t), atol=1e-6)
    np.testing.assert_allclose(found["u_tt"][:, 0], -np.sin(t), atol=1e-4)
    assert found["u"][0] == 0.0 and found["v"][0] == 1.0
    assert pinn.evaluate({"t": t}, verbose=0, return_dict=True)["loss"] < 1e-12


def test_a_pde_over_twenty_windows_saved_and_exported(traces, tmp_path):
    pinn, counts = Heat(linear()), []
    pinn.compile(LevenbergMarquardt())

    def sample(a, b):
        counts.append(len(traces))
        return grid(a, b)

    history = kpinn.march(pinn, sample, np.linspace(0.0, 2.0, 21), verbose=0, epochs=2)
    assert counts[1] == counts[-1]
    assert max(history.history["loss"]) < 1e-11

    points = grid(0.0, 2.0, 41, 21)
    decay = np.exp(-0.1 * PI**2 * points["t"])
    u = decay * np.sin(PI * points["x"])
    exact = {"u": u, "u_t": -0.1 * PI**2 * u, "u_xx": -(PI**2) * u}
    exact["u_x"] = PI * decay * np.cos(PI * points["x"])
    found = pinn.predict_fields(points, list(exact))
    for name, tolerance in {"u": 1e-7, "u_t": 1e-5, "u_x": 2e-6, "u_xx": 5e-5}.items():
        np.testing.assert_allclose(found[name], exact[name], atol=tolerance)
    residual = pinn.residuals(points)["heat"]
    np.testing.assert_allclose(residual, found["u_t"] - 0.1 * found["u_xx"], atol=1e-12)

    pinn.save(tmp_path / "rod.keras")
    loaded = kpinn.load_model(tmp_path / "rod.keras")
    assert loaded.network.edges == pinn.network.edges
    np.testing.assert_array_equal(loaded.predict_fields(points)["u"], found["u"])

    pinn.export(tmp_path / "rod", derivatives="u_t, u_xx")
    served = kpinn.load_export(tmp_path / "rod")
    given = {name: tf.constant(array) for name, array in points.items()}
    np.testing.assert_allclose(
        served.signatures["serving_default"](**given)["u"], found["u"], atol=1e-14
    )
    values = served.signatures["derivatives"](**given)
    for name in ("u_t", "u_xx"):
        np.testing.assert_allclose(values[name], found[name], atol=1e-11)
    np.testing.assert_allclose(
        served.signatures["residual_heat"](**given)["heat"], residual, atol=1e-11
    )


def test_a_wave_has_no_jump_in_values_and_speeds():
    """u_tt = u_xx from sin(pi x) with a speed of pi sin(pi x): (cos + sin)(pi t) sin(pi x)."""

    def wave(u_tt, u_xx):
        return u_tt - u_xx

    def moving(t, x):
        return (1.0 + PI * (t - 1.0)) * ops.sin(PI * x)

    pinn = kpinn.PINN(linear(3.0, 100, moving, order=2), "t x", "u", conditions=[wave])
    pinn.compile(LevenbergMarquardt())
    edges = [1.0, 1.2, 1.5, 1.7, 2.0]
    kpinn.march(pinn, lambda a, b: grid(a, b, 16), edges, verbose=0, epochs=2)
    points = grid(1.0, 2.0, 41)
    time, place = PI * (points["t"] - 1.0), np.sin(PI * points["x"])
    found = pinn.predict_fields(points, "u, u_t")
    np.testing.assert_allclose(found["u"], (np.cos(time) + np.sin(time)) * place, atol=1e-3)
    slope = PI * (np.cos(time) - np.sin(time)) * place
    np.testing.assert_allclose(found["u_t"], slope, atol=1e-2)

    x = np.linspace(0.0, 1.0, 9)
    for edge in edges[1:-1]:
        sides = [
            pinn.predict_fields({"t": 0 * x + t, "x": x}, "u, u_t, u_x, u_tx")
            for t in (edge, np.nextafter(edge, 9.0))
        ]
        for name in sides[0]:
            np.testing.assert_allclose(sides[0][name], sides[1][name], atol=1e-10)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 200)),
        SSBroyden,
        lambda: ScipyMinimize("L-BFGS-B"),
        lambda: Sequence([(keras.optimizers.Adam(0.01), 100), (LBFGS(), 100)]),
    ],
    ids=["adam", "ssbroyden", "scipy", "sequence"],
)
def test_every_optimizer_begins_each_window_anew(make, traces):
    pinn, counts, steps = oscillator(), [], []
    pinn.compile(make())

    def sample(a, b):
        counts.append(len(traces))
        steps.append(int(pinn.optimizer.iterations))
        return {"t": np.linspace(a, b, 11)}

    kpinn.march(pinn, sample, [0.0, 0.5, 1.0], verbose=0, epochs=200)
    assert counts[0] < counts[1] == len(traces) and set(steps) == {0}
    t = np.linspace(0.0, 1.0, 21)
    np.testing.assert_allclose(pinn.predict_fields({"t": t})["u"][:, 0], np.sin(t), atol=0.02)


@pytest.mark.parametrize("method", ["reverse", kpinn.FiniteDifference(accuracy=6, step=0.01)])
def test_methods_that_differentiate_otherwise(method):
    """Tapes would carry a NaN of other times along, and stencils go beyond the edges."""

    def growth(u, u_t):
        return u_t - u

    network = TimeWindows(MLP(units=4, depth=1), "t", 1.0)
    pinn = kpinn.PINN(network, "t", "u", conditions=[growth], method=method)
    pinn.compile(keras.optimizers.Adam(0.02))
    kpinn.march(
        pinn, lambda a, b: {"t": np.linspace(a, b, 9)}, [0.0, 0.3, 0.6], verbose=0, epochs=200
    )
    t = np.array([0.1, 0.2, 0.4, 0.5])
    found = pinn.predict_fields({"t": t}, "u, u_t")
    np.testing.assert_allclose(found["u"][:, 0], np.exp(t), atol=0.02)
    exact = kpinn.derivatives(network, {"t": t}, "u_t", method="taylor")["u_t"]
    np.testing.assert_allclose(found["u_t"], exact, rtol=1e-5)


def test_windows_that_grow_have_one_trace(traces):
    pinn, counts = oscillator(units=2), []
    pinn.compile("adam")

    def sample(a, b):
        counts.append(len(traces))
        return {"t": np.linspace(a, b, 5)}

    kpinn.march(pinn, sample, [0.0, 0.1, 1.0, 9.0], verbose=0, epochs=1)
    assert 0 == counts[0] < counts[1] == len(traces)


def test_a_delay_is_refused_and_does_not_take_the_wrong_window():
    def late(t, u_t, at):
        return u_t + at("u", t=t - 0.1)

    network = TimeWindows(MLP(units=2, depth=1), "t", 1.0)
    pinn = kpinn.PINN(network, "t", "u", conditions=[late])
    pinn.compile("sgd")
    with pytest.raises(ValueError, match="'late' is NaN or infinite at 1 of 11 points"):
        kpinn.march(pinn, lambda a, b: {"t": np.linspace(a, b, 11)}, [0.0, 1.0], verbose=0)


def test_a_time_that_the_pinn_calls_otherwise():
    def growth(u, u_s):
        return u_s - u

    pinn = kpinn.PINN(TimeWindows(MLP(units=4, depth=1), "t", 1.0), "s", "u", [growth])
    pinn.compile(LevenbergMarquardt(), jit_compile=False)
    kpinn.march(
        pinn, lambda a, b: {"s": np.linspace(a, b, 9)}, [0.0, 0.5, 1.0], verbose=0, epochs=20
    )
    s = np.linspace(0.0, 1.0, 9)
    np.testing.assert_allclose(pinn.predict_fields({"s": s})["u"][:, 0], np.exp(s), atol=1e-3)


def test_features_that_are_adapted_in_the_first_window():
    network = HardCondition(RandomFeatures(80, seed=0), "t x", distance=inside)
    pinn = Heat(TimeWindows(network, "t x", pulse))
    pinn.compile(LevenbergMarquardt())
    history = kpinn.march(pinn, lambda a, b: grid(a, b, 8), [0.0, 0.5, 1.0], verbose=0, epochs=5)
    points = grid(0.0, 1.0, 21)
    exact = np.exp(-0.1 * PI**2 * points["t"]) * np.sin(PI * points["x"])
    np.testing.assert_allclose(pinn.predict_fields(points)["u"], exact, atol=1e-6)
    assert max(history.history["loss"]) < 1e-10


@pytest.mark.xla
def test_windows_compiled_by_xla(traces):
    pinn = oscillator()
    pinn.compile(keras.optimizers.Adam(0.01), jit_compile=True)
    kpinn.march(
        pinn, lambda a, b: {"t": np.linspace(a, b, 11)}, [0.0, 0.5, 1.0], verbose=0, epochs=300
    )
    t = np.linspace(0.0, 1.0, 21)
    np.testing.assert_allclose(pinn.predict_fields({"t": t})["u"][:, 0], np.sin(t), atol=0.02)
    assert len(traces) < 6


# A march that is interrupted -------------------------------------------------------------------


def test_a_script_that_is_started_again_goes_on_in_its_window(tmp_path):
    drawn = []

    def script(folder, *callbacks):
        keras.utils.set_random_seed(1)
        pinn = oscillator()
        pinn.compile(keras.optimizers.Adam(0.01))
        checkpoint = kpinn.callbacks.Checkpoint(tmp_path / folder, every=2)

        def sample(a, b):
            drawn.append(a)
            return {"t": np.linspace(a, b, 11)}

        edges, every = [0.0, 1.0, 2.0, 3.0], [checkpoint, *callbacks]
        history = kpinn.march(pinn, sample, edges, verbose=0, epochs=5, callbacks=every)
        values = pinn.predict_fields({"t": np.linspace(0.0, 3.0, 31)}, "u, u_t")
        return history.history, values

    class Cut(keras.callbacks.Callback):
        """Ends the process in the second window."""

        windows = 0

        def on_train_begin(self, logs=None):
            self.windows += 1

        def on_epoch_end(self, epoch, logs=None):
            if self.windows == 2 and epoch == 3:
                raise RuntimeError("the power is gone")

    whole, values = script("whole")
    with pytest.raises(RuntimeError, match="the power is gone"):
        script("cut", Cut())
    drawn.clear()
    again, found = script("cut")
    assert drawn == [0.0, 1.0, 2.0]
    assert again == whole
    for name in values:
        np.testing.assert_array_equal(found[name], values[name])


def test_times_behind_a_window_that_failed_are_nan():
    pinn = oscillator(units=2)
    pinn.compile("adam")

    def sample(a, b):
        if a > 1.5:
            raise RuntimeError("no points")
        return {"t": np.linspace(a, b, 11)}

    with pytest.raises(RuntimeError, match="no points"):
        kpinn.march(pinn, sample, [0.0, 1.0, 2.0, 3.0, 4.0], verbose=0, epochs=1)
    found = pinn.predict_fields({"t": [0.5, 1.5, 3.5]}, "u, u_t, u_tt")
    for values in found.values():
        assert np.isfinite(values[:2]).all() and np.isnan(values[2]).all()


def test_a_window_whose_training_stops_is_the_last_one():
    def explosion(u, u_t):
        return u_t - ops.exp(u)

    network, begins = TimeWindows(MLP(units=2, depth=1), "t", 0.0), []
    pinn = kpinn.PINN(network, "t", "u", conditions=[explosion])
    pinn.compile(keras.optimizers.SGD(1e5), nonfinite="stop")

    def sample(a, b):
        begins.append(a)
        return {"t": np.linspace(a, b, 11)}

    history = kpinn.march(pinn, sample, [0.0, 1.0, 2.0], verbose=0, epochs=5)
    assert begins == [0.0] and history.epoch == [0]
    found = pinn.predict_fields({"t": [0.5, 1.5]})["u"]
    assert np.isfinite(found[0]) and np.isnan(found[1])


def test_a_line_for_each_window(capsys):
    pinn = oscillator(units=2)
    pinn.compile("adam")
    kpinn.march(pinn, lambda a, b: {"t": [a, b]}, [0.0, 0.5, 1.0], epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "window 1 of 2, from 0 to 0.5",
        "window 2 of 2, from 0.5 to 1",
    ]
    assert all(" loss " in line and "after 2 epochs" in line for line in lines)


# The layer -------------------------------------------------------------------------------------


def perceptron(weights, s, x):
    """The value of one with one hidden layer, and its slope by the local time, in numpy."""
    kernel, bias, last, offset = weights
    hidden = np.tanh(np.array([s, x]) @ kernel + bias)
    return (hidden @ last + offset)[0], (((1.0 - hidden**2) * kernel[0]) @ last)[0]


def by_hand(weights, edges, order, time, place):
    """The field at a point, with the weights of each window; the start is `2 + 3 t + x`."""
    number = max(np.searchsorted(edges, time) - 1, 0)
    lengths = np.diff(edges)
    s = (time - edges[number]) / lengths[number]
    weight = s if order == 1 else 3 * s**2 - 2 * s**3
    early = 0.0 if order == 1 else lengths[number] * s * (1 - s) ** 2
    start = 2.0 + 3.0 * (edges[0] + early) + place
    if number:
        value, slope = perceptron(weights[number - 1], 1.0, place)
        start = value + slope * early / lengths[number - 1]
    return (1 - weight) * start + weight * perceptron(weights[number], s, place)[0]


@pytest.mark.parametrize("order", [1, 2])
def test_each_time_has_the_weights_of_its_window(order):
    edges, rng = [-1.0, 0.0, 0.5, 2.0], np.random.default_rng(0)
    layer = TimeWindows(MLP(units=3, depth=1), "t x", lambda t, x: 2.0 + 3.0 * t + x, order)
    layer.build((None, 2))
    layer.divide(edges)
    weights = []
    for number in range(3):
        if number:
            layer.advance()
        weights.append([rng.normal(size=w.shape) for w in layer.network.weights])
        layer.network.set_weights(weights[-1])
    points = rng.uniform([-1.0, -1.0], [2.0, 1.0], (40, 2))
    points[:6, 0] = [*edges, 1e-9, -1e-9]
    expected = [by_hand(weights, edges, order, *point) for point in points]
    np.testing.assert_allclose(layer(points)[:, 0], expected, atol=1e-13)
    function = tf.function(layer)
    np.testing.assert_allclose(function(points)[:, 0], expected, atol=1e-13)

    width = 1e-4
    inner = points[6:]
    found = kpinn.derivatives(layer, inner, "u_t, u_x, u_tt, u_xx", "t x")
    for name, axis in {"t": 0, "x": 1}.items():
        sides = [
            np.array([by_hand(weights, edges, order, *(p + step * np.eye(2)[axis])) for p in inner])
            for step in (-width, 0.0, width)
        ]
        slope = (sides[2] - sides[0]) / (2 * width)
        np.testing.assert_allclose(found[f"u_{name}"][:, 0], slope, rtol=1e-4, atol=1e-5)
        bend = (sides[2] - 2 * sides[1] + sides[0]) / width**2
        np.testing.assert_allclose(found[f"u_{name}{name}"][:, 0], bend, rtol=1e-3, atol=1e-4)

    on_both_sides = [[np.nextafter(t, t + side), 0.3] for t in edges[1:-1] for side in (-1, 1)]
    names = "u, u_x, u_t, u_tx" if order == 2 else "u, u_x, u_xx"
    for values in kpinn.derivatives(layer, np.array(on_both_sides), names, "t x").values():
        np.testing.assert_allclose(values[0::2], values[1::2], atol=1e-12)


def test_the_present_window_alone_is_the_same_there():
    layer = TimeWindows(MLP(units=3, depth=1), "t x", pulse, edges=[0.0, 1.0, 2.0, 3.0])
    layer.build((None, 2))
    layer.advance()
    layer.network.set_weights([1.0 + weight for weight in layer.network.get_weights()])
    points = np.random.default_rng(0).uniform([1.0, -1.0], [2.0, 1.0], (10, 2))
    whole = layer(points)
    with layer.alone():
        np.testing.assert_array_equal(layer(points), whole)
        assert np.isnan(layer(points + [1.5, 0.0])).any() and np.isnan(layer(points - 1.0)).all()
    assert np.isnan(layer(points + [1.5, 0.0])).any() and np.isfinite(layer(points - 1.0)).all()


def test_a_field_without_a_start_is_the_network():
    network = MLP(units=3, depth=1, outputs=3)
    layer = TimeWindows(network, "time x", {"v": pulse}, fields="v[2] p", edges=[2.0, 4.0])
    points = np.array([[2.0, 0.3], [2.5, 0.3], [4.0, 0.3]])
    local = np.array([[0.0, 0.3], [0.25, 0.3], [1.0, 0.3]])
    found, values = np.asarray(layer(points)), np.asarray(network(local))
    np.testing.assert_array_equal(found[:, 2], values[:, 2])
    np.testing.assert_array_equal(found[2], values[2])
    np.testing.assert_allclose(found[0, :2], np.sin(0.3 * PI), atol=1e-15)
    np.testing.assert_allclose(found[1, :2], 0.75 * found[0, :2] + 0.25 * values[1, :2])


def test_derivatives_over_windows_are_checked():
    pinn = Heat(rod())
    pinn.compile("adam")
    kpinn.march(pinn, grid, [0.0, 0.5, 1.0], verbose=0, epochs=2)
    report = kpinn.check_derivatives(pinn, {"heat": Box(t=(0, 1), x=(0, 1)).sample(20, seed=0)})
    assert report.ok, str(report)


def test_windows_before_are_frozen_by_construction():
    layer = rod()
    pinn = Heat(layer)
    layer.divide([0.0, 0.5, 1.0])
    assert len(pinn.non_trainable_variables) == 2 + len(layer.network.weights)
    trained = [id(variable) for variable in layer.network.trainable_variables]
    assert [id(variable) for variable in pinn.trainable_variables] == trained


# What is refused --------------------------------------------------------------------------------


def layer_of(start=0.0, coordinates="t x", **options):
    return TimeWindows(MLP(units=2, depth=1), coordinates, start, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": None}, "start is missing"),
        ({"start": {}}, "start is missing"),
        ({"start": "zero"}, "start is 'zero': expected a function or a number"),
        ({"start": {"v": 0.0}}, "start has 'v', which is no field"),
        ({"start": lambda y: y}, "start takes 'y', which is no coordinate"),
        ({"coordinates": "x y"}, "'x y' have no time: expected one that is called t or time"),
        ({"order": 3}, "order 3 is unknown: expected one of 1, 2"),
        ({"edges": [0.0]}, "edges is .*: expected growing times, one more than windows"),
        ({"edges": 3}, "edges is 3: expected growing times"),
        ({"edges": [0.0, 2.0, 1.0]}, "expected growing times, in float64 too"),
        ({"edges": [0.0, np.nan]}, "each of edges is a finite number"),
    ],
)
def test_layers_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        layer_of(**options)


def test_edges_that_a_dtype_cannot_tell_apart():
    with pytest.raises(ValueError, match="growing times, in float32 too"):
        TimeWindows(MLP(units=2, depth=1, dtype="float32"), "t", 0.0, edges=[1e9, 1e9 + 1.0])


def marched(network=None, compiled=True, conditions=None, **options):
    def heat(u_t, u_xx):
        return u_t - u_xx

    pinn = kpinn.PINN(network or layer_of(), "t x", "u", conditions=conditions or [heat])
    if compiled:
        pinn.compile("sgd")
    arguments = {"sample": grid, "edges": [0.0, 1.0, 2.0], "verbose": 0, "epochs": 1} | options
    return pinn, lambda: kpinn.march(pinn, **arguments)


def with_last_layer():
    return keras.Sequential([keras.Input((2,)), layer_of(), keras.layers.Dense(1, name="last")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": MLP}, "has 0 layers kpinn.layers.TimeWindows: expected one"),
        ({"network": with_last_layer}, "last/kernel, .* would be trained in each window"),
        ({"compiled": False}, "compile the PINN first"),
        ({"edges": [1.0, 0.0]}, "edges is .*: expected growing times"),
        ({"sample": 3}, "sample is a function"),
        ({"verbose": 7}, "verbose 7 is unknown"),
        ({"validation_data": {}}, "validation_data are for fit"),
        ({"epoch": 3}, "epoch"),
    ],
)
def test_a_march_that_makes_no_sense(options, message):
    network = options.pop("network", layer_of)()
    _, run = marched(network, **options)
    with pytest.raises(ValueError, match=message):
        run()


def test_a_march_of_something_else():
    with pytest.raises(ValueError, match="expected a kpinn.PINN"):
        kpinn.march(layer_of(), grid, [0.0, 1.0])


def test_unknowns_are_not_found_window_by_window():
    pinn, run = marched()
    pinn.unknown("rate", 1.0)
    with pytest.raises(ValueError, match="rate would be trained in each window"):
        run()


def test_another_number_of_windows():
    pinn, run = marched()
    run()
    run()
    with pytest.raises(ValueError, match="those of 1 windows, and .* has the weights of 2"):
        kpinn.march(pinn, grid, [0.0, 1.0], verbose=0)


# Solutions that are there already ----------------------------------------------------------------


def test_a_first_network_that_is_frozen_stays_and_the_second_one_removes_its_error():
    """u'' = -pi^2 sin(pi x): two orders by a network of the size and frequency of the error."""

    def poisson(x, u_xx):
        return u_xx + PI**2 * ops.sin(PI * x)

    def walls(x):
        return 1.0 - x**2

    def solved(network, weight):
        pinn = kpinn.PINN(network, "x", "u", conditions=[poisson])
        pinn.compile(LevenbergMarquardt(), loss_weights={"poisson": weight})
        pinn.fit(points, epochs=60, verbose=0)
        error = pinn.predict_fields(points)["u"] - np.sin(PI * points["x"])
        return pinn, np.abs(error).max()

    points = Box(x=(-1, 1)).sample(300, method="grid")
    first = HardCondition(MLP(units=8, depth=1), "x", distance=walls)
    coarse, error = solved(first, 1.0)
    residual = coarse.residuals(points)["poisson"][:, 0]
    rms = float(np.sqrt(np.mean(residual**2)))
    frequency = PI / 2.0 * np.count_nonzero(np.diff(np.sign(residual)))
    size = float(rms / frequency**2)

    first.trainable = False
    before = first.get_weights()
    correction = kpinn.networks.SIREN(units=20, depth=2, first_frequency=frequency)
    inputs = keras.Input((1,))
    second = HardCondition(correction, "x", distance=walls)
    _, smaller = solved(keras.Model(inputs, first(inputs) + size * second(inputs)), rms**-2)
    assert 1e-9 < error < 1e-3 and smaller < error / 100.0
    for one, other in zip(before, first.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_pinn_that_a_condition_holds_is_not_trained_along():
    """As an attribute, in a list of them and in a closure."""
    held, inner = oscillator(units=2), MLP(units=3, depth=1)

    class Next(kpinn.PINN):
        coordinates = "t"
        fields = "u"

        def __init__(self, network, before, **kwargs):
            super().__init__(network, **kwargs)
            self.before, self.every = before, [before]

        @kpinn.condition
        def start(self, t, u):
            values = self.before.network(t)[:, :1] + self.every[0].network(t)[:, 1:]
            return u - values - held.network(t)[:, :1]

    pinn = Next(inner, held)
    pinn.compile(keras.optimizers.Adam(0.1))
    weights = [np.array(v) for v in held.variables]
    pinn.fit({"t": np.linspace(0.0, 1.0, 5)}, epochs=20, verbose=0)
    assert [id(v) for v in pinn.trainable_variables] == [id(v) for v in inner.trainable_variables]
    for variable, value in zip(held.variables, weights, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert pinn.history.history["loss"][-1] < pinn.history.history["loss"][0]
