"""A part of `tests/reliability/wrong_calls.py`, always the same calls."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "reliability"))

import wrong_calls

CALLS = 140


def test_right_calls_succeed_and_wrong_ones_name_their_argument():
    found = wrong_calls.outcomes(CALLS)
    faults = [outcome for outcome in found if outcome.result in wrong_calls.FAULTS]
    assert not faults, "\n".join(map(str, faults))
    assert len(found) >= CALLS / 2
    assert {outcome.result for outcome in found} == {"right", "refused"}
