"""`shoal cccf` as a function, and the published npm packages of the cccf family as its oracle."""

import hashlib
import json
import os
import pathlib
import subprocess

from .node import BINARY
from .process import run

PACKAGES = ("cccf@3.3.0", "cccf-scale@2.0.0", "cccf-diff@3.0.2", "cccf-docker-instructions@3.1.1")
_SCRIPT = pathlib.Path(__file__).with_name("cccf_oracle.js")


def cccf(*arguments, given=""):
    """What `shoal cccf ARGUMENTS` ends with, and prints on stdout and stderr."""
    text = given if isinstance(given, str) else json.dumps(given)
    done = subprocess.run([BINARY, "cccf", *map(str, arguments)], input=text.encode(),
                          capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def cccf_json(*arguments, given=""):
    code, out, err = cccf(*arguments, given=given)
    assert code == 0, err
    return json.loads(out)


def install():
    """The folder with the packages; it is kept from one run to the next, under their versions."""
    name = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    folder = pathlib.Path("/var/tmp") / f"shoal-e2e-npm-{name}"
    done = folder / "installed"
    if not done.exists():
        folder.mkdir(exist_ok=True)
        run(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts",
             *PACKAGES])
        done.touch()
    return folder / "node_modules"


class Oracle:
    """The packages in a process of their own."""

    def __init__(self, modules):
        self.modules = modules
        self._node = subprocess.Popen(
            ["node", _SCRIPT], env={**os.environ, "NODE_PATH": str(modules)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, op, given):
        """{"ok": answer}, or {"error": message, "trace": of cccf's validation}."""
        self._node.stdin.write(json.dumps({"op": op, "input": given}) + "\n")
        self._node.stdin.flush()
        line = self._node.stdout.readline()
        assert line, "the oracle ended"
        return json.loads(line)

    def __call__(self, op, given):
        answer = self.ask(op, given)
        assert "ok" in answer, answer
        return answer["ok"]

    def close(self):
        self._node.stdin.close()
        self._node.wait(10)
        self._node.stdout.close()


def pointers(trace):
    """The JSON pointers of what cccf's validation refused, out of its trace."""
    found = set()

    def walk(node, at):
        for name, below in node.items():
            here = f"{at}/{name}"
            if isinstance(below, dict) and "schema" in below:
                walk(below["schema"], here)
            else:
                found.add(here)

    walk(trace["validation"], "")
    return found
