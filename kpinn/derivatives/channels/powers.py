"""The powers of the nilpotent part of a jet, and sums of them with Taylor coefficients."""

from kpinn.derivatives.channels.product_rules import (
    nilpotent_rule,
    square_rule,
    sum_of_rule,
    total_of,
)


def taylor_sums(jet, coefficients, needed=None):
    """The channels of the sum of `coefficient * n^m`, `None` for those that are not needed."""
    value, *coefficients = coefficients
    sums = [[] for _ in jet.channels]
    found = powers(jet, len(coefficients), needed)
    for coefficient, power in zip(coefficients, found, strict=True):
        for k, channel in enumerate(power):
            if channel is not None and coefficient is not None and _uses(needed, k):
                sums[k].append(coefficient * channel)
    return [value, *(total_of(terms) for terms in sums[1:])]


def powers(jet, highest, needed=None):
    """The powers `n, n^2, ..., n^highest` of the nilpotent part: lists of channels.

    Channels that those of `needed` do not depend on are `None`.
    """
    algebra, first = jet.algebra, [None, *jet.channels[1:]]
    rules = [square_rule if m == 2 else nilpotent_rule for m in range(2, highest + 1)]
    wanted = [needed]
    for rule in rules[:0:-1]:
        wanted.append(None if needed is None else needed | sources(rule, algebra, wanted[-1]))
    found = [first][:highest]
    for rule, used in zip(rules, reversed(wanted), strict=False):
        parts = first, found[-1], algebra.factors
        sums = [
            sum_of_rule(rule(algebra, k), *parts) if _uses(used, k) else None
            for k in range(1, len(algebra))
        ]
        found.append([None, *sums])
    return found


def _uses(needed, k):
    return k == 0 or needed is None or k in needed


def sources(rule, algebra, channels):
    """The channels of the second operand of products whose `channels` are wanted."""
    rules = (rule(algebra, k) for k in channels)
    return {j for each in rules for _, rows in each for _, j, _ in rows}
