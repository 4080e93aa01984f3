#!/usr/bin/env python3
"""The operator's pages say what the programs say, no more and no less: log events, metrics, keys of the configuration,
error codes, operators' commands. What the programs have is read from the tables in their sources."""
import re
import sys

import tree

SHIPPED = ("edge/", "storage/", "replication/", "tools/", "bench/load/")
# The event is the first text of a call; one that is chosen there is one of two. `configuration_error` logs what it is given.
LOGGED = re.compile(r"\b(?:log::(?:debug|info|warning|error|write)|configuration_error)\(([^{;]*)")
EVENT = re.compile(r'"([a-z]+(?:_[a-z]+)*)"')
METRIC = re.compile(r'"(nodex_[a-z0-9_]+)"')
SERIES = re.compile(r"_(?:bucket|sum|count)$")  # what Prometheus makes of a histogram
KEY = re.compile(r'(?:\.(?:text|texts|flag|integer|milliseconds|choice|one_of|text_map|require))\(\s*"(\w+)"')
CODE = re.compile(r'\{Code::\w+, (\d+), (true|false), "(\w+)"')
COMMAND = re.compile(r'\{"([a-z]+\.[a-z-]+)", &Queries::')

RUNBOOK, POSTGRESQL, API, CONFIGURATION = "deploy/runbook.md", "deploy/postgresql.md", "deploy/api.md", "deploy/configuration.md"
CENTRAL_PART = "# Configuration of nodex-central"  # of CONFIGURATION
COMMON_KEYS = "edge/config/common_keys.cc"


def rows(text):
    """The cells of each row of each table, without its heading."""
    lines = text.splitlines() + [""]
    for line, after in zip(lines, lines[1:]):
        if line.startswith("|") and not line.startswith("| ---") and not after.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def names(cell):
    return {name.strip("` ") for name in cell.split(",")}


def events_of(sources):
    found = set()
    for text in sources.values():
        for call in LOGGED.findall(text):
            chosen = "?" in call
            found.update(EVENT.findall(call)[:2 if chosen else 1])
    return found


def event_problems(events, runbook, postgresql):
    table = runbook.split("## Log events")[-1]
    listed = {name for cells in rows(table) for name in names(cells[0])}
    elsewhere = {name for cells in rows(postgresql) for name in names(cells[0])}
    for event in sorted(events - listed - elsewhere):
        yield RUNBOOK, f"\"Log events\" does not list {event}"
    for event in sorted(name for name in listed - events if re.fullmatch(r"[a-z_]+", name)):
        yield RUNBOOK, f"\"Log events\" lists {event}, which no program logs"


def metric_problems(metrics, pages):
    for page, text in pages.items():
        for name in sorted(set(re.findall(r"\bnodex_[a-z0-9_]+", text))):
            if name not in metrics and SERIES.sub("", name) not in metrics:
                yield page, f"no program tells a metric {name}"


def key_problems(keys, common, described, program):
    for key in sorted(keys - described):
        yield CONFIGURATION, f"does not describe the key {key} of {program}"
    for key in sorted(described - keys - common):
        yield CONFIGURATION, f"describes {key}, which {program} does not read"


def code_problems(table, page):
    """`table`: code -> (status, should retry)."""
    listed = {}
    for cells in rows(page.split("## Errors")[-1]):
        if len(cells) == 4 and cells[2] in ("yes", "no"):
            listed |= {name: (re.match(r"\d+", cells[1])[0], cells[2] == "yes") for name in names(cells[0])}
    for code, told in sorted(table.items()):
        if listed.get(code) != told:
            yield API, f"{code} is {told} (status, retry), and the table says {listed.get(code)}"
    for code in sorted(listed.keys() - table.keys()):
        yield API, f"lists {code}, which is no error code"


def command_problems(commands, page):
    listed, group = set(), ""
    sentence = re.search(r"^Commands: (.*?)\. ", page, re.MULTILINE | re.DOTALL)
    for word in re.split(r"[,;]\s*", sentence[1] if sentence else ""):
        group = word.split(".")[0] or group
        listed.add(word if not word.startswith(".") else group + word)
    for command in sorted(commands ^ listed):
        yield API, f"\"Commands\" and the ledger's table differ in {command}"


def described_keys(text):
    """Keys of the edge stand in the first column, those of the centre in the second, behind their section."""
    found = set()
    for cells in rows(text):
        column = 1 if cells[0].startswith("`[") or not cells[0] else 0
        found |= {name for name in names(cells[column]) if re.fullmatch(r"[a-z]\w*", name)}
    return found


def main():
    sources = {path: tree.read(path) for path in tree.files(".cc", ".h") if path.startswith(SHIPPED)}
    pages = {path: tree.read(path) for path in tree.files(".md", ".yml", ".json") if path.startswith("deploy/")}
    metrics = {name for text in sources.values() for name in METRIC.findall(text)}
    edge_part, central_part = pages[CONFIGURATION].split(CENTRAL_PART)
    common = set(KEY.findall(sources[COMMON_KEYS]))
    codes = {name: (status, retry == "true") for status, retry, name in CODE.findall(sources["edge/api/errors.cc"])}
    problems = [
        *event_problems(events_of(sources), pages[RUNBOOK], pages[POSTGRESQL]),
        *metric_problems(metrics, pages),
        *key_problems(set(KEY.findall(sources["edge/core/config.cc"])), common, described_keys(edge_part), "nodex-edge"),
        *key_problems(set(KEY.findall(sources["replication/central/program/config.cc"])), common, described_keys(central_part),
                      "nodex-central"),
        *code_problems(codes, pages[API]),
        *command_problems(set(COMMAND.findall(sources["replication/central/queries.cc"])), pages[API])]
    return tree.report([f"{page}:1: {problem}" for page, problem in problems], len(pages), "pages of operators")


if __name__ == "__main__":
    sys.exit(main())
