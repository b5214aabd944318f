"""How a PINN is put together: its problem, its state, and the checks that end its construction."""

import functools
import inspect

from kpinn.backend.keras_private import own_losses
from kpinn.derivatives.api import epsilon, inference, input_dtype
from kpinn.derivatives.declarations import like
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.names.space import Space
from kpinn.layers import Scaled
from kpinn.layers.fields import Fields
from kpinn.options import function, names, shown
from kpinn.problem import refusals
from kpinn.problem.marks import marked
from kpinn.problem.problem import Part, Problem
from kpinn.problem.reads import Reads
from kpinn.training.changes import KNOWN
from kpinn.training.state import State, state_of


def completed(init, cls):
    """The constructor of a class; where it is that of the object, its names are checked after it.

    They cannot be before, since a constructor may add unknowns.
    """

    @functools.wraps(init)
    def wrapper(self, *args, **kwargs):
        init(self, *args, **kwargs)
        if type(self) is cls:
            _complete(self, args, kwargs)

    wrapper.__signature__ = inspect.signature(init)  # Keras looks at that of the wrapper
    return wrapper


def names_of(cls, coordinates, fields, parameters):
    """The three, those of the class where they are not given; there may be no parameters."""
    given = {"coordinates": coordinates, "fields": fields, "parameters": parameters}
    found = []
    for what, value in given.items():
        found.append(getattr(cls, what) if value is None else value)
        if found[-1] is None and what == "parameters":
            break
        if found[-1] is None:
            raise ValueError(
                f"{cls.__name__} names no {what}: set the class attribute ({what} = 't x', for "
                f"example) or pass {what}=."
            )
        names(what, found[-1], "t x")
    return tuple(found)


def first_state(pinn, functions):
    """The state of a PINN whose network, names and method are set.

    Args:
        pinn: the `PINN`.
        functions: conditions that are no methods of it.
    """
    if not isinstance(functions, list | tuple):
        raise ValueError(f"conditions is a list of functions, not {shown(functions)}.")
    functions = [function("conditions", each, "def heat(u_t, u_xx)") for each in functions]
    methods = [getattr(pinn, name) for name in marked(type(pinn), "condition")]
    derived = [getattr(pinn, name) for name in marked(type(pinn), "field")]
    if not methods and not functions:
        raise ValueError(
            f"{type(pinn).__name__} has no condition: mark a method with @kpinn.condition or "
            "pass conditions=[...]."
        )
    dtype = input_dtype(pinn.network, {})
    reads, space = Reads(pinn, dtype), Space(pinn.coordinates, pinn.fields, pinn.parameters)
    if isinstance(pinn.network, Fields | Scaled):
        _check_names_of(pinn.network, space)
    parts = {"parts": _parts_of(pinn.network, space)} if isinstance(pinn.network, Fields) else {}
    problem = Problem.of(
        inference(pinn.network, space),
        space,
        [reads.recorded(each, feeds=True) for each in (*methods, *functions)],
        [reads.recorded(each, feeds=False) for each in derived],
        pinn.method,
        unknowns={},
        dtype=dtype,
        epsilon=epsilon(pinn.network, dtype),
        scales={},
        **parts,
    )
    adds_losses = any(own_losses(layer) for layer in all_layers(pinn.network))
    return State(problem, reads, adds_losses=adds_losses)


def _parts_of(network, space):
    """The `Part`s of a `Fields`."""
    every, parts = set(range(space.input_size)), []
    for number, (layer, fields) in enumerate(network.parts):
        function = functools.partial(network.part, number)
        found = space.with_fields(fields).without(every - set(network.columns[number]))
        parts.append(Part(like(function, layer), found))
    return tuple(parts)


def _check_names_of(network, space):
    """Raises `ValueError` for a network with other names than those of a problem."""
    for what in ("coordinates", "fields"):
        of_network, of_problem = getattr(network.space, what), getattr(space, what)
        if list(of_network.items()) != list(of_problem.items()):
            ours, theirs = (", ".join(found) for found in (of_problem, of_network))
            raise ValueError(
                f"the {what} of the {type(network).__name__} {network.name!r} are {theirs}, and "
                f"those of the PINN {ours}: expected the same with the same numbers of components, "
                "in the same order."
            )


def _complete(pinn, args, kwargs):
    """The end of the last constructor: keeps its arguments, and checks the names."""
    signature = inspect.signature(type(pinn).__init__)
    arguments = dict(list(signature.bind(pinn, *args, **kwargs).arguments.items())[1:])
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments |= arguments.pop(parameter.name, {})
    state_of(pinn).arguments = arguments
    state_of(pinn).first_unknowns = frozenset(pinn.unknowns)
    check_names(pinn)
    KNOWN.add(pinn)


def check_names(pinn):
    """Raises `ValueError` for names without meaning, and for derivatives that would be wrong."""
    refusals.refuse_names(pinn.problem)
    refusals.refuse_wrong_derivatives(pinn.problem, 2)
    refusals.refuse_network(pinn.problem)
