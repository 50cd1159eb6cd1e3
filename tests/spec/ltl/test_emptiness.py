from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.ltl.emptiness import Counted, Graph, Lasso, accepting_cycle, connected, nested, shortest_cycle, shortest_walk
from spec.ltl.graph import components
from spec.ltl.meter import BoundReached, Meter


class Table:
    """A graph that is written down: edges[node] = [(target, marks)]; labels are the places of edges."""

    def __init__(self, edges: list[list[tuple[int, int]]], sets: int, starts: tuple[int, ...] = (0,)) -> None:
        self.edges, self.sets, self.starts = edges, sets, starts
        self.asked: list[int] = []

    def initial(self) -> tuple[int, ...]:
        return self.starts

    def successors(self, node: int) -> list[tuple[str, int, int]]:
        self.asked.append(node)
        return [(f"{node}.{place}", target, marks) for place, (target, marks) in enumerate(self.edges[node])]

    def accepting(self, node: int) -> bool:
        return all(marks == (1 << self.sets) - 1 for _, marks in self.edges[node])


@st.composite
def tables(draw: st.DrawFn, sets: int, state_based: bool) -> Table:
    size = draw(st.integers(1, 9))
    everything = (1 << sets) - 1
    edges = []
    for _ in range(size):
        targets = draw(st.lists(st.integers(0, size - 1), max_size=3))
        own = draw(st.sampled_from([0, 0, everything]))
        edges.append([(t, own if state_based else draw(st.integers(0, everything))) for t in targets])
    starts = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=2, unique=True))
    return Table(edges, sets, tuple(starts))


def accepts(table: Table) -> bool:
    """By definition: a reachable component with an edge inside, all marks on its edges."""
    for component in components(table.starts, lambda node: [target for target, _ in table.edges[node]]):
        inside = set(component)
        marks = [mark for node in component for target, mark in table.edges[node] if target in inside]
        if marks and sum(1 << i for i in range(table.sets) if any(m >> i & 1 for m in marks)) == (1 << table.sets) - 1:
            return True
    return False


def assert_accepting(graph: Graph[int, str], lasso: Lasso[int, str]) -> None:
    """It begins in an initial node, its edges are edges, and its cycle bears every mark."""
    nodes = lasso.nodes
    assert nodes[0] in list(graph.initial())
    seen = 0
    for position, (node, after) in enumerate(pairwise((*nodes, lasso.cycle[0]))):
        edge = [(target, m) for label, target, m in graph.successors(node) if label == lasso.labels[position]]
        assert len(edge) == 1 and edge[0][0] == after
        if position >= len(lasso.prefix):
            seen |= edge[0][1]
    assert seen == (1 << graph.sets) - 1
    assert len(lasso.labels) == len(nodes)


@given(tables(sets=1, state_based=True))
def test_nested_search_finds_a_lasso_exactly_when_there_is_one(table: Table) -> None:
    found = nested(table)
    assert (found is not None) == accepts(table)
    if found is not None:
        assert_accepting(table, found)


@given(st.integers(0, 3).flatmap(lambda sets: tables(sets=sets, state_based=False)))
def test_both_searches_agree_with_the_definition_for_any_number_of_sets(table: Table) -> None:
    wanted = accepts(table)
    by_components = connected(table)
    assert (by_components is not None) == wanted
    if by_components is not None:
        assert_accepting(table, by_components)
    counted = nested(Counted(table))
    assert (counted is not None) == wanted
    if counted is not None:
        prefix, cycle = (tuple(node for node, _ in part) for part in (counted.prefix, counted.cycle))
        assert_accepting(table, Lasso(prefix, cycle, counted.labels))


@given(tables(sets=1, state_based=True))
def test_nested_search_asks_for_the_successors_of_a_node_twice_at_most(table: Table) -> None:
    nested(table)
    # The seed of an inner search is asked once more than other nodes: to be left, to be searched from, and when red.
    assert all(table.asked.count(node) <= 2 for node in set(table.asked))


@given(tables(sets=1, state_based=True))
def test_digests_that_coincide_hide_lassos_and_never_make_one(table: Table) -> None:
    found = nested(table, key=lambda node: node % 2)
    if found is not None:
        assert_accepting(table, found)


def test_a_cycle_that_closes_over_an_accepting_node_is_found_without_an_inner_search() -> None:
    table = Table([[(1, 0)], [(2, 1)], [(0, 0)]], 1)
    assert nested(table) == Lasso((), (0, 1, 2), ("0.0", "1.0", "2.0"))
    assert sorted(table.asked) == [0, 1, 2]


def test_an_inner_search_goes_on_with_what_earlier_ones_have_seen() -> None:
    # 1 and 2 accept; the inner search of 2 colours 3 and 4, and that of 1 does not see them again.
    table = Table([[(1, 0)], [(2, 1), (3, 1)], [(3, 1)], [(4, 0)], [(3, 0)]], 1)
    assert nested(table) is None
    assert table.asked.count(3) == 2 and table.asked.count(4) == 2


def test_a_million_nodes_in_a_row_need_no_recursion_and_none_of_the_bound() -> None:
    table = Table([[(node + 1, 0)] for node in range(5000)] + [[]], 1)
    meter = Meter()
    assert nested(table, meter) is None
    assert (meter.states, meter.depth) == (5001, 5001)
    assert connected(table) is None


@pytest.mark.parametrize("search", [nested, connected])
def test_a_search_stops_at_its_bound(search: object) -> None:
    table = Table([[(node + 1, 0)] for node in range(50)] + [[]], 1)
    meter = Meter(states=10)
    with pytest.raises(BoundReached, match="more than 10 states"):
        search(table, meter)  # type: ignore[operator]
    assert meter.states == 10


def test_the_cycle_of_a_set_takes_the_nearest_marks_and_stays_inside() -> None:
    table = Table([[(1, 0b01), (2, 0b11)], [(0, 0b10)], [(0, 0)]], 2)
    cycle = accepting_cycle(table, 0, {0, 1})
    assert cycle is not None and (cycle.nodes, cycle.labels) == ((0, 1), ("0.0", "1.0"))
    assert accepting_cycle(table, 0, {0}) is None
    walk = shortest_walk(table, 0, lambda node, marks: node == 0)
    assert walk is not None and [node for _, node, _ in walk] == [1, 0]


@given(st.integers(0, 2).flatmap(lambda sets: tables(sets=sets, state_based=False)))
def test_a_shortest_cycle_is_one_and_no_other_way_round_is_shorter(table: Table) -> None:
    found, any_cycle = shortest_cycle(table, 0, None), accepting_cycle(table, 0, None)
    if any_cycle is not None:
        assert found is not None and len(found.nodes) <= len(any_cycle.nodes)
    if found is not None:
        assert_accepting(Table(table.edges, table.sets), Lasso((), found.nodes, found.labels))
    # Every walk of fewer steps, by sets of (node, marks) that so many lead to.
    reached = {(0, 0)}
    for _ in range((len(found.nodes) if found is not None else 12) - 1):
        reached = {(target, seen | marks) for node, seen in reached for _, target, marks in table.successors(node)}
        assert (0, (1 << table.sets) - 1) not in reached
