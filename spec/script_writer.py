"""Writing heap scripts: steps to text, one line each, the same text for the same steps."""

from __future__ import annotations

import errno
import json
import re

from spec.event import Event, Function
from spec.script_words import FLAGS, NUMBERS, OBSERVABLE, OPERANDS
from spec.statement import Pointer, Script, Settings, Step

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z][A-Za-z0-9_]*)*")
_PLAIN = Event(Function.LABEL)


def render(script: Script) -> str:
    """The text of `script`, which reads back as the same script.  Cost: O(length).

    >>> from spec.script_reader import parse
    >>> print(render(parse("given standard c17\\n@2 a=malloc 24 -> 4096 usable 0x20 ! a live")), end="")
    given standard c17
    @2 a = malloc 24 -> 0x1000 usable 32    ! a live
    """
    return "".join(f"{line}\n" for line in (*_givens(script.settings), *map(line_of, script.steps)))


def line_of(step: Step) -> str:
    """The line of one step.  Times are not written; everything else of its event is."""
    if step.event is None:
        return " ".join(f"expect {claim}" for claim in step.claims)
    event = step.event
    parts = []
    if event.thread:
        parts.append(f"@{event.thread}")
    if event.begin or event.end:
        parts.append(f"[{event.begin}..{event.end or ''}]")
    if step.name:
        parts.append(f"{step.name} =")
    parts += [Function(event.function).name.lower(), *_operands(step, event)]
    if step.replied:
        parts += ["->", f"{event.result}" if event.function == Function.USABLE_SIZE else _address(event.result)]
    parts += _attributes(step, event)
    claims = "".join(f"    ! {claim}" for claim in step.claims)
    return " ".join(parts) + claims


def _givens(settings: Settings) -> list[str]:
    lines = []
    if settings.standard is not None:
        lines.append(f"given standard {settings.standard.replace(',', ' ')}")
    if settings.quarantine is not None:
        limit = "" if settings.quarantine_limit is None else f" limit {settings.quarantine_limit}"
        lines.append(f"given quarantine {settings.quarantine}{limit}")
    if settings.promises:
        lines.append(f"given promises {' '.join(sorted(settings.promises))}")
    if settings.arena is not None:
        lines.append(f"given arena {settings.arena[0]:#x} {settings.arena[1]:#x}")
    if settings.page is not None:
        lines.append(f"given page {settings.page}")
    if settings.observes:
        lines.append(
            f"given observes {' '.join(word for word, flag in OBSERVABLE.items() if settings.observes & flag)}"
        )
    return lines


def _operands(step: Step, event: Event) -> list[str]:
    pointer = step.pointer or Pointer("", event.address)
    words = []
    for operand in OPERANDS[Function(event.function)]:
        match operand:
            case "pointer" if "offset" in OPERANDS[Function(event.function)]:
                words.append(str(Pointer(pointer.name)) if _steps_in(pointer) else str(pointer))
            case "pointer":
                words.append(str(pointer))
            case "offset":
                words.append(str(pointer.offset) if _steps_in(pointer) else "0")
            case "byte":
                words.append(f"{event.result:#04x}")
            case "text":
                words.append(_text(event.label))
            case _:
                words.append(str(getattr(event, operand)))
    return words


def _steps_in(pointer: Pointer) -> bool:
    """Whether an access writes the offset of its pointer apart, as in `load a 8 4`."""
    return bool(pointer.name) and pointer.offset >= 0


def _attributes(step: Step, event: Event) -> list[str]:
    """Whatever the line has not said yet, in one fixed order."""
    said = {*OPERANDS[Function(event.function)]}
    words = []
    flags = event.flags
    for name in ("errno", *(name for name in NUMBERS if name != "errno")):
        value = getattr(event, name)
        spoken = name in said or (name == "size" and step.whole)
        spoken = spoken or (name == "result" and (step.replied or "byte" in said))
        needed = name == "size" and "byte" in said
        if spoken or (value == getattr(_PLAIN, name) and not needed):
            continue
        if name == "errno" and value in errno.errorcode:
            words.append(errno.errorcode[value])
        elif name == "flags":
            known = [word for word, flag in FLAGS.items() if flags & flag]
            rest = flags & ~sum(FLAGS.values())
            words += [f"flags {rest}", *known] if rest else known
        else:
            words.append(f"{name} {value}")
    if event.address and "pointer" not in said:
        words.append(f"address {event.address:#x}")
    if event.label and "text" not in said:
        words.append(f"label {_text(event.label)}")
    return words


def _address(address: int) -> str:
    return f"{address:#x}" if address else "NULL"


def _text(text: str) -> str:
    return text if _WORD.fullmatch(text) else json.dumps(text)
