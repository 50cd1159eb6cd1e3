from __future__ import annotations

from hypothesis import given

from spec.ltl.meter import Meter
from spec.model.explore import States, breadth_first, depth_first
from tests.spec.model.systems import TableSystem, systems


def reachable(system: TableSystem) -> dict[int, int]:
    """Each state that can be reached, with the fewest steps that it takes."""
    found = dict.fromkeys(system.starts, 0)
    waiting = list(system.starts)
    for state in waiting:
        for _, target in system.edges[state]:
            if target not in found:
                found[target] = found[state] + 1
                waiting.append(target)
    return found


@given(systems())
def test_both_orders_store_every_state_once_and_try_every_step(system: TableSystem) -> None:
    states = reachable(system)
    for search in (breadth_first, depth_first):
        meter = Meter()
        assert search(States(system, False), meter) is None
        assert meter.states == len(states)
        assert meter.transitions == sum(len(system.edges[state]) for state in states)


@given(systems())
def test_breadth_first_finds_a_deadlock_in_the_fewest_steps(system: TableSystem) -> None:
    stuck = [steps for state, steps in reachable(system).items() if not system.edges[state]]
    found = breadth_first(States(system, True), Meter())
    assert (found is not None) == bool(stuck) == (depth_first(States(system, True), Meter()) is not None)
    if found is not None:
        assert len(found.steps) == min(stuck) and not system.edges[found.nodes[-1]]


def test_depth_first_follows_only_what_is_kept_and_knows_its_path() -> None:
    system = TableSystem([[(0, 1), (0, 2)], [(0, 0)], []])
    seen = []

    def keep(node: int, edges: list, on_path: set) -> list:  # type: ignore[type-arg]
        seen.append((node, sorted(on_path)))
        return edges[:1]

    meter = Meter()
    assert depth_first(States(system, True), meter, keep=keep) is None
    assert seen == [(0, [0]), (1, [0, 1])] and meter.states == 2


@given(systems(most=8))
def test_keys_that_coincide_hide_states_and_never_make_up_a_run(system: TableSystem) -> None:
    found = breadth_first(States(system, True), Meter(), lambda node: node % 3)
    if found is not None:
        assert found.nodes[0] in system.starts and not system.edges[found.nodes[-1]]
        for node, step, target in zip(found.nodes, found.steps, found.nodes[1:], strict=False):
            assert (step, target) in system.successors(node)
