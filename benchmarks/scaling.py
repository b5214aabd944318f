"""Many replicas: what a model of the costs predicts, what they reach, and memory of many points.

A step of Burgers' equation in float64 takes `a + b n` seconds for `n` points: both are measured
here, on one device. On `R` replicas with `n` points each there is an exchange of `B` bytes too. It
takes `2 (R - 1) / R B / bandwidth + 2 log2(R) latency`, by trees and rings as collective libraries
have them. Bandwidth and latency are those of your network: they are given, not measured.

With `--weak` steps of Adam are measured under `tf.distribute.MirroredStrategy`, with as many points
for each replica, on the GPUs that TensorFlow sees or else on logical devices of the CPU, which
share its cores. With `--memory` a stream draws many points, and the memory of the process is read;
with `--full` that of losses and gradients at more and more points at once, as `LBFGS` takes them.

Run: python benchmarks/scaling.py [--bandwidth 10] [--latency 20] [--points 16384]
        [--optimizers Adam LevenbergMarquardt] [--short]
    python benchmarks/scaling.py --weak 1 2 4 8 [--points 16384] [--short]
    python benchmarks/scaling.py --memory [--total 100000000] [--points 16384] [--short]
    python benchmarks/scaling.py --full 16384 65536 262144 [--short]
"""

import argparse
import math
import resource
import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from timing import alternately, timed

import kpinn
from kpinn.objective import many_points

tf.get_logger().setLevel("ERROR")  # of many functions that are traced in turn

REPLICAS = 8, 64, 1024
BOX = kpinn.domains.Box(t=(0, 1), x=(-1, 1))
STEPS = 4  # by which a long fit is longer than a short one
OPTIMIZERS = {
    "Adam": keras.optimizers.Adam,
    "LBFGS": kpinn.optimizers.LBFGS,
    "SSBroyden": kpinn.optimizers.SSBroyden,
    "LevenbergMarquardt": kpinn.optimizers.LevenbergMarquardt,
}


def momentum(u, u_t, u_x, u_xx):
    return u_t + u * u_x - 0.01 * u_xx


def make(optimizer, jit_compile="auto"):
    keras.utils.set_random_seed(0)
    network = kpinn.networks.MLP(units=20, depth=4)
    pinn = kpinn.PINN(network, "t x", "u", conditions=[momentum])
    pinn.compile(optimizer, jit_compile=jit_compile)
    return pinn


def step_of(pinn, points, rounds):
    """The seconds of a step: the difference of a long and a short `fit`."""
    counts = 1, 1 + STEPS
    fits = {n: timed(lambda n=n: pinn.fit(points, epochs=n, verbose=0)) for n in counts}
    short, long = (statistics.median(times) for times in alternately(fits, rounds).values())
    return (long - short) / STEPS


# The model ---------------------------------------------------------------------------------


def constants(name, sizes, rounds):
    """`a` and `b` in seconds, evaluations of a step, and the number of parameters."""
    seconds = []
    for size in sizes:
        pinn = make(OPTIMIZERS[name]())
        seconds.append(step_of(pinn, BOX.sample(size, seed=0), rounds))
        result = pinn.result
    slope, start = np.polyfit(sizes, seconds, 1)
    evaluations = result.evaluations / max(1, result.iterations) if name != "Adam" else 1.0
    return max(start, 0.0), slope, evaluations, pinn.count_params()


def exchanged(name, evaluations, parameters):
    """The bytes of a step: a loss and a gradient in each evaluation, and the products `J^T J`."""
    count = evaluations * (parameters + 1)
    return 8 * (count + (parameters + 1) ** 2 * (name == "LevenbergMarquardt"))


def exchange(size, replicas, given):
    """The seconds of an exchange."""
    ring = 2 * (replicas - 1) / replicas * size / (1e9 * given.bandwidth)
    return ring + 2 * math.log2(replicas) * 1e-6 * given.latency


def print_row(*cells):
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def print_model(given):
    sizes = [given.points // part for part in ((4, 1) if given.short else (16, 4, 1))]
    print(f"{given.points} points on each replica, {given.bandwidth:g} GB/s, {given.latency:g} us")
    heads = [f"{replicas} replicas" for replicas in REPLICAS]
    head = "optimizer", "a, ms", "b, us", "kB exchanged", "one replica, ms", *heads
    print_row(*head)
    print("|---" * len(head) + "|")
    for name in given.optimizers:
        start, slope, evaluations, parameters = constants(name, sizes, 1 if given.short else 3)
        size, one = exchanged(name, evaluations, parameters), start + slope * given.points
        several = [one + exchange(size, replicas, given) for replicas in REPLICAS]
        print_row(
            name,
            f"{1e3 * start:.2f}",
            f"{1e6 * slope:.3f}",
            f"{size / 1e3:.0f}",
            f"{1e3 * one:.1f}",
            *(f"{1e3 * seconds:.1f} ({one / seconds:.0%})" for seconds in several),
        )


# What replicas and streams reach -------------------------------------------------------------


def devices_of(count):
    """The names of so many devices: GPUs, else logical ones of the CPU."""
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    found = tf.config.list_logical_devices(kind)
    if len(found) < count:
        raise SystemExit(f"{count} replicas need as many GPUs: there are {len(found)}.")
    return [device.name for device in found[:count]]


def print_weak(given):
    if not tf.config.list_physical_devices("GPU"):
        (cpu,) = tf.config.list_physical_devices("CPU")
        several = [tf.config.LogicalDeviceConfiguration()] * max(given.weak)
        tf.config.set_logical_device_configuration(cpu, several)
    print_row("replicas", "points", "ms per step", "points per second", "efficiency")
    print("|---" * 5 + "|")
    first = None
    for count in given.weak:
        with tf.distribute.MirroredStrategy(devices_of(count)).scope():
            pinn = make("adam")
        points = BOX.sample(count * given.points, seed=0)
        seconds = step_of(pinn, points, 1 if given.short else 5)
        rate = count * given.points / seconds
        first = first or rate / count
        numbers = f"{1e3 * seconds:.1f}", f"{rate:.3g}", f"{rate / count / first:.0%}"
        print_row(count, count * given.points, *numbers)


def peak():
    """The most memory that the process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def print_memory(given):
    total = 100 * given.points if given.short else given.total
    pinn, stream = make("adam"), BOX.stream(given.points)
    pinn.fit(stream, epochs=2, steps_per_epoch=2, verbose=0)
    before, steps = peak(), math.ceil(total / given.points)
    start = time.perf_counter()
    pinn.fit(stream, steps_per_epoch=steps, verbose=0)
    seconds = time.perf_counter() - start
    print_row("points in a step", "steps", "points", "seconds", "peak before, MB", "after, MB")
    print("|---" * 6 + "|")
    numbers = f"{steps * given.points:.2e}", f"{seconds:.0f}", f"{before:.0f}", f"{peak():.0f}"
    print_row(given.points, steps, *numbers)
    print(f"\nAs arrays these points would take {16e-6 * steps * given.points:.0f} MB.")


def evaluation(count, most):
    """The seconds of a loss and its gradient at so many points, of which `most` are a part."""
    many_points.POINTS, pinn = most, make(kpinn.optimizers.LBFGS(), jit_compile=False)
    data, theta = pinn.prepare(BOX.sample(count, seed=0)), pinn.objective.theta()
    pinn.objective.value_and_gradient(theta, data)  # which compiles
    return timed(lambda: pinn.objective.value_and_gradient(theta, data))(1)


def print_full(given):
    parts = many_points.POINTS
    evaluation(min(given.full), parts)
    before = peak()
    print_row("points", "of a part", "seconds of an evaluation", "more memory, MB")
    print("|---" * 4 + "|")
    for name, most in ((parts, parts), ("all", max(given.full))):  # the peak only grows
        for count in sorted(given.full):
            print_row(count, name, f"{evaluation(count, most):.2f}", f"{peak() - before:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=16_384, help="on each replica, or in a step")
    parser.add_argument("--bandwidth", type=float, default=10.0, help="of a replica, in GB/s")
    parser.add_argument("--latency", type=float, default=20.0, help="of a message, in microseconds")
    parser.add_argument("--optimizers", nargs="+", choices=OPTIMIZERS, default=list(OPTIMIZERS))
    parser.add_argument("--weak", type=int, nargs="+", help="numbers of replicas to measure")
    parser.add_argument("--memory", action="store_true", help="read the memory of a stream")
    parser.add_argument("--full", type=int, nargs="+", help="numbers of points to take at once")
    parser.add_argument("--total", type=int, default=10**8, help="points of the stream")
    parser.add_argument("--short", action="store_true", help="tiny sizes, measured once")
    given = parser.parse_args()
    if given.short:
        given.points = min(given.points, 400)
    kpinn.set_float64()
    if given.memory:
        print_memory(given)
    elif given.full:
        print_full(given)
    elif given.weak:
        print_weak(given)
    else:
        print_model(given)


if __name__ == "__main__":
    main()
