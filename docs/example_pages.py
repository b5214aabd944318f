"""A Sphinx extension: the gallery of the examples, and a page for each with its program.

Everything is read from the headers of the examples by `examples/run_all.py` while the pages are
built: `docs/gallery.md` has the directive `gallery`, the pages of the programs have no source in
`docs`. A picture `docs/images/gallery/NAME.png` belongs to `examples/NAME.py`.
"""

import html
import pathlib

import run_all
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

DOCS = pathlib.Path(__file__).resolve().parent
FOLDER = "examples"  # of the pages


class Gallery(SphinxDirective):
    """Cards of all examples in sections by the first of their kinds."""

    def run(self):
        self.env.note_reread()  # another example or picture may have come
        cards = {}
        for example in run_all.headers().values():
            cards.setdefault(example.kinds[0], []).append(card(example))
        sections = []
        for kind in [kind for kind in run_all.KINDS if kind in cards]:
            section = nodes.section(ids=[f"kind-{kind.lower()}"], classes=["gallery-section"])
            section += nodes.title(text=run_all.KINDS[kind])
            section += nodes.container("", *cards[kind], classes=["gallery"])
            sections.append(section)
        return sections


def picture(example):
    """The path of its picture below `docs`, or None."""
    path = pathlib.PurePosixPath("images", "gallery", f"{example.name}.png")
    return str(path) if (DOCS / path).exists() else None


def words(example):
    """Its name as words."""
    return example.name.replace("_", " ")


def expected(example):
    """What the header expects, and how long it takes."""
    bounds = ", ".join(f"{name} below {bound:g}" for name, bound in example.bounds.items())
    return f"{bounds}, about {example.time}" if example.time else bounds


def card(example):
    """A picture, name, title and bound of an example, with links to its page."""
    target = {"refuri": f"{FOLDER}/{example.name}.html", "internal": True}
    found = nodes.container(classes=["card", *(f"kind-{kind}" for kind in example.kinds)])
    if picture(example):
        image = nodes.image(uri=f"/{picture(example)}", alt=words(example), loading="lazy")
        found += nodes.paragraph("", "", nodes.reference("", "", image, **target))
    name = nodes.reference("", words(example), **target)
    found += nodes.paragraph("", "", nodes.strong("", "", name))
    found += nodes.paragraph(text=example.title + ".")
    found += nodes.paragraph(text=expected(example), classes=["bound"])
    return found


def pages(app):
    """A page with header, picture and program for each example."""
    for example in run_all.headers().values():
        paragraphs = [example.title + ".", *example.about.split("\n\n"), f"Shows: {example.shows}"]
        paragraphs.append(f"Expected: {expected(example)}.")
        body = [f"<h1>{html.escape(words(example))}</h1>"]
        body += [f"<p>{html.escape(text)}</p>" for text in paragraphs if text]
        if picture(example):
            copied = app.env.images[picture(example)][1]
            body.append(f'<p><img alt="{words(example)}" src="../_images/{copied}"></p>')
        program = (run_all.FOLDER / f"{example.name}.py").read_text(encoding="utf8")
        body.append(f"<p><code>examples/{example.name}.py</code></p>")
        body.append(app.builder.highlighter.highlight_block(program, "python"))
        body.append('<p><a href="../gallery.html">All examples</a></p>')
        yield (
            f"{FOLDER}/{example.name}",
            {"title": words(example), "body": "\n".join(body), "parents": []},
            "page.html",
        )


def setup(app):
    """Registers the directive and the pages."""
    app.add_directive("gallery", Gallery)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "version": "1"}
