"""Scripts to start from, which `python -m kpinn new` writes: one for each kind of problem.

Each is a program of its own that solves a problem whose solution is known; the lines to change
are marked by `YOURS`. A script that stands in this folder is one of the list.
"""

import ast
import pathlib

from kpinn.options import shown

FOLDER = pathlib.Path(__file__).parent


def kinds():
    """Dict from the kinds of problems to one line on each."""
    files = sorted(path for path in FOLDER.glob("*.py") if path.stem != "__init__")
    return {path.stem: _first_line(path) for path in files}


def _first_line(path):
    return ast.get_docstring(ast.parse(path.read_text("utf8"))).splitlines()[0]


def write(kind, path=None):
    """Writes the script of a kind of problem.

    Args:
        kind: one of `kinds()`.
        path: file to write, by default `kind` with `.py` in the working directory.

    Returns:
        The `pathlib.Path` of the file.

    Raises:
        ValueError: for another kind, and a path that is no name of a script.
        FileExistsError: if there is such a file; it is left as it is.
    """
    if kind not in kinds():
        raise ValueError(f"{shown(kind)} is no kind of problem: there are {', '.join(kinds())}.")
    path = pathlib.Path(f"{kind}.py" if path is None else path)
    if path.suffix != ".py":
        raise ValueError(f"{str(path)!r} is no script: expected a name such as '{kind}.py'.")
    text = (FOLDER / f"{kind}.py").read_text("utf8")
    try:
        with path.open("x", encoding="utf8") as file:
            file.write(text)
    except FileExistsError:
        raise FileExistsError(
            f"there is a file {str(path)!r} already: give another name, "
            f"as in python -m kpinn new {kind} other.py"
        ) from None
    return path
