#!/usr/bin/env python3
"""Each header compiles alone: usage headers.py COMPILER [FLAGS...]. A header that needs another one included
before it works only by luck."""
import concurrent.futures
import os
import subprocess
import sys

import layers
import tree

FLAGS = ["-std=c++20", "-fsyntax-only", "-x", "c++", "-fno-exceptions", "-fno-rtti", "-I", tree.ROOT, "-Wall",
         "-Wextra", "-Werror"]


def problem_of(path, compiler):
    result = subprocess.run([*compiler, *FLAGS, "-"], input=f'#include "{path}"\n', capture_output=True,
                            text=True, cwd=tree.ROOT, check=False)
    return None if result.returncode == 0 else f"{path}:1: does not compile alone:\n{result.stderr.strip()}"


def main():
    # Headers of ours only: a private header with a third-party include is compiled by its folder's own build.
    paths = [path for path in tree.files(".h") if not has_foreign_include(path)]
    compiler = sys.argv[1:] or ["g++"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: problem_of(path, compiler), paths)
        problems = [problem for problem in found if problem]
    return tree.report(problems, len(paths), "headers")


def has_foreign_include(path):
    for line in tree.read(path).splitlines():
        match = layers.INCLUDE.match(line)
        target = match.group(2) if match else None
        if target and not layers.STANDARD.fullmatch(target) and not layers.SYSTEM.fullmatch(target):
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
