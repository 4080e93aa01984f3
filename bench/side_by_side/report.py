"""Writes the outcome: Markdown, JSON and plots."""

import json

import svg
from summary import MORE_IS_BETTER, OTHERS

UNITS = {
    "server_cpu_us_per_request": "CPU, us a request", "server_cpu_us_per_event": "CPU, us an event",
    "requests_per_s": "requests/s", "events_per_s": "events/s",
    "call.p50_us": "p50, us", "call.p99_us": "p99, us",
    "first_token.p50_us": "first token p50, us", "first_token.p99_us": "first token p99, us",
    "event_gap.p50_us": "gap p50, us", "event_gap.p99_us": "gap p99, us",
}


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(found):
    if found is None:
        return "-"
    return f"{number(found['median'])} [{number(found['least'])}-{number(found['most'])}]"


def markdown(outcome):
    about = outcome["about"]
    dirty = " with uncommitted changes" if about["uncommitted_changes"] else ""
    lines = [
        f"# Side by side, {outcome['date']}", "",
        f"Commit {about['commit'][:12]}{dirty}; kernel {about['kernel']}; {about['cpu']}, "
        f"{about['processors']} processors, {about['memory_gib']} GiB; durability `{about['durability']}`.",
        f"Command: `{about['command']}`.", "",
        "Server on one processor, load and provider on the other; servers alternate within each round; "
        "medians [least-most] over rounds. Read ratios, not absolutes. Latencies of an open loop count from "
        "the intended start.", "",
        "Versions: " + "; ".join(f"{name}: {text}" for name, text in about["versions"].items()) + ".", ""]
    lines += [f"Not run: {reason}." for reason in outcome["skipped"]] + [""] * bool(outcome["skipped"])
    lines += bars_table(outcome["bars"])
    lines += rounds_table(outcome["within_rounds"])
    for case in outcome["cases"]:
        lines += case_table(case, outcome["summary"].get(case["name"], {}))
    lines += memory_table(outcome["memory"])
    lines += ["", "Plots: " + ", ".join(f"[{name}]({name})" for name in outcome["plots"]) + "."]
    return "\n".join(lines) + "\n"


def bars_table(bars):
    if not bars:
        return []
    lines = ["## Against the goals", "",
             "| measure | reached | first bar | goal | |", "|---|---|---|---|---|"]
    for row in bars:
        doubt = " (noisy: no undisturbed round)" if row["noisy"] else ""
        lines.append(f"| {row['name']} | {number(row['value'])} | {row['first_bar']} | {row['goal']} "
                     f"| {row['met']}{doubt} |")
    return lines + [""]


def rounds_table(rows):
    if not rows:
        return []
    lines = ["## Round by round", "",
             "The speed of a virtual machine's host may change within seconds, and medians over all rounds then compare fast moments with "
             "slow ones: this table says more than the others. In each round Nodex against the other server; medians [least-most] of that, over "
             "all rounds.", "",
             "| measure | nginx | HAProxy | Portkey | the plain provider | rounds |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = [row.get(other) for other in OTHERS]
        rounds = max(found["rounds"] for found in figures if found)
        lines.append(f"| {row['name']} | " + " | ".join(spread(found) if found else "" for found in figures) + f" | {rounds} |")
    return lines + [""]


def case_table(case, by_server):
    metrics = case["metrics"]
    titles = " | ".join(UNITS[metric] for metric in metrics)
    lines = [f"## {case['title']}", "", f"| server | {titles} | rounds |", "|---" * (len(metrics) + 2) + "|"]
    for server, found in by_server.items():
        cells = [spread(found["metrics"][metric]) for metric in metrics]
        rounds = f"{found['rounds_kept']} of {found['rounds_kept'] + found['rounds_dropped']}"
        if found["noisy"]:
            rounds += f"; **do not trust**: {', '.join(found['reasons'])}"
        lines.append(f"| {server} | " + " | ".join(cells) + f" | {rounds} |")
    return lines + [""]


def memory_table(memory):
    if not memory:
        return []
    lines = ["## Memory that one more connection takes", "",
             "| server | idle TLS connection, KiB | open stream, KiB |", "|---|---|---|"]
    for row in memory:
        idle = f"{number(row['idle_connection_kib'])} (of {row['idle_connections']})"
        lines.append(f"| {row['server']} | {idle} | {number(row['open_stream_kib'])} (of {row['streams']}) |")
    return lines


CLOSED = ("closed-1", "closed-8", "closed-64", "closed-512")
PLOTS = (
    ("cpu-request", "CPU a request", CLOSED + ("open-64",), "server_cpu_us_per_request"),
    ("throughput", "Requests a second, closed loop", CLOSED, "requests_per_s"),
    ("latency-1", "p99 at one connection", ("open-1",), "call.p99_us"),
    ("cpu-event", "CPU a streamed event", ("streams-512",), "server_cpu_us_per_event"),
    ("first-token", "First token p99, 512 streams", ("streams-512",), "first_token.p99_us"),
)


def plots(outcome, stem):
    """{file name: SVG} of what was measured."""
    made = {}
    for name, title, case_names, metric in PLOTS:
        groups = [(case, plot_bars(outcome["summary"].get(case, {}), metric)) for case in case_names]
        groups = [(case, bars) for case, bars in groups if bars]
        if groups:
            better = "more" if metric in MORE_IS_BETTER else "less"
            subtitle = f"{UNITS[metric]}; median, least to most; {better} is better"
            made[f"{stem}-{name}.svg"] = svg.bar_chart(title, subtitle, groups)
    return made


def plot_bars(by_server, metric):
    bars = []
    for server, found in by_server.items():
        figure = found["metrics"].get(metric)
        # `direct` is the provider: what it costs is no proxy's cost.
        if figure and not (server == "direct" and metric.startswith("server_")):
            bars.append((server, figure["median"], figure["least"], figure["most"]))
    return bars


def write(outcome, folder, stem):
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots(outcome, stem)
    outcome["plots"] = sorted(drawn)
    for name, content in drawn.items():
        (folder / name).write_text(content)
    (folder / f"{stem}.json").write_text(json.dumps(outcome, indent=1) + "\n")
    (folder / f"{stem}.md").write_text(markdown(outcome))
    return folder / f"{stem}.md"
