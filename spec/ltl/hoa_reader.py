"""Reads the Hanoi Omega-Automata format; `spec.ltl.hoa` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, reduce
from operator import or_
from pathlib import Path
from typing import NamedTuple

from lark import Lark, Token, Transformer, UnexpectedInput

from spec.ltl.automaton import Automaton, Edge, proposition_label
from spec.ltl.error import LogicError, TooLargeError

MAX_PROPOSITIONS = 16
"""A label is a set of letters, so that one over n propositions takes 2**n bits."""
MAX_STATES = 1_000_000
MAX_CLAUSES = 64


def read(text: str) -> Automaton:
    """The automaton that `text`, in version 1 of the format, describes.

    Labels may be on edges or states or implicit, marks on edges or states. Several initial states become a new one with
    the edges of all. Any acceptance of Inf without Fin is read: each conjunct becomes a set, the union of its sets.
    Raises: LogicError, with the place, for what is malformed, and by name for what is no generalised Buchi automaton
    (Fin, universal branching); TooLargeError over MAX_PROPOSITIONS, MAX_STATES or MAX_CLAUSES.

    >>> text = 'HOA: v1 States: 1 Start: 0 AP: 1 "p" Acceptance: 1 Inf(0) --BODY-- State: 0 [!0] 0 [0] 0 {0} --END--'
    >>> read(text).edges
    ((Edge(label=1, target=0, marks=0), Edge(label=2, target=0, marks=1)),)
    >>> read(text.replace("Inf(0)", "Fin(0)"))
    Traceback (most recent call last):
    spec.ltl.error.LogicError: line 1, column 55: the acceptance condition uses Fin; only those of Inf, & and | are read
    """
    if not text.strip():
        raise LogicError("the automaton is empty; the format begins with `HOA: v1`")
    try:
        parsed = _grammar().parse(_without_comments(text))
    except UnexpectedInput as error:
        raise _explained(text, error) from None
    assert isinstance(parsed, _Parsed)
    return _Reader(text, parsed).automaton()


Postfix = list[Token]
"""A label or an acceptance condition, operands before operators, so that nesting costs no recursion."""


class _Edge(NamedTuple):
    guard: Postfix | None
    targets: list[Token]
    marks: list[Token]


class _State(NamedTuple):
    at: Token
    guard: Postfix | None
    number: Token
    marks: list[Token]
    edges: list[_Edge]


class _Item(NamedTuple):
    kind: str
    tokens: list[Token]
    postfix: Postfix


class _Parsed(NamedTuple):
    version: Token
    items: list[_Item]
    states: list[_State]


class _Guard(NamedTuple):
    postfix: Postfix


class _Marks(NamedTuple):
    tokens: list[Token]


class _Targets(NamedTuple):
    tokens: list[Token]


Part = Token | Postfix | _Edge | _State | _Item | _Guard | _Marks | _Targets


def _joined(sign: str, operands: Sequence[Part]) -> Postfix:
    """The first operand's own list grows, which keeps long conditions linear."""
    first, *others = operands
    assert isinstance(first, list)
    for other in others:
        assert isinstance(other, list)
        first.extend(other)
        first.append(Token("OPERATOR", sign))
    return first


class _Build(Transformer[Token, _Parsed]):
    """Gathers the parts as the parser reduces; what they mean is `_Reader`'s affair, which knows the whole header."""

    def start(self, parts: list[Part]) -> _Parsed:
        version, *rest = parts
        assert isinstance(version, Token)
        items = [part for part in rest if isinstance(part, _Item)]
        return _Parsed(version, items, [part for part in rest if isinstance(part, _State)])

    def state(self, parts: list[Part]) -> _State:
        at, number = [part for part in parts if isinstance(part, Token) and part.type != "STRING"]
        guards = [part.postfix for part in parts if isinstance(part, _Guard)]
        marks = [token for part in parts if isinstance(part, _Marks) for token in part.tokens]
        edges = [part for part in parts if isinstance(part, _Edge)]
        return _State(at, guards[0] if guards else None, number, marks, edges)

    def edge(self, parts: list[Part]) -> _Edge:
        guards = [part.postfix for part in parts if isinstance(part, _Guard)]
        marks = [token for part in parts if isinstance(part, _Marks) for token in part.tokens]
        targets = [token for part in parts if isinstance(part, _Targets) for token in part.tokens]
        return _Edge(guards[0] if guards else None, targets, marks)

    def guard(self, parts: list[Postfix]) -> _Guard:
        return _Guard(parts[0])

    def marks(self, parts: list[Token]) -> _Marks:
        return _Marks(parts)

    def conjunction(self, parts: list[Token]) -> _Targets:
        return _Targets(parts)

    def states(self, parts: list[Token]) -> _Item:
        return _Item("States:", parts, [])

    def initial(self, parts: list[Part]) -> _Item:
        targets = parts[1]
        assert isinstance(targets, _Targets)
        return _Item("Start:", targets.tokens, [])

    def propositions(self, parts: list[Token]) -> _Item:
        return _Item("AP:", parts, [])

    def alias(self, parts: list[Part]) -> _Item:
        name, postfix = parts
        assert isinstance(name, Token) and isinstance(postfix, list)
        return _Item("Alias:", [name], postfix)

    def acceptance(self, parts: list[Part]) -> _Item:
        sets, postfix = parts
        assert isinstance(sets, Token) and isinstance(postfix, list)
        return _Item("Acceptance:", [sets], postfix)

    def acceptance_name(self, parts: list[Token]) -> _Item:
        return _Item("acc-name:", parts[1:], [])

    def other(self, parts: list[Token]) -> _Item:
        return _Item("other", parts, [])

    def either(self, parts: list[Part]) -> Postfix:
        return _joined("|", parts)

    def both(self, parts: list[Part]) -> Postfix:
        return _joined("&", parts)

    def negated(self, parts: list[Part]) -> Postfix:
        (operand,) = parts
        assert isinstance(operand, list)
        operand.append(Token("OPERATOR", "!"))
        return operand

    def atom(self, parts: list[Token]) -> Postfix:
        return parts


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    text = Path(__file__).with_name("hoa.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", transformer=_Build(), maybe_placeholders=False)


_COMMENT_OR_STRING = re.compile(r'/\*|"(?:\\.|[^"\\])*"', re.DOTALL)
_COMMENT_SIGN = re.compile(r"/\*|\*/")


def _without_comments(text: str) -> str:
    """The text with blanks for comments, which nest, so that places stay what they are."""
    kept, last = list[str](), 0
    position = 0
    while found := _COMMENT_OR_STRING.search(text, position):
        position = found.end()
        if found[0] != "/*":
            continue
        depth = 1
        while depth:
            sign = _COMMENT_SIGN.search(text, position)
            if sign is None:
                raise LogicError.at(text, found.start(), "this comment is not closed")
            depth += 1 if sign[0] == "/*" else -1
            position = sign.end()
        kept += [text[last : found.start()], re.sub(r"[^\n]", " ", text[found.start() : position])]
        last = position
    return "".join([*kept, text[last:]])


def _explained(text: str, error: UnexpectedInput) -> LogicError:
    position = error.pos_in_stream if error.pos_in_stream is not None and error.pos_in_stream >= 0 else len(text)
    if text.startswith("--ABORT--", position):
        return LogicError.at(text, position, "the automaton was aborted by the tool that wrote it")
    token = getattr(error, "token", None)
    wanted = _expected(error)
    if isinstance(token, Token) and token.type == "$END":
        return LogicError.at(text, len(text.rstrip()), f"the automaton ends here; {wanted} would be right")
    seen = str(token) if isinstance(token, Token) else text[position]
    if not wanted:
        return LogicError.at(text, position, f"`{seen}` begins a second automaton; one is read")
    return LogicError.at(text, position, f"`{seen}` does not belong here; {wanted} would be right")


_NAMES = {
    "INT": "a number",
    "STRING": "a quoted string",
    "IDENTIFIER": "a name",
    "ALIAS": "@ALIAS",
    "BOOLEAN": "t or f",
    "HEADER": "a header item",
}
_SIGNS = {"LSQB": "[", "RSQB": "]", "LBRACE": "{", "RBRACE": "}", "LPAR": "(", "RPAR": ")", "AND": "&", "OR": "|"}


def _expected(error: UnexpectedInput) -> str:
    """What the grammar would take, in the format's own words; of many header items only that they are such."""
    accepts = set(
        getattr(error, "accepts", None) or getattr(error, "expected", None) or getattr(error, "allowed", None) or ()
    )
    literals = {terminal.name: terminal.pattern.value for terminal in _grammar().terminals}
    if "HEADER" in accepts:
        accepts -= {name for name in accepts if literals.get(name, "").endswith(":") and name != "HEADER"}
    words = [
        _NAMES.get(name) or f"`{_SIGNS.get(name) or literals.get(name, name)}`" for name in sorted(accepts - {"$END"})
    ]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


Clauses = frozenset[frozenset[tuple[int, bool]]]
"""Conjunction of disjunctions of acceptance sets (True: of the edges that are not in the set)."""


class _Reader:
    """What the parts of one automaton mean."""

    def __init__(self, text: str, parsed: _Parsed) -> None:
        self.text = text
        self.parsed = parsed
        if parsed.version != "v1":
            raise self.error(parsed.version, f"version {parsed.version} of the format; v1 is read")
        self.propositions = self._propositions()
        self.letters = 1 << len(self.propositions)
        self.everything = (1 << self.letters) - 1
        self.aliases: dict[str, int] = {}
        for item in self._items("Alias:"):
            name = item.tokens[0]
            if name in self.aliases:
                raise self.error(name, f"the alias {name} is defined twice")
            self.aliases[str(name)] = self._label(item.postfix)
        self.sets, self.clauses = self._acceptance()
        self.states = self._states()

    def error(self, token: Token, message: str) -> LogicError:
        position = token.start_pos
        return LogicError.at(self.text, position if position is not None else len(self.text), message)

    def _items(self, kind: str) -> list[_Item]:
        return [item for item in self.parsed.items if item.kind == kind]

    def _only(self, kind: str) -> _Item | None:
        """The one item of a kind that may be there once."""
        found = self._items(kind)
        if len(found) > 1:
            raise self.error(found[1].tokens[0], f"a second {kind}, of which there is one")
        return found[0] if found else None

    def _propositions(self) -> tuple[str, ...]:
        item = self._only("AP:")
        if item is None:
            return ()
        count, *names = item.tokens
        if int(count) != len(names):
            raise self.error(count, f"AP: says {count} propositions and names {len(names)}")
        if len(names) > MAX_PROPOSITIONS:
            raise TooLargeError(f"{len(names)} propositions, over the bound of {MAX_PROPOSITIONS} (MAX_PROPOSITIONS)")
        known: list[str] = []
        for token in names:
            name = _unquoted(token)
            if not name or name in known:
                raise self.error(token, f"the proposition {token} is named twice" if name else "a proposition is empty")
            known.append(name)
        return tuple(known)

    def _label(self, postfix: Postfix) -> int:
        stack: list[int] = []
        for token in postfix:
            match token.type:
                case "BOOLEAN":
                    stack.append(self.everything if token == "t" else 0)
                case "INT":
                    if int(token) >= len(self.propositions):
                        raise self.error(token, f"proposition {token} of {len(self.propositions)}, counted from 0")
                    stack.append(proposition_label(int(token), len(self.propositions)))
                case "ALIAS":
                    if token not in self.aliases:
                        raise self.error(token, f"the alias {token} is not defined before this place")
                    stack.append(self.aliases[str(token)])
                case _ if token == "!":
                    stack.append(self.everything ^ stack.pop())
                case _:
                    right, left = stack.pop(), stack.pop()
                    stack.append(left & right if token == "&" else left | right)
        return stack.pop()

    def _acceptance(self) -> tuple[int, list[list[tuple[int, bool]]]]:
        """How many sets are declared, and the clauses of the condition in an order that keeps the sets' own."""
        item = self._only("Acceptance:")
        if item is None:
            raise LogicError("the automaton has no Acceptance:, which says which runs accept")
        sets = int(item.tokens[0])
        clauses = self._condition(item.postfix, sets)
        named = self._only("acc-name:")
        if named is not None:
            self._check_name(named, clauses)
        return sets, sorted(sorted(clause) for clause in clauses)

    def _condition(self, postfix: Postfix, sets: int) -> Clauses:
        stack: list[Clauses] = []
        tokens = iter(postfix)
        for token in tokens:
            match token.type:
                case "IDENTIFIER":
                    number = next(tokens)
                    complement = number.type == "COMPLEMENT"
                    number = next(tokens) if complement else number
                    if token != "Inf":
                        what = "Fin" if token == "Fin" else f"`{token}`"
                        named = self._only("acc-name:")
                        name = f" ({' '.join(named.tokens)})" if named else ""
                        raise self.error(
                            token, f"the acceptance condition uses {what}{name}; only those of Inf, & and | are read"
                        )
                    if int(number) >= sets:
                        raise self.error(number, f"acceptance set {number} of {sets}, counted from 0")
                    stack.append(frozenset({frozenset({(int(number), complement)})}))
                case "BOOLEAN":
                    stack.append(frozenset() if token == "t" else frozenset({frozenset()}))
                case _:
                    right, left = stack.pop(), stack.pop()
                    both = left | right if token == "&" else {one | other for one in left for other in right}
                    stack.append(frozenset(c for c in both if not any(other < c for other in both)))
                    if len(stack[-1]) > MAX_CLAUSES:
                        raise TooLargeError(f"acceptance of over {MAX_CLAUSES} sets (MAX_CLAUSES)")
        return stack.pop()

    def _check_name(self, item: _Item, clauses: Clauses) -> None:
        """Refuse a name that this reader knows and that means another condition."""
        name, *arguments = item.tokens
        wanted: Clauses | None = None
        match str(name), [str(argument) for argument in arguments]:
            case "all", []:
                wanted = frozenset()
            case "none", []:
                wanted = frozenset({frozenset()})
            case "Buchi", []:
                wanted = frozenset({frozenset({(0, False)})})
            case "generalized-Buchi", [count] if count.isdigit():
                wanted = frozenset(frozenset({(i, False)}) for i in range(int(count)))
        if wanted is not None and wanted != clauses:
            raise self.error(name, f"acc-name: {' '.join(item.tokens)} is not the condition of Acceptance:")

    def _states(self) -> int:
        """How many states: what States: says, or the largest that is named."""
        numbers = [token for state in self.parsed.states for token in (state.number, *self._targets(state))]
        numbers += [token for item in self._items("Start:") for token in item.tokens]
        declared = self._only("States:")
        if declared is not None:
            count = int(declared.tokens[0])
            for token in numbers:
                if int(token) >= count:
                    raise self.error(token, f"state {token} of {count}, counted from 0")
        else:
            count = max((int(token) + 1 for token in numbers), default=0)
        if count > MAX_STATES:
            raise TooLargeError(f"{count} states, over the bound of {MAX_STATES} (MAX_STATES)")
        return count

    @staticmethod
    def _targets(state: _State) -> Iterator[Token]:
        return (target for edge in state.edges for target in edge.targets)

    def automaton(self) -> Automaton:
        for item in self.parsed.items:
            if item.kind == "other" and item.tokens[0][0].isupper():
                raise self.error(item.tokens[0], f"{item.tokens[0]} changes what the automaton means, and is not known")
        edges: list[tuple[Edge, ...] | None] = [None] * self.states
        for state in self.parsed.states:
            number = int(state.number)
            if edges[number] is not None:
                raise self.error(state.number, f"state {number} is described twice")
            edges[number] = tuple(edge for edge in self._edges(state) if edge.label)
        known = [one or () for one in edges]
        initial = self._initial()
        if len(initial) == 1:
            return Automaton(self.propositions, tuple(known), initial[0], len(self.clauses))
        known.append(tuple(dict.fromkeys(edge for state in initial for edge in known[state])))
        return Automaton(self.propositions, tuple(known), len(known) - 1, len(self.clauses))

    def _initial(self) -> list[int]:
        states: dict[int, None] = {}
        for item in self._items("Start:"):
            if len(item.tokens) > 1:
                raise self.error(item.tokens[1], "a conjunction of initial states: alternating automata are not read")
            states[int(item.tokens[0])] = None
        return list(states)

    def _edges(self, state: _State) -> Iterator[Edge]:
        guard = None if state.guard is None else self._label(state.guard)
        explicit = [edge for edge in state.edges if edge.guard is not None]
        if guard is not None and explicit:
            raise self.error(explicit[0].targets[0], f"state {state.number} has a label, so its edges have none")
        implicit = guard is None and len(explicit) < len(state.edges)
        if implicit and explicit:
            raise self.error(explicit[0].targets[0], f"state {state.number} has edges with labels and edges without")
        if implicit and len(state.edges) != self.letters:
            raise self.error(
                state.number,
                f"state {state.number} has {len(state.edges)} edges without labels; one for each of the {self.letters} "
                "letters would be right",
            )
        on_state = self._sets(state.marks)
        for position, edge in enumerate(state.edges):
            if len(edge.targets) > 1:
                raise self.error(
                    edge.targets[1], "an edge to a conjunction of states: alternating automata are not read"
                )
            label = guard if guard is not None else self._label(edge.guard) if edge.guard is not None else 1 << position
            yield Edge(label, int(edge.targets[0]), self._marks_of(on_state | self._sets(edge.marks)))

    def _sets(self, tokens: list[Token]) -> frozenset[int]:
        for token in tokens:
            if int(token) >= self.sets:
                raise self.error(token, f"acceptance set {token} of {self.sets}, counted from 0")
        return frozenset(map(int, tokens))

    def _marks_of(self, sets: frozenset[int]) -> int:
        """The bits of the clauses that an edge in those sets fulfils."""
        fulfilled = (any((number in sets) != not_in for number, not_in in clause) for clause in self.clauses)
        return reduce(or_, (1 << bit for bit, holds in enumerate(fulfilled) if holds), 0)


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)
