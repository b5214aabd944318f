"""`kpinn.check_derivatives`: defects are found and named, right models are left in peace."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import kpinn
from kpinn.__main__ import main
from kpinn.checking.differences import difference
from kpinn.derivatives.operations.rules import elementwise
from kpinn.derivatives.operations.table import TABLE
from kpinn.derivatives.per_point import independence

RNG = np.random.default_rng(3)
POINTS = {"t": RNG.uniform(0, 1, 40), "x": RNG.uniform(-1, 1, 40)}


class Applied(keras.layers.Layer):
    """A layer that calls a function."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


class Scaled(keras.layers.Layer):
    """A layer with a weight that no gradient reaches."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, inputs):
        return inputs * tf.stop_gradient(self.scale)


class Training(keras.layers.Layer):
    """A layer that is always in training."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs, training=True)


@tf.custom_gradient
def bent(x):
    return tf.sin(x), lambda upstream: 2.0 * upstream * tf.cos(x)


def half_stopped(x):
    return tf.concat([tf.stop_gradient(x[:, :1]), x[:, 1:]], axis=1)


def shifted_softmax(x):
    powers = tf.exp(x - tf.stop_gradient(tf.reduce_max(x, axis=1, keepdims=True)))
    return powers / tf.reduce_sum(powers, axis=1, keepdims=True)


def network(*layers, activation="tanh"):
    """A network with layers in the middle."""
    first = keras.layers.Dense(6, activation, name="first")
    last = keras.layers.Dense(6, activation, name="last")
    return keras.Sequential([keras.Input((2,)), first, *layers, last, keras.layers.Dense(1)])


def applied(function, name):
    return network(Applied(function, name=name))


def text_of(report):
    """The report in one line."""
    return " ".join(str(report).split())


def found(report, severity):
    return [finding for finding in report.findings if finding.severity == severity]


# Right models ------------------------------------------------------------------------------


def constrained():
    inner = network()
    return lambda x: x[:, :1] * inner(x) + tf.sin(x[:, 1:])


RIGHT = {
    "tanh": network,
    "silu": lambda: network(activation="silu"),
    "LayerNormalization": lambda: network(keras.layers.LayerNormalization()),
    "Dropout": lambda: network(keras.layers.Dropout(0.5)),
    "not built yet": lambda: keras.Sequential(
        [keras.layers.Dense(4, "tanh"), keras.layers.Dropout(0.1), keras.layers.Dense(1)]
    ),
    "function of a model": constrained,
    "a stop that cancels": lambda: applied(shifted_softmax, "shifted"),
    "function": lambda: lambda x: tf.sin(3.0 * x[:, :1]) * tf.exp(-x[:, 1:]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_models_are_ok(name):
    report = kpinn.check_derivatives(
        RIGHT[name](), {n: x.astype("float32") for n, x in POINTS.items()}
    )
    assert report.ok, str(report)
    assert not found(report, "warning"), str(report)
    assert list(report.errors) == ["u", "u_t", "u_x", "u_tt", "u_tx", "u_xx"]
    for derivative, errors in report.errors.items():
        if derivative != "u":
            assert errors["taylor, differences"] < 1e-7
        if name != "function":
            assert errors["gradient: taylor, differences"] < 1e-7
        assert errors["as used"] < 1e-4
    assert "in float64 on a copy of the model, which computes in float32" in str(report)


def test_the_weights_of_the_model_stay():
    for dtype in ("float32", "float64"):
        keras.config.set_dtype_policy(dtype)
        model = network()
        before = [weight.copy() for weight in model.get_weights()]
        kpinn.check_derivatives(model, POINTS, "u_x")
        for one, other in zip(before, model.get_weights(), strict=True):
            assert np.array_equal(one, other)


class Wave(kpinn.PINN):
    """A derived field, an unknown and a direction."""

    coordinates = "t x y"
    fields = "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("speed", 1.3)

    @kpinn.field
    def flux(self, x, u_x, speed):
        return speed * (1.0 + x**2) * u_x

    @kpinn.condition
    def wave(self, u_tt, flux_x, f):
        return u_tt - flux_x - f

    @kpinn.condition
    def wall(self, flux, u_n):
        return flux + u_n

    @kpinn.condition(method=kpinn.FiniteDifference(accuracy=4))
    def smooth(self, laplacian_u):
        return laplacian_u


BOX = kpinn.domains.Box(t=(0, 1), x=(-1, 1), y=(-1, 1))


def wave_points():
    inside = BOX.sample(30, seed=0)
    return {
        "wave": inside | {"f": np.zeros((30, 1))},
        "wall": BOX.boundary("x").sample(20, seed=0),
        "smooth": inside,
    }


def test_a_pinn_with_derived_fields_unknowns_and_directions_is_ok():
    pinn = Wave(kpinn.networks.MLP(units=6, depth=2))
    report = kpinn.check_derivatives(pinn, wave_points())
    assert report.ok, str(report)
    names = {"u_tt", "flux_x", "u_x", "flux", "u_n", "laplacian_u"}
    assert set(report.errors) == names
    assert all(report.errors[n]["taylor, differences"] < 1e-7 for n in names - {"flux"})
    assert report.errors["flux"]["gradient: taylor, differences"] < 1e-7
    assert 1e-5 < report.errors["laplacian_u"]["as used"] < 0.1  # a finite difference in float32


def test_a_pinn_takes_points_as_fit_does():
    pinn = kpinn.PINN(network(), "t x", "u", conditions=[heat], method="reverse")
    for points in (POINTS, {"heat": POINTS}, (POINTS, {"heat": np.zeros((40, 1))})):
        report = kpinn.check_derivatives(pinn, points)
        assert report.ok and set(report.errors) == {"u_t", "u_xx"}
        assert report.errors["u_xx"]["as used"] < 1e-4
    report = kpinn.check_derivatives(pinn, POINTS, "laplacian_u, u_tx")
    assert report.ok and set(report.errors) == {"laplacian_u", "u_tx"}


def heat(u_t, u_xx):
    return u_t - u_xx


@pytest.mark.filterwarnings("ignore::kpinn.CustomGradientWarning")
def test_a_pinn_whose_network_cannot_be_made_again():
    pinn = kpinn.PINN(applied(lambda x: x + bent(x), "bending"), "t x", "u", conditions=[heat])
    report = kpinn.check_derivatives(pinn, POINTS)
    assert report.ok and "in float64 on a copy" in str(report)
    assert report.errors["u_xx"]["taylor, differences"] < 1e-7
    assert report.errors["u_xx"]["taylor, reverse"] > 0.1
    assert "ends a tf.custom_gradient" in text_of(report)


def test_operations_of_a_pinn_are_named_with_their_layer():
    pinn = kpinn.PINN(network(activation="relu"), "t x", "u", conditions=[heat])
    (warning,) = found(kpinn.check_derivatives(pinn, POINTS), "warning")
    assert warning.name == "u_xx" and "Relu in layer 'first'" in warning.message


def test_requests_of_a_pinn_may_have_names_of_their_own():
    pinn = kpinn.PINN(network(), "t x", "u", conditions=[heat])
    requests = {"slope": "u_x", "residual": {"u_t": 1.0, "u_xx": -1.0}}
    report = kpinn.check_derivatives(pinn, POINTS, requests)
    assert report.ok, str(report)
    assert report.errors["slope"]["as used"] < 1e-5
    assert report.errors["residual"]["taylor, differences"] < 1e-7


class Single(kpinn.PINN):
    """A derived field that computes in float32 only."""

    coordinates = "t x"
    fields = "u"

    @kpinn.field
    def doubled(self, u):
        return tf.cast(tf.cast(u, tf.float64), tf.float32) * tf.constant(2.0)

    @kpinn.condition
    def small(self, doubled_x, doubled_xx):
        return doubled_x + doubled_xx


def test_a_pinn_that_computes_in_float32_only():
    report = kpinn.check_derivatives(Single(network()), POINTS)
    assert report.ok, str(report)
    assert "in float64 on a copy of the model, which computes in float32." in text_of(report)
    assert report.errors["doubled_x"]["taylor, differences"] < 1e-7
    assert report.errors["doubled_xx"]["taylor, reverse"] < 1e-10


def test_a_model_in_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    report = kpinn.check_derivatives(network(), POINTS, "u_x, u_xx")
    assert report.ok, str(report)
    assert 1e-4 < report.errors["u_xx"]["as used"] < 0.1
    assert report.errors["u_xx"]["taylor, differences"] < 1e-7


# Defects -----------------------------------------------------------------------------------

STOPPED = r"StopGradient in layer 'frozen' \(.*frozen.*\) holds back the derivative"
MIXED = r"Mean .*centred.* takes a mean over the points.*In layer 'centred"
DEFECTS = {  # a model, a severity and what is said
    "stop_gradient": (lambda: applied(half_stopped, "frozen"), "error", STOPPED),
    "stopped weight": (
        lambda: network(Scaled(name="held")),
        "error",
        "gradient of its mean square .* for .*held/scale. StopGradient in layer 'held'",
    ),
    "custom gradient": (
        lambda: applied(bent, "bending"),
        "warning",
        "'reverse' and 'taylor' differ, and differences agree with 'taylor'. IdentityN in layer "
        "'bending' .* ends a tf.custom_gradient",
    ),
    "relu": (
        lambda: network(activation="relu"),
        "warning",
        "zero at all points.* linear .*Relu in layer 'first' .*Relu in layer 'last'.*smooth",
    ),
    "hard_sigmoid": (
        lambda: network(activation="hard_sigmoid"),
        "warning",
        "zero at all points.* linear .*Relu6 in layer 'first'",
    ),
    "dropout": (
        lambda: network(Training(keras.layers.Dropout(0.5, name="drop"), name="noisy")),
        "error",
        "there are no derivatives .*In layer 'noisy/drop'",
    ),
    "batch statistics": (
        lambda: network(Training(keras.layers.BatchNormalization(name="norm"), name="batch")),
        "error",
        "there are no derivatives .*In layer 'batch/norm'",
    ),
    "batch mean": (
        lambda: applied(lambda x: x - tf.reduce_mean(x, axis=0), "centred"),
        "error",
        MIXED,
    ),
    "not a number": (
        lambda: applied(tf.sqrt, "rooted"),
        "error",
        "it is NaN or infinite at .* points. The first .*: Sqrt in layer 'rooted'",
    ),
    "no rule": (
        lambda: applied(tf.math.bessel_i0e, "bessel"),
        "warning",
        "BesselI0e .* has no rule.* slower. .In layer 'bessel'",
    ),
    "cancellation": (
        lambda: applied(lambda x: (x + 1e5) - 1e5, "cancelled"),
        "warning",
        "'taylor' in float32 keeps [12]\\..* digits of it: use float64",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_defects_are_named_with_their_layer(name):
    make, severity, message = DEFECTS[name]
    report = kpinn.check_derivatives(make(), POINTS, "u_t, u_xx")
    assert report.ok == (severity != "error"), str(report)
    assert any(re.search(message, f.message) for f in found(report, severity)), str(report)


def test_points_that_look_at_one_another_are_found_by_their_values(monkeypatch):
    """Where the engine does not see it in the operations."""
    monkeypatch.setattr(independence, "_judge", lambda *arguments: independence.Verdict())
    model = applied(lambda x: x - tf.reduce_mean(x, axis=0), "centred")
    report = kpinn.check_derivatives(model, POINTS, "u_x")
    message = "change when other points are moved.* does this: Mean in layer 'centred'"
    assert not report.ok and re.search(message, text_of(report))


def test_layer_normalization_under_tapes_is_refused_by_name():
    model = network(keras.layers.LayerNormalization(name="normed"))
    report = kpinn.check_derivatives(model, POINTS, "u_xx", method="reverse")
    assert not report.ok
    assert "method='reverse' is refused: 'sequential" in str(report)
    assert "normed" in str(report)
    report = kpinn.check_derivatives(model, POINTS, "u_x", method="reverse")
    (finding,) = found(report, "error")
    assert re.search("no gradient by 'reverse': .*normed", finding.message)
    report = kpinn.check_derivatives(model, POINTS, "u_x, u_xx")
    (note,) = found(report, "note")
    assert report.ok and re.search("from order 2 on: .*normed", note.message)


def test_a_custom_gradient_that_is_right_costs_no_precision():
    """`tf.nn.silu` has one; in float32 tapes and `"taylor"` differ by rounding only."""
    report = kpinn.check_derivatives(network(activation="silu"), POINTS, "u_x, u_xx")
    assert report.ok and not report.findings, str(report)
    assert report.errors["u_xx"]["taylor, reverse"] < 1e-10
    assert report.errors["u_xx"]["gradient: taylor, reverse"] < 1e-10


def test_a_model_that_uses_forward_accumulators_is_compared_with_them():
    report = kpinn.check_derivatives(network(), POINTS, "u_x, u_xx", method="forward")
    assert report.ok, str(report)
    assert report.errors["u_xx"]["taylor, forward"] < 1e-10
    assert report.errors["u_xx"]["gradient: taylor, forward"] < 1e-10
    assert "gradient, forward" in str(report)


def test_layers_that_take_code_are_checked_without_loading_it():
    """A Lambda holds Python code, which must not be made again from a configuration."""
    model = network(keras.layers.Lambda(lambda x: x * tf.sin(x), name="coded"))
    report = kpinn.check_derivatives(model, POINTS, "u_x")
    assert report.ok and "in float64 on a copy of the model" in str(report)
    assert report.errors["u_x"]["taylor, differences"] < 1e-10


def test_a_custom_gradient_is_an_error_for_a_model_that_uses_tapes():
    report = kpinn.check_derivatives(applied(bent, "bending"), POINTS, "u_x", method="reverse")
    assert not report.ok
    assert report.errors["u_x"]["taylor, reverse"] > 0.1
    assert report.errors["u_x"]["taylor, differences"] < 1e-10


def test_a_wrong_rule_is_caught():
    right = TABLE["Tanh"]
    wrong = elementwise(lambda x, order: [tf.tanh(x), *[tf.exp(-(x**2))] * order])
    TABLE["Tanh"] = wrong
    try:
        report = kpinn.check_derivatives(network(), POINTS, "u_x, u_xx")
    finally:
        TABLE["Tanh"] = right
    assert {finding.name for finding in found(report, "error")} == {"u_x", "u_xx"}
    assert "The rule of Tanh in layer 'first'" in text_of(report)
    assert report.errors["u_x"]["taylor, differences"] > 1e-3


def test_a_stop_that_cancels_is_not_blamed_for_another_one():
    middle = [Applied(shifted_softmax, name="shifted"), Applied(half_stopped, name="frozen")]
    report = kpinn.check_derivatives(network(*middle), POINTS, "u_x")
    (error, _) = found(report, "error")
    assert re.search(STOPPED, error.message) and "shifted" not in error.message


def test_a_rule_that_is_wrong_in_the_second_order_only_is_caught():
    right = TABLE["Tanh"]

    def tower(x, order):
        y = tf.tanh(x)
        return [y, 1 - y**2, *[1e-5 - y * (1 - y**2)] * (order - 1)][: order + 1]

    TABLE["Tanh"] = elementwise(tower)
    try:
        report = kpinn.check_derivatives(network(), POINTS, "u_x, u_xx")
    finally:
        TABLE["Tanh"] = right
    assert {f.name for f in found(report, "error") if "of the values" in f.message} == {"u_xx"}
    assert "The rule of Tanh in layer 'first'" in text_of(report)


def test_kinks_within_the_steps_of_finite_differences():
    model = applied(lambda x: tf.abs(x) * x, "folded")
    method = kpinn.FiniteDifference(step=0.1)
    report = kpinn.check_derivatives(model, POINTS, "u_x", method=method)
    text = text_of(report)
    assert re.search("at .* points the steps of FiniteDifference.*Abs in layer 'folded'", text)
    assert "use float64" in text and report.errors["u_x"]["as used"] > 1e-3


def test_a_function_without_derivatives_is_checked_by_differences():
    def function(x):
        value = tf.numpy_function(lambda a: np.sin(3 * a), [x], x.dtype)
        return tf.ensure_shape(value, x.shape)

    points, method = {"x": POINTS["x"]}, kpinn.FiniteDifference(accuracy=6)
    report = kpinn.check_derivatives(function, points, "u_x, u_xx", method=method)
    assert report.ok, str(report)
    assert report.errors["u_x"]["as used"] < 1e-6
    assert not kpinn.check_derivatives(function, points, "u_x").ok


# Input and output --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "points, options, message",
    [
        (POINTS, {"requests": "u_y"}, "derivative with respect to 'y'"),
        (POINTS, {"requests": ""}, "requests are names"),
        (POINTS, {"fields": "u v"}, r"returned the shape .*expected \(n, 2\)"),
        (POINTS, {"method": "symbolic"}, "method 'symbolic' is unknown"),
        (np.zeros((3, 2)), {}, "pass coordinates='t x'"),
        (np.zeros((3, 3)), {"coordinates": "t x"}, r"shape \(3, 3\): expected \(n, 2\)"),
        ({"t": [0.0], "x": [0.0, 1.0]}, {}, "different numbers of points"),
    ],
)
def test_wrong_input_is_refused(points, options, message):
    with pytest.raises(ValueError, match=message):
        kpinn.check_derivatives(network(), points, **options)


def test_wrong_input_of_a_pinn_is_refused():
    pinn = kpinn.PINN(network(), "t x", "u", conditions=[heat])
    with pytest.raises(ValueError, match="points of 'heat' lack the coordinate 'x'"):
        kpinn.check_derivatives(pinn, {"heat": {"t": [0.0]}})
    with pytest.raises(ValueError, match="'u_y' asks for a derivative with respect to 'y'"):
        kpinn.check_derivatives(pinn, POINTS, "u_y")
    with pytest.raises(ValueError, match="cannot be called"):
        kpinn.check_derivatives("model", POINTS)


def test_the_report_is_plain_data():
    report = kpinn.check_derivatives(applied(half_stopped, "frozen"), POINTS, "u_x, u_xx", count=5)
    assert {finding.name for finding in report.findings} == {"u_x", "u_xx"}
    assert set(report.errors["u_x"]) == {
        "taylor, reverse",
        "taylor, differences",
        "differences",
        "gradient: taylor, reverse",
        "gradient: taylor, differences",
        "as used",
    }
    lines = str(report).splitlines()
    assert lines[0].startswith("2 derivatives at 5 points")
    assert lines[2].startswith("u_x ") and lines[-1] == "not ok: 4 errors"
    with pytest.raises(AttributeError):
        report.findings = ()


# Parts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 20.0, 1e3])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_differences_know_their_own_error(order, rate):
    x = np.linspace(-1, 1, 41)[:, None]
    axes = (0,) * order
    value, error, _ = difference(
        lambda x: tf.sin(rate * x), tf.constant(x), axes, {}, {0: 1.0}, 2.0**-52
    )
    expected = rate**order * np.sin(rate * x + order * np.pi / 2)
    assert np.all(np.abs(value - expected) <= error + 1e-12 * rate**order)
    assert np.max(error) < 1e-4 * rate**order


def test_mixed_differences_and_differences_along_directions():
    def function(p):
        return tf.exp(p[:, :1]) * tf.sin(2 * p[:, 1:])

    points, vectors = tf.constant(RNG.uniform(-1, 1, (7, 2))), RNG.normal(size=(7, 2))
    scales, directions = {0: 1.0, 1: 1.0, "n": 1.0}, {"n": tf.constant(vectors)}
    x, y = points.numpy().T
    mixed, error, _ = difference(function, points, (0, 1, 1), directions, scales, 2.0**-52)
    expected = -4 * np.exp(x) * np.sin(2 * y)
    assert np.all(np.abs(mixed[:, 0] - expected) <= error[:, 0]) and error.max() < 1e-6
    along, error, _ = difference(function, points, ("n",), directions, scales, 2.0**-52)
    gradient = np.stack([np.exp(x) * np.sin(2 * y), 2 * np.exp(x) * np.cos(2 * y)], axis=1)
    assert np.all(np.abs(along[:, 0] - (gradient * vectors).sum(axis=1)) <= error[:, 0])


# The command line --------------------------------------------------------------------------

MODULE = """
import keras
import tensorflow as tf
import kpinn

layers = [keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)]
network = keras.Sequential([keras.Input((2,)), *layers])

def function(points):
    return tf.sin(points[:, :1])

def stopped(points):
    return tf.stop_gradient(points[:, :1]) * points[:, 1:]

def make():
    def heat(u_t, u_xx, u_n, f):
        return u_t - u_xx

    return kpinn.PINN(network, "t x", "u", conditions=[heat])
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module to check, in the working directory; its name."""
    (tmp_path / "checked_models.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "checked_models", raising=False)
    return "checked_models"


@pytest.mark.parametrize(
    "arguments, status, printed",
    [
        (["network", "--coordinates", "t x", "--requests", "u_x"], 0, "1 derivative at 8 points"),
        (["function", "--coordinates", "t x", "--low", "-1", "0"], 0, "u_tx"),
        (["make"], 0, "u_n"),
        (["stopped", "--coordinates", "t x", "--requests", "u_t, u_x"], 1, "not ok: 1 error"),
    ],
)
def test_the_command_line(arguments, status, printed, module, capsys):
    name, *options = arguments
    assert main(["check", f"{module}:{name}", "--points", "8", *options]) == status
    assert printed in capsys.readouterr().out


def test_the_command_line_takes_a_file(tmp_path, capsys):
    path = str(tmp_path / "network.keras")
    network().save(path)
    assert main(["check", path, "--points", "8", "--coordinates", "t x"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ok"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["network"], "--coordinates is needed"),
        (["missing"], "no attribute 'missing'"),
        (["network", "--coordinates", "t x", "--requests", "u_y"], "'u_y' asks for"),
        (["network", "--coordinates", "t x", "--low", "0", "0", "0"], "--low has 3 numbers"),
        (["make", "--coordinates", "t x"], "a PINN has its own coordinates"),
    ],
)
def test_a_wrong_call_exits_with_2(arguments, message, module, capsys):
    name, *options = arguments
    with pytest.raises(SystemExit) as stopped:
        main(["check", f"{module}:{name}", *options])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["check", "nothing"])
