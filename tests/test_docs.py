"""The documentation: every Python block runs and prints what is shown, every name is listed."""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from public_api import LIST, lines, public_names

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "tasks").glob("*.md")),
    ROOT / "README.md",
]
MARK = r"(?:^<!-- (?P<mark>[^>]*?) -->\n+)?"
OUTPUT = r"(?:\n```text\n(?P<output>.*?)^```$)?"
BLOCK = re.compile(MARK + r"^```python\n(?P<code>.*?)^```\n" + OUTPUT, re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?")
DIRECTIVE = re.compile(r"^\.\. (?:auto\w+|data):: ([\w.]+)$", re.MULTILINE)


# Blocks ------------------------------------------------------------------------------------


def in_this_process(code, namespace):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, namespace["__file__"], "exec"), namespace)
    return printed.getvalue()


def in_a_fresh_process(code, folder):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(block, namespace, folder):
    """Runs one block as the comment before it says; returns what it prints.

    `<!-- not run: reason -->` leaves it out, `<!-- file: name -->` writes it to a file that later
    blocks import, `<!-- fresh process -->` runs it in a process of its own.
    """
    code, (mark, _, rest) = block["code"], (block["mark"] or "").partition(": ")
    if mark == "not run":
        return None
    if mark == "file":
        (folder / rest).write_text(code, encoding="utf8")
        return None
    if mark == "fresh process":
        return in_a_fresh_process(code, folder)
    lines_before = block.string.count("\n", 0, block.start("code"))
    return in_this_process("\n" * lines_before + code, namespace)


def words(text):
    """The words of an output, without the numbers, which depend on the machine."""
    text = re.sub(r"\[\s+", "[", NUMBER.sub("#", text))  # numpy leaves room for a sign
    text = re.sub(r"(_#)+(?!\w)", "", text)  # Keras counts its layers, TensorFlow its scopes
    return re.sub(r"\s+", " ", text).strip()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory for a page; modules that are imported from it are forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_run_and_print_what_is_shown(page, folder):
    text = page.read_text(encoding="utf8")
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```python\n")
    namespace = {"__name__": f"docs_{page.stem}", "__file__": str(page)}
    for block in blocks:
        printed = run(block, namespace, folder)
        if block["output"] is not None:
            assert words(printed) == words(block["output"])


# The reference -----------------------------------------------------------------------------


def test_every_public_name_has_an_entry():
    pages = (ROOT / "docs" / "api").glob("*.md")
    listed = {name for page in pages for name in DIRECTIVE.findall(page.read_text("utf8"))}
    assert set(public_names()) - listed == set()


def test_the_list_of_public_names_is_that_of_this_version():
    """If the change is meant: python tests/public_api.py, and an entry of CHANGELOG.md."""
    assert LIST.read_text("utf8").splitlines() == list(lines())


def test_every_benchmark_has_its_command_on_a_page():
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf8")
    named = set(re.findall(r"`python ((?:benchmarks|docs|examples)/\w+\.py)", page))
    programs = (ROOT / "benchmarks").glob("*.py")
    runs = {f"benchmarks/{p.name}" for p in programs if "\nRun: python" in p.read_text("utf8")}
    assert runs <= named
    assert all((ROOT / name).exists() for name in named)


LINK = re.compile(r"\]\(([^)#:\s]+)(#[^)]*)?\)")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_of_files_outside_of_the_pages_lead_to_files(name):
    """Sphinx checks those of the pages, with their anchors."""
    for target, _ in LINK.findall((ROOT / name).read_text("utf8")):
        assert (ROOT / target).exists(), target


@pytest.mark.slow
def test_sphinx_builds_without_warnings(tmp_path):
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "api" / "pinn.html").exists()
    pages = {path.stem for path in (tmp_path / "examples").glob("*.html")}
    assert {"burgers", "lake"} <= pages
    assert all(
        f"examples/{name}.html" in (tmp_path / "gallery.html").read_text("utf8") for name in pages
    )


# Notebooks ---------------------------------------------------------------------------------

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def cells_of_program(path):
    """The sources of the cells that `# %%` begins, Markdown without its comment signs."""
    cells = re.split(r"^# %%(.*)\n", path.read_text("utf8"), flags=re.MULTILINE)[1:]
    for kind, text in zip(cells[::2], cells[1::2], strict=True):
        if "[markdown]" in kind:
            text = re.sub(r"^# ?", "", text, flags=re.MULTILINE)
        yield text.strip()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_show_what_their_programs_print(path):
    """Else: python docs/notebooks/execute.py."""
    cells = json.loads(path.read_text("utf8"))["cells"]
    sources = ["".join(cell["source"]).strip() for cell in cells]
    assert sources == list(cells_of_program(path.with_suffix(".py")))
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert path.stat().st_size < 700_000


def test_every_program_of_a_notebook_has_been_executed():
    programs = {path.stem for path in (ROOT / "docs" / "notebooks").glob("*.py")} - {"execute"}
    assert {path.stem for path in NOTEBOOKS} == programs
