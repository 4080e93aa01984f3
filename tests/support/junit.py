"""Counts the test cases of a Meson junit report: prints "passed failed".

A program that crashed, timed out or ended badly without a failed case counts as one failure, and so does a
missing report: what did not run has not passed. Skipped cases count as failures, because nothing may be
skipped silently.
"""
import sys
import xml.etree.ElementTree as tree


def count(path, status):
    try:
        suites = tree.parse(path).getroot().iter("testsuite")
    except (OSError, tree.ParseError) as problem:
        print(f"no report: {problem}", file=sys.stderr)
        return 0, 1
    passed = failed = 0
    for suite in suites:
        cases_passed = cases_failed = 0
        for case in suite.iter("testcase"):
            if any(case.find(kind) is not None for kind in ("failure", "error", "skipped")):
                cases_failed += 1
                print(f"not ok {suite.get('name')} {case.get('name')}", file=sys.stderr)
            else:
                cases_passed += 1
        if cases_failed == 0 and int(suite.get("failures", 0)) + int(suite.get("errors", 0)) > 0:
            cases_failed = 1
            print(f"not ok {suite.get('name')}", file=sys.stderr)
        passed += cases_passed
        failed += cases_failed
    if status != 0 and failed == 0:
        failed = 1
    return passed, failed


if __name__ == "__main__":
    print(*count(sys.argv[1], int(sys.argv[2])))
