"""Thousands of connections, fewer files than connections, and a full disk."""

import asyncio
import collections
import contextlib
import gc
import json
import os
import random
import resource
import subprocess
import time

from siege_others import Other
from siege_tools import ALIVE, CACHED, LIST, NOISE, TOLERANCE, Client, connect, mebibytes, milliseconds, place, request, share, tried
from witness import holds


class Kept(Client):
    """A connection that asks once and is kept."""

    def data_received(self, data):
        self.came += data
        self.since = time.monotonic()


def asked_by_sixteen(service):
    """Seconds that each of 2,000 questions took."""
    kept, asked = [Other(service) for _ in range(16)], request(ALIVE)
    for other in kept:
        other.took(asked)
    gc.disable()
    seen = [random.choice(kept).took(asked) for _ in range(2_000)]
    gc.enable()
    return [took for took, _ in seen], sum(status != 200 for _, status in seen)


async def thousands(large, few, small):
    wanted = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1_000)
    holds("ten thousand connections: there are files enough for them", wanted == 10_000, f"for {wanted} there are; raise `ulimit -n`")
    normal, _ = await asyncio.to_thread(asked_by_sixteen, large)
    before, began = large.memory(), time.monotonic()

    async def open_one():
        client = await connect(large, Kept)
        client.transport.write(request(ALIVE))
        return client

    kept = []
    for _ in range(0, wanted, 250):
        opened = await asyncio.gather(*[open_one() for _ in range(250)], return_exceptions=True)
        kept += [client for client in opened if isinstance(client, Client)]
    opened = time.monotonic() - began
    for _ in range(50):
        if all(client.came for client in kept):
            break
        await asyncio.sleep(0.1)
    answered = sum(client.came.startswith(b"HTTP/1.1 200 ") for client in kept)
    now, bad = await asyncio.to_thread(asked_by_sixteen, large)
    left = sum(client.closed is None for client in kept)
    holds(f"{answered} connections were opened within {opened:.1f} s and answered once, and {left} are still open", answered == left == wanted)
    each = (large.memory() - before) / max(1, len(kept))
    print(f"each of them takes {each / 1024:.1f} KiB of the service's memory, {mebibytes(large.memory())} are resident in all")
    were, are = share(normal, 0.99), share(now, 0.99)
    holds(f"others wait no longer than without them: p99 {milliseconds(were)} before, {milliseconds(are)} with them", are <= 2 * max(were, NOISE))
    holds("others are answered, all 2000", not bad, f"{bad} are not")
    # They wait to be closed while other services are besieged.
    await tried(more_than_files, few)
    await tried(full_disk, small)
    await asyncio.wait([client.ended for client in kept], timeout=max(1, max(client.since for client in kept) + 35 - time.monotonic()))
    times = [client.closed - client.since for client in kept if client.closed]
    figures = f"after {min(times):.1f} to {max(times):.1f} s" if times else "never"
    holds(f"{len(times)} of {len(kept)} that are idle are closed {figures}", len(times) == len(kept) and max(times) <= 30 + TOLERANCE)
    for client in kept:
        client.transport.abort()
    status, _, _ = await asyncio.to_thread(large.ask, "/readyz")
    holds(f"the service is ready after them: {status}", status == 200)


async def more_than_files(few):
    """A service that may open 256 files, and 400 who come at once."""
    clients, last = [], time.monotonic() + 20

    async def come():
        clients.append(client := await connect(few))
        client.transport.write(request(ALIVE))

    def answered():
        return [client for client in clients if client.came.startswith(b"HTTP/1.1 200 ")]

    coming = [asyncio.ensure_future(come()) for _ in range(400)]
    await asyncio.sleep(2)
    first, most = answered(), few.files()
    holds(f"256 files: of 400 at once {len(first)} are answered, {most} files are open", 100 <= len(first) < 400 and most < 256)
    # Who has a connection can still have files opened.
    asks = first[0]
    asks.came.clear()
    asks.transport.write(request("/v1/tables/reload", "content-length: 0", method="POST"))
    while not asks.came and not asks.closed and time.monotonic() < last:
        await asyncio.sleep(0.05)
    said = bytes(asks.came).decode()
    holds(f"256 files: with all connections taken the tables are looked at anew: {said[9:12]}", said.startswith("HTTP/1.1 200 "), said)
    asks.came[:] = b"HTTP/1.1 200 "
    rounds = [len(first)]
    while sum(rounds) < 400 and time.monotonic() < last:
        for client in answered():
            client.transport.abort()
        await asyncio.sleep(1)
        rounds.append(len(answered()) - sum(rounds))
    holds(f"256 files: the others are answered when those have gone, {' + '.join(map(str, rounds))} of 400 by the second", sum(rounds) == 400)
    for one in coming:
        one.cancel()
    for client in clients:
        client.transport.abort()
    await asyncio.sleep(0.5)
    for path in ("/readyz", LIST):
        status, _, text = await asyncio.to_thread(few.ask, path, **{"Cache-Control": "no-cache"})
        holds(f"256 files: afterwards {path} is {status} with {len(text)} bytes", status == 200)
    holds("256 files: no panic is in the log", "panicked" not in few.read("log"))


# A full disk.


def feedback(service, named):
    """The answer to a verdict, of which there may be only so many a second."""
    given, status = json.dumps({"feedback_id": named, "verdict": "right"}), 429
    while status == 429:
        status, headers, text = service.ask(f"/v1/subscriptions/{place.id}/feedback", "POST", given, **{"Content-Type": "application/json"})
        if status == 429:
            time.sleep(int(headers["retry-after"]))
    return status, headers, json.loads(text)


async def full_disk(small):
    """The disk under the audit log is full now and then."""
    await asyncio.to_thread(fill, small)


def fill(small):
    disk = f"{place.work}/disk"
    if not os.path.ismount(disk):
        print("NOT TRIED: a full disk under the audit log, since nothing can be mounted here: run as root")
        return
    status, _, told = feedback(small, "siege-first")
    if not holds(f"full disk: before, feedback is answered {status}", status == 200, told):
        return
    refused, kept, again, figures = collections.Counter(), [], collections.Counter(), collections.Counter()
    # A line that still fits where the head of the log does not, and one that does not: both ways.
    for turn in range(12):
        with open(f"{disk}/filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(512))
        for attempt in range(2):
            status, headers, told = feedback(small, f"siege-{turn}-{attempt}")
            refused[status, told.get("type", "").rpartition(":")[2], "retry-after" in headers] += 1
        figures[small.ask(CACHED)[0]] += 1
        os.remove(f"{disk}/filler")
        for attempt in range(2):
            status, _, told = feedback(small, f"siege-{turn}-{attempt}")
            again[status] += 1
            kept.append(told.get("data", {}).get("known_before"))
    holds(f"full disk: feedback is not taken: {dict(refused)}", set(refused) == {(503, "not-recorded", True)})
    holds(f"full disk: figures are given: {dict(figures)}", set(figures) == {200})
    holds(f"full disk: with space again feedback is taken: {dict(again)}", set(again) == {200})
    holds(f"full disk: nothing of what was refused was kept, of {len(kept)}", not any(kept), kept)
    verified = subprocess.run([place.program, "audit", "verify", "--audit", f"{disk}/audit"], capture_output=True, text=True, check=False)
    said = " ".join((verified.stdout + verified.stderr).split())
    holds(f"full disk: the audit log is whole: {said}", verified.returncode == 0)
    with open(f"{disk}/audit/audit.jsonl", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    told = collections.Counter(line["result"] for line in lines if line["what"] == "feedback" or "eedback" in line["what"])
    print(f"full disk: the audit log tells of feedback: {dict(told)}")
