"""What a GPU or TPU computes otherwise than a CPU, said or refused before the training."""

import warnings

import tensorflow as tf

from kpinn.backend import devices
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.precision import EPSILON
from kpinn.problem.arguments import At, order

AMPERE = 8, 0  # the capability with which products of three digits begin


def check_devices(pinn, found=None):
    """Warns of products with three digits, and refuses layers without a second derivative.

    Both matter where the loss has derivatives, and nowhere else.

    Args:
        pinn: the `PINN`.
        found: list of `Device`, by default those that TensorFlow sees.

    Raises:
        ValueError: for a recurrent layer that cuDNN would compute.
    """
    found = devices.accelerators() if found is None else found
    if not found or not _has_derivatives(pinn.problem):
        return
    _refuse_cudnn(pinn.network, found)
    rounding = [device for device in found if _rounds_products(device)]
    switched_on = tf.config.experimental.tensor_float_32_execution_enabled()
    if rounding and switched_on and pinn.problem.epsilon == EPSILON[tf.float32]:
        warnings.warn(
            f"{rounding[0].name} computes products of float32 with three digits or less (TF32 on a "
            "GPU, bfloat16 on a TPU), which is TensorFlow's default and too little for derivatives "
            "in a loss. Before the model is made, write "
            "tf.config.experimental.enable_tensor_float_32_execution(False), or, on a GPU, "
            "kpinn.set_float64().",
            stacklevel=3,
        )


def _has_derivatives(problem):
    """Whether a condition or a derived field asks for derivatives, or may do so elsewhere."""
    functions = [*problem.conditions.values(), *problem.derived.values()]
    arguments = [argument for function in functions for argument in function.arguments]
    requests = [getattr(argument, "request", None) for argument in arguments]
    return any(isinstance(argument, At) for argument in arguments) or any(
        order(request) for request in requests if request is not None
    )


def _rounds_products(device):
    return device.kind == "TPU" or device.capability is None or device.capability >= AMPERE


def _refuse_cudnn(network, found):
    """Raises for layers that Keras has cuDNN compute, where it leaves XLA out for that."""
    if all(device.kind != "GPU" for device in found):
        return
    for layer in all_layers(network):
        if getattr(layer, "use_cudnn", False) and not layer.supports_jit:
            raise ValueError(
                f"layer {layer.name!r} would be computed by cuDNN on the GPU, which has no second "
                "derivative, and the loss has derivatives: make the layer with use_cudnn=False."
            )
