"""What .ci/siege does: besieges three services and measures what others get meanwhile. Each promise
that holds is a line with its figures; one that does not is a line that begins with FAILED."""

import argparse
import asyncio
import collections
import contextlib
import gc
import http.client
import itertools
import json
import multiprocessing
import os
import random
import re
import resource
import socket
import subprocess
import threading
import time
import traceback

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

faults, done = [], []
place = argparse.Namespace()


def holds(sentence, is_so, otherwise=""):
    print(sentence if is_so else f"FAILED: {sentence}{': ' if otherwise else ''}{' '.join(str(otherwise).split())[:600]}", flush=True)
    (done if is_so else faults).append(sentence)
    return is_so


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


def somewhere(numbers=itertools.count()):
    """A loopback address of many: a port of one cannot be used again for a minute."""
    return f"127.0.0.{next(numbers) % 200 + 2}"


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
        line = next((frame.lineno for frame in traceback.extract_tb(error.__traceback__)[::-1] if frame.filename == __file__), 0)
        holds(f"{step.__name__} comes to its end", False, f"{type(error).__name__} {error}, at line {line}")


# What others get meanwhile.


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
    process = multiprocessing.Process(target=measure, args=(service, there), daemon=True)
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


# Slow clients.


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


async def begin(coroutines):
    """A task of each, some five hundred a second: that they come is not what is measured."""
    tasks = []
    for coroutine in coroutines:
        tasks.append(asyncio.ensure_future(coroutine))
        if len(tasks) % 10 == 0:
            await asyncio.sleep(0.02)
    return tasks


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
    holds all that it can for them. That they were given up the system tells too: they themselves would
    have to read to see it."""
    loop, refused = asyncio.get_running_loop(), True
    while refused:
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
            most, start, refused = 0, b"", False
            while time.monotonic() < began + limit + TOLERANCE + 3 and not refused:
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
                # Who is told to come again does so.
                refused = start.endswith(b" 503")
    return None


def slow_kinds(service, watched):
    """Each slow client: within how many seconds they are sent away, and what they do."""
    head = request("/v1/score", "content-type: application/json", "content-length: 100000", method="POST")
    rubbish = random.Random(1).randbytes(100)
    return {
        "say nothing": (5, lambda limit: dripping(service, limit, b"")),
        "send half a head": (5, lambda limit: dripping(service, limit, head[:40])),
        "send a head by a byte a second": (5, lambda limit: dripping(service, limit, head[:1], head[1:])),
        "send a body by a byte a second": (5, lambda limit: dripping(service, limit, head + b"{", b" " * 100)),
        "greet as for TLS": (5, lambda limit: dripping(service, limit, bytes.fromhex("16030100f8010000f40303"), rubbish)),
        "ask once and fall silent": (30, lambda limit: dripping(service, limit, request(ALIVE), answered=True)),
        "do not read the list": (30, lambda limit: unread(service, limit, watched, request(LIST))),
        "do not read the list as CSV": (30, lambda limit: unread(service, limit, watched, request(LIST_CSV))),
        "read the list by 200 bytes a second": (30, lambda limit: unread(service, limit, watched, request(LIST), takes=200)),
        "ask thirty times and do not read": (30, lambda limit: unread(service, limit, watched, request(CACHED) * 30)),
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
        for name in names:
            limit, client = kinds[name]
            took[name] = await begin(client(limit) for _ in range(each))

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
        await come(kinds.keys() - set(lists))
        took = {name: await asyncio.gather(*tasks) for name, tasks in took.items()}
    watched.task.cancel()
    for name, (limit, _) in kinds.items():
        gone = [seconds for seconds in took[name] if seconds is not None]
        figures = f"{min(gone):.1f} to {max(gone):.1f} s" if gone else "never"
        late = len(gone) < each or max(gone) > limit + TOLERANCE
        holds(f"{who}: those who {name} are sent away after {figures}, {limit} s are allowed", not late, f"{each - len(gone)} were not")
    print(f"{who}: {mebibytes(before)} were resident before, {mebibytes(service.memory())} are after, {service.status('Threads')} threads")


async def slow_by_ones(large, few, small):
    await slow(large, 1)


async def slow_by_hundreds(large, few, small):
    await slow(large, place.each)


# Thousands of connections, and fewer files than connections.


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
    text = json.dumps({"feedback_id": named, "verdict": "right"})
    status, headers, text = service.ask(f"/v1/subscriptions/{place.id}/feedback", "POST", text, **{"Content-Type": "application/json"})
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


# More than it can answer.


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


# Rubbish.


def rubbish(chance):
    """A thousand that are no requests, by what is wrong with them, and whether the sender stops there."""
    inside = request(CACHED)
    length = lambda *values, body=b"{}": request("/v1/score", "content-type: application/json", *[f"content-length: {value}" for value in values], method="POST") + body
    coded = lambda *values, body=b"2\r\n{}\r\n0\r\n\r\n", more=(), version="HTTP/1.1": request(
        "/v1/score", "content-type: application/json", *[f"transfer-encoding: {value}" for value in values], *more, method="POST", version=version
    ) + body
    line = lambda text: text + b"\r\n" + request(ALIVE).partition(b"\r\n")[2]
    header = lambda text: request(ALIVE)[:-2] + text + b"\r\n\r\n"
    some = lambda most=60: chance.randbytes(chance.randint(1, most))
    letters = lambda most=20: bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(1, most)))
    no_token = lambda: bytes([chance.choice(b'\x00\x01\x08\x0e\x1f\x7f"(),/:;<=>?@[]{}\\')])
    forms = {
        "random bytes": lambda: some(4096),
        "random bytes after a good line": lambda: b"GET /healthz HTTP/1.1\r\n" + some(4096) + b"\r\n\r\n",
        "a broken method": lambda: line(letters() + no_token() + letters() + b" /healthz HTTP/1.1"),
        "a broken version": lambda: line(b"GET /healthz " + chance.choice([b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/11", b"http/1.1", b"HTTP/1.1 x", b"HTP/1.1", b"HTTP/1,1", letters()])),
        "no version": lambda: b"GET /healthz\r\n\r\n",
        "a broken path": lambda: line(b"GET /health" + chance.choice([b"\0", b"\x7f", b" ", b"\x01", b"\t", b"<", b"\xff"]) + letters() + b" HTTP/1.1"),
        "an endless line": lambda: b"GET /" + b"a" * chance.randint(140_000, 300_000),
        "a long path": lambda: line(b"GET /" + b"a" * chance.randint(9_000, 60_000) + b" HTTP/1.1"),
        "HTTP/2": lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + some(),
        "TLS": lambda: bytes.fromhex("16030100f8010000f40303") + chance.randbytes(300),
        "a broken header name": lambda: header(letters() + no_token().replace(b":", b"(") + b": 1"),
        "a space before a colon": lambda: header(b"x-" + letters() + b" : 1"),
        "a header without a colon": lambda: header(letters()),
        "a header without a name": lambda: header(b": " + letters()),
        "a folded header": lambda: header(b"x-a: 1\r\n " + letters()),
        "a broken header value": lambda: header(b"x-a: " + letters() + chance.choice([b"\0", b"\x01", b"\x7f", b"\r"]) + b"z"),
        "an endless header": lambda: header(b"x-a: " + b"a" * chance.randint(140_000, 300_000)),
        "too many headers": lambda: header(b"\r\n".join(b"x-%d: 1" % number for number in range(chance.randint(100, 2_000)))),
        "two hosts": lambda: header(b"host: " + letters()),
        "no host": lambda: b"GET /healthz HTTP/1.1\r\n\r\n",
        "another host": lambda: b"GET /healthz HTTP/1.1\r\nhost: " + letters() + b".example\r\n\r\n",
        "a broken length": lambda: length(chance.choice(["-1", "+2", "2,2", "2, 3", "2 2", "0x2", "2.0", "1e1", "", " ", "two", "٢".encode().decode("latin-1"), "2;", str(1 << 64), "9" * 30, "-0"])),
        "a huge length": lambda: length(chance.choice([1 << 32, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 10**15, (64 << 20) + 1])),
        "two lengths": lambda: length(*chance.choice([(2, 2), (2, 3), (0, 2), (2, 0), (len(inside) + 2, 2)]), body=b"{}" + inside),
        "a body that ends early": lambda: length(chance.randint(100, 10**6)),
        "a body that is rubbish": lambda: (lambda body: length(len(body), body=body))(some(2_000)),
        "a length and chunks": lambda: coded("chunked", more=(f"content-length: {chance.choice([0, 2, 4, 14, 1000])}",), body=b"0\r\n\r\n" + inside),
        "a length before chunks": lambda: length(chance.choice([4, 6, 100]), body=b"").replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n") + b"0\r\n\r\n" + inside,
        "another coding": lambda: coded(chance.choice(["xchunked", "chunked, identity", "identity", "gzip, chunked", "chunked, chunked", "chunked;q=1", '"chunked"', "chun ked", "", "\x0bchunked", letters().decode()])),
        "two codings": lambda: coded(*chance.choice([("chunked", "chunked"), ("chunked", "identity"), ("identity", "chunked"), ("chunked", "x")]), body=b"0\r\n\r\n" + inside),
        "chunks in HTTP/1.0": lambda: coded("chunked", version="HTTP/1.0", body=b"0\r\n\r\n" + inside),
        "a coding with a space before its colon": lambda: coded("chunked", body=b"0\r\n\r\n" + inside).replace(b"encoding:", b"encoding :"),
        "a broken chunk size": lambda: coded("chunked", body=chance.choice([b"zz", b"-2", b"+2", b"0x2", b"2 2", b"", b"\0", b"\r2", b"2_0", b"f" * 17, b"1" + b"0" * 16, b"g"]) + b"\r\n{}\r\n0\r\n\r\n" + inside),
        "a chunk longer than its size": lambda: coded("chunked", body=b"2\r\n{}" + letters() + b"\r\n0\r\n\r\n" + inside),
        "a chunk without its end": lambda: coded("chunked", body=b"2\r\n{}0\r\n\r\n" + inside),
        "a chunk that ends early": lambda: coded("chunked", body=b"ffff\r\n" + some(500)),
        "a chunk size for ever": lambda: coded("chunked", body=b"0" * chance.randint(1_000, 200_000)),
        "a chunk extension for ever": lambda: coded("chunked", body=b"2;" + b"a" * chance.randint(100_000, 300_000)),
        "a huge chunk": lambda: coded("chunked", body=b"7fffffffffffffff\r\n" + some(2_000)),
        "more chunks than a body may have": lambda: coded("chunked", body=b"10000\r\n" + b" " * 65536 + b"\r\n" + b"zz\r\n"),
        "gzip that is none": lambda: (lambda body: request("/v1/score", "content-type: application/json", "content-encoding: gzip", f"content-length: {len(body)}", method="POST") + body)(some(2_000)),
        "bytes that are no text as JSON": lambda: (lambda body: length(len(body), body=body))(b'{"subscriptions":[' + b"[" * chance.randint(1, 50_000)),
        "a broken target": lambda: line(b"GET " + chance.choice([b"healthz", b"//", b"http://", b"http://[::1", b"*", b"?", b"http:///healthz", b"%zz", b"/%", b"/v1/summary?from=%zz", b"/v1/summary?" + letters() + b"=%00", b"/../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd"]) + b" HTTP/1.1"),
        "a broken key": lambda: b"GET /v1/summary HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer " + chance.choice([b"", b"crk_", b"crk_" + letters() + b"_" + letters(), b"a" * 20_000, b"\xff\xfe", b"x.y.z"]) + b"\r\n\r\n",
    }
    names = list(forms)
    for number in range(1_000):
        name = names[number % len(names)]
        yield name, forms[name](), chance.random() < 0.5


async def fed(service, name, sent, stops):
    """The statuses that came back, and whether the connection was closed or stays good for a request."""
    client = await connect(service)
    client.transport.write(sent)
    if stops:
        with contextlib.suppress(OSError):
            client.transport.write_eof()
    # A whole refusal, or the end: a head that never ends is waited for.
    until = time.monotonic() + 5 + TOLERANCE
    while not client.closed and not client.came and time.monotonic() < until:
        await asyncio.wait([client.ended], timeout=0.05)
    # What is answered besides would be a request that nobody sent.
    await asyncio.wait([client.ended], timeout=0.3)
    client.transport.abort()
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", bytes(client.came))]
    return name, statuses, client.closed is not None


async def rubbish_fed(large, few, small):
    chance = random.Random(7)
    before, began = large.memory(), time.monotonic()
    ended = await asyncio.gather(*await begin(fed(large, *one) for one in rubbish(chance)))
    kinds, wrong = collections.Counter(), collections.defaultdict(collections.Counter)
    for name, statuses, closed in ended:
        kinds[statuses[0] if statuses else "closed" if closed else "nothing"] += 1
        fault = (
            "answered more than once" if len(statuses) > 1
            else f"answered {statuses[0]}" if statuses and not 400 <= statuses[0] < 500
            else "neither answered nor closed" if not statuses and not closed
            else None
        )
        if fault:
            wrong[name][f"{fault} ({', '.join(map(str, statuses))})" if len(statuses) > 1 else fault] += 1
    holds(f"rubbish: {len(ended)} of {len({name for name, _, _ in ended})} kinds end with {dict(sorted(kinds.items(), key=str))} after {time.monotonic() - began:.1f} s", not wrong, {name: dict(held) for name, held in wrong.items()})
    status, _, _ = await asyncio.to_thread(large.ask, "/readyz")
    holds(f"rubbish: the service is ready after it: {status}; {mebibytes(before)} before, {mebibytes(large.memory())} after", status == 200)


async def after_all(large, few, small):
    for service in (large, few, small):
        status, _, text = await asyncio.to_thread(service.ask, "/readyz")
        holds(f"after all: the service {service.name} is ready: {status}; {mebibytes(service.memory())}, {service.status('Threads')} threads, {service.files()} files", status == 200, text)
        log = service.read("log")
        errors = [line for line in log.splitlines() if " ERROR churn_risk" in line and not (service is small and "audit log" in line)]
        holds(f"after all: the log of {service.name} has no error and no panic in {len(log.splitlines())} lines", not errors and "panicked" not in log, errors[:3])


STEPS = [overload, slow_by_ones, slow_by_hundreds, thousands, rubbish_fed, after_all]


async def run():
    services = [Service(name) for name in ("large", "few", "small")]
    status, _, text = services[0].ask("/v1/subscriptions/at-risk?limit=1")
    if status != 200:
        raise SystemExit(f"FAILED: the service does not answer at all: {status} {text}")
    place.id = json.loads(text)["data"][0]["subscription_id"]
    for step in STEPS:
        if not place.only or step.__name__ in place.only:
            await tried(step, *services)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--each", type=int, required=True)
    parser.add_argument("only", nargs="*")
    parser.parse_args(namespace=place)
    for name, who in (("key", "siege"), ("others", "others")):
        with open(f"{place.work}/{who}.key", encoding="ascii") as file:
            setattr(place, name, file.read().split()[-1])
    began = time.monotonic()
    asyncio.run(run())
    print(f"{len(done)} hold, {len(faults)} do not, after {time.monotonic() - began:.0f} s")
    raise SystemExit(1 if faults else 0)


main()
