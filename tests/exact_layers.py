"""Keras's layers on numpy arrays of `mpf`, for one sample: they share nothing with kpinn.

Arrays have the shapes of Keras without the axis of samples; kernels are as Keras stores them.
"""

import numpy as np
import references
from mpmath import mp


def each(function):
    """A function of a number, for each element of an array."""
    return np.vectorize(function, otypes=[object])


tanh, sin, cos, exp, log, sqrt = map(each, (mp.tanh, mp.sin, mp.cos, mp.exp, mp.log, mp.sqrt))
sigmoid = each(lambda x: 1 / (1 + mp.exp(-x)))


def activation(name):
    """An activation of each element, or a softmax over the last axis."""
    return softmax if name == "softmax" else each(references.ELEMENTWISE[name])


def softmax(x, axis=-1):
    powers = exp(x)
    return powers / powers.sum(axis=axis, keepdims=True)


# Normalization -----------------------------------------------------------------------------


def _mean(x, axes, keepdims=True):
    count = np.prod([x.shape[axis] for axis in axes], dtype=int)
    return x.sum(axis=axes, keepdims=keepdims) / int(count)


def layer_norm(x, gamma=1, beta=0, axes=(-1,), epsilon=1e-3):
    mean = _mean(x, axes)
    variance = _mean((x - mean) ** 2, axes)
    return (x - mean) / sqrt(variance + mp.mpf(epsilon)) * gamma + beta


def group_norm(x, gamma=1, beta=0, groups=2, epsilon=1e-3):
    """Groups of the channels, over all other axes."""
    shape = (*x.shape[:-1], groups, x.shape[-1] // groups)
    axes = (*range(x.ndim - 1), x.ndim)
    return layer_norm(x.reshape(shape), axes=axes, epsilon=epsilon).reshape(x.shape) * gamma + beta


def rms_norm(x, gamma=1, epsilon=1e-6, axes=(-1,)):
    return x / sqrt(_mean(x**2, axes) + mp.mpf(epsilon)) * gamma


def unit_norm(x, axes=(-1,)):
    return x / sqrt((x**2).sum(axis=axes, keepdims=True))


def batch_norm(x, gamma, beta, mean, variance, epsilon=1e-3):
    return (x - mean) / sqrt(variance + mp.mpf(epsilon)) * gamma + beta


# Windows -----------------------------------------------------------------------------------


def _windows(size, window, stride, padding, dilation):
    """Length of the output, and what is padded before."""
    reach = (window - 1) * dilation + 1
    if padding == "valid":
        return (size - reach) // stride + 1, 0
    if padding == "causal":
        return -(-size // stride), reach - 1
    count = -(-size // stride)
    return count, max((count - 1) * stride + reach - size, 0) // 2


def patches(x, window, strides=1, padding="valid", dilation=1):
    """For each position of the output the pairs of an offset and the element of `x` there."""
    rank = len(window)
    strides = (strides,) * rank if isinstance(strides, int) else strides
    how = zip(x.shape[:rank], window, strides, strict=True)
    counts, before = zip(*(_windows(n, k, s, padding, dilation) for n, k, s in how), strict=True)
    for position in np.ndindex(*counts):
        found = []
        for offset in np.ndindex(*window):
            index = [
                p * s + o * dilation - b
                for p, s, o, b in zip(position, strides, offset, before, strict=True)
            ]
            if all(0 <= i < n for i, n in zip(index, x.shape[:rank], strict=True)):
                found.append((offset, x[tuple(index)]))
        yield counts, position, found


def windowed(reduce, x, window, **how):
    """The array of `reduce(pairs)` over positions."""
    rows = list(patches(x, window, **how))
    return np.array([reduce(found) for _, _, found in rows]).reshape(*rows[0][0], -1)


def conv(x, kernel, bias=0, **how):
    def reduce(pairs):
        return sum(value @ kernel[offset] for offset, value in pairs)

    return windowed(reduce, x, kernel.shape[:-2], **how) + bias


def depthwise(x, kernel, bias=0, **how):
    def reduce(pairs):
        return sum((value[:, None] * kernel[offset]).reshape(-1) for offset, value in pairs)

    return windowed(reduce, x, kernel.shape[:-2], **how) + bias


def separable(x, depth_kernel, point_kernel, bias=0, **how):
    return conv(depthwise(x, depth_kernel, **how), point_kernel) + bias


def conv_transpose(x, kernel, bias=0, strides=1, padding="valid"):
    """The transpose of a convolution; the kernel is `(..., outputs, inputs)`."""
    window = kernel.shape[:-2]
    sizes = x.shape[:-1]
    longest = [n * strides + max(k - strides, 0) for n, k in zip(sizes, window, strict=True)]
    full = references.exact(np.zeros((*longest, kernel.shape[-2])))
    for position in np.ndindex(*sizes):
        for offset in np.ndindex(*window):
            index = tuple(p * strides + o for p, o in zip(position, offset, strict=True))
            full[index] = full[index] + kernel[offset] @ x[position]
    if padding == "same":
        before = [max(k - strides, 0) // 2 for k in window]
        full = full[tuple(slice(b, b + n * strides) for b, n in zip(before, sizes, strict=True))]
    return full + bias


def pool(reduce, x, window, **how):
    """Max or average pooling; what is padded does not count."""

    def function(pairs):
        values = [value for _, value in pairs]
        if reduce == "average":
            return sum(values) / len(values)
        return np.max(np.array(values), axis=0)

    return windowed(function, x, window, **how)


# Attention ---------------------------------------------------------------------------------


def attention(query, key, value, scale=1):
    return softmax(scale * query @ key.T) @ value


def additive_attention(query, key, value, scale=1):
    scores = (scale * tanh(query[:, None] + key[None])).sum(axis=-1)
    return softmax(scores) @ value


def multi_head_attention(x, *weights):
    """Kernels `(d, heads, k)`, biases `(heads, k)`; of the output `(heads, k, d)` and `(d,)`."""
    (wq, bq, wk, bk, wv, bv, wo, bo) = weights
    heads = range(wq.shape[1])
    scale = 1 / mp.sqrt(wq.shape[2])
    total = bo
    for h in heads:
        q, k, v = (x @ w[:, h] + b[h] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
        total = total + attention(q, k, v, scale) @ wo[h]
    return total


# Recurrent layers --------------------------------------------------------------------------


def simple_rnn(x, kernel, recurrent, bias):
    state = 0 * bias
    for row in x:
        state = tanh(row @ kernel + bias + state @ recurrent)
    return state


def lstm(x, kernel, recurrent, bias):
    units = recurrent.shape[0]
    state = carry = 0 * bias[:units]
    for row in x:
        i, f, c, o = np.split(row @ kernel + state @ recurrent + bias, 4)
        carry = sigmoid(f) * carry + sigmoid(i) * tanh(c)
        state = sigmoid(o) * tanh(carry)
    return state


def gru(x, kernel, recurrent, bias):
    state = 0 * bias[0, : recurrent.shape[0]]
    for row in x:
        z, r, h = np.split(row @ kernel + bias[0], 3)
        rz, rr, rh = np.split(state @ recurrent + bias[1], 3)
        update, reset = sigmoid(z + rz), sigmoid(r + rr)
        state = update * state + (1 - update) * tanh(h + reset * rh)
    return state


# Shapes ------------------------------------------------------------------------------------


def upsample(x, sizes):
    for axis, size in enumerate(sizes):
        x = np.repeat(x, size, axis=axis)
    return x


def pad(x, *widths):
    zero = references.exact(0).item()
    return np.pad(x, [*widths, *[(0, 0)] * (x.ndim - len(widths))], constant_values=zero)


def error(value, expected):
    """The largest error relative to the largest reference; absolute where that is zero."""
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.shape == expected.shape
    largest = np.max(np.abs(expected), initial=0.0)
    return np.max(np.abs(value - expected), initial=0.0) / (largest if largest > 1e-30 else 1.0)
