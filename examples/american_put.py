"""The price of an American put, which may be exercised early: min(L V, V - payoff) = 0.

With x = log(S / K), the time t to expiry and all prices in units of the strike, L V = V_t -
s^2 V_xx / 2 - (r - s^2 / 2) V_x + r V. The European price, which is known and has the kink of the
payoff, satisfies L V = 0: only the premium e for early exercise is left to find.

Shows: a condition that is one of two, as one smooth equation a + b = sqrt(a^2 + b^2) (Fischer and
Burmeister) for Levenberg-Marquardt; a part of the solution that is known is taken out. The
reference is a binomial tree with 2,000 steps.
Kind: parabolic, finance, variational.
Expected: largest error of the premium below 3e-4, about 30 seconds on two CPU cores.

Run: python examples/american_put.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels
from keras import ops
from scipy.stats import norm

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
RATE, VOLATILITY = 0.08, 0.2


def european(t, x):
    root = VOLATILITY * np.sqrt(t)
    d = (x + RATE * t) / root - root / 2
    return np.exp(-RATE * t) * norm.cdf(-d) - np.exp(x) * norm.cdf(-d - root)


def exercise(e, e_t, e_x, e_xx, above):
    a = e + above  # the price less the payoff
    b = e_t - VOLATILITY**2 / 2 * e_xx - (RATE - VOLATILITY**2 / 2) * e_x + RATE * e
    return a + b - ops.sqrt(a**2 + b**2 + 1e-10)


def american(spot, t, steps=200 if quiet.SHORT else 2_000):
    """Prices by the binomial tree of Cox, Ross & Rubinstein (1979)."""
    up = np.exp(VOLATILITY * np.sqrt(t / steps))
    share = (np.exp(RATE * t / steps) - 1 / up) / (up - 1 / up)
    prices = np.asarray(spot)[:, None] * up ** np.arange(steps, -steps - 1, -2.0)
    values = np.maximum(1 - prices, 0)
    for _ in range(steps):
        prices = prices[:, 1:] * up
        values = share * values[:, :-1] + (1 - share) * values[:, 1:]
        values = np.maximum(np.exp(-RATE * t / steps) * values, 1 - prices)
    return values[:, 0]


box = kpinn.domains.Box(t=(0.002, 1), x=(-0.6, 0.8))
points = box.sample(500 if quiet.SHORT else 2_500, "sobol", seed=0)
t, x = points["t"], points["x"]
points["above"] = european(t, x) - np.maximum(1 - np.exp(x), 0)
unit = kpinn.layers.Rescale([0.0, -0.6], [1.0, 0.8])
network = kpinn.networks.MLP(units=16, depth=3, embedding=unit)
network = kpinn.layers.HardCondition(network, "t x", distance=lambda t, x: t * (0.8 - x))
pinn = kpinn.PINN(network, "t x", "e", [exercise])
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
pinn.fit(points, epochs=5 if quiet.SHORT else 150, verbose=0)

figure, (left, middle, right) = panels("price and payoff", "premium", "error of the premium")
spot = np.linspace(0.75, 1.25, 101)
worst = 0.0
for time in (0.25, 0.5, 1.0):
    europe = european(time, np.log(spot))
    premium = pinn.predict_fields({"t": time + 0 * spot, "x": np.log(spot)})["e"][:, 0]
    tree = american(spot, time)
    worst = max(worst, np.abs(premium + europe - tree).max())
    left.plot(spot, premium + europe, label=f"{time} years")
    middle.plot(spot, premium)
    middle.plot(spot, tree - europe, "k:")
    right.plot(spot, premium + europe - tree)
print(f"largest error of the premium: {worst:.1e}")
left.plot(spot, np.maximum(1 - spot, 0), "k--", label="payoff")
left.legend()
for axes in (left, middle, right):
    axes.set_xlabel("spot / strike")
keep(figure, "output/american_put.png")
