"""The report of a run: text, JSON, and one HTML page that needs nothing else."""
import collections
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess

from lab import page

ROOT = pathlib.Path(__file__).resolve().parents[3]


@dataclasses.dataclass
class Outcome:
    """What became of one scenario. finish() turns the live lab into plain figures."""
    scenario: object
    settings: object
    started: float
    lab: object = None
    verdicts: list = dataclasses.field(default_factory=list)
    failure: str = ""
    interrupted: bool = False
    figures: dict = dataclasses.field(default_factory=dict)

    @property
    def holds(self):
        return not self.failure and bool(self.verdicts) and all(one.holds for one in self.verdicts) and all(
            holds for _, holds, _ in self.figures["checks"]) and all(
            one["bound"] is None or one["seconds"] <= one["bound"] for one in self.figures["measures"])

    def finish(self):
        lab = self.lab
        self.figures = {
            "checks": list(lab.checks) if lab else [],
            "measures": [dataclasses.asdict(one) for one in lab.measures] if lab else [],
            "faults": [dataclasses.asdict(one) for one in lab.faults] if lab else [],
            "samples": list(lab.probe.samples) if lab else [],
            "attempts": [[round(attempt.ended, 3), attempt.pop, attempt.result, round(attempt.ended - attempt.began, 3)]
                         for _, attempt in lab.history.attempts] if lab else [],
            "outcomes": dict(collections.Counter(one.outcome for one in lab.history.operations)) if lab else {},
            "pops": [[pop.name, pop.host.region] for pop in lab.pops] if lab else [],
            "duration": lab.now() if lab else 0.0,
        }
        self.lab = None


def results_of(attempts):
    return dict(collections.Counter(attempt[2] for attempt in attempts).most_common())


def summary(outcome):
    """The outcome as text."""
    figures = outcome.figures
    lines = [f"    {'ok ' if one.holds else 'NOT'}  {one.name} ({one.detail})" for one in outcome.verdicts]
    lines += [f"    {'ok ' if holds else 'NOT'}  {label}{f' ({detail})' if detail else ''}" for label, holds, detail in figures["checks"]]
    lines += [f"    {one['seconds']:6.2f} s  {one['label']}" + (f" (at most {one['bound']:g} s)" if one["bound"] else "")
              for one in figures["measures"]]
    lines.append(f"    operations: {figures['outcomes']}; attempts: {results_of(figures['attempts'])}")
    if outcome.failure:
        lines += ["    " + line for line in outcome.failure.rstrip().split("\n")]
    lines.append(f"{'passed' if outcome.holds else 'FAILED'} {outcome.scenario.name} ({outcome.settings.store}, "
                 f"{outcome.settings.pops} POPs, seed {outcome.settings.seed}, {figures['duration']:.0f} s)")
    return "\n".join(lines)


def about(command):
    def git(*words):
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False).stdout.strip()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "command": command,
            "commit": git("rev-parse", "HEAD")[:12], "uncommitted_changes": bool(git("status", "--porcelain")),
            "kernel": platform.release(), "cpu": models[0] if models else platform.machine(), "processors": os.cpu_count()}


def plain(outcome):
    """For JSON."""
    one = outcome.scenario
    return {"name": one.name, "title": one.title, "row": one.row, "promise": one.promise, "holds": outcome.holds,
            "settings": {name: value for name, value in dataclasses.asdict(outcome.settings).items() if name != "build"},
            "verdicts": [dataclasses.asdict(verdict) for verdict in outcome.verdicts], "failure": outcome.failure, **outcome.figures}


def write(outcomes, folder, command):
    os.makedirs(folder, exist_ok=True)
    facts = about(command)
    scenarios = [plain(outcome) for outcome in outcomes]
    head = (f"{facts['date']}, commit {facts['commit']}{' with uncommitted changes' if facts['uncommitted_changes'] else ''}, "
            f"kernel {facts['kernel']}, {facts['cpu']}, {facts['processors']} processors\n{facts['command']}\n")
    text = head + "\n" + "\n\n".join(
        f"{outcome.scenario.name}: {outcome.scenario.title}\n    row: {outcome.scenario.row}\n    promise: {outcome.scenario.promise}\n"
        + summary(outcome) for outcome in outcomes) + "\n"
    folder = pathlib.Path(folder)
    (folder / "report.txt").write_text(text, encoding="utf-8")
    (folder / "report.json").write_text(json.dumps({"about": facts, "scenarios": scenarios}, indent=1), encoding="utf-8")
    (folder / "report.html").write_text(page.html_page(facts, scenarios), encoding="utf-8")


def cell(one):
    """One run of a scenario in a table: whether every promise was kept, and of which operations."""
    if one is None:
        return ""
    judged = [verdict["holds"] for verdict in one["verdicts"]] + [holds for _, holds, _ in one["checks"]]
    judged += [measure["seconds"] <= measure["bound"] for measure in one["measures"] if measure["bound"] is not None]
    counts = one["outcomes"]
    others = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if name != "acknowledged" and count)
    return (f"{'kept' if one['holds'] else '**broken**'} ({sum(judged)} of {len(judged)}); {counts.get('acknowledged', 0)} of "
            f"{sum(counts.values())} answered{f', {others}' if others else ''}")


def recovery(one):
    """What was measured, in short: of equal labels the longest."""
    longest = {}
    for measure in one["measures"] if one else []:
        if not measure["label"].startswith("from the end of the traffic"):
            label = re.sub(r" all that pop[0-9] had recorded is applied", " all is applied", measure["label"])
            label = re.sub(r"^stream [0-9]+: ", "", label)
            longest[label] = max(longest.get(label, 0), measure["seconds"])
    return "; ".join(f"{label}: {seconds:.1f} s" for label, seconds in longest.items())


def markdown(paths):
    """One table of all scenarios in these report.json files, a column a store; of several runs of one scenario the last file's."""
    runs, heads = {}, []
    for path in paths:
        told = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        facts = told["about"]
        heads.append(f"- {facts['date']}, commit {facts['commit']}{' with uncommitted changes' if facts['uncommitted_changes'] else ''}, kernel "
                     f"{facts['kernel']}, {facts['cpu']}, {facts['processors']} processors: `{facts['command']}`")
        for one in told["scenarios"]:
            runs.setdefault((one["row"], one["name"]), {})[one["settings"]["store"]] = one
    lines = [*heads, "", "| row of the failure table | scenario | RocksDB | PostgreSQL | recovery (the longest of its kind; RocksDB / PostgreSQL) |",
             "|---|---|---|---|---|"]
    for (row, name), by_store in sorted(runs.items()):
        rocksdb, postgres = by_store.get("rocksdb") or by_store.get("standalone"), by_store.get("postgres")
        measured = " / ".join(filter(None, (recovery(one) for one in (rocksdb, postgres))))
        lines.append(f"| {row} | {name} | {cell(rocksdb)} | {cell(postgres)} | {measured} |")
    return "\n".join(lines)
