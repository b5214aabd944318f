"""Importing this module first imports TensorFlow without what it prints when it starts.

TensorFlow writes some lines (its CPU instructions, that there is no GPU) before it reads
`TF_CPP_MIN_LOG_LEVEL`, straight to the descriptor of standard error. TF_CPP_MIN_LOG_LEVEL=0
python examples/... shows all of them. Nothing that changes numbers is set. `SHORT` says whether
an example was started with `--short`.
"""

import os
import sys

SHORT = "--short" in sys.argv

if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
    import tensorflow
else:
    sys.stderr.flush()
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow
    finally:  # an error is printed later
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)
