"""nodex-lab list | run NAME... | run all: the command line."""
import argparse
import dataclasses
import os
import pathlib
import signal
import sys
import tempfile
import time
import traceback

from lab import evidence, report, sandbox, scenario, verdicts
from lab.world import Settings, World
from support import programs

ROOT = pathlib.Path(__file__).resolve().parents[3]


def arguments(words):
    parser = argparse.ArgumentParser(prog="nodex-lab", description="rehearses failovers with the real programs")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the scenarios, and the row of the failure table that each shows")
    run = commands.add_parser("run", help="run scenarios, and judge them")
    run.add_argument("names", nargs="+", metavar="NAME", help="scenarios, 'quick', or 'all'")
    run.add_argument("--build", default=str(ROOT / "build-release"), help="build directory with the programs (%(default)s)")
    run.add_argument("--pops", type=int, default=3, help="how many POPs, at most 3 (%(default)s)")
    run.add_argument("--store", choices=["rocksdb", "postgres", "standalone"], default="rocksdb",
                     help="of the centre; standalone is one POP with the centre inside (%(default)s)")
    run.add_argument("--minutes", type=float, default=2.0, help="of the chaos scenario (%(default)s)")
    run.add_argument("--seed", type=int, default=1, help="of everything that is random (%(default)s)")
    run.add_argument("--out", default="lab-report", help="folder of the report (%(default)s)")
    run.add_argument("--keep", action="store_true", help="keep data, configurations and logs also when all is well")
    run.add_argument("--count", help="file that receives 'passed failed'")
    tell = commands.add_parser("tell", help="print report.json files as Markdown tables")
    tell.add_argument("reports", nargs="+", metavar="REPORT.JSON")
    return parser.parse_args(words)


def select(names, store):
    """The scenarios of these names; of a collection, those that run on this store."""
    known = scenario.load()
    chosen = []
    for name in names:
        if name in ("all", "quick"):
            chosen += [one for one in known.values() if store in one.stores and (name == "all" or one.quick)]
        elif name not in known:
            sys.exit(f"nodex-lab: no scenario '{name}'; see nodex-lab list")
        else:
            chosen.append(known[name])
    return chosen


def show_list():
    for one in scenario.load().values():
        print(f"{one.name}\n    {one.title}\n    row: {one.row}\n    stores: {', '.join(one.stores)}{'; quick' if one.quick else ''}")
    return 0


def settings_for(one, options):
    store = options.store if options.store in one.stores else one.stores[0]
    settings = Settings(build=os.path.abspath(options.build), pops=1 if store == "standalone" else options.pops, store=store,
                        seed=options.seed, minutes=options.minutes)
    return dataclasses.replace(settings, **one.settings)


def perform(one, options, folder):
    """Runs one scenario; its outcome for the report."""
    print(f"--- {one.name}: {one.title}\n    row: {one.row}\n    promise: {one.promise}", flush=True)
    outcome = report.Outcome(one, settings_for(one, options), started=time.time())
    world, lab = None, None
    try:
        world = World(outcome.settings, folder)
        world.start()
        lab = scenario.Lab(world, lambda text: print(text, flush=True))
        outcome.lab = lab
        lab.probe.start()
        one.run(lab)
        lab.come_to_rest()
        outcome.verdicts = verdicts.judge(evidence.gather(lab))
    except (Exception, KeyboardInterrupt) as problem:  # whatever stops a rehearsal is its outcome
        outcome.failure = traceback.format_exc()
        outcome.interrupted = isinstance(problem, KeyboardInterrupt)
    finally:
        if lab is not None:
            lab.probe.stop()
        if world is not None:
            world.close()
        programs.end_all()
    outcome.finish()
    print(report.summary(outcome), flush=True)
    if outcome.holds and not options.keep:
        world.remove()
    else:
        print(f"    kept: {folder}", flush=True)
    return outcome


def main(words):
    options = arguments(words)
    if options.command == "list":
        return show_list()
    if options.command == "tell":
        print(report.markdown(options.reports))
        return 0
    if not sandbox.inside():
        sandbox.enter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = select(options.names, options.store)
    work = tempfile.mkdtemp(prefix="nodex-lab-")
    os.chmod(work, 0o755)
    outcomes = []
    for one in chosen:
        outcomes.append(perform(one, options, os.path.join(work, one.name)))
        if outcomes[-1].interrupted:
            break
    if not os.listdir(work):
        os.rmdir(work)
    report.write(outcomes, options.out, command="nodex-lab " + " ".join(words))
    passed = sum(outcome.holds for outcome in outcomes)
    failed = len(chosen) - passed
    if options.count:
        pathlib.Path(options.count).write_text(f"{passed} {failed}\n", encoding="ascii")
    print(f"report: {options.out}/report.html, report.json, report.txt\n{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
