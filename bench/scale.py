"""Measures what a request costs in a small store and in one a thousand times as large."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from kit.generator import Generator, GeneratorError
from kit.table import number, render

ROOT = Path(__file__).resolve().parent.parent
ROWS = {
    "puts_per_second": "durable blobs a second (48 threads)",
    "tags_per_second": "durable tags a second (48 threads)",
    "blob_p50_us": "find a blob, us",
    "blob_p99_us": "find a blob, 99th percentile",
    "tag_p50_us": "manifest by tag, us",
    "tag_p99_us": "manifest by tag, 99th percentile",
    "page_p50_us": "page of 100 tags, us",
    "page_p99_us": "page of 100 tags, 99th percentile",
    "delete_p50_us": "durable delete, us",
    "delete_p99_us": "durable delete, 99th percentile",
    "open_ms": "open the store, ms",
    "peak_mb": "peak memory, MB",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench scale", description=__doc__)
    parser.add_argument("--blobs", type=int, default=1_000_000, help="of the large store (1000000)")
    parser.add_argument("--tags", type=int, default=100_000, help="of the large store (100000)")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", metavar="DIR")
    parser.add_argument("--work-dir", type=Path, default=ROOT / "build", metavar="DIR")
    parser.add_argument("--json", type=Path, default=ROOT / "build/bench-scale.json")
    arguments = parser.parse_args()

    generator = Generator(arguments.build / "bench/shoal_bench")
    sizes = [(max(arguments.blobs // 1000, 10), max(arguments.tags // 1000, 10)),
             (arguments.blobs, arguments.tags)]
    reports = []
    folder = tempfile.mkdtemp(prefix="bench-scale-", dir=arguments.work_dir)
    try:
        for blobs, tags in sizes:
            print(f"{blobs:,} blobs and {tags:,} tags", file=sys.stderr, flush=True)
            reports.append(generator("scale", "--dir", f"{folder}/store", "--blobs", blobs,
                                     "--tags", tags))
    except GeneratorError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    small, large = reports
    rows = [[label, number(small[name]), number(large[name]), number(large[name] / small[name])]
            for name, label in ROWS.items()]
    headings = ["", *(f"{blobs:,} / {tags:,}" for blobs, tags in sizes), "ratio"]
    print(render(headings, rows))
    arguments.json.write_text(json.dumps(
        [{"blobs": blobs, "tags": tags, **report}
         for (blobs, tags), report in zip(sizes, reports)], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
