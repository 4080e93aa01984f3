"""Bar charts as SVG, enough for the results and without a library."""

import html

WIDTH, ROW, GROUP_GAP, LEFT, RIGHT, TOP = 760, 20, 16, 190, 110, 56
COLOURS = {"nodex": "#1f6feb", "nginx": "#57a773", "haproxy": "#d08c2f", "portkey": "#b5525c",
           "direct": "#8a8f98"}


def text(x, y, content, size=12, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="#24292f">{html.escape(content)}</text>')


def shorten(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def bar_chart(title, subtitle, groups):
    """`groups`: [(label, [(server, median, least, most)])], drawn as bars with a line from least to most."""
    rows = sum(len(bars) for _, bars in groups)
    height = TOP + rows * ROW + len(groups) * GROUP_GAP + 20
    top_value = max((most for _, bars in groups for _, _, _, most in bars), default=0) or 1
    scale = (WIDTH - LEFT - RIGHT) / top_value
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
             f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
             f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
             text(16, 24, title, 16, weight="bold"), text(16, 42, subtitle, 12)]
    y = TOP
    for label, bars in groups:
        parts.append(text(16, y + ROW * len(bars) / 2 + 4, label, 12, weight="bold"))
        for server, median, least, most in bars:
            parts += bar(y, server, median, least, most, scale)
            y += ROW
        y += GROUP_GAP
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def bar(y, server, median, least, most, scale):
    colour = COLOURS.get(server, "#666666")
    middle = y + ROW / 2
    return [text(LEFT - 8, middle + 4, server, 11, "end"),
            f'<rect x="{LEFT}" y="{y + 3}" width="{max(median * scale, 1):.1f}" height="{ROW - 6}" '
            f'fill="{colour}"/>',
            f'<line x1="{LEFT + least * scale:.1f}" x2="{LEFT + most * scale:.1f}" y1="{middle}" '
            f'y2="{middle}" stroke="#24292f" stroke-width="1.5"/>',
            text(LEFT + max(most, median) * scale + 6, middle + 4, shorten(median), 11)]
