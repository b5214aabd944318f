"""`kpinn.callbacks.Checkpoint`."""

import contextlib
import os
import warnings
import weakref

import keras
import numpy as np

from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.stages import has_ended, stages
from kpinn.options import positive_whole, whole
from kpinn.training.arguments import listed
from kpinn.training.checkpoints import content, files
from kpinn.training.checkpoints.history import Calls, Found
from kpinn.training.checkpoints.holders import set_global_random_state
from kpinn.training.checkpoints.memory import Memory, digest
from kpinn.training.checkpoints.sameness import description
from kpinn.training.checkpoints.signals import Signals
from kpinn.training.checkpoints.streams import ReadAgain
from kpinn.training.state import state_of
from kpinn.training.waiting import may_change
from kpinn.training.workers.exchange import is_chief, told

_ENDED = {}  # by folder and number of a call of `fit` in this process: its model, a weak reference


class Checkpoint(keras.callbacks.Callback):
    """Saves what the next step depends on, and goes on from there when the script is started again.

    A script that was killed is started again as it is. Calls of `fit` that had ended return at once
    with their weights and their history, and the one that was interrupted goes on, bit by bit as if
    nothing had happened: weights, optimizer, loss weights, points in use, random generators, orders
    of mini-batches, callbacks and the history are those of the end of an epoch. The calls of a
    script that write into one folder are told apart by their number.

    A checkpoint is written as a whole or not at all, and verified when it is read: a damaged one is
    passed over with a warning, and the one before is taken. A state that is not finite is never
    written. SIGTERM and Ctrl-C save at the end of the epoch, and leave then.

    Of several workers (`tf.distribute.MultiWorkerMirroredStrategy`) only the chief touches the
    folder, and tells the others what is in it. A checkpoint is of no strategy: a training may go on
    with another number of replicas, to rounding.

    Args:
        path: a folder for the checkpoints, which is made if there is none.
        every: epochs from one checkpoint to the next.
        keep: how many checkpoints of each call of `fit` are kept, at least 2.

    Raises:
        ValueError: for arguments out of range; in `fit`, if the checkpoints are of another model,
            problem or optimizer, or none of them can be read.
        OSError: in `fit`, if a checkpoint cannot be written; the last one stays as it is.

    Example:

        pinn.compile(keras.optimizers.Adam(1e-3))
        pinn.fit(points, epochs=5_000, callbacks=[kpinn.callbacks.Checkpoint("run", every=500)])
        pinn.compile(kpinn.optimizers.LBFGS())
        pinn.fit(points, epochs=2_000, callbacks=[kpinn.callbacks.Checkpoint("run", every=500)])
    """

    only_watches = True  # but for the epochs at which it saves

    def __init__(self, path, every=100, keep=2):
        super().__init__()
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise ValueError(f"path is the name of a folder, not {path!r}.")
        self.path, self.every = os.path.realpath(os.fspath(path)), positive_whole("every", every)
        self.keep = whole("keep", keep, 2)  # the newest one may be damaged
        self._calls = Calls(self.path, self.keep)
        self._signals = self._fit = None

    # Called by PINN.fit ----------------------------------------------------------------------

    @contextlib.contextmanager
    def during(self, pinn, arrays, schedule, settings, is_stream):
        """Finds where `fit` goes on, and notes signals while it runs.

        Args:
            pinn: the `PINN`.
            arrays: the `Data` that `fit` was given; of a stream its first element, or `None`.
            schedule: dict with `batch_size`, `steps_per_epoch` and `shuffle`.
            settings: dict of the other arguments of `keras.Model.fit`.
            is_stream: whether `fit` was given a dataset or generator.

        Returns:
            A context manager, whose value is a dict of changed settings.
        """
        strategy = pinn.distribute_strategy
        self._writes = is_chief(strategy)
        with self._own_folder() if self._writes else contextlib.nullcontext():
            self._description = description(pinn, arrays, schedule, is_stream)
            self._points = None if arrays is None else digest([*map(dict, arrays.parts)])
            self._start = digest([np.asarray(v) for v in pinn.variables])
            self._fit = state_of(pinn).finished_fits.get(self.path, 0) + 1
            self._epochs, self._is_stream = settings["epochs"], is_stream
            self._others = _others(settings["callbacks"])
            found = told(strategy, self._find)
            self._found = None if found is None else Found(**found)
            self._epoch = self._found.epoch if self._found else settings["initial_epoch"]
            self._is_due, self._is_finite, self._signals = False, True, Signals()
            self._logs = {}
            if self._found and self._writes:
                with self._refuses_nonsense():
                    self._say_how_exact(pinn, settings["verbose"])
            try:
                with self._signals.noted():
                    yield self._changed(pinn, settings, schedule["steps_per_epoch"])
            finally:
                self._fit = self._memory = self._found = None

    @contextlib.contextmanager
    def _own_folder(self):
        """A block in which no other process writes into the folder, which is made if need be."""
        with self._says_what_failed("read"):
            os.makedirs(self.path, exist_ok=True)
        with files.locked(self.path):
            files.clean(self.path)
            yield

    def _find(self):
        """The checkpoint that `fit` goes on from, as a dict, or `None`."""
        found = self._calls.find(self._fit, self._epochs, self._description)
        return None if found is None else vars(found)

    def _changed(self, pinn, settings, steps):
        if self._found is None:
            return {}
        if not self._is_stream:
            return {"initial_epoch": self._epochs if self._found.is_finished else self._epoch}
        verbose = settings["verbose"]
        return {
            "callbacks": ReadAgain(
                settings["callbacks"],
                self._epoch,
                self._found.is_finished and self._epoch < self._epochs,
                self._after_reading,
                add_history=True,
                add_progbar=verbose != 0,
                verbose=verbose,
                epochs=self._epochs,
                steps=steps,
                model=pinn,
            )
        }

    def _say_how_exact(self, pinn, verbose):
        found = self._found
        if verbose:
            done = "has ended before" if found.is_finished else f"goes on at epoch {found.epoch}"
            print(f"Call {self._fit} of fit {done}: {os.path.join(self.path, found.name)}")
        if found.content["given"] != self._points:
            what = (
                "the dataset begins with other points than before, so that the run is another one"
                if self._is_stream
                else "fit is given other points than before, and goes on with those that it had"
            )
            warnings.warn(f"Checkpoint: {what}. Draw them with a seed.", stacklevel=2)
        ended = _ENDED.get((self.path, self._fit))
        if found.is_finished and ended and ended() is not pinn:
            if found.content["start"] != self._start:
                warnings.warn(
                    f"Checkpoint: another model, which began with other weights, has ended the "
                    f"call {self._fit} of fit in {self.path!r}: this one gets its weights, and is "
                    "not trained. Give each model a folder of its own.",
                    stacklevel=2,
                )
        last = [last for optimizer, last in stages(pinn.optimizer, self._epochs)]
        begun = [0, *last][found.content["stage"]]
        optimizer = stages(pinn.optimizer, 0)[found.content["stage"]][0]
        if isinstance(optimizer, ScipyOptimizer) and begun < found.epoch and not found.is_finished:
            warnings.warn(
                f"{type(optimizer).__name__} begins anew at epoch {found.epoch}, from the weights "
                "there: scipy keeps the curvature that it has collected to itself. "
                "kpinn.optimizers.LBFGS and BFGS go on with theirs.",
                stacklevel=2,
            )

    # Hooks: it stands last in the list of callbacks ------------------------------------------

    def on_train_begin(self, logs=None):
        """Goes on from the checkpoint that was found, or writes the first one."""
        if self._fit is None:
            raise ValueError("Checkpoint is for kpinn.PINN.fit, which tells it what to save.")
        self._memory = Memory(self._others, self.model, is_quiet=not self._writes)
        if self._found is None:
            self._save(is_finished=False)
        else:
            self._restore()

    def on_train_batch_end(self, batch, logs=None):
        """Leaves without another checkpoint, if a signal came too long ago."""
        if self._signals.late():
            self._signals.act()

    def on_epoch_end(self, epoch, logs=None):
        """Saves, if it is time or a signal has come."""
        if state_of(self.model).replaying:
            return
        self._epoch, self._found = epoch + 1, None  # which may be large
        self._logs = dict(logs or {})
        self._is_due |= self._epoch % self.every == 0
        if self._ends_here():  # it is saved with its result, or after the first epoch of the next
            return
        if self._is_due or self._signals.received is not None:
            self._save(is_finished=False)
            self._is_due = False
        self._signals.act()

    def on_train_end(self, logs=None):
        """Saves how it ended; of a call that had ended before, says it again."""
        if self._found is not None and self._found.is_finished:
            self._restore()
            content.restore_end(self.model, self._found.content)
        else:
            self._save(is_finished=True)
        state_of(self.model).finished_fits[self.path] = self._fit
        _ENDED[self.path, self._fit] = weakref.ref(self.model)
        self._signals.act()

    def _restore(self):
        found = self._found
        steps_follow = not found.is_finished or state_of(self.model).training_data is None
        with self._refuses_nonsense():
            content.restore(self.model, self._memory, found.content, steps_follow)
            if not self._is_stream:
                set_global_random_state(found.content["random"])

    @contextlib.contextmanager
    def _refuses_nonsense(self):
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"checkpoint {os.path.join(self.path, self._found.name)!r} cannot be put back into "
                f"this model and these callbacks ({error!r}): make the model anew, and train as "
                "before, or choose another path."
            ) from error

    def _after_reading(self, has_drawn):
        """A stream that draws from the global random generators has set them by being read."""
        if not has_drawn:
            set_global_random_state(self._found.content["random"])

    def _ends_here(self):
        """Whether the stage of the optimizer ends with this epoch."""
        pinn = self.model
        if state_of(pinn).training_data is None:  # in Keras's loop there is one
            return pinn.stop_training or self._epoch >= self._epochs
        ended = has_ended(pinn.optimizer) and not may_change(self._others)
        last = [last for _, last in stages(pinn.optimizer, self._epochs)]
        return ended or pinn.stop_training or self._epoch in last

    def epochs_until_save(self, epoch):
        """How many epochs may pass at once, of which only the last is saved."""
        return self.every - epoch % self.every

    def _save(self, is_finished):
        captured = content.capture(self.model, self._memory, self._logs)
        bad = content.not_finite(self.model, captured)
        if bad and self._is_finite and self._writes:
            warnings.warn(
                f"Checkpoint: {', '.join(bad[:3])} is not finite at the end of epoch "
                f"{self._epoch}, which is not written: the last checkpoint stays.",
                stacklevel=2,
            )
        self._is_finite = not bad
        if bad or not self._writes:
            return
        state = {
            "epoch": self._epoch,
            "epochs": self._epochs,
            "is_finished": is_finished,
            "description": self._description,
            "content": captured | {"given": self._points, "start": self._start},
        }
        with self._says_what_failed("written"):
            self._calls.save(self._fit, state)

    @contextlib.contextmanager
    def _says_what_failed(self, what):
        try:
            yield
        except OSError as error:
            raise OSError(
                error.errno,
                f"a checkpoint cannot be {what} ({error.strerror or error}); the last good one "
                "stays as it is, and the model has its weights",
                self.path,
            ) from error


def _others(callbacks):
    return [each for each in listed(callbacks) if not isinstance(each, Checkpoint)]
