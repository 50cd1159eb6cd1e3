"""Attributes of the package that are imported when first used (PEP 562), through one check of what is imported.

A verb may have the name of a module or package of ours (`m4alloc.lib`, later `m4alloc.check`). Importing such a
module makes Python set it as the attribute, in place of the function. The module is then made callable, so that
`m4alloc.lib()` means the verb whichever was imported first.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from m4alloc import _shadow

WITHOUT_SPECIFICATION = frozenset(
    {
        "m4alloc._backend",
        "m4alloc.doctor",
        "m4alloc.labels",
        "m4alloc.lib",
        "m4alloc.run",
        "m4alloc.statistics",
        "m4alloc.strategy",
    }
)
"""Modules that work when `spec` and `capability` are not ours; everything else is refused then."""


def load(target: str) -> Any:
    """The attribute that "module:attribute" names, importing the module.

    Raises ShadowedError when the module needs the specification and another package has taken its name.

    >>> load("m4alloc.lib:lib").__name__
    'lib'
    """
    module, _, attribute = target.partition(":")
    if module not in WITHOUT_SPECIFICATION:
        _shadow.require_ours()
    return getattr(importlib.import_module(module), attribute)


class CallableModule(ModuleType):
    """A module with the name of a verb; calling it calls the verb."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        package, _, name = self.__name__.rpartition(".")
        return load(_targets(package)[name])(*args, **kwargs)


class Package(ModuleType):
    """The package itself: makes each submodule that bears the name of a verb callable as it arrives."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _targets(self.__name__):
            if type(value) is ModuleType:
                value.__class__ = CallableModule
            elif type(value) is Package:
                value.__class__ = CallablePackage
        super().__setattr__(name, value)


class CallablePackage(CallableModule, Package):
    """A package with public names of its own and the name of a verb."""


def _targets(package: str) -> Mapping[str, str]:
    targets: Mapping[str, str] = vars(sys.modules[package])["_targets"]
    return targets


def attach(package: str, targets: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` for the package; targets: public name to "module:attribute"."""
    module = sys.modules[package]
    vars(module)["_targets"] = targets
    module.__class__ = Package

    def get(name: str) -> Any:
        if name not in targets:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = load(targets[name])
        return vars(module).setdefault(name, value)

    names = sorted({*targets, *({"__version__"} & vars(module).keys())})
    return get, lambda: sorted({*names, *vars(module)}), names
