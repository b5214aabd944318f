"""Flips bits of a checkpoint or cuts it off: `python tests/reliability/bit_flips.py --flips 10000`.

Each time a copy of one file of a checkpoint has one bit flipped or is cut off at one place, and the
checkpoint is verified and read as `Checkpoint` does it. Every damage must be detected. Every
hundredth is done on the disk, where the checkpoint before has to be found.
"""

import argparse
import os
import random
import sys
import time
import warnings

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import faults

from kpinn.training.checkpoints import files
from kpinn.training.checkpoints.history import Calls


def damaged(data, generator):
    """The bytes with one bit flipped, or cut off; and a word for it."""
    data = bytearray(data)
    if generator.random() < 0.2:
        return bytes(data[: generator.randrange(len(data))]), "truncation"
    data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
    return bytes(data), "flip"


def is_detected(packed, name, data):
    """Whether files of which one has other bytes are refused."""
    contents = packed | {name: data}
    try:
        files.unpack(bytes(contents[files.MANIFEST]), bytes(contents[files.ARRAYS]))
    except files.DamagedError:
        return True
    return False


def falls_back(name, data):
    """Whether the checkpoint before is found, with a warning, if a file on the disk is damaged."""
    with faults.two_saved() as calls:
        newest = files.listed(calls.root)[1][-1]
        with open(os.path.join(calls.root, newest, name), "wb") as file:
            file.write(data)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = Calls(calls.root, 2).find(1, 100, faults.DESCRIPTION)
        return found.epoch == 1 and any("is damaged" in str(each.message) for each in told)


def run(flips, seed=0, on_the_disk=100):
    """Counts by kind of damage: how many there were, and how many were not detected."""
    generator, packed = random.Random(seed), files.pack(faults.state(2))
    counts = {"flip": [0, 0], "truncation": [0, 0], "on the disk": [0, 0]}
    for number in range(flips):
        name = generator.choice(sorted(packed))
        data, kind = damaged(packed[name], generator)
        counts[kind][0] += 1
        counts[kind][1] += not is_detected(packed, name, data)
        if number % on_the_disk == 0:
            counts["on the disk"][0] += 1
            counts["on the disk"][1] += not falls_back(name, data)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begin = time.monotonic()
    counts = run(given.flips, given.seed)
    print("| damage | number | not detected |\n|---|---|---|")
    for kind, (number, missed) in counts.items():
        print(f"| {kind} | {number} | {missed} |")
    print(f"in {time.monotonic() - begin:.0f} s")
    return 1 if any(missed for _, missed in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
