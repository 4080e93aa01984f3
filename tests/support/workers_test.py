#!/usr/bin/env python3
"""workers.py: what a process does not tell of is a failure, and who runs beside whom."""
import os
import sys
import types
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support import workers  # noqa: E402  the path is set above


def case(file, name, group="main", alone=False):
    return types.SimpleNamespace(file=file, name=name, group=group, alone=alone, full_name=f"{file}.{name}")


CASES = [case("a", "one"), case("b", "two"), case("a", "three"), case("b", "long", "kills"), case("a", "measures", alone=True)]


def process(code):
    """A command that runs Python with names and count in its arguments."""
    return [sys.executable, "-c", f"import os, sys\nnames, count = sys.argv[2].split(','), sys.argv[4]\n{code}"]


class Workers(unittest.TestCase):
    def failed(self, code):
        sys.stdout.flush()
        return workers.Runner(process(code), 2).run(CASES[:2])

    def test_a_files_tests_stay_together_what_takes_long_begins_and_what_measures_is_alone(self):
        beside, alone = workers.pieces(CASES)
        self.assertEqual([[each.name for each in piece] for piece in beside], [["long"], ["one", "three"], ["two"]])
        self.assertEqual([[each.name for each in piece] for piece in alone], [["measures"]])

    def test_what_a_process_counts_is_believed(self):
        self.assertEqual(self.failed("open(count, 'w').write(f'{len(names)} 0')"), 0)
        self.assertEqual(self.failed("open(count, 'w').write(f'{len(names) - 1} 1'); sys.exit(1)"), 1)

    def test_a_process_that_tells_nothing_or_too_little_has_failed_all_of_its_tests(self):
        self.assertEqual(self.failed("os.abort()"), 2)
        self.assertEqual(self.failed("sys.exit(0)"), 2)
        self.assertEqual(self.failed("open(count, 'w').write('1 0')"), 2)

    def test_each_process_knows_its_place_and_two_never_have_the_same(self):
        self.assertEqual(self.failed(f"assert os.environ[{workers.WORKER!r}] in ('0/2', '1/2'); open(count, 'w').write('2 0')"), 0)


if __name__ == "__main__":
    unittest.main()
