"""A program of a user with types, which `python -m mypy` reads; it is not run.

mypy reads kpinn through `py.typed`: public names that are missing, arguments that are not taken and
results of another type than is promised here are errors.
"""

from typing import assert_type

import keras
import numpy as np

import kpinn

Arrays = dict[str, np.ndarray]


class Heat(kpinn.PINN):
    coordinates = "t x"
    fields = "u"

    @kpinn.condition
    def heat(self, u_t, u_xx):
        return u_t - u_xx

    @kpinn.condition
    def ends(self, u):
        return u


box = kpinn.domains.Box(t=(0, 1), x=(0, 1))
hollow = (kpinn.domains.Box(x=(0, 1)).named("walls")).moved(x=0.5)
assert_type(hollow, kpinn.domains.Domain)
assert_type(box.face(t=0), kpinn.domains.Part)
assert_type(box.stream(100), kpinn.domains.Stream)
assert_type(box.contains({"t": [0.5], "x": [0.5]}), np.ndarray)
points: dict[str, Arrays] = {"heat": box.sample(100), "ends": box.boundary("x").sample(10)}

kpinn.set_float64()
pinn = Heat(kpinn.networks.MLP(units=20, depth=2))
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=kpinn.loss_weights(pinn, points))
pinn.fit(points, epochs=5, callbacks=[kpinn.callbacks.Checkpoint("run")])
assert_type(pinn.result, kpinn.optimizers.MinimizeResult | None)
assert_type(pinn.predict_fields(points["heat"], "u, u_x"), Arrays)
assert_type(pinn.residuals(points), Arrays)
assert_type(kpinn.jacobian(pinn, points), tuple[np.ndarray, np.ndarray])
assert_type(kpinn.check_derivatives(pinn, points["heat"]).ok, bool)
assert_type(kpinn.covariance(pinn, points, {"ends": 0.1}).fields(points["heat"], "u"), Arrays)

layer: keras.layers.Layer = kpinn.layers.FourierFeatures(16)
function: kpinn.PINN = kpinn.manufactured(pinn, {"u": lambda t, x: t * x})
