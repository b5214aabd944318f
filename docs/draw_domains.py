"""Draws the pictures of docs/domains.md: shapes with their parts, and a field on one of them.

Run: python docs/draw_domains.py --output docs/images
"""

import argparse
import pathlib

import keras
import numpy as np

import kpinn
from kpinn.backend import look
from kpinn.domains import Ball, Box, Polygon, Ring


def channel():
    """A channel with a cylinder, whose parts have names."""
    flow = Box(x=(0, 2.2), y=(0, 0.41)) - Ball(x=0.2, y=0.2, radius=0.05).named("cylinder")
    return flow.with_parts(inlet=flow.face(x=0), outlet=flow.face(x=2.2), walls=flow.boundary("y"))


def lake():
    """A polygon with two holes."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return Polygon(
        x=(2 + 0.4 * np.cos(3 * angle)) * np.cos(angle),
        y=(1.5 + 0.2 * np.sin(5 * angle)) * np.sin(angle),
        holes={
            "house": {"x": [-0.5, 0, -0.25], "y": [-0.3, -0.2, 0.5]},
            "island": {"x": 0.8 + 0.3 * np.cos(angle), "y": 0.2 * np.sin(angle)},
        },
        edges={"river": [0, 1, 2, 3]},
    )


def shapes():
    """A ring, an L, and a polygon with holes, beside each other."""
    step = Box(x=(-1, 1), y=(-1, 1)) - Box(x=(0, 1), y=(0, 1)).named("corner")
    panels = look.panels(10.0, 3.2, (1, 3))
    domains = Ring(x=0, y=0, inner=0.5, outer=1), step, lake()
    for axes, domain in zip(panels, domains, strict=True):
        domain.plot(axes, points=250)
        look.legend(axes, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    return panels[0].figure


class Cylinder(keras.layers.Layer):
    """The stream function of potential flow past the cylinder in all of the plane, closed form."""

    def call(self, points):
        """Columns x and y to the stream function, `(n, 2)` to `(n, 1)`."""
        x, y = points[:, :1] - 0.2, points[:, 1:] - 0.2
        return y * (1 - 0.05**2 / (x**2 + y**2))


def no_rotation(laplacian_s):
    """The equation of the stream function `s`."""
    return laplacian_s


def main():
    """Draws all pictures into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default="docs/images")
    folder = parser.parse_args().output
    flow = channel()
    flow.plot().figure.savefig(folder / "channel.png", dpi=look.DPI)
    shapes().savefig(folder / "shapes.png", dpi=look.DPI)
    pinn = kpinn.PINN(keras.Sequential([Cylinder()]), "x y", "s", [no_rotation])
    kpinn.plotting.field(pinn, flow, "s_y", path=folder / "channel_field.png")


if __name__ == "__main__":
    main()
