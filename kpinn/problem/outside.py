"""What a function reads that it is not called with: its closure, its globals, and what they read.

Functions of libraries are taken as they are.
"""

import dis
import functools
import inspect
import pathlib
import sys
import sysconfig
import types

from kpinn.problem.snapshots import attributes_of

_PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
_LIBRARIES = (str(pathlib.Path(__file__).parents[1]), *map(sysconfig.get_path, _PATHS))


class Outside:
    """Finds the values outside of functions, and outside of the functions that they call.

    Args:
        remember: called with a key, a function without arguments that gets a value, and the value.

    Attributes:
        names: of the globals and attributes in the code that was looked into.
    """

    def __init__(self, remember):
        self._remember = remember
        self.names, self._seen = set(), {}

    def forget(self):
        """Looks into everything again, where it is met again."""
        self._seen.clear()

    def look_into(self, function):
        """The closure and globals of a function; the attributes and the code of another callable.

        Args:
            function: any callable.
        """
        function = inspect.unwrap(function)
        if not isinstance(function, types.FunctionType):
            return self._found((id(function), "self"), lambda: function)
        if _is_of_library(function) or not self._is_new(function):
            return None
        code = function.__code__
        self.names |= _names(code)
        closure = zip(code.co_freevars, function.__closure__ or (), strict=True)
        gets = {name: functools.partial(_content, cell) for name, cell in closure}
        for name in _globals(code) & function.__globals__.keys():
            gets[name] = functools.partial(function.__globals__.get, name)
        for name, get in gets.items():
            self._found((id(function), name), get)
        return None

    def _found(self, key, get):
        value = get()
        if not _is_of_library(value):
            self._remember(key, get, value)
            self.look_at(value)

    def look_at(self, value):
        """What is read through a value: the code of functions, attributes of modules and classes.

        Args:
            value: anything.
        """
        if isinstance(value, types.FunctionType):
            return self.look_into(value)
        if isinstance(value, types.MethodType):
            self.look_into(value.__func__)
            return self._found((id(value.__self__), "self"), lambda: value.__self__)
        if isinstance(value, functools.partial):
            self.look_into(value.func)
            given = value.args, value.keywords
            return self._found((id(value), "given"), lambda: given)
        if isinstance(value, types.ModuleType | type):
            return self._look_at_namespace(value)
        if isinstance(value, dict):
            return self._look_at_each(value.values(), value)
        if isinstance(value, list | tuple):
            return self._look_at_each(value, value)
        return self._look_at_object(value)

    def _is_new(self, value):
        new = id(value) not in self._seen
        self._seen[id(value)] = value
        return new

    def _look_at_each(self, parts, container):
        for part in parts if self._is_new(container) else ():
            if not isinstance(part, int | float | str):
                self.look_at(part)

    def _look_at_object(self, value):
        attributes = attributes_of(value)
        if attributes or callable(value):
            self._look_at_each(attributes.values(), value)
            self._look_at_namespace(type(value))

    def _look_at_namespace(self, space):
        """The attributes of a user's module or class that have a name in the code."""
        if _is_of_library(space):
            return
        known = len(self.names)
        for name in (*self.names, "__call__"):
            get = functools.partial(_static, space, name)
            value = get()
            key = id(space), name
            if value is not None and key not in self._seen:
                self._seen[key] = space
                self._found(key, get)
                self.look_at(getattr(value, "fget", getattr(value, "__func__", None)))
        if len(self.names) > known:  # of functions that have been found
            self._look_at_namespace(space)


def _static(space, name):
    """An attribute of a module or class as it is stored: a property is itself."""
    is_module = isinstance(space, types.ModuleType)
    return vars(space).get(name) if is_module else inspect.getattr_static(space, name, None)


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _is_of_library(value):
    """Whether a value is a function, class or module of a library."""
    if not isinstance(value, types.FunctionType | types.ModuleType | type):
        return False
    name = value.__name__ if isinstance(value, types.ModuleType) else value.__module__
    file = getattr(sys.modules.get(name, value), "__file__", None) or ""
    return name == "builtins" or file.startswith(_LIBRARIES) or "-packages" in file


def _inner(code):
    return [each for each in code.co_consts if isinstance(each, types.CodeType)]


def _names(code):
    """Names of globals and attributes in a function and the functions within it."""
    return {*code.co_names, *(name for each in _inner(code) for name in _names(each))}


def _globals(code):
    """Names of the globals that a function and the functions within it read."""
    own = (i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    return {*own, *(name for each in _inner(code) for name in _globals(each))}
