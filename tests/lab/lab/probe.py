"""Looks at every POP four times a second, as a monitoring system would, and keeps what it saw for the timeline."""
import threading

LOOKS_SECONDS = 0.25
GAUGES = {  # name in the report: name at /metrics, labels left out
    "in_flight": "nodex_requests_in_flight",
    "runs": "nodex_runs",
    "outbox": "nodex_outbox_depth",
    "contact_age": "nodex_central_contact_age_seconds",
    "headroom": "nodex_lease_headroom_nano",
}


def gauge(metrics, name):
    """The sum over all labels, or nothing when the node has no such metric."""
    values = [value for key, value in metrics.items() if key == name or key.startswith(name + "{")]
    return sum(values) if values else None


class Probe:
    """One thread a POP, so that a silent one does not hold up the others."""

    def __init__(self, lab):
        self.lab = lab
        self.samples = []   # {"t", "pop", "up", gauges...}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(pop,), daemon=True) for pop in lab.pops]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(5)

    def _watch(self, pop):
        while not self._stopping.is_set():
            moment = self.lab.history.now()
            metrics = pop.metrics()
            sample = {"t": round(moment, 3), "pop": pop.name, "up": metrics is not None}
            if metrics is not None:
                sample.update({name: gauge(metrics, metric) for name, metric in GAUGES.items()})
            with self._lock:
                self.samples.append(sample)
            self._stopping.wait(LOOKS_SECONDS)
