#include "orchestrator/cccf/docker_flags.h"

#include <algorithm>
#include <array>

namespace shoal {
namespace {

struct Row {
  std::string_view name;
  DockerFlag flag;
};

using enum FlagKind;

/// Where an empty text is no less a value than others.
constexpr std::string_view kNever = "\n";

// `docker run --help` of Docker 20.10, with cccf's own names first. Sorted by name.
constexpr std::array kRows = {
    Row{"add-host", {set, "add-host", ""}},
    Row{"c", {amount, "cpu", "0"}},
    Row{"cap-add", {set, "cap-add", ""}},
    Row{"cap-drop", {set, "cap-drop", ""}},
    Row{"cgroup-parent", {text, "cgroup-parent", ""}},
    Row{"cpu", {amount, "cpu", "0"}},
    Row{"cpu-shares", {amount, "cpu", "0"}},
    Row{"cpus", {amount, "cpus", "0"}},
    Row{"cpuset-cpus", {text, "cpuset-cpus", ""}},
    Row{"device", {set, "device", ""}},
    Row{"dns", {list, "dns", ""}},
    Row{"dns-option", {list, "dns-option", ""}},
    Row{"dns-search", {list, "dns-search", ""}},
    Row{"e", {pairs, "env", ""}},
    Row{"entrypoint", {text, "entrypoint", kNever}},
    Row{"env", {pairs, "env", ""}},
    Row{"expose", {expose, "expose", ""}},
    Row{"group-add", {set, "group-add", ""}},
    Row{"h", {text, "hostname", ""}},
    Row{"health-cmd", {text, "health-cmd", ""}},
    Row{"health-interval", {span, "health-interval", "0ms"}},
    Row{"health-retries", {amount, "health-retries", "0"}},
    Row{"health-start-period", {span, "health-start-period", "0ms"}},
    Row{"health-timeout", {span, "health-timeout", "0ms"}},
    Row{"hostname", {text, "hostname", ""}},
    Row{"i", {on, "interactive", ""}},
    Row{"init", {on, "init", ""}},
    Row{"interactive", {on, "interactive", ""}},
    Row{"ipc", {text, "ipc", ""}},
    Row{"l", {pairs, "labels", ""}},
    Row{"label", {pairs, "labels", ""}},
    Row{"labels", {pairs, "labels", ""}},
    Row{"link", {set, "links", ""}},
    Row{"links", {set, "links", ""}},
    Row{"log-driver", {text, "log-driver", ""}},
    Row{"log-opt", {pairs, "log-opt", ""}},
    Row{"m", {bytes, "memory", "0"}},
    Row{"memory", {bytes, "memory", "0"}},
    Row{"memory-reservation", {bytes, "memory-reservation", "0"}},
    Row{"memory-swap", {bytes, "memory-swap", "0"}},
    Row{"mount", {set, "mount", ""}},
    Row{"net", {text, "network", "default"}},
    Row{"network", {text, "network", "default"}},
    Row{"no-healthcheck", {on, "no-healthcheck", ""}},
    Row{"oom-score-adj", {amount, "oom-score-adj", "0"}},
    Row{"p", {ports, "ports", ""}},
    Row{"pid", {text, "pid", ""}},
    Row{"pids-limit", {amount, "pids-limit", "0"}},
    Row{"ports", {ports, "ports", ""}},
    Row{"privileged", {on, "privileged", ""}},
    Row{"publish", {ports, "ports", ""}},
    Row{"read-only", {on, "read-only", ""}},
    Row{"restart", {text, "restart", "no"}},
    Row{"rm", {on, "rm", ""}},
    Row{"runtime", {text, "runtime", ""}},
    Row{"security-opt", {set, "security-opt", ""}},
    Row{"shm-size", {bytes, "shm-size", "0"}},
    Row{"stop-signal", {text, "stop-signal", ""}},
    Row{"stop-timeout", {span, "stop-timeout", "10000ms"}},
    Row{"stop_grace", {span, "stop-timeout", "10000ms"}},
    Row{"sysctl", {pairs, "sysctl", ""}},
    Row{"t", {on, "tty", ""}},
    Row{"tmpfs", {set, "tmpfs", ""}},
    Row{"tty", {on, "tty", ""}},
    Row{"u", {text, "user", ""}},
    Row{"ulimit", {set, "ulimit", ""}},
    Row{"user", {text, "user", ""}},
    Row{"userns", {text, "userns", ""}},
    Row{"uts", {text, "uts", ""}},
    Row{"v", {volumes, "volumes", ""}},
    Row{"volume", {volumes, "volumes", ""}},
    Row{"volumes", {volumes, "volumes", ""}},
    Row{"volumes-from", {set, "volumes-from", ""}},
    Row{"volumes_from", {set, "volumes-from", ""}},
    Row{"w", {text, "workdir", ""}},
    Row{"workdir", {text, "workdir", ""}},
};
constexpr auto kByName = [](const Row& a, const Row& b) { return a.name < b.name; };
static_assert(std::is_sorted(kRows.begin(), kRows.end(), kByName));

// `name` is set from the id, `d` and `detach` say how the command line waits.
constexpr std::array<std::string_view, 12> kAboutPlacement = {
    "scale",  "host", "placement", "constraints", "affinities", "depends",
    "health", "name", "driver",    "d",           "detach",     "fingerprint"};

}  // namespace

DockerFlag docker_flag(std::string_view field) {
  const auto row = std::lower_bound(kRows.begin(), kRows.end(), Row{field, {}}, kByName);
  if (row != kRows.end() && row->name == field) return row->flag;
  return {FlagKind::other, field, {}};
}

bool is_about_placement(std::string_view field) {
  return std::find(kAboutPlacement.begin(), kAboutPlacement.end(), field) != kAboutPlacement.end();
}

}  // namespace shoal
