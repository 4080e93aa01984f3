#!/usr/bin/env python3
"""Runs the integration tests of this folder against the programs of a build directory; see --help."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from support import built, runner  # noqa: E402  the path is set above
from support.pop import Pop  # noqa: E402


def make_session(build):
    built.DIRECTORY = os.path.abspath(build)
    return runner.Session(Pop)


if __name__ == "__main__":
    sys.exit(runner.main(HERE, make_session))
