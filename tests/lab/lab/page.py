"""The HTML page of a run: what was done, what was promised, what was seen; timelines with the faults marked."""
import collections
import html

from lab import chart

PANEL, GAP, TOP = 84, 40, 54

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #f6f8fa; margin: 0; }
main { max-width: 1000px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 0; } h2 .badge { vertical-align: 3px; margin-right: 6px; }
.about, .muted { color: #656d76; font-size: 13px; } code { font-size: 12.5px; background: #eaeef2; padding: 1px 5px; border-radius: 4px; }
section { background: #fff; border: 1px solid #d0d7de; border-radius: 10px; padding: 18px 20px; margin-top: 22px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; margin-top: 10px; }
th { text-align: left; font-weight: 600; border-bottom: 1px solid #d0d7de; padding: 5px 8px 5px 0; }
td { border-bottom: 1px solid #eaeef2; padding: 5px 8px 5px 0; vertical-align: top; } .figure { text-align: right; white-space: nowrap; }
.badge { display: inline-block; border-radius: 999px; padding: 1px 10px; font-size: 12.5px; font-weight: 600; color: #fff; white-space: nowrap; }
.yes { background: #1a7f37; } .no { background: #cf222e; }
dl { display: grid; grid-template-columns: 90px 1fr; gap: 2px 10px; margin: 10px 0 14px; font-size: 14px; } dt { color: #656d76; } dd { margin: 0; }
.legend { font-size: 12.5px; color: #1f2328; margin: 2px 0 6px; } .legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px;
margin: 0 5px 0 14px; } .legend i:first-child { margin-left: 0; } ol.faults { font-size: 13px; margin: 4px 0 8px; padding-left: 22px; }
pre { background: #fff1f0; border: 1px solid #ffcecb; border-radius: 6px; padding: 10px; overflow-x: auto; font-size: 12px; }
a { color: #0969da; text-decoration: none; }
"""


def badge(holds):
    return f'<span class="badge {"yes" if holds else "no"}">{"holds" if holds else "broken"}</span>'


def text(value):
    return html.escape(str(value))


def bin_width(duration):
    return next((width for width in (0.5, 1, 2, 5, 10, 20, 30) if duration / width <= 150), 60)


def stacks_of(scenario, width):
    """({bin: [(result, attempts a second)]}, results in the order of their colours)."""
    attempts = scenario["attempts"]
    kinds = [kind for kind, _ in collections.Counter(attempt[2] for attempt in attempts if attempt[2] != "200").most_common()]
    bins = collections.defaultdict(collections.Counter)
    for moment, _, result, _ in attempts:
        bins[int(moment / width)][result] += 1
    order = ["200", *kinds]
    return {number: [(kind, counts[kind] / width) for kind in order if counts[kind]] for number, counts in bins.items()}, kinds


def gauge_panel(scenario, name, title, y, scale=1.0):
    """A line a POP; nothing when no POP has the gauge."""
    values = [sample[name] * scale for sample in scenario["samples"] if sample.get(name) is not None]
    if not values:
        return None
    panel = chart.Panel(title, y, PANEL, scenario["duration"], max(*values, 1e-9, 0.0))
    for (pop, _), colour in zip(scenario["pops"], chart.POPS):
        panel.line([(sample["t"], None if sample.get(name) is None else sample[name] * scale)
                    for sample in scenario["samples"] if sample["pop"] == pop], colour)
    return panel


def latency_panel(scenario, y, width):
    """The slowest tenth of answered attempts, a line a POP."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for moment, pop, result, seconds in scenario["attempts"]:
        if result == "200":
            found[pop][int(moment / width)].append(seconds)
    lines = {pop: [((number + 0.5) * width, sorted(times)[int(len(times) * 0.9)]) for number, times in sorted(bins.items())]
             for pop, bins in found.items()}
    top = max((value for line in lines.values() for _, value in line), default=0)
    panel = chart.Panel("time of a whole answer, p90, seconds", y, PANEL, scenario["duration"], top)
    for (pop, _), colour in zip(scenario["pops"], chart.POPS):
        panel.line(lines.get(pop, []), colour)
    return panel


def timeline(scenario):
    duration, width = scenario["duration"], bin_width(scenario["duration"])
    stacks, kinds = stacks_of(scenario, width)
    colours = {"200": chart.GOOD, **{kind: chart.BAD[min(index, len(chart.BAD) - 1)] for index, kind in enumerate(kinds)}}
    top = max((sum(value for _, value in stack) for stack in stacks.values()), default=0)
    y, panels = TOP, []
    load = chart.Panel("attempts a second, by result", y, PANEL + 30, duration, top)
    load.bars(stacks, colours, width)
    panels.append(load)
    y += PANEL + 30 + GAP
    panels.append(latency_panel(scenario, y, max(width, 1)))
    y += PANEL + GAP
    for name, title, scale in (("outbox", "outbox: settlements not yet applied by the centre", 1.0),
                               ("headroom", "lease headroom, units of currency", 1e-9),
                               ("contact_age", "seconds since the centre was heard", 1.0),
                               ("runs", "runs in progress", 1.0)):
        panel = gauge_panel(scenario, name, title, y, scale)
        if panel is not None:
            panels.append(panel)
            y += PANEL + GAP
    bottom = y - GAP
    parts = chart.bands(scenario["faults"], TOP - 4, bottom, duration)
    for panel in panels:
        parts += panel.parts
    parts += chart.time_axis(bottom, duration)
    results = "".join(f'<i style="background:{colours[kind]}"></i>{text("answered" if kind == "200" else kind)}' for kind in ["200", *kinds])
    pops = "".join(f'<i style="background:{colour}"></i>{text(f"{pop} ({region})")}'
                   for (pop, region), colour in zip(scenario["pops"], chart.POPS))
    return (f'<div class="legend">{results}</div><div class="legend">{pops}</div>' + chart.svg(bottom + 26, parts))


def verdict_rows(scenario):
    rows = [(one["name"], one["holds"], one["detail"]) for one in scenario["verdicts"]] + [tuple(one) for one in scenario["checks"]]
    return "".join(f"<tr><td>{badge(holds)}</td><td>{text(name)}</td><td class='muted'>{text(detail)}</td></tr>"
                   for name, holds, detail in rows)


def measure_rows(scenario):
    return "".join(f"<tr><td>{text(one['label'])}</td><td class='figure'>{one['seconds']:.2f} s</td>"
                   f"<td class='figure muted'>{'at most %g s' % one['bound'] if one['bound'] else ''}</td></tr>"
                   for one in scenario["measures"])


def section(scenario):
    settings = scenario["settings"]
    faults = "".join(f"<li>{text(fault['label'])}: {fault['began']:.1f} to {fault['ended']:.1f} s</li>" for fault in scenario["faults"])
    outcomes = ", ".join(f"{count} {name}" for name, count in scenario["outcomes"].items())
    parts = [f'<section id="{text(scenario["name"])}"><h2>{badge(scenario["holds"])} {text(scenario["title"])}</h2>',
             f"<dl><dt>row</dt><dd>{text(scenario['row'])}</dd><dt>promise</dt><dd>{text(scenario['promise'])}</dd>"
             f"<dt>run on</dt><dd>{settings['pops']} {'POP' if settings['pops'] == 1 else 'POPs'}, centre on {text(settings['store'])}, "
             f"durability {text(settings['durability'])}, seed {settings['seed']}</dd><dt>operations</dt><dd>{text(outcomes)}</dd></dl>"]
    if scenario["attempts"]:
        parts.append(timeline(scenario))
    if faults:
        parts.append(f'<ol class="faults">{faults}</ol>')
    if scenario["failure"]:
        parts.append(f"<pre>{text(scenario['failure'])}</pre>")
    if scenario["measures"]:
        parts.append(f"<table><tr><th>measured</th><th></th><th></th></tr>{measure_rows(scenario)}</table>")
    parts.append(f"<table><tr><th></th><th>invariant</th><th>figures</th></tr>{verdict_rows(scenario)}</table></section>")
    return "".join(parts)


def overview(scenarios):
    rows = "".join(f"<tr><td>{badge(one['holds'])}</td><td><a href='#{text(one['name'])}'>{text(one['name'])}</a></td>"
                   f"<td>{text(one['row'])}</td><td class='figure'>{sum(one['outcomes'].values())}</td>"
                   f"<td class='figure'>{one['duration']:.0f} s</td></tr>" for one in scenarios)
    return ("<section><table><tr><th></th><th>scenario</th><th>row of the failure table</th>"
            f"<th class='figure'>operations</th><th class='figure'>ran</th></tr>{rows}</table></section>")


def html_page(about, scenarios):
    dirty = " with uncommitted changes" if about["uncommitted_changes"] else ""
    good = sum(one["holds"] for one in scenarios)
    return (f"<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
            f"<title>nodex-lab: {good} of {len(scenarios)}</title><style>{STYLE}</style></head><body><main>"
            f"<h1>Failover rehearsal: {good} of {len(scenarios)} as promised</h1>"
            f"<p class='about'>{text(about['date'])} · commit {text(about['commit'])}{dirty} · kernel {text(about['kernel'])} · "
            f"{text(about['cpu'])}, {about['processors']} processors<br><code>{text(about['command'])}</code></p>"
            f"{overview(scenarios)}{''.join(section(one) for one in scenarios)}</main></body></html>\n")
