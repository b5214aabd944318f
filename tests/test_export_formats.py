"""ONNX and LiteRT: what is exported is served by their runtimes, without TensorFlow."""

import inspect
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from problems import Formula, small_heat

import kpinn
from kpinn.derivatives.api import resolve
from kpinn.serving import endpoints, one_file, onnx, substitutes

NAMES = "v_x, hessian_p, p_n"


@pytest.fixture(autouse=True)
def _packages():
    for name in ("tf2onnx", "onnxruntime", "ai_edge_litert"):
        pytest.importorskip(name)


class Flow(kpinn.PINN):
    """A vector field, a direction, an array and an unknown."""

    coordinates, fields = "x y", "v[2] p"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("nu", 0.5)

    @kpinn.condition
    def inside(self, div_v, p_y, nu):
        return div_v + nu * p_y

    @kpinn.condition
    def wall(self, p_n, g):
        return p_n - g


def closed_forms(dtype):
    """A PINN whose network is v = (x^2, x y^3), p = x^3 sin y."""
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    return Flow(Formula(lambda x, y: [x**2, x * y**3, x**3 * ops.sin(y)]))


def expected_values(x, y, n, g):
    p_x, p_y = 3 * x**2 * np.sin(y), x**3 * np.cos(y)
    mixed = 3 * x**2 * np.cos(y)
    hessian = np.hstack([6 * x * np.sin(y), mixed, mixed, -(x**3) * np.sin(y)])
    p_n = p_x * n[:, :1] + p_y * n[:, 1:]
    return {
        "v": np.hstack([x**2, x * y**3]),
        "p": x**3 * np.sin(y),
        "v_x": np.hstack([2 * x, y**3]),
        "hessian_p": hessian.reshape(-1, 2, 2),
        "p_n": p_n,
        "residual_inside": 2 * x + 3 * x * y**2 + 0.5 * p_y,
        "residual_wall": p_n - g,
    }


def inputs(rows, dtype):
    generator = np.random.default_rng(rows)
    columns = {name: generator.uniform(0.2, 1.0, (rows, 1)).astype(dtype) for name in "xyg"}
    return columns | {"n": generator.normal(size=(rows, 2)).astype(dtype)}


SERVE = """
import sys
for name in ("tensorflow", "keras", "kpinn"):
    sys.modules[name] = None  # importing one of them fails
import numpy as np
kind, rows = sys.argv[1], [int(each) for each in sys.argv[2:]]
if kind == "onnx":
    import onnxruntime
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    def run(given):
        return dict(zip(names, session.run(names, given)))
else:
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(model_path="model.tflite")
    signatures = interpreter.get_signature_list()
    def run(given):
        found = {}
        for name, ends in signatures.items():
            runner = interpreter.get_signature_runner(name)
            values = runner(**{key: given[key] for key in ends["inputs"]})
            prefix = "residual_" if name.startswith("residual_") else ""
            found |= {prefix + key: value for key, value in values.items()}
        return found
for count in rows:
    np.savez(f"served{count}.npz", **run(dict(np.load(f"inputs{count}.npz"))))
"""


@pytest.mark.parametrize(
    ("form", "dtype", "suffix"), [("onnx", "float64", "onnx"), ("litert", "float32", "tflite")]
)
def test_a_file_serves_without_tensorflow(form, dtype, suffix, tmp_path, capsys):
    pinn, path = closed_forms(dtype), tmp_path / f"model.{suffix}"
    free = {"x": 1, "y": 1, "n": 2, "g": 1}
    given = {name: keras.InputSpec(shape=(None, k)) for name, k in free.items()}
    pinn.export(path, form, True, given, NAMES)
    assert capsys.readouterr().out == f"Saved artifact at '{path}'.\n"
    for rows in (1, 6):
        np.savez(tmp_path / f"inputs{rows}.npz", **inputs(rows, dtype))
    command = [sys.executable, "-c", SERVE, form, "1", "6"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for rows in (1, 6):
        found = dict(np.load(tmp_path / f"served{rows}.npz"))
        expected = expected_values(**inputs(rows, dtype))
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            tolerance = 1e-13 if dtype == "float64" else 2e-5
            assert found[name].dtype == dtype
            np.testing.assert_allclose(found[name], values, rtol=tolerance, atol=tolerance)


def test_the_inputs_of_a_graph():
    def ends(derivatives=None, given=None):
        problem = closed_forms("float32").problem
        served = endpoints.endpoints(problem, resolve("auto"), {}, derivatives)
        signature = endpoints.signature(problem, served, given)
        endpoint, left_out = onnx.together(served, signature)
        function, specs = signature.traced(endpoint)
        outputs = function.get_concrete_function().structured_outputs
        return " ".join(sorted(specs)), " ".join(sorted(outputs)), left_out

    assert ends() == ("x y", "div_v p p_y residual_inside v", ["residual_wall"])
    assert ends("p_n") == ("n x y", "p p_n residual_inside v", ["residual_wall"])
    given = {name: tf.zeros((3, 1)) for name in "xyg"} | {"n": tf.zeros((3, 2))}
    all_of_them = "div_v p p_y residual_inside residual_wall v"
    assert ends(given=given) == ("g n x y", all_of_them, [])


def test_two_outputs_of_one_name_are_refused(tmp_path):
    network = Formula(lambda x: x**2)
    pinn = kpinn.PINN(network, "x", "residual_flat", conditions=[flat])
    with pytest.raises(ValueError, match="field 'residual_flat' is called as the residual"):
        pinn.export(tmp_path / "flat.onnx", format="onnx")


def flat(residual_flat):
    return residual_flat


def test_a_fixed_number_of_points_of_another_dtype(tmp_path):
    pinn, shape = small_heat(), keras.InputSpec(shape=(4, 1), dtype="float64")
    pinn.export(tmp_path / "heat", input_signature={"t": shape, "x": shape})
    pinn.export(tmp_path / "heat.tflite", "litert", input_signature=[{"t": shape, "x": shape}])
    served = kpinn.load_export(tmp_path / "heat").signatures["residual_heat"]
    specs = served.structured_input_signature[1].values()
    assert [(spec.shape, spec.dtype) for spec in specs] == [((4, 1), tf.float64)] * 2
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(tmp_path / "heat.tflite"))
    points = {name: np.random.default_rng(0).uniform(size=(4, 1)) for name in ("t", "x")}
    expected = pinn.residuals({"heat": points})["heat"]
    found = interpreter.get_signature_runner("residual_heat")(**points)["heat"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    found = served(**{name: tf.constant(values) for name, values in points.items()})["heat"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_parameter_is_one_number_or_many(tmp_path):
    import onnxruntime

    network = Formula(lambda x, mu: mu * x**2)
    pinn = kpinn.PINN(network, "x", "u", [slope], parameters="mu")
    pinn.export(tmp_path / "family.onnx", format="onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "family.onnx"))
    x = np.array([[1.0], [2.0]], "float32")
    for mu in ([[3.0]], [[3.0], [5.0]]):
        mu = np.array(mu, "float32")
        u, u_mu = session.run(["u", "u_mu"], {"x": x, "mu": mu})
        np.testing.assert_allclose(u, mu * x**2, rtol=1e-6)
        np.testing.assert_allclose(u_mu, x**2, rtol=1e-6)


def slope(u_mu):
    return u_mu


ONE = keras.InputSpec(shape=(4, 1))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("heat", {"format": "onnx"}, "filepath is the name of a file.*ends with .onnx.*heat'"),
        ("heat.onnx", {"format": "litert"}, "ends with .tflite"),
        (
            "heat",
            {"format": "torch"},
            "format 'torch' is unknown: expected.*'litert'.*derivatives='u_x'",
        ),
        ("heat", {"verbose": 2}, "verbose is True or False, not 2"),
        ("heat", {"input_signature": "x"}, "input_signature is a dict"),
        ("heat", {"input_signature": {"t": ONE}}, "input_signature lacks 'x'"),
        ("heat", {"input_signature": {"t": ONE, "x": ONE, "y": ONE}}, "'y', which is no input"),
        ("heat", {"input_signature": {"t": ONE, "x": 4}}, "has 4 for 'x'"),
        (
            "heat",
            {"input_signature": {"t": ONE, "x": keras.InputSpec(shape=(4, 2))}},
            r"shape \(4, 2\) and the dtype float32 for 'x': expected \(None, 1\)",
        ),
        (
            "heat",
            {"input_signature": {"t": ONE, "x": keras.InputSpec(shape=(None, 1))}},
            "different numbers of points",
        ),
    ],
)
def test_exports_that_cannot_work(name, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        small_heat().export(tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def strange(u_t, x):
    return u_t - tf.math.special.bessel_j0(x)


def gauss(u_t, x):
    return u_t - tf.math.erf(x)


@pytest.mark.parametrize(
    ("dtype", "form", "condition", "message"),
    [
        ("float32", "onnx", strange, "format='onnx' cannot express the operation BesselJ0"),
        ("float32", "litert", gauss, "format='litert' cannot express the operation Erf"),
        ("float64", "onnx", gauss, "ONNX Runtime cannot run the export in float64.*Erf"),
        ("float64", "litert", gauss, "format='litert' computes in float32.*set_weights"),
    ],
)
def test_what_a_format_cannot_express(dtype, form, condition, message, tmp_path):
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    network = Formula(lambda t, x: t * x)
    path = tmp_path / {"onnx": "model.onnx", "litert": "model.tflite"}[form]
    path.write_text("as before")
    with pytest.raises(ValueError, match=f"(?s){message}.*Nothing was written"):
        kpinn.PINN(network, "t x", "u", [condition]).export(path, format=form)
    assert path.read_text() == "as before" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("form", "package"),
    [("onnx", "tf2onnx"), ("onnx", "onnxruntime"), ("litert", "ai_edge_litert.interpreter")],
)
def test_packages_that_are_not_there(form, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install 'kpinn\[export\]'"):
        small_heat().export("heat", format=form)


def test_a_wrong_translation_is_refused():
    specs = {"x": tf.TensorSpec((None, 1), tf.float32)}

    def served(shift):
        return lambda arrays: {"u": arrays["x"] + np.float32(shift)}

    def function(arrays):
        return {"u": tf.constant(arrays["x"])}

    one_file.check_numbers("It", function, served(1e-6), specs)
    with pytest.raises(ValueError, match="It gives other values of 'u' than the model at 5 points"):
        one_file.check_numbers("It", function, served(0.1), specs)
    with pytest.raises(ValueError, match="other values of 'u'"):
        one_file.check_numbers("It", function, lambda a: {"u": a["x"][:1]}, specs)


@pytest.mark.parametrize("name", substitutes.SUBSTITUTES)
def test_substitutes_are_the_operations(name):
    operation, generator = getattr(tf.raw_ops, name), np.random.default_rng(0)
    keys = [key for key in inspect.signature(operation).parameters if key != "name"]
    low = 0.1 if name in ("ReciprocalGrad", "RsqrtGrad", "SqrtGrad") else -3.0
    arguments = [tf.constant(generator.uniform(low, 3.0, 50)) for _ in keys]
    expected = operation(**dict(zip(keys, arguments, strict=True)))
    found = substitutes.SUBSTITUTES[name](*arguments)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("columns", [slice(0, 1), slice(1, 3), slice(2, None), slice(None, 2)])
def test_gradients_of_columns_are_padded(columns):
    def function(arrays):
        x = arrays["x"]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x[:, columns] ** 3)
        return {"g": tape.gradient(y, x)}

    call = substitutes.without_rare_operations(
        function, {"x": tf.TensorSpec((None, 4), tf.float64, "x")}
    )
    graph = tf.function(lambda x: call({"x": x})).get_concrete_function(
        tf.TensorSpec((None, 4), tf.float64)
    )
    assert "StridedSliceGrad" not in {each.type for each in graph.graph.get_operations()}
    x = np.random.default_rng(0).uniform(size=(3, 4))
    expected = np.zeros_like(x)
    expected[:, columns] = 3 * x[:, columns] ** 2
    np.testing.assert_allclose(graph(tf.constant(x))["g"], expected, rtol=1e-14)
