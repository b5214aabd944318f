"""Burgers' equation with a shock: u_t + u u_x = nu u_xx, nu = 0.01 / pi.

u(0, x) = -sin(pi x) on [-1, 1], u(t, -1) = u(t, 1) = 0, t in [0, 1].

Shows: six digits by float64; start, walls, period and symmetry built into the network (the start is
odd in x and the equation keeps it so: u is a sine times an even function, and half of the domain is
enough); Levenberg-Marquardt; points that are dense where the residual is large; a picture; a
SavedModel.
Kind: parabolic.
Expected: relative L2 error below 4e-6, about 2 minutes on two CPU cores. The exact solution is by
Cole-Hopf.

Run: python examples/burgers.py [--short]
"""

import math
import time

import quiet
import keras
import numpy as np
from exact import burgers
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


@keras.saving.register_keras_serializable()
class Burgers(kpinn.PINN):
    coordinates = "t x"
    fields = "u"

    @kpinn.condition
    def momentum(self, u, u_t, u_x, u_xx):
        return u_t + u * u_x - 0.01 / math.pi * u_xx


network = kpinn.networks.MLP(
    units=20,
    depth=4,
    embedding=[
        kpinn.layers.Rescale([0, -1], [1, 1]),
        kpinn.layers.PeriodicEmbedding([None, 2.0], even=True),
    ],
)
network = kpinn.layers.HardCondition(  # u = -sin(pi x) + t sin(pi x) network
    network,
    "t x",
    value=lambda x: -ops.sin(math.pi * x),
    distance=lambda t, x: t * ops.sin(math.pi * x),
)
pinn = Burgers(network)

half = kpinn.domains.Box(t=(0, 1), x=(0, 1))
dense = kpinn.callbacks.ResidualSampling(
    lambda seed: half.sample(20_000, seed=seed), every=10, constant=0.2
)
begin = time.perf_counter()


def progress(epoch, logs):
    if (epoch + 1) % 25 == 0:
        seconds = time.perf_counter() - begin
        print(f"epoch {epoch + 1:3d}   loss {logs['loss']:.1e}   {seconds:4.0f} s")


pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(
    half.sample(500 if quiet.SHORT else 3_000),
    epochs=25 if quiet.SHORT else 300,
    verbose=0,
    callbacks=[dense, keras.callbacks.LambdaCallback(on_epoch_end=progress)],
)

box, counts = kpinn.domains.Box(t=(0, 1), x=(-1, 1)), {"t": 101, "x": 401}
grid = box.sample(counts, method="grid")
u, exact = pinn.predict_fields(grid, "u")["u"][:, 0], burgers(grid["t"], grid["x"])
print(f"relative L2 error: {np.linalg.norm(u - exact) / np.linalg.norm(exact):.3e}")

kpinn.plotting.field(pinn, box, "u", exact, counts, path="output/burgers.png")
pinn.export("output/burgers", derivatives="u_x")
print("written: output/burgers.png, and the SavedModel output/burgers")
