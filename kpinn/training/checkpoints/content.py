"""What the next step of a training depends on, as plain data, and how it is put back.

These are the variables of the model and of the optimizer, the loss weights, what an optimizer of
kpinn knows of its last step, the points in use, the seed of the orders of mini-batches and the
global generators of random numbers; `memory` has what callbacks remember.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.result import MinimizeResult, ResultCode
from kpinn.optimizers.stages import current, enter, stages
from kpinn.problem.points import Data
from kpinn.training.changes import set_scales
from kpinn.training.checkpoints.holders import global_random_state
from kpinn.training.flat import flat_functions
from kpinn.training.state import state_of


def capture(pinn, memory, logs):
    """The state of a training, a dict of plain data.

    Args:
        pinn: the `PINN` that is trained.
        memory: the `Memory` of its callbacks.
        logs: those of the last epoch, empty before the first.
    """
    state = state_of(pinn)
    optimizers = [optimizer for optimizer, _ in stages(pinn.optimizer, 0)]
    return {
        "variables": _values(model_variables(pinn)),
        "loss_weights": {name: np.asarray(v) for name, v in pinn.loss_weights.items()},
        "optimizer": _values(pinn.optimizer.variables),
        "stage": [each is current(pinn.optimizer) for each in optimizers].index(True),
        "results": [_result(optimizer) for optimizer in optimizers],
        "flat": _flat(pinn) if logs else None,
        "logs": logs,
        "end": {"stopped": bool(pinn.stop_training), "failure": state.failure},
        "points": None if state.training_data is None else _points(state.training_data),
        "scales": dict(pinn.problem.scales),
        "order_seed": state.order_seed,
        "memory": memory.changed(),
        "random": global_random_state(),
    }


def restore(pinn, memory, content, steps_follow):
    """Puts back what `capture` returned, into a model and an optimizer that are built.

    All but the global generators of random numbers (`holders.set_global_random_state`).

    Args:
        pinn: the `PINN`.
        memory: the `Memory` of its callbacks.
        content: what `capture` returned.
        steps_follow: whether a run of an optimizer of kpinn goes on.
    """
    state = state_of(pinn)
    set_scales(pinn, content["scales"])
    _assign(model_variables(pinn), content["variables"])
    for name, weight in pinn.loss_weights.items():
        weight.assign(content["loss_weights"][name])
    _assign(pinn.optimizer.variables, content["optimizer"])
    optimizers = [optimizer for optimizer, _ in stages(pinn.optimizer, 0)]
    enter(pinn.optimizer, optimizers[content["stage"]])
    for optimizer, result in zip(optimizers, content["results"], strict=True):
        if hasattr(optimizer, "result"):
            optimizer.result = _minimize_result(result)
    if content["points"] is not None:
        streams = state.training_data.streams if state.training_data else ()
        state.training_data = _data(content["points"], streams)
    state.order_seed, state.last_logs = content["order_seed"], dict(content["logs"])
    memory.restore(content["memory"])
    # The last, since what is above may make other functions.
    if content["flat"] is not None and steps_follow:
        optimizer, functions = current(pinn.optimizer), flat_functions(pinn)
        optimizer.go_on(content["flat"]["run"])
        functions.recent.assign(content["flat"]["recent"])
        functions.weights.assign(content["flat"]["weights"])


def restore_end(pinn, content):
    """Says of a call of `fit` that had ended what `PINN.result` is made of."""
    pinn.stop_training = content["end"]["stopped"]
    state_of(pinn).failure = content["end"]["failure"]


def not_finite(pinn, content):
    """Names of trained variables, loss weights and variables of the optimizer with NaN or inf.

    Args:
        pinn: the `PINN`.
        content: what `capture` returned.
    """
    trained = {id(variable) for variable in pinn.trainable_variables}
    variables = zip(model_variables(pinn), content["variables"], strict=True)
    named = [(v.path, array) for v, array in variables if id(v) in trained]
    named += [(f"loss weight of {n}", array) for n, array in content["loss_weights"].items()]
    # An optimizer of kpinn has scalars that are infinite before its first step.
    variables = zip(pinn.optimizer.variables, content["optimizer"], strict=True)
    named += [(v.path, array) for v, array in variables if array.ndim]
    return [name for name, array in named if not _is_finite(array)]


def model_variables(pinn):
    """All variables that belong to a PINN: weights, unknowns, states of random generators."""
    return [*pinn.variables, *state_of(pinn).trained_elsewhere]


def _is_finite(array):
    if array.dtype.kind == "V":  # bfloat16 and the like
        array = array.astype(np.float32)
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _values(variables):
    return [np.asarray(variable) for variable in variables]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _result(optimizer):
    """How a stage has ended."""
    result = getattr(optimizer, "result", None)
    if result is None:
        return None
    return dataclasses.asdict(result) | {"code": str(result.code)}


def _minimize_result(fields):
    if fields is None:
        return None
    return MinimizeResult(**fields | {"code": ResultCode(fields["code"])})


def _flat(pinn):
    """What an optimizer of kpinn and its functions know of the last step; else `None`."""
    optimizer = current(pinn.optimizer)
    if not isinstance(optimizer, FlatOptimizer):
        return None
    functions = flat_functions(pinn)
    return {
        "run": optimizer.run_state(),
        "recent": functions.recent.numpy(),
        "weights": functions.weights.numpy(),
    }


# Points --------------------------------------------------------------------------------------


def _points(data):
    """A `Data` as plain data: where each tensor stands, and each tensor once."""
    tensors = {}
    places = [_numbered(part, tensors) for part in data.parts]
    return {"places": places, "arrays": [np.asarray(tensor) for _, tensor in tensors.values()]}


def _numbered(tree, tensors):
    if isinstance(tree, dict):
        return {name: _numbered(part, tensors) for name, part in tree.items()}
    return tensors.setdefault(id(tree), (len(tensors), tree))[0]


def _data(content, streams):
    tensors = [tf.constant(array) for array in content["arrays"]]
    return Data(*(_filled(part, tensors) for part in content["places"]), streams)


def _filled(places, tensors):
    if isinstance(places, dict):
        return {name: _filled(part, tensors) for name, part in places.items()}
    return tensors[places]
