"""Reports of the superoptimiser as JSON, and a function's part of one read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from m4alloc.superopt.cost_mca import Estimate
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.measure import Measurement, Timing
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.pipeline import MethodRun, Result
from m4alloc.superopt.printer import print_function
from m4alloc.superopt.problem import Candidate, Cost, Problem, Step, Tally
from m4alloc.superopt.report import SCHEMA, Estimated, Piece, RewriteReport, Rewritten, VerifyReport
from m4alloc.superopt.verdict import Counterexample, Outcome, Stage, Verdict

Told = Mapping[str, Any]


def rewrite_json(report: RewriteReport) -> dict[str, Any]:
    """The report of a search."""
    return {
        "schema": SCHEMA,
        "verb": "superopt",
        "mode": "rewrite",
        "exit_status": report.exit_status,
        "source": report.where,
        "target": report.target,
        "objective": report.objective,
        "assumed": _facts(report.facts),
        "methods": list(report.methods),
        "budget": report.budget,
        "seed": report.seed,
        "wanted": report.wanted,
        "functions": [rewritten_json(one) for one in report.functions],
        "skipped": dict(report.skipped),
        "seconds": round(report.seconds, 3),
        "interrupted": report.interrupted,
        "resume": report.resume,
        "files": list(report.files),
        "notes": list(report.notes),
    }


def verify_json(report: VerifyReport) -> dict[str, Any]:
    """The answer of `--verify`."""
    return {
        "schema": SCHEMA,
        "verb": "superopt",
        "mode": "verify",
        "exit_status": report.exit_status,
        "source": report.first,
        "other": report.second,
        "function": report.source.name,
        "verdict": verdict_json(report.verdict),
        "notes": list(report.notes),
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict."""
    seen = verdict.counterexample
    return {
        "outcome": verdict.outcome.value,
        "method": verdict.method,
        "reason": verdict.reason,
        "counterexample": None
        if seen is None
        else {
            "inputs": [list(pair) for pair in seen.inputs],
            "memory": [list(pair) for pair in seen.memory],
            "source": seen.source,
            "target": seen.target,
        },
        "assumptions": _facts(verdict.assumptions),
        "obligations": list(verdict.obligations),
        "stages": [
            {"name": one.name, "result": one.result, "seconds": round(one.seconds, 4)} for one in verdict.stages
        ],
        "seconds": round(verdict.seconds, 4),
        "vacuous": verdict.vacuous,
    }


def rewritten_json(one: Rewritten) -> dict[str, Any]:
    """One function."""
    return {
        "name": one.before.name,
        "improved": one.is_improved,
        "proof": one.proof,
        "note": one.note,
        "before": {"ir": print_function(one.before), "cost": _cost(one.cost_before), "assembly": one.assembly[0]},
        "after": {"ir": print_function(one.after), "cost": _cost(one.cost_after), "assembly": one.assembly[1]},
        "verdict": verdict_json(one.verdict),
        "assumptions": _facts(one.assumptions),
        "pieces": [_piece(piece) for piece in one.pieces],
        "measured": None if one.measured is None else _measured(one.measured),
        "slower": one.is_slower,
        "recommended": one.is_recommended,
        "llvm_o3": None if one.cost_llvm is None else _cost(one.cost_llvm),
        "beats_llvm_o3": one.is_improved and one.cost_llvm is not None and one.beats_llvm,
        "llvm_mca": None if one.estimated is None else asdict(one.estimated),
    }


def rewritten_of(told: Told, before: Function, target: str, objective: str) -> Rewritten:
    """What `rewritten_json` told of `before`.  Raises IrError, and KeyError or TypeError for what it did not tell.

    Of the candidates that a method found on its way only the costs are told.
    """
    measured, estimated = told["measured"], told["llvm_mca"]
    return Rewritten(
        before,
        _function(told["after"]["ir"]) if told["improved"] else before,
        Cost(**told["before"]["cost"]),
        Cost(**told["after"]["cost"]),
        tuple(_piece_of(piece, target, objective) for piece in told["pieces"]),
        _verdict_of(told["verdict"]),
        (told["before"]["assembly"], told["after"]["assembly"]),
        None
        if measured is None
        else Measurement(_timing_of(measured["latency"]), _timing_of(measured["throughput"]), measured["reason"]),
        told["note"],
        None if told["llvm_o3"] is None else Cost(**told["llvm_o3"]),
        None
        if estimated is None
        else Estimated(_estimate_of(estimated["before"]), _estimate_of(estimated["after"]), estimated["reason"]),
    )


def _estimate_of(told: Told | None) -> Estimate | None:
    return None if told is None else Estimate(**told)


def _facts(facts: Sequence[Fact]) -> list[dict[str, str]]:
    return [{"text": fact.text, "origin": fact.origin} for fact in facts]


def _facts_of(told: Sequence[Told]) -> tuple[Fact, ...]:
    return tuple(Fact(one["text"], one["origin"]) for one in told)


def _cost(cost: Cost) -> dict[str, Any]:
    return asdict(cost)


def _function(text: str) -> Function:
    return parse_function(text)


def _verdict_of(told: Told) -> Verdict:
    seen = told["counterexample"]
    return Verdict(
        Outcome(told["outcome"]),
        told["method"],
        told["reason"],
        None
        if seen is None
        else Counterexample(
            tuple((name, value) for name, value in seen["inputs"]),
            seen["source"],
            seen["target"],
            tuple((place, value) for place, value in seen["memory"]),
        ),
        _facts_of(told["assumptions"]),
        tuple(told["obligations"]),
        tuple(Stage(one["name"], one["result"], one["seconds"]) for one in told["stages"]),
        told["seconds"],
        told["vacuous"],
    )


def _piece(piece: Piece) -> dict[str, Any]:
    result = piece.result
    return {
        "name": piece.name,
        "improved": result.is_improved,
        "put_back": piece.put_back,
        "refused": piece.refused,
        "before": {"ir": print_function(result.problem.source), "cost": _cost(result.source.cost)},
        "after": {"ir": print_function(result.best.function), "cost": _cost(result.best.cost)},
        "method": result.best.method,
        "found_after": round(result.best.found_after, 3),
        "facts": _facts(result.problem.facts),
        "verdict": verdict_json(result.best.verdict),
        "steps": [
            {
                "rule": step.rule,
                "at": step.at,
                "ir": print_function(step.result),
                "proof": None if step.proof is None else verdict_json(step.proof),
            }
            for step in piece.steps
        ],
        "methods": [
            {
                "name": run.name,
                "seconds": round(run.seconds, 3),
                "found": [_cost(found.cost) for found in run.found],
                "note": run.note,
                "tally": asdict(run.tally),
            }
            for run in result.methods
        ],
        "tally": asdict(result.tally),
        "reasons": dict(result.reasons),
        "why_nothing": list(result.why_nothing),
        "settled": result.settled,
        "seconds": round(result.seconds, 3),
    }


def _piece_of(told: Told, target: str, objective: str) -> Piece:
    problem = Problem(_function(told["before"]["ir"]), _facts_of(told["facts"]), target, objective)
    steps = tuple(
        Step(one["rule"], one["at"], _function(one["ir"]), None if one["proof"] is None else _verdict_of(one["proof"]))
        for one in told["steps"]
    )
    verdict = _verdict_of(told["verdict"])
    source = Candidate(problem.source, Cost(**told["before"]["cost"]), verdict, "source")
    best = Candidate(
        _function(told["after"]["ir"]), Cost(**told["after"]["cost"]), verdict, told["method"], steps,
        told["found_after"],
    )  # fmt: skip
    methods = tuple(
        MethodRun(
            one["name"],
            one["seconds"],
            Tally(**one["tally"]),
            tuple(Candidate(best.function, Cost(**cost), verdict, one["name"]) for cost in one["found"]),
            one["note"],
        )
        for one in told["methods"]
    )
    result = Result(
        problem, source, best, (best,), methods, Tally(**told["tally"]), dict(told["reasons"]), told["seconds"],
        told["settled"],
    )  # fmt: skip
    return Piece(told["name"], result, steps, told["put_back"], told["refused"])


def _measured(measurement: Measurement) -> dict[str, Any]:
    return {
        "latency": None if measurement.latency is None else _timing(measurement.latency),
        "throughput": None if measurement.throughput is None else _timing(measurement.throughput),
        "reason": measurement.reason,
    }


def _timing(timing: Timing) -> dict[str, Any]:
    return {**asdict(timing), "significant": timing.is_significant}


def _timing_of(told: Told | None) -> Timing | None:
    return None if told is None else Timing(**{name: told[name] for name in Timing.__slots__})
