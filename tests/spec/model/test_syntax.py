from __future__ import annotations

from spec.model import syntax
from spec.model.reader import read_tree
from spec.model.syntax import ModelError, Number, Operation, Target, children, nodes


def test_where_a_node_stands_is_no_part_of_what_it_says() -> None:
    assert Target("x", at=3) == Target("x", at=70) != Target("y", at=3)
    assert hash(Target("x", at=3)) == hash(Target("x"))
    assert read_tree("model m process p { skip }") == read_tree("model m\n\nprocess p {\n skip }")


def test_nodes_come_in_the_order_of_the_text() -> None:
    tree = read_tree("model m process p { if a == 1 { b = 2 } else { c = a[d] } }")
    assert [node.name for node in nodes(tree) if isinstance(node, Target)] == ["a", "b", "c", "a", "d"]
    places = [node.at for node in nodes(tree) if isinstance(node, Target)]
    assert places == sorted(places)


def test_children_are_the_nodes_directly_inside() -> None:
    one, two = Number(1), Operation("!", (Target("b"),))
    assert list(children(syntax.Branches(((two, (syntax.Skip(),)),), (syntax.Stop(),)))) == [
        two,
        syntax.Skip(),
        syntax.Stop(),
    ]
    assert list(children(syntax.Conditional(two, one, one))) == [two, one, one]
    assert not list(children(syntax.Group("client")))


def test_an_error_without_a_place_is_its_message() -> None:
    assert str(ModelError.at("", -1, "wrong", "m.m4m")) == "m.m4m: wrong"
    assert str(ModelError.at("", -1, "wrong")) == "wrong"
    assert str(ModelError.at("a\nbc", 3, "wrong", "m.m4m")) == "m.m4m, line 2, column 2: wrong\n  bc\n   ^"
