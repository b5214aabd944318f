"""The command line: `python -m kpinn new heat`, `... check module:object`, `... workers script`."""

import argparse
import importlib
import inspect
import os
import sys

import keras
import numpy as np

from kpinn import scripts
from kpinn.checking import check_derivatives
from kpinn.derivatives.names.space import Space
from kpinn.pinn import PINN
from kpinn.serving.keras_files import load_model
from kpinn.training.workers import launcher

_DESCRIPTION = """Checks the derivatives of a model at points drawn from a box, see
kpinn.check_derivatives. The exit status is 0 if they are right, 1 if not, 2 for a wrong call."""


_OWN = "coordinates", "parameters", "fields", "method"  # of a PINN


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: list of strings; by default those of the process.

    Returns:
        The exit status.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["workers"]:  # without TensorFlow, which the workers import for themselves
        os.execv(sys.executable, [sys.executable, "-P", launcher.__file__, *given[1:]])
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.command == "new":
            return _new(options)
        model = load(options.model)
        report = check_derivatives(model, _points(model, options), **_names(model, options))
    except (ValueError, ImportError, AttributeError, OSError) as error:
        parser.error(str(error))  # exits with status 2
    print(report)
    return 0 if report.ok else 1


def _new(options):
    """Writes a script, or prints what there is."""
    if options.kind is None:
        width = max(map(len, scripts.kinds()))
        lines = [f"{kind.ljust(width)}  {line}" for kind, line in scripts.kinds().items()]
        print("\n".join(["Kinds of problems, as in python -m kpinn new heat:", *lines]))
    else:
        print(f"written: {scripts.write(options.kind, options.path)}; its lines to change: YOURS")
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m kpinn", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command", dest="command")
    new = commands.add_parser(
        "new", help="write a script to start from", description=scripts.__doc__
    )
    new.add_argument("kind", nargs="?", help="of problem; without it they are listed")
    new.add_argument("path", nargs="?", help="file to write (default KIND.py); none is replaced")
    check = commands.add_parser("check", help="check derivatives", description=_DESCRIPTION)
    check.add_argument("model", help="module:object, or the path of a .keras file")
    check.add_argument("--points", type=int, default=64, help="how many points (default 64)")
    check.add_argument("--requests", help='such as "u_x, u_xx", by default all that matter')
    check.add_argument("--coordinates", help='such as "t x", for a model that is no PINN')
    check.add_argument("--parameters", help='such as "mu", likewise: columns that are no space')
    check.add_argument("--fields", help='such as "u v" (default "u")')
    check.add_argument("--method", help="the method that the model is used with")
    check.add_argument("--low", type=float, nargs="+", default=[0.0], help="corner of the box")
    check.add_argument("--high", type=float, nargs="+", default=[1.0], help="the other corner")
    check.add_argument("--seed", type=int, default=0, help="seed of the points")
    commands.add_parser("workers", help="train in several processes", add_help=False)
    return parser


def load(name):
    """The model that the command line names.

    Args:
        name: `"module:object"`, where the object is a model, a function of points, or a function
            without arguments that returns one of these; or the path of a `.keras` file.

    Raises:
        ValueError: for anything else.
    """
    if name.endswith(".keras"):
        return load_model(name)
    module, _, path = name.partition(":")
    if not module or not path:
        raise ValueError(f"{name!r} names no model: expected module:object or a .keras file.")
    if os.getcwd() not in sys.path:  # as with python -m, whoever calls
        sys.path.insert(0, os.getcwd())
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found() if _takes_nothing(found) else found


def _takes_nothing(function):
    if isinstance(function, keras.layers.Layer) or not callable(function):
        return False
    needed = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    return not needed


def _names(model, options):
    found = {"requests": options.requests, "count": options.points, "seed": options.seed}
    chosen = {n: getattr(options, n) for n in _OWN}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if isinstance(model, PINN) and chosen:
        raise ValueError(f"a PINN has its own {', '.join(chosen)}.")
    return found | chosen


def _points(model, options):
    """Uniform points in the box; unit vectors for the directions that conditions ask for."""
    is_pinn = isinstance(model, PINN)
    if not is_pinn and options.coordinates is None:
        raise ValueError("--coordinates is needed, such as --coordinates 't x'.")
    space = model.problem.space if is_pinn else Space(options.coordinates, "u", options.parameters)
    generator = np.random.default_rng(options.seed)
    low, high = (_corner(n, getattr(options, n), space.input_size) for n in ("low", "high"))
    columns = generator.uniform(low, high, (max(options.points, 1), space.input_size))
    points = {name: columns[:, part] for name, part in space.coordinates.items()}
    return points | (_arrays(model, points, space, generator) if is_pinn else {})


def _corner(name, values, size):
    if len(values) not in (1, size):
        raise ValueError(f"--{name} has {len(values)} numbers: expected 1 or {size}.")
    return np.broadcast_to(values, size)


def _arrays(pinn, points, space, generator):
    """What conditions ask for beside the coordinates; only directions matter for derivatives."""
    count, found = len(next(iter(points.values()))), {}
    arguments = [a for function in pinn.conditions.values() for a in function.arrays]
    for argument in arguments:
        if argument.request is None:
            found[argument.name] = np.zeros((count, 1))
            continue
        for direction in argument.request.directions:
            vectors = generator.normal(size=(count, min(space.bases)))
            found[direction] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
