#!/usr/bin/env python3
"""What a Markdown page names exists: links and their anchors, files, tests; and a folder's page names all of its sources."""
import os
import re
import sys

import tree

LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SOURCES = (".h", ".cc", ".py", ".mjs", ".sql")
# A word that ends as a source does is one of ours. `agent.h` may stand for `replication/agent.h`: the page's reader is there already.
FILE = re.compile(r"(?<![\w/*.<>{-])([\w.-]+(?:/[\w.-]+)*\.(?:h|cc|py|mjs|sql|md|service|yml))(?![\w/*-])")
OF_OTHERS = {"seccomp.h"}  # named in our pages, and not ours
# A suite and a test of C++: `Envelope.RefusesEverySingleAlteredOctet`, cut off by "*" or "..." where the rest says nothing.
CPP_TEST = re.compile(r"(?<![\w.*])([A-Z]\w+)\.([A-Z]\w*)?(\*(?!\*)|\.\.\.)?")
CPP_TESTS = re.compile(r"\b(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
# A test of Python is a sentence, and so is the name of a rehearsal: at least four words.
PYTHON_TEST = re.compile(r"(?<![\w./`-])([a-z0-9]+(?:_[a-z0-9]+){3,})(\.\.\.)?(?![\w(.]*[/.(])")


def anchor_of(heading):
    """As GitHub makes it: letters, digits, hyphens and underscores stay, a space becomes a hyphen."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


def lines_of(text, pattern):
    """Yields (line number, match)."""
    for match in pattern.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match


def blanked(text):
    """Without fenced blocks, whose lines are output and commands; line numbers stay."""
    return FENCE.sub(lambda match: "\n" * match.group(0).count("\n"), text)


def broken_links(path, text, exists, anchors_of):
    for number, match in lines_of(blanked(text), LINK):
        target, _, anchor = match.group(1).partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        page = os.path.normpath(os.path.join(os.path.dirname(path), target)).replace(os.sep, "/") if target else path
        if not exists(page):
            yield number, f"link to {match.group(1)}: there is no {page}"
        elif anchor and anchor not in anchors_of(page):
            yield number, f"link to {match.group(1)}: {page} has no such heading"


def lost_files(text, paths):
    """Files that are named and that no path of the tree ends in."""
    for number, match in lines_of(text, FILE):
        name = os.path.normpath(match.group(1)).replace(os.sep, "/")
        while name.startswith("../"):
            name = name[3:]
        if name not in OF_OTHERS and not any(path == name or path.endswith("/" + name) for path in paths):
            yield number, f"there is no file {match.group(1)}"


def lost_cpp_tests(text, tests):
    """`tests`: suite -> set of names."""
    for number, match in lines_of(text, CPP_TEST):
        suite, name, cut = match.groups()
        if not name and not cut:
            continue
        if suite not in tests:
            yield number, f"there is no suite of tests {suite}"
        elif not any(test == name or (cut and test.startswith(name or "")) for test in tests[suite]):
            yield number, f"there is no test {suite}.{name}"


def lost_python_tests(text, names):
    for number, match in lines_of(text, PYTHON_TEST):
        name, cut = match.groups()
        if name not in names and not (cut and any(test.startswith(name) for test in names)):
            yield number, f"there is no test {name}"


def unnamed_sources(page, text, paths):
    """Sources beside a page that it does not name: by their name, or by their stem where it says `x.h` (`.cc`).
    A fuzzer is named without its ending, as it is in the build."""
    folder = os.path.dirname(page)
    for path in paths:
        name = os.path.basename(path)
        stem = name.rsplit(".", 1)[0].removesuffix("_fuzz")
        if os.path.dirname(path) == folder and not re.search(rf"(?<![\w-]){re.escape(stem)}(?![\w-])", text):
            yield 1, f"does not name {name}"


def cpp_tests(paths):
    found = {}
    for path in paths:
        if path.startswith("tests/") and path.endswith((".cc", ".h")):
            for suite, name in CPP_TESTS.findall(tree.read(path)):
                found.setdefault(suite, set()).add(name)
    return found


def python_tests(paths):
    scripts = [path for path in paths if path.startswith("tests/") and path.endswith(".py")]
    functions = {name for path in scripts for name in re.findall(r"^def (\w+)\(", tree.read(path), re.MULTILINE)}
    return functions | {os.path.basename(path)[:-len(".py")] for path in scripts if path.startswith("tests/lab/scenarios/")}


# Pages whose tables name tests.
TESTS_ARE_NAMED_IN = ("replication/README.md", "deploy/threat-model.md", "tests/sim/README.md")
# Folders whose page names every source beside it.
LISTED_IN_FULL = ("edge/", "storage/", "replication/", "tools/", "bench/", "tests/clients/", "tests/contract/", "tests/fuzz/",
                  "tests/integration/", "tests/sim/", "tests/support/")


def main():
    problems = []
    paths = tree.files()
    known = set(paths)
    folders = {os.path.dirname(path) for path in paths}
    folders |= {parent for folder in folders for parent in parents(folder)}
    pages = [path for path in paths if path.endswith(".md")]
    headings = {page: {anchor_of(heading) for heading in HEADING.findall(tree.read(page))} for page in pages}
    suites, sentences = cpp_tests(paths), python_tests(paths)
    sources = [path for path in paths if path.endswith(SOURCES)]
    for page in pages:
        text = tree.read(page)
        found = [*broken_links(page, text, lambda path: path in known or path in folders, lambda path: headings.get(path, ())),
                 *lost_files(text, known)]
        if page in TESTS_ARE_NAMED_IN:
            found += [*lost_cpp_tests(text, suites), *lost_python_tests(text, sentences)]
        if page.endswith("/README.md") and page.startswith(LISTED_IN_FULL):
            found += unnamed_sources(page, text, sources)
        problems += [f"{page}:{number}: {problem}" for number, problem in found]
    return tree.report(problems, len(pages), "pages")


def parents(folder):
    while folder:
        folder = os.path.dirname(folder)
        yield folder


if __name__ == "__main__":
    sys.exit(main())
