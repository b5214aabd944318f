"""Prints the tables of `docs/derivatives.md`: relative errors of the derivative methods.

The function is a 1-20-20-1 network with tanh and random weights, which float32 and float64 hold
exactly, as they hold the points. The reference is the same network in mpmath with 50 digits, which
shares no code with kpinn. An error is the root mean square over 41 points in [-1, 1], divided by
the root mean square of the reference.

Run: python docs/measure_derivatives.py
"""

import warnings

import keras
import mpmath
import numpy as np

import kpinn
from kpinn import FiniteDifference

ORDERS = (1, 2, 3, 4)
DTYPES = ("float32", "float64")
METHODS = {
    '"taylor"': "taylor",
    '"reverse"': "reverse",
    '"forward"': "forward",
    "FiniteDifference()": FiniteDifference(),
    "FiniteDifference(accuracy=4)": FiniteDifference(accuracy=4),
    "FiniteDifference(accuracy=6)": FiniteDifference(accuracy=6),
    'FiniteDifference(scheme="forward")': FiniteDifference(scheme="forward"),
}
STEPS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, None)
POINTS = np.linspace(-1.0, 1.0, 41).astype("float32")


def random_weights(sizes=(1, 20, 20, 1)):
    """Kernels and biases of dense layers, normal with the standard deviation of Glorot."""
    rng = np.random.default_rng(0)
    weights = []
    for rows, columns in zip(sizes[:-1], sizes[1:], strict=True):
        weights.append(rng.normal(0.0, np.sqrt(2.0 / (rows + columns)), (rows, columns)))
        weights.append(rng.normal(0.0, 0.5, columns))
    return [weight.astype("float32") for weight in weights]


def keras_network(weights, dtype):
    """The network in Keras."""
    keras.config.set_dtype_policy(dtype)
    kernels = weights[::2]
    activations = ["tanh"] * (len(kernels) - 1) + [None]
    layers = [
        keras.layers.Dense(kernel.shape[1], activation=activation)
        for kernel, activation in zip(kernels, activations, strict=True)
    ]
    network = keras.Sequential(layers)
    network.build((None, 1))
    network.set_weights(weights)
    return network


def mpmath_network(weights):
    """The network in mpmath, a function of one number."""
    weights = [np.vectorize(mpmath.mpf, otypes=[object])(weight) for weight in weights]

    def network(x):
        values = np.array([x])
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            values = np.array([mpmath.tanh(value) for value in values @ kernel + bias])
        return (values @ weights[-2] + weights[-1])[0]

    return network


def references(weights):
    """The derivatives of all orders at the points, by order."""
    network = mpmath_network(weights)
    with mpmath.workdps(50):
        return {
            order: np.array([float(mpmath.diff(network, x, order)) for x in map(float, POINTS)])
            for order in ORDERS
        }


def error(network, dtype, order, method, reference):
    """The relative error as text; a star where kpinn warns, a word where it refuses."""
    name = "u_" + "x" * order
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", kpinn.PrecisionWarning)
        try:
            points = {"x": POINTS.astype(dtype)}
            values = kpinn.derivatives(network, points, name, method=method)[name]
        except ValueError:
            return "refused"
    difference = np.linalg.norm(values.numpy()[:, 0].astype("float64") - reference)
    return f"{difference / np.linalg.norm(reference):.1e}" + " *" * bool(caught)


def print_table(head, rows):
    """A Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def main():
    weights = random_weights()
    expected = references(weights)
    networks = {dtype: keras_network(weights, dtype) for dtype in DTYPES}
    rows = [
        [f"`{label}`", dtype]
        + [error(networks[dtype], dtype, k, method, expected[k]) for k in ORDERS]
        for label, method in METHODS.items()
        for dtype in DTYPES
    ]
    print_table(["method", "dtype", *(f"`u_{'x' * order}`" for order in ORDERS)], rows)
    print()
    columns = [(dtype, order) for dtype in DTYPES for order in (1, 2)]
    rows = []
    for step in STEPS:
        method = FiniteDifference(step=step)
        cells = [error(networks[d], d, k, method, expected[k]) for d, k in columns]
        rows.append([f"`{step}`", *cells])
    print_table(["`step`", *(f"`u_{'x' * k}`, {dtype}" for dtype, k in columns)], rows)


if __name__ == "__main__":
    main()
