"""Measures a shoal node beside Debian's docker-registry, doing the same work in turn.

docs/benchmarks.md says what is measured and how. The parts are in kit/, the operations in
registry_ops.py; the bytes are moved by shoal_bench (C++), so that this program is never in the way.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from kit import machine
from kit.generator import Generator, GeneratorError
from kit.servers import Distribution, Server, ServerError, Shoal
from registry_ops import (BULK_FLOORS, BULK_OPERATIONS, NEEDS_LISTS, QUICK, SMALL_FLOORS,
                          SMALL_OPERATIONS, Operation, Session, Settings, push_small)
from registry_report import Results, text

ROOT = Path(__file__).resolve().parent.parent
LABELS = {"distribution": "docker-registry", "shoal": "shoal"}
WARM_BULKS = 8  # Memory to touch first, in bulk sizes: the files and buffers of one round.


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def parse_arguments() -> argparse.Namespace:
    names = [operation.name for operation in BULK_OPERATIONS + SMALL_OPERATIONS] + ["idle", "floor"]
    parser = argparse.ArgumentParser(
        prog="./dev bench registry", description=__doc__.splitlines()[0],
        epilog="Operations: " + ", ".join(names))
    parser.add_argument("--quick", action="store_true", help="a small run: 64 MiB, 2 rounds")
    parser.add_argument("--rounds", type=int, help="how often everything is done (5)")
    parser.add_argument("--only", metavar="OP[,OP]", action="append", default=[],
                        help="these operations alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the JSON goes "
                        "(build/bench-registry.json)", default=ROOT / "build/bench-registry.json")
    parser.add_argument("--seed", type=int, help="of all random content (a new one each time)")
    parser.add_argument("--work-dir", type=Path, default=ROOT / "build", metavar="DIR",
                        help="disk to measure on: a folder is made in it and removed (build)")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", metavar="DIR",
                        help="where the binaries were built (build/release)")
    parser.add_argument("--servers", default="distribution,shoal",
                        help="one or two of distribution, shoal (distribution,shoal)")
    arguments = parser.parse_args()
    arguments.only = {name for names in arguments.only for name in names.split(",")}
    unknown = arguments.only - set(names)
    if unknown:
        parser.error(f"no operation {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    arguments.servers = arguments.servers.split(",")
    if not set(arguments.servers) <= {"distribution", "shoal"} or len(arguments.servers) > 2:
        parser.error("--servers takes one or two of distribution, shoal")
    return arguments


def settings_of(arguments: argparse.Namespace) -> Settings:
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    settings = Settings(seed=seed)
    if arguments.quick:
        settings = replace(settings, **QUICK)
    if arguments.rounds:
        settings = replace(settings, rounds=arguments.rounds)
    if arguments.only and not arguments.only & NEEDS_LISTS:
        settings = replace(settings, tags=1, repositories=0)
    return settings


class Bench:
    """One run: makes the servers, lets them work in turn, and collects what it cost."""

    def __init__(self, arguments: argparse.Namespace, settings: Settings, folder: Path):
        self._arguments = arguments
        self._settings = settings
        self._folder = folder
        self._generator = Generator(arguments.build / "bench/shoal_bench")
        self.results = Results(settings, self._labels())

    def run(self) -> None:
        self._warm_memory()
        bulk = self._chosen(BULK_OPERATIONS)
        if bulk or self._wants("floor"):
            for number in range(self._settings.rounds):
                self._floors(BULK_FLOORS, number)
                with ExitStack() as stack:
                    sessions = [self._session(server, stack) for server in self._servers()]
                    self._round(bulk, sessions, number)
        small = self._chosen(SMALL_OPERATIONS)
        if small or self._wants("idle"):
            with ExitStack() as stack:
                sessions = [self._session(server, stack) for server in self._servers()]
                for number in range(self._settings.rounds if small else 0):
                    self._floors(SMALL_FLOORS, number)
                    self._round(small, sessions, number)
                if self._wants("idle"):
                    for session in sessions:
                        self._idle(session)

    def _wants(self, name: str) -> bool:
        return not self._arguments.only or name in self._arguments.only

    def _chosen(self, operations: list[Operation]) -> list[Operation]:
        return [operation for operation in operations if self._wants(operation.name)]

    def _labels(self) -> list[str]:
        labels = [LABELS[kind] for kind in self._arguments.servers]
        return [label if labels.index(label) == i else f"{label} 2"
                for i, label in enumerate(labels)]

    def _servers(self) -> list[Server]:
        servers: list[Server] = []
        for kind, label in zip(self._arguments.servers, self.results.servers):
            folder = self._folder / label.replace(" ", "-")
            servers.append(Distribution(label, folder) if kind == "distribution" else
                           Shoal(label, folder, self._arguments.build / "cli/shoal"))
        return servers

    def _session(self, server: Server, stack: ExitStack) -> Session:
        return Session(self._generator, stack.enter_context(server), self._settings)

    def _warm_memory(self) -> None:
        """Has the machine back the memory that a round will use. A virtual machine pays for the
        first touch of each page, several times the price of the write itself, and whoever happens
        to run first would be charged for it."""
        size = min(WARM_BULKS * self._settings.bulk_bytes, machine.available_memory_bytes() // 2)
        say(f"touching {size / 1e9:.1f} GB of memory")
        self._generator("warm", "--size", size)

    def _round(self, operations: list[Operation], sessions: list[Session], number: int) -> None:
        for position, operation in enumerate(operations):
            # Turn and turn about, so that neither always runs in the other's wake.
            turns = list(enumerate(sessions))
            for i, session in turns if (number + position) % 2 == 0 else reversed(turns):
                session.round = number
                if operation.shoal_only and not isinstance(session.server, Shoal):
                    continue
                self._measure(operation, session, i)

    def _measure(self, operation: Operation, session: Session, index: int) -> None:
        if operation.prepare:
            operation.prepare(session)
        account = session.server.account
        account.wait_until_idle()
        account.reset_peak()
        before = account.cpu_seconds()
        report = operation.run(session)
        account.wait_until_idle()
        session.server.check_alive()
        cpu = account.cpu_seconds() - before
        sample = {"cpu_seconds": cpu, "cpu": operation.unit.cpu(cpu, report),
                  "rate": operation.unit.rate(report), "peak_rss_mb": account.peak_rss_mb(),
                  "report": report}
        if isinstance(session.server, Shoal) and report.get("ordered") == 0:
            raise GeneratorError(f"{operation.name}: shoal's entries are not in byte order")
        self.results.add(operation, index, sample)
        say(f"round {session.round + 1}/{self._settings.rounds}  {operation.name:<18} "
            f"{session.server.name:<16} {sample['cpu']:10.4f} {operation.unit.cpu_label:<11} "
            f"{sample['rate']:12.1f} {operation.unit.rate_label}")

    def _floors(self, floors: dict, number: int) -> None:
        for name, unit in floors.items():
            report = self._generator(
                "floor", name, "--dir", self._folder, "--size", self._settings.bulk_bytes,
                "--seed", self._settings.seed + number, "--seconds", self._settings.get_seconds)
            report.setdefault("bytes", self._settings.bulk_bytes)
            self.results.add_floor(name, unit, {
                "cpu": unit.cpu(report["cpu_seconds"], report), "rate": unit.rate(report)})

    def _idle(self, session: Session) -> None:
        """Resident memory at rest: after all that work, and of a node that was just started."""
        missing = self._settings.idle_blobs - session.left.get("blobs", 0)
        if missing > 0:
            session.round = self._settings.rounds
            push_small(session, missing, "idle")
        session.server.account.wait_until_idle()
        after_work = session.server.account.rss_mb()
        session.server.stop()
        session.server.start()
        session.server.account.wait_until_idle()
        self.results.add_idle(session.server.name, {
            "blobs": session.left["blobs"], "after_work_mb": after_work,
            "after_start_mb": session.server.account.rss_mb(),
            "after_start_anonymous_mb": session.server.account.anonymous_mb()})


def versions(arguments: argparse.Namespace) -> dict:
    commands = {"distribution": ["docker-registry", "--version"],
                "shoal": [str(arguments.build / "cli/shoal"), "--version"]}
    found = {}
    for kind in sorted(set(arguments.servers)):
        done = subprocess.run(commands[kind], capture_output=True, text=True, check=False)
        found[LABELS[kind]] = (done.stdout or done.stderr).strip()
    return found


def missing_parts(arguments: argparse.Namespace) -> list[str]:
    parts = [str(arguments.build / "bench/shoal_bench")]
    if "shoal" in arguments.servers:
        parts.append(str(arguments.build / "cli/shoal"))
    if "distribution" in arguments.servers:
        parts.append("docker-registry")
    return [part for part in parts if shutil.which(part) is None]


def main() -> int:
    arguments = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # Runs every `finally` on the way out.
    missing = missing_parts(arguments)
    if missing:
        say(f"bench: not there: {', '.join(missing)} (./dev bench builds and installs them)")
        return 1
    settings = settings_of(arguments)
    header = {"machine": machine.describe(), "versions": versions(arguments),
              "settings": asdict(settings)}
    arguments.work_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shoal-bench-", dir=arguments.work_dir) as folder:
        bench = Bench(arguments, settings, Path(folder))
        try:
            bench.run()
        except (GeneratorError, ServerError) as error:
            say(f"bench: {error}")
            return 1
    print(text(header, bench.results))
    arguments.json.write_text(json.dumps(header | bench.results.as_dict(), indent=1) + "\n")
    say(f"\nJSON: {arguments.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
