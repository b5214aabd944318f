"""Plain data as text and arrays, and back: no pickle, nothing that is run when it is read.

Numbers, strings, `None`, lists, tuples, dicts, sets, deques, bytes, arrays and tensors of any depth
become a tree for JSON, in which arrays are numbers of a list. What JSON has no word for is a dict
of one entry whose key begins with `$`. Long lists of numbers are arrays.
"""

import base64
import collections
import math

import keras
import numpy as np
import tensorflow as tf

DEPTH = 16  # of containers in one another
SHORT = 8  # numbers in a list that are written as text
FUNCTIONS = {"less": keras.ops.less, "greater": keras.ops.greater}  # what Keras's callbacks keep
_WHOLE = range(-(2**63), 2**63)


class NotPlainError(TypeError):
    """A value that is no plain data."""


def encode(value, arrays, depth=DEPTH):
    """The tree of a value.

    Args:
        value: plain data.
        arrays: a list, to which arrays are added.
        depth: how deep containers may be in one another.

    Raises:
        NotPlainError: for any other value.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, np.ndarray | np.generic | tf.Tensor):
        return _encode_array(value, arrays)
    if isinstance(value, complex | bytes):
        return _encode_rare(value)
    for name, function in FUNCTIONS.items():
        if value is function:
            return {"$function": name}
    if not depth:
        raise NotPlainError(f"{type(value).__name__} is nested too deeply")
    if isinstance(value, dict):
        return _encode_dict(value, arrays, depth - 1)
    return _encode_sequence(value, arrays, depth - 1)


def _encode_array(value, arrays):
    array = np.asarray(value)
    kind = "$tensor" if isinstance(value, tf.Tensor) else "$array"
    if isinstance(value, np.generic):
        kind = "$scalar"
    if array.dtype.kind not in "biufcV" or array.dtype.names:
        raise NotPlainError(f"an array of {array.dtype}")
    name = array.dtype.name
    if array.dtype.kind == "V":  # bfloat16 and the like, which numpy's files do not know
        array = array.view(f"u{array.dtype.itemsize}")
    arrays.append(array)
    return {kind: [len(arrays) - 1, name]}


def _encode_rare(value):
    if isinstance(value, complex):
        return {"$complex": [repr(value.real), repr(value.imag)]}
    return {"$bytes": base64.b64encode(value).decode()}


def _encode_dict(value, arrays, depth):
    pairs = [(key, encode(each, arrays, depth)) for key, each in value.items()]
    if all(type(key) is str and not key.startswith("$") for key, _ in pairs):
        return dict(pairs)
    return {"$dict": [[encode(key, arrays, depth), each] for key, each in pairs]}


def _encode_sequence(value, arrays, depth):
    kinds = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
    found = [name for kind, name in kinds.items() if isinstance(value, kind)]
    if isinstance(value, collections.deque):
        return {"$deque": [value.maxlen, encode(list(value), arrays, depth)]}
    if not found or hasattr(value, "_fields"):  # a named tuple is of a class of its own
        raise NotPlainError(f"{type(value).__name__} is no plain data")
    kind, items = found[0], list(value)
    if kind in ("set", "frozenset"):
        items = sorted(items, key=repr)
    types = {type(item) for item in items}
    if len(items) > SHORT and (
        types == {float} or (types == {int} and all(i in _WHOLE for i in items))
    ):
        arrays.append(np.array(items, np.float64 if types == {float} else np.int64))
        return {"$numbers": [kind, len(arrays) - 1]}
    items = [encode(item, arrays, depth) for item in items]
    return items if kind == "list" else {f"${kind}": items}


def decode(tree, arrays):
    """The inverse of `encode`.

    Raises:
        ValueError: for a tree that `encode` does not make.
    """
    if isinstance(tree, list):
        return [decode(each, arrays) for each in tree]
    if not isinstance(tree, dict):
        return tree
    word = next(iter(tree), "")
    if not word.startswith("$"):
        return {key: decode(each, arrays) for key, each in tree.items()}
    if word not in _DECODERS:
        raise ValueError(f"{word!r} has no meaning")
    return _DECODERS[word](tree[word], arrays)


def _decode_array(content, arrays):
    number, name = content
    dtype = tf.as_dtype(name).as_numpy_dtype
    array = arrays[number]
    return array if array.dtype == dtype else array.view(dtype)


def _decode_numbers(content, arrays):
    return _CONTAINERS[content[0]](arrays[content[1]].tolist())


_CONTAINERS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_DECODERS = {
    "$float": lambda content, arrays: float(content),
    "$complex": lambda content, arrays: complex(*map(float, content)),
    "$bytes": lambda content, arrays: base64.b64decode(content),
    "$function": lambda content, arrays: FUNCTIONS[content],
    "$array": _decode_array,
    "$scalar": lambda content, arrays: _decode_array(content, arrays)[()],
    "$tensor": lambda content, arrays: tf.constant(_decode_array(content, arrays)),
    "$numbers": _decode_numbers,
    "$dict": lambda content, arrays: {
        decode(key, arrays): decode(each, arrays) for key, each in content
    },
    "$deque": lambda content, arrays: collections.deque(decode(content[1], arrays), content[0]),
    **{
        f"${name}": lambda content, arrays, kind=kind: kind(decode(content, arrays))
        for name, kind in _CONTAINERS.items()
        if name != "list"
    },
}
