"""Alerts against the real programs: every metric that a rule names is told by one of them, and every rule has its page."""
import json
import pathlib
import re
import urllib.request

from support.cluster import Cluster
from support.runner import test
from support.waiting import until

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "nodex.rules.yml"
PAGES = DEPLOY / "alerts.md"
DASHBOARD = DEPLOY / "grafana" / "nodex.json"
SERVER_LABELS = {"job", "instance"}  # of whoever scrapes
SELECTOR = re.compile(r"\b(nodex_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|=|!=|!~)"([^"]*)"')


def rules():
    """Alert -> its lines, as text; the file is ours, and its layout is held by the first assertion below."""
    parts = re.split(r"^      - alert: (\w+)$", RULES.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def expression(lines):
    return re.search(r"^        expr: (.*?)(?=^        \w+:)", lines, re.MULTILINE | re.DOTALL).group(1)


def samples(text):
    """Metric -> list of its label sets."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"(\w+)(?:\{(.*)\})? \S+$", line)
        if match:
            found.setdefault(match[1], []).append(dict(re.findall(r'(\w+)="([^"]*)"', match[2] or "")))
    return found


def matches(labels, matchers):
    for name, operator, value in matchers:
        have = labels.get(name, "")
        if {"=": have == value, "!=": have != value, "=~": bool(re.fullmatch(value, have)),
                "!~": not re.fullmatch(value, have)}[operator] is False:
            return False
    return True


def missing(expr, told):
    """Selectors of an expression that nothing at the programs fits."""
    for name, matchers in SELECTOR.findall(expr):
        wanted = [matcher for matcher in MATCHER.findall(matchers) if matcher[0] not in SERVER_LABELS and "$" not in matcher[2]]
        if not any(matches(labels, wanted) for labels in told.get(name, [])):
            yield name + (f"{{{matchers}}}" if matchers else "")


def central_metrics(cluster):
    with urllib.request.urlopen(f"http://{cluster.central.metrics_address()}/metrics", timeout=10) as answer:
        return answer.read().decode()


@test
def every_metric_of_an_alert_or_a_panel_is_told_by_the_programs():
    panels = [target["expr"] for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
              for target in panel.get("targets", [])]
    expressions = [expression(lines) for lines in rules().values()]
    assert len(expressions) >= 39 and len(panels) >= 30, (len(expressions), len(panels))
    with Cluster() as cluster:
        until(lambda: "nodex_central_pop_lag_seconds{" in central_metrics(cluster), 20, "the POPs have reported")
        told = samples(cluster.pops[0].metrics_get("/metrics").body.decode())
        for name, labels in samples(central_metrics(cluster)).items():
            told.setdefault(name, []).extend(labels)
    lost = {selector for expr in expressions + panels for selector in missing(expr, told)}
    assert not lost, sorted(lost)


@test
def every_alert_has_a_page_that_says_what_to_do_and_every_page_an_alert():
    parts = re.split(r"^## (\w+)$", PAGES.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pages = dict(zip(parts[1::2], parts[2::2]))
    assert list(pages) == list(rules()), set(pages) ^ set(rules())
    for name, page in pages.items():
        for part in ("Means", "Customers", "Look", "Do"):
            assert re.search(rf"^- \*\*{part}\*\*: \S", page, re.MULTILINE), (name, part)
    for name, lines in rules().items():
        assert re.search(rf'^          runbook_url: ".*/alerts.md#{name.lower()}"$', lines, re.MULTILINE), name
        assert re.search(r"^        labels: { severity: (page|ticket) }$", lines, re.MULTILINE), name
    named = set(re.findall(r"\bNodex[A-Z]\w+", "".join(pages.values())))
    assert named <= set(pages), named - set(pages)


@test
def a_selector_that_nothing_fits_is_found():
    told = samples('nodex_errors_total{code="overloaded"} 0\nnodex_runs 1\n')
    assert list(missing('rate(nodex_errors_total{code="overloaded"}[5m]) > nodex_runs', told)) == []
    assert list(missing('nodex_errors_total{code="gone"} > nodex_rums', told)) == ['nodex_errors_total{code="gone"}', "nodex_rums"]
