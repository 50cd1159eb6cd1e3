"""Whether two loops are the same machine code, so that there is nothing to time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from m4alloc.superopt.toolchain import llvm, not_emitted, read

_LOCAL = re.compile(r"\.L(?:BB|tmp|func_begin|func_end)\d+(_\d+)?")
_ELSEWHERE = re.compile(r"\.L(?:CPI|JTI)\d+_\d+")
"""Constants and tables outside the code, which are not compared: two loops that use any count as different."""


def same_code(text: str, kinds: Sequence[str]) -> bool:
    """`KIND_before` and `KIND_after` compile to the same instructions for this processor, for every one of the kinds.

    False too where that cannot be told.  About 5 ms.
    """
    if not_emitted(text, "x86-64"):
        return False
    binding = llvm()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=3
    )
    assembly = machine.emit_assembly(read(text))
    return all(body(assembly, f"{kind}_before") == body(assembly, f"{kind}_after") is not None for kind in kinds)


def body(assembly: str, name: str) -> tuple[str, ...] | None:
    r"""The instructions of a function and its labels, these without their numbers in the file; None where it is not
    there, or uses constants that lie elsewhere.

    >>> body("f:\n.LBB3_1:  # loop\n\tjmp .LBB3_1\n.Lfunc_end3:\n", "f")
    ('.L_1:', 'jmp .L_1')
    """
    found = re.search(rf"^{re.escape(name)}:.*?^\.Lfunc_end\d+:", assembly, re.MULTILINE | re.DOTALL)
    if found is None or _ELSEWHERE.search(found[0]):
        return None
    lines = (re.split("#|//", line)[0].strip() for line in found[0].splitlines()[1:-1])
    return tuple(_LOCAL.sub(r".L\1", line) for line in lines if line and not line.startswith((".cfi", ".p2align")))
