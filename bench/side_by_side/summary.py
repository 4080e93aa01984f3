"""From measurements to figures: medians over rounds, spread, what was dropped, ratios to nginx and direct."""

import statistics

# The goals: metric, case, the server compared with, first bar, goal. "ratio": ours / theirs;
# "added": ours - theirs, in the metric's unit. Ours is nodex (standalone, so its CPU has the ledger's in it), or what is
# named last.
BARS = (
    ("CPU a request / nginx", "open-64", "server_cpu_us_per_request", "ratio", "nginx", 2.0, 1.0),
    ("CPU a request at 64 / nginx", "closed-64", "server_cpu_us_per_request", "ratio", "nginx", 2.0, 1.0),
    ("CPU an event / nginx", "streams-512", "server_cpu_us_per_event", "ratio", "nginx", 1.0, 0.75),
    ("requests a second at 64 / nginx", "closed-64", "requests_per_s", "ratio", "nginx", 0.6, 1.0),
    ("added p50 over direct, us", "open-1", "call.p50_us", "added", "direct", 80, 40),
    ("added p99 over direct, us", "open-1", "call.p99_us", "added", "direct", 200, 100),
    ("added first token p99, 512 streams, us", "streams-512", "first_token.p99_us", "added", "direct",
     300, 100),
    ("CPU a request at 64, centre elsewhere / nginx", "closed-64", "server_cpu_us_per_request", "ratio", "nginx",
     2.0, 1.0, "nodex-pop"),
    ("CPU a request / Portkey", "closed-64", "server_cpu_us_per_request", "ratio", "portkey", 0.05, 0.02),
)
MORE_IS_BETTER = {"requests_per_s", "events_per_s"}

# What is compared within each round: title, case, metric, kind as above.
WITHIN_ROUNDS = (
    ("CPU a request, 64 at a time", "closed-64", "server_cpu_us_per_request", "ratio"),
    ("requests/s, 64 at a time", "closed-64", "requests_per_s", "ratio"),
    ("CPU a request, 1 at a time", "closed-1", "server_cpu_us_per_request", "ratio"),
    ("CPU a request, open loop of 64", "open-64", "server_cpu_us_per_request", "ratio"),
    ("CPU an event, 512 streams", "streams-512", "server_cpu_us_per_event", "ratio"),
    ("p50, 1 at a time, us more", "closed-1", "call.p50_us", "added"),
    ("p99, 1 at a time, us more", "closed-1", "call.p99_us", "added"),
    ("p50, 1 connection, 100/s, us more", "open-1", "call.p50_us", "added"),
    ("p99, 1 connection, 100/s, us more", "open-1", "call.p99_us", "added"),
    ("first token p50, us more", "streams-512", "first_token.p50_us", "added"),
    ("first token p99, us more", "streams-512", "first_token.p99_us", "added"),
)
OTHERS = ("nginx", "haproxy", "portkey", "direct")


def figure(values):
    """Median, least and most of one metric over rounds; None when there is nothing."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "least": min(values), "most": max(values),
            "rounds": len(values)}


def summarise(measurements):
    """{case: {server: {"rounds_kept", "rounds_dropped", "noisy", metrics...}}}.

    A server whose rounds were all dropped keeps its figures, marked noisy: a reader sees them, and is told
    not to trust them.
    """
    groups = {}
    for one in measurements:
        groups.setdefault(one["case"], {}).setdefault(one["server"], []).append(one)
    summary = {}
    for case, by_server in groups.items():
        summary[case] = {}
        for server, rounds in by_server.items():
            kept = [one for one in rounds if not one["dropped"]]
            used = kept or rounds
            summary[case][server] = {
                "rounds_kept": len(kept), "rounds_dropped": len(rounds) - len(kept), "noisy": not kept,
                "reasons": sorted({reason for one in rounds for reason in one["dropped"]}),
                "metrics": {metric: figure([one["values"][metric] for one in used])
                            for metric in used[0]["values"]}}
    return summary


def median_of(summary, case, server, metric):
    found = summary.get(case, {}).get(server, {}).get("metrics", {}).get(metric)
    return None if found is None else found["median"]


def is_noisy(summary, case, *servers):
    return any(summary.get(case, {}).get(server, {}).get("noisy", False) for server in servers)


def bars(summary):
    """The goals with what was reached: [{"name", "value", "first_bar", "goal", "met", "noisy"}]."""
    rows = []
    for name, case, metric, kind, other, first_bar, goal, *us in BARS:
        us = us[0] if us else "nodex"
        ours = median_of(summary, case, us, metric)
        theirs = median_of(summary, case, other, metric)
        if ours is None or theirs is None or (kind == "ratio" and theirs == 0):
            continue
        value = ours / theirs if kind == "ratio" else ours - theirs
        reached = (lambda bar: value >= bar) if metric in MORE_IS_BETTER else (lambda bar: value <= bar)
        met = "goal" if reached(goal) else "first bar" if reached(first_bar) else "not met"
        rows.append({"name": name, "case": case, "value": value, "first_bar": first_bar, "goal": goal,
                     "met": met, "noisy": is_noisy(summary, case, us, other)})
    return rows


def rounds_of(measurements):
    """[{(case, server): values}], a round each. Parts that were joined count their rounds from the beginning."""
    rounds, last = [], None
    for one in measurements:
        place = one["case"], one["server"]
        if one["round"] != last or place in rounds[-1]:
            rounds.append({})
            last = one["round"]
        rounds[-1][place] = one["values"]
    return rounds


def within_rounds(measurements):
    """[{"name", "kind", server: figure}]: ours against another server's in the same round, which ran seconds before or after
    it. All rounds count, also those in which a stranger used a processor: he met both."""
    rounds = rounds_of(measurements)
    rows = []
    for name, case, metric, kind in WITHIN_ROUNDS:
        row = {"name": name, "kind": kind}
        for other in OTHERS:
            if other == "direct" and kind == "ratio":
                continue  # the provider, on the other processor
            pairs = [(one[case, "nodex"][metric], one[case, other][metric]) for one in rounds
                     if (case, "nodex") in one and (case, other) in one]
            row[other] = figure([ours / theirs if kind == "ratio" else ours - theirs
                                 for ours, theirs in pairs if ours is not None and theirs])
        if any(row.get(other) for other in OTHERS):
            rows.append(row)
    return rows


def joined(before, outcome, order):
    """Two parts of one comparison, measured one after the other. `order`: names of all cases, as a full run has them."""
    measured = {case["name"]: case for case in before["cases"] + outcome["cases"]}
    return outcome | {
        "about": before["about"] | {
            "command": f"{before['about']['command']}`, `{outcome['about']['command']}",
            "versions": before["about"]["versions"] | outcome["about"]["versions"]},
        "skipped": before["skipped"] + outcome["skipped"], "memory": before["memory"] + outcome["memory"],
        "cases": [measured[name] for name in order if name in measured],
        "measurements": before["measurements"] + outcome["measurements"]}
