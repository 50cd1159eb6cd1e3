"""Machine code: of LLVM's language, called by functions that numba has compiled; and these kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])


class Native:
    """The machine code of a module; addresses are good as long as this object is.

    Nothing is optimised: the searches wait for memory, and are hardly faster with all that LLVM can do, which takes
    three times as long.  Cost: about 10 us a line of LLVM's language, and 10 ms.
    """

    def __init__(self, made: Any) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(opt=0, jit=True)
        made.triple, made.data_layout = machine.triple, str(machine.target_data)
        parsed = llvm.parse_assembly(str(made))
        parsed.verify()
        self._engine = llvm.create_mcjit_compiler(parsed, machine)
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where the function of that name begins."""
        return int(self._engine.get_function_address(name))


def _caller(arguments: int) -> Any:
    """An intrinsic that calls the function at an address with so many words, and returns the word that it returns."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(word, [word] * arguments)
        return builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])

    return code


def _call1(_typing: Any, address: Any, first: Any) -> Any:
    return types.int64(types.int64, types.int64), _caller(1)


def _call3(_typing: Any, address: Any, first: Any, second: Any, third: Any) -> Any:
    return types.int64(types.int64, types.int64, types.int64, types.int64), _caller(3)


call1: Any = intrinsic(_call1)
"""call1(address, first): the result of the function at `address`, of one pointer."""
call3: Any = intrinsic(_call3)
"""call3(address, first, second, third): the result of the function at `address`, of three pointers."""


def kept(function: Function) -> Function:
    """The function, compiled by numba when it is first called; kept on disk if there is a place that can be written."""
    return _kept(function, {})


def inlined(function: Function) -> Function:
    """The same for a function that becomes a part of those that call it."""
    return _kept(function, {"inline": "always"})


def _kept(function: Function, options: dict[str, Any]) -> Function:
    try:
        compiled: Function = njit(cache=True, **options)(function)
    except RuntimeError:
        # Neither beside the file nor in the user's folder is a place for it: it is compiled in each process.
        compiled = njit(**options)(function)
    return compiled
