"""The operators and the sine problem in PyTorch, for comparison. Not needed by anything else."""

import functools

import numpy as np
import torch
from operators import OPERATORS, assemble, partials

FEW = 4  # so many derivatives of one order are written out, more are mapped over


def network(weights, x):
    """A tanh network from kernels and biases in turn."""
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = torch.tanh(torch.addmm(bias, x, kernel))
    return torch.addmm(weights[-1], x, weights[-2])


# Ways to partial derivatives: (function, x, dict of axes by order) -> dict of (number, n, m) --


def by_autograd(function, x, wanted):
    """Nested reverse mode: each gradient is computed once."""
    x = x.detach().requires_grad_()
    outputs = function(x)

    @functools.cache
    def column(which, axes):
        if not axes:
            return outputs[:, which : which + 1]
        return gradient(which, axes[:-1])[:, axes[-1] : axes[-1] + 1]

    @functools.cache
    def gradient(which, axes):
        return torch.autograd.grad(column(which, axes).sum(), x, create_graph=True)[0]

    def row(axes):
        return torch.cat([column(which, axes) for which in range(outputs.shape[1])], 1)

    return {order: torch.stack([row(axes) for axes in each]) for order, each in wanted.items()}


def by_func(function, x, wanted):
    """`torch.func`: forward over forward."""
    return {order: _by_jvp(function, x, axes) for order, axes in wanted.items()}


def _by_jvp(function, x, axes):
    units = torch.eye(x.shape[1], dtype=x.dtype)[torch.from_numpy(np.array(axes, int))]

    def each(directions):
        return _along(function, directions)(x)

    if len(axes) > FEW:
        return torch.func.vmap(each)(units)
    return torch.stack([each(directions) for directions in units])


def _along(function, directions):
    for v in directions:
        function = functools.partial(_jvp, function, v)
    return function


def _jvp(function, v, x):
    return torch.func.jvp(function, (x,), (v.expand(x.shape),))[1]


WAYS = {"autograd": by_autograd, "func.jvp": by_func}


# Steps -------------------------------------------------------------------------------------


def _loss(operator, way, weights, x):
    stacks = WAYS[way](functools.partial(network, weights), x, partials(operator))
    values = assemble(operator, stacks, functools.partial(torch.cat, dim=1))
    return sum((residual**2).mean() for residual in operator.reference(values))


def arrays(result):
    """What a step returns, in numpy."""
    return [each.detach().numpy() for each in result]


def steps(case):
    """Dict from `(name, "plain")` to a function that returns the gradient of the loss."""
    operator, x = OPERATORS[case.operator], torch.tensor(case.x())

    def made(way):
        weights = [torch.tensor(w, requires_grad=True) for w in case.weights()]

        def step():
            loss = _loss(operator, way, weights, x)
            return torch.autograd.grad(loss, weights, materialize_grads=True, allow_unused=True)

        return step

    return {(f"PyTorch {way}", "plain"): made(way) for way in WAYS}


def compiled_steps(case):
    """Dict from `(name, "plain")` to the step through `torch.compile`.

    It compiles nested forward mode only; gradients of gradients it leaves to autograd.
    """
    operator, x = OPERATORS[case.operator], torch.tensor(case.x())
    weights = [torch.tensor(w) for w in case.weights()]
    gradient = torch.func.grad(lambda weights, x: _loss(operator, "func.jvp", weights, x))
    step = torch.compile(gradient, dynamic=False)
    return {("PyTorch compiled", "plain"): lambda: step(weights, x)}


def sine(case, epochs, rate):
    """The sine problem: functions as in `steps` that run epochs of Adam and return the loss."""
    weights = [torch.tensor(w, requires_grad=True) for w in case.weights()]
    x = torch.tensor(case.x(), requires_grad=True)
    sine, cosine = torch.sin(x).detach(), torch.cos(x).detach()
    adam = torch.optim.Adam(weights, lr=rate, eps=1e-7)

    def epoch():
        adam.zero_grad()
        u = network(weights, x)
        u_x = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
        loss = ((u - sine) ** 2).mean() + ((u_x - cosine) ** 2).mean()
        loss.backward(inputs=weights)
        adam.step()
        return loss

    return {("PyTorch autograd", "plain"): lambda: [epoch() for _ in range(epochs)][-1:]}


def compiled_sine(case, epochs, rate):
    """None: the gradient of a gradient is not compiled."""
    return {}
