"""Timelines as SVG: stacked bars of counts, lines of gauges, and the faults as bands behind both."""
import html
import math

WIDTH, LEFT, RIGHT = 940, 62, 16
PLOT = WIDTH - LEFT - RIGHT
INK, MUTED, GRID, FAULT = "#1f2328", "#656d76", "#e6e8eb", "#f5b7b1"
GOOD = "#2da44e"
# Errors from dark to light; more kinds than colours share the last one.
BAD = ["#cf222e", "#bc4c00", "#bf8700", "#8250df", "#57606a", "#8c959f"]
NUMBERED_MAX = 30
POPS = ["#0969da", "#bf3989", "#1b7c83"]


def label(x, y, content, *, anchor="start", size=11, colour=MUTED, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
            f'font-weight="{weight}">{html.escape(str(content))}</text>')


def short(value):
    """A number with few digits and its magnitude."""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{suffix}"
    return f"{value:.3g}"


def nice(top):
    """The next round number at or above `top`."""
    if top <= 0:
        return 1.0
    unit = 10 ** math.floor(math.log10(top))
    return next(unit * step for step in (1, 2, 2.5, 5, 10) if unit * step >= top * 0.999999)


class Panel:
    """One plot of the timeline: a title, an axis of values, the common axis of time."""

    def __init__(self, title, y, height, duration, top):
        self.y, self.height, self.duration, self.top = y, height, max(duration, 0.1), nice(top)
        self.parts = [label(LEFT, y - 8, title, size=12, colour=INK, weight="600")]
        for share in (0, 0.5, 1):
            line = self.at_value(self.top * share)
            self.parts += [f'<line x1="{LEFT}" x2="{LEFT + PLOT}" y1="{line:.1f}" y2="{line:.1f}" stroke="{GRID}"/>',
                           label(LEFT - 6, line + 4, short(self.top * share), anchor="end", size=10)]

    def at(self, moment):
        return LEFT + PLOT * min(max(moment, 0), self.duration) / self.duration

    def at_value(self, value):
        return self.y + self.height * (1 - min(max(value, 0), self.top) / self.top)

    def bars(self, stacks, colours, bin_seconds):
        """`stacks`: {bin number: [(name, value)]}, drawn upwards in the given order."""
        for number, stack in stacks.items():
            left, right = self.at(number * bin_seconds), self.at((number + 1) * bin_seconds)
            base = 0
            for name, value in stack:
                low, high = self.at_value(base), self.at_value(base + value)
                base += value
                self.parts.append(f'<rect x="{left:.2f}" y="{high:.2f}" width="{max(right - left - 0.4, 0.4):.2f}" '
                                  f'height="{max(low - high, 0):.2f}" fill="{colours[name]}"/>')

    def line(self, points, colour):
        """`points`: [(moment, value or None)]; None breaks the line."""
        path, pen = [], "M"
        for moment, value in points:
            if value is None:
                pen = "M"
                continue
            path.append(f"{pen}{self.at(moment):.1f} {self.at_value(value):.1f}")
            pen = "L"
        if path:
            self.parts.append(f'<path d="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>')


def time_axis(y, duration):
    step = next((step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600) if duration / step <= 14), 1200)
    parts = []
    for number in range(int(duration // step) + 1):
        x = LEFT + PLOT * number * step / max(duration, 0.1)
        parts += [f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 4}" stroke="{MUTED}"/>',
                  label(x, y + 16, f"{number * step} s" if step < 60 else f"{number * step // 60} min", anchor="middle", size=10)]
    return parts


def bands(faults, top, bottom, duration):
    """Faults behind the plots; each carries its number, which the list below the chart explains."""
    parts = []
    for number, fault in enumerate(faults, 1):
        left = LEFT + PLOT * fault["began"] / max(duration, 0.1)
        right = LEFT + PLOT * fault["ended"] / max(duration, 0.1)
        middle = (left + right) / 2
        parts.append(f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 1.5):.1f}" height="{bottom - top}" fill="{FAULT}" '
                     f'opacity="0.45"><title>{number}. {html.escape(fault["label"])}</title></rect>')
        if len(faults) > NUMBERED_MAX:
            continue  # the numbers would cover each other; each band still has its title
        parts += [f'<circle cx="{middle:.1f}" cy="{top - 20}" r="8" fill="#cf222e"/>',
                  label(middle, top - 16.5, number, anchor="middle", size=10, colour="#ffffff", weight="600")]
    return parts


def svg(height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="100%" '
            f'font-family="system-ui, sans-serif" role="img">' + "".join(parts) + "</svg>")
