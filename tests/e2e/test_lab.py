"""The swarm lab itself: a short run through the real command gives a report that is whole and adds
up. How fast it went is no matter here."""

import html.parser
import json
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

import pytest

from harness.node import BINARY
from harness.process import run

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench"))  # Last: only what nobody else has comes from there.

from lab import bars, report, svg  # noqa: E402
from lab.bound import binary_tree, bound, one_server  # noqa: E402
from lab.measure import percentile, skew  # noqa: E402
from lab.rows import of_hosts, one_after_the_other  # noqa: E402

MIB = 1 << 20
HOSTS, SIZE_MIB = 4, 16


def lab(*arguments):
    return subprocess.run(
        [str(part) for part in (ROOT / "bench/run", "swarm", "--build", BINARY.parents[1],
                                *arguments)],
        capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def short_run(session_folder):
    """Its JSON, its HTML and what it printed."""
    data, page = session_folder / "lab.json", session_folder / "lab.html"
    done = lab("W1", "W2", "--hosts", HOSTS, "--size", SIZE_MIB, "--json", data, "--html", page)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(data.read_text()), page.read_text(), done.stdout


def rounds(result):
    return {key: row["rounds"][0] for key, row in result["rows"].items() if row["rounds"]}


def test_every_pull_of_a_short_run_ends(short_run):
    result, _, printed = short_run
    of = rounds(result)
    assert set(of) == {"W1", "W1 read"}
    for one in of.values():
        assert one["failed"] == []
        assert (one["hosts"], one["bytes"]) == (HOSTS, SIZE_MIB * MIB)
        assert len(one["complete_s"]) == HOSTS
        assert 0 < one["p50_s"] <= one["p99_s"] <= one["max_s"] == max(one["complete_s"].values())
    assert len(of["W1 read"]["clients_end_s"]) == HOSTS
    assert "pull-through" in printed and result["rows"]["W2"]["rounds"] == []


def test_the_bytes_of_a_short_run_add_up(short_run):
    for one in rounds(short_run[0]).values():
        peers = set(one["complete_s"])
        received = {name: count for name, count in one["received_bytes"].items() if name in peers}
        assert set(received) == peers
        assert all(count >= one["bytes"] for count in received.values())
        assert sum(one["sent_bytes"].values()) >= sum(received.values())
        seed, = set(one["received_bytes"]) - peers
        assert one["received_bytes"][seed] == 0
        assert one["wire_sent"][seed] > one["sent_bytes"][seed] >= one["bytes"]
        assert one["seed_copies_wire"] == pytest.approx(one["wire_sent"][seed] / one["bytes"])
        assert one["duplicate_share"] == pytest.approx(
            sum(received.values()) / (HOSTS * one["bytes"]) - 1)


def test_the_bound_of_a_short_run_is_that_of_the_links_it_measured(short_run):
    for one in rounds(short_run[0]).values():
        down = [rates[1] * 125_000 for name, rates in one["links_mbit"].items()
                if name in one["complete_s"]]
        assert one["bound_s"] >= one["bytes"] / min(down) * 0.999
        assert one["over_bound"] == pytest.approx(one["max_s"] / one["bound_s"])
        # The links were what they were shaped to: less their headers, and no faster.
        assert all(30 < rate < 64 for rates in one["links_mbit"].values() for rate in rates)


def test_a_member_that_sends_bad_pieces_is_barred_and_fails_no_pull(session_folder):
    data = session_folder / "liar.json"
    done = lab("W8", "--hosts", 6, "--size", 32, "--json", data, "--html",
               session_folder / "liar.html")
    assert done.returncode == 0, done.stdout + done.stderr
    one = rounds(json.loads(data.read_text()))["W8 liar"]
    assert one["failed"] == [] and one["node_failures"] == []
    assert one["liar_asked_by"] > 0 and one["wrong_bytes"] > 0
    assert one["liar_not_barred_by"] == 0


class Tags(html.parser.HTMLParser):
    """Which are open at the end; those that need no end are not counted."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "html"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_of_a_short_run_is_whole(short_run):
    result, page, _ = short_run
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    for row in result["rows"].values():
        assert row["label"] in page
    charts = re.findall(r"<svg viewBox.*?</svg>", page)
    assert len(charts) >= 7  # Completions; for each row the pieces, and the links both ways.
    for chart in charts:
        assert len(xml.etree.ElementTree.fromstring(chart)) > 5
    assert "http://" not in re.sub(r'xmlns="[^"]*"', "", page)  # It needs nothing else.
    assert "Kraken" in page and "not measured here" in page


def test_a_short_run_leaves_nothing_behind(short_run):
    hosts = rounds(short_run[0])["W1"]["links_mbit"]
    left = run(["ip", "netns", "list"]).split()
    assert not set(left) & {*hosts, *(name.split("-")[0] for name in hosts)}
    owners = {name.split("-")[0] for name in hosts}
    assert not [path for owner in owners
                for path in pathlib.Path("/var/tmp").glob(f"shoal-{owner}-*")]


def test_a_workload_that_does_not_exist_is_named():
    done = lab("W11")
    assert done.returncode == 2 and "no workload W11" in done.stderr


def test_the_bound_is_the_largest_of_its_terms():
    # F = 100; a seed of 10, four hosts that send 10 and receive 10, 20, 20, 40.
    of = bound(100, [10], [10] * 4, [10, 20, 20, 40])
    assert (of.seeds_s, of.slowest_s, of.uploads_s) == (10, 10, 8)
    assert bound(100, [5], [10] * 4, [20] * 4).seconds == 20
    assert bound(100, [10], [0] * 4, [100] * 4).seconds == 40
    assert one_server(100, 10, [10, 10, 10]) == 30
    # Two children of the seed get half of its rate each; one more level costs two pieces.
    assert binary_tree(100, 100, 2, 10) == pytest.approx(20)
    assert binary_tree(100, 100, 6, 10) == pytest.approx(20.2)
    assert binary_tree(100, 100, 1, 10) == pytest.approx(10)


def test_percentiles_are_values_that_were_measured():
    values = [5, 1, 4, 2, 3]
    shares = (0, 0.2, 0.5, 0.8, 0.99, 1)
    assert [percentile(values, share) for share in shares] == [1, 1, 3, 4, 5, 5]
    assert percentile(range(1, 201), 0.99) == 198
    assert skew([1, 1, 4]) == 2 and skew([0, 0]) == 1


def test_an_axis_has_round_ticks_within_its_range():
    assert svg.Scale(0, 1, 0, 100).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert svg.Scale(3, 19, 0, 100).ticks(4) == [5, 10, 15]
    assert svg.Scale(1, 60, 0, 100, log=True).ticks() == [1, 2, 5, 10, 20, 50]
    assert svg.Scale(1, 100, 0, 200, log=True)(10) == pytest.approx(100)
    assert svg.Scale(0, 10, 100, 0)(2.5) == 75


def test_the_figures_of_some_hosts_are_theirs_alone():
    figures = {"hosts": 3, "bound_s": 2.0, "complete_s": {"a": 2.0, "b": 3.0, "c": 9.0},
               "half_by_host_s": {"a": 1.0, "c": 5.0}, "over_bound": 4.5, "half_s": 5.0}
    two = of_hosts(figures, ["a", "b"])
    assert (two["hosts"], two["max_s"], two["over_bound"], two["half_s"]) == (2, 3.0, 1.5, 1.0)
    assert of_hosts(figures, ["c"], 3.0)["over_bound"] == 3
    assert "max_s" not in of_hosts(figures, ["d"])


def test_waves_add_up():
    wave = {"hosts": 2, "bytes": 100, "bound_s": 10.0, "failed": [], "max_s": 12.0,
            "sent_bytes": {"seed": 100, "a": 50}, "wire_sent": {"seed": 110, "a": 55},
            "cpu_s_per_gib": 3.0, "machine_busy": 0.5, "peak_rss_mb": 60.0,
            "complete_s": {"a": 11.0, "b": 12.0}, "over_bound": 1.2}
    both = one_after_the_other([wave, {**wave, "complete_s": {"c": 11.0, "d": 12.0}}], "seed")
    assert (both["hosts"], both["max_s"], both["bound_s"]) == (4, 24.0, 20.0)
    assert both["over_bound"] == pytest.approx(1.2)
    assert both["seed_copies_wire"] == pytest.approx(2.2)


def test_a_bar_is_met_or_not_by_the_median():
    rows = {"W3": {"rounds": [{"over_bound": ratio} for ratio in (1.1, 1.2, 9.0)]}}
    judged = {one["what"]: one["met"] for one in bars.judge(rows)}
    assert judged["W3 layers / bound"] == "bar"
    assert judged["W7 survivors / bound"] is None
    assert report.cell([{"x": 1.0}, {"x": 3.0}], "x", 1) == "2.00 (1.00-3.00)"
    assert report.cell([{"x": 1.0}], "x", 1) == "1.00" and report.cell([{}], "x", 1) == ""
