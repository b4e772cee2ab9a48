"""Opens pages in headless Chromium over its own debugging protocol; needs no driver program."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import websocket

from customerlab.report.pdf import browser

_OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)

#: Texts that leave their figure, and pairs of texts that lie on each other.
MISPLACED = """
[...document.querySelectorAll("svg")].filter(svg => svg.getClientRects().length).flatMap(svg => {
  const frame = svg.getBoundingClientRect(), wrong = [];
  const texts = [...svg.querySelectorAll("text")]
    .map(t => [t.textContent, t.getBoundingClientRect()]);
  texts.forEach(([text, box], i) => {
    if (box.left < frame.left - 1 || box.right > frame.right + 1 ||
        box.top < frame.top - 2 || box.bottom > frame.bottom + 2) wrong.push("outside: " + text);
    texts.slice(i + 1).forEach(([other, b]) => {
      if (Math.min(box.right, b.right) - Math.max(box.left, b.left) > 1 &&
          Math.min(box.bottom, b.bottom) - Math.max(box.top, b.top) > 4)
        wrong.push(text + " on " + other);
    });
  });
  return wrong;
})
"""


@dataclass
class Tab:
    """One tab: what it shows, what it asked for, and what it complained about."""

    socket: websocket.WebSocket
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _number: int = 0

    def call(self, method: str, **params: Any) -> dict:
        """Send one command and return its result; events on the way are noted."""
        self._number += 1
        self.socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]

    def open(self, page: Path, width: int) -> None:
        """Load a page at a width of so many CSS pixels and wait until it stands."""
        self._resize(width, 900)
        self.requests.clear()
        self.complaints.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def ask(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def picture(self, target: Path, width: int) -> None:
        """Write the whole page as PNG."""
        self._resize(width, self.ask("document.documentElement.scrollHeight"))
        data = self.call("Page.captureScreenshot")["data"]
        target.write_bytes(base64.b64decode(data))

    def _resize(self, width: int, height: int) -> None:
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    def _next(self) -> dict:
        message = json.loads(self.socket.recv())
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.complaints.append(str(params["args"]))
            case "Log.entryAdded":
                self.complaints.append(params["entry"]["text"])
        return message


@contextmanager
def open_browser() -> Iterator[Tab]:
    """Start Chromium with one tab, and end it."""
    program = browser()
    assert program, "no Chromium is installed"
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            [program, *_OPTIONS, *sandbox, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            tab = _tab(_port(Path(folder) / "DevToolsActivePort", process))
            try:
                yield tab
            finally:
                tab.socket.close()
        finally:
            process.terminate()
            process.wait(timeout=20)


def _port(file: Path, process: subprocess.Popen) -> str:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if file.is_file() and (text := file.read_text()).count("\n"):
            return text
        assert process.poll() is None, "Chromium ended at once"
        time.sleep(0.05)
    raise AssertionError("Chromium did not open its debugging port")


def _tab(port: str) -> Tab:
    number, path = port.split("\n")[:2]
    root = websocket.create_connection(f"ws://127.0.0.1:{number}{path}", timeout=30)
    browser_tab = Tab(root)
    target = browser_tab.call("Target.createTarget", url="about:blank")["targetId"]
    root.close()
    address = f"ws://127.0.0.1:{number}/devtools/page/{target}"
    tab = Tab(websocket.create_connection(address, timeout=30))
    for domain in ("Page", "Network", "Runtime", "Log"):
        tab.call(f"{domain}.enable")
    return tab
