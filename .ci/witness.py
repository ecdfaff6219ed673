"""What scripts say of a service that they hold to its promises: each thing that holds is a line, and
a fault is one that begins with FAILED."""

import itertools
import time

faults, done = [], []
began = time.monotonic()


def holds(sentence, is_so, otherwise=""):
    print(sentence if is_so else f"FAILED: {sentence}{': ' if otherwise else ''}{' '.join(str(otherwise).split())[:600]}", flush=True)
    (done if is_so else faults).append(sentence)
    return is_so


def somewhere(numbers=itertools.count()):
    """A loopback address of one's own: a port of one cannot be used again for a minute, and whoever is
    refused too often is answered more slowly."""
    number = next(numbers)
    return f"127.1.{number // 250 % 250}.{number % 250 + 1}"


def ended():
    """The last line, and the process with it."""
    print(f"{len(done)} hold, {len(faults)} do not, after {time.monotonic() - began:.0f} s")
    raise SystemExit(1 if faults else 0)
