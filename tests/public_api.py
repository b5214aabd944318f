"""The public names of kpinn with their arguments, in one list: `public_api.txt`.

A change of it is a change for users. `python tests/public_api.py` writes the list anew, and
`tests/test_docs.py` compares it.
"""

import inspect
import pathlib
import re

import kpinn

LIST = pathlib.Path(__file__).with_suffix(".txt")
FACADES = (kpinn.callbacks, kpinn.losses)  # whose names come from rooms of other names
ADDRESS = re.compile(r"<(function|class|built-in function) '?([\w.]+)'?(?: at 0x\w+)?>")


def names_of(module):
    """Names that a module offers: those of `__all__`, else its own without an underscore."""
    if hasattr(module, "__all__"):
        return module.__all__
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and (module in FACADES or value.__module__.startswith(module.__name__))
    ]


def public_names():
    """Dict from the public names of functions and classes, each once, to what they name."""
    objects = {name: getattr(kpinn, name) for name in kpinn.__all__}
    modules = {name: value for name, value in objects.items() if inspect.ismodule(value)}
    found = {f"kpinn.{name}": value for name, value in objects.items() if name not in modules}
    for name, module in modules.items():
        for inner in names_of(module):
            value = getattr(module, inner)
            if not any(value is other for other in objects.values()):
                found[f"kpinn.{name}.{inner}"] = value
    return found


def lines():
    """The list: functions, classes and their own methods, with the arguments of each."""
    found = public_names()
    classes = [value for value in found.values() if inspect.isclass(value)]
    for name, value in sorted(found.items()):
        if inspect.isclass(value):
            yield f"class {name}{arguments(value)}"
            others = {other for other in classes if other is not value}
            yield from (f"    .{line}" for line in members(value, others))
        else:
            yield f"{name}{arguments(value)}" if callable(value) else name


def members(cls, others):
    """Public methods and properties that a class has from kpinn, but not from other classes."""
    own = [b for b in cls.__mro__ if b.__module__.startswith("kpinn")]
    listed = {inner for base in others & set(own) for inner in base.__mro__}
    own = [base for base in own if base not in listed]
    hooks = "_", "on_"  # the second are those of Keras's callbacks
    names = {name for base in own for name in vars(base) if not name.startswith(hooks)}
    for name in sorted(names):
        value = inspect.getattr_static(cls, name)
        function = getattr(value, "__func__", value)
        yield f"{name}{arguments(function)}" if inspect.isfunction(function) else name


def arguments(value):
    """The arguments of a function or class, without annotations."""
    try:
        signature = inspect.signature(value.__init__ if inspect.isclass(value) else value)
    except (TypeError, ValueError):
        return ""
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    plain = plain[1:] if inspect.isclass(value) else plain
    return ADDRESS.sub(r"\2", str(inspect.Signature(plain)))


if __name__ == "__main__":
    LIST.write_text("\n".join(lines()) + "\n", encoding="utf8")
