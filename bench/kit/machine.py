"""The machine a table was made on: figures without it mean nothing."""

import os
import platform
from pathlib import Path


def describe() -> dict:
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "memory_gib": round(_meminfo_bytes("MemTotal") / 2**30, 1),
        "load": [round(x, 2) for x in os.getloadavg()],
    }


def line(machine: dict) -> str:
    load = " ".join(f"{x:.2f}" for x in machine["load"])
    return (f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
            f"Linux {machine['kernel']}, load average {load}")


def available_memory_bytes() -> int:
    return _meminfo_bytes("MemAvailable")


def _cpu_model() -> str:
    for entry in Path("/proc/cpuinfo").read_text().splitlines():
        if entry.startswith("model name"):
            return entry.split(":", 1)[1].strip()
    return platform.machine()


def _meminfo_bytes(field: str) -> int:
    for entry in Path("/proc/meminfo").read_text().splitlines():
        if entry.startswith(field + ":"):
            return int(entry.split()[1]) * 1024
    return 0
