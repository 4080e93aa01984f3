#!/usr/bin/env python3
"""Each header compiles alone: usage headers.py COMPILER [FLAGS...]. A header that needs another one included
before it works only by luck. What was found sound is remembered in the build directory by the digest of the
header and of all our headers that it reaches: the run after a small change takes seconds, not a minute a core."""
import concurrent.futures
import hashlib
import os
import subprocess
import sys

import layers
import tree

FLAGS = ["-std=c++20", "-fsyntax-only", "-x", "c++", "-fno-exceptions", "-fno-rtti", "-I", tree.ROOT, "-Wall",
         "-Wextra", "-Werror"]


REMEMBERED = "sound-headers"  # in a build directory: a line a digest


def digest_of(path, compiler):
    """Of everything of ours that decides whether the header compiles."""
    waiting, reached = [path], set()
    while waiting:
        reached.add(name := waiting.pop())
        matches = filter(None, map(layers.INCLUDE.match, tree.read(name).splitlines()))
        waiting += [target for target in (match.group(2) for match in matches)
                    if target and target not in reached and os.path.exists(os.path.join(tree.ROOT, target))]
    digest = hashlib.sha256(repr([compiler, FLAGS, path]).encode())
    for name in sorted(reached):
        digest.update(tree.read(name).encode())
    return digest.hexdigest()


def remembered():
    try:
        with open(REMEMBERED, encoding="ascii") as file:
            return set(file.read().split())
    except OSError:
        return set()


def remember(digests):
    if os.path.exists("build.ninja"):
        with open(REMEMBERED, "w", encoding="ascii") as file:
            file.write("\n".join(sorted(digests)))


def problem_of(path, compiler):
    result = subprocess.run([*compiler, *FLAGS, "-"], input=f'#include "{path}"\n', capture_output=True,
                            text=True, cwd=tree.ROOT, check=False)
    return None if result.returncode == 0 else f"{path}:1: does not compile alone:\n{result.stderr.strip()}"


def main():
    # Headers of ours only: a private header with a third-party include is compiled by its folder's own build.
    paths = [path for path in tree.files(".h") if not has_foreign_include(path)]
    compiler = sys.argv[1:] or ["g++"]
    digests = {path: digest_of(path, compiler) for path in paths}
    sound = remembered()
    changed = [path for path in paths if digests[path] not in sound]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(changed, pool.map(lambda path: problem_of(path, compiler), changed)))
    problems = [problem for problem in found.values() if problem]
    remember(digests[path] for path in paths if not found.get(path))
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
