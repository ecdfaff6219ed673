"""Those who are slow in every way, by ones and by hundreds."""

import asyncio
import contextlib
import itertools
import random
import socket
import time

from siege_others import others
from siege_tools import ALIVE, CACHED, LIST, LIST_CSV, TOLERANCE, begin, connect, mebibytes, place, request
from witness import holds, somewhere


# What comes of somebody who is told to come again.
REFUSED = -1


async def dripping(service, limit, first, then=b"", answered=False):
    """Seconds until somebody is sent away who sends something first, and then a byte a second; none where
    they are not."""
    client = await connect(service)
    client.transport.write(first)
    while answered and not client.came and not client.closed:
        await asyncio.sleep(0.01)
    client.since, then = time.monotonic() if answered else client.since, iter(then)
    until = client.since + limit + TOLERANCE + 3
    while not client.closed and time.monotonic() < until:
        await asyncio.wait([client.ended], timeout=1)
        byte = next(then, None)
        if byte is not None and not client.closed:
            client.transport.write(bytes([byte]))
    client.transport.abort()
    return client.closed and client.closed - client.since


class Watched:
    """What a service holds, looked at now and then."""

    def __init__(self, service):
        self.service, self.held, self.looked = service, {}, asyncio.Condition()
        self.task = asyncio.ensure_future(self.look())

    async def look(self):
        while True:
            held = await asyncio.to_thread(self.service.held)
            async with self.looked:
                self.held = held
                self.looked.notify_all()
            await asyncio.sleep(0.4)


async def unread(service, limit, watched, asked, takes=0):
    """The same of somebody who asks for much and takes little of it, or nothing, from when the system
    holds all that it can for them; not even that where they are told to come again. That they were given
    up the system tells too: they themselves would have to read to see it."""
    loop = asyncio.get_running_loop()
    with socket.socket() as one:
        # As over a network: for packets as large as loopback's the system holds megabytes.
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.setblocking(False)
        one.bind((somewhere(), 0))
        await loop.sock_connect(one, (service.host, service.port))
        with contextlib.suppress(BlockingIOError):
            one.send(asked)
        address, port = one.getsockname()
        known = f"{int.from_bytes(socket.inet_aton(address), 'little'):08X}:{port:04X}"
        began = last = time.monotonic()
        most, start = 0, b""
        while time.monotonic() < began + limit + TOLERANCE + 3:
            async with watched.looked:
                await watched.looked.wait()
            now = time.monotonic()
            if start and known not in watched.held:
                return now - began
            if watched.held.get(known, 0) > most:
                most, began = watched.held[known], now
            with contextlib.suppress(OSError):
                start = start or one.recv(12, socket.MSG_PEEK)
                one.recv(int(takes * (now - last))) if takes else None
            last = now
            if start.endswith(b" 503"):
                return REFUSED
    return None


def slow_kinds(service, watched):
    """Each slow client: within how many seconds they are sent away, and what they do."""
    head = request("/v1/score", "content-type: application/json", "content-length: 100000", method="POST")
    rubbish = random.Random(1).randbytes(100)
    # Nobody takes all places for lists, and whoever sends bodies so has no place left to ask.
    keys = itertools.cycle(place.allies)
    return {
        "say nothing": (5, lambda limit: dripping(service, limit, b"")),
        "send half a head": (5, lambda limit: dripping(service, limit, head[:40])),
        "send a head by a byte a second": (5, lambda limit: dripping(service, limit, head[:1], head[1:])),
        "send a body by a byte a second": (5, lambda limit: dripping(service, limit, head + b"{", b" " * 100)),
        "greet as for TLS": (5, lambda limit: dripping(service, limit, bytes.fromhex("16030100f8010000f40303"), rubbish)),
        "ask once and fall silent": (30, lambda limit: dripping(service, limit, request(ALIVE), answered=True)),
        "do not read the list": (30, lambda limit: unread(service, limit, watched, request(LIST, key=next(keys)))),
        "do not read the list as CSV": (30, lambda limit: unread(service, limit, watched, request(LIST_CSV, key=next(keys)))),
        "read the list by 200 bytes a second": (30, lambda limit: unread(service, limit, watched, request(LIST, key=next(keys)), takes=200)),
        "ask a thousand times and do not read": (30, lambda limit: unread(service, limit, watched, request(CACHED, key=next(keys)) * 1_000)),
    }


async def slow(service, each):
    """So many slow clients of each kind at once."""
    who = "slow clients, each kind once" if each == 1 else f"slow clients, {each} of each kind"
    watched, before, took = Watched(service), service.memory(), {}
    kinds = slow_kinds(service, watched)
    if each > 1:
        # Hundreds do as much in the other form.
        del kinds["do not read the list as CSV"]
    lists = [name for name in kinds if "the list" in name]

    async def come(names):
        tasks = await begin(client(limit) for _ in range(each) for limit, client in map(kinds.get, names))
        took.update({name: tasks[at :: len(names)] for at, name in enumerate(names)})

    async with others(service, who) as seen:
        # A list is a load until it waits for its reader. What others get is measured from then on.
        await come(lists)
        written = -1
        for _ in range(14):
            await asyncio.sleep(1)
            written, so_far = sum(watched.held.values()), written
            if written <= 1.02 * so_far:
                break
        await seen()
        await come([name for name in kinds if name not in lists])
        took = {name: await asyncio.gather(*tasks) for name, tasks in took.items()}
    watched.task.cancel()
    for name, (limit, _) in kinds.items():
        gone = [seconds for seconds in took[name] if seconds not in (None, REFUSED)]
        again = took[name].count(REFUSED)
        figures = f"after {min(gone):.1f} to {max(gone):.1f} s" if gone else "never"
        told = f" ({again} of {each} are told to come again)" if again else ""
        # Lists alone have fewer places than there are who want one.
        left = each - len(gone) - (again if name in lists else 0)
        holds(f"{who}: those who {name} are sent away {figures}, {limit} s are allowed{told}", gone and not left and max(gone) <= limit + TOLERANCE, f"{left} were not")
    print(f"{who}: {mebibytes(before)} were resident before, {mebibytes(service.memory())} are after, {service.status('Threads')} threads")


async def slow_by_ones(large, few, small):
    await slow(large, 1)


async def slow_by_hundreds(large, few, small):
    await slow(large, place.each)
