"""A Python module as items in the order of its file: what each says, and the code beside it without what it says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Item:
    """A class, a function, a method, constants that stand together, or what else a module does.

    name: as within the module, `Heap.insert`; "" for what has none. docstring: "" for none. line: where it begins.
    code: its source, moved to the left edge. names: its parameters or fields.
    also: the names of constants that share the item.
    """

    kind: str
    name: str
    docstring: str
    code: str
    line: int
    names: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def public(self) -> bool:
        """True when no part of the name begins with an underscore."""
        return bool(self.name) and not any(part.startswith("_") for part in self.name.split("."))


@dataclass(frozen=True, slots=True)
class Module:
    """A module: its dotted name, the path of its file in the project, what it says, its items, what it imports."""

    name: str
    path: str
    docstring: str
    items: tuple[Item, ...]
    lines: int
    imports: tuple[str, ...] = field(default=())

    @property
    def package(self) -> bool:
        """True for the `__init__` of a package."""
        return Path(self.path).stem == "__init__"


def module(file: Path, root: Path) -> Module:
    """The module of a file below `root`, read and not imported.  Raises SyntaxError."""
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    relative = file.relative_to(root)
    name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
    lines = text.splitlines()
    imports = tuple(dict.fromkeys(_imports(tree)))
    items = tuple(_items(tree, lines))
    return Module(name, relative.as_posix(), ast.get_docstring(tree) or "", items, len(lines), imports)


def tests(file: Path) -> list[str]:
    """What the tests in a file claim, as sentences.

    >>> tests(Path(__file__))
    []
    """
    names = re.findall(r"^(?:    )?def test_(\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    return [name.replace("_", " ") for name in names]


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _items(tree: ast.Module, lines: list[str]) -> Iterator[Item]:
    body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    if body and _is_text(body[0]):
        body = body[1:]
    loose: list[ast.stmt] = []
    for index, node in enumerate(body):
        following = body[index + 1] if index + 1 < len(body) else None
        if isinstance(node, ast.ClassDef | Function):
            yield from _loose(loose, lines)
            loose = []
            yield from _class(node, lines) if isinstance(node, ast.ClassDef) else [_function(node, lines, "")]
        elif _is_text(node):
            continue
        elif isinstance(node, ast.Assign | ast.AnnAssign) and following is not None and _is_text(following):
            yield from _loose(loose, lines)
            loose = []
            yield _constants([node], lines, _text(following))
        else:
            loose.append(node)
    yield from _loose(loose, lines)


def _loose(nodes: list[ast.stmt], lines: list[str]) -> Iterator[Item]:
    """Statements without a docstring, those that a blank line parts being items of their own."""
    run: list[ast.stmt] = []
    for node in nodes:
        if run and _start(node, lines) > (run[-1].end_lineno or 0) + 1:
            yield _constants(run, lines, "")
            run = []
        run.append(node)
    if run:
        yield _constants(run, lines, "")


def _constants(nodes: list[ast.stmt], lines: list[str], docstring: str) -> Item:
    names: list[str] = []
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        names += [target.id for target in targets if isinstance(target, ast.Name)]
    names = [name for name in names if name != "__all__"]
    public = [name for name in names if not name.startswith("_")]
    first, *also = public or names or [""]
    start = _start(nodes[0], lines)
    code = "\n".join(lines[start - 1 : nodes[-1].end_lineno])
    return Item("constant" if names else "", first, docstring, code, start, (), tuple(also))


def _class(node: ast.ClassDef, lines: list[str]) -> Iterator[Item]:
    """The class with its fields, then each method."""
    inside = [one for one in node.body if not isinstance(one, Function)]
    if inside and ast.get_docstring(node) is not None:
        inside = inside[1:]
    start = _start(node, lines)
    head = lines[start - 1 : _header_end(node)]
    for one in inside:
        head += lines[_start(one, lines) - 1 : one.end_lineno]
    fields = tuple(
        one.target.id for one in inside if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    )
    slots = tuple(name for method in node.body if isinstance(method, Function) for name in _set_on_self(method))
    yield Item("class", node.name, ast.get_docstring(node) or "", "\n".join(head), start, (*fields, *slots))
    for method in node.body:
        if isinstance(method, Function):
            yield _function(method, lines, f"{node.name}.")


def _set_on_self(method: Function) -> Iterator[str]:
    if method.name == "__init__":
        for node in ast.walk(method):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                yield node.attr


def _function(node: Function, lines: list[str], owner: str) -> Item:
    start = _start(node, lines)
    code = lines[start - 1 : node.end_lineno]
    if ast.get_docstring(node) is not None:
        first, last = node.body[0].lineno, node.body[0].end_lineno or 0
        code = lines[start - 1 : first - 1] + lines[last : node.end_lineno]
        while code and not code[-1].strip():
            code.pop()
    indent = node.col_offset
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    names = tuple(one.arg for one in arguments if one.arg not in ("self", "cls"))
    text = "\n".join(line[indent:] for line in code)
    kind = "method" if owner else "function"
    return Item(kind, f"{owner}{node.name}", ast.get_docstring(node) or "", text, start, names)


def _header_end(node: ast.ClassDef) -> int:
    """The last line of `class X(...):`."""
    return max(node.body[0].lineno - 1, node.lineno) if node.body[0].lineno > node.lineno else node.lineno


def _start(node: ast.stmt, lines: list[str]) -> int:
    """The first line of a statement, with its decorators and the comment right above it."""
    decorators = node.decorator_list if isinstance(node, ast.ClassDef | Function) else []
    start = min(node.lineno, *(one.lineno for one in decorators)) if decorators else node.lineno
    while start > 1 and lines[start - 2].strip().startswith("#") and _indent(lines[start - 2]) == node.col_offset:
        start -= 1
    return start


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _text(node: ast.stmt) -> str:
    assert isinstance(node, ast.Expr)
    assert isinstance(node.value, ast.Constant)
    return str(node.value.value)
