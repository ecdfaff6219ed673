"""What others get while somebody does their worst."""

import asyncio
import collections
import contextlib
import gc
import multiprocessing
import re
import socket
import threading
import time

from siege_tools import ALIVE, ANEW, CACHED, EVERY, FIRST, NOISE, PATIENCE, go, milliseconds, place, request, share
from witness import holds, somewhere


class Other:
    """Somebody who waits for each answer before the next question, on a connection that is kept."""

    def __init__(self, service):
        self.service, self.socket = service, None

    def took(self, asked):
        """Seconds until the whole answer was there, and its status; 0 where there was none."""
        began = time.perf_counter()
        try:
            if self.socket is None:
                self.socket = socket.create_connection((self.service.host, self.service.port), 2 * PATIENCE, (somewhere(), 0))
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(asked)
            status = self.status()
        except OSError:
            status = 0
        if status == 0 and self.socket is not None:
            self.socket.close()
            self.socket = None
        return time.perf_counter() - began, status

    def status(self):
        answer, end = b"", None
        while end is None or len(answer) < end:
            piece = self.socket.recv(1 << 18)
            if not piece:
                return 0
            answer += piece
            if end is None and (head := answer.find(b"\r\n\r\n")) >= 0:
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", answer[: head + 2])
                end = head + 4 + int(length[1] if length else 0)
        return int(answer[9:12])


def measure(service, told):
    """Asks for each path again and again, and says what came of it when told to."""
    go(FIRST)
    gc.disable()
    asked = {path: request(path, *headers, key=place.others) for path, *headers in ((ALIVE,), (CACHED,), (ANEW, "cache-control: no-cache"))}
    seen = {path: [] for path in asked}

    def ask(path):
        other = Other(service)
        other.took(asked[path])
        while True:
            time.sleep(EVERY)
            seen[path].append(other.took(asked[path]))

    for path in asked:
        threading.Thread(target=ask, args=(path,), daemon=True).start()
    while told.recv():
        so_far, seen = seen, {path: [] for path in asked}
        told.send(so_far)


@contextlib.asynccontextmanager
async def others(service, who):
    """Those who ask while somebody does their worst: they are to wait at most twice as long as before, in
    a process of their own."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=measure, args=(service, there), daemon=True)
    process.start()

    async def seen():
        here.send("what")
        while not here.poll():
            await asyncio.sleep(0.01)
        return here.recv()

    try:
        await asyncio.sleep(4)
        before = await seen()
        yield seen
        during = await seen()
    finally:
        process.kill()
    for path in (ALIVE, CACHED, ANEW):
        normal, now = (waited([took for took, _ in seen[path]]) for seen in (before, during))
        figures = f"p99 {milliseconds(normal)} of {len(before[path])} before, {milliseconds(now)} of {len(during[path])} during"
        holds(f"{who}: others wait for {path} no longer than before: {figures}", now <= 2 * max(normal, NOISE))
        refused = collections.Counter(status for _, status in during[path] if status != 200)
        holds(f"{who}: others are answered {path}", not refused, f"of {len(during[path])} by status: {dict(refused)}")


def waited(times):
    """The 99th percentile of how long others waited. Who waits asks less often, and so each long wait
    counts for those that there would have been meanwhile."""
    between, all_times = share(times, 0.5) + EVERY, []
    for took in times:
        while took > 0:
            all_times.append(took)
            took -= between
    return share(all_times, 0.99)
