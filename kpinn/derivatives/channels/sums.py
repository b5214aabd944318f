"""Sums with channels of their own. Pure Python.

An operator with factors that are no numbers, such as `u_t - nu u_xx`, is a *sum*: a dict from the
names of its factors (`None` for one) to symbols. Where the channels carry all contractions of these
symbols, the sum needs but a channel of its own, whose structure constants are linear in the
factors; it is no part of other channels.
"""

from kpinn.derivatives.channels.symbols import carried, contractions, reduced


def with_sums(symbols, sums):
    """The reduced basis of the channels of symbols, and the sums that have channels of their own.

    A sum of which all but one symbol are carried needs no channel but that symbol's; and sums are
    no gain where there are as many of them as of their symbols.
    """
    inner = [c for total in sums for s in total.values() for c in contractions(s).values()]
    while True:
        basis = carried([*symbols, *inner])
        rests = []
        for total in sums:
            rest = not_carried(total, basis)
            if rest and rest not in rests:
                rests.append(rest)
        parts = [symbol for rest in rests for symbol in rest.values()]
        single = [symbol for rest in rests if len(rest) == 1 for symbol in rest.values()]
        gained = len(carried([*symbols, *inner, *parts])) - len(basis)
        if not single and (not rests or gained > len(rests)):
            return basis, tuple(rests)
        symbols = [*symbols, *(single or parts)]


def not_carried(total, basis):
    """The part of a sum that the channels do not carry: its symbols, reduced."""
    found = {factor: reduced(symbol, basis) for factor, symbol in total.items()}
    return {factor: symbol for factor, symbol in found.items() if symbol}
