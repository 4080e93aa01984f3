#!/usr/bin/env python3
"""Each header compiles alone: usage headers.py COMPILER [FLAGS...]. A header that needs another one included
before it works only by luck. One that begins a source of the build is compiled alone by the build. Of the others, what
was found sound is remembered in the build directory by the digest of the header and of all our headers that it reaches."""
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys

import layers
import tree

FLAGS = ["-std=c++20", "-fsyntax-only", "-x", "c++", "-fno-exceptions", "-fno-rtti", "-I", tree.ROOT, "-Wall",
         "-Wextra", "-Werror"]


REMEMBERED = "sound-headers"  # in a build directory: a line a digest
COMMANDS = "compile_commands.json"  # there as well: what the build compiles


def includes(text):
    """(ours, foreign) of each include; one of the two is None."""
    return [match.groups() for match in map(layers.INCLUDE.match, text.splitlines()) if match]


def begun_with(sources, read=tree.read):
    """The headers that come first in one of the sources."""
    return {found[0][0] for found in (includes(read(source)) for source in sources) if found}


def sources_of_the_build():
    """Of this repository, relative to its root. None in a unity build, whose sources are generated, or outside of any."""
    try:
        with open(COMMANDS, encoding="utf-8") as file:
            commands = json.load(file)
    except OSError:
        return []
    ours = set(tree.files(".cc"))
    paths = (os.path.relpath(os.path.join(command["directory"], command["file"]), tree.ROOT) for command in commands)
    return sorted(ours.intersection(paths))


def digest_of(path, compiler, read=tree.read):
    """Of everything of ours that decides whether the header compiles."""
    waiting, reached = [path], set()
    while waiting:
        reached.add(name := waiting.pop())
        waiting += [ours for ours, _ in includes(read(name))
                    if ours and ours not in reached and os.path.exists(os.path.join(tree.ROOT, ours))]
    digest = hashlib.sha256(repr([compiler, FLAGS, path]).encode())
    for name in sorted(reached):
        digest.update(read(name).encode())
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
    built = begun_with(sources_of_the_build())
    paths = [path for path in paths if path not in built]
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
    return any(foreign and not layers.STANDARD.fullmatch(foreign) and not layers.SYSTEM.fullmatch(foreign)
               for _, foreign in includes(tree.read(path)))


if __name__ == "__main__":
    sys.exit(main())
