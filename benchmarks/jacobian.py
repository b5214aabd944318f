"""What the Jacobian of the residuals costs, beside two ways that TensorFlow has for it.

Burgers' equation, float64, one set of points. The others are `tape.jacobian`, a backward pass for
each row (`experimental_use_pfor=False`: with `pfor` it takes as long, and gigabytes of memory), and
`tf.vectorized_map` of the gradient of the residual at a single point. All give the same matrix,
which is checked; they are called in turn in this process, and numbers are medians of milliseconds.
The last columns are seconds of the first call: tracing and compiling. TensorFlow's ways have no
column with XLA, which would compile them anew in each call.

Run: python benchmarks/jacobian.py [--quick]
"""

import math
import statistics
import sys
import time

import keras
import numpy as np
import tensorflow as tf

import kpinn
from kpinn.objective.jacobian import residual_jacobian, residual_vector
from kpinn.problem.points import Data

QUICK = "--quick" in sys.argv
POINTS, DEPTH, WIDTHS = (100, 2, [10]) if QUICK else (1000, 4, [20, 50])
CALLS, SLOW_CALLS = (3, 1) if QUICK else (15, 3)
ZERO = tf.UnconnectedGradients.ZERO


def momentum(u, u_t, u_x, u_xx):
    return u_t + u * u_x - 0.01 / math.pi * u_xx


def make(units):
    keras.utils.set_random_seed(0)
    network = kpinn.networks.MLP(units=units, depth=DEPTH)
    pinn = kpinn.PINN(network, "t x", "u", conditions=[momentum])
    points = kpinn.domains.Box(t=(0, 1), x=(-1, 1)).sample(POINTS, seed=0)
    return pinn, {name: tf.constant(array) for name, array in points.items()}


def ours(pinn, points):
    return residual_jacobian(pinn.objective, Data({"momentum": points}, {}, {}))[0]


def by_tape(pinn, points):
    values = [variable.value for variable in pinn.trainable_variables]
    with tf.GradientTape() as tape:
        residuals = residual_vector(pinn.objective, Data({"momentum": points}, {}, {}))
    parts = tape.jacobian(
        residuals, values, unconnected_gradients=ZERO, experimental_use_pfor=False
    )
    return tf.concat([tf.reshape(part, (POINTS, -1)) for part in parts], axis=1)


def by_point(pinn, points):
    def row(point):
        arrays = {name: value[None] for name, value in point.items()}
        gradient, _ = gradients(pinn, arrays, lambda residual: residual[0, 0])
        return gradient / math.sqrt(POINTS)

    return tf.vectorized_map(row, points)


def gradients(pinn, points, total):
    values = [variable.value for variable in pinn.trainable_variables]
    with tf.GradientTape() as tape:
        loss = total(pinn.residuals_at(("momentum",), points)["momentum"])
    parts = tape.gradient(loss, values, unconnected_gradients=ZERO)
    return tf.concat([tf.reshape(part, (-1,)) for part in parts], axis=0), loss


def gradient(pinn, points):
    """The gradient of the loss, for comparison."""
    return gradients(pinn, points, lambda residual: tf.reduce_mean(residual**2))[0]


WAYS = {
    "XLA": (ours, True),
    "plain": (ours, False),
    "map": (by_point, False),
    "tape": (by_tape, False),
    "gradient": (gradient, True),
}


def compiled(function, pinn, points, jit_compile):
    """The compiled function without arguments, its value and the seconds of its first call."""
    call = tf.function(lambda p: function(pinn, p), autograph=False, jit_compile=jit_compile)
    start = time.perf_counter()
    found = call(points).numpy()
    return lambda: call(points).numpy(), found, time.perf_counter() - start


def measure(units):
    """Median milliseconds and first seconds by way, and the shape of the matrix."""
    pinn, points = make(units)
    made = {name: compiled(f, pinn, points, jit) for name, (f, jit) in WAYS.items()}
    for name in ("plain", "map", "tape"):
        np.testing.assert_allclose(made[name][1], made["XLA"][1], rtol=0, atol=1e-12)
    times = {name: [] for name in made}
    for i in range(CALLS):
        for name, (call, _, _) in made.items():
            if name != "tape" or i < SLOW_CALLS:
                start = time.perf_counter()
                call()
                times[name].append(1e3 * (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return medians, {name: first for name, (_, _, first) in made.items()}, made["XLA"][1].shape


def main():
    kpinn.set_float64()
    head = "network", "matrix", "XLA", "plain", "`vectorized_map`", "`tape.jacobian`"
    head += ("map / XLA", "map / plain", "tape / XLA", "tape / plain", "gradient, XLA")
    head += ("first XLA s", "plain s", "map s", "tape s")
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    for units in WIDTHS:
        ms, first, (rows, columns) = measure(units)
        cells = [f"{DEPTH} x {units}", f"{rows} x {columns}"]
        cells += [f"{ms[name]:.1f}" for name in ("XLA", "plain", "map", "tape")]
        cells += [f"{ms[a] / ms[b]:.1f}" for a in ("map", "tape") for b in ("XLA", "plain")]
        cells += [f"{ms['gradient']:.1f}"]
        cells += [f"{first[name]:.1f}" for name in ("XLA", "plain", "map", "tape")]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
