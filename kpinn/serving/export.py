"""`PINN.export`: fields, derivatives and residuals in a format that others serve."""

from kpinn.options import flag, one_of
from kpinn.serving import litert, onnx, saved_model
from kpinn.serving.endpoints import endpoints, signature

USUAL = "tf_saved_model"
FORMATS = {USUAL: saved_model, "onnx": onnx, "litert": litert}  # place and write


def export(problem, method, variables, widths, filepath, options):
    """Writes a file or a folder; see `PINN.export`.

    Args:
        problem: the `Problem`.
        method: how the derivatives of fields are computed.
        variables: Keras variables, all that the network and the conditions read.
        widths: dict from the arrays that the points of `fit` had to their numbers of columns.
        filepath: what to write.
        options: tuple of `format`, `verbose`, `input_signature` and `derivatives`.

    Returns:
        The SHA-256 of the file, or of the manifest of the folder.
    """
    form, verbose, input_signature, derivatives = options
    form = FORMATS[_known(form)]
    verbose = verbose is not None and flag("verbose", verbose)
    path = form.place(filepath)
    served = endpoints(problem, method, widths, derivatives)
    variables = [variable.value for variable in variables]
    written = form.write(served, signature(problem, served, input_signature), variables, path)
    if verbose:
        print(f"Saved artifact at '{path}'.")
    return written


def _known(form):
    """The name of a format; `ValueError` for another one, such as names of derivatives."""
    try:
        return one_of("format", form, tuple(FORMATS))
    except ValueError as error:
        raise ValueError(f"{error} Names of derivatives go by derivatives='u_x'.") from None
