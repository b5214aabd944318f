"""Laplace's equation in the solid of an STL file, a torus: u below, its flux u_n above.

Shows: a mesh as a domain, a part of its boundary by a condition on normals. The solution that is
prescribed is exp(x) sin(0.6 y) sin(0.8 z). Needs trimesh, which makes the file (`pip install
kpinn[geometry]`). Expected: relative L2 error of about 1e-9 in about 10 seconds on two CPU cores.

Run: python examples/mesh_from_stl.py [--short]
"""

import os
import sys

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

try:
    import trimesh
except ImportError:
    sys.exit(print("skipped: it needs trimesh, pip install kpinn[geometry]"))

SHORT = "--short" in sys.argv
kpinn.set_float64()
keras.utils.set_random_seed(0)


def exact(x, y, z, xp=ops):
    return xp.exp(x) * xp.sin(0.6 * y) * xp.sin(0.8 * z)


def laplace(laplacian_u):
    return laplacian_u / 10


def below(x, y, z, u):
    return u - exact(x, y, z)


def above(x, y, z, n, u_n):
    u_y = 0.6 * ops.exp(x) * ops.cos(0.6 * y) * ops.sin(0.8 * z)
    u_z = 0.8 * ops.exp(x) * ops.sin(0.6 * y) * ops.cos(0.8 * z)
    return u_n - exact(x, y, z) * n[:, :1] - u_y * n[:, 1:2] - u_z * n[:, 2:]


os.makedirs("output", exist_ok=True)
trimesh.creation.torus(major_radius=1.0, minor_radius=0.4).export("output/torus.stl")
solid = kpinn.domains.Mesh("output/torus.stl")
count = 500 if SHORT else 2_000
points = {"laplace": solid.sample(count, seed=0)}
points["below"] = solid.boundary().where(lambda n: n[:, 2:] < 0).sample(count // 2, seed=0)
points["above"] = solid.boundary().where(lambda n: n[:, 2:] >= 0).sample(count // 2, seed=0)
pinn = kpinn.PINN(kpinn.networks.RandomFeatures(count // 4), "x y z", "u", [laplace, below, above])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"below": 10.0, "above": 10.0})
pinn.fit(points, epochs=10, verbose=0)

new = solid.sample(5_000, seed=1)
u, expected = pinn.predict_fields(new)["u"], exact(new["x"], new["y"], new["z"], np)
print(f"{solid!r}, volume {solid.volume:.6f}")
print(f"relative L2 error: {np.linalg.norm(u - expected) / np.linalg.norm(expected):.1e}")
