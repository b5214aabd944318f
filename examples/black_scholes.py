"""The price of a call, V_t + s^2 S^2 V_SS / 2 + r S V_S = r V, which has a kink at its expiry.

With tau = time to expiry, q = sqrt(tau) and z = log(S / K) / q, the price is V = K q w(q, z) with

    w + q w_q - z w_z = s^2 w_zz + q (2 r - s^2) w_z - 2 q^2 r w,

and w is smooth, at the expiry q = 0 too.

Shows: coordinates in which a singular start is smooth, so that random features solve the equation;
the delta as a derivative by name.
Kind: parabolic, finance.
Expected: relative L2 error below 1e-10, about 10 seconds on two CPU cores.

Run: python examples/black_scholes.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels, relative
from keras import ops
from scipy.stats import norm

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
STRIKE, RATE, VOLATILITY = 100.0, 0.05, 0.2
EDGE = 6 * VOLATILITY  # in z, six standard deviations


def pricing(q, z, w, w_q, w_z, w_zz):
    right = VOLATILITY**2 * w_zz + q * (2 * RATE - VOLATILITY**2) * w_z - 2 * q**2 * RATE * w
    return w + q * w_q - z * w_z - right


def worthless(w):
    return w


def certain(q, z, w):
    return q * w - ops.exp(q * z) + ops.exp(-RATE * q**2)


def black_scholes(spot, tau):
    root = VOLATILITY * np.sqrt(tau)
    d = (np.log(spot / STRIKE) + RATE * tau) / root + root / 2
    price = spot * norm.cdf(d) - STRIKE * np.exp(-RATE * tau) * norm.cdf(d - root)
    return price, norm.cdf(d)


box = kpinn.domains.Box(q=(0, 1), z=(-EDGE, EDGE))
count = 600 if quiet.SHORT else 3_000
points = {"pricing": box.sample(count, "sobol", seed=0)}
points["worthless"] = box.face(z=-EDGE).sample(count // 10, seed=0)
points["certain"] = box.face(z=EDGE).sample(count // 10, seed=0)
network = kpinn.networks.RandomFeatures(count // 6, scale=[4.0, 25.0], seed=0)
pinn = kpinn.PINN(network, "q z", "w", [pricing, worthless, certain])
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"worthless": 10, "certain": 10})
pinn.fit(points, epochs=10, verbose=0)

tau, spot = np.meshgrid(np.linspace(0.01, 1.0, 100), np.linspace(70.0, 140.0, 141))
inside = np.abs(np.log(spot / STRIKE)) < EDGE * np.sqrt(tau)
q, z = np.sqrt(tau[inside]), np.log(spot[inside] / STRIKE) / np.sqrt(tau[inside])
found = pinn.predict_fields({"q": q, "z": z}, "w, w_z")
price, delta = STRIKE * q * found["w"][:, 0], STRIKE / spot[inside] * found["w_z"][:, 0]
exact, exact_delta = black_scholes(spot[inside], tau[inside])
print(f"relative L2 error: {relative(price, exact):.1e}")
print(f"largest error of the delta: {np.abs(delta - exact_delta).max():.1e}")

figure, axes = panels("price", "delta", "|error of the price|")
for each, values, colours in zip(
    axes, (price, delta, np.abs(price - exact)), ("viridis", "viridis", "magma"), strict=True
):
    image = np.full(tau.shape, np.nan)
    image[inside] = values
    figure.colorbar(each.pcolormesh(tau, spot, image, cmap=colours, rasterized=True), ax=each)
    each.set(xlabel="years to expiry", ylabel="spot")
keep(figure, "output/black_scholes.png")
