"""Functions timed alternately, and their times in tables."""

import itertools
import math
import statistics
import time

SHORTEST = 0.01  # seconds of one measurement: a shorter call is repeated


def timed(function):
    """A function that calls the given one so many times, and returns the seconds per call."""

    def measure(repeats):
        start = time.perf_counter()
        for _ in range(repeats):
            function()
        return (time.perf_counter() - start) / repeats

    return measure


def alternately(measures, rounds, seconds=math.inf):
    """Measures in turn, after a call of each that does not count.

    Args:
        measures: dict from name to what `timed` returns.
        rounds: number of times that each is measured.
        seconds: what one may take in all. A slower one is measured in the first rounds only, twice
            at least.

    Returns:
        A dict from name to the list of seconds per call, one for each round.
    """
    first = {name: measure(1) for name, measure in measures.items()}
    repeats = {name: math.ceil(SHORTEST / max(first[name], 1e-6)) for name in measures}
    counts = {name: _count(first[name] * repeats[name], rounds, seconds) for name in measures}
    times = {name: [] for name in measures}
    for i, (name, measure) in itertools.product(range(rounds), measures.items()):
        if i < counts[name]:
            times[name].append(measure(repeats[name]))
    return times


def _count(once, rounds, seconds):
    return rounds if once * rounds <= seconds else max(min(2, rounds), int(seconds / once))


def median_ratio(times, others):
    """The median over rounds of the ratio of two times, measured one shortly after the other."""
    return statistics.median(a / b for a, b in zip(times, others, strict=False))


def quartiles(times):
    """The lower quartile, the median and the upper quartile."""
    return statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
