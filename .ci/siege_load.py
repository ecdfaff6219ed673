"""More than a service can answer."""

import asyncio
import collections
import itertools
import re
import time

from siege_tools import AS_OTHERS, FIRST, NOISE, PATIENCE, connect, go, mebibytes, milliseconds, request, share
from witness import holds


class Asker(asyncio.Protocol):
    """A connection for one question at a time."""

    def __init__(self):
        self.transport, self.waiting, self.came, self.end = None, None, bytearray(), None
        self.answer, self.closed = None, False

    def connection_made(self, transport):
        self.transport = transport

    def ask(self, asked):
        self.waiting = asyncio.get_running_loop().create_future()
        self.came.clear()
        self.end = None
        self.transport.write(asked)
        return self.waiting

    def data_received(self, data):
        self.came += data
        if self.end is None and (head := self.came.find(b"\r\n\r\n")) >= 0:
            told = bytes(self.came[:head]).lower()
            length = re.search(rb"\r\ncontent-length: *(\d+)", told)
            self.answer = int(told[9:12]), b"\r\nretry-after:" in told
            self.end = head + 4 + int(length[1]) if length else 0
        whole = self.end is not None and (len(self.came) >= self.end if self.end else self.came.endswith(b"0\r\n\r\n"))
        if whole and self.waiting and not self.waiting.done():
            self.waiting.set_result(self.answer)

    def connection_lost(self, error):
        self.closed = True
        if self.waiting and not self.waiting.done():
            self.waiting.set_result((0, False))


class Left:
    """Which part of the processors others leave to a service: our own clients run on them too."""

    def __init__(self, service):
        self.service, self.before = service, self.now(service)

    @staticmethod
    def now(service):
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, idle, waiting, *more = map(int, file.readline().split()[1:9])
        with open(f"/proc/{service.pid}/stat", encoding="ascii") as file:
            own = sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
        return user + nice + system + idle + waiting + sum(more), idle + waiting + own

    def part(self):
        (all_before, left_before), (all_now, left_now) = self.before, self.now(self.service)
        return (left_now - left_before) / max(1, all_now - all_before)


# What is asked in turn, and worked out anew each time.
MIXED = [
    ("/v1/subscriptions/at-risk?limit=100",),
    ("/v1/summary?period=last_12_months",),
    ("/v1/subscriptions/at-risk?limit=100", "accept-encoding: gzip, deflate, br, zstd"),
    ("/v1/subscriptions/at-risk?search=q&limit=1",),
    ("/", "accept: text/html", "accept-encoding: gzip, deflate, br, zstd"),
]


class Load:
    """Questions on connections that are kept, and what came of them: when each was asked, how long it
    took, the status, and whether that told when to ask again."""

    def __init__(self, service):
        self.service, self.free, self.seen = service, [], []
        self.questions = itertools.cycle([request(path, "cache-control: no-cache", *headers) for path, *headers in MIXED])

    async def ask_one(self):
        began, client = time.monotonic(), None
        try:
            async with asyncio.timeout(PATIENCE):
                while self.free and (client is None or client.closed):
                    client = self.free.pop()
                if client is None or client.closed:
                    client = await connect(self.service, Asker)
                status, told = await client.ask(next(self.questions))
        except TimeoutError:
            status, told = "slow", False
        except OSError as error:
            status, told = type(error).__name__, False
        if status == "slow" and client:
            client.transport.abort()
        elif client and not client.closed:
            self.free.append(client)
        self.seen.append((began, time.monotonic() - began, status, told))

    async def in_turn(self, clients, seconds):
        """Answers a second, where each client asks again when it was answered."""
        began, first = time.monotonic(), len(self.seen)

        async def one():
            while time.monotonic() < began + seconds:
                await self.ask_one()

        await asyncio.gather(*[one() for _ in range(clients)])
        return sum(status == 200 for _, _, status, _ in self.seen[first:]) / (time.monotonic() - began)

    async def alone(self):
        """How long a round of questions takes where nobody else asks, and whether all are answered."""
        first = len(self.seen)
        for _ in MIXED:
            await self.ask_one()
        return sum(took for _, took, _, _ in self.seen[first:]), all(status == 200 for _, _, status, _ in self.seen[first:])

    async def whatever_comes(self, rate, seconds):
        """Asks so many times a second; what is still waited for, and by how much the latest question was late."""
        began, waiting, late = time.monotonic(), set(), 0
        for number in range(int(rate * seconds)):
            early = began + number / rate - time.monotonic()
            if early > 0:
                await asyncio.sleep(early)
            late = max(late, -early)
            task = asyncio.ensure_future(self.ask_one())
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        return waiting, late

    def close(self):
        for client in self.free:
            client.transport.abort()


async def overload(large, few, small):
    go(FIRST)
    load, after, seconds = Load(large), Load(large), 15
    await load.in_turn(32, 1)
    left = Left(large)
    capacity = await load.in_turn(32, 4)
    left = left.part()
    normal = share([(await load.alone())[0] for _ in range(10)], 0.5)
    before, left_now = large.memory(), Left(large)
    load.seen.clear()
    waiting, late = await load.whatever_comes(3 * capacity, seconds)
    ended, left_now, peak, threads = time.monotonic(), left_now.part(), large.memory(), large.status("Threads")
    # Whoever comes now is to be answered as before within some seconds.
    recovered = None
    while recovered is None and time.monotonic() < ended + 15:
        took, good = await after.alone()
        if good and took <= 2 * max(normal, NOISE):
            recovered = time.monotonic() - ended
    if waiting:
        await asyncio.wait(waiting)
    await asyncio.sleep(max(0, ended + 5 - time.monotonic()))
    go(AS_OTHERS)
    print(f"overload: {capacity:.0f} a second are answered to 32 who wait for each answer, with {left:.0%} of the processors; a round of {len(MIXED)} alone takes {milliseconds(normal)}")
    capacity *= left_now / left
    print(f"overload: {len(load.seen) / seconds:.0f} a second were asked for {seconds} s, the latest {milliseconds(late)} late, with {left_now:.0%} left, enough for {capacity:.0f}")
    good = [took for _, took, status, _ in load.seen if status == 200]
    for within in (PATIENCE, 2):
        rate = sum(took <= within for took in good) / seconds
        figures = f"{rate:.0f} a second within {within} s, {rate / capacity:.0%} of {capacity:.0f}, p50 {share(good, 0.5):.2f} s, p99 {share(good, 0.99):.2f} s"
        holds(f"overload: {figures}", rate >= 0.8 * capacity)
    statuses = collections.Counter((status, told) for _, _, status, told in load.seen)
    refused = [took for _, took, status, _ in load.seen if status in (429, 503)]
    named = {f"{status}{' with Retry-After' if told else ''}": count for (status, told), count in sorted(statuses.items(), key=str)}
    allowed = {(200, False), (503, True), (429, True), ("slow", False)}
    holds(f"overload: nothing breaks: {named}, refusals at p99 after {milliseconds(share(refused, 0.99))}", set(statuses) <= allowed)
    remains = large.memory()
    figures = f"{mebibytes(before)} before, {mebibytes(peak)} at its end with {threads} threads, {mebibytes(remains)} five seconds later"
    holds(f"overload: memory does not grow: {figures}", remains <= max(1.3 * before, before + (100 << 20)))
    figures = "not within 15 s" if recovered is None else f"{recovered:.1f} s after its end"
    holds(f"overload: answers come as soon as before {figures}", recovered is not None and recovered <= 5)
    load.close()
    after.close()
