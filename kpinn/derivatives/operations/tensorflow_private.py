"""The private names of TensorFlow that rules need."""

from tensorflow.python.ops import gradients_util


def is_watched(tensor):
    """Whether a tape or an accumulator that is open now follows an eager tensor."""
    return gradients_util.PossibleTapeGradientTypes([tensor]) != 0
