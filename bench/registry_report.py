"""What the registry benchmark found, as a table for people and as a document for programs."""

from kit import machine
from kit.stats import median, ratio, summary
from kit.table import number, render
from registry_ops import (BULK_OPERATIONS, FLOOR_TITLES, SMALL_OPERATIONS, Operation, Settings,
                          Unit)

PEAK_BAR_MB = 150
IDLE_BAR_MB = 40


class Results:
    """Samples by operation and server; the last server is the one that has a bar to meet."""

    def __init__(self, settings: Settings, servers: list[str]):
        self.settings = settings
        self.servers = servers
        self.idle: dict[str, dict] = {}
        self._samples: dict[str, list[list[dict]]] = {}
        self._floors: dict[str, tuple[Unit, list[dict]]] = {}

    def add(self, operation: Operation, server: int, sample: dict) -> None:
        columns = self._samples.setdefault(operation.name, [[] for _ in self.servers])
        columns[server].append(sample)

    def add_floor(self, name: str, unit: Unit, sample: dict) -> None:
        self._floors.setdefault(name, (unit, []))[1].append(sample)

    def add_idle(self, server: str, sample: dict) -> None:
        self.idle[server] = sample

    def operations(self) -> list[Operation]:
        return [op for op in BULK_OPERATIONS + SMALL_OPERATIONS if op.name in self._samples]

    def values(self, operation: Operation, server: int, metric: str) -> list[float]:
        return [sample[metric] for sample in self._samples[operation.name][server]]

    def floor(self, name: str | None, metric: str) -> float | None:
        return median([s[metric] for s in self._floors[name][1]]) if name in self._floors else None

    def floors(self) -> dict[str, Unit]:
        return {name: unit for name, (unit, _) in self._floors.items()}

    def peak_rss_mb(self, server: int) -> float | None:
        peaks = [sample["peak_rss_mb"] for columns in self._samples.values()
                 for sample in columns[server]]
        return max(peaks, default=None)

    def met(self, operation: Operation) -> bool | None:
        """Nothing where there is no bar, or no shoal to hold against it."""
        if operation.bar is None or "shoal" not in self.servers:
            return None
        shoal = self.servers.index("shoal")
        value = median(self.values(operation, shoal, operation.bar.metric))
        return None if value is None else operation.bar.met(value)

    def as_dict(self) -> dict:
        operations = []
        for operation in self.operations():
            servers = {}
            for i, name in enumerate(self.servers):
                servers[f"{name}"] = {
                    "cpu": summary(self.values(operation, i, "cpu")),
                    "rate": summary(self.values(operation, i, "rate")),
                    "peak_rss_mb": max(self.values(operation, i, "peak_rss_mb"), default=None),
                    "samples": self._samples[operation.name][i],
                }
            operations.append({
                "name": operation.name, "title": operation.title,
                "cpu_unit": operation.unit.cpu_label, "rate_unit": operation.unit.rate_label,
                "servers": servers, "floor": operation.floor,
                "bar": operation.bar and {"metric": operation.bar.metric,
                                          "limit": operation.bar.limit},
                "met": self.met(operation)})
        floors = {name: {"cpu": summary([s["cpu"] for s in samples]),
                         "rate": summary([s["rate"] for s in samples]),
                         "cpu_unit": unit.cpu_label, "rate_unit": unit.rate_label}
                  for name, (unit, samples) in self._floors.items()}
        return {"operations": operations, "floors": floors, "idle": self.idle,
                "peak_rss_mb": {name: self.peak_rss_mb(i)
                                for i, name in enumerate(self.servers)}}


def yes_no(met: bool | None) -> str:
    return "" if met is None else "yes" if met else "NO"


def text(header: dict, results: Results) -> str:
    settings = results.settings
    lines = [machine.line(header["machine"]),
             *(f"{name}: {version}" for name, version in header["versions"].items()),
             f"{settings.rounds} rounds in turn, medians; bulk {settings.bulk_bytes >> 20} MiB; "
             f"seed {settings.seed}",
             "CPU is the server's own; the ratios say how many times shoal is the cheaper, the "
             "faster; MB is the peak resident set", "", _operations(results)]
    if results.floors():
        lines += ["", _floors(results)]
    lines += ["", _memory(results)]
    return "\n".join(lines)


def _operations(results: Results) -> str:
    pair = len(results.servers) == 2
    short = [_short(name) for name in results.servers]
    headings = ["operation", "CPU per", *short, *(["ratio"] if pair else []), "floor", "bar", "met",
                *(f"{name} rate" for name in short), *(["ratio"] if pair else []),
                *(f"{name} MB" for name in short)]
    rows = []
    for operation in results.operations():
        unit = operation.unit
        cpu, rate = ([median(results.values(operation, i, metric))
                      for i in range(len(results.servers))] for metric in ("cpu", "rate"))
        peak = [max(results.values(operation, i, "peak_rss_mb"), default=None)
                for i in range(len(results.servers))]
        rows.append([
            operation.title, unit.cpu_label, *map(number, cpu),
            *([_times(ratio(cpu[0], cpu[1]))] if pair else []),
            number(results.floor(operation.floor, "cpu")),
            str(operation.bar or ""), yes_no(results.met(operation)),
            *(value and f"{number(value)} {unit.rate_label}" for value in rate),
            *([_times(ratio(rate[1], rate[0]))] if pair else []), *map(number, peak)])
    return render(headings, [[cell or "" for cell in row] for row in rows])


def _short(server: str) -> str:
    return server.replace("docker-registry", "Distr.")


def _floors(results: Results) -> str:
    rows = [[FLOOR_TITLES[name], unit.cpu_label, number(results.floor(name, "cpu")),
             unit.rate_label, number(results.floor(name, "rate"))]
            for name, unit in results.floors().items()]
    return render(["the machine alone", "CPU per", "CPU", "rate in", "rate"], rows)


def _memory(results: Results) -> str:
    rows = []

    def row(title: str, values: list[float | None], bar: float) -> None:
        shoal = values[results.servers.index("shoal")] if "shoal" in results.servers else None
        met = None if shoal is None else shoal < bar
        rows.append([title, *map(number, values), f"< {bar}", yes_no(met)])

    row("peak in all of it", [results.peak_rss_mb(i) for i in range(len(results.servers))],
        PEAK_BAR_MB)
    if results.idle:
        blobs = min(sample["blobs"] for sample in results.idle.values())
        for key, title in (("after_work_mb", "idle after the work"),
                           ("after_start_mb", "idle after a start")):
            values = [results.idle.get(name, {}).get(key) for name in results.servers]
            row(f"{title}, {blobs:,} blobs", values, IDLE_BAR_MB)
    return render(["resident memory, MB", *map(_short, results.servers), "bar", "met"],
                  rows)


def _times(value: float | None) -> str:
    return "" if value is None else f"{number(value)}x"
