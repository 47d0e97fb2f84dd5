"""Starts Forklore in a process of its own and ends it by its pid."""

import subprocess
import threading
from pathlib import Path
from typing import Self

STARTED = "Forklore is at "


class Server:
    """`url` is where it answers; `said` is what it printed before that. Raises RuntimeError if it does not start."""

    def __init__(self, command: list[str], directory: Path, environment: dict[str, str]):
        self.said: list[str] = []
        self.process = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        self.url = self._wait_for_address()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)  # seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _wait_for_address(self) -> str:
        output = self.process.stdout
        assert output
        for line in output:
            if line.startswith(STARTED):
                threading.Thread(target=output.read, daemon=True).start()  # a full pipe would stop the server
                return line.removeprefix(STARTED).split()[0]
            self.said.append(line)
        raise RuntimeError(f"Forklore did not start: exit code {self.process.wait()}.")
