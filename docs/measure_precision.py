"""Prints the table of `docs/training.md`: float32 against float64, by Adam and by L-BFGS.

The problem is u_xx = -pi^2 sin(pi x), u(0) = u(1) = 0 at 64 points, with the network 1-20-20-1.
The error is relative, in L2, at 201 points.

Run: python docs/measure_precision.py
"""

import keras
import numpy as np
from keras import ops

import kpinn


def poisson(x, u_xx):
    return u_xx + np.pi**2 * ops.sin(np.pi * x)


def ends(u):
    return u


def solve(optimizer, epochs):
    """The relative error of Poisson's equation, the loss, and the result of the minimizer."""
    keras.utils.set_random_seed(0)
    box = kpinn.domains.Box(x=(0, 1))
    points = {"poisson": box.sample(64, method="grid"), "ends": box.boundary("x").sample(2)}
    network = kpinn.networks.MLP(units=20, depth=2)
    pinn = kpinn.PINN(network, "x", "u", conditions=[poisson, ends])
    pinn.compile(optimizer, loss_weights={"ends": 100.0})
    history = pinn.fit(points, epochs=epochs, verbose=0)
    x = np.linspace(0.0, 1.0, 201)
    u, exact = pinn.predict_fields({"x": x})["u"][:, 0], np.sin(np.pi * x)
    result = getattr(pinn.optimizer, "result", None)
    loss = result.loss if result else history.history["loss"][-1]
    error = np.linalg.norm(u - exact) / np.linalg.norm(exact)
    return error, loss, result


def main():
    print("| optimizer | epochs | dtype | loss | relative error | ended by |")
    print("|---|---|---|---|---|---|")
    for dtype in ("float32", "float64"):
        if dtype == "float64":
            kpinn.set_float64()
        error, loss, _ = solve(keras.optimizers.Adam(1e-3), 5_000)
        print(f"| Adam | 5000 | {dtype} | {loss:.1e} | {error:.1e} | |")
        error, loss, result = solve(kpinn.optimizers.ScipyMinimize("L-BFGS-B"), 2_000)
        ended = f"`{result.code}` after {result.iterations}"
        print(f"| L-BFGS-B | 2000 | {dtype} | {loss:.1e} | {error:.1e} | {ended} |")


if __name__ == "__main__":
    main()
