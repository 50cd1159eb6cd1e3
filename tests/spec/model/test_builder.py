from __future__ import annotations

import pytest

from spec.ltl.parser import parse
from spec.model.builder import NONE, Model, Term, exists, forall, if_else
from spec.model.reader import read, read_tree
from spec.model.syntax import ModelError


def same(model: Model, text: str) -> None:
    """The two are one tree, and (but for the lines, which follow the layout) one program."""
    assert model.tree() == read_tree(text)
    mine, its = model.program(), read(text)
    assert [each._replace(line=0) for each in mine.commands] == [each._replace(line=0) for each in its.commands]
    assert (mine.cells, mine.processes, mine.predicates) == (its.cells, its.processes, its.predicates)
    assert (mine.event_letters, mine.tracked, mine.fair) == (its.event_letters, its.tracked, its.fair)
    assert mine.symmetries == its.symmetries
    for ours, theirs in ((mine.properties, its.properties), (mine.assumptions, its.assumptions)):
        assert [each._replace(line=0) for each in ours] == [each._replace(line=0) for each in theirs]


def test_peterson_is_the_same_in_both_forms() -> None:
    m = Model("peterson")
    flag = m.array("flag", 2, bool)
    turn = m.var("turn", (0, 1))
    with m.process("p", 0, 1, fair=True) as p, p.loop():
        i = p.index
        p.set(flag[i], True)
        p.set(turn, 1 - i)
        p.wait(~flag[1 - i] | (turn == i))
        p.location("critical")
        p.set(flag[i], False)
    m.predicate("both", p.at("critical", 0) & p.at("critical", 1))
    m.property("exclusive", "[]!both")
    same(
        m,
        """
        model peterson
        var flag: array[2] of bool
        var turn: 0..1
        process p[i: 0..1] fair { loop {
            flag[i] = true
            turn = 1 - i
            await !flag[1 - i] || turn == i
            critical: flag[i] = false
        } }
        predicate both = p[0]@critical && p[1]@critical
        property exclusive: []!both
        """,
    )


def test_a_free_list_is_the_same_in_both_forms() -> None:
    m = Model("free_list")
    blocks = m.const("BLOCKS", 2)
    lock = m.var("lock", bool, False)
    head = m.var("head", (-1, blocks - 1), 0)
    following = m.array("next", blocks, (-1, blocks - 1), [1, -1])
    owner = m.array("owner", blocks, "client", NONE)
    m.track("block", 0, blocks - 1)
    with m.process("client", 0, 1, symmetric=True, fair=True) as p:
        mine = p.var("mine", (-1, blocks - 1), -1)
        with p.loop():
            p.label("mem_allocate_start")
            with p.atomic():
                p.wait(~lock)
                p.set(lock, True)
            with p.when(head != -1):
                p.set(mine, head)
                p.set(head, following[head])
            p.set(lock, False)
            with p.when(mine != -1):
                with p.atomic():
                    p.label("mem_allocate_end", mine)
                    p.claim(owner[mine] == NONE)
                    p.set(owner[mine], p.index)
                with p.repeat():
                    p.label("client_access_mem", mine)
            with p.otherwise(), p.choose() as c:
                with c.branch():
                    p.skip()
                with c.branch():
                    p.goto("done")
        p.location("done")
        p.end()
    m.predicate("locked", lock)
    m.assume("frees", parse("[](malloc -> <>free)"), of="block")
    same(
        m,
        """
        model free_list
        const BLOCKS = 2
        var lock: bool = false
        var head: -1..BLOCKS-1 = 0
        var next: array[BLOCKS] of -1..BLOCKS-1 = [1, -1]
        var owner: array[BLOCKS] of client = none
        track block: 0..BLOCKS-1
        symmetric process client[i: 0..1] fair {
            var mine: -1..BLOCKS-1 = -1
            loop {
                label mem_allocate_start
                atomic { await !lock; lock = true }
                if head != -1 { mine = head; head = next[head] }
                lock = false
                if mine != -1 {
                    atomic { label mem_allocate_end(mine); assert owner[mine] == none; owner[mine] = i }
                    while * { label client_access_mem(mine) }
                } else {
                    choose { skip } or { goto done }
                }
            }
            done: end
        }
        predicate locked = lock
        assume frees of block: [](malloc -> <>free)
        """,
    )


def test_everything_else_is_the_same_in_both_forms() -> None:
    m = Model("other")
    ring = m.channel("ring", 2, (0, 5), bool, lengths=(2,))
    queue = m.channel("queue", 1, "node")
    x, y = m.var("x", (0, 5)), m.var("y", (-3, 5))
    grid = m.array("grid", (2, "node"), bool)
    with m.process("node", 0, 1, index="n") as p:
        got = p.var("got", (0, 5))
        held = p.array("held", 2, bool, True)
        p.location("idle", stay=True)
        p.receive(ring[p.index], got, held[0])
        p.send(ring[1 - p.index], got, ~held[1])
        p.send(queue, p.index)
        p.pick(got, (0, 3))
        with p.each("k", (0, 1)) as k:
            with p.when((held[k] & (got < 2) & ~ring[0].full) | grid[k, p.index]):
                p.leave()
            with p.otherwise(ring[0].empty):
                p.skip()
            with p.otherwise():
                p.set([x, y], (y % 2, x // 2 * 3 - 1))
        with p.choose_in("k", "node") as k:
            p.set(grid[0, k], queue.length + queue.first >= 1)
        p.location("test")
        with p.when(x == y):
            p.skip()
        with p.otherwise():
            p.skip()
        with p.repeat((x > y) | (x <= 3)):
            p.set(x, if_else(y == 0, 2 * x + 1, -y))
    m.predicate("some", exists("j", "node", lambda j: p.at("idle", j) & (p.local("got", j) > 0)))
    m.predicate("all", forall("j", (0, 1), lambda j: 1 + grid_of(j) != 2))
    same(
        m,
        """
        model other
        channel ring[2][2] of 0..5, bool
        channel queue[1] of node
        var x: 0..5
        var y: -3..5
        var grid: array[2, node] of bool
        process node[n: 0..1] {
            var got: 0..5
            var held: array[2] of bool = true
            stay idle: ring[n] ? got, held[0]
            ring[1 - n] ! got, !held[1]
            queue ! n
            got = any 0..3
            for k in 0..1 {
                if held[k] && got < 2 && !full(ring[0]) || grid[k, n] { break }
                else if empty(ring[0]) { skip }
                else { x, y = y % 2, x / 2 * 3 - 1 }
            }
            choose k in node { grid[0, k] = len(queue) + first(queue) >= 1 }
            test: if x == y { skip } else { skip }
            while x > y || x <= 3 { x = if y == 0 then 2 * x + 1 else -y }
        }
        predicate some = exists j in node: node[j]@idle && node[j].got > 0
        predicate all = forall j in 0..1: 1 + (if grid[0, j] then 1 else 0) != 2
        """,
    )


def grid_of(j: Term) -> Term:
    from spec.model.builder import Variable
    from spec.model.syntax import Target

    return if_else(Variable(Target("grid"))[0, j], 1, 0)


def test_a_mistake_in_python_is_shown_in_the_text_of_the_model() -> None:
    m = Model("wrong")
    x = m.var("x", (0, 3))
    with m.process("p") as p:
        p.set(x, 4)
    with pytest.raises(ModelError) as error:
        m.program()
    assert str(error.value) == "wrong, line 4, column 9: `x` is in 0..3, and this is 4\n      x = 4\n          ^"


def test_terms_have_no_truth_and_statements_their_place() -> None:
    m = Model("wrong")
    x = m.var("x", (0, 3))
    with pytest.raises(TypeError, match="a term of a model has no truth in Python"):
        bool(x == 1)
    with pytest.raises(TypeError, match="int is no kind of variable; bool, "):
        Model("m").var("y", int)  # type: ignore[arg-type]
    for wrong in (5, (1, 2, 3), [0, 1]):
        with pytest.raises(TypeError, match=r"is no range; \(low, high\), with both ends in it"):
            Model("m").var("y", wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'y' is no term of a model"):
        x + "y"  # type: ignore[operator]
    with pytest.raises(ValueError, match="otherwise follows a when"), m.process("p") as p, p.otherwise():
        p.skip()
    with pytest.raises(ValueError, match="every statement is in a branch"), m.process("p") as p, p.choose():
        p.skip()
    with pytest.raises(ValueError, match="no statement follows the location last"), m.process("p") as p:
        p.location("last")
