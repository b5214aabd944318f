"""Random permutations of which single entries are computed, without a sort of all.

`tf.random.experimental.index_shuffle` does that too, but TensorFlow 2.21 has no kernel of it for
XLA on the CPU.
"""

import math

import tensorflow as tf

ROUNDS = 4  # of a Feistel network, from which on it is as good as random


def permuted(positions, count, seed):
    """Entries of a random permutation of the numbers below `count`.

    A number has two digits, to each of which random functions of the other one are added in turn;
    the inverse subtracts them. Few more numbers than `count` have these digits: a result among
    those goes through again, until it is below `count`.

    Args:
        positions: integer tensor `(n,)`, which entries.
        count: a whole number.
        seed: integer tensor `(2,)`; which permutation.

    References:
        J. Black and P. Rogaway, Ciphers with arbitrary finite domains, Topics in Cryptology -
        CT-RSA 2002, 114-130.
    """
    low = math.isqrt(count - 1) + 1
    high = -(-count // low)
    most = tf.int32.max
    drawn = tf.random.stateless_uniform((ROUNDS, high + low), seed, 0, most, tf.int32)
    to_low, to_high = drawn[:, :high] % low, drawn[:, high:] % high

    def through(number):
        first, second = number % low, number // low
        for i in range(ROUNDS):
            first = (first + tf.gather(to_low[i], second)) % low
            second = (second + tf.gather(to_high[i], first)) % high
        return first + low * second

    (found,) = tf.while_loop(
        lambda number: tf.reduce_any(number >= count),
        lambda number: [tf.where(number >= count, through(number), number)],
        [through(positions)],
    )
    return found
