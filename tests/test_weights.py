"""Rules for weights of conditions and of points, beside transcriptions of their papers in numpy."""

import keras
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf
from keras import ops
from problems import Formula, heat_points, small_heat

import kpinn
from kpinn.callbacks import (
    AugmentedLagrangian,
    CausalWeights,
    ReLoBRaLo,
    Resample,
    ResidualWeights,
    SelfAdaptiveWeights,
    SoftAdapt,
    UncertaintyWeights,
)
from kpinn.optimizers import LBFGS, LevenbergMarquardt, ScipyMinimize, Sequence, SSBroyden

LINE = np.linspace(0, 1, 9)


class Seen(keras.callbacks.Callback):
    """Keeps the losses of each epoch, and the loss weights in it."""

    def __init__(self):
        super().__init__()
        self.losses, self.weights = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append([logs[name] for name in self.model.conditions])
        self.weights.append([float(weight) for weight in self.model.loss_weights.values()])


def three():
    """`u = a x + b` with three conditions that fall at different rates."""

    def slope(u_x):
        return 3.0 * u_x - 2.0

    def size(u):
        return u - 1.0

    def start(x, u):
        return 0.2 * u * (1.0 - x)

    kpinn.set_float64()
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    return kpinn.PINN(network, "x", "u", [slope, size, start])


def trained(callback, optimizer=None, epochs=7, **compile_arguments):
    """The losses and the weights of conditions in each epoch, two arrays `(epochs, m)`."""
    pinn, seen = three(), Seen()
    optimizer = keras.optimizers.SGD(0.01) if optimizer is None else optimizer
    pinn.compile(optimizer, jit_compile=False, **compile_arguments)
    pinn.fit({"x": LINE}, epochs=epochs, verbose=0, callbacks=[callback, seen])
    return np.array(seen.losses), np.array(seen.weights)


# Weights of conditions ---------------------------------------------------------------------------


def relobralo(losses, alpha, temperature, looks):
    """The update of Bischof and Kraus; `looks` are the values of their rho."""

    def balanced(new, old):
        powers = np.exp(new / (temperature * old))
        return len(new) * powers / powers.sum()

    weights, found = np.ones(losses.shape[1]), []
    for t, rho in enumerate(looks):
        history = rho * weights + (1 - rho) * balanced(losses[t], losses[0])
        recent = balanced(losses[t], losses[max(t - 1, 0)])
        weights = alpha * history + (1 - alpha) * recent
        found.append(weights)
    return np.array(found)


@pytest.mark.parametrize("optimizer", [None, LBFGS])
def test_relobralo_is_that_of_the_paper(optimizer):
    rule = ReLoBRaLo(alpha=0.8, temperature=0.5, rho=0.6, seed=3)
    losses, weights = trained(rule, optimizer and optimizer())
    looks = np.random.default_rng(3).uniform(size=6) < 0.6
    assert len(set(looks)) == 2
    np.testing.assert_array_equal(weights[0], 1.0)
    np.testing.assert_allclose(weights[1:], relobralo(losses, 0.8, 0.5, looks), rtol=1e-12)
    assert np.ptp(weights[-1]) > 0.01


def softadapt(new, old, beta, normalized, loss_weighted):
    """The weights of Heydari et al., without the small number in denominators, times m."""
    slopes = [a - b for a, b in zip(new, old, strict=True)]
    if normalized:
        total = sum(abs(s) for s in slopes)
        slopes = [s / total if total else 0.0 for s in slopes]
    parts = [np.exp(beta * s) for s in slopes]
    if loss_weighted:
        parts = [loss * part for loss, part in zip(new, parts, strict=True)]
    return [len(parts) * part / sum(parts) for part in parts]


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("loss_weighted", [True, False])
def test_softadapt_is_that_of_the_paper(normalized, loss_weighted):
    rule = SoftAdapt(every=2, beta=0.7, normalized=normalized, loss_weighted=loss_weighted)
    losses, weights = trained(rule)
    for epoch, before in ((2, 0), (4, 1), (6, 3)):  # losses are those of the epoch before
        expected = softadapt(losses[epoch - 1], losses[before], 0.7, normalized, loss_weighted)
        np.testing.assert_allclose(weights[epoch], expected, rtol=1e-12)
    np.testing.assert_array_equal(weights[3], weights[2])


def test_uncertainties_have_the_largest_likelihood():
    losses, weights = trained(UncertaintyWeights(decay=0.0))
    for loss, weight in zip(losses[2], weights[3], strict=True):
        # Equation 7, with the logarithm of the variance.
        best = scipy.optimize.minimize_scalar(
            lambda s, loss=loss: loss / (2 * np.exp(s)) + s / 2, (-5, 0), tol=1e-14
        ).x
        assert weight == pytest.approx(1 / (2 * np.exp(best)), rel=1e-6)


def test_uncertainties_remember():
    losses, weights = trained(UncertaintyWeights(decay=0.7))
    variances = losses[0]
    for epoch in range(1, 7):
        variances = 0.7 * variances + 0.3 * losses[epoch - 1]
        np.testing.assert_allclose(weights[epoch], 1 / (2 * variances), rtol=1e-12)


def test_conditions_that_are_met_have_finite_weights():
    rule = UncertaintyWeights()
    np.testing.assert_allclose(rule.updated(np.ones(2), np.array([4.0, 0.0])), [1 / 8, 1e6 / 8])
    for rule in (UncertaintyWeights(), SoftAdapt(), SoftAdapt(loss_weighted=True), ReLoBRaLo()):
        rule.first = rule.recent = np.zeros(2)
        rule._random = np.random.default_rng(0)
        for losses in (np.zeros(2), np.array([1e-310, 0.0]), np.array([1e300, 1.0])):
            weights = np.float32(rule.updated(np.ones(2), losses))
            assert np.isfinite(weights).all() and np.all(weights >= 0)


def test_only_the_named_conditions_are_weighted():
    rule = UncertaintyWeights(["start", "slope", "start"], every=2)
    _, weights = trained(rule, epochs=4, loss_weights={"size": 5.0, "slope": 7.0})
    np.testing.assert_array_equal(weights[:, 1], 5.0)
    np.testing.assert_array_equal(weights[0], [1.0, 5.0, 1.0])
    assert weights[-1][0] != 1.0


def test_streams_and_datasets_have_weights_of_conditions():
    for points in (kpinn.domains.Box(x=(0, 1)).stream(8), dataset()):
        pinn, seen = three(), Seen()
        pinn.compile("adam", jit_compile=False)
        rule = SoftAdapt(loss_weighted=True)
        pinn.fit(points, epochs=3, steps_per_epoch=2, verbose=0, callbacks=[rule, seen])
        expected = softadapt(seen.losses[1], seen.losses[0], 0.1, True, True)
        np.testing.assert_allclose(seen.weights[2], expected, rtol=1e-6)


def dataset():
    batch = {"x": tf.constant(LINE[:, None])}
    return tf.data.Dataset.from_tensors({n: batch for n in ("slope", "size", "start")}).repeat()


# Weights of points -------------------------------------------------------------------------------


def wave(t):
    return ops.sin(5.0 * t) + 0.1


def formula(*callbacks, points, epochs=6, given=None):
    """Losses of `u = sin(5 t) + 0.1`, which is not trained."""

    def first(t, u):
        return ops.concatenate([u, 0.5 * t * u], axis=1)

    kpinn.set_float64()
    pinn = kpinn.PINN(Formula(wave), "t", "u", [first])
    pinn.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    fit = {"epochs": epochs, "verbose": 0, "callbacks": callbacks, "sample_weight": given}
    return pinn.fit({"t": points}, **fit).history["first"]


def squares(t):
    u = np.sin(5 * t) + 0.1
    return (u**2 + (0.5 * t * u) ** 2) / 2


def test_self_adaptive_weights_ascend():
    """`w` goes along the derivative of the loss, by differences; the 1/n is left out."""
    t, rule = np.array([0.9, 0.1, 0.4]), SelfAdaptiveWeights(every=2, rate=0.3, largest=1.5)
    given = np.array([1.0, 2.0, 3.0])
    found = formula(rule, points=t, given=given)
    w, expected = np.ones(3), []
    for epoch in range(6):
        if epoch in (2, 4):
            up, down = ((w + step) ** 2 * squares(t) for step in (1e-4, -1e-4))
            w = np.minimum(w + 0.3 * (up - down) / 2e-4, 1.5)
        expected.append(np.mean(given * w**2 * squares(t)))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert w.max() == 1.5 and 1.0 < w.min() < 1.5


def causal(times, squared, epsilon, edges):
    """The weights of Wang et al. for slices between edges, with loops."""
    means = []
    for i, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        last = i == len(edges) - 2
        pairs = zip(times, squared, strict=True)
        inside = [s for t, s in pairs if low <= t < high or (last and t == high)]
        means.append(np.mean(inside) if inside else 0.0)
    found = []
    for t in times:
        number = min(np.searchsorted(edges, t, side="right") - 1, len(edges) - 2)
        found.append(np.exp(-epsilon * sum(means[:number])))
    return np.array(found)


TIMES = np.array([0.9, 0.13, 0.4, 0.13, 0.0, 1.0, 0.44, 0.77, 0.02])


@pytest.mark.parametrize("slices", [1, 4, 50])
def test_causal_weights_are_those_of_the_paper(slices):
    rule = CausalWeights("first", epsilon=0.7, every=2, slices=slices)
    losses = formula(rule, points=TIMES)
    expected = causal(TIMES, squares(TIMES), 0.7, np.linspace(0, 1, slices + 1))
    np.testing.assert_allclose(rule.weights["first"], expected, rtol=1e-12)
    np.testing.assert_allclose(losses, np.mean(expected * squares(TIMES)), rtol=1e-12)
    order = np.random.default_rng(0).permutation(len(TIMES))
    other = CausalWeights("first", epsilon=0.7, every=2, slices=slices)
    formula(other, points=TIMES[order])
    np.testing.assert_allclose(other.weights["first"], expected[order], rtol=1e-12)


def test_each_time_may_be_a_slice():
    rule = CausalWeights("first", epsilon=2.0, slices=None)
    formula(rule, points=TIMES, epochs=1)
    edges = np.append(np.unique(TIMES), 2.0)
    expected = causal(TIMES, squares(TIMES), 2.0, edges)
    np.testing.assert_allclose(rule.weights["first"], expected, rtol=1e-12)


def test_epsilon_grows_when_all_weights_are_large():
    total = squares(TIMES).sum()
    small, large = 0.005 / total, 10.0 / total
    rule, levels = CausalWeights("first", epsilon=[small, 2 * large, 3 * large], every=2), []
    seen = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: levels.append(rule.level))
    formula(rule, seen, points=TIMES)
    assert levels == [0, 0, 1, 1, 1, 1]
    formula(rule, points=TIMES, epochs=1)
    assert rule.level == 0


@pytest.mark.parametrize("rule", [SelfAdaptiveWeights, CausalWeights])
def test_weights_begin_again_where_points_are_replaced(rule):
    fresh, other = rule("first", every=2), rule("first", every=2)
    formula(Resample(lambda seed: {"t": TIMES[:5]}, 2), fresh, points=TIMES, epochs=3)
    formula(other, points=TIMES[:5], epochs=3)
    np.testing.assert_allclose(fresh.weights["first"], other.weights["first"], rtol=1e-12)
    assert len(fresh.weights["first"]) == 5


def logistic(causal):
    """The largest error for u' = 5 u (1 - u), u(0) = 0.1, whose state of rest u = 0 is unstable.

    Args:
        causal: whether the same number of steps is made with weights.
    """

    def equation(u, u_t):
        return u_t - 5.0 * u * (1.0 - u)

    kpinn.set_float64()
    keras.utils.set_random_seed(0)
    network = kpinn.networks.MLP(units=12, depth=2)
    network = kpinn.layers.HardCondition(
        network, "t", value=lambda t: 0.1 + 0.0 * t, distance=lambda t: t
    )
    pinn = kpinn.PINN(network, "t", "u", [equation])
    pinn.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    t = np.linspace(0, 4, 101)
    callbacks = [CausalWeights("equation", epsilon=3.0, every=2)] if causal else []
    pinn.fit({"t": t}, epochs=100, steps_per_epoch=10, verbose=0, callbacks=callbacks)
    exact = 0.1 / (0.1 + 0.9 * np.exp(-5 * t))
    return np.abs(pinn.predict_fields({"t": t})["u"][:, 0] - exact).max()


def test_causal_weights_find_what_is_missed_without():
    assert logistic(causal=False) > 0.5
    assert logistic(causal=True) < 0.05


# The augmented Lagrangian ------------------------------------------------------------------------


def parabola():
    """`u = a + b x + c x^2` through samples, pinned to levels at both ends."""

    class Powers(keras.layers.Layer):
        def call(self, x):
            return ops.concatenate([x, x**2], axis=1)

    def samples(u, measured):
        return u - measured

    def pinned(u, level):
        return u - level

    kpinn.set_float64()
    network = keras.Sequential([keras.Input((1,)), Powers(), keras.layers.Dense(1)])
    return kpinn.PINN(network, "x", "u", [samples, pinned])


MEASURED = np.cos(4 * LINE)
LEVELS = np.array([1.6, -1.2])
SETS = {
    "samples": {"x": LINE, "measured": MEASURED},
    "pinned": {"x": np.array([0.0, 1.0]), "level": LEVELS},
}


def constrained(active=(True, True)):
    """The solution of the same by the equations of Karush, Kuhn and Tucker.

    Returns:
        `(a, b, c)`, and the multipliers of the mean over both constraints.
    """
    powers = np.stack([np.ones_like(LINE), LINE, LINE**2], axis=1)
    rows, levels = np.array([[1.0, 0, 0], [1.0, 1, 1]])[list(active)], LEVELS[list(active)]
    count = len(rows)
    matrix = np.zeros((3 + count, 3 + count))
    matrix[:3, :3] = 2 * powers.T @ powers / len(LINE)
    matrix[:3, 3:], matrix[3:, :3] = rows.T / 2, rows
    right = np.concatenate([2 * powers.T @ MEASURED / len(LINE), levels])
    solution = np.linalg.solve(matrix, right)
    return solution[:3], solution[3:]


def solution(pinn):
    (b, c), (a,) = (variable.numpy().ravel() for variable in pinn.trainable_variables)
    return np.array([a, b, c])


@pytest.mark.parametrize(("optimizer", "targets"), [(LevenbergMarquardt, False), (SSBroyden, True)])
def test_the_constrained_minimum_and_its_multipliers(optimizer, targets):
    pinn, rule = parabola(), AugmentedLagrangian("pinned", every=8, penalty=30.0)
    pinn.compile(optimizer(), jit_compile=False)
    sets, given = dict(SETS), None
    if targets:
        sets["pinned"] = SETS["pinned"] | {"level": 0.0 * LEVELS}
        given = {"pinned": LEVELS}
    pinn.fit(sets, given, epochs=120, verbose=0, callbacks=[rule])
    expected, multipliers = constrained()
    np.testing.assert_allclose(solution(pinn), expected, rtol=1e-7)
    np.testing.assert_allclose(rule.multipliers["pinned"][:, 0], multipliers, rtol=1e-6)
    assert rule.violations["pinned"] < 1e-7
    assert pinn.loss_weights["pinned"].numpy() == 15.0
    penalty = parabola()
    penalty.compile(optimizer(), loss_weights={"pinned": 15.0}, jit_compile=False)
    penalty.fit(SETS, epochs=50, verbose=0)
    assert np.abs(penalty.residuals(SETS)["pinned"]).max() > 5e-3  # with the same penalty


def test_adam_finds_the_constrained_minimum():
    pinn, rule = parabola(), AugmentedLagrangian("pinned", every=1, penalty=2.0)
    pinn.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    pinn.fit(SETS, epochs=60, steps_per_epoch=100, verbose=0, callbacks=[rule])
    np.testing.assert_allclose(solution(pinn), constrained()[0], rtol=1e-3)


def test_inequalities_have_multipliers_that_are_not_negative():
    pinn, rule = parabola(), AugmentedLagrangian("pinned", every=8, penalty=10.0)
    pinn.compile(
        LevenbergMarquardt(), loss={"pinned": kpinn.losses.Inequality()}, jit_compile=False
    )
    expected, multipliers = constrained(active=(False, True))
    assert expected[0] < LEVELS[0] and multipliers[0] > 0  # which is met, and which holds
    pinn.fit(SETS, epochs=200, verbose=0, callbacks=[rule])
    np.testing.assert_allclose(solution(pinn), expected, rtol=1e-6)
    np.testing.assert_allclose(rule.multipliers["pinned"][:, 0], [0.0, multipliers[0]], rtol=1e-5)


def test_the_penalty_grows_while_the_violation_does_not_shrink():
    pinn = parabola()
    pinn.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    rule = AugmentedLagrangian("pinned", every=1, penalty=2.0, growth=3.0, largest=20.0)
    pinn.fit(SETS, epochs=6, verbose=0, callbacks=[rule])
    assert rule.penalties["pinned"] == 20.0
    violation = np.sqrt(np.mean(pinn.residuals(SETS)["pinned"] ** 2))
    assert rule.violations["pinned"] == pytest.approx(violation, rel=1e-9)
    residual = pinn.residuals(SETS)["pinned"]
    np.testing.assert_allclose(
        rule.multipliers["pinned"], residual * (2 + 2 + 6 + 18 + 20), rtol=1e-9
    )


def test_multipliers_begin_again_where_points_are_replaced():
    pinn = parabola()
    pinn.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    rule = AugmentedLagrangian("pinned", every=1, penalty=2.0)
    others = {"pinned": {"x": np.array([0.5]), "level": np.array([3.0])}}
    pinn.fit(SETS, epochs=5, verbose=0, callbacks=[Resample(lambda seed: others, 3), rule])
    residual = pinn.residuals(others)["pinned"]
    np.testing.assert_allclose(rule.multipliers["pinned"], 2.0 * residual, rtol=1e-9)


def test_one_multiplier_for_a_condition():
    pinn = parabola()
    pinn.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    rule = AugmentedLagrangian("pinned", every=2, penalty=2.0, by="condition")
    pinn.fit(SETS, epochs=5, verbose=0, callbacks=[rule])
    mean = np.mean(pinn.residuals(SETS)["pinned"] ** 2)
    assert rule.multipliers["pinned"] == pytest.approx(2 * 2.0 * mean)
    assert float(pinn.loss_weights["pinned"]) == pytest.approx(3 * 2.0 * mean)
    np.testing.assert_array_equal(pinn.training_points["pinned"]["level"][:, 0], LEVELS)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_the_loss_of_an_inequality(reduction):
    loss = kpinn.losses.Inequality(reduction=reduction)
    values, targets = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[0.5, 0.0], [1.0, 1.0]])
    expected = np.array([0.25 / 2, 4.0 / 2])
    expected = expected.sum() if reduction == "sum" else expected.mean()
    assert float(loss(targets, values)) == pytest.approx(expected)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is kpinn.losses.Inequality and again.reduction == reduction


# All of them -------------------------------------------------------------------------------------

RULES = {
    "ReLoBRaLo": lambda: ReLoBRaLo(every=2),
    "SoftAdapt": lambda: SoftAdapt(every=2),
    "uncertainty": lambda: UncertaintyWeights(every=2),
    "residual": lambda: ResidualWeights(every=2),
    "self-adaptive": lambda: SelfAdaptiveWeights(every=2),
    "causal": lambda: CausalWeights("heat", every=2),
    "Lagrangian": lambda: AugmentedLagrangian("start", every=2),
    "by condition": lambda: AugmentedLagrangian("start", every=2, by="condition"),
}


@pytest.mark.parametrize("name", RULES)
def test_nothing_is_traced_anew_when_weights_change(name):
    counts, traces = [], []

    def heat(u_t, u_xx):
        traces.append(None)
        return u_t - u_xx

    def start(x, u):
        return u - ops.sin(np.pi * x)

    optimizers = [keras.optimizers.Adam(1e-2), LevenbergMarquardt()]
    for optimizer in optimizers[: 1 + (name in ("causal", "Lagrangian"))]:
        pinn = kpinn.PINN(kpinn.networks.MLP(units=4, depth=1), "t x", "u", [heat, start])
        pinn.compile(optimizer, jit_compile=False)
        seen, changes = Seen(), Changes()
        count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: counts.append(len(traces)))
        counts.clear()
        pinn.fit(
            heat_points(20, 6), epochs=8, verbose=0, callbacks=[RULES[name](), seen, changes, count]
        )
        assert changes.count == 4  # of the first epoch, and of the second, fourth and sixth
        assert len(set(counts[1:])) == 1


class Changes(keras.callbacks.Callback):
    """Counts how often loss weights, weights of points or targets have changed."""

    def on_train_begin(self, logs=None):
        self.count, self.last = 0, None

    def on_epoch_begin(self, epoch, logs=None):
        data = self.model._state.training_data
        given = [*self.model.loss_weights.values(), *data.targets.values()]
        given += data.sample_weight.values()
        present = [np.array(values) for values in given]
        same = self.last is not None and all(map(np.array_equal, present, self.last))
        self.count, self.last = self.count + (not same), present


@pytest.mark.parametrize("name", RULES)
def test_minimizers_of_scipy_are_refused_by_name(name):
    pinn, callback = small_heat(ScipyMinimize()), RULES[name]()
    with pytest.raises(ValueError, match="ScipyMinimize needs the same loss in each iteration"):
        pinn.fit(heat_points(8, 4), epochs=3, verbose=0, callbacks=[callback])


@pytest.mark.parametrize("name", ["uncertainty", "causal"])
def test_minimizers_of_scipy_may_work_between_two_changes(name):
    stages = [("sgd", 4), (ScipyMinimize(), 2), ("sgd", 1)]  # it is time before and after
    pinn = small_heat(Sequence(stages))
    history = pinn.fit(heat_points(8, 4), epochs=7, verbose=0, callbacks=[RULES[name]()])
    assert len(history.epoch) == 7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReLoBRaLo(alpha=1.1), r"alpha is a number in \[0, 1\], not 1.1"),
        (lambda: ReLoBRaLo(temperature=0), "temperature is a positive number, not 0"),
        (lambda: ReLoBRaLo(rho=-1), r"rho is a number in \[0, 1\], not -1"),
        (lambda: ReLoBRaLo(seed=1.5), "seed is zero or a positive whole number, not 1.5"),
        (lambda: ReLoBRaLo(every=0), "every is a positive whole number, not 0"),
        (lambda: SoftAdapt(beta=np.nan), "beta is a finite number, not nan"),
        (lambda: SoftAdapt(normalized=2), "normalized is True or False, not 2"),
        (lambda: SoftAdapt(loss_weighted="no"), "loss_weighted is True or False"),
        (lambda: UncertaintyWeights(decay=1.0), r"decay is a number in \[0, 1\), not 1.0"),
        (lambda: UncertaintyWeights(3), "conditions are names such as"),
        (lambda: SelfAdaptiveWeights(rate=0), "rate is a positive number, not 0"),
        (lambda: SelfAdaptiveWeights(largest=0.5), r"largest is a number in \[1, inf\), not 0.5"),
        (lambda: CausalWeights("a", along=""), "along is a text such as 't', not ''"),
        (lambda: CausalWeights("a", epsilon=-1.0), "epsilon is a positive number, not -1.0"),
        (lambda: CausalWeights("a", epsilon=[]), "epsilon is an empty list"),
        (lambda: CausalWeights("a", epsilon=[1, 1]), r"epsilon grows .* \[1, 1\] does not"),
        (lambda: CausalWeights("a", slices=0), "slices is a positive whole number, not 0"),
        (lambda: CausalWeights("a", delta=1.0), r"delta is a number in \(0, 1\), not 1.0"),
        (lambda: AugmentedLagrangian([]), "conditions are names such as"),
        (lambda: AugmentedLagrangian("a", penalty=0), "penalty is a positive number, not 0"),
        (lambda: AugmentedLagrangian("a", growth=0.9), r"growth is a number in \[1, inf\)"),
        (lambda: AugmentedLagrangian("a", largest=0), "largest is a positive number, not 0"),
        (lambda: AugmentedLagrangian("a", by="set"), "by 'set' is unknown: expected one of 'poi"),
    ],
)
def test_arguments_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


MEAN = {"heat": kpinn.losses.Mean()}
REFUSED = {
    "SoftAdapt weights 'haet', but the conditions are heat, start. Did you mean 'heat'": (
        lambda: SoftAdapt("haet"),
        {},
    ),
    "SoftAdapt weights 'heat' by its loss, which is kpinn.losses.Mean": (SoftAdapt, {"loss": MEAN}),
    "SelfAdaptiveWeights weights 'heat' by its loss, which": (SelfAdaptiveWeights, {"loss": MEAN}),
    "along='y' is no coordinate of one column: there are t, x": (
        lambda: CausalWeights("heat", along="y"),
        {},
    ),
    "turns 'heat' into a constraint: expected the loss 'mse'": (
        lambda: AugmentedLagrangian("heat"),
        {"loss": {"heat": "mae"}},
    ),
    "turns 'start' into a constraint: expected the loss 'mse'": (
        lambda: AugmentedLagrangian("start", by="condition"),
        {"loss": {"start": kpinn.losses.Inequality()}},
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_is_refused_before_training(message):
    make, settings = REFUSED[message]
    pinn = small_heat(**settings)
    before = pinn.get_weights()
    with pytest.raises(ValueError, match=message):
        pinn.fit(heat_points(8, 4), epochs=3, verbose=0, callbacks=[make()])
    for new, old in zip(pinn.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)


def test_multipliers_need_points_that_stay():
    pinn, box = small_heat(), kpinn.domains.Box(t=(0, 1), x=(0, 1))
    points = {"heat": box.sample(8), "start": box.face(t=0).stream(4)}
    with pytest.raises(ValueError, match="multipliers for the points of 'start', which are drawn"):
        pinn.fit(points, verbose=0, callbacks=[AugmentedLagrangian("start")])
    points = {"heat": box.stream(8), "start": box.face(t=0).sample(4)}
    rule = AugmentedLagrangian("start", every=2)
    pinn.fit(points, epochs=3, verbose=0, callbacks=[rule])
    assert rule.multipliers["start"].shape == (4, 1)


def test_losses_that_are_negative_are_refused():
    def signed(target, residual):
        return ops.mean(residual, axis=-1)

    pinn = three()
    pinn.compile("sgd", loss={"size": signed}, jit_compile=False)
    with pytest.raises(ValueError, match="of which one is negative"):
        pinn.fit({"x": LINE}, {"size": 9.0 + LINE}, epochs=3, verbose=0, callbacks=[SoftAdapt()])


@pytest.mark.parametrize("optimizer", [LevenbergMarquardt, SSBroyden])
def test_a_condition_over_a_set_has_one_multiplier(optimizer):
    """The mean of `u` is one: an equality in the equations of Karush, Kuhn and Tucker."""

    def samples(u, measured):
        return u - measured

    @kpinn.condition(over="set")
    def total(u):
        return ops.mean(u, axis=0, keepdims=True) - 1.0

    kpinn.set_float64()
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    pinn = kpinn.PINN(network, "x", "u", [samples, total])
    pinn.compile(optimizer(), jit_compile=False)
    rule = AugmentedLagrangian("total", every=8, penalty=20.0)
    sets = {"samples": SETS["samples"], "total": {"x": LINE}}
    pinn.fit(sets, epochs=80, verbose=0, callbacks=[rule])
    assert rule.multipliers["total"].shape == (1, 1)
    line = np.stack([np.ones_like(LINE), LINE], axis=1)
    matrix = np.zeros((3, 3))
    matrix[:2, :2], matrix[:2, 2] = 2 * line.T @ line / len(LINE), line.mean(axis=0)
    matrix[2, :2] = line.mean(axis=0)
    expected = np.linalg.solve(matrix, np.append(2 * line.T @ MEASURED / len(LINE), 1.0))
    slope, intercept = (variable.numpy().item() for variable in pinn.trainable_variables)
    found = [intercept, slope, rule.multipliers["total"].item()]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
