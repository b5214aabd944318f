"""Where pictures and text go that change while a program runs."""

import sys


class Output:
    """A place in the output of a notebook whose content is replaced."""

    def __init__(self):
        self._handle = None

    def show(self, **content):
        """Replaces what is there.

        Args:
            **content: of `IPython.display.display`, by MIME type: `png` bytes or `text`.
        """
        from IPython.display import Image, Pretty, display

        shown = Image(data=content["png"]) if "png" in content else Pretty(content["text"])
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)


def in_notebook():
    """Whether the program runs in a notebook, which shows pictures."""
    package = sys.modules.get("IPython")
    shell = package.get_ipython() if package is not None else None
    return shell is not None and hasattr(shell, "kernel")
