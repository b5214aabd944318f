"""`python -m kpinn new`: scripts to start from."""

import re

import pytest

from kpinn import scripts
from kpinn.__main__ import main

KINDS = scripts.kinds()
NUMBER = re.compile(r"\d[\d_]*")
NUMBER = re.compile(r"(?:error|difference|standard errors between)[^:\n]*: ([\d.e+-]+)")
QUICK = (
    (r"epochs=\d+", "epochs=2"),
    (r"sample\([\d_]+", "sample(16"),
    (r"Features\(\d+", "Features(8"),
)


def quick(text):
    """A script with so few steps and points that only its way is tried."""
    for pattern, new in QUICK:
        text = re.sub(pattern, new, text)
    return text


def run(kind, folder, monkeypatch, change=str):
    """Writes a script by the command line and runs it."""
    monkeypatch.chdir(folder)
    assert main(["new", kind]) == 0
    text = (folder / f"{kind}.py").read_text("utf8")
    exec(compile(change(text), f"{kind}.py", "exec"), {"__name__": "__main__"})
    return text


@pytest.mark.parametrize("kind", ["ode", "poisson"])
def test_a_script_runs_as_it_is_written(kind, tmp_path, monkeypatch, capsys):
    text = run(kind, tmp_path, monkeypatch, quick)
    assert "YOURS" in text
    printed = capsys.readouterr().out
    assert f"written: {kind}.py" in printed and NUMBER.search(printed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_script_solves_its_problem(kind, tmp_path, monkeypatch, capsys):
    text = run(kind, tmp_path, monkeypatch)
    assert "YOURS" in text and len(text.splitlines()) <= 80
    found = float(NUMBER.search(capsys.readouterr().out)[1])
    assert found < (3.0 if kind == "inverse" else 1e-5)


def test_without_a_kind_there_is_a_list(capsys):
    assert main(["new"]) == 0
    printed = capsys.readouterr().out
    assert all(kind in printed and line in printed for kind, line in KINDS.items())


def test_a_file_is_never_written_over(tmp_path, capsys):
    path = tmp_path / "mine.py"
    assert main(["new", "heat", str(path)]) == 0
    before = path.read_text("utf8")
    with pytest.raises(SystemExit):
        main(["new", "poisson", str(path)])
    assert path.read_text("utf8") == before
    assert "already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong, message",
    [
        (["heatt"], "no kind of problem: there are"),
        (["heat", "heat.txt"], "no script"),
        (["heat", "nowhere/heat.py"], "nowhere"),
    ],
)
def test_wrong_calls(wrong, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as raised:
        main(["new", *wrong])
    assert raised.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
