"""Runs examples one after the other, and compares what they print with what their headers expect.

A header says `Expected: relative L2 error below 2e-6, about 10 seconds.`, and its example prints
`relative L2 error: 1.3e-06`. The table of errors and seconds is Markdown. The exit status is 1 if
an example fails, does not print a quantity, or is above a bound. With `--short` values are shown
but not compared, since short settings do not reach the bounds. `--pictures` takes what they draw
into a folder, small enough for the documentation: docs/images/gallery.

Run: python examples/run_all.py [NAME ...] [--short] [--write FILE] [--pictures FOLDER]
"""

import argparse
import ast
import dataclasses
import pathlib
import re
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
TOOLS = {"exact", "quiet", "run_all"}  # files of the folder that are no examples
KINDS = {  # words of the headers, and the headings of the gallery
    "elliptic": "Elliptic equations",
    "parabolic": "Parabolic equations",
    "hyperbolic": "Hyperbolic equations",
    "dispersive": "Dispersive equations",
    "waves": "Waves",
    "flow": "Flows",
    "solids": "Solids",
    "ODE": "Ordinary differential equations",
    "integral": "Integral and fractional equations",
    "variational": "Variational problems",
    "eigenvalues": "Eigenvalues",
    "finance": "Finance",
    "inverse": "Inverse problems",
    "families": "Families of problems",
    "networks": "Networks",
    "tools": "Tools",
}
NUMBER = r"([-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?)(\s?%)?"
SECTION = re.compile(
    r"^(Shows|Kind|Expected|Run):\s(.*?)(?=\n\n|^(?:Kind|Expected|Run):|\Z)", re.M | re.S
)
BOUND = re.compile(rf"(?:^|, |\band )(?!and )([^,;]+?) below {NUMBER}")
TIME = re.compile(r"about ((?:a|half a|\d+) (?:second|minute)s?)")


@dataclasses.dataclass
class Header:
    """What the header of an example says.

    Attributes:
        name: of the file, without `.py`.
        title: the first line, without its full stop.
        about: the paragraphs between the title and `Shows`.
        shows: what the example teaches.
        kinds: list of keys of `KINDS`, or what else stands there.
        bounds: dict of a quantity and the number that it stays below.
        time: such as "10 seconds", or "".
    """

    name: str
    title: str
    about: str
    shows: str
    kinds: list
    bounds: dict
    time: str


def header(path):
    """Reads the `Header` of a file; a section that is missing is empty."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf8"))) or ""
    sections = {name: " ".join(words.split()) for name, words in SECTION.findall(text)}
    title, _, rest = text.partition("\n")
    found = BOUND.findall(sections.get("Expected", ""))
    duration = TIME.search(sections.get("Expected", ""))
    return Header(
        name=path.stem,
        title=title.rstrip("."),
        about=re.split(r"^Shows:", rest, flags=re.M)[0].strip(),
        shows=sections.get("Shows", ""),
        kinds=[kind for kind in re.split(r",\s*", sections.get("Kind", "").rstrip(".")) if kind],
        bounds={quantity: _value(number) for quantity, *number in found},
        time=duration[1] if duration else "",
    )


def headers():
    """Those of all examples, by name."""
    paths = sorted(FOLDER.glob("*.py"))
    return {path.stem: header(path) for path in paths if path.stem not in TOOLS}


def printed(quantity, output):
    """The last number that stands after a quantity and a colon, or None."""
    found = re.findall(rf"{re.escape(quantity)}: {NUMBER}", output)
    return _value(found[-1]) if found else None


def _value(number):
    return float(number[0]) / (100.0 if number[1] else 1.0)


def run(example, short):
    """Runs an example; returns rows of the table and a list of what went wrong."""
    command = [sys.executable, str(FOLDER / f"{example.name}.py"), *["--short"] * short]
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = f"{time.perf_counter() - begin:.0f}"
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return [(example.name, "fails", "", "", seconds)], [f"{example.name} fails"]
    rows, wrong = [], []
    for quantity, bound in example.bounds.items():
        value = printed(quantity, done.stdout)
        if value is None:
            wrong.append(f"{example.name} prints no {quantity!r}")
        elif not short and not value < bound:
            wrong.append(f"{example.name}: {quantity} is {value:.1e}, not below {bound:g}")
        rows.append((example.name, quantity, _shown(value), f"{bound:g}", seconds))
    return rows, wrong


def take_picture(name, folder):
    """Writes `output/NAME.png`, if there is one, with at most 1200 pixels a row and 256 colours."""
    from PIL import Image  # comes with matplotlib

    drawn = pathlib.Path("output", f"{name}.png")
    if drawn.exists():
        with Image.open(drawn) as opened:
            image = opened.convert("RGB")
        image.thumbnail((1200, 1200))
        palette = image.quantize(256, Image.Quantize.FASTOCTREE)
        dithered = image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        dithered.save(folder / drawn.name, optimize=True)


def _shown(value):
    return "none" if value is None else f"{value:.1e}"


def main():
    """Runs what the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples; all if there is none")
    parser.add_argument("--short", action="store_true", help="a few steps of each")
    parser.add_argument("--write", metavar="FILE", type=pathlib.Path, help="for the table")
    parser.add_argument("--pictures", metavar="FOLDER", type=pathlib.Path, help="for copies")
    arguments, known, wrong = parser.parse_args(), headers(), []
    names = [pathlib.Path(name).stem for name in arguments.names] or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"there is no example {', '.join(unknown)}; there are {', '.join(known)}")
    table = ["| example | quantity | measured | bound | seconds |", "|---|---|---|---|---|"]
    print(*table, sep="\n", flush=True)
    for name in names:
        rows, faults = run(known[name], arguments.short)
        lines = [f"| {' | '.join(row)} |" for row in rows]
        print(*lines, sep="\n", flush=True)
        table, wrong = table + lines, wrong + faults
        if arguments.pictures:
            take_picture(name, arguments.pictures)
    if arguments.write:
        arguments.write.write_text("\n".join(table) + "\n", encoding="utf8")
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
