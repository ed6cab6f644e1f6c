"""Runs shoal_bench, the load generator: one operation, checked answers, one line of JSON."""

import json
import subprocess
from pathlib import Path

from kit.process import die_with_parent

TIMEOUT_S = 900


class GeneratorError(Exception):
    """An operation failed or a server answered wrongly: there is no figure to report."""


class Generator:
    def __init__(self, binary: Path):
        self._binary = binary

    def __call__(self, *arguments: object) -> dict:
        """What the generator reported."""
        command = [str(self._binary), *map(str, arguments)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=TIMEOUT_S, preexec_fn=die_with_parent, check=False)
        if done.returncode != 0:
            raise GeneratorError(f"{' '.join(command)}\n{done.stderr.strip()}")
        return json.loads(done.stdout)
