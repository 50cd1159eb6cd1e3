"""Writes models: a tree as text that reads back to the same tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from spec.model import syntax
from spec.model.syntax import Body, Expression

_LEVELS = {"||": 1, "&&": 2, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
_COMPARED = 3
_UNARY = 6
_ATOM = 7
_NOTHING: Mapping[str, str] = {}


def write(tree: syntax.Tree) -> str:
    """The text of a tree: `read_tree(write(tree)) == tree`; comments are not kept.  Cost: linear in the text.

    >>> from spec.model.reader import read_tree
    >>> print(write(read_tree("model m var x:0..3 process p{loop{if x<3&&(x!=1||x==2){x=x+1}else{goto out}}out:end}")))
    model m
    var x: 0..3
    process p {
        loop {
            if x < 3 && (x != 1 || x == 2) {
                x = x + 1
            } else {
                goto out
            }
        }
        out: end
    }
    """
    lines = [f"model {tree.name}"]
    for declaration in tree.declarations:
        lines += _declaration(declaration)
    return "\n".join(lines) + "\n"


def show(expression: Expression, names: Mapping[str, str] = _NOTHING) -> str:
    """The text of an expression, with as few parentheses as read back to the same.

    names: what to write instead of a name.

    >>> from spec.model.syntax import Number, Operation, Target
    >>> show(Operation("*", (Operation("-", (Target("i"), Number(1))), Number(2))), {"i": "3"})
    '(3 - 1) * 2'
    """
    return _shown(expression, names)[0]


def _shown(expression: Expression, names: Mapping[str, str]) -> tuple[str, int]:
    """The text and how close it binds."""
    match expression:
        case syntax.Number(value):
            return str(value), _ATOM
        case syntax.Truth(value):
            return "true" if value else "false", _ATOM
        case syntax.Nobody():
            return "none", _ATOM
        case syntax.Target():
            return show_target(expression, names), _ATOM
        case syntax.Place(process, location):
            return f"{show_target(process, names)}@{location}", _ATOM
        case syntax.LocalOf(process, variable):
            return f"{show_target(process, names)}.{show_target(variable, names)}", _ATOM
        case syntax.Call(function, channel):
            return f"{function}({show_target(channel, names)})", _ATOM
        case syntax.Operation(operator, (operand,)):
            return operator + _inside(operand, _UNARY, names), _UNARY
        case syntax.Operation("&&" | "||" as operator, operands):
            level = _LEVELS[operator]
            return f" {operator} ".join(_inside(operand, level + 1, names) for operand in operands), level
        case syntax.Operation(operator, (left, right)):
            # Comparisons do not associate; the others do to the left.
            level = _LEVELS.get(operator, _COMPARED)
            shown = _inside(left, level + (level == _COMPARED), names)
            return f"{shown} {operator} {_inside(right, level + 1, names)}", level
        case syntax.Conditional(condition, then, otherwise):
            return f"if {show(condition, names)} then {show(then, names)} else {show(otherwise, names)}", 0
        case syntax.Quantified(quantifier, name, over, body):
            inner = {key: value for key, value in names.items() if key != name}
            return f"{quantifier} {name} in {show_type(over, names)}: {show(body, inner)}", 0
        case _:
            raise ValueError(f"{expression} is no expression")


def _inside(expression: Expression, level: int, names: Mapping[str, str]) -> str:
    text, own = _shown(expression, names)
    return text if own >= level else f"({text})"


def show_target(target: syntax.Target, names: Mapping[str, str] = _NOTHING) -> str:
    """The text of a variable, channel or process, with its indices."""
    if not target.indices:
        return names.get(target.name, target.name)
    return f"{target.name}[{_list(target.indices, names)}]"


def show_type(kind: syntax.Type, names: Mapping[str, str] = _NOTHING) -> str:
    """The text of a type or range."""
    match kind:
        case syntax.Boolean():
            return "bool"
        case syntax.Span(low, high):
            return f"{_inside(low, 4, names)}..{_inside(high, 4, names)}"
        case syntax.Group(name):
            return name


def _list(expressions: tuple[Expression, ...], names: Mapping[str, str] = _NOTHING) -> str:
    return ", ".join(show(each, names) for each in expressions)


def show_step(statement: syntax.Statement, names: Mapping[str, str] = _NOTHING) -> str:
    """The text of a statement that has no others inside of it.

    >>> from spec.model.syntax import Goto, Number, Set, Target
    >>> show_step(Set((Target("x"),), (Number(1),))), show_step(Goto("out"))
    ('x = 1', 'goto out')
    """
    match statement:
        case syntax.Skip():
            return "skip"
        case syntax.Stop():
            return "end"
        case syntax.Leave():
            return "break"
        case syntax.Goto(location):
            return f"goto {location}"
        case syntax.Wait(condition):
            return f"await {show(condition, names)}"
        case syntax.Claim(condition):
            return f"assert {show(condition, names)}"
        case syntax.Label(name, arguments):
            return f"label {name}" + (f"({_list(arguments, names)})" if arguments else "")
        case syntax.Set(targets, values):
            return f"{', '.join(show_target(target, names) for target in targets)} = {_list(values, names)}"
        case syntax.Pick(target, over):
            return f"{show_target(target, names)} = any {show_type(over, names)}"
        case syntax.Send(channel, values):
            return f"{show_target(channel, names)} ! {_list(values, names)}"
        case syntax.Receive(channel, targets):
            return f"{show_target(channel, names)} ? {', '.join(show_target(target, names) for target in targets)}"
        case _:
            raise ValueError(f"{statement} has statements inside of it")


def _block(head: str, body: Body, tail: str = "}") -> Iterator[str]:
    yield head + "{"
    for statement in body:
        yield from ("    " + line for line in _statement(statement))
    yield tail


def _statement(statement: syntax.Statement) -> Iterator[str]:
    match statement:
        case syntax.Located(location, inner, stay):
            first, *rest = _statement(inner)
            yield f"{'stay ' if stay else ''}{location}: {first}"
            yield from rest
        case syntax.Atomic(body):
            yield from _block("atomic ", body)
        case syntax.Loop(body):
            yield from _block("loop ", body)
        case syntax.While(condition, body):
            yield from _block(f"while {'*' if condition is None else show(condition)} ", body)
        case syntax.Each(name, over, body):
            yield from _block(f"for {name} in {show_type(over)} ", body)
        case syntax.ChooseIn(name, over, body):
            yield from _block(f"choose {name} in {show_type(over)} ", body)
        case syntax.Choose(bodies):
            yield from _blocks(["choose ", *["} or "] * (len(bodies) - 1)], bodies)
        case syntax.Branches(branches, otherwise):
            heads = [f"{'} else ' if number else ''}if {show(pair[0])} " for number, pair in enumerate(branches)]
            inside = tuple(body for _, body in branches)
            if otherwise is not None:
                heads, inside = [*heads, "} else "], (*inside, otherwise)
            yield from _blocks(heads, inside)
        case _:
            yield show_step(statement)


def _blocks(heads: Sequence[str], bodies: Sequence[Body]) -> Iterator[str]:
    for number, (head, body) in enumerate(zip(heads, bodies, strict=True)):
        *lines, last = _block(head, body)
        yield from lines
        if number == len(heads) - 1:
            yield last


def _declaration(declaration: syntax.Declaration) -> Iterator[str]:
    match declaration:
        case syntax.ConstantOf(name, value):
            yield f"const {name} = {show(value)}"
        case syntax.Variable():
            yield _variable(declaration)
        case syntax.Channel(name, capacity, types, dimensions):
            brackets = f"[{_list(dimensions)}]" if dimensions else ""
            yield f"channel {name}{brackets}[{show(capacity)}] of {', '.join(map(show_type, types))}"
        case syntax.Track(name, over):
            yield f"track {name}: {show_type(over)}"
        case syntax.Predicate(name, value):
            yield f"predicate {name} = {show(value)}"
        case syntax.Formal(name, formula, of, assumed):
            text = f"{{ {formula} }}" if "\n" in formula else formula
            yield f"{'assume' if assumed else 'property'} {name}{f' of {of}' if of else ''}: {text}"
        case syntax.ProcessOf(name, body, variables, index, over, symmetric, fair):
            head = f"{'symmetric ' if symmetric else ''}process {name}"
            head += f"[{index}: {show_type(over)}]" if over is not None else ""
            opened, *lines = _block(f"{head}{' fair' if fair else ''} ", body)
            yield opened
            yield from (f"    {_variable(variable)}" for variable in variables)
            yield from lines


def _variable(variable: syntax.Variable) -> str:
    kind = show_type(variable.type)
    if variable.dimensions:
        kind = f"array[{_list(variable.dimensions)}] of {kind}"
    initial = variable.initial
    if initial is None:
        return f"var {variable.name}: {kind}"
    return f"var {variable.name}: {kind} = {f'[{_list(initial)}]' if isinstance(initial, tuple) else show(initial)}"
