"""The checkpoints of the calls of `fit` in a folder: which one a call goes on from."""

import dataclasses
import os
import warnings

from kpinn.training.checkpoints import files
from kpinn.training.checkpoints.sameness import differences

SHOWN = 4  # differences in an error


@dataclasses.dataclass(frozen=True)
class Found:
    """A checkpoint that a training goes on from.

    Attributes:
        name: its name.
        epoch: epochs that are done.
        is_finished: whether the call of `fit` has ended.
        content: what `content.capture` returned.
    """

    name: str
    epoch: int
    is_finished: bool
    content: dict


class Calls:
    """The checkpoints of one folder.

    Args:
        root: the folder, which is made if there is none.
        keep: how many checkpoints of each call of `fit` are kept.
    """

    def __init__(self, root, keep):
        self.root, self.keep, self._damaged = root, keep, set()

    def find(self, fit, epochs, description):
        """The checkpoint that a call goes on from, `None` if it begins.

        Args:
            fit: the number of the call.
            epochs: number of the last epoch.
            description: what makes the training, to compare.

        Raises:
            ValueError: if the checkpoints are those of another training, or all are damaged.
        """
        listed = files.listed(self.root)
        states = self._good(listed.get(fit, []))
        later = [number for number in listed if number > fit]
        if not states:
            if later:
                raise ValueError(
                    f"{self.root!r} has no checkpoint of the call {fit} of fit, and has some of "
                    f"the call {later[0]}, which went on from it: choose another path."
                )
            return None
        self._check(fit, *next(iter(states.items())), description)
        name, state = next(iter(states.items()))
        if state["is_finished"] and state["epoch"] == state["epochs"] < epochs:
            if later:
                raise ValueError(
                    f"the call {fit} of fit had epochs={state['epochs']}, and the next one went "
                    f"on from there: it cannot have epochs={epochs} now. Choose another path."
                )
            rest = {n: s for n, s in states.items() if not s["is_finished"]}
            if not rest:
                return None
            name, state = next(iter(rest.items()))
        return Found(name, state["epoch"], state["is_finished"], state["content"])

    def _good(self, names):
        """A dict from name to state of the checkpoints that are whole, newest first."""
        found, wrong = {}, []
        for name in reversed(names):
            try:
                found[name] = files.read(os.path.join(self.root, name))
            except files.DamagedError as error:
                wrong.append(f"{name}: {error}")
                self._damaged.add(name)
        if wrong and not found:
            raise ValueError(
                f"no checkpoint in {self.root!r} can be read ({'; '.join(wrong)}). To begin anew, "
                "remove the folder or choose another path."
            )
        if wrong and self._damaged & {names[-1]}:
            warnings.warn(
                f"a checkpoint in {self.root!r} is damaged ({'; '.join(wrong)}): the training "
                f"goes on from {next(iter(found))}.",
                stacklevel=2,
            )
        return found

    def _check(self, fit, name, state, description):
        different = differences(state["description"], description)
        if different:
            more = f"; and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
            raise ValueError(
                f"checkpoint {os.path.join(self.root, name)!r} of the call {fit} of fit is of "
                f"another training: {'; '.join(different[:SHOWN])}{more}. Train as before, or "
                "choose another path (or remove the folder) to begin anew."
            )

    def save(self, fit, state):
        """Writes a checkpoint and removes older ones of the same call; returns its name.

        Args:
            fit: the number of the call.
            state: a dict of plain data, with `epoch`.
        """
        name = files.new_name(self.root, fit, state["epoch"])
        files.write(self.root, name, files.pack(state))
        good = [n for n in files.listed(self.root)[fit] if n not in self._damaged]
        for old in {*good[: -self.keep], *self._damaged}:
            files.remove(self.root, old)
        self._damaged.clear()
        return name
