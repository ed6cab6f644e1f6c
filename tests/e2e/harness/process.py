"""Child processes that end with the test run, whichever way it ends."""

import atexit
import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_running = set()


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _environment(extra):
    """Ours without the variables that would configure a node, and `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    return {**kept, **(extra or {})}


class Process:
    """A daemon with its output in a file. Ended by its process id, at the latest at exit."""

    def __init__(self, command, log, env=None):
        self.log = pathlib.Path(log)
        self._file = open(self.log, "ab")
        self._child = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=self._file,
            stderr=self._file, env=_environment(env), preexec_fn=_die_with_parent)
        self.pid = self._child.pid
        _running.add(self)

    def alive(self):
        return self._child.poll() is None

    def descriptors(self):
        """How many are open that are no files: sockets, and what waits for them."""
        count = 0
        for one in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                count += not os.readlink(f"/proc/{self.pid}/fd/{one}").startswith("/")
        return count

    def memory(self):
        """Bytes that are resident and its own."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) << 10

    def send(self, number):
        self._child.send_signal(number)

    def end(self, number=signal.SIGTERM, seconds=60):
        """Sends the signal, waits, and returns the exit code (negative: the signal's number)."""
        if self.alive():
            self._child.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds=60):
        try:
            code = self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise AssertionError(f"{self._child.args[0]} did not end:\n{self.tail()}") from None
        finally:
            _running.discard(self)
            self._file.close()
        return code

    def tail(self, lines=40):
        text = self.log.read_text(errors="replace").splitlines()
        return "\n".join(line[:300] for line in text[-lines:])


@atexit.register
def _end_all():
    for process in list(_running):
        process.end(signal.SIGKILL)


def end_processes_naming(folder):
    """Ends what a daemon of ours left behind, known by our own folder on its command line."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def run(command, env=None, input=None, seconds=600):
    """Runs a command to its end and returns what it printed; a failure shows its errors."""
    command = [str(part) for part in command]
    done = subprocess.run(command, env=_environment(env), input=input, timeout=seconds,
                          stdin=subprocess.DEVNULL if input is None else None,
                          capture_output=True, check=False)
    assert done.returncode == 0, (f"{' '.join(command)}\nexited with {done.returncode}:\n"
                                  f"{done.stdout.decode()}\n{done.stderr.decode()}")
    return done.stdout.decode()


def until(condition, what, seconds=60):
    """Waits for something that another process does; `condition` is asked again and again."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
