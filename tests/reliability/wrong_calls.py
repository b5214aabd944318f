"""Wrong calls of the whole public surface: `python tests/reliability/wrong_calls.py`.

Each call has right arguments, but for at most one. `kinds_of_values` and `table_of_calls` say what
is right. A call with right arguments must succeed; one with a wrong argument must raise a
`ValueError` or `TypeError` whose message names it. Counted are calls that hang, errors that do not
name the argument, nonsense that is accepted, and right calls that are refused.
"""

import argparse
import collections
import contextlib
import dataclasses
import io
import os
import re
import signal
import sys
import time
import traceback
import warnings

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import calls_of_pinn
import hypothesis
import keras
from hypothesis import strategies as st
from kinds_of_values import Later
from table_of_calls import CALLS

SECONDS = 30  # after which a call hangs
FAULTS = ("hang", "raw error", "accepted nonsense", "refused right")
COLUMNS = ("right", "refused", *FAULTS)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a call.

    Attributes:
        call: name of what was called.
        result: of `COLUMNS`.
        wrong: name of the wrong argument, or `None`.
        arguments: as text.
        message: of the error.
    """

    call: str
    result: str
    wrong: str | None
    arguments: str
    message: str = ""


@st.composite
def drawn_arguments(draw, call):
    """Arguments of a call, and the name of the one that is wrong or `None`."""
    wrong = draw(st.sampled_from([None] * call.right + list(call.arguments)))
    arguments = {}
    for name, kind in call.arguments.items():
        if name == wrong:
            arguments[name] = draw(kind.invalid)
        elif kind.required or draw(st.integers(0, 2)) == 0:
            arguments[name] = draw(kind.valid)
    return arguments, wrong


class HangError(BaseException):
    """A call that took too long."""


@contextlib.contextmanager
def limited(seconds):
    """Raises `HangError` after so many seconds."""

    def stop(number, frame):
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def judged(call, arguments, wrong):
    """The `Outcome` of a call."""
    arguments = {n: v.make() if isinstance(v, Later) else v for n, v in arguments.items()}
    text = ", ".join(f"{name}={value!r:.80}" for name, value in arguments.items())

    def outcome(result, message=""):
        return Outcome(call.name, result, wrong, " ".join(text.split()), message)

    try:
        with limited(SECONDS), contextlib.redirect_stdout(io.StringIO()):
            call.function(**arguments)
    except HangError:
        return outcome("hang")
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        if wrong is None:
            return outcome("refused right", message)
        is_raw = _is_raw(error, (wrong, *call.arguments[wrong].aliases))
        return outcome("raw error" if is_raw else "refused", message)
    return outcome("right" if wrong is None else "accepted nonsense")


def _is_raw(error, names):
    """Whether an error is not one that says which argument is wrong."""
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    of_others = "site-packages" in last and "keras" not in last
    named = any(re.search(_pattern(name), str(error), re.I) for name in names)
    return not isinstance(error, ValueError | TypeError) or not named or of_others


def _pattern(name):
    """How a message names an argument; a letter alone is quoted or followed by its value."""
    return rf"(?<!\w){re.escape(name)}" if len(name) > 1 else rf"['`]{name}['`]|\b{name}="


def outcomes(count, seed=None):
    """The outcomes of about so many calls.

    Args:
        count: number of calls.
        seed: of Hypothesis; by default always the same calls.
    """
    every, found = sum(call.weight for call in CALLS), []
    for call in CALLS:
        found += outcomes_of(call, max(1, round(count * call.weight / every)), seed)
    return found


def outcomes_of(call, count, seed):
    """The outcomes of one call, with so many different arguments."""
    found = []

    @hypothesis.settings(
        max_examples=count,
        derandomize=seed is None,
        database=None,
        deadline=None,
        print_blob=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(drawn_arguments(call))
    def run(drawn):
        if len(found) >= count:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(judged(call, *drawn))
        if found[-1].result in FAULTS:
            calls_of_pinn.forget()

    run = run if seed is None else hypothesis.seed(seed)(run)
    run()
    return found


def table(found):
    """The outcomes by call as lines of text."""
    counts = collections.defaultdict(collections.Counter)
    for outcome in found:
        counts[outcome.call][outcome.result] += 1
        counts["all"][outcome.result] += 1
    width = max(map(len, counts))
    lines = [f"{'call':{width}} {' '.join(f'{name:>17}' for name in COLUMNS)}"]
    for name in sorted(counts, key=lambda name: (name == "all", name)):
        row = " ".join(f"{counts[name][column]:>17}" for column in COLUMNS)
        lines.append(f"{name:{width}} {row}")
    return "\n".join(lines)


def main(arguments=None):
    """Runs the command line; the exit status is 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=11_000, help="about how many (default 11000)")
    parser.add_argument("--seed", type=int, help="of the calls; by default always the same ones")
    parser.add_argument("--faults", type=int, default=20, help="most faults that are listed")
    options = parser.parse_args(arguments)
    keras.utils.set_random_seed(0)
    start = time.time()
    found = outcomes(options.calls, options.seed)
    faults = {}
    for outcome in found:
        if outcome.result in FAULTS:
            key = outcome.call, outcome.wrong, outcome.result, outcome.message[:40]
            faults.setdefault(key, outcome)
    for outcome in list(faults.values())[: options.faults]:
        print(f"{outcome.result}: {outcome.call}({outcome.arguments}) [{outcome.wrong}]")
        print(f"    {' '.join(outcome.message.split())[:300]}")
    print(table(found))
    print(
        f"{len(found)} calls in {time.time() - start:.0f} s, of which {len(calls_of_pinn.trained)} "
        f"trained in fit; {sum(outcome.result in FAULTS for outcome in found)} faults."
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
