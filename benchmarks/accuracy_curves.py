"""Draws errors against seconds from the files that `accuracy.py --json FILE` writes.

One panel per problem, one colour per optimizer: thin lines are the seeds, the thick one is the
median of the errors so far; the dotted line is the target.

Run: python benchmarks/accuracy_curves.py FILE.json [...] --output docs/images/accuracy.png
"""

import argparse
import json
import pathlib

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

COLOURS = {"adam": "C7", "adam_lbfgs": "C0", "ssbroyden": "C1", "levenberg_marquardt": "C3"}
COLUMNS = 4


def draw(results):
    """A figure of all problems.

    Args:
        results: list of dicts with the keys `problem`, `target`, `optimizer` and `runs`.
    """
    problems = list(dict.fromkeys(each["problem"] for each in results))
    columns = min(COLUMNS, len(problems))
    rows = -(-len(problems) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.9 * rows), layout="constrained", dpi=120)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, problem in zip(panels, problems, strict=False):
        draw_problem(panel, [each for each in results if each["problem"] == problem])
    for panel in panels[len(problems) :]:
        panel.remove()
    handles = {line.get_label(): line for panel in figure.axes for line in panel.get_lines()}
    shown = {label: line for label, line in handles.items() if not label.startswith("_")}
    figure.legend(shown.values(), shown, loc="outside lower center", ncols=2 * columns)
    return figure


def draw_problem(panel, results):
    """The curves of one problem."""
    for each in results:
        colour = COLOURS.get(each["optimizer"])
        curves = [np.array(run["curve"])[:, :2] for run in each["runs"]]
        for curve in curves:
            (line,) = panel.loglog(*curve.T, color=colour, linewidth=0.6, alpha=0.5)
            colour = line.get_color()
        panel.loglog(*median(curves), color=colour, linewidth=1.8, label=each["optimizer"])
    panel.axhline(results[0]["target"], color="black", linestyle=":", linewidth=1, label="target")
    panel.set_title(results[0]["problem"])
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    panel.xaxis.set_major_formatter("{x:g}")
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_xlabel("seconds")
    panel.set_ylabel("relative error")
    panel.grid(alpha=0.3)


def median(curves):
    """Times that all curves cover, and the median of their errors there.

    A training that ended early keeps its last error.
    """
    first = max(curve[0, 0] for curve in curves)
    last = max(curve[-1, 0] for curve in curves)
    times = np.geomspace(first, max(last, first), 60)
    errors = [np.exp(np.interp(times, c[:, 0], np.log(c[:, 1]))) for c in curves]
    return times, np.median(errors, axis=0)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=pathlib.Path, help="of accuracy.py --json")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="picture to write")
    given = parser.parse_args(arguments)
    found = [json.loads(file.read_text(encoding="utf8")) for file in given.results]
    figure = draw([each for results in found for each in results])
    given.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(given.output)


if __name__ == "__main__":
    main()
