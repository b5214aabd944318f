"""A delay from data: u'(t) = -u(t - delay), seen at 20 times.

Shows: values at other points, whose place is an unknown: gradients go through it. The data are sin
t, which solves the equation with the delay pi / 2.
Kind: inverse, ODE.
Expected: error of the delay below 1e-7, about 15 seconds on two CPU cores.

Run: python examples/unknown_delay.py [--short]
"""

import quiet
import keras
import numpy as np

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


class Delayed(kpinn.PINN):
    coordinates, fields = "t", "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("delay", initial=1.0, positive=True)

    @kpinn.condition
    def equation(self, t, u_t, at, delay):
        return u_t + at("u", t=t - delay)

    @kpinn.condition
    def samples(self, u, measured):
        return u - measured


inside = kpinn.domains.Box(t=(2, 10)).sample(100, "grid")  # later than a delay of 2
t = np.linspace(0, 10, 20)[:, None]
points = {"equation": inside, "samples": {"t": t, "measured": np.sin(t)}}
pinn = Delayed(kpinn.networks.MLP(12, 2, embedding=kpinn.layers.Rescale(0.0, 10.0)))
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(points, epochs=20 if quiet.SHORT else 200, verbose=0)

delay = float(pinn.unknowns["delay"])
print(f"delay {delay:.8f}, error of the delay: {abs(delay - np.pi / 2):.1e}")
span = kpinn.domains.Box(t=(0, 10))
kpinn.plotting.field(pinn, span, "u", np.sin, path="output/unknown_delay.png")
