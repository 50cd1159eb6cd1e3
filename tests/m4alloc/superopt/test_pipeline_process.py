"""Two judges that tell each other what they have proved."""

import time
from dataclasses import dataclass
from multiprocessing import Pipe

from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.pipeline_process import Ended, Helper, LinkedJudge
from m4alloc.superopt.problem import Budget, Judge, Problem

SOURCE = parse_function("define i8 @f(i8 noundef %x) { %a = add i8 %x, 1 %b = add i8 %a, 1 ret i8 %b }")
BETTER = parse_function("define i8 @f(i8 noundef %x) { %a = add i8 %x, 2 ret i8 %a }")
PROBLEM = Problem(SOURCE)


@dataclass
class Offering:
    """Offers what is better, and ends."""

    name: str = "offering"

    def run(self, judge: Judge, seed: int) -> None:
        judge.offer(BETTER, self.name)


@dataclass
class Dying:
    """Ends its process."""

    name: str = "dying"

    def run(self, judge: Judge, seed: int) -> None:
        raise SystemExit(3)


def test_what_one_judge_proves_the_other_takes_over() -> None:
    ours, theirs = Pipe()
    first, second = LinkedJudge(PROBLEM, Budget(20.0), ours), LinkedJudge(PROBLEM, Budget(20.0), theirs)
    first.offer(BETTER, "test")
    second.look(1.0)
    assert second.best.cost.ir == 1 and [one.method for one in second.adopted] == ["test"]


def test_a_closed_connection_is_the_end_of_the_other() -> None:
    ours, theirs = Pipe()
    judge, ended = LinkedJudge(PROBLEM, Budget(20.0), ours), []
    judge.on_end = lambda: ended.append(True)
    theirs.close()
    judge.look(0.1)
    assert judge.connection is None and ended == [True]


def _helped(search: Offering | Dying) -> LinkedJudge:
    judge = LinkedJudge(PROBLEM, Budget(60.0))
    helper = Helper(PROBLEM, search, judge.best, 60.0, 0, {})
    judge.connection = helper.connection
    while judge.connection is not None and not judge.budget.is_spent:
        judge.look(1.0)
    helper.end()
    return judge


def test_another_process_searches_and_tells_its_outcome() -> None:
    judge = _helped(Offering())
    assert judge.best.cost.ir == 1 and isinstance(judge.outcome, Ended)
    assert judge.outcome.tally.proposed == 1 and judge.outcome.search == Offering()


def test_a_process_that_dies_leaves_the_best_so_far() -> None:
    judge = _helped(Dying())
    assert judge.outcome is None and judge.best.function == SOURCE


@dataclass
class Endless:
    """Offers what is better, then the same for ever."""

    name: str = "endless"

    def run(self, judge: Judge, seed: int) -> None:
        while True:
            judge.offer(BETTER, self.name)
            time.sleep(0.05)


def test_the_counts_of_a_process_that_the_clock_ends_are_kept() -> None:
    judge = LinkedJudge(PROBLEM, Budget(60.0))
    helper = Helper(PROBLEM, Endless(), judge.best, 60.0, 0, {})
    judge.connection = helper.connection
    while helper.tally.duplicate < 3 and not judge.budget.is_spent:
        judge.look(0.2)
    helper.end()
    tally = helper.tally
    assert tally.accepted == 1 and tally.proposed == 1 + tally.duplicate and judge.outcome is None


def test_reasons_are_told_before_the_end() -> None:
    ours, theirs = Pipe()
    judge, other = LinkedJudge(PROBLEM, Budget(20.0), ours, [0] * 10), LinkedJudge(PROBLEM, Budget(20.0), theirs)
    judge.reasons["too hard"] = 2
    time.sleep(1.0)
    judge.offer(SOURCE, "test")
    other.look(1.0)
    assert other.others_reasons == {"too hard": 2}
