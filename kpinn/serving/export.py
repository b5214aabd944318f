"""`PINN.export`: a SavedModel with fields, derivatives and residuals."""

import os
import pathlib

import tensorflow as tf

from kpinn.backend.files import written_whole
from kpinn.backend.version import __version__
from kpinn.derivatives.columns import as_columns
from kpinn.derivatives.names.declarations import split_names
from kpinn.options import names as names_of
from kpinn.options import shown
from kpinn.problem.arguments import Array, Quantity
from kpinn.serving.folders import MANIFEST, regular_files, write_manifest
from kpinn.serving.programs import check_program

PARTS = ("fingerprint.pb", "saved_model.pb", MANIFEST)


def export(problem, method, variables, widths, path, derivatives=None):
    """Writes a SavedModel; see `PINN.export`.

    Args:
        problem: the `Problem`.
        method: how the derivatives of fields are computed.
        variables: all that the network and the conditions read.
        widths: dict from the arrays that the points of `fit` had to their numbers of columns.
        path: directory to write.
        derivatives: names; by default those that conditions ask for.

    Returns:
        The SHA-256 of the manifest.
    """
    path = _place(path)
    module = tf.Module()
    module.weights = list(variables)
    if derivatives is None:
        names = asked_derivatives(problem)
    else:
        names = split_names(names_of("derivatives", derivatives, "u_x, u_xx"))
    signatures = {
        "serving_default": _values_function(problem, method, list(problem.space.fields), widths)
    }
    if names:
        signatures["derivatives"] = _values_function(problem, method, names, widths)
    for name, function in problem.conditions.items():
        signatures[f"residual_{name}"] = _residual_function(problem, name, function, widths)
    module.served = signatures  # keeps the traces alive until they are written
    with written_whole(path, folder=True) as folder:
        _write(module, folder, signatures)
        check_program(folder)
        facts = {"kpinn": __version__, "tensorflow": tf.__version__}
        return write_manifest(folder, **facts, endpoints=sorted(signatures))


def _write(module, folder, signatures):
    try:
        tf.saved_model.save(module, str(folder), signatures=signatures)
    except tf.errors.OpError as error:  # how TensorFlow says that a disk is full
        raise OSError(f"the export could not be written: {error.message}") from error


def _place(path):
    """The path of the folder; `ValueError` where something else than an export would be lost."""
    if not isinstance(path, str | os.PathLike) or not str(path).strip() or "://" in str(path):
        raise ValueError(
            f"path is the name of a folder of this machine, such as 'heat', not {shown(path)}."
        )
    path = pathlib.Path(os.path.realpath(path))
    if path.exists() and not path.is_dir():
        raise ValueError(f"{str(path)!r} is a file: expected the name of a folder.")
    others = [name for name in regular_files(path) if not _is_part(name)] if path.exists() else []
    if others:
        raise ValueError(
            f"{str(path)!r} holds {others[0]!r}, which is no part of an export: export into a new "
            "folder, since all of it is replaced."
        )
    return path


def _is_part(name):
    return name in PARTS or name.startswith("variables/variables.")


def asked_derivatives(problem):
    """Derivatives that the conditions ask for, without those along directions."""
    names = {}
    for function in problem.conditions.values():
        for argument in function.arguments:
            if isinstance(argument, Quantity) and argument.name not in problem.space.fields:
                names[argument.name] = None
    return tuple(names)


def _values_function(problem, method, names, widths):
    arguments = [problem.names.argument(name) for name in names]
    for argument in arguments:
        if not isinstance(argument, Quantity) and getattr(argument, "request", None) is None:
            problem.names.quantity(argument.name, {})  # an error that lists what there is
    directions = _directions(problem, arguments, widths)
    _refuse_unknown(problem, directions, widths)

    def served(**arrays):
        return problem.values(problem.quantities(names, directions), arrays, method)

    return _trace(problem, served, directions)


def _refuse_unknown(problem, directions, widths):
    """Raises `ValueError` for a direction that no condition and no points have had."""
    asked = [a for f in problem.conditions.values() for a in f.arrays if a.request is not None]
    known = {*widths, *(name for argument in asked for name in argument.request.directions)}
    for name in directions:
        if name not in known:
            raise ValueError(
                f"derivatives has one along {name!r}, which is no coordinate, and no direction "
                f"either that a condition or the points of fit have. There are "
                f"{problem.names.describe()}."
            )


def _residual_function(problem, name, function, widths):
    arrays = {}
    for argument in function.arrays:
        if argument.request is None or argument.name in widths:
            arrays.setdefault(argument.name, widths.get(argument.name, 1))
        else:
            arrays |= _directions(problem, [argument], widths)

    def served(**arrays):
        return problem.residuals_at((name,), arrays)

    return _trace(problem, served, arrays)


def _directions(problem, arguments, widths):
    """The directions of derivatives, and their numbers of columns."""
    usual = min(problem.space.bases)
    names = [d for a in arguments if isinstance(a, Array) for d in a.request.directions]
    return {name: widths.get(name, usual) for name in names}


def _trace(problem, function, arrays):
    space = problem.space
    widths = {name: part.stop - part.start for name, part in space.coordinates.items()}
    specs = {}
    for name, width in (widths | arrays).items():
        shape = None if name in space.parameters else (None, width)  # one number, or one for each
        specs[name] = tf.TensorSpec(shape, problem.dtype, name)

    def served(**arrays):
        return function(**as_columns(arrays, space, problem.dtype))

    return tf.function(served, autograph=False).get_concrete_function(**specs)
