"""The page's script runs in a real browser: numbers under the pointer, the theme, and no error."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from m4alloc.view import chart, html

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser: apt install chromium")

ACT = """
<script>
addEventListener("error", (event) => document.body.append(`ERROR ${event.message}`));
addEventListener("load", () => {
  const [first, second] = document.querySelectorAll("figure");
  const svg = first.querySelector("svg");
  const box = svg.getBoundingClientRect();
  const middle = { clientX: box.left + box.width * 0.5, clientY: box.top + 80, bubbles: true };
  svg.dispatchEvent(new PointerEvent("pointermove", middle));
  for (const key of ["End", "ArrowLeft"]) second.dispatchEvent(new KeyboardEvent("keydown", { key }));
  document.getElementById("theme").click();
});
</script>
"""


def test_pointer_keys_and_theme_button_work(tmp_path: Path) -> None:
    x_axis = chart.Axis("request", 0, 100, lambda value: f"{value:.0f}")
    y_axis = chart.Axis("bytes", 0, 10, lambda value: f"{value:.0f} B")
    xs = [0, 25, 50, 75, 100]
    figures = [
        html.curves("one", xs, [chart.Series("live", "series-1", [1, 2, 3, 4, 5])], x_axis, y_axis),
        html.curves("two", xs, [chart.Series("peak", "series-3", [6, 7, 8, 9, 10])], x_axis, y_axis),
    ]
    page = html.Page("t", "HOLDS", "good", "true", [html.Section("Life", html.join(figures))]).write()
    file = tmp_path / "page.html"
    file.write_text(page.replace("</body>", ACT + "</body>"), encoding="utf-8")
    words = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    shown = subprocess.run([*words, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=60).stdout
    assert "ERROR" not in shown.replace(ACT.strip(), "")[shown.rfind("</script>") :]
    assert "<b>request 50</b>" in shown and "live: 3 B" in shown
    assert "<b>request 75</b>" in shown and "peak: 9 B" in shown
    assert 'data-theme="dark"' in shown[:200] or 'data-theme="light"' in shown[:200]
