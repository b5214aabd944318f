"""Saving, loading and serving, in fresh processes where it matters."""

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import BOX, Formula, Heat, heat_points, small_heat

import kpinn

NEW = {"t": np.full((3, 1), 0.25), "x": np.linspace(0, 1, 3)[:, None]}


def fresh_process(program, tmp_path):
    """Runs a program in a new interpreter; it finds this folder's `problems`."""
    header = f"import sys; sys.path.insert(0, {str(__file__.rpartition('/')[0])!r})\n"
    result = subprocess.run(
        [sys.executable, "-c", header + textwrap.dedent(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]


def trained(optimizer="adam"):
    pinn = Heat(kpinn.networks.MLP(units=4, depth=1), conductivity=0.5)
    pinn.unknown("k", 0.25, positive=True)
    pinn.compile(optimizer, loss_weights={"start": 3.0}, metrics={"start": ["mae"]})
    pinn.fit(heat_points(), epochs=3, verbose=0)
    return pinn


def test_a_subclass_is_loaded_in_a_fresh_process(tmp_path):
    pinn = trained()
    pinn.save(tmp_path / "heat.keras")
    pinn.network.save(tmp_path / "network.keras")
    np.savez(tmp_path / "expected.npz", **pinn.predict_fields(NEW, "u, u_xx"))
    logs = pinn.evaluate(heat_points(), return_dict=True, verbose=0)
    np.savez(tmp_path / "logs.npz", **logs)
    program = """
        import keras, numpy as np, problems
        pinn = keras.saving.load_model("heat.keras")
        assert type(pinn) is problems.Heat and pinn.conductivity == 0.5
        expected, logs = np.load("expected.npz"), np.load("logs.npz")
        new = {"t": np.full((3, 1), 0.25), "x": np.linspace(0, 1, 3)[:, None]}
        for name, values in pinn.predict_fields(new, "u, u_xx").items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-6)
        found = pinn.evaluate(problems.heat_points(), return_dict=True, verbose=0)
        assert sorted(found) == sorted(logs)
        for name, value in found.items():
            np.testing.assert_allclose(value, logs[name], rtol=1e-5)
        assert float(pinn.loss_weights["start"].numpy()) == 3.0
        assert int(pinn.optimizer.iterations) == 3
        network = keras.saving.load_model("network.keras")
        points = np.hstack([new["t"], new["x"]])
        np.testing.assert_allclose(network(points), expected["u"], rtol=1e-6)
    """
    fresh_process(program, tmp_path)


def test_training_goes_on_where_it_was(tmp_path):
    pinn = trained()
    pinn.save(tmp_path / "heat.keras")
    again = keras.saving.load_model(tmp_path / "heat.keras")
    for model in (pinn, again):
        model.fit(heat_points(), epochs=2, verbose=0)
    for actual, expected in zip(again.get_weights(), pinn.get_weights(), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


@keras.saving.register_keras_serializable(package="tests")
def growth(u, u_t):
    return u_t - u


def decay(u, u_t):
    return u_t + u


@pytest.mark.parametrize("optimizer", ["adam", "scipy"])
@pytest.mark.parametrize("method", ["reverse", kpinn.FiniteDifference(accuracy=4, step={"t": 0.1})])
def test_functional_form_is_saved(tmp_path, method, optimizer):
    optimizer = kpinn.optimizers.ScipyMinimize(maxcor=7) if optimizer == "scipy" else optimizer
    network = kpinn.networks.MLP(units=4, depth=1)
    pinn = kpinn.PINN(network, "t", "u", conditions=[growth], method=method, name="growing")
    pinn.compile(optimizer)
    pinn.save(tmp_path / "growth.keras")
    again = keras.saving.load_model(tmp_path / "growth.keras")
    assert (again.name, again.method) == ("growing", method)
    assert type(again.optimizer) is type(pinn.optimizer)
    points = {"t": np.linspace(0, 1, 4)}
    np.testing.assert_array_equal(
        again.residuals(points)["growth"], pinn.residuals(points)["growth"]
    )


def test_functions_that_cannot_be_saved_say_so(tmp_path):
    pinn = kpinn.PINN(kpinn.networks.MLP(units=4), "t", "u", conditions=[decay])
    with pytest.raises(ValueError, match="'decay' is a function that cannot be saved.*decorate it"):
        pinn.save(tmp_path / "decay.keras")


def test_config_and_clone():
    pinn = trained()
    config = pinn.get_config()
    assert config["conductivity"] == 0.5
    again = Heat.from_config(config)
    assert again.get_config().keys() == config.keys()
    assert [v.path for v in again.unknowns.values()] or again.unknowns.keys() == {"k"}
    clone = keras.models.clone_model(pinn)
    assert clone.count_params() == pinn.count_params()
    clone.set_weights(pinn.get_weights())
    for name, values in clone.residuals(heat_points()).items():
        np.testing.assert_allclose(values, pinn.residuals(heat_points())[name], rtol=1e-6)


def test_summary_lists_network_and_unknowns(capsys):
    trained().summary()
    printed = capsys.readouterr().out
    assert "mlp" in printed and "18" in printed  # 2 * 4 + 4 + 4 + 1 parameters and one unknown


# SavedModel -------------------------------------------------------------------------------


class Everything(kpinn.PINN):
    """A vector field, a direction, an array, an unknown and a derived field."""

    coordinates, fields = "t x y", "v[2] p"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("nu", 0.5)

    @kpinn.field
    def speed(self, v):
        return tf.reduce_sum(v**2, axis=1, keepdims=True)

    @kpinn.condition
    def inside(self, div_v, p_xx, speed_x, nu):
        return div_v + nu * p_xx + speed_x

    @kpinn.condition
    def wall(self, p_n, g):
        return p_n - g


SERVED = ["taylor", "reverse", "forward", kpinn.FiniteDifference(accuracy=4)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """For each method the PINN, its inputs and what its SavedModel serves in another process."""
    folder, pinns = tmp_path_factory.mktemp("served"), []
    rng = np.random.default_rng(0)
    columns = {name: rng.uniform(0.2, 1.0, (5, 1)).astype("float32") for name in ("t", "x", "y")}
    extra = {"n": rng.normal(size=(5, 2)).astype("float32"), "g": columns["t"]}
    np.savez(folder / "inputs.npz", **columns, **extra)
    for i, method in enumerate(SERVED):
        network = Formula(lambda t, x, y: [t * x**2, x * y**3, x**3 * t])
        pinns.append(Everything(network, method=method))
        pinns[i].export(folder / f"model{i}", derivatives="p_xx, v_x, curl_v, speed_y, p_n")
    program = """
        sys.modules["keras"] = sys.modules["kpinn"] = None
        import numpy as np, tensorflow as tf
        inputs = {name: tf.constant(values) for name, values in np.load("inputs.npz").items()}
        xyz = {name: inputs[name] for name in "txy"}
        for i in range(NUMBER):
            model = tf.saved_model.load(f"model{i}")
            signatures = model.signatures
            assert sorted(signatures) == [
                "derivatives", "residual_inside", "residual_wall", "serving_default"
            ]
            results = dict(signatures["serving_default"](**xyz))
            results |= signatures["derivatives"](**xyz, n=inputs["n"])
            results |= signatures["residual_inside"](**xyz)
            results |= signatures["residual_wall"](**xyz, n=inputs["n"], g=inputs["g"])
            one = {name: values[:1] for name, values in xyz.items()}
            assert signatures["serving_default"](**one)["p"].shape == (1, 1)
            np.savez(f"served{i}.npz", **{name: values.numpy() for name, values in results.items()})
    """
    fresh_process(program.replace("NUMBER", str(len(SERVED))), folder)
    found = [dict(np.load(folder / f"served{i}.npz")) for i in range(len(SERVED))]
    return [(pinn, columns, extra, each) for pinn, each in zip(pinns, found, strict=True)]


@pytest.mark.parametrize("number", range(len(SERVED)), ids=map(str, SERVED))
def test_a_saved_model_serves_without_kpinn_and_keras(served, number):
    pinn, columns, extra, found = served[number]
    expected = pinn.predict_fields(columns | extra, "v, p, speed, p_xx, v_x, curl_v, speed_y, p_n")
    expected |= pinn.residuals({"inside": columns, "wall": columns | extra})
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-3, atol=1e-3)
    t, x, y = columns["t"], columns["x"], columns["y"]
    tolerance = 2e-2 if isinstance(SERVED[number], kpinn.FiniteDifference) else 1e-5
    np.testing.assert_allclose(found["p_xx"], 6 * x * t, rtol=tolerance, atol=tolerance)
    inside = 2 * t * x + 3 * x * y**2 + 0.5 * 6 * x * t + 4 * t**2 * x**3 + 2 * x * y**6
    np.testing.assert_allclose(found["inside"], inside, rtol=tolerance, atol=tolerance)


def test_the_derivatives_exported_by_default_are_those_of_the_conditions(tmp_path):
    pinn = small_heat()
    pinn.export(tmp_path / "heat")
    outputs = tf.saved_model.load(tmp_path / "heat").signatures["derivatives"].structured_outputs
    assert sorted(outputs) == ["u_t", "u_xx"]
    with pytest.raises(ValueError, match="'u_y'"):
        pinn.export(tmp_path / "heat", derivatives="u_y")


# After training ---------------------------------------------------------------------------


def test_prediction_in_batches_is_prediction():
    pinn, points = small_heat(), BOX.sample(25, seed=0)
    whole = pinn.predict_fields(points, "u, u_x, hessian_u")
    for batch_size in (1, 7, 25, 100):
        parts = pinn.predict_fields(points, "u, u_x, hessian_u", batch_size=batch_size)
        for name in whole:
            np.testing.assert_allclose(parts[name], whole[name], rtol=1e-5, atol=1e-6)
    residuals = pinn.residuals(points, batch_size=4)
    assert residuals["heat"].shape == (25, 1)
    predicted = pinn.predict(points)
    for name, values in pinn.residuals(points).items():
        np.testing.assert_allclose(residuals[name], values, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(predicted[name], values)


def test_some_conditions_can_be_evaluated_alone():
    pinn, points = small_heat(), heat_points()
    start = {"start": points["start"]}
    logs = pinn.evaluate(start, return_dict=True, verbose=0)
    logs = {name: float(value) for name, value in logs.items()}  # tensors in Keras 3.13
    assert logs["start"] == pytest.approx(np.mean(pinn.residuals(start)["start"] ** 2), rel=1e-5)
    assert logs["loss"] == pytest.approx(logs["start"], rel=1e-6)
    assert list(pinn.residuals(start)) == ["start"]


def test_a_condition_may_be_named_as_a_field():
    def u(u, x):
        return u - x

    pinn = kpinn.PINN(Formula(lambda x: 3.0 * x), "x", "u", conditions=[u])
    points = {"x": [1.0, 2.0]}
    np.testing.assert_allclose(pinn.predict_fields(points)["u"], [[3.0], [6.0]])
    np.testing.assert_allclose(pinn.residuals(points)["u"], [[2.0], [4.0]])


def test_prediction_follows_training():
    pinn = small_heat(keras.optimizers.SGD(0.1))
    before = pinn.predict_fields(NEW, "u_x")["u_x"]
    pinn.fit(heat_points(), epochs=5, verbose=0)
    after = pinn.predict_fields(NEW, "u_x")["u_x"]
    assert np.abs(after - before).max() > 1e-4


@pytest.mark.parametrize(
    ("points", "names", "message"),
    [
        (NEW, "u_y", "'u_y'.*coordinates: t, x"),
        (NEW, "u_n", "'u_n'"),
        ({"t": [1.0]}, "u", "lack the coordinate 'x'"),
        ({"t": [1.0], "x": [np.nan]}, "u", "NaN or infinity"),
        ({"t": [1.0], "x": [1.0, 2.0]}, "u", "different numbers of points"),
    ],
)
def test_predictions_that_cannot_work(points, names, message):
    with pytest.raises(ValueError, match=message):
        small_heat().predict_fields(points, names)
