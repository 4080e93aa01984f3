"""Round trips and bandwidth between places, as public measurements between cloud regions show them (rounded)."""

# ms there and back
ROUND_TRIP_MS = {
    frozenset(["frankfurt", "singapore"]): 160,
    frozenset(["frankfurt", "virginia"]): 90,
    frozenset(["frankfurt", "tokyo"]): 225,
    frozenset(["virginia", "singapore"]): 230,
    frozenset(["virginia", "tokyo"]): 150,
    frozenset(["tokyo", "singapore"]): 70,
}
INSIDE_MS = 0.5                       # two machines of one region
WIDE_BITS_PER_SECOND = 200_000_000    # a POP's share of a long line
INSIDE_BITS_PER_SECOND = 2_000_000_000
POP_REGIONS = ["frankfurt", "virginia", "tokyo"]
CENTRE_REGION = "singapore"


def line(one, other):
    """(one-way delay in microseconds, bits per second) of a line between two regions."""
    if one == other:
        return int(INSIDE_MS * 500), INSIDE_BITS_PER_SECOND
    return int(ROUND_TRIP_MS[frozenset([one, other])] * 500), WIDE_BITS_PER_SECOND
