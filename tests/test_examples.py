"""The examples' headers, pictures and lengths; nothing is trained."""

import pathlib
import re
import subprocess
import sys

import pytest
import run_all

ROOT = pathlib.Path(__file__).parents[1]
HEADERS = run_all.headers()
TEXTS = {name: (ROOT / "examples" / f"{name}.py").read_text("utf8") for name in HEADERS}
PICTURES = ROOT / "docs" / "images" / "gallery"
DRAWN = re.compile(r'"output/(\w+)\.png"')
LONG = {  # more than 60 lines of code
    "two_materials": "two networks and six conditions",
}


def code_lines(text):
    """Lines that are neither blank, nor a comment, nor of the header."""
    lines = text.split('"""', 2)[2].splitlines()
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in lines)


@pytest.mark.parametrize("name", HEADERS)
def test_headers_say_what_an_example_shows_and_reaches(name):
    header = HEADERS[name]
    assert 10 < len(header.title) < 100
    assert header.shows, "no `Shows:` at the begin of a line"
    assert header.kinds and set(header.kinds) <= set(run_all.KINDS)
    assert header.bounds, "no `Expected: QUANTITY below NUMBER`"
    assert all(bound > 0 for bound in header.bounds.values())
    assert header.time, "no `about 10 seconds`"
    assert f"\nRun: python examples/{name}.py [--short]" in TEXTS[name]


@pytest.mark.parametrize("picture", sorted(PICTURES.glob("*.png")), ids=lambda path: path.stem)
def test_pictures_of_the_gallery_are_small_and_drawn_by_an_example(picture):
    assert picture.stem in DRAWN.findall(TEXTS[picture.stem])
    head = picture.read_bytes()
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(head) <= 120_000 and int.from_bytes(head[16:20], "big") <= 1200


def test_examples_are_short():
    lengths = {name: code_lines(text) for name, text in TEXTS.items()}
    assert {name for name, length in lengths.items() if length > 60} == set(LONG)
    assert min(lengths.values()) >= 20


# The table of errors -----------------------------------------------------------------------


def example(folder, code, expected="error below 1e-3, about 2 seconds."):
    path = folder / "one.py"
    path.write_text(f'"""A title.\n\nShows: it.\nKind: ODE.\nExpected: {expected}\n"""\n{code}\n')
    return run_all.header(path)


@pytest.mark.parametrize(
    "code, short, row, fault",
    [
        ("print('error: 2.0e-04')", False, ("2.0e-04", "0.001"), None),
        ("print('error: 2.0e-02; error: 0.05 %')", False, ("5.0e-04", "0.001"), None),
        ("print('error: 2.0e-02')", False, ("2.0e-02", "0.001"), "error is 2.0e-02, not below"),
        ("print('error: 2.0e-02')", True, ("2.0e-02", "0.001"), None),
        ("print('error: nan')", False, ("none", "0.001"), "prints no 'error'"),
        ("raise SystemExit(3)", True, ("", ""), "one fails"),
    ],
)
def test_bounds_are_compared(tmp_path, monkeypatch, code, short, row, fault):
    monkeypatch.setattr(run_all, "FOLDER", tmp_path)
    rows, wrong = run_all.run(example(tmp_path, code), short)
    assert [each[2:4] for each in rows] == [row]
    assert (fault in wrong[0]) if fault else wrong == []


def test_several_bounds_are_read(tmp_path):
    text = (
        "error of u below 1e-3 K, drag below 0.2 %, and lift below 2, about half a minute. Not a."
    )
    found = example(tmp_path, "", text)
    assert found.bounds == {"error of u": 1e-3, "drag": 0.002, "lift": 2.0}
    assert (found.title, found.kinds, found.time) == ("A title", ["ODE"], "half a minute")


def test_pictures_are_scaled(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "output").mkdir()
    image.new("RGB", (3000, 900), "white").save("output/one.png")
    run_all.take_picture("one", tmp_path)
    run_all.take_picture("two", tmp_path)  # which draws nothing
    with image.open("one.png") as taken:
        assert taken.size == (1200, 360)


def test_unknown_names_are_refused():
    command = [sys.executable, str(ROOT / "examples" / "run_all.py"), "buergers"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is no example buergers; there are " in done.stderr


# The gallery -------------------------------------------------------------------------------


def test_cards_of_the_gallery_link_to_pages_and_carry_their_kinds(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(ROOT / "docs")
    from docutils import nodes
    from example_pages import card

    made = card(HEADERS["inverse_burgers"])
    assert made["classes"] == ["card", "kind-inverse", "kind-parabolic"]
    targets = {link["refuri"] for link in made.findall(nodes.reference)}
    assert targets == {"examples/inverse_burgers.html"}
    assert "error of c below 0.001, error of nu below 0.004, about 3 minutes" in made.astext()
