"""The operators and the sine problem in DeepXDE on PyTorch. Not needed by anything else.

Whoever imports it sets the environment variable DDE_BACKEND=pytorch before.
"""

import functools

import deepxde as dde
import torch
from operators import OPERATORS, assemble, partials


def arrays(result):
    """What a step returns, in numpy."""
    return [each.detach().numpy() for each in result]


def model(pde, case, optimizer, rate):
    """A compiled DeepXDE model of a case."""
    weights, kernels = case.weights(), case.weights()[::2]
    sizes = [case.sizes[0], *[case.width] * case.depth, case.sizes[1]]
    dde.config.set_default_float(case.dtype)
    geometry = dde.geometry.Hypercube([-1.0] * sizes[0], [1.0] * sizes[0])
    data = dde.data.PDE(geometry, pde, [], num_domain=1)
    net = dde.nn.FNN(sizes, "tanh", "Glorot normal")
    with torch.no_grad():
        for layer, kernel, bias in zip(net.linears, kernels, weights[1::2], strict=True):
            layer.weight.copy_(torch.tensor(kernel.T))
            layer.bias.copy_(torch.tensor(bias))
    made = dde.Model(data, net)
    made.compile(optimizer, lr=rate, verbose=0)
    return made


def _partial(outputs, x, column, axes):
    value = outputs[:, column : column + 1]
    for depth, axis in enumerate(axes):
        source, which = (value, 0) if depth else (outputs, column)
        value = dde.grad.jacobian(source, x, i=which, j=axis)
    return value


def steps(case):
    """Dict from `(name, "plain")` to a function that returns the gradient of the loss.

    It is DeepXDE's own training step, with a gradient descent of rate zero.
    """
    operator, x = OPERATORS[case.operator], case.x()

    def pde(x, outputs):
        stacks = {k: _stack(outputs, x, axes) for k, axes in partials(operator).items()}
        values = assemble(operator, stacks, functools.partial(torch.cat, dim=1))
        return operator.reference(values)

    made = model(pde, case, "sgd", 0.0)

    def step():
        made.train_step(x, None, None)
        return [each for layer in made.net.linears for each in _gradients(layer)]

    return {("DeepXDE", "plain"): step}


def _stack(outputs, x, axes):
    columns = range(outputs.shape[1])
    return torch.stack(
        [torch.cat([_partial(outputs, x, c, each) for c in columns], 1) for each in axes]
    )


def _gradients(layer):
    kernel, bias = layer.weight.grad, layer.bias.grad
    return kernel.T, torch.zeros_like(layer.bias) if bias is None else bias


def sine(case, epochs, rate):
    """The sine problem: functions as in `steps` that run epochs of Adam and return the loss."""

    def pde(x, u):
        return [u - torch.sin(x), dde.grad.jacobian(u, x) - torch.cos(x)]

    made, x = model(pde, case, "adam", rate), case.x()

    def run():
        for _ in range(epochs):
            made.train_step(x, None, None)
        # The loss after the last step; the other frameworks return the one before it.
        return [made.outputs_losses_train(x, None, None)[1].sum()]

    return {("DeepXDE", "plain"): run}
