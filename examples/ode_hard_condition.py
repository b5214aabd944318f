"""The ODE u' = cos t on (0, 1] with u(0) = 0 built into the network: u = t * net(t).

Shows: a hard condition as ordinary Keras layers around the network, so that one condition is left.
Kind: ODE.
Expected: largest error of u below 2e-4, about 10 seconds. The solution is sin t.

Run: python examples/ode_hard_condition.py [--short]
"""

import quiet
import keras
import numpy as np
from keras import ops

import kpinn

keras.utils.set_random_seed(0)

t = keras.Input((1,), name="t")
net = kpinn.networks.MLP(units=12, depth=3)
network = keras.Model(t, keras.layers.Multiply()([t, net(t)]))


def ode(t, u_t):
    return u_t - ops.cos(t)


pinn = kpinn.PINN(network, coordinates="t", fields="u", conditions=[ode])
decay = keras.optimizers.schedules.CosineDecay(1e-2, decay_steps=5_000)
pinn.compile(keras.optimizers.Adam(decay))
box = kpinn.domains.Box(t=(0, 1))
points = box.sample(100, method="grid")
history = pinn.fit(points, epochs=100 if quiet.SHORT else 5_000, verbose=0)

new = np.linspace(0, 1, 1_001)
values = pinn.predict_fields({"t": new}, "u, u_t")
print(f"loss: {history.history['loss'][-1]:.1e}")
print(f"u(0) = {values['u'][0, 0]}")
print(f"largest error of u: {np.abs(values['u'][:, 0] - np.sin(new)).max():.1e}")
print(f"largest error of u_t: {np.abs(values['u_t'][:, 0] - np.cos(new)).max():.1e}")
kpinn.plotting.field(pinn, box, "u", np.sin, path="output/ode_hard_condition.png")
