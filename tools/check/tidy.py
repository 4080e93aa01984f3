#!/usr/bin/env python3
"""House style that a program can check (CONTRIBUTING.md, "Style"). Every rule says what to do instead."""
import os
import re
import sys

import functions
import tree

FILE_LINES_MAX = 700
LINE_COLUMNS_MAX = 110       # C++; scripts and build files, which have no formatter here:
SCRIPT_COLUMNS_MAX = 150
CPP = (".h", ".cc")
TEXT = CPP + (".py", ".build", ".js", ".mjs", ".sh")


class Ban:
    """A pattern that must not appear in code (comments and strings are blanked first)."""

    def __init__(self, pattern, instead, only_in=(), except_in=()):
        self.pattern = re.compile(pattern)
        self.instead = instead
        self.only_in = tuple(only_in)      # "": everywhere
        self.except_in = tuple(except_in)  # files and folders with a reason

    def applies(self, path):
        inside = not self.only_in or path.startswith(self.only_in)
        return inside and not path.startswith(self.except_in) if self.except_in else inside


SHIPPED = ("edge/", "storage/", "replication/", "tools/", "bench/load/")
# Owners of threads: a loop per core, the commit thread, the agent, the centre, DNS, the dialer of a NATS connection.
THREAD_OWNERS = ("edge/core/", "edge/upstream/resolver", "storage/commit_thread", "storage/purge_thread",
                 "replication/nats/connection", "replication/agent",
                 "replication/central/", "tools/provider/main.cc",
                 "tools/provider/server", "bench/load/", "tests/", "bench/micro/")

BANS = [
    Ban(r"\bstd::j?thread\b|\bpthread_create\b", "threads belong to the classes that own one", ("",),
        THREAD_OWNERS),
    Ban(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.>:])sleep\(",
        "wait for the event, or use the timer wheel", ("",),
        ("tools/nodex/chat.cc", "tools/nodex/body.cc")),
    Ban(r"\b(system|steady|high_resolution)_clock::now\b|\bclock_gettime\b|\bgettimeofday\b"
        r"|(?<![\w.>])time\((nullptr|NULL|0)\)",
        "take a Clock (edge/base/clock.h)", SHIPPED,
        ("edge/base/clock.cc", "edge/base/log.cc", "edge/io/", "bench/load/")),
    Ban(r"(?<![\w.>])s?rand\(|\brandom_device\b|\bmt19937", "take a Random (edge/base/random.h)"),
    Ban(r"(?<![\w.>:])assert\(", "NX_ASSERT, which stays on in release builds"),
    Ban(r"\b(throw|try|catch)\b(?!_)", "Result (edge/base/result.h)", SHIPPED,
        ("edge/base/command_line.h",)),  # CLI11 throws what it has to say of a command line
    Ban(r"\bdynamic_cast\b|\btypeid\b", "a virtual function or an enum", SHIPPED),
    Ban(r"\bco_(await|yield|return)\b", "a Completion and one phase enum"),
    Ban(r"\bstd::(cout|cerr|clog|endl)\b", "edge/base/log.h, or stdio in a program's own output"),
    Ban(r"\busing namespace\b(?! std::literals)", "name what is used", SHIPPED, ("bench/load/main.cc",)),
    # BoringSSL frees what was given to it through a callback.
    Ban(r"(?<!operator )(?<!= )\bdelete\b", "unique_ptr", SHIPPED, ("edge/tls/client_context.cc",)),
    Ban(r"\b(malloc|calloc|realloc)\(|::free\(", "std::string, std::vector or unique_ptr", SHIPPED),
    Ban(r"\b(sprintf|strcpy|strcat|strtok|atoi|atof|strncpy)\(", "bounded and checked functions"),
    Ban(r"\bsystem\(|\bpopen\(", "no shells", SHIPPED),
    Ban(r"\bvolatile\b", "std::atomic", SHIPPED),
    Ban(r"\b__attribute__\(\(unused\)\)", "remove unused code", SHIPPED),
]
# `new` is allowed where a private constructor meets unique_ptr, and as placement.
RAW_NEW = re.compile(r"\bnew\b(?!\s*\()")
WRAPPED_NEW = re.compile(r"unique_ptr<[^;]*>\s*\w*\s*[({]\s*new\b|\.reset\(new\b|::operator new|operator new")
# In every text file, comments included. Split so that this file does not match itself.
WORDS = [
    (re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"), "finish it, or open an issue"),
    (re.compile(r"(?<![\w.])/(wo" r"rk|ro" r"ot)(/|\b)"), "no paths of one machine"),
]
PYTHON_SLEEP = re.compile(r"\btime\.sleep\(")
PYTHON_SLEEP_ALLOWED = ("tests/support/waiting.py", "bench/")
TEST_NAME = re.compile(r"^\s*(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
TEST_SENTENCE = re.compile(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")


def check_shape(path, text):
    lines = text.split("\n")
    lines_count = len(lines) - 1
    if lines_count > FILE_LINES_MAX:
        yield lines_count, f"file has {lines_count} lines (at most {FILE_LINES_MAX}): split it"
    columns_max = LINE_COLUMNS_MAX if path.endswith((".cc", ".h", ".c")) else SCRIPT_COLUMNS_MAX
    for number, line in enumerate(lines, 1):
        if len(line) > columns_max and "https://" not in line and "R\"" not in line:
            yield number, f"line has {len(line)} columns (at most {columns_max})"
        if line.rstrip() != line:
            yield number, "white space at the end of the line"
        if "\t" in line:
            yield number, "tab: indent by spaces"
        for pattern, instead in WORDS:
            if pattern.search(line):
                yield number, f"'{pattern.search(line).group(0)}': {instead}"
    if text and not text.endswith("\n"):
        yield len(lines), "no line feed at the end of the file"


def check_first_comment(path, text):
    first = text.split("\n", 1)[0]
    if path.endswith(CPP) and not first.startswith("// "):
        yield 1, "the first line is no comment: say what the file is for"
    if path.endswith(".h") and "#pragma once" not in text:
        yield 1, "no #pragma once"
    if path.endswith(".py"):
        body = text.split("\n", 1)[1] if first.startswith("#!") else text
        if body.strip() and not body.lstrip().startswith(('"""', "#")):
            yield 1, "no docstring: say what the file is for"


def check_bans(path, text):
    for number, line in enumerate(functions.code_only(text).split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        for ban in BANS:
            match = ban.pattern.search(line)
            if match and ban.applies(path):
                yield number, f"'{match.group(0).strip()}': {ban.instead}"
        if path.startswith(SHIPPED) and RAW_NEW.search(line) and not WRAPPED_NEW.search(line):
            yield number, "'new': unique_ptr, or placement"


def check_tests(path, text):
    if path.startswith("tests/") and path.endswith(".cc"):
        for match in TEST_NAME.finditer(text):
            name = match.group(2)
            if not TEST_SENTENCE.fullmatch(name):
                yield text.count("\n", 0, match.start()) + 1, f"test '{name}' is not named by a sentence"
    if path.endswith(".py") and not path.startswith(PYTHON_SLEEP_ALLOWED):
        for number, line in enumerate(text.split("\n"), 1):
            if PYTHON_SLEEP.search(line):
                yield number, "'time.sleep': wait for a condition with tests/support/waiting.py"


def unbuilt(paths):
    """Sources that no meson.build of their folder or of one above it names."""
    for path in paths:
        folder, name = os.path.split(path)
        while True:
            build = os.path.join(folder, "meson.build")
            relative = os.path.relpath(path, folder or ".").replace(os.sep, "/")
            if os.path.exists(os.path.join(tree.ROOT, build)) and re.search(
                    rf"'{re.escape(relative)}'", tree.read(build)):
                break
            # The fuzzers are named without their common ending.
            stem = name.removesuffix("_fuzz.cc")
            if folder == "tests/fuzz" and f"'{stem}': [" in tree.read(build):
                break
            if not folder:
                yield f"{path}:1: no meson.build names {name}"
                break
            folder = os.path.dirname(folder)


def main():
    problems = []
    paths = tree.files(*TEXT)
    for path in paths:
        text = tree.read(path)
        found = [*check_shape(path, text), *check_first_comment(path, text), *check_tests(path, text)]
        if path.endswith(CPP):
            found += [*check_bans(path, text), *functions.check_lengths(path, text)]
        problems += [f"{path}:{number}: {problem}" for number, problem in found]
    problems += unbuilt([path for path in paths if path.endswith(".cc")])
    return tree.report(problems, len(paths), "files")


if __name__ == "__main__":
    sys.exit(main())
