"""Laplace's equation in the solid of an STL file, a torus: u below, its flux u_n above.

Shows: a mesh as a domain, parts by a condition on normals. The solution is exp(x) sin(z).
Kind: elliptic.
Expected: relative L2 error below 2e-12, about 10 seconds on two CPU cores. Needs kpinn[geometry].

Run: python examples/mesh_from_stl.py [--short]
"""

import os

import quiet
import trimesh
from exact import compare
from keras import ops

import kpinn

kpinn.set_float64()


def exact(x, y, z):
    return ops.exp(x) * ops.sin(z)


def laplace(laplacian_u):
    return laplacian_u / 10


def below(x, y, z, u):
    return u - exact(x, y, z)


def above(x, z, n, u_n):
    return u_n - ops.exp(x) * (ops.sin(z) * n[:, :1] + ops.cos(z) * n[:, 2:])


os.makedirs("output", exist_ok=True)
trimesh.creation.torus(major_radius=1.0, minor_radius=0.4).export("output/torus.stl")
solid = kpinn.domains.Mesh("output/torus.stl")
points = {"laplace": solid.sample(2_000, seed=0)}
points["below"] = solid.boundary().where(lambda n: n[:, 2:] < 0).sample(1_000, seed=0)
points["above"] = solid.boundary().where(lambda n: n[:, 2:] >= 0).sample(1_000, seed=0)
network = kpinn.networks.RandomFeatures(100 if quiet.SHORT else 500, seed=0)
pinn = kpinn.PINN(network, "x y z", "u", [laplace, below, above])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"below": 10.0, "above": 10.0})
pinn.fit(points, epochs=10, verbose=0)
compare(pinn, solid, exact, "output/mesh_from_stl.png", fixed={"z": 0.1})
