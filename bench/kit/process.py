"""What a process has used, from the kernel's own books."""

import ctypes
import signal
import time
from pathlib import Path

QUIET_SHARE = 0.02  # Of one core: below it a server is idle.
QUIET_STEP_S = 0.05
QUIET_STEPS = 3
QUIET_WAIT_MAX_S = 5.0

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """For a child between fork and exec: the kernel ends it when its parent ends in any way."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Account:
    """Processor time and memory of one running process."""

    def __init__(self, pid: int):
        self._proc = Path(f"/proc/{pid}")
        # CLOCK_PROCESS_CPUTIME_ID of another process (clock_getcpuclockid(3)): the sum that
        # /proc/PID/stat shows as utime + stime, all threads and ended ones included, but in
        # nanoseconds instead of steps of 10 ms.
        self._clock = (~pid << 3) | 2

    def cpu_seconds(self) -> float:
        return time.clock_gettime_ns(self._clock) * 1e-9

    def reset_peak(self) -> None:
        """Lets peak_rss_mb() begin anew from what is resident now."""
        (self._proc / "clear_refs").write_text("5")

    def peak_rss_mb(self) -> float:
        return self._status_mb("VmHWM")

    def rss_mb(self) -> float:
        return self._status_mb("VmRSS")

    def anonymous_mb(self) -> float:
        """The part of rss_mb() that is not pages of files: heap and stacks."""
        return self._status_mb("RssAnon")

    def read_bytes(self) -> int:
        """What it has read of files, cached or not."""
        return int((self._proc / "io").read_text().split("rchar:")[1].split()[0])

    def threads(self) -> int:
        return len(list((self._proc / "task").iterdir()))

    def descriptors(self) -> int:
        return len(list((self._proc / "fd").iterdir()))

    def wait_until_idle(self) -> None:
        """Until the process has used nearly nothing for a moment, so that work it put off (flushes,
        garbage collection) is charged to what caused it; or for at most QUIET_WAIT_MAX_S."""
        deadline = time.monotonic() + QUIET_WAIT_MAX_S
        quiet = 0
        used = self.cpu_seconds()
        while quiet < QUIET_STEPS and time.monotonic() < deadline:
            time.sleep(QUIET_STEP_S)
            now = self.cpu_seconds()
            quiet = quiet + 1 if now - used < QUIET_SHARE * QUIET_STEP_S else 0
            used = now

    def _status_mb(self, field: str) -> float:
        for line in (self._proc / "status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024 / 1e6
        raise KeyError(field)
