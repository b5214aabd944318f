"""Executes the notebooks of this folder, which are written as programs with cells (`# %%`).

The `.ipynb` files, with their outputs, are what is shown; the programs are what is edited. It needs
jupytext, nbclient and ipykernel.

Run: python docs/notebooks/execute.py [NAME ...]           # executes, and writes NAME.ipynb
     python docs/notebooks/execute.py --short [NAME ...]   # a few steps, and writes nothing
"""

import argparse
import os
import pathlib
import time

FOLDER = pathlib.Path(__file__).resolve().parent


def names():
    """Those of all notebooks."""
    return sorted(
        path.stem for path in FOLDER.glob("*.py") if path != pathlib.Path(__file__).resolve()
    )


def execute(name):
    """The executed notebook of a program.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    import jupytext
    from nbclient import NotebookClient

    notebook = jupytext.read(FOLDER / f"{name}.py")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    NotebookClient(notebook, timeout=3_600, resources={"metadata": {"path": FOLDER}}).execute()
    return tidy(notebook)


def tidy(notebook):
    """Without what differs between executions, and what TensorFlow says at its start."""
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
        if "outputs" in cell:
            cell.outputs = [each for each in cell.outputs if not is_start(each)]
    return notebook


def is_start(output):
    """Whether an output is what TensorFlow writes before it reads `TF_CPP_MIN_LOG_LEVEL`."""
    return output.get("name") == "stderr" and "absl::InitializeLog()" in output["text"]


def main():
    """Executes what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks; all if there is none")
    parser.add_argument("--short", action="store_true", help="a few steps, nothing is written")
    arguments = parser.parse_args()
    if arguments.short:
        os.environ["KPINN_SHORT"] = "1"
    for name in arguments.names or names():
        begin = time.perf_counter()
        notebook = execute(name)
        print(f"{name}: {time.perf_counter() - begin:.0f} s", flush=True)
        if not arguments.short:
            import nbformat

            nbformat.write(notebook, FOLDER / f"{name}.ipynb")


if __name__ == "__main__":
    main()
