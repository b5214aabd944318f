"""Configs that come from files: plain data which says what to make, and nothing else.

Keras makes objects of a config by the names of classes and functions in it, which it looks up in
what is registered and in itself. What a config of kpinn may name is listed here; everything else,
numbers that are none and sizes that no network has are refused before anything is made.
"""

import contextlib
import inspect
import math
import re

import keras

from kpinn.options.checks import shown

MODULES = (  # of Keras, in which a config may name a class or a function
    "keras",
    "keras.activations",
    "keras.constraints",
    "keras.dtype_policies",
    "keras.initializers",
    "keras.layers",
    "keras.losses",
    "keras.metrics",
    "keras.models",
    "keras.ops",
    "keras.optimizers",
    "keras.optimizers.schedules",
    "keras.random",
    "keras.quantizers",
    "keras.regularizers",
    "keras.src.layers",
    "keras.src.models",
    "keras.src.ops",
)
COUNTING = ("keras.optimizers", "keras.losses", "keras.metrics")  # steps and not sizes
FUNCTIONS = ("keras.activations", "keras.losses", "keras.metrics", "keras.ops", "builtins")
BUILTIN = ("activations", "constraints", "initializers", "losses", "metrics", "regularizers")
REFUSED = {  # classes of Keras that read files, load programs or call other frameworks
    "FeatureSpace",
    "FlaxLayer",
    "IndexLookup",
    "IntegerLookup",
    "JaxLayer",
    "StringLookup",
    "TFSMLayer",
    "TextVectorization",
    "TorchModuleWrapper",
}
PLAIN = ("__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__")
DEEPEST, MOST_ENTRIES, MOST_OBJECTS = 100, 1_000_000, 10_000
LONGEST = 100_000  # characters of a text
LARGEST = 10_000_000  # whole number in a class of Keras or kpinn, that may be a size
NO_SIZES = ("maxfun", "maxiter", "memory", "seed", "shared_object_id")
LIMITS = {"directions": 10_000, "harmonics": 10_000, "trials": 10_000, "units": LARGEST}
ANY, REAL, SIZES = range(3)  # numbers that an object may have, see check_tree
NO_NUMBERS = ("complex64", "complex128", "string")  # dtypes that Keras has, and no network here
_DTYPE = re.compile(r"(bool|bfloat16|complex(64|128)|float(16|32|64)|u?int(8|16|32|64))")


class FromConfig:
    """A class that is made of configs from files, after these were checked.

    Attributes:
        inner: names of arguments that are Keras objects, or lists of these.
    """

    inner = ()

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The inverse of `get_config`.

        Args:
            config: dict from argument to value.
            custom_objects: as in Keras.

        Raises:
            ValueError: by entry, for a config that `get_config` does not return.
        """
        with faults_of(cls):
            config = checked(cls, config)
            made = {n: _made(config[n], custom_objects) for n in cls.inner if n in config}
            return cls(**config | made)


def _made(value, custom_objects):
    if isinstance(value, list | tuple):
        return [_made(each, custom_objects) for each in value]
    if not isinstance(value, dict):
        return value
    return keras.saving.deserialize_keras_object(value, custom_objects)


def checked(cls, config):
    """The config of a class; `ValueError` for an entry that none of its arguments takes.

    What the arguments may be is checked by the constructor.

    Args:
        cls: a class.
        config: dict from argument to value.
    """
    parameters = inspect.signature(cls).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name, _ in entries_of(config):
        if name not in parameters and not open_ended:
            raise ValueError(f"{name!r} is no entry: expected some of {', '.join(parameters)}.")
    check_tree(config, _numbers_of(cls))
    return config


def call_of(constructor, arguments):
    """The positional arguments of a constructor and those by name, as it takes them.

    Args:
        constructor: a function whose first argument is the new object.
        arguments: dict of the others by name; a `name` that it does not take is left out.
    """
    parameters = inspect.signature(constructor).parameters
    kinds = {parameter.kind: name for name, parameter in parameters.items()}
    arguments, first = dict(arguments), []
    if "name" not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
        arguments.pop("name", None)
    rest = arguments.pop(kinds.get(inspect.Parameter.VAR_POSITIONAL), ())
    if rest:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        names = [n for n, p in parameters.items() if p.kind is kind and n in arguments]
        first = [arguments.pop(name) for name in names]
    return (*first, *rest), arguments


def entries_of(config):
    """The pairs of a config; `ValueError` unless it is a dict with names."""
    if not isinstance(config, dict) or not all(isinstance(name, str) for name in config):
        raise ValueError(f"the config is a dict from names to values, not {shown(config)}.")
    return config.items()


@contextlib.contextmanager
def faults_of(cls):
    """A block in which every error becomes a `ValueError` that begins with the name of a class."""
    try:
        yield
    except Exception as error:
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        name = keras.saving.get_registered_name(cls)
        raise ValueError(f"config of {name!r}: {shortened(text)}") from error


def shortened(text, most=2_000):
    """A text that may be that of a whole file."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def is_number(value):
    """Whether it is a number of JSON."""
    return isinstance(value, int | float) and not isinstance(value, bool)


# The whole of a config ----------------------------------------------------------------------


def check_tree(config, numbers=ANY):
    """Raises `ValueError` for what a config with objects in it, at any depth, may not say.

    Args:
        config: dict or list of plain data, as it stands in the file.
        numbers: which numbers may stand outside of the objects in it: `ANY`, `REAL`, which are not
            NaN, or `SIZES`, which are not too large either.
    """
    waiting, entries, objects = [(config, (), numbers)], 0, 0
    while waiting:
        value, path, numbers = waiting.pop()
        entries += 1
        if len(path) > DEEPEST or entries > MOST_ENTRIES:
            raise ValueError(f"it is nested too deeply or too large, at {_place(path)}.")
        if isinstance(value, dict):
            if "class_name" in value and "config" in value:
                objects += 1
                numbers = _check_object(value, path)
            waiting += [(each, (*path, name), numbers) for name, each in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(each, (*path, i), numbers) for i, each in enumerate(value)]
        else:
            _check_leaf(value, path, numbers)
        if objects > MOST_OBJECTS:
            raise ValueError(f"it has more than {MOST_OBJECTS} objects.")


def _check_object(value, path):
    """Checks what an object is; returns which numbers it may have."""
    name, module, inner = value["class_name"], value.get("module"), value["config"]
    if not isinstance(name, str) or not isinstance(module, str | None):
        raise ValueError(f"{_place(path)} names no class but {shown(name)} of {module!r}.")
    if name == "__lambda__":
        raise ValueError(
            f"{_place(path)} is a lambda, whose code would have to be run. Models with lambdas are "
            "no files of kpinn, whatever safe_mode is."
        )
    if name in PLAIN:
        _check_plain(name, inner, path)
        return ANY
    what, registered = name, value.get("registered_name", name)
    if name == "function":
        what = registered = inner
    found = keras.saving.get_registered_object(registered) if isinstance(registered, str) else None
    if found is not None:
        return _numbers_of(found) if registered.startswith("kpinn") else ANY
    if not isinstance(what, str) or not what.isidentifier() or what in REFUSED:
        raise ValueError(f"{_place(path)} is {shown(what)}, which no file of kpinn needs.")
    allowed = FUNCTIONS if name == "function" else MODULES
    known = module is None or _within(module, allowed)
    if not known or (module == "builtins" and not _is_of_keras(what)):
        raise ValueError(
            f"{_place(path)} is {what!r} of {module!r}, which is not registered with Keras in this "
            "process: the module that defines it, decorated with "
            "@keras.saving.register_keras_serializable(), is imported before a file is loaded."
        )
    return REAL if (module or "").startswith(COUNTING) else SIZES


def _numbers_of(cls):
    counts = isinstance(cls, type) and issubclass(cls, keras.optimizers.Optimizer)
    return REAL if counts else SIZES


def _is_of_keras(name):
    """Whether Keras finds a function of which it has kept the name only."""
    return any(hasattr(getattr(keras, each), name) for each in BUILTIN)


def _within(module, allowed):
    return module in allowed or (
        module.startswith("keras.src.")
        and any(module.startswith(f"{each}.") for each in allowed if each.startswith("keras.src."))
    )


def _check_plain(name, inner, path):
    if not isinstance(inner, dict):
        raise ValueError(f"{_place(path)} is {name} of {shown(inner)}: expected a dict.")
    dtype = inner.get("dtype", "float32")
    if name in ("__numpy__", "__tensor__", "__keras_tensor__") and not (
        isinstance(dtype, str) and _DTYPE.fullmatch(dtype)
    ):
        raise ValueError(f"{_place(path)} has the dtype {shown(dtype)}: expected a number's.")


def _check_leaf(value, path, numbers):
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    if isinstance(value, str) and len(value) > LONGEST:
        raise ValueError(f"{_place(path)} is a text of {len(value)} characters.")
    if numbers == ANY:
        return
    if "dtype" in (name, *path[-3:-2]) and value in NO_NUMBERS:
        raise ValueError(f"{_place(path)} is {value!r}: expected a dtype such as 'float32'.")
    if not is_number(value):
        return
    counted = numbers == SIZES and isinstance(value, int) and name not in NO_SIZES
    most = LIMITS.get(name, LARGEST if counted else math.inf)
    if value != value or abs(value) > most:
        wanted = "a number" if value != value else f"at most {most}, since it may be a size"
        raise ValueError(f"{_place(path)} is {shown(value)}: expected {wanted}.")


def _place(path):
    return f"entry {shortened('.'.join(map(str, path)), 200)}" if path else "it"
