#!/usr/bin/env python3
"""What signing in costs a request: the server's CPU for one that is answered from what was kept, of
nobody, of a key, of a token (RS256) and of a token by ES256.

    benches/sign_in.py PROGRAM [--rounds 7] [--seconds 2]

Three services over one lake, asked in turns by wrk over eight connections; the figures are the median
of all rounds and their range, in microseconds of the process's CPU, and what each adds over nobody.
Needs wrk, and the PyPI package `cryptography` to sign tokens."""
import argparse
import base64
import http.server
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

AUDIENCE = "api://bench"
TARGET = "/v1/summary"


def base(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return base(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def provider():
    """A provider's two documents, and what signs as it does."""
    one, two = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    modulus, point = one.public_key().public_numbers(), two.public_key().public_numbers()
    keys = [
        {"kty": "RSA", "kid": "RS256", "alg": "RS256", "use": "sig", "n": number(modulus.n), "e": number(modulus.e)},
        {"kty": "EC", "kid": "ES256", "alg": "ES256", "use": "sig", "crv": "P-256", "x": number(point.x, 32), "y": number(point.y, 32)},
    ]

    class Documents(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            own = f"http://127.0.0.1:{self.server.server_port}"
            told = {"keys": keys} if self.path == "/keys" else {"issuer": own, "jwks_uri": f"{own}/keys"}
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Documents)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    issuer = f"http://127.0.0.1:{server.server_port}"

    def token(method):
        now = int(time.time())
        claims = {"iss": issuer, "aud": AUDIENCE, "sub": "bench", "name": "A Bench", "roles": ["AdminAgent"], "iat": now, "exp": now + 3600}
        claims |= {"padding": "x" * 700}  # as long as a directory's
        text = ".".join(base(json.dumps(part).encode()) for part in ({"alg": method, "typ": "JWT", "kid": method}, claims))
        if method == "RS256":
            return f"{text}.{base(one.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
        r, s = decode_dss_signature(two.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{base(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    return issuer, token


def serve(program, work, name, more):
    log = open(work / f"{name}.log", "w+")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CHURN_RISK_")}
    process = subprocess.Popen([program, "serve", "--lake", work / "lake", "--bind", "127.0.0.1:0", *more], stderr=log, env=clean)
    for _ in range(600):
        told = re.search(r"serving on (http://\S+)", pathlib.Path(log.name).read_text())
        if told:
            return process, told[1]
        time.sleep(0.1)
    raise SystemExit(pathlib.Path(log.name).read_text())


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    given = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp())
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    subprocess.run([given.program, "simulate", "--subscriptions", "300", "--days", "200", "--out", work / "files"], **quiet)
    subprocess.run([given.program, "import", work / "files", "--lake", work / "lake"], **quiet)
    issuer, token = provider()
    (work / "access.toml").write_text(
        f'[openid]\nissuer = "{issuer}"\naudience = "{AUDIENCE}"\n[limits]\nrequests_per_second = 1000000\nburst = 1000000\n'
    )
    doors = ["--keys", work / "keys.json", "--audit", work / "audit", "--access", work / "access.toml"]
    key = subprocess.run(
        [given.program, "keys", "create", "--name", "bench", "--role", "AdminAgent", "--keys", work / "keys.json", "--audit", work / "audit"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()
    services = [serve(given.program, work, "open", []), serve(given.program, work, "guarded", doors)]
    cases = {
        "nobody signs in": (services[0], None),
        "API key": (services[1], key),
        "token by RS256": (services[1], token("RS256")),
        "token by ES256": (services[1], token("ES256")),
    }
    spent = {name: [] for name in cases}
    try:
        for at in range(given.rounds + 1):
            for name, ((process, address), credential) in cases.items():
                header = ["-H", f"Authorization: Bearer {credential}"] if credential else []
                asked = urllib.request.Request(address + TARGET, headers={"Authorization": f"Bearer {credential}"} if credential else {})
                assert urllib.request.urlopen(asked).status == 200
                before = cpu(process.pid)
                command = ["wrk", "-t1", "-c8", f"-d{given.seconds}s", *header, address + TARGET]
                told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                assert "Non-2xx" not in told, told
                requests = int(re.search(r"(\d+) requests in", told)[1])
                if at:  # the first round warms up
                    spent[name].append((cpu(process.pid) - before) / requests * 1e6)
    finally:
        for process, _ in services:
            process.terminate()
    least = statistics.median(spent["nobody signs in"])
    print(f"load {os.getloadavg()[0]:.1f}, {given.rounds} rounds of {given.seconds} s")
    for name, times in spent.items():
        middle = statistics.median(times)
        print(f"{name:16} {middle:6.1f} us ({min(times):.1f}-{max(times):.1f}), {middle - least:+.1f}")


main()
