"""m4alloc doctor names what is missing with the line that installs it, and changes nothing."""

from __future__ import annotations

import json

import pytest

from m4alloc import _backend, _build
from m4alloc.doctor import TOOLS, DoctorReport, Finding, doctor


def findings(group: str) -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor().findings if finding.group == group}


def test_every_missing_tool_has_its_apt_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/no/programs")
    found = findings("tools")
    assert [found[tool].ok for tool in TOOLS] == [False] * len(TOOLS)
    assert all(found[tool].advice.endswith(f"apt-get install {package}") for tool, (package, _) in TOOLS.items())


def test_every_missing_extra_has_its_pip_line() -> None:
    for extra, finding in findings("extras").items():
        assert finding.ok or finding.advice == f"pip install 'm4alloc[{extra}]'"


def test_the_backend_is_the_one_in_use() -> None:
    assert findings("core")["backend"].value == _backend.backend


@pytest.mark.parametrize(
    ("system", "machine", "message"),
    [
        ("linux", "riscv64", "the core needs one of x86_64, aarch64; this machine is riscv64"),
        ("darwin", "arm64", "the core needs Linux; this is darwin"),
        ("emscripten", "wasm32", "the core needs Linux; this is emscripten"),
    ],
)
def test_another_machine_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, message: str
) -> None:
    monkeypatch.setattr(_build.sys, "platform", system)
    monkeypatch.setattr(_build.platform, "machine", lambda: machine)
    assert _build.unsupported() == message


def test_only_the_core_decides_about_health() -> None:
    missing = [Finding(group, "x", False, "no") for group in ("core", "extras", "tools", "cpu", "kernel")]
    assert not DoctorReport(tuple(missing)).healthy
    assert DoctorReport(tuple(missing[1:])).healthy


def test_the_report_as_json_is_plain_data_with_its_schema() -> None:
    report = doctor().to_json()
    assert json.loads(json.dumps(report)) == report
    assert (report["schema"], report["verb"]) == ("m4alloc/1", "doctor")
