"""A real browser for tests: headless Chromium driven over a pipe, with what the page said and threw.

The protocol is Chrome DevTools' (chromedevtools.github.io/devtools-protocol), a JSON message ended by NUL, on file
descriptors 3 (to the browser) and 4 (from it): `--remote-debugging-pipe` needs no port and no library.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no browser: apt install chromium")

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
)
_KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Escape": 27, "Tab": 9}
_KEYS |= {"Home": 36, "End": 35, "PageUp": 33, "PageDown": 34, " ": 32}


class BrowserError(Exception):
    """The browser did not answer, or the page's script threw."""


class Page:
    """One page of the browser. `problems` are the errors and warnings of its console, and what its script threw."""

    def __init__(self, process: subprocess.Popen[bytes], send: int, receive: int) -> None:
        self.process = process
        self.problems: list[str] = []
        self._send, self._receive, self._rest, self._number = send, receive, b"", 0
        self._loaded = False
        target = next(one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    _session = ""

    def call(self, method: str, timeout: float = 60.0, **parameters: Any) -> Any:
        """The answer to one command of the protocol.  Raises BrowserError."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + timeout
        while True:
            answer = self._next(until)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def _next(self, until: float) -> Any:
        """The next message; events are noted on the way."""
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._receive], [], [], max(0.0, until - time.monotonic()))
            part = os.read(self._receive, 1 << 20) if ready else b""
            if not part:
                raise BrowserError("the browser does not answer" if not ready else "the browser has ended")
            self._rest += part
        text, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(text)
        event, said = message.get("method"), message.get("params", {})
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Runtime.exceptionThrown":
            details = said["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description") or details["text"])
        elif event == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.problems.append(" ".join(str(one.get("value", one.get("description"))) for one in said["args"]))
        elif event == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.problems.append(said["entry"]["text"])
        return message

    def open(self, file: Path, *, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """Load a page from disk and wait until it has loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self._loaded = False
        self.call("Page.navigate", url=file.resolve().as_uri())
        until = time.monotonic() + 60
        while not self._loaded:
            self._next(until)

    def run(self, script: str, timeout: float = 60.0) -> Any:
        """The value of an expression in the page; a promise is waited for.  Raises BrowserError when it throws."""
        answer = self.call(
            "Runtime.evaluate", timeout, expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def until(self, script: str, timeout: float = 20.0) -> Any:
        """The value of an expression as soon as it is truthy.  Raises BrowserError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while not (value := self.run(script)):
            if time.monotonic() > end:
                raise BrowserError(f"never true: {script}; the page's problems: {self.problems}")
            time.sleep(0.02)
        return value

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """A mouse event: mouseMoved, mousePressed, mouseReleased, mouseWheel (with deltaX, deltaY)."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        """Press and release the left button at a point of the window."""
        self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def drag(self, start: tuple[float, float], stop: tuple[float, float]) -> None:
        """Press at one point, move in ten steps, release at another."""
        self.mouse("mousePressed", *start, button="left", clickCount=1)
        for step in range(1, 11):
            x, y = (low + (high - low) * step / 10 for low, high in zip(start, stop, strict=True))
            self.mouse("mouseMoved", x, y, button="left", buttons=1)
        self.mouse("mouseReleased", *stop, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Press and release a key: a character, or a name such as ArrowLeft."""
        code = _KEYS.get(key, ord(key[0].upper()))
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def centre(self, selector: str) -> tuple[float, float]:
        """The middle of the element that a selector finds, scrolled into view."""
        box = self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); if (!one) return null;"
            "one.scrollIntoView({block: 'nearest'}); const b = one.getBoundingClientRect();"
            "return [b.left + b.width / 2, b.top + b.height / 2]; })()"
        )
        if box is None:
            raise BrowserError(f"there is no {selector}")
        return box[0], box[1]

    def screenshot(self, file: Path) -> None:
        """What the window shows, as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser() -> Iterator[Page]:
    """A browser with one empty page; it ends with the block."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()

    def ends() -> None:  # in the child, before exec: the protocol's descriptors are 3 and 4
        first, second = os.dup(to_read), os.dup(from_write)
        os.dup2(first, 3)
        os.dup2(second, 4)
        os.set_inheritable(3, True)
        os.set_inheritable(4, True)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [str(BROWSER), *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=ends, close_fds=False
        )
        os.close(to_read)
        os.close(from_write)
        try:
            yield Page(process, to_write, from_read)
        finally:
            os.close(to_write)
            os.close(from_read)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
