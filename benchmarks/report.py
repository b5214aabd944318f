"""The tables of `derivatives.py`: all rows, and the targets beside what was measured."""

import collections
import statistics

from operators import OPERATORS, SINE
from timing import quartiles

HEAD = (
    *("operator", "width", "dtype", "points", "method", "work", "XLA ms", "plain ms"),
    *("auto / it", "first XLA s", "first plain s", "MB XLA", "MB plain", "error", "differs"),
)
FASTEST = "fastest other framework"
EXACT = ("taylor", "reverse", "forward")  # those that "auto" may choose from
FASTEST_EXACT = "fastest exact method"
# The highest ratios of the time of "auto" to that of another method that kpinn aims at.
TARGETS = {
    "finite_difference": {
        "u_xx": 1.0,
        SINE: 1.0,
        "heat": 0.75,
        "heat_merged": 0.75,
        "heat_unknown": 0.75,
        "burgers": 0.75,
        "burgers_merged": 0.75,
        "burgers_unknown": 0.75,
        "laplacian_2": 0.8,
        "laplacian_3": 0.7,
        "laplacian_10": 0.55,
        "laplacian_100": 0.5,
        "navier_stokes": 0.65,
        "navier_stokes_merged": 0.65,
        "navier_stokes_unknown": 0.65,
        "biharmonic": 0.8,
    },
    "reverse": {
        name: {2: 0.6, 4: 0.25}[it.order]
        for name, it in OPERATORS.items()
        if it.order in (2, 4) and "hessian" not in name
    },
    FASTEST_EXACT: dict.fromkeys([*OPERATORS, SINE], 1.1),
    FASTEST: dict.fromkeys([*OPERATORS, SINE], 0.7),
}


def print_head(names=HEAD):
    """The head of a Markdown table."""
    _print_row(names)
    _print_row(["---"] * len(names))


def print_rows(rows):
    """Lines of the table of all rows."""
    for row in rows:
        times = [row["seconds"].get(variant) for variant in ("XLA", "plain")]
        first = [row["first_seconds"].get(variant) for variant in ("XLA", "plain")]
        megabytes = [row.get("megabytes", {}).get(variant) for variant in ("XLA", "plain")]
        _print_row(
            [
                *(row[key] for key in ("operator", "width", "dtype", "points", "method")),
                _number(row.get("work"), ".0f"),
                *map(_milliseconds, times),
                _number(row.get("ratio"), ".2f"),
                *(_number(each, ".1f") for each in first),
                *(_number(each, ".0f") for each in megabytes),
                *(_number(row.get(key), ".1e") for key in ("error", "differs")),
            ]
        )


def print_summary(rows):
    """The targets beside the medians over widths, and the ratios to the fastest of others."""
    ratios, settings = collections.defaultdict(list), {}
    operators = list(dict.fromkeys(row["operator"] for row in rows))
    fastest = [*_fastest(rows, FASTEST_EXACT, _is_exact), *_fastest(rows, FASTEST, _is_other)]
    rows = sorted([*rows, *fastest], key=lambda row: operators.index(row["operator"]))
    for row in rows:
        if "ratio" in row:
            setting = f"{row['dtype']}, {row['points']} points"
            ratios[row["operator"], row["method"], setting].append(row["ratio"])
            settings[setting] = None
    print("\nauto / other: the median over widths (smallest-largest)\n")
    print_head(["operator", "other", "target", *settings, "met"])
    for operator, method in dict.fromkeys(key[:2] for key in ratios):
        limit = TARGETS.get(method, {}).get(operator)
        if limit is not None:
            found = [ratios.get((operator, method, setting), []) for setting in settings]
            _print_row([operator, method, limit, *map(_spread, found), _met(found, limit)])


def _is_exact(row):
    return row["framework"] == "kpinn" and row["method"] in EXACT


def _is_other(row):
    return row["framework"] != "kpinn"


def _fastest(rows, name, is_one):
    """For each case the fastest row of some, under a name of its own."""
    cases = collections.defaultdict(list)
    for row in rows:
        if is_one(row) and "ratio" in row:
            key = tuple(row[name] for name in ("operator", "width", "dtype", "points"))
            cases[key].append(row)
    largest = [max(each, key=lambda row: row["ratio"]) for each in cases.values()]
    return [row | {"method": name} for row in largest]


def _print_row(cells):
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def _number(value, form):
    return "-" if value is None else format(value, form)


def _milliseconds(times):
    """The median with the quartiles in brackets."""
    if not times:
        return "-"
    lower, median, upper = map(_three_digits, quartiles(times))
    return f"{median} ({lower}-{upper})"


def _three_digits(seconds):
    return f"{1e3 * seconds:.3g}" if seconds < 0.1 else f"{1e3 * seconds:.0f}"


def _spread(ratios):
    if not ratios:
        return "-"
    low, high = min(ratios), max(ratios)
    return f"{statistics.median(ratios):.2f} ({low:.2f}-{high:.2f})"


def _met(found, limit):
    return "met" if all(statistics.median(each) <= limit for each in found if each) else "missed"
