"""Draws the picture of docs/how_it_works.md: the rooms of kpinn, and who imports whom.

Floors are those of tests/test_architecture.py, imports and lines are read from the sources. A line
goes down from a room to what it imports, as wide as there are modules that do.

Run: python docs/draw_rooms.py --output docs/images
"""

import argparse
import ast
import collections
import pathlib

import matplotlib.pyplot as plt

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "kpinn"


def floors():
    """`LEVELS` of tests/test_architecture.py, from the ground up."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf8"))
    found = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    names = [node.targets[0].id for node in tree.body if isinstance(node, ast.Assign)]
    return [sorted(floor) for floor in ast.literal_eval(found[names.index("LEVELS")])]


def rooms():
    """Lines of each room, and `{(room, imported room): modules}`."""
    lines, edges = collections.Counter(), collections.Counter()
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        text = path.read_text(encoding="utf8")
        lines[room] += len(text.splitlines())
        edges.update({(room, other) for other in imported(ast.parse(text)) if other != room})
    return lines, edges


def imported(tree):
    """The rooms that a module imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("kpinn.")}


def places(levels):
    """The middle of each room; a floor is spread over the width."""
    found = {}
    for height, floor in enumerate(levels):
        shift = 0.12 if height % 2 else -0.12  # so that lines do not run through rooms
        for index, room in enumerate(floor):
            found[room] = ((index + 0.5 + shift) / len(floor), height)
    return found


def draw(levels, lines, edges):
    """The figure."""
    figure, axes = plt.subplots(figsize=(9, 7.2), layout="constrained")
    at = places(levels)
    for (room, other), count in edges.items():
        if room in at and other in at:
            (x, y), (u, v) = at[room], at[other]
            width = 0.4 + 0.12 * min(count, 20)
            axes.plot([x, u], [y, v], color="0.6", alpha=0.6, linewidth=width, zorder=1)
    style = {"boxstyle": "round,pad=0.45", "facecolor": "#eaf2fb", "edgecolor": "#0072b2"}
    for room, (x, y) in at.items():
        label = f"{room}\n{lines[room]:,} lines"
        axes.text(x, y, label, ha="center", va="center", fontsize=9, bbox=style, zorder=2)
    axes.set(xlim=(-0.05, 1.05), ylim=(-0.6, len(levels) - 0.4))
    axes.axis("off")
    return figure


def main():
    """Draws the picture into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs" / "images")
    folder = parser.parse_args().output
    draw(floors(), *rooms()).savefig(folder / "rooms.png", dpi=90)


if __name__ == "__main__":
    main()
