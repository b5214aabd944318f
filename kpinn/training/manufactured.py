"""A problem whose solution is chosen first, by functions in the place of its network."""

import inspect
import numbers

import keras
import numpy as np

from kpinn.derivatives.api import resolve
from kpinn.derivatives.methods.finite_difference import FiniteDifference
from kpinn.derivatives.methods.stochastic import Stochastic
from kpinn.layers.formulas import Formulas
from kpinn.options import did_you_mean, shown
from kpinn.options.arrays import as_dict, float_array
from kpinn.options.configs import call_of
from kpinn.problem.unknowns import describe
from kpinn.training.construction import names_of
from kpinn.training.state import state_of

PLAIN = numbers.Number | str | np.ndarray | keras.layers.Layer
NOT_TAKEN = (  # attributes of a model that belong to its training, and to the names of its fields
    *("autocast", "built", "compiled", "jit_compile", "loss", "run_eagerly", "steps_per_execution"),
    *("stop_training", "supports_jit", "supports_masking", "trainable"),
    *("coordinates", "fields", "method", "name", "network", "parameters"),
)


def manufactured(problem, solution, unknowns=None, **arguments):
    """The same problem with a solution that you choose in the place of its network.

    It is a PINN of the same class, so that `residuals` gives what the chosen solution leaves of
    each condition: sources in the domain, tractions, fluxes and values on the boundary, to
    rounding. As targets of `fit` they make a problem whose solution is known. Where a condition
    has its right side already, residuals that are more than rounding say that condition and
    solution do not belong together. `predict_fields` gives fields and any of their derivatives.

    Derivatives are exact, also where the problem estimates them (`method=kpinn.Stochastic(...)` of
    the PINN, not of one condition).

    Args:
        problem: a PINN, or a class of PINNs whose constructor takes `network`. Of a PINN its
            arguments, the present values of its unknowns and attributes that are numbers or layers
            are taken over.
        solution: a function whose arguments are named like coordinates and parameters, from
            columns `(n, 1)` to all fields `(n, m)`, in `keras.ops` or TensorFlow; or a dict from
            each field to such a function, `(n, k)` for `k` components, or to a number.
        unknowns: dict from the unknowns of an inverse problem to their values.
        **arguments: of the class, such as `coordinates`, `fields` and `conditions`.

    Returns:
        A PINN of the class, whose network has no weights.

    Raises:
        ValueError: for fields without a function, names without meaning, values of another shape,
            and a class whose constructor makes its network itself.

    Example:

        truth = kpinn.manufactured(Heat, lambda t, x: ops.exp(-t) * ops.sin(x))
        pinn.fit((points, truth.residuals(points)), epochs=1_000)
        error = pinn.predict_fields(new)["u"] - truth.predict_fields(new)["u"]

    References:
        Roache, "Code verification by the method of manufactured solutions" (2002).
    """
    cls = problem if isinstance(problem, type) else type(problem)
    pinn = None if cls is problem else problem
    if not (issubclass(cls, keras.Model) and hasattr(cls, "predict_fields")):
        raise ValueError(f"problem is {shown(problem)}: expected a kpinn.PINN or a class of them.")
    given = (state_of(pinn).arguments if pinn is not None else {}) | arguments
    parameters = inspect.signature(cls.__init__).parameters
    if "network" not in parameters or "network" in arguments:
        raise ValueError(
            f"the network of {cls.__name__} is replaced by the solution: expected a constructor "
            "with the argument network, and no network beside the solution."
        )
    names = names_of(problem, *map(arguments.get, ("coordinates", "fields", "parameters")))
    dtype = None if pinn is None else pinn.problem.dtype.name
    given["network"] = Formulas(solution, *names, name="solution", dtype=dtype)
    takes_more = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    if _is_estimate(given.get("method", problem.method)) and (takes_more or "method" in parameters):
        given["method"] = "taylor"
    positional, by_name = call_of(cls.__init__, given)
    truth = cls(*positional, **by_name)
    if pinn is not None:
        _take_over(pinn, truth)
    _set_unknowns(truth, as_dict(unknowns))
    return truth


def _is_estimate(method):
    return isinstance(resolve(method), Stochastic | FiniteDifference)


def _take_over(pinn, truth):
    """What has become of a PINN since its construction: unknowns, numbers, layers beside."""
    for name, variable in pinn.unknowns.items():
        if name not in truth.unknowns:
            truth.unknown(**describe(name, variable))
        truth.unknowns[name].assign(variable)
    for name, value in vars(pinn).items():
        if isinstance(value, PLAIN) and not name.startswith("_") and name not in NOT_TAKEN:
            setattr(truth, name, value)


def _set_unknowns(truth, values):
    if not isinstance(values, dict | None):
        raise ValueError(f"unknowns is {shown(values)}: expected a dict from names to values.")
    for name, value in (values or {}).items():
        if name not in truth.unknowns:
            raise ValueError(
                f"unknowns has {name!r}, which is none of the unknowns "
                f"{', '.join(truth.unknowns) or '(there are none)'}."
                f"{did_you_mean(name, truth.unknowns)}"
            )
        variable = truth.unknowns[name]
        array = float_array(f"the value of the unknown {name!r}", value)
        if array.shape != tuple(variable.shape):
            raise ValueError(
                f"the unknown {name!r} has the shape {tuple(variable.shape)}, and its value "
                f"{array.shape}."
            )
        variable.assign(array)
