"""The steps of .ci/sign_in.py about tokens: by which keys they are taken, what roles and scopes show
of money and customers, a provider that goes away, and what the audit log says afterwards."""

import base64
import glob
import json
import os
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sign_in_tools import COOKIE, Hand, Visitor, ask, bearing, control, cookies_seen, place, refused, taken_within_5_s, token, words
from witness import holds

CANARY = "canary-7f3a"
MONEY = re.compile(r"cost|revenue|money|price|amount")
# Where costs are told, with as many forms as there are.
PRICED = [
    "/v1/summary?period=last_12_months",
    "/v1/subscriptions/at-risk?limit=5",
    "/v1/subscriptions/at-risk?limit=5&format=csv",
    "/v1/subscriptions/without-usage?limit=5",
    "/v1/customers/top?period=last_12_months",
    "/v1/categories?period=last_12_months",
    "/v1/retention/cohorts",
    "/v1/retention/revenue",
    "/v1/anomalies",
    "/v1/subscriptions/{id}",
    "/v1/subscriptions/{id}/risk",
    "/v1/model/record",
]


def other_key(_):
    old = place.old = token(ttl=3600)
    holds("a token by the provider's key is taken", bearing(old).status == 200, bearing(old))
    control("rotate")
    rotated = time.monotonic()
    holds(*taken_within_5_s("once the provider's keys have changed, a token by the new one", token()))

    def wait():
        while bearing(old).status == 200 and time.monotonic() - rotated < 95:
            time.sleep(1)
        place.old_refused = time.monotonic() - rotated

    place.waiting = threading.Thread(target=wait, daemon=True)
    place.waiting.start()


def old_key(_):
    place.waiting.join(100)
    after = getattr(place, "old_refused", 999)
    answer = bearing(place.old)
    holds(f"a token by the old key is refused within 90 s (after {after:.0f} s)", after <= 90 and answer.status == 401, answer)


def numbers(value, is_money=False):
    """The numbers under names that are about money, as they would be written, where no other number is likely to be the same."""
    if isinstance(value, dict):
        for name, held in value.items():
            if name not in ("growth", "share", "factors"):
                yield from numbers(held, is_money or bool(MONEY.search(name)))
    elif isinstance(value, list):
        for held in value:
            yield from numbers(held, is_money)
    elif is_money and isinstance(value, (int, float)) and not isinstance(value, bool):
        text = f"{value:.6f}".rstrip("0").rstrip(".")
        if len(re.sub(r"\D", "", text)) >= (5 if "." in text else 7):
            yield text


def money_in(text):
    return {one.rstrip("0").rstrip(".") if "." in one else one for one in re.findall(r"\d+(?:\.\d+)?", text)}


def sales(chromium):
    sam = Visitor(chromium, "sam").visit("/")
    holds("sam sees the dashboard, under his own name", sam.sees_dashboard() and "sam" in words(sam) and "ada" not in words(sam), sam.told())
    tried = [("/v1/imports", "GET"), ("/v1/model/reload", "POST"), ("/v1/tables/reload", "POST"), ("/v1/summary", "GET")]
    answers = [sam.page.evaluate("([path, method]) => fetch(path, {method}).then(answer => answer.status)", how) for how in tried]
    holds("sam's page gets 403 for imports and for reloads, and the summary", answers == [403, 403, 403, 200], answers)
    answer = sam.context.request.get(f"{place.service}/v1/imports")
    holds("and a problem that says so", answer.status == 403 and "problem+json" in answer.headers.get("content-type", ""), answer.status)
    ada, his = token(), token(account="sam")
    holds("ada may do all of it", [bearing(ada, "/v1/imports").status, bearing(ada, "/v1/model/reload", "POST").status] == [200, 200], bearing(ada, "/v1/model/reload", "POST"))

    costs, whole = set(), {path: bearing(ada, path.format(id=place.id)) for path in PRICED}
    for path, seen in whole.items():
        if seen.status == 200 and "json" in seen.header("content-type"):
            costs |= set(numbers(seen.json()["data"], is_money=path.startswith("/v1/customers/top")))
    answered = [seen.status for seen in whole.values()]
    holds(f"there are costs to hide ({len(costs)}, in {answered.count(200)} answers)", len(costs) >= 20 and answered.count(200) >= 10, answered)
    for path, seen in whole.items():
        his_own = bearing(his, path.format(id=place.id))
        shown = money_in(his_own.text) & costs
        holds(f"money is hidden from sam in {path}", his_own.status in (seen.status, 403) and not shown, f"{his_own.status}, shows {sorted(shown)[:5]}")
    summary = bearing(his).json()
    hidden = summary.get("meta", {}).get("hidden") or []
    data = summary["data"]
    named = {one["field"] for one in hidden if one["reason"]}
    holds("the summary says which fields are hidden", {"usage_cost", "cost_at_risk"} <= named, summary.get("meta"))
    left = {name: data[name] for name in ("usage_cost", "cost_at_risk", "cost") if data.get(name) is not None}
    holds("and they are empty", not left, left)
    holds("nothing is hidden from ada", not bearing(ada).json()["meta"].get("hidden") and bearing(ada).json()["data"]["usage_cost"], bearing(ada).json()["meta"])
    for path in ("/", f"/subscriptions/{place.id}"):
        shown = money_in(sam.visit(path).page.content()) & costs
        holds(f"money is hidden from sam in the page {path.split('/')[1] or '/'}", not shown, sorted(shown)[:5])

    tag = bearing(ada).header("etag")
    held = bearing(his, **{"If-None-Match": tag}) if tag else bearing(his)
    holds("what ada's browser keeps is not taken for sam's", held.status == 200, held)
    unsigned = ask(f"{place.service}/v1/summary", headers={"If-None-Match": tag or "*", "Accept": "application/json"})
    holds("nor for that of nobody", unsigned.status == 401, unsigned)
    page = ask(f"{place.service}/", headers={"Accept": "text/html", "Cookie": f"{COOKIE}={sam.cookie()['value']}"})
    kept = [bearing(ada).header("cache-control"), page.header("cache-control")]
    holds("no cache on the way keeps an answer for others", all(re.search("no-store|private", one) and "public" not in one for one in kept), kept)

    first = bearing(ada, "/v1/subscriptions/at-risk?limit=50").json()["data"]
    customer = first[0]["customer_id"]
    other = next(row["subscription_id"] for row in first if row["customer_id"] != customer)
    scoped = token(account="sam", claims={"churn_scope": f"customer:{customer}"})
    rows = bearing(scoped, "/v1/subscriptions/at-risk?limit=50").json()["data"]
    holds("whose scope is one customer sees that customer's subscriptions alone", rows and {row["customer_id"] for row in rows} == {customer}, [row["customer_id"] for row in rows][:5])
    statuses = [bearing(scoped, f"/v1/subscriptions/{one}").status for one in (first[0]["subscription_id"], other)]
    holds("and no other subscription", statuses in ([200, 404], [200, 403]), statuses)
    holds("a scope that does not read widens nothing", bearing(token(claims={"churn_scope": "everybody"})).status == 403, bearing(token(claims={"churn_scope": "everybody"})))


def bearer(_):
    def issued(job):
        who = base64.b64encode(f"{job}:of-a-job".encode()).decode()
        body = urllib.parse.urlencode({"grant_type": "client_credentials", "resource": "api://churn-risk"})
        return ask(f"{place.issuer}/token", "POST", {"Authorization": f"Basic {who}", "Content-Type": "application/x-www-form-urlencoded"}, body).json()["access_token"]

    for alg in ("RS256", "ES256"):
        for what, good in (("of the provider itself", issued(f"job-{alg.lower()}")), ("as a directory writes it", token(alg=alg))):
            answer = bearing(good)
            holds(f"a token by {alg}, {what}, is taken", answer.status == 200 and answer.json()["data"], answer)
    now, good = int(time.time()), token()
    head, payload, signature = good.split(".")
    forged = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | {"sub": "eve"}
    forged = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    hand = Hand()
    hand.sign_in()
    id_token = next(one for one in reversed(control("told")["tokens"]) if '"nonce"' in readable_part(one))
    tokens = {
        "that has expired": token(ttl=-600),
        "that does not hold yet": token(claims={"nbf": now + 600}, ttl=1200),
        "without an end": token(claims={"exp": None}),
        "whose end is no number": token(claims={"exp": "never"}),
        "for another audience": token(claims={"aud": "api://another"}),
        "for no audience": token(claims={"aud": None}),
        "of another issuer": token(claims={"iss": "https://evil.example"}),
        "of another tenant": token(account="mallory"),
        "of no tenant": token(claims={"tid": None}),
        "by an unknown key": token(header={"kid": "nobody"}),
        "by a stranger's key under the known name": token(stranger=True),
        "by a stranger's key that it brings along": token(stranger=True, header={"kid": "mine"}),
        "signed by nobody": token(alg="none"),
        "signed by nobOdy": token(alg="none", header={"alg": "nOnE"}),
        "by HS256 with the public key": token(alg="HS256"),
        "by RS256 that says ES256": token(alg="ES256", by="RS256"),
        "that asks for what nobody knows": token(header={"crit": ["evil"], "evil": True}),
        "with other claims": f"{head}.{forged}.{signature}",
        "without its signature": f"{head}.{payload}.",
        "with a part too many": f"{good}.{signature}",
        "of 10 kB": token(claims={"padding": "x" * 7600}),
        "that is an ID token": id_token,
        "that is garbage": "garbage",
        "of dots": "..",
        "that is empty": "",
        "that is no ASCII": "\u00e9.\u00e9.\u00e9",
    }
    for what, bad in tokens.items():
        answer = bearing(bad)
        holds(f"a token {what} is refused with 401", answer.status == 401 and "bearer" in answer.header("www-authenticate").lower(), f"{answer} {answer.headers}")
    for what, credentials in {"of another scheme": "Basic YWRhOmFkYQ==", "without a scheme": good, "without a token": "Bearer"}.items():
        answer = ask(f"{place.service}/v1/summary", headers={"Authorization": credentials})
        holds(f"credentials {what} are refused with 401", answer.status == 401 and answer.header("www-authenticate"), answer)
    answer = ask(f"{place.service}/", headers={"Authorization": "Bearer garbage", "Accept": "text/html"})
    holds("and so they are where a page is asked for", answer.status == 401 and answer.header("www-authenticate"), f"{answer} {answer.headers}")
    answer = ask(f"{place.service}/v1/summary?access_token={good}")
    holds("a token in the address is refused", answer.status in (400, 401), answer)
    for what, roles in {"without roles": None, "of no role": [], "of another service's role": ["Other.Admin"], "that calls its role as we do": ["GlobalAdmin"]}.items():
        answer = bearing(token(claims={"roles": roles}))
        holds(f"a token {what} gets 403", answer.status == 403, answer)
    holds("a good token is taken after all of them", bearing(good).status == 200, bearing(good))


def readable_part(one):
    part = one.split(".")[1] if one.count(".") == 2 else ""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("utf-8", "replace")


def flood(_):
    good = token()
    parts = good.split(".")
    time.sleep(5)  # Whatever was fetched before is long past.
    unknown = [base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "typ": "JWT", "kid": os.urandom(9).hex()}).encode()).decode().rstrip("=") for _ in range(200)]

    def asked():
        return control("told")["asked"].get("/jwks", 0)

    before, began = asked(), time.monotonic()

    def all_of_them(by):
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda head: bearing(".".join([head, *parts[1:]]), by=by).status, unknown))
        return {one: statuses.count(one) for one in statuses}

    apart, together = all_of_them(None), all_of_them("127.2.0.1")
    took, fetched = time.monotonic() - began, asked() - before
    holds(f"200 tokens by unknown keys, from as many addresses, are all refused (within {took:.1f} s)", apart == {401: 200}, apart)
    holds("and from one address, which may be told to wait", together.keys() <= {401, 429} and 401 in together, together)
    holds(f"and the provider's keys are fetched at most 3 times ({fetched})", fetched <= 3, fetched)
    answer = bearing(good, by="127.2.0.1")
    holds("a good token is taken all the same, from that address too", answer.status == 200, answer)
    control("rotate")
    holds(*taken_within_5_s("and a token by yet another key", token()))


def outage(_):
    good, session, begun = token(), Hand(), Hand()
    session.sign_in()
    callback = begun.through(begun.begin())

    def taken():
        return [bearing(good).status, session.go(f"{place.service}/").status]

    holds("before the provider goes away, a token and a session are taken", taken() == [200, 200], taken())
    with without_provider():
        refused("without the provider, a sign-in that has begun ends with 503", begun.go(callback), begun, [503])
        answer = Hand().go(f"{place.service}/sign-in")
        holds("one that begins ends with 503 or is on its way", answer.status == 503 or (answer.status == 303 and answer.header("location").startswith(place.issuer)), answer)
        holds("tokens and sessions are taken as before", taken() == [200, 200], taken())
    recovers("the service", place.service, good)
    with late_service() as late:
        with without_provider():
            late()
            answer = Hand(service=place.late).go(f"{place.late}/sign-in")
            holds("a service that begins without the provider answers a sign-in with 503", answer.status == 503, answer)
            answer = bearing(good, service=place.late)
            holds("and takes no token that it cannot check", answer.status in (401, 503), answer)
        recovers("the service that began without it", place.late, good)


@contextmanager
def without_provider():
    control("pause")
    try:
        yield
    finally:
        control("resume")


@contextmanager
def late_service():
    """What begins a second service, which ends with the block."""
    command = [place.program, "serve", "--lake", f"{place.work}/lake", "--models", "models", "--bind", place.late.split("//")[1]]
    command += ["--access", f"{place.work}/late.toml", "--keys", f"{place.work}/keys.json", "--audit", f"{place.work}/late-audit", "--no-score-history"]
    path, begun = f"{place.work}/late.log", []

    def said():
        return open(path, "rb").read()

    def begin():
        with open(path, "wb") as log:
            begun.append(subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "RUST_LOG": "trace"}))
        for _ in range(300):
            if b"serving on http://" in said() or begun[0].poll() is not None:
                break
            time.sleep(0.1)
        holds("a service begins without the provider", b"serving on http://" in said() and begun[0].poll() is None, said()[-400:])

    try:
        yield begin
    finally:
        for one in begun:
            one.terminate()
            one.wait(30)


def recovers(what, service, good):
    back, hand, answer = time.monotonic(), None, ""
    while time.monotonic() - back < 15 and not (hand and hand.session()):
        try:
            hand = Hand(service=service)
            answer = hand.sign_in()
        except (AssertionError, OSError) as error:
            answer = error
        if not hand.session():
            time.sleep(0.5)
    holds(f"{what} signs people in again once the provider is back (after {time.monotonic() - back:.1f} s)", hand.session(), answer)
    answer = bearing(good, service=service)
    holds(f"{what} takes tokens once the provider is back", answer.status == 200, answer)


def records(_):
    audit = f"{place.work}/audit"

    def verify(folder):
        return subprocess.run([place.program, "audit", "verify", "--audit", folder], capture_output=True, text=True)

    whole = verify(audit)
    holds("the audit log is whole", whole.returncode == 0, whole.stdout + whole.stderr)
    written = open(f"{audit}/audit.jsonl", encoding="utf-8").read()
    lines = [json.loads(line) for line in written.splitlines()]
    holds("each line says when, who, what and with what result", lines and all({"at", "who", "what", "result"} <= line.keys() for line in lines), lines[:1])

    def found(sentence, what, who, result):
        fits = [line for line in lines if re.search(what, line["what"]) and re.search(who, line["who"]) and re.search(result, f"{line['result']} {line.get('about', '')}")]
        holds(f"the audit log has {sentence} ({len(fits)})", fits, sorted({(line["who"], line["what"], line["result"]) for line in lines}))

    found("ada's sign-ins", r"^sign.?in", r"\bada$", r"\bdone\b")
    found("sam's sign-in", r"^sign.?in", r"\bsam$", r"\bdone\b")
    found("a sign-in that was refused, and its reason", r"sign.?in|denied", r"", r"tenant")
    found("what sam was kept from", r"denied", r"\bsam$", r"import|reload")
    found("tokens that were refused", r"denied", r"", r"token")
    found("a sign-out", r"^sign.?out", r"\bada$", r"")
    found("the reload of the model", r"reload", r"\bada$", r"")

    changed = f"{place.work}/changed"
    kept, at = written.splitlines(keepends=True), len(lines) // 2
    for what, spoiled in {
        "a line that was changed": [*kept[:at], kept[at].replace('"who":"', '"who":"eve-'), *kept[at + 1 :]],
        "a line that was taken out": [*kept[:at], *kept[at + 1 :]],
        "an end that was cut off": kept[:-1],
    }.items():
        shutil.copytree(audit, changed)
        with open(f"{changed}/audit.jsonl", "w", encoding="utf-8") as file:
            file.writelines(spoiled)
        holds(f"{what} is found", verify(changed).returncode not in (0, 101), "it passes")
        shutil.rmtree(changed)

    told = control("told")
    secrets = {"the client's secret": {CANARY, *inside_base64(CANARY)}, "a code": set(told["codes"]), "a cookie": set(), "a token": set()}
    for value in cookies_seen:
        secrets["a cookie"] |= {value, urllib.parse.unquote(value), value[len(value) // 2 - 12 :][:24]}
    for one in told["tokens"]:
        secrets["a token"] |= {part for part in one.split(".")[1:] if len(part) >= 20}
    holds("there were secrets to keep", min(map(len, secrets.values())) >= 4, {name: len(held) for name, held in secrets.items()})
    for where, files in {"the audit log": ("audit/*", "late-audit/*"), "the service's log": ("service.log", "late.log")}.items():
        text = b"".join(open(path, "rb").read() for name in files for path in sorted(glob.glob(f"{place.work}/{name}")))
        for what, held in secrets.items():
            at = next((at for secret in held if len(secret) >= 8 and (at := text.find(secret.encode())) >= 0), -1)
            line = text[text.rfind(b"\n", 0, at) + 1 : at].decode("utf-8", "replace")[-200:]
            holds(f"{where} holds no trace of {what} ({len(text)} bytes)", at < 0, f"...{line}[it stands here]")


def inside_base64(text):
    """How a text looks within base64, wherever in it."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + text.encode()).decode()
        yield whole[[0, 2, 3][before] : len(whole.rstrip("=")) // 4 * 4 - 4]
