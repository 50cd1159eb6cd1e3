"""The verb `model` from Python: what is asked of whom, what comes back, and what is written."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import m4alloc.model.check as check_module
from m4alloc.model import runs, text
from m4alloc.model.check import model
from m4alloc.model.source import ModelError, load
from spec.ltl.error import LogicError
from spec.ltl.meter import Meter
from spec.model.catalogue import BUNDLED
from spec.model.options import OptionError
from spec.model.syntax import ModelError as SyntaxModelError
from spec.model.system import Verdict
from tests.m4alloc.schema import faults

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "json-schema" / "model.json").read_text(encoding="utf-8"))


def test_without_a_property_deadlocks_faults_and_all_properties_are_looked_for() -> None:
    report = model("free_list", engine="own")
    assert [answer.name for answer in report.answers] == ["deadlock", *BUNDLED["free_list"].answers]
    assert report.answer("deadlock").result.states == BUNDLED["free_list"].states
    assert report.exit_status == 1  # the published property


def test_what_needs_fairness_or_an_assumption_says_so_and_what_does_not_does_not() -> None:
    report = model("free_list", properties=["no_leak", "freed_once"], engine="own")
    leak, once = report.answers
    assert (leak.verdict, leak.alone) == (Verdict.HOLDS, Verdict.VIOLATED)
    assert leak.under == ("clients_finish", "weak fairness of client[0], client[1]")
    assert (once.verdict, once.alone, once.under) == (Verdict.HOLDS, None, ())
    assert report.exit_status == 0


def test_fair_makes_every_process_fair() -> None:
    assert model("peterson", properties=["enters"], engine="own").exit_status == 1
    answer = model("peterson", properties=["enters"], engine="own", fair=True).answers[0]
    assert (answer.verdict, answer.under) == (Verdict.HOLDS, ("weak fairness of every process",))


def test_a_formula_may_stand_for_a_property() -> None:
    assert model("peterson", properties=["[](critical0 -> X !critical1)"], engine="own").exit_status == 0


def test_no_deadlock_leaves_faults() -> None:
    same = {"ORDERED": 0, "PHILOSOPHERS": 3}
    assert model("philosophers", properties=["deadlock"], constants=same, engine="own").exit_status == 1
    report = model("philosophers", properties=["deadlock"], constants=same, engine="own", deadlock=False)
    assert report.exit_status == 0
    report = model("batch_queue", properties=["deadlock"], constants={"WHILE": 0}, engine="own", deadlock=False)
    assert report.answers[0].result.reason.endswith(": assertion waiting > 0 || finished is false")


def test_a_bound_that_is_reached_is_undecided() -> None:
    report = model("leader", properties=["deadlock"], engine="own", states=100)
    assert report.exit_status == 3
    assert "not decided: more than 100 states" in "\n".join(text.lines(report))


def test_an_interrupted_search_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = check_module.search.check
    calls = []

    def second_time(*args: object, **options: object) -> object:
        calls.append(options)
        if len(calls) == 2:

            def stop(_: Meter) -> None:
                raise KeyboardInterrupt

            options["progress"] = stop
            monkeypatch.setattr(Meter, "look", lambda self: stop(self))
            monkeypatch.setattr(Meter, "transition", lambda self: stop(self))
        return original(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(check_module.search, "check", second_time)
    report = model("peterson", engine="own")
    assert report.interrupted and report.exit_status == 130
    assert [answer.verdict for answer in report.answers] == [Verdict.HOLDS, Verdict.EXHAUSTED]
    assert list(text.lines(report))[-1] == "interrupted  with what is above"


def test_an_interrupt_between_searches_keeps_the_answers_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(check_module, "continued", stop)
    report = model("free_list", constants={"LOCKED": 0}, properties=["deadlock", "handed_out_once"], engine="own")
    assert report.exit_status == 130
    assert [answer.name for answer in report.answers] == ["deadlock"]


def test_options_that_our_search_refuses_are_refused_for_a_property_that_is_named() -> None:
    with pytest.raises(OptionError, match="fairness with symmetry is refused"):
        model("free_list", properties=["no_leak"], symmetry=True)


def test_in_a_whole_report_what_is_refused_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        check_module,
        "_questions",
        lambda program, wanted: [
            ("deadlock", None),
            *((one.name, one.formula) for one in program.properties if one.name == "no_leak"),
        ],
    )
    report = model("free_list", symmetry=True)
    assert report.answer("deadlock").result.states < BUNDLED["free_list"].states
    leak = report.answer("no_leak")
    assert leak.verdict is Verdict.HOLDS
    assert leak.note.startswith("searched without what is refused: fairness with symmetry is refused")
    assert leak.note in "\n".join(text.lines(report))


def test_a_counterexample_is_written_and_replays_from_its_file(tmp_path: Path) -> None:
    report = model("free_list", properties=["published"], engine="own", output=tmp_path)
    answer = report.answers[0]
    assert answer.file == str(tmp_path / "free_list-published.json")
    assert answer.replay == f"m4alloc model --replay {answer.file}"
    program, run = runs.read(Path(answer.file))
    assert run.path == answer.path and run.lines == answer.told
    assert (program.name, run.property) == ("free_list", "published")


def test_a_run_that_is_none_any_more_says_where_it_parts(tmp_path: Path) -> None:
    report = model("philosophers", constants={"ORDERED": 0}, properties=["deadlock"], engine="own", output=tmp_path)
    file = Path(report.answers[0].file)
    with pytest.raises(runs.RunError, match=r"step 2, .* cannot be taken in taken="):
        content = json.loads(file.read_text(encoding="utf-8"))
        content["steps"][1] = content["steps"][0]
        file.write_text(json.dumps(content), encoding="utf-8")
        runs.read(file)
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(runs.RunError, match="holds no run of a model: 'format'"):
        runs.read(file)


def test_the_model_in_promela_has_the_property_that_was_named(tmp_path: Path) -> None:
    file = tmp_path / "m.pml"
    report = model("peterson", properties=["exclusive"], engine="own", promela=file)
    assert report.written == (str(file),)
    assert "never {" in file.read_text(encoding="utf-8")
    model("peterson", engine="own", promela=file)
    assert "never {" not in file.read_text(encoding="utf-8")


def test_the_first_counterexample_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "run.svg"
    assert model("peterson", engine="own", svg=file).written == (str(file),)
    assert file.read_text(encoding="utf-8").count("<circle") > 3
    file.unlink()
    assert model("peterson", properties=["exclusive"], engine="own", svg=file).written == ()
    assert not file.exists()


def test_a_file_is_a_model_too(tmp_path: Path) -> None:
    file = tmp_path / "flip.m4m"
    file.write_text(
        "model flip\nvar up: bool\nprocess p { loop { up = !up } }\npredicate on = up\nproperty q: []<>on\n"
    )
    assert model(file, engine="own").exit_status == 0
    file.write_text("model flip\nvar up: bol\n")
    with pytest.raises(SyntaxModelError, match="line 2"):
        model(file)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("petersons", {}, "no bundled model is called petersons; did you mean peterson?"),
        ("nothing like it", {}, "no bundled model is called nothing like it; there are free_list, "),
        ("peterson", {"properties": ["enter"]}, "has no property or proposition enter; did you mean enters?"),
        ("peterson", {"properties": ["[]up"]}, "the model peterson has no proposition up; it has critical0"),
        ("peterson", {"engine": "fast"}, "there is no engine 'fast'; there are auto, own, compiled, spin"),
        ("peterson", {"engine": "compiled", "symmetry": True}, "the compiled search does without symmetry"),
    ],
)
def test_what_is_not_there_is_named(source: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        model(source, **options)  # type: ignore[arg-type]


def test_a_formula_that_cannot_be_read_is_shown_with_its_place() -> None:
    with pytest.raises(LogicError, match="column 3: the formula ends where an operand is missing"):
        model("peterson", properties=["[]"])


def test_more_states_than_a_machine_word_counts_are_no_bound() -> None:
    pytest.importorskip("numba")
    assert model("peterson", properties=["exclusive"], engine="compiled", states=10**30).exit_status == 0


def test_without_numba_our_own_search_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert model("peterson", properties=["exclusive"]).answers[0].result.engine == "breadth"
    with pytest.raises(ModelError, match=r"pip install 'm4alloc\[fast\]'"):
        model("peterson", engine="compiled")


def test_constants_are_set_and_shown() -> None:
    assert load("philosophers", {"PHILOSOPHERS": 3}).constants == {"PHILOSOPHERS": 3}
    report = model("philosophers", constants={"PHILOSOPHERS": 3}, properties=["deadlock"], engine="own")
    assert (
        next(iter(text.lines(report)))
        == "model       philosophers: 3 processes, 6 cells, 18 commands, PHILOSOPHERS = 3"
    )


def test_the_report_obeys_its_schema(tmp_path: Path) -> None:
    for source, question in (("free_list", "no_leak"), ("free_list", "published"), ("batch_queue", "deadlock")):
        report = model(source, properties=[question], engine="own", output=tmp_path)
        assert list(faults(json.loads(json.dumps(report.to_json())), SCHEMA)) == []


def test_every_violation_ends_with_claim_replay_and_file(tmp_path: Path) -> None:
    report = model("free_list", properties=["published"], engine="own", output=tmp_path)
    shown = list(text.lines(report))
    assert [line.split()[0] for line in shown[-3:]] == ["claim", "replay", "file"]


def test_the_list_has_every_model_and_every_bug() -> None:
    shown = "\n".join(text.listing())
    for name, bundled in BUNDLED.items():
        assert f"{name}: {bundled.sentence}" in shown
        assert all(f"bug {bug}: " in shown for bug in bundled.bugs)


def test_auto_is_our_own_search_for_few_states_and_the_compiled_one_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    assert model("peterson", properties=["exclusive"]).answers[0].result.engine == "breadth"
    monkeypatch.setattr(check_module, "_FEW", 20)
    answer = model("peterson", properties=["exclusive"]).answers[0]
    assert (answer.result.engine, answer.result.states) == ("compiled, breadth", 42)
    bounded = model("peterson", properties=["exclusive"], states=20).answers[0].result
    assert (bounded.verdict, bounded.reason, bounded.engine) == (Verdict.EXHAUSTED, "more than 20 states", "breadth")


LEAKY = """
model leaky
track block: 0..1
process p[i: 0..1] fair { loop { here: label mem_allocate_end(i); again: skip } }
predicate never = false
property freed: [](malloc -> <>free)
assume frees: []<>free
"""


def test_an_answer_that_says_nothing_of_the_model_says_so(tmp_path: Path) -> None:
    file = tmp_path / "leaky.m4m"
    file.write_text(LEAKY)
    answer = model(file, properties=["freed"], engine="own").answers[0]
    assert (answer.verdict, answer.alone) == (Verdict.HOLDS, Verdict.VIOLATED)
    assert answer.note == "says nothing of the model: what is assumed implies it"
    answer = model(file, properties=["[]<>never"], engine="own").answers[0]
    assert answer.note == "says nothing: no run is fair and as assumed"
    file.write_text(LEAKY.replace("[]<>free", '[]<>"p[0]@again"'))
    answer = model(file, properties=['[]<>"p[0]@here"'], engine="own").answers[0]
    assert (answer.verdict, answer.alone, answer.note) == (Verdict.HOLDS, Verdict.VIOLATED, "")


@pytest.mark.parametrize("engine", ["own", "compiled"])
def test_a_formula_may_speak_of_events_and_locations_as_in_the_model(engine: str, tmp_path: Path) -> None:
    if engine == "compiled":
        pytest.importorskip("numba")
    file = tmp_path / "leaky.m4m"
    file.write_text(LEAKY.replace("assume frees: []<>free", ""))
    asked = ["[]!free", '[]!"p[1]@again"', "[]!(malloc && access)", '[]<>"p[1]@again"']
    report = model(file, properties=asked, engine=engine, output=tmp_path)
    verdicts = [(answer.alone or answer.verdict).value for answer in report.answers]
    assert verdicts == ["HOLDS", "VIOLATED", "HOLDS", "VIOLATED"]
    # The file says what the claim speaks of, so that it replays.
    assert runs.read(Path(report.answers[1].file))[1].lines == report.answers[1].told


def test_a_violation_that_cannot_be_written_is_still_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(check_module.runs, "write", refuse)
    report = model("free_list", properties=["published"], engine="own", output=tmp_path)
    answer = report.answers[0]
    assert report.exit_status == 1 and answer.told and not answer.file
    assert answer.note.endswith(f"not written to {tmp_path}/free_list-published.json: Permission denied")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"svg": "/nowhere/x.svg"}, "/nowhere/x.svg cannot be written: /nowhere is no folder that can be written to"),
        ({"promela": "/"}, "/ is a folder; the name of a file would be right"),
        ({"output": __file__}, "test_check.py is a file; a folder for counterexamples would be right"),
        ({"budget": float("nan")}, "a search of nan seconds; a number that is not negative would be right"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_search(
    options: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_module, "load", None)
    with pytest.raises(ModelError, match=message):
        model("peterson", **options)  # type: ignore[arg-type]


def test_a_model_that_is_too_large_as_it_is_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "wide.m4m"
    file.write_text("model wide var a: array[5000] of bool process p { a[0] = true }")
    with pytest.raises(ModelError, match=r"wide\.m4m: `a` takes more than MOST_CELLS = 4096 cells"):
        load(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match=r"wide\.m4m is no text in UTF-8: invalid start byte at byte 0"):
        load(file)


def test_a_fault_that_a_search_for_something_else_comes_to_is_named(tmp_path: Path) -> None:
    file = tmp_path / "fault.m4m"
    file.write_text("model fault\nvar n: 0..1\nprocess p { loop { n = n + 1 } }\npredicate one = n == 1\n")
    shown = list(text.lines(model(file, properties=["[]<>one"], engine="own")))
    assert shown[-2:] == [
        "  fault   line 3: n = 2 is out of its range 0..1, after which the model has no meaning, and nothing holds",
        "  claim   []<>one",
    ]
