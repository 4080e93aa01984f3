"""What is measured, and one measurement of it."""

import dataclasses
import json
import resource
import subprocess

import machine
from servers import MODEL

# A measurement is dropped when the processor of load and provider was the bottleneck, or when a stranger
# used more than this of either processor.
LOAD_BUSY_MAX = 0.95
FOREIGN_MAX = 0.10

SHORT_ANSWER = "[[nodex: tokens=4]]"
STREAM_ANSWER = "[[nodex: tokens=100 pace_ms=20]]"


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str
    arguments: tuple
    metrics: tuple  # of nodex-bench's JSON; "call.p50_us" is a timing
    stream: bool = False

    @property
    def closed_loop(self):
        return not self.stream and "--rate" not in self.arguments


def cases(rate):
    """The list of a full run."""
    call = ("call.p50_us", "call.p99_us")
    cost = ("server_cpu_us_per_request",)
    all_cases = [
        Case(f"closed-{connections}", f"not streamed, {connections} at a time",
             ("--connections", connections, "--prompt", SHORT_ANSWER),
             cost + ("requests_per_s",) + call)
        for connections in (1, 8, 64, 512)
    ]
    all_cases.append(Case("open-1", "not streamed, 1 connection, 100 a second",
                          ("--connections", 1, "--rate", 100, "--prompt", SHORT_ANSWER), cost + call))
    all_cases.append(Case("open-64", f"not streamed, 64 connections, {rate} a second",
                          ("--connections", 64, "--rate", rate, "--prompt", SHORT_ANSWER), cost + call))
    all_cases.append(Case("streams-512", "512 streams, an event every 20 ms each",
                          ("--streams", 512, "--prompt", STREAM_ANSWER),
                          ("server_cpu_us_per_event", "events_per_s", "first_token.p50_us",
                           "first_token.p99_us", "event_gap.p50_us", "event_gap.p99_us"), stream=True))
    return all_cases


def value_of(report, metric):
    """A figure of nodex-bench's report; None when it was not measured."""
    if "." not in metric:
        return report.get(metric)
    timing, field = metric.split(".")
    if report["timings"][timing]["count"] == 0:
        return None
    return report["timings"][timing][field]


def bench(setting, server, arguments, seconds, warmup):
    """Runs nodex-bench against `server`; answers its report or raises with what it said."""
    command = [setting.program("nodex-bench"), "--url", server.url, "--model", MODEL, "--unique-keys",
               "--duration", seconds, "--warmup", warmup, "--drain", 5, "--json", "-",
               "--server-pid", ",".join(map(str, server.pids)), *server.arguments, *arguments]
    done = subprocess.run(machine.pinned(setting.load_processor, command), capture_output=True, text=True,
                          check=False, timeout=seconds + warmup + 180)
    if done.returncode != 0:
        raise RuntimeError(f"nodex-bench against {server.name}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def children_cpu_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(setting, server, provider, case, seconds):
    """One measurement: {"values": {...}, "dropped": [reasons]}."""
    warmup = 2.0 if case.stream else 0.5
    # `direct` is the provider itself, on the load's processor.
    served_here = [] if server is provider else server.pids
    server_clock = machine.ProcessorClock(setting.server_processor, served_here)
    load_clock = machine.ProcessorClock(setting.load_processor, provider.pids)
    children_before_s = children_cpu_s()
    report = bench(setting, server, case.arguments, seconds, warmup)
    load_busy, load_foreign = load_clock.shares(children_cpu_s() - children_before_s)
    _, server_foreign = server_clock.shares()
    dropped = []
    if load_busy > LOAD_BUSY_MAX:
        dropped.append("load processor saturated")
    if max(load_foreign, server_foreign) > FOREIGN_MAX:
        dropped.append("processor shared with strangers")
    answered = report["answered"] + report["timings"]["call"]["count"] + report["events"]
    if report["failed"] > 0 or answered == 0:
        dropped.append(f"{report['failed']} failures")
    return {"server": server.name, "case": case.name, "dropped": dropped,
            "load_busy": round(load_busy, 3), "load_foreign": round(load_foreign, 3),
            "server_foreign": round(server_foreign, 3),
            "values": {metric: value_of(report, metric) for metric in case.metrics}}


def measure_memory(setting, start, idle_connections, streams):
    """KiB that one idle connection and one open stream add to a server. Each to a fresh process, because
    memory that earlier connections have left behind would hide it; warmed up, so that buffers which are taken
    once do not count."""
    row = {}
    for figure, arguments in (("idle_connection_kib", ("--idle", idle_connections)),
                              ("open_stream_kib", ("--streams", streams, "--prompt", STREAM_ANSWER))):
        server = start(setting)
        bench(setting, server, ("--connections", 8, "--prompt", SHORT_ANSWER), 1.5, 0.5)
        row[figure] = bench(setting, server, arguments, 1.0, 1.5)["server_rss_kib_per_connection"]
        server.stop()
        row["server"] = server.name
    return row | {"idle_connections": idle_connections, "streams": streams}
