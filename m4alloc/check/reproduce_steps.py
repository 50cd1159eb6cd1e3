"""The steps of a script as C statements: the call, and behind it what the contract asks of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from m4alloc.check.showing import Shown, request_line
from spec.contract import EXPECTATIONS
from spec.event import ACCESSING, FREEING, MISUSE_CAUGHT, RESIZING, Event, Function
from spec.judge import PTRDIFF_MAX, granted, is_power_of_two, overflows
from spec.script_words import DIRECTIVES
from spec.standard import FUNDAMENTAL, Contract, ReallocZero
from spec.statement import Claim, Pointer, Step

SIZE_MAX = 2**64 - 1


class Call(NamedTuple):
    """How a function of the family is declared in C: its symbol, what it returns, what it takes."""

    symbol: str
    returns: str
    takes: str

    @property
    def variable(self) -> str:
        """The pointer through which the program calls it."""
        return f"call_{self.symbol}" if self.symbol.isidentifier() and self.symbol[0] != "_" else f"call{self.symbol}"


CALLS = {
    Function.MALLOC: Call("malloc", "void *", "size_t"),
    Function.CALLOC: Call("calloc", "void *", "size_t, size_t"),
    Function.REALLOC: Call("realloc", "void *", "void *, size_t"),
    Function.REALLOCARRAY: Call("reallocarray", "void *", "void *, size_t, size_t"),
    Function.FREE: Call("free", "void ", "void *"),
    Function.ALIGNED_ALLOC: Call("aligned_alloc", "void *", "size_t, size_t"),
    Function.MEMALIGN: Call("memalign", "void *", "size_t, size_t"),
    Function.POSIX_MEMALIGN: Call("posix_memalign", "int ", "void **, size_t, size_t"),
    Function.VALLOC: Call("valloc", "void *", "size_t"),
    Function.PVALLOC: Call("pvalloc", "void *", "size_t"),
    Function.USABLE_SIZE: Call("malloc_usable_size", "size_t ", "void *"),
    Function.FREE_SIZED: Call("free_sized", "void ", "void *, size_t"),
    Function.FREE_ALIGNED_SIZED: Call("free_aligned_sized", "void ", "void *, size_t, size_t"),
    Function.NEW: Call("_ZnwmRKSt9nothrow_t", "void *", "size_t, const void *"),
    Function.DELETE: Call("_ZdlPv", "void ", "void *"),
}
"""The family in C; operator new and delete by the names that the C++ compiler gives them."""


@dataclass(slots=True)
class Slot:
    """A block of the script in the C program: its identifier there, what messages call it, whether it lives."""

    identifier: str
    called: str
    size: int
    state: str = "live"  # "dead" when it was given up for certain, "open" when nobody can tell


@dataclass(slots=True)
class Written:
    """One step in C. touched: the blocks it uses. directive: what it tells the runner, with a number."""

    thread: int
    line: str
    code: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    directive: str = ""
    number: int = 0


class Writer:
    """Writes step after step, and remembers which C variable each name stands for."""

    def __init__(self, contract: Contract, seen: Shown | None, *, page: int = 4096, observes: int = 0) -> None:
        self.contract = contract
        self.seen = seen
        self.page = page
        self.counts_misuse = bool(observes & MISUSE_CAUGHT)
        self.slots: list[Slot] = []
        self.bound: dict[str, Slot] = {}

    def write(self, number: int, step: Step) -> Written:
        """The C of step `number`, counted from 0."""
        event = step.event
        line = request_line(step)
        if event is None:
            return Written(0, line, [code for claim in step.claims if (code := self.claim(claim))])
        written = Written(event.thread, line)
        if event.function == Function.LABEL:
            if event.label in DIRECTIVES:
                written.directive, written.number = event.label, event.size
            return written
        if event.function in ACCESSING:
            self.access(step, event, written)
        elif step.pointer is None:
            self.allocate(number, step, event, written)
        else:
            self.pass_pointer(number, step, event, step.pointer, written)
        about = (claim for claim in step.claims if claim.kind not in ("misuse", "violates", "caught"))
        written.code += [code for claim in about if (code := self.claim(claim))]
        return written

    # Blocks.

    def made(self, number: int, step: Step, size: int, old: Slot | None = None) -> Slot:
        """The slot for the block that a step hands out; a block that is resized under its own name keeps its slot."""
        if old is not None and step.name and self.bound.get(step.name) is old:
            old.size, old.state = size, "live"
            return old
        wanted = step.name if re.fullmatch(r"[a-z]|b\d+", step.name) else f"block_{step.name or number + 1}"
        taken = {slot.identifier for slot in self.slots}
        others = (f"{wanted}_{count}" for count in range(2, len(taken) + 3))
        identifier = wanted if wanted not in taken else next(one for one in others if one not in taken)
        slot = Slot(identifier, step.name or f"the block of step {number + 1}", size)
        self.slots.append(slot)
        if step.name:
            self.bound[step.name] = slot
        return slot

    def unfilled(self, number: int, step: Step) -> None:
        """What later steps call by the name of a request that may not be served: a null pointer."""
        if step.name:
            self.made(number, step, 0)

    def address(self, pointer: Pointer) -> str:
        """The C expression of a pointer."""
        if not pointer.name:
            return f"(void *){pointer.offset:#x}" if pointer.offset else "NULL"
        offset = f" + {pointer.offset}" if pointer.offset > 0 else f" - {-pointer.offset}" if pointer.offset else ""
        return f"block[{self.bound[pointer.name].identifier}].p{offset}"

    def owned(self, step: Step, pointer: Pointer) -> Slot | None:
        """The live block that the pointer names as its client may; None when the use of it is misuse."""
        if any(claim.kind == "misuse" for claim in step.claims) or not pointer.name or pointer.offset:
            return None
        slot = self.bound.get(pointer.name)
        return slot if slot is not None and slot.state != "dead" else None

    # Requests.

    def allocate(self, number: int, step: Step, event: Event, written: Written) -> None:
        """A request that is handed no block."""
        size = granted(event)
        operands = f"{literal(event.count)}, {literal(event.size)}"
        aligned = f"{literal(event.alignment)}, {literal(event.size)}"
        code = written.code
        match event.function:
            case Function.MALLOC:
                self.plain(number, step, f"call_malloc({literal(event.size)})", size, written)
            case Function.CALLOC:
                call = f"call_calloc({operands})"
                if overflows(event) and "calloc-overflow-refused" in self.contract.rules:
                    self.unfilled(number, step)
                    code.append(self.refused("calloc-overflow-refused", call, "ENOMEM"))
                    return
                slot = self.plain(number, step, call, size, written, fill=False)
                code.append(f'zero({slot.identifier}, {literal(size)}, "calloc-zeroes");')
                if "calloc-zeroes-usable" in self.contract.rules:
                    code.append(f'zero({slot.identifier}, SIZE_MAX, "calloc-zeroes-usable");')
                code.append(f"fill({slot.identifier});")
            case Function.ALIGNED_ALLOC if not is_power_of_two(event.alignment):
                self.unfilled(number, step)
                code.append(self.refused("aligned-alloc-arguments", f"call_aligned_alloc({aligned})", "EINVAL"))
            case Function.ALIGNED_ALLOC | Function.MEMALIGN:
                call = f"{CALLS[event.function].variable}({aligned})"
                need = event.alignment if is_power_of_two(event.alignment) else 1
                self.on_boundary(number, step, call, need, "EINVAL", written)
            case Function.VALLOC | Function.PVALLOC:
                call = f"{CALLS[event.function].variable}({literal(size)})"
                page = event.alignment or self.page
                slot = self.on_boundary(number, step, call, page, "0", written)
                if event.function == Function.PVALLOC and "pvalloc-whole-pages" in self.contract.rules:
                    code.insert(-1, f"has_room({slot.identifier}, {literal(-(-size // page) * page)});")
            case Function.POSIX_MEMALIGN:
                slot = self.made(number, step, size)
                written.touched.append(slot.identifier)
                arguments = f"{literal(event.alignment)}, {literal(size)}"
                code += ["reply = UNTOUCHED;", f"error = call_posix_memalign(&reply, {aligned});"]
                if "posix-memalign-arguments" in self.contract.rules:
                    code.append(f"memaligned({slot.identifier}, error, reply, {arguments});")
                else:
                    need = event.alignment if is_power_of_two(event.alignment) else 1
                    code.append(self.taken(slot, "error ? NULL : reply", size, need, "result-aligned-as-requested"))
                code.append(f"fill({slot.identifier});")
            case _:
                slot = self.made(number, step, size)
                written.touched.append(slot.identifier)
                need = min(FUNDAMENTAL, size & -size or 1)
                call = f'{CALLS[Function.NEW].variable}({literal(size)}, "")'
                code.append(self.taken(slot, call, size, need, "result-aligned-fundamental"))
                code.append(f"fill({slot.identifier});")
        self.expect_service(step, event, written)

    def plain(self, number: int, step: Step, call: str, size: int, written: Written, *, fill: bool = True) -> Slot:
        """A request that names no alignment."""
        slot = self.made(number, step, size)
        written.touched.append(slot.identifier)
        if size > PTRDIFF_MAX and "ptrdiff-max-refused" in self.contract.rules:
            written.code += [f"reply = {call};", 'refused("ptrdiff-max-refused", reply, 0);']
            call = "reply"
        need = self.contract.fundamental(size)
        written.code.append(f"got({slot.identifier}, {call}, {literal(size)}, {need});")
        if fill:
            written.code.append(f"fill({slot.identifier});")
        return slot

    def on_boundary(self, number: int, step: Step, call: str, need: int, or_else: str, written: Written) -> Slot:
        """A request that names an alignment."""
        assert step.event is not None
        size = step.event.size
        slot = self.made(number, step, size)
        written.touched.append(slot.identifier)
        arguments = f"{slot.identifier}, {call}, {literal(size)}, {literal(need)}, {or_else}"
        written.code += [f"got_aligned({arguments});", f"fill({slot.identifier});"]
        return slot

    def taken(self, slot: Slot, call: str, size: int, need: int, rule: str) -> str:
        """A block whose request sets no errno."""
        return f'take({slot.identifier}, {call}, {literal(size)}, {need}, "{rule}");'

    def refused(self, rule: str, call: str, error: str) -> str:
        """A request that may not be served; its errno counts where the standard names one."""
        return f'refused("{rule}", {call}, {error if self.contract.names_errors else 0});'

    def expect_service(self, step: Step, event: Event, written: Written) -> None:
        """Where the finding is that a small request was refused, say that it must be served."""
        wanted = self.seen is not None and self.seen.rule is EXPECTATIONS["request-served"]
        if wanted and written.touched and not (step.replied and event.result):
            written.code.insert(-1, f"served({written.touched[-1]});")

    # Calls that are handed a pointer.

    def pass_pointer(self, number: int, step: Step, event: Event, pointer: Pointer, written: Written) -> None:
        """A call that is handed a block, a null pointer, or what it may not be handed."""
        slot = self.owned(step, pointer)
        if slot is not None:
            written.touched.append(slot.identifier)
        if event.function in RESIZING:
            self.resize(number, step, event, pointer, slot, written)
        elif event.function == Function.USABLE_SIZE:
            call = f"call_malloc_usable_size({self.address(pointer)})"
            if not pointer.name and not pointer.offset:
                if "usable-size-null" in self.contract.rules:
                    written.code.append(f"measured_null({call});")
                else:
                    written.code.append(f"{call};")
            elif slot is not None:
                written.code += [f"if (block[{slot.identifier}].live)", f"    measured({slot.identifier}, {call});"]
            else:
                written.code += self.misused(f"{call};", event)
        else:
            self.give_up(event, pointer, slot, written)

    def resize(
        self, number: int, step: Step, event: Event, pointer: Pointer, old: Slot | None, written: Written
    ) -> None:
        """A realloc or reallocarray."""
        size = granted(event)
        operands = literal(event.size)
        if event.function == Function.REALLOCARRAY:
            operands = f"{literal(event.count)}, {operands}"
        call = f"{CALLS[event.function].variable}({self.address(pointer)}, {operands})"
        rule = "reallocarray-overflow-refused"
        if event.function == Function.REALLOCARRAY and overflows(event) and rule in self.contract.rules:
            written.code.append(self.refused(rule, call, "ENOMEM"))
            self.unfilled(number, step)
            if old is not None:
                written.code.append(f'compare({old.identifier}, "realloc-failure-keeps-block");')
                written.code = guarded(f"block[{old.identifier}].live", written.code)
            return
        if old is None:
            if pointer.name or pointer.offset:
                slot = self.made(number, step, size)
                written.touched.append(slot.identifier)
                need = self.contract.fundamental(size)
                written.code += self.misused(f"reply = {call};", event)
                written.code += [self.taken(slot, "reply", size, need, "result-aligned-fundamental")]
                written.code.append(f"fill({slot.identifier});")
                return
            self.plain(number, step, call, size, written)
            self.expect_service(step, event, written)
            return
        before = old.state
        new = self.made(number, step, size, old)
        if new is not old:
            written.touched.append(new.identifier)
        code = [f"reply = {call};"]
        if size > PTRDIFF_MAX and "ptrdiff-max-refused" in self.contract.rules:
            code.append('refused("ptrdiff-max-refused", reply, 0);')
        if event.request_size == 0:
            code = self.zeroed(old, new, code)
        else:
            need = self.contract.fundamental(size)
            code.append(f"resized({old.identifier}, {new.identifier}, reply, {literal(size)}, {need});")
        if self.counts_misuse:
            code.append('accepted("valid-call-accepted");')
        code.append(f"fill({new.identifier});")
        if new is not old:
            failed = step.replied and not event.result
            open_ended = event.request_size == 0 or not step.replied or failed
            old.state = before if failed and event.request_size else "open" if open_ended else "dead"
        written.code += guarded(f"give({old.identifier})", code)

    def zeroed(self, old: Slot, new: Slot, code: list[str]) -> list[str]:
        """realloc(p, 0), which some standards leave to the allocator or undefined."""
        if self.contract.realloc_zero is ReallocZero.UNDEFINED:
            code = ["misuse(); /* the standard leaves realloc(p, 0) undefined */", *code]
        return [*code, f"resized_to_zero({old.identifier}, {new.identifier}, reply);"]

    def give_up(self, event: Event, pointer: Pointer, slot: Slot | None, written: Written) -> None:
        """One of the functions that free."""
        operands = {
            Function.FREE_SIZED: [literal(event.size)],
            Function.FREE_ALIGNED_SIZED: [literal(event.alignment), literal(event.size)],
        }.get(event.function, [])
        call = f"{CALLS[event.function].variable}({', '.join([self.address(pointer), *operands])});"
        null = not pointer.name and not pointer.offset
        if slot is None and not null:
            written.code += self.misused(call, event)
            return
        code = [call]
        if event.function == Function.FREE and "free-keeps-errno" in self.contract.rules:
            code.append("errno_kept();")
        if self.counts_misuse:
            code.append(f'accepted("{"free-null-does-nothing" if null else "valid-call-accepted"}");')
        if slot is None:
            written.code += code
            return
        slot.state = "dead"
        written.code += guarded(f"give({slot.identifier})", code)

    def misused(self, call: str, event: Event) -> list[str]:
        """A call that the client may not make."""
        reports = self.counts_misuse and (event.function in FREEING or event.function in RESIZING)
        return ["misuse();", call, *(["caught();"] if reports else [])]

    # Accesses and claims.

    def access(self, step: Step, event: Event, written: Written) -> None:
        """A load compares the whole block, a store writes all of it; where that is misuse, exactly what is said."""
        pointer = step.pointer or Pointer("", event.address)
        slot = self.owned(step, Pointer(pointer.name))
        if slot is not None:
            written.touched.append(slot.identifier)
            if event.function == Function.LOAD:
                test = f"if (block[{slot.identifier}].live)"
                written.code += [test, f'    compare({slot.identifier}, "block-keeps-contents");']
            else:
                written.code.append(f"fill({slot.identifier});")
            return
        where = self.address(pointer)
        if event.function == Function.LOAD:
            written.code += ["misuse();", f"peek({where}, {literal(event.size)});"]
        else:
            written.code += ["misuse();", f"poke({where}, {literal(event.size)}, {event.result & 255:#04x});"]

    def claim(self, claim: Claim) -> str:
        """What a claim about blocks asks; empty where the program's own checks ask it anyway."""
        blocks = [self.bound[word].identifier for word in claim.words if word in self.bound]
        if not blocks:
            return ""
        first = f"block[{blocks[0]}].p"
        match claim.kind:
            case "null":
                return f'claimed(!{first}, "{claim}");'
            case "aligned":
                return f'claimed((uintptr_t){first} % {claim.words[1]} == 0, "{claim}");'
            case "same":
                return f'claimed({first} == block[{blocks[1]}].p, "{claim}");'
            case "disjoint":
                return f'claimed(disjoint({blocks[0]}, {blocks[1]}), "{claim}");'
        return ""


def guarded(condition: str, code: list[str]) -> list[str]:
    """Statements that are carried out only under a condition."""
    if len(code) == 1:
        return [f"if ({condition})", f"    {code[0]}"]
    return [f"if ({condition}) {{", *(f"    {line}" for line in code), "}"]


def literal(number: int) -> str:
    """A size as C writes it.

    >>> literal(24), literal(2**40), literal(2**64 - 8), literal(2**63)
    ('24', '1099511627776u', 'SIZE_MAX - 7', '(size_t)PTRDIFF_MAX + 1')
    """
    if number > SIZE_MAX - 65536:
        return f"SIZE_MAX - {SIZE_MAX - number}" if number < SIZE_MAX else "SIZE_MAX"
    if abs(number - PTRDIFF_MAX) < 65536:
        offset = number - PTRDIFF_MAX
        return "PTRDIFF_MAX" if not offset else f"(size_t)PTRDIFF_MAX {'+' if offset > 0 else '-'} {abs(offset)}"
    return str(number) if number < 2**31 else f"{number}u"


def quoted(text: str) -> str:
    """A C string literal.

    >>> print(quoted('label "a"'))
    "label \\"a\\""
    """
    return json.dumps(text, ensure_ascii=False).replace("?", "\\?") if text.isascii() else json.dumps(repr(text))
