"""Pressure and viscosity from velocities: vortices of Taylor that drift and decay.

Given are 1,000 velocities at random times and places, with noise of 1 %. The pressure is seen
nowhere: it follows from the equations of Navier and Stokes, but for a constant at each time, which
is chosen so that it is zero at one corner.

Shows: an inverse problem with a field that is not measured and an unknown number; equations that
weigh more than data with noise.
Kind: inverse, flow.
Expected: relative error of the viscosity below 1e-2, about 30 seconds on two CPU cores.

Run: python examples/vortex_pressure.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import relative
from keras import ops

import kpinn
from kpinn.operators import advection

kpinn.set_float64()
keras.utils.set_random_seed(0)
VISCOSITY, DRIFT = 0.05, 0.5


class Flow(kpinn.PINN):
    coordinates, fields = "t x y", "v[2] p"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("viscosity", 0.2, positive=True)

    @kpinn.condition
    def flow(self, v, v_t, jac_v, grad_p, laplacian_v, div_v, viscosity):
        momentum = v_t + advection(v, jac_v) + grad_p - viscosity * laplacian_v
        return ops.concatenate([momentum, div_v], axis=1)

    @kpinn.condition
    def measured(self, v):
        return v

    @kpinn.condition
    def level(self, p):
        return p


def vortices(t, x, y):
    """Velocities and pressure (Taylor & Green 1937), in a stream along x."""
    x, decay = x - DRIFT * t, np.exp(-2 * VISCOSITY * t)
    v = decay * np.concatenate([-np.cos(x) * np.sin(y), np.sin(x) * np.cos(y)], axis=1)
    v[:, 0] += DRIFT
    corner = np.cos(2 * DRIFT * t) + 1  # of the box, at each time
    return v, decay**2 * (corner - np.cos(2 * x) - np.cos(2 * y)) / 4


domain = kpinn.domains.Box(t=(0, 2)) * kpinn.domains.Box(x=(0, np.pi), y=(0, np.pi))
seen = domain.sample(200 if quiet.SHORT else 1_000, seed=0)
velocities = vortices(**seen)[0]
velocities += 0.01 * np.random.default_rng(0).normal(size=velocities.shape)
points = {"flow": domain.sample(len(velocities), "sobol", seed=1), "measured": seen}
points["level"] = {"t": np.linspace(0, 2, 50), "x": np.zeros(50), "y": np.zeros(50)}
unit = kpinn.layers.Rescale([0.0, 0.0, 0.0], [2.0, np.pi, np.pi])
pinn = Flow(kpinn.networks.MLP(units=16, depth=3, outputs=3, embedding=unit))
pinn.compile(
    kpinn.optimizers.LevenbergMarquardt(), loss_weights={"flow": 10.0}, jit_compile=not quiet.SHORT
)
pinn.fit((points, {"measured": velocities}), epochs=3 if quiet.SHORT else 60, verbose=0)

found = float(pinn.unknowns["viscosity"])
print(f"viscosity {found:.5f}, exact {VISCOSITY}")
print(f"relative error of the viscosity: {abs(found / VISCOSITY - 1):.1e}")
new = domain.sample(3_000, seed=2)
fields, (v, p) = pinn.predict_fields(new), vortices(**new)
print(f"relative L2 error of velocities: {relative(fields['v'], v):.1e}")
print(f"relative L2 error of the pressure: {relative(fields['p'], p):.1e}")
kpinn.plotting.field(
    pinn,
    domain,
    "p",
    lambda *place: vortices(*(each[:, None] for each in place))[1],
    path="output/vortex_pressure.png",
    fixed={"t": 1.0},
)
