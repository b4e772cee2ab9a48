"""A page on paper, through the browser that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from customerlab.errors import CustomerlabError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)
_SECONDS = 120


def browser() -> str | None:
    """Return the path of an installed Chromium or Chrome, or None."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def render_pdf(page: Path, target: Path) -> bool:
    """Print a page to a PDF.

    Parameters
    ----------
    page : Path
        A rendered page.
    target : Path
        Written whole, or not at all.

    Returns
    -------
    bool
        False where no browser is installed.

    Raises
    ------
    CustomerlabError
        When the browser is there and fails.
    """
    program = browser()
    if program is None:
        return False
    # as root, in containers, Chromium only starts without its sandbox
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with TemporaryDirectory() as folder:
        part = Path(folder) / "page.pdf"
        command = [
            program,
            *_OPTIONS,
            *sandbox,
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={part}",
            page.resolve().as_uri(),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise CustomerlabError(
                f"{program} did not print {page} within {_SECONDS} seconds"
            ) from None
        if done.returncode != 0 or not part.is_file():
            last = "\n".join(done.stderr.strip().splitlines()[-3:])
            raise CustomerlabError(f"{program} could not print {page}: {last}")
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.part")
        shutil.copyfile(part, beside)
        beside.replace(target)
    return True
