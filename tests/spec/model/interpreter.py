"""What programs mean, word for word and without a thought of speed: the measure of `spec.model.execution`."""

from __future__ import annotations

from hypothesis import strategies as st

from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Cell,
    Choice,
    Command,
    Constant,
    Element,
    Expression,
    Guard,
    Program,
    Raise,
    Read,
    Unary,
)


class Fault(Exception):  # noqa: N818 - it is what happens, and no error of ours
    """A step fails."""


class Blocked(Exception):  # noqa: N818
    """A guard is false."""


def value(expression: Expression, state: list[int]) -> int:
    """The value of an expression."""
    match expression:
        case Constant(number):
            return number
        case Read(cell):
            return state[cell]
        case Element(first, length, index):
            place = value(index, state)
            if not 0 <= place < length:
                raise Fault
            return state[first + place]
        case Unary("-", operand):
            return -value(operand, state)
        case Unary(_, operand):
            return int(not value(operand, state))
        case Choice(condition, then, otherwise):
            return value(then if value(condition, state) else otherwise, state)
        case Binary("&&", left, right):
            return int(bool(value(left, state) and value(right, state)))
        case Binary("||", left, right):
            return int(bool(value(left, state) or value(right, state)))
        case Binary(operator, left, right):
            return calculated(operator, value(left, state), value(right, state))


def calculated(operator: str, left: int, right: int) -> int:
    """left operator right, as in C."""
    if operator in "/%":
        if right == 0:
            raise Fault
        size = abs(left) // abs(right)
        quotient = size if (left < 0) == (right < 0) else -size
        return quotient if operator == "/" else left - right * quotient
    results = {
        "+": left + right,
        "-": left - right,
        "*": left * right,
        "==": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }
    return int(results[operator])


def take(program: Program, command: Command, before: tuple[int, ...]) -> tuple[int, ...]:
    """The state after a command.  Raises: Blocked, Fault."""
    state = list(before)
    raised = set()
    for statement in command.body:
        match statement:
            case Guard(condition):
                if not value(condition, state):
                    raise Blocked
            case Assert(condition, _):
                if not value(condition, state):
                    raise Fault
            case Raise(event, condition):
                if value(condition, state):
                    raised.add(event)
            case Assign(target, new):
                number = value(new, state)
                place = target.cell if isinstance(target, Read) else target.first + within(target, state)
                if not program.cells[place].low <= number <= program.cells[place].high:
                    raise Fault
                state[place] = number
    state[program.processes[command.process].counter] = command.target
    if program.event_cell is not None and raised:
        state[program.event_cell] = program.event_letters.index(frozenset(raised))
    return tuple(state)


def within(target: Element, state: list[int]) -> int:
    """The index of an element."""
    place = value(target.index, state)
    if not 0 <= place < target.length:
        raise Fault
    return place


def steps(program: Program, state: tuple[int, ...]) -> list[tuple[int, bool, tuple[int, ...]]]:
    """(command, whether it fails, where it leads) of every step, the idle step as command -1."""
    event = program.event_cell
    if event is not None and state[event]:
        return [(-1, False, (*state[:event], 0, *state[event + 1 :]))]
    found = []
    for process, its in enumerate(program.processes):
        for number, command in enumerate(program.commands):
            if command.process == process and command.source == state[its.counter]:
                try:
                    found.append((number, False, take(program, command, state)))
                except Fault:
                    found.append((number, True, state))
                except Blocked:
                    pass
    return found


def reachable(program: Program) -> tuple[int, int]:
    """How many states and steps there are; failing steps lead nowhere."""
    from spec.model.execution import Execution

    system = Execution(program)
    seen = set(system.initial())
    waiting = list(seen)
    count = 0
    while waiting:
        for step, target in system.successors(waiting.pop()):
            count += 1
            if not step.fault and target not in seen:
                seen.add(target)
                waiting.append(target)
    return len(seen), count


CELLS = (Cell("x", -3, 3, 1), Cell("y", 0, 2, 2), Cell("a[0]", -1, 1, 0), Cell("a[1]", 0, 4, 3))
LEAVES: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Constant, st.integers(-3, 3)), st.builds(Read, st.integers(0, 3))
)


def _larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    operators = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||"])
    return st.one_of(
        st.builds(Element, st.just(2), st.just(2), inner),
        st.builds(Unary, st.sampled_from("-!"), inner),
        st.builds(Binary, operators, inner, inner),
        st.builds(Choice, inner, inner, inner),
    )


EXPRESSIONS = st.recursive(LEAVES, _larger, max_leaves=10)
VALUES = st.tuples(*(st.integers(cell.low, cell.high) for cell in CELLS))
