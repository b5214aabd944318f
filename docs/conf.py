"""Sphinx configuration: `python -m sphinx -W -b html docs docs/_build/html`."""

import inspect
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))  # has the extension example_pages
sys.path.append(str(Path(__file__).parents[1] / "examples"))  # has run_all, which it reads by

from kpinn import __version__  # noqa: E402  needs the path above

project = "kpinn"
author = "the authors of kpinn"
copyright = author
release = version = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "example_pages"]
exclude_patterns = ["_build"]
nb_execution_mode = "off"  # notebooks are shown as docs/notebooks/execute.py wrote them
html_theme = "furo"
html_title = f"kpinn {release}"
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["kpinn.css"]
html_js_files = ["gallery.js"]
nitpicky = False  # names such as `keras.Model` link nowhere: the pages build without a network

myst_heading_anchors = 3
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

EXAMPLE = re.compile(r"Examples?:$")
NAME = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def names_are_literals(app, what, name, obj, options, lines):
    """Docstrings have names in single backticks, as in Markdown."""
    lines[:] = NAME.sub(r"``\1``", "\n".join(lines)).split("\n")


def examples_are_code(app, what, name, obj, options, lines):
    """Makes the block under `Example:` a code block, unless it is a doctest."""
    for index in [i for i, line in enumerate(lines) if EXAMPLE.match(line)][::-1]:
        end = next(
            (i for i in range(index + 1, len(lines)) if lines[i] and lines[i][0] != " "), len(lines)
        )
        body = lines[index + 1 : end]
        if any(line.lstrip().startswith(">>>") for line in body):
            continue
        code = ["", "    .. code-block:: python", ""]
        lines[index + 1 : end] = code + [f"    {line}" if line else "" for line in body] + [""]


def signature_of_constructor(app, what, name, obj, options, signature, returns):
    """A Keras class shows `(*args, **kwargs)` otherwise."""
    if what != "class":
        return None
    arguments = list(inspect.signature(obj.__init__).parameters.values())[1:]
    return str(inspect.Signature(arguments)), None


def setup(app):
    """Connects the hooks; those of docstrings run before napoleon, whose priority is 500."""
    app.connect("autodoc-process-signature", signature_of_constructor)
    app.connect("autodoc-process-docstring", names_are_literals, priority=300)
    app.connect("autodoc-process-docstring", examples_are_code, priority=400)
