"""Where the machine's own Chromium is, and how to start it."""

import os
import shutil

HOW_TO_GET = "no Chromium on this machine; get it by: apt-get install chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def path() -> str | None:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (MAC if os.path.exists(MAC) else None)


def missing() -> str | None:
    return None if path() else HOW_TO_GET


def arguments() -> list[str]:
    """Without the browser's own calls home, which a test must not depend on."""
    quiet = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    return [*quiet, "--no-sandbox"] if os.geteuid() == 0 else quiet  # Chromium refuses a sandbox to root
