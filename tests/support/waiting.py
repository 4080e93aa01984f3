"""Waiting for conditions, with a deadline. The only place of the tests that sleeps: between two looks."""
import time

LOOK_SECONDS = 0.01
LOG_SECONDS = 20


class TooLate(AssertionError):
    """A condition did not come true in time."""


def until(condition, seconds, what):
    """Looks until condition() is true and returns its value; TooLate with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TooLate(f"after {seconds} s still not: {what}")
        time.sleep(LOOK_SECONDS)


def until_logged(log, *words):
    """Looks until log() has all `words`: a program's log is written by a thread of its own, so a line may come after the answer that it
    tells of."""
    until(lambda: all(word in log() for word in words), LOG_SECONDS, f"the log has {', '.join(words)}")


def holds(condition, seconds, what):
    """Looks for `seconds` and fails as soon as condition() is false: for what must stay as it is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), f"no longer: {what}"
        time.sleep(LOOK_SECONDS)
