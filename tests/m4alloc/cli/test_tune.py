"""`m4alloc tune` on the command line: statuses, messages, files, interrupts; the whole of it on a small program."""

from __future__ import annotations

import json
import lzma
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from m4alloc import _backend
from m4alloc.cli import main
from m4alloc.strategy import Strategy
from m4alloc.tune import files, run
from m4alloc.tune.report import TuneReport
from m4alloc.tune.settings import Settings
from tests.m4alloc.interrupting import INTERRUPTIBLE, interrupt
from tests.m4alloc.schema import faults
from tests.m4alloc.tune.report_cases import report

ROOT = Path(__file__).resolve().parents[3]
EXCERPTS = ROOT / "benchmarks" / "traces" / "excerpts"
PERL = EXCERPTS / "perl.m4t.xz"
SCHEMA = json.loads((ROOT / "docs" / "json-schema" / "tune.json").read_text(encoding="utf-8"))
NATIVE = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")
QUICK = ("--no-measure", "--evaluations", "10", "--gate-budget", "1s", "--method", "climb")
PROGRAM = r"""
#include <stdlib.h>
int main(int argc, char **argv)
{
    static char *held[2000];
    unsigned seed = 1, sum = 0;
    for (int i = atoi(argv[argc - 1]); i > 0; i--) {
        seed = seed * 1664525u + 1013904223u;
        unsigned at = (seed >> 8) % 2000, size = 20 + (seed >> 20) % 5 * 137;
        free(held[at]);
        if (!(held[at] = malloc(size)))
            return 1;
        held[at][0] = 1;
        sum += size;
    }
    return sum == 0;
}
"""


def tune(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """The exit status of `m4alloc tune WORDS`, and what it printed."""
    status = main.main(["tune", *map(str, words)])
    return (status, *capsys.readouterr())


@pytest.fixture(autouse=True)
def no_png(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "png", lambda image: b"")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the verb asked of the function, which gives a report that is made up."""
    seen: dict[str, Any] = {}

    def made(traces: list[str], **settings: Any) -> TuneReport:
        seen.update(settings, traces=traces)
        return report(interrupted=seen.get("stop", False))

    monkeypatch.setattr(run, "tune", made)
    yield seen


def test_every_option_reaches_its_setting(
    capsys: pytest.CaptureFixture[str], asked: dict[str, Any], tmp_path: Path
) -> None:
    given = {
        "name": "mine", "prefer": "memory", "security": "any", "reuse_after": 32, "evaluations": 77, "method": "agent",
        "weights": Path("w.npz"), "objective": "regret", "seed": 5, "scheduler": "tcp://h:1",
        "jobs": 3, "calls": 5000, "limit": 70_000, "rounds": 9, "timeout": 1.5, "gate_budget": 2.5,
    }  # fmt: skip
    words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    flags = ["--compare", "--no-hold-out", "--anyway", "--no-measure", "--no-advice", "--resume"]
    status, out, _ = tune(capsys, "-o", tmp_path, *words, *flags, "a.m4t", "--", "prog", "-x")
    assert status == 0 and out.splitlines()[-1].startswith("use it: LD_PRELOAD=")
    settings = {name: asked.pop(name) for name in list(asked) if name in Settings.__dataclass_fields__}
    expected = {"compare": True, "hold_out": False, "anyway": True, "measure": False, "advice": False, "resume": True}
    assert settings == {**given, **expected, "output": str(tmp_path)}
    assert (asked["traces"], asked["command"]) == (["a.m4t"], ["prog", "-x"])


def test_without_options_the_settings_are_the_function_s(
    capsys: pytest.CaptureFixture[str], asked: dict[str, Any], tmp_path: Path
) -> None:
    assert tune(capsys, "-o", tmp_path, "a.m4t")[0] == 0
    plain = Settings(output=tmp_path)
    wanted = {name: getattr(plain, name) for name in Settings.__dataclass_fields__ if name != "output"}
    assert {name: asked[name] for name in wanted} == wanted


def test_json_is_alone_on_stdout(capsys: pytest.CaptureFixture[str], asked: dict[str, Any], tmp_path: Path) -> None:
    status, out, _ = tune(capsys, "-o", tmp_path, "--json", "--", "prog")
    assert status == 0 and list(faults(json.loads(out), SCHEMA)) == []


def test_an_interrupted_tuning_writes_its_report_with_the_line_that_goes_on(
    capsys: pytest.CaptureFixture[str], asked: dict[str, Any], tmp_path: Path
) -> None:
    asked["stop"] = True
    words = ["-o", str(tmp_path), "--evaluations", "30", "--no-advice", "--gate-budget", "2", "--", "prog", "a b"]
    status, out, _ = tune(capsys, *words)
    assert status == 130
    line = next(row for row in out.splitlines() if row.startswith("interrupted; it goes on with: "))
    again = shlex.split(line.partition(": ")[2])
    assert json.loads((tmp_path / "report.json").read_text())["resume"] == shlex.join(again)
    first = dict(asked)
    asked.clear()
    assert tune(capsys, *again[2:])[0] == 0
    names = [*Settings.__dataclass_fields__, "command", "traces"]
    assert {name: asked[name] for name in names} == {**{name: first[name] for name in names}, "resume": True}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to tune on: name recorded traces, or a program after --, as in: m4alloc tune -- ls -l"),
        (["--"], "no program after --; it stands there with its arguments, as in: m4alloc tune -- ls -l"),
        (["a.m4t", "--evaluations", "9"], "--evaluations stands after a trace: options come first, a program after --"),
        (["--evaluations", "9", "a.m4t"], "9 evaluations; from 10 to 1,000,000"),
        (["a.m4t"], "a.m4t: No such file or directory"),
        (["--", "/no/such"], "/no/such does not exist"),
        (["--", "/dev/null"], "/dev/null is not executable"),
        (["--reuse-after", "5000", PERL], "no strategy to begin with keeps the floor: promise of 5000 frees"),
        (["-o", "/proc/x", PERL], "/proc/x: No such file or directory"),
        (["-o", "file", PERL], "file: File exists"),
        (["empty.m4t"], "empty.m4t: empty; a trace begins with a header of 4096 bytes"),
        (["text.m4t"], "text.m4t: neither a trace"),
        (["version.m4t"], "version.m4t: trace version 99; this m4alloc reads version 1"),
        (["cut.m4t.xz"], "cut.m4t.xz: cut off: its xz stream has no end after 5,000 bytes"),
        (["folder"], "folder: no recording in this folder; their names end in .m4t or .m4t.xz"),
        (["--scheduler", "x", "--no-measure", PERL], "'x' is no address of a scheduler"),
    ],
)
def test_wrong_input_is_told(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[object],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = bytearray(lzma.decompress(PERL.read_bytes())[:100_000])
    whole[8] = 99
    for name, content in {
        "version.m4t": bytes(whole),
        "empty.m4t": b"",
        "text.m4t": b"text\n" * 9,
        "file": b"",
    }.items():
        Path(name).write_bytes(content)
    Path("cut.m4t.xz").write_bytes(PERL.read_bytes()[:5000])
    Path("folder").mkdir()
    status, out, err = tune(capsys, *words)
    assert (status, out) == (2, "") and err.splitlines()[-1].startswith(f"m4alloc tune: {message}")


def test_a_number_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["tune", "--calls", "2x", "a.m4t"]) == 2
    assert capsys.readouterr().err == "m4alloc tune: --calls: '2x' is no whole number; 4096, 64k, 2M and 1e6 are\n"


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["numba", "hypothesis", "optuna"])
def test_a_missing_package_is_named_with_what_installs_it(missing: str, tmp_path: Path) -> None:
    code = (
        f"import sys, importlib.util\nfind = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name, *more: None if name == {missing!r} else find(name, *more)\n"
        f"sys.modules[{missing!r}] = None\nfrom m4alloc.cli import main\nsys.exit(main.main(sys.argv[1:]))"
    )
    method = ("--method", "tpe") if missing == "optuna" else ()
    words = ["tune", "-o", tmp_path, *QUICK, *method, "--jobs", "1", "--calls", "2000", PERL]
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, cwd=ROOT)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and last.startswith("m4alloc tune: ") and "pip install 'm4alloc[tune]'" in last, done


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C program that allocates as often as its last argument says."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "small.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-O1", "-o", folder / "small", folder / "small.c"], check=True)
    return folder / "small"


@pytest.mark.slow
@NATIVE
def test_a_recording_with_nothing_to_gain_keeps_the_default(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, program: Path
) -> None:
    from m4alloc.trace.record import record

    record([str(program), "60"], tmp_path / "small.m4t")
    status, out, _ = tune(capsys, "-o", tmp_path / "out", *QUICK, "--jobs", "1", tmp_path / "small.m4t")
    assert status == 0
    told = json.loads((tmp_path / "out" / "report.json").read_text())
    assert list(faults(told, SCHEMA)) == [] and told["verdict"] in ("tuned", "default")
    assert [row["method"] for row in told["methods"]] == ["climb", "random", "random, no seeds"]
    assert Strategy.from_toml((tmp_path / "out" / "strategy.toml").read_text(), "x").to_environment() is not None
    assert out.splitlines()[-1].startswith(("the default strategy stays: ", "use it: "))


@pytest.mark.campaign
@NATIVE
def test_a_program_is_recorded_tuned_built_and_measured_and_a_second_time_resumed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, program: Path
) -> None:
    words = ("-o", tmp_path, "--anyway", "--evaluations", "40", "--gate-budget", "2", "--rounds", "6")
    status, *_ = tune(capsys, *words, "--", program, "1000000")
    told = json.loads((tmp_path / "report.json").read_text())
    assert status == 0 and list(faults(told, SCHEMA)) == []
    assert told["race"] is not None and told["headroom"]["rows"][0]["allocator"] == "m4alloc"
    assert (told["verdict"] == "tuned") == (tmp_path / "libm4alloc-small.so").exists()
    assert any(all(gate["verdict"] == "HOLDS" for gate in one["proof"]["gates"]) for one in told["tried"])
    held = (tmp_path / "traces" / "small.m4t").stat().st_mtime_ns
    status, *_ = tune(capsys, *words, "--resume", "--", program, "1000000")
    again = json.loads((tmp_path / "report.json").read_text())
    assert status == 0 and (tmp_path / "traces" / "small.m4t").stat().st_mtime_ns == held
    assert told["front"] == again["front"] and again["course"] == told["course"]
    assert [one["strategy"] for one in told["tried"]] == [one["strategy"] for one in again["tried"]]


@pytest.mark.campaign
@NATIVE
@pytest.mark.parametrize("after", ["m4alloc tune: share of", "m4alloc tune: portfolio", "random, no seeds: front"])
def test_ctrl_c_keeps_what_there_is_and_resuming_ends_as_if_nothing_had_happened(
    tmp_path: Path, program: Path, after: str
) -> None:
    def command(folder: str, *more: str) -> list[str]:
        words = ["-o", folder, "--anyway", "--evaluations", "60", "--gate-budget", "2", "--rounds", "6", *more]
        return [*INTERRUPTIBLE, sys.executable, "-m", "m4alloc", "tune", *words, "--", str(program), "300000"]

    with subprocess.Popen(
        command("one"), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None and process.stdout is not None
        for line in process.stderr:
            if after in line:
                break
        interrupt(process, 60)
        out = process.stdout.read()
    assert process.returncode == 130, (process.returncode, out)
    told = json.loads((tmp_path / "one" / "report.json").read_text())
    assert told["interrupted"] and shlex.split(told["resume"])[:3] == ["m4alloc", "tune", "--resume"]
    assert f"interrupted; it goes on with: {told['resume']}" in out
    assert [path.name for path in (tmp_path / "one").iterdir() if path.name.startswith(".")] == []
    again = [sys.executable, "-m", "m4alloc", *shlex.split(told["resume"])[1:]]
    assert subprocess.run(again, cwd=tmp_path, capture_output=True).returncode == 0
    ended = json.loads((tmp_path / "one" / "report.json").read_text())
    assert ended["verdict"] in ("tuned", "default") and ended["evaluations"] == 180


@pytest.mark.campaign
@NATIVE
def test_on_a_cluster_a_campaign_ends_as_it_does_here(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    words = (*QUICK, "--calls", "5000")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as there:
        address = ("--scheduler", there.scheduler_address)
        assert tune(capsys, "-o", tmp_path / "there", *address, *words, PERL)[0] == 0
    assert tune(capsys, "-o", tmp_path / "here", *words, PERL)[0] == 0
    one, other = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("there", "here"))
    assert (one["course"], one["front"], one["strategy"]) == (other["course"], other["front"], other["strategy"])


@pytest.mark.campaign
@NATIVE
@pytest.mark.parametrize("floor", [("--security", "hardened"), ("--security", "any"), ("--reuse-after", "32")])
def test_each_floor_is_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path, floor: tuple[str, str]) -> None:
    from m4alloc.tune.security import Floor

    assert tune(capsys, "-o", tmp_path, *floor, *QUICK, "--calls", "5000", PERL)[0] == 0
    found = Strategy.from_toml((tmp_path / "strategy.toml").read_text(), "x")
    named = floor[1] if floor[0] == "--security" else "default"
    assert Floor.of(named, promise=int(floor[1]) if floor[0] == "--reuse-after" else 0).missing(found) == ()


@pytest.mark.campaign
@NATIVE
def test_several_programs_are_held_out_in_turn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    traces = [EXCERPTS / f"{name}.m4t.xz" for name in ("perl", "search")]
    status, out, _ = tune(capsys, "-o", tmp_path, *QUICK, "--calls", "5000", "--objective", "regret", *traces)
    told = json.loads((tmp_path / "report.json").read_text())
    assert status == 0 and [row["program"] for row in told["held_out"]] == ["perl", "search"]
    assert "searched without each program in turn" in out
