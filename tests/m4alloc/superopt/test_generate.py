"""Generated functions are well formed, varied and repeatable."""

from __future__ import annotations

import pytest

from m4alloc.superopt import printer
from m4alloc.superopt.generate import PLAIN, Features, functions, without_dead_code
from m4alloc.superopt.generate_mutants import dominators, mutants
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function


@pytest.mark.parametrize("width", [1, 3, 8, 32, 64])
def test_llvm_verifies_every_function_and_every_mutant(width: int) -> None:
    made = functions(1, 40, width, 6, Features(memory=2 * (width == 8)))
    assert len(made) == 40
    for function in made:
        printer.checked(function)
        changed = list(mutants(function, 1, 3))
        assert changed
        for mutant, what in changed:
            assert printer.checked(mutant), what


def test_the_same_seed_gives_the_same_functions() -> None:
    assert functions(5, 20) == functions(5, 20)
    assert functions(5, 20) != functions(6, 20)
    assert functions(5, 20)[:10] == functions(5, 10)


def test_all_features_occur() -> None:
    made = functions(2, 300, 8, 6, Features(memory=1))
    opcodes = {instruction.opcode for function in made for instruction in function}
    assert {"phi", "switch", "select", "freeze", "icmp", "load", "store", "getelementptr", "extractvalue"} <= opcodes
    assert {"udiv", "srem", "shl", "zext", "trunc"} <= opcodes
    flags = {flag for function in made for instruction in function for flag in instruction.flags}
    assert {"nsw", "nuw", "exact", "disjoint", "nneg", "samesign", "inbounds"} <= flags
    assert any("undef" in printer.print_function(function) for function in made)


def test_plain_functions_have_neither_undef_nor_branches() -> None:
    made = functions(3, 50, 32, 5, PLAIN)
    assert len(made) == 50
    for function in made:
        assert len(function.blocks) == 1
        assert all("noundef" in argument.attributes for argument in function.arguments)


def test_generated_functions_have_no_dead_code() -> None:
    made = functions(4, 50)
    assert len(made) == 50
    for function in made:
        assert without_dead_code(function) == function
        uses = function.uses()
        assert all(uses[instruction.name] for instruction in function if instruction.name)


def test_a_mutant_differs_from_its_function_and_from_its_siblings() -> None:
    made = functions(6, 10)
    assert len(made) == 10
    for function in made:
        found = [mutant for mutant, _ in mutants(function, 1, 15)]
        assert found
        assert function not in found
        assert len(set(found)) == len(found)


def test_flags_survive_llvms_printer() -> None:
    made = functions(7, 60, 16, 6, Features(undefined=False))
    assert len(made) == 60 and sum(bool(flags) for one in made for _, flags in _flags(one)) >= 20
    for function in made:
        again = parse_function(printer.checked(function))
        assert _flags(again) == _flags(function)


def _flags(function: Function) -> list[tuple[str, frozenset[str]]]:
    return [(instruction.opcode, instruction.flags) for instruction in function]


def test_a_size_of_zero_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(ValueError, match="size of 1 or more"):
        functions(1, 1, size=0)


def test_a_block_is_dominated_by_what_every_path_goes_through() -> None:
    (diamond,) = [f for f in functions(1, 60) if {b.name for b in f.blocks} == {"entry", "then", "else", "join"}][:1]
    assert dominators(diamond)["join"] == {"entry"}
