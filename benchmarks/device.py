"""What a device is worth: derivatives, steps of Levenberg-Marquardt and Burgers' equation on it.

It measures whatever TensorFlow sees and computes on, and says its name. First is the step of a loss
made of an operator's derivatives, by exact derivatives and by nested tapes, in milliseconds of the
faster of XLA and plain, and the error of the derivatives with and without TensorFlow's products of
three digits, which only some devices have. Then come steps of Levenberg-Marquardt, with matrices
that are factorised by LAPACK on the host and by TensorFlow on the device; a step is the difference
of a long and a short `fit`. Last is Burgers' equation of the ladder of accuracy problems, by
Levenberg-Marquardt in float64.

Run: python benchmarks/device.py [--parts derivatives steps burgers] [--seconds 60] [--short]
"""

import argparse
import statistics
from unittest import mock

import keras
import numpy as np
import steps_kpinn
import tensorflow as tf
from accuracy import OPTIMIZERS, train
from accuracy_problems import burgers
from operators import Case
from timing import alternately, timed

import kpinn
from kpinn.backend import devices

tf.get_logger().setLevel("ERROR")  # of many functions that are traced in turn

PARTS = "derivatives", "steps", "burgers"
CHOSEN = "u_xx", "burgers", "laplacian_3", "laplacian_10", "navier_stokes", "biharmonic"
STEPS = 4  # of Levenberg-Marquardt, by which a long fit is longer
HOST, DEVICE = [], [devices.Device("GPU", "any", (7, 0))]  # where a step is to be factorised
three_digits = tf.config.experimental.enable_tensor_float_32_execution


def print_row(*cells):
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def print_head(*names):
    print()
    print_row(*names)
    print("|---" * len(names) + "|", flush=True)


def described():
    """What TensorFlow computes on."""
    found = [device.name for device in devices.accelerators()]
    return ", ".join(found) or "CPU alone"


# Derivatives -------------------------------------------------------------------------------


def finished(step):
    """A step that is waited for: a GPU only takes it down when it is called."""
    return lambda: step()[-1].numpy()


def derivatives_table(short):
    width, points, rounds = (16, 200, 1) if short else (128, 10_000, 7)
    title = f"{width} units, 4 layers, {points} points"
    print_head(title, "dtype", "exact ms", "tapes ms", "ratio", "error", "error with TF32")
    for operator in CHOSEN[:2] if short else CHOSEN:
        for dtype in ("float32", "float64"):
            case = Case(operator, width=width, depth=4, dtype=dtype, points=points)
            three_digits(False)
            keys = steps_kpinn.steps(case, ("taylor", "reverse"))
            times = alternately({k: timed(finished(f)) for k, f in keys.items()}, rounds, 5.0)
            best = {
                method: 1e3 * min(statistics.median(times[k]) for k in keys if k[0] == method)
                for method in ("taylor", "reverse")
            }
            errors = [steps_kpinn.error(case, "taylor")]
            three_digits(True)
            errors.append(steps_kpinn.error(case, "taylor"))
            numbers = [f"{ms:.2f}" for ms in best.values()]
            ratio = f"{best['reverse'] / best['taylor']:.1f}"
            print_row(operator, dtype, *numbers, ratio, *(f"{error:.1e}" for error in errors))
    three_digits(False)


# Levenberg-Marquardt -----------------------------------------------------------------------


def momentum(u, u_t, u_x, u_xx):
    return u_t + u * u_x - 0.01 * u_xx


def start(x, u):
    return u + keras.ops.sin(np.pi * x)


def steps_of(units, points, place, rounds):
    """The milliseconds of a step, and the number of parameters."""
    keras.utils.set_random_seed(0)
    box = kpinn.domains.Box(t=(0, 1), x=(-1, 1))
    network = kpinn.networks.MLP(units=units, depth=4)
    pinn = kpinn.PINN(network, "t x", "u", conditions=[momentum, start])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt())
    sets = {"momentum": box.sample(points, seed=0), "start": box.face(t=0).sample(200, seed=1)}
    with mock.patch.object(devices, "accelerators", lambda: place):
        fits = {n: timed(lambda n=n: pinn.fit(sets, epochs=n, verbose=0)) for n in (1, 1 + STEPS)}
        short, long = (statistics.median(t) for t in alternately(fits, rounds).values())
    return 1e3 * (long - short) / STEPS, pinn.count_params()


def steps_table(short):
    print_head("parameters", "points", "step, on the host, ms", "step, on the device, ms", "ratio")
    for units, points in [(8, 200)] if short else [(20, 3_000), (30, 3_000), (40, 3_000)]:
        (host, size), (device, _) = (
            steps_of(units, points, place, 1 if short else 5) for place in (HOST, DEVICE)
        )
        print_row(size, points, f"{host:.1f}", f"{device:.1f}", f"{host / device:.2f}")


def burgers_table(seconds):
    run = train(burgers(), OPTIMIZERS["levenberg_marquardt"], seed=0, seconds=seconds)
    print_head("Burgers, parameters", "steps", "seconds", "relative L2 error")
    numbers = run["iterations"], f"{run['seconds']:.0f}", f"{run['error']:.1e}"
    print_row(run["parameters"], *numbers)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seconds", type=float, default=60.0, help="of Burgers' equation")
    parser.add_argument("--short", action="store_true", help="tiny sizes, a step of each")
    given = parser.parse_args()
    print(f"Device: {described()}; TensorFlow {tf.__version__}, Keras {keras.__version__}")
    if "derivatives" in given.parts:
        derivatives_table(given.short)
    kpinn.set_float64()
    if "steps" in given.parts:
        steps_table(given.short)
    if "burgers" in given.parts:
        burgers_table(0.0 if given.short else given.seconds)


if __name__ == "__main__":
    main()
