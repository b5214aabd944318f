"""Draws the pictures of docs/plotting.md.

Run: python docs/draw_plots.py --output docs/images
"""

import argparse
import pathlib

import keras
import numpy as np
from draw_domains import Cylinder, channel, no_rotation
from keras import ops

import kpinn
from kpinn.backend import look
from kpinn.domains import Box, Ring

EXACT = {"diffusivity": 0.1, "rate": 0.5}


class Turning(keras.layers.Layer):
    """A bump that goes around a ring, in closed form."""

    def call(self, points):
        """Columns t, x and y to the height, `(n, 3)` to `(n, 1)`."""
        t, x, y = points[:, :1], points[:, 1:2], points[:, 2:]
        return ops.exp(-8 * ((x - 0.75 * ops.cos(t)) ** 2 + (y - 0.75 * ops.sin(t)) ** 2))


def height(u):
    """A condition, since a PINN has one; nothing is trained."""
    return u


class Heat(kpinn.PINN):
    """u_t = d u_xx - r u, with both numbers unknown; u = exp(-(d pi^2 + r) t) sin(pi x) + ..."""

    coordinates, fields = "t x", "u"

    def __init__(self, network):
        super().__init__(network)
        self.diffusivity = self.unknown("diffusivity", initial=0.05, positive=True)
        self.rate = self.unknown("rate", initial=1.0)

    @kpinn.condition
    def heat(self, u, u_t, u_xx):
        """The equation."""
        return u_t - self.diffusivity * u_xx + self.rate * u

    @kpinn.condition
    def samples(self, u):
        """The measurements, which are targets."""
        return u


def solution(t, x):
    """Two modes with the exact numbers."""
    parts = [
        np.exp(-(EXACT["diffusivity"] * (k * np.pi) ** 2 + EXACT["rate"]) * t)
        * np.sin(k * np.pi * x)
        for k in (1, 2)
    ]
    return parts[0] + 0.5 * parts[1]


def trained():
    """A PINN for unknowns from samples with 2 % noise; its data and the histories of both fits."""
    keras.utils.set_random_seed(0)
    box, rng = Box(t=(0, 1), x=(0, 1)), np.random.default_rng(0)
    points = {"heat": box.sample(400, "sobol", seed=0), "samples": box.sample(200, seed=1)}
    measured = solution(**points["samples"]) + 0.02 * rng.normal(size=(200, 1))
    pinn = Heat(kpinn.networks.MLP(units=20, depth=2))
    pinn.compile(keras.optimizers.Adam(3e-3))
    balance = kpinn.callbacks.LossBalancing(every=100)
    first = pinn.fit((points, {"samples": measured}), epochs=1_000, verbose=0, callbacks=[balance])
    for name in pinn.loss_weights:
        pinn.loss_weights[name].assign(1.0)
    pinn.compile(kpinn.optimizers.LevenbergMarquardt())
    pinn.fit((points, {"samples": measured}), epochs=100, verbose=0)
    return pinn, box, (points, {"samples": measured}), first


def flows(folder):
    """Pictures of the potential flow past a cylinder."""
    flow = channel()
    pinn = kpinn.PINN(keras.Sequential([Cylinder()]), "x y", "s", [no_rotation])
    left, right = look.panels(10.0, 3.0, (1, 2), width_ratios=(2, 1))
    kpinn.plotting.field(pinn, flow, "s_y", axes=left)
    kpinn.plotting.field(pinn, flow.boundary("cylinder"), "s_n", axes=right, points=200)
    left.figure.savefig(folder / "plot_boundary.png", dpi=look.DPI)


def turning(folder):
    """A film over a ring, and points."""
    ring = Ring(x=0, y=0, inner=0.5, outer=1)
    pinn = kpinn.PINN(keras.Sequential([Turning()]), "t x y", "u", [height])
    domain = Box(t=(0, 2 * np.pi)) * ring
    kpinn.plotting.animation(pinn, domain, frames=24, points=61, path=folder / "plot_film.gif")
    points = {"ring": ring.sample(400, seed=0), "walls": ring.boundary().sample(120, "grid")}
    time = {"t": np.full((400, 1), 0.8)}
    heights = pinn.predict_fields(points["ring"] | time, "u")["u"]
    left, right = look.panels(8.0, 3.8, (1, 2))
    kpinn.plotting.points(points, {"ring": heights}, axes=left)
    kpinn.plotting.field(pinn, domain, fixed={"t": 0.8}, axes=right)
    left.set_aspect("equal")
    left.figure.savefig(folder / "plot_points.png", dpi=look.DPI)


def inverse(folder):
    """Pictures of a training with two unknowns."""
    pinn, box, data, history = trained()
    found = kpinn.covariance(pinn, data, "samples")
    print(found)
    panels = look.panels(10.0, 5.2, (2, 3))
    kpinn.plotting.history(history, None, ["rate"], True, axes=panels[:3])
    kpinn.plotting.error(pinn, box, solution, axes=panels[3])
    kpinn.plotting.unknowns(pinn, found, EXACT, axes=panels[4])
    kpinn.plotting.field(pinn, box, "u", axes=panels[5])
    panels[0].figure.savefig(folder / "plot_training.png", dpi=look.DPI)


def main():
    """Draws all pictures into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default="docs/images")
    folder = parser.parse_args().output
    kpinn.set_float64()
    flows(folder)
    turning(folder)
    inverse(folder)


if __name__ == "__main__":
    main()
