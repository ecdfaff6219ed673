"""What the steps of .ci/siege.py ask with: a service that runs, requests, connections, figures as text."""

import argparse
import asyncio
import contextlib
import http.client
import itertools
import os
import re
import time
import traceback

from witness import holds, somewhere

ALIVE, CACHED, ANEW = "/healthz", "/v1/summary", "/v1/customers/top?limit=1"
# An answer of some megabytes: more than the system holds for somebody who does not read it.
LIST, LIST_CSV = "/v1/subscriptions/at-risk?format=ndjson", "/v1/subscriptions/at-risk?format=csv"
# How much later than promised is no fault.
TOLERANCE = 1.5
# A 99th percentile below this is noise, and twice of it is held against nobody.
NOISE = 0.005
# Each of the others asks so often, in seconds.
EVERY = 0.006
# Nobody waits longer for an answer, in seconds.
PATIENCE = 5

place = argparse.Namespace()


class Service:
    """One of the services that run."""

    def __init__(self, name):
        self.name = name
        self.host, _, port = self.read("address").strip().removeprefix("http://").partition(":")
        self.port, self.pid = int(port), int(self.read("pid"))

    def read(self, what):
        with open(f"{place.work}/{self.name}.{what}", encoding="utf-8", errors="replace") as file:
            return file.read()

    def status(self, what):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(rf"{what}:\s+(\d+)", file.read())[1])

    def memory(self):
        """Resident bytes."""
        return self.status("VmRSS") << 10

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def held(self):
        """The connections that it has not given up, by their other ends: how many bytes are on their way."""
        with open("/proc/net/tcp", encoding="ascii") as file:
            lines = [line.split() for line in itertools.islice(file, 1, None)]
        # A connection that no process has a file of has no inode.
        ours = (line for line in lines if line[1].endswith(f":{self.port:04X}") and line[9] != "0")
        return {line[2]: int(line[4].partition(":")[0], 16) for line in ours}

    def ask(self, path, method="GET", body=None, timeout=30, **headers):
        """One exchange on a connection of its own: status, headers, text."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout, source_address=(somewhere(), 0))
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {place.key}", "Accept": "application/json", **headers})
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read().decode("utf-8", "replace")
        finally:
            connection.close()


def request(path, *headers, method="GET", version="HTTP/1.1", key=None):
    lines = [f"{method} {path} {version}", "host: localhost", f"authorization: Bearer {key or place.key}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def share(times, part):
    """A percentile, of however many."""
    return sorted(times)[min(len(times) - 1, int(len(times) * part))] if times else float("nan")


def milliseconds(seconds):
    return f"{seconds * 1000:.1f} ms"


def mebibytes(count):
    return f"{count / (1 << 20):.0f} MiB"


def go(priority):
    """Who goes first has the processor where others want it too, as if it were another machine's."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, priority)


FIRST, AS_OTHERS = -15, 0


async def tried(step, *services):
    """One step that breaks off does not hide what the others find."""
    try:
        await step(*services)
    except Exception as error:
        line = next((f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[::-1] if os.path.dirname(frame.filename) == os.path.dirname(__file__)), "?")
        holds(f"{step.__name__} comes to its end", False, f"{type(error).__name__} {error}, at {line}")


class Client(asyncio.Protocol):
    """A connection that knows when it was closed, and what came before."""

    def __init__(self):
        self.came, self.closed, self.since = bytearray(), None, time.monotonic()
        self.transport, self.ended = None, asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.came += data

    def connection_lost(self, error):
        self.closed = time.monotonic()
        if not self.ended.done():
            self.ended.set_result(None)


async def connect(service, kind=Client):
    address = (service.host, service.port)
    return (await asyncio.get_running_loop().create_connection(kind, *address, local_addr=(somewhere(), 0)))[1]


async def begin(coroutines, a_second=500):
    """A task of each, so many a second: that they come is not what is measured."""
    tasks = []
    for coroutine in coroutines:
        tasks.append(asyncio.ensure_future(coroutine))
        if len(tasks) % 10 == 0:
            await asyncio.sleep(10 / a_second)
    return tasks
