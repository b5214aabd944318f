"""Draws the picture of docs/inverse.md: an unknown conductivity from data with noise.

Run: python docs/draw_inverse.py --output docs/images
"""

import argparse
import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parents[1] / "examples"))
import conductivity_noise as rod

import kpinn
from kpinn.backend import look


def main():
    """Draws the picture into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default="docs/images")
    folder = parser.parse_args().output
    choose = kpinn.callbacks.CrossValidation("samples", every=20)
    smooth = rod.trained({"smooth": 1e-7}, choose)
    rough = rod.trained({"samples": 1e4, "smooth": 0.0})
    x = {"x": np.linspace(0.0, 1.0, 401)}
    spread = 2.0 * kpinn.covariance(smooth, rod.data, "samples").fields(x, "k")["k"][:, 0]
    left, right = look.panels(10.0, 3.4, (1, 2))
    left.plot(rod.x, rod.measured, ".", markersize=3, color=look.PALE, label="data, 1 % noise")
    left.plot(x["x"], smooth.predict_fields(x, "u")["u"][:, 0], color=look.FOUND, label="u")
    found, other = (each.predict_fields(x, "k")["k"][:, 0] for each in (smooth, rough))
    right.plot(x["x"], rod.conductivity(x["x"]), "k--", label="exact k")
    right.plot(x["x"], other, color=look.WRONG, label="weight 10,000, nothing smooth")
    right.plot(x["x"], found, color=look.FOUND, label="weight by cross-validation")
    style = {"alpha": 0.3, "linewidth": 0, "color": look.FOUND}
    right.fill_between(x["x"], found - spread, found + spread, **style)
    for axes in (left, right):
        axes.set_xlabel("x")
        look.grid_lines(axes)
        look.legend(axes)
    left.figure.savefig(folder / "conductivity.png", dpi=look.DPI)


if __name__ == "__main__":
    main()
