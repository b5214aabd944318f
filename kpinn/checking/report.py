"""What `kpinn.check_derivatives` returns."""

import dataclasses
import textwrap

SEVERITIES = ("error", "warning", "note")
COLUMNS = {  # key of `Report.errors`: heading of the table
    "taylor, reverse": "tapes",
    "taylor, forward": "forward",
    "taylor, differences": "differences",
    "differences": "their error",
    "as used": "as used",
    "gradient: taylor, reverse": "gradient, tapes",
    "gradient: taylor, forward": "gradient, forward",
    "gradient: taylor, differences": "gradient, differences",
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        severity: `"error"` (a number is wrong, or cannot be computed), `"warning"` (it is right but
            hardly what is wanted) or `"note"`.
        name: name of the derivative, empty where the whole model is meant.
        message: what was found, where, and what to do.
    """

    severity: str
    name: str
    message: str

    def __str__(self):
        return f"{self.severity}: {f'{self.name}: ' if self.name else ''}{self.message}"


@dataclasses.dataclass(frozen=True)
class Report:
    """The result of `kpinn.check_derivatives`; `print` shows it as a table and sentences.

    Attributes:
        findings: tuple of `Finding`, errors first.
        errors: dict from the name of a derivative to a dict of relative errors (the largest error
            of a point over the largest value): `"taylor, reverse"` (or `"taylor, forward"`, for a
            model that uses it), `"taylor, differences"`, of the parameter gradients of its mean
            square `"gradient: taylor, reverse"` and `"gradient: taylor, differences"`;
            `"differences"` is the error that the differences have by their own estimate, `"as
            used"` that of the chosen method in the model's own dtype.
        title: a sentence on what was checked.
    """

    findings: tuple
    errors: dict
    title: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings and notes may remain."""
        return not any(finding.severity == "error" for finding in self.findings)

    def __str__(self):
        parts = [_wrapped(self.title), _table(self.errors)]
        parts += [_wrapped(str(finding)) for finding in _together(self.findings)]
        return "\n".join([*filter(None, parts), _verdict(self)])


def _together(findings):
    """Findings with the same words as one, under all of their names."""
    names = {}
    for finding in findings:
        names.setdefault((finding.severity, finding.message), []).append(finding.name)
    return [Finding(severity, ", ".join(of), text) for (severity, text), of in names.items()]


def _verdict(report):
    counts = [sum(f.severity == severity for f in report.findings) for severity in SEVERITIES]
    named = zip(counts, SEVERITIES, strict=True)
    found = ", ".join(f"{n} {severity}{'s' * (n > 1)}" for n, severity in named if n)
    return f"{'ok' if report.ok else 'not ok'}{f': {found}' if found else ''}"


def _table(errors):
    """One row per derivative; columns in which nothing was measured are left out."""
    used = [key for key in COLUMNS if any(key in row for row in errors.values())]
    if not used:
        return ""
    rows = [["", *(COLUMNS[key] for key in used)]]
    for name, row in errors.items():
        rows.append([name, *(f"{row[key]:.0e}" if key in row else "-" for key in used)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _wrapped(text):
    return textwrap.fill(text, 100, subsequent_indent="  ", break_on_hyphens=False)
