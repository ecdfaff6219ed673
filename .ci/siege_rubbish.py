"""What is no request."""

import asyncio
import collections
import contextlib
import itertools
import random
import re
import time

from siege_tools import ALIVE, CACHED, TOLERANCE, begin, connect, mebibytes, place
from siege_tools import request as asked
from witness import holds


def rubbish(chance):
    """A thousand that are no requests, by what is wrong with them, and whether the sender stops there."""
    # Bodies that do not end hold places, of which each caller has so many.
    keys = itertools.cycle(place.allies)
    request = lambda *told, **how: asked(*told, key=next(keys), **how)
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
    ended = await asyncio.gather(*await begin((fed(large, *one) for one in rubbish(chance)), a_second=100))
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
