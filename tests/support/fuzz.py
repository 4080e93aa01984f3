#!/usr/bin/env python3
"""Runs every fuzzer of a build over its corpus and then over new inputs, for a share of the given seconds each.
New inputs stay in the build directory; what crashes is named, and how to run it again."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
PREFIX = "fuzz_"


def fuzzers(build):
    folder = pathlib.Path(build) / "tests" / "fuzz"
    return sorted(path for path in folder.glob(PREFIX + "*") if path.is_file() and os.access(path, os.X_OK))


def run(fuzzer, seconds, build):
    """True when nothing was found."""
    name = fuzzer.name.removeprefix(PREFIX)
    seeds = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
    findings = pathlib.Path(build) / "findings"
    findings.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as new_inputs:
        # -max_total_time=0 would mean for ever; -runs=0 is the corpus alone.
        length = [f"-max_total_time={seconds}"] if seconds > 0 else ["-runs=0"]
        command = [str(fuzzer), *length, "-timeout=10", "-rss_limit_mb=3000", "-print_final_stats=1",
                   f"-artifact_prefix={findings}/{name}-", new_inputs, *seeds]
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                                timeout=seconds + 600)
    good = result.returncode == 0
    runs = [line for line in result.stderr.splitlines() if "number_of_executed_units" in line]
    print(f"{'ok' if good else 'not ok'} {fuzzer.name} {' '.join(runs)}", flush=True)
    if not good:
        print(result.stderr[-4000:], f"\nagain: {fuzzer} {findings}/{name}-...", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description="runs the fuzzers")
    parser.add_argument("--build", required=True, help="build directory with the fuzzers")
    parser.add_argument("--seconds", type=int, default=60, help="for all of them together")
    parser.add_argument("--count", help="file that receives 'passed failed'")
    options = parser.parse_args()
    found = fuzzers(options.build)
    share = options.seconds // max(len(found), 1)
    results = [run(fuzzer, share, options.build) for fuzzer in found]
    # No fuzzer at all is a failure: something is wrong with the build.
    passed, failed = sum(results), len(results) - sum(results) if results else 1
    if options.count:
        pathlib.Path(options.count).write_text(f"{passed} {failed}\n", encoding="ascii")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
