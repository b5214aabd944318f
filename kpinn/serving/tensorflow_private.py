"""What serving needs of TensorFlow's private names."""

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2


def parse_saved_model(content):
    """The message of a `saved_model.pb`; `ValueError` for other bytes."""
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ValueError(f"saved_model.pb cannot be read: {error}") from error
    return model


def frozen(function):
    """A `ConcreteFunction` with constants for its variables, in which every call is inlined."""
    return convert_variables_to_constants_v2(
        function, lower_control_flow=False, aggressive_inlining=True
    )
