"""Best-first search over the rules."""

from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.pipeline_rules import BestFirst
from m4alloc.superopt.problem import Budget, Problem

SOURCE = parse_function("""define i32 @f(i32 noundef %x, i32 noundef %y) {
  %a = xor i32 %x, -1
  %b = add i32 %a, 1
  %c = add i32 %y, %b
  ret i32 %c
}""")


def test_rules_lead_to_something_cheaper_and_their_path_is_kept() -> None:
    judge = TheJudge(Problem(SOURCE), Budget(20.0))
    BestFirst(patience=20).run(judge, 0)
    assert judge.best.cost.ir == 1 and judge.best.method == "rules" and judge.best.steps
    assert judge.best.steps[-1].result == judge.best.function or judge.best.steps[-1].result.size == 1


def test_what_no_rule_changes_is_exhausted() -> None:
    judge = TheJudge(Problem(parse_function("define i32 @f(i32 noundef %x) { ret i32 %x }")), Budget(20.0))
    search = BestFirst()
    search.run(judge, 0)
    assert search.exhausted and judge.best.method == "source"


def test_patience_ends_a_search_that_gains_nothing() -> None:
    judge = TheJudge(Problem(SOURCE), Budget(20.0))
    search = BestFirst(patience=1)
    search.run(judge, 0)
    assert not judge.budget.is_spent
    assert search.impatient and not search.exhausted


def test_stores_to_neighbours_are_merged_by_the_rules_of_memory() -> None:
    source = parse_function("""define void @f(ptr noundef %p) {
      store i16 0, ptr %p, align 4
      %q = getelementptr i8, ptr %p, i64 2
      store i16 0, ptr %q, align 2
      ret void
    }""")
    judge = TheJudge(Problem(source), Budget(20.0))
    BestFirst().run(judge, 0)
    assert judge.best.cost.ir == 1 and judge.best.steps[-1].rule == "stores-merged"
