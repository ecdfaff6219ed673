"""What .ci/sign-in does: signs in as a person, as a job and as whoever should not. Each thing that
holds is a line; a fault is a sentence that begins with FAILED."""

import argparse
import base64
import binascii
import glob
import http.client
import http.server
import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
import traceback
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

COOKIE = "churn-risk"
CANARY = "canary-7f3a"
# What a session or a token is made of; none of it can be read off a cookie.
MARKS = ("ChurnRisk.", "GlobalAdmin", "tenant-1", "Ada Marsh", "ada@partner", '"ada"', "user:ada", '"sub"', '"roles"')
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
# What a browser may read as the address of another site, or as more than an address.
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/%2f%2fevil.example",
    "/.//evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/\r\nSet-Cookie: evil=1",
]

faults, done = [], []
# Everything that may stand in no log: cookies of the service, as they come.
cookies_seen = set()
place = argparse.Namespace()


def holds(sentence, is_so, otherwise=""):
    print(sentence if is_so else f"FAILED: {sentence}: {' '.join(str(otherwise).split())[:400]}", flush=True)
    (done if is_so else faults).append(sentence)
    return is_so


# Asking without a browser.


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.getheaders(), response.read().decode("utf-8", "replace")

    def header(self, name):
        return next((value for one, value in self.headers if one.lower() == name.lower()), "")

    def cookies(self):
        """Name, value and attributes of each cookie that is set."""
        for name, value in self.headers:
            if name.lower() == "set-cookie":
                first, *attributes = [part.strip() for part in value.split(";")]
                yield *first.split("=", 1), {key.lower(): held for key, _, held in (one.partition("=") for one in attributes)}

    def json(self):
        return json.loads(self.text)

    def __str__(self):
        return f"{self.status} {self.header('location')} {re.sub(r'<style.*?</style>|<[^>]*>', ' ', self.text, flags=re.S)[:300]}"


def somewhere(numbers=itertools.count()):
    """A loopback address of one's own: whoever is refused too often is answered more slowly."""
    number = next(numbers)
    return f"127.1.{number // 250}.{number % 250 + 1}"


def ask(address, method="GET", headers=None, body=None, by=None):
    """One exchange; nothing is followed."""
    asked = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(asked.hostname, asked.port, timeout=30, source_address=(by or somewhere(), 0))
    try:
        connection.request(method, (asked.path or "/") + (f"?{asked.query}" if asked.query else ""), body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def control(what, **how):
    method, body = ("GET", None) if what == "told" else ("POST", json.dumps(how))
    answer = ask(f"{place.control}/control/{what}", method, body=body)
    if answer.status != 200:
        raise AssertionError(f"the provider does not {what}: {answer.text}")
    return answer.json()


def token(**how):
    return control("token", **how)["token"]


def bearing(bearer, path="/v1/summary", method="GET", service=None, by=None, **headers):
    return ask((service or place.service) + path, method, {"Authorization": f"Bearer {bearer}", "Accept": "application/json", **headers}, by=by)


class Hand:
    """A browser of whoever does everything by hand."""

    def __init__(self, account="ada", service=None, jar=None):
        self.account, self.service, self.by = account, service or place.service, somewhere()
        self.jars = {self.service: dict(jar or {})}

    def go(self, address, method="GET", body=None, accept="text/html", **headers):
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(address))
        jar = self.jars.setdefault(origin, {})
        headers |= {"Accept": accept, "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = ask(address, method, headers, body, by=self.by)
        for name, value, attributes in answer.cookies():
            jar.pop(name, None)
            if value and attributes.get("max-age") != "0":
                jar[name] = value
                if origin == self.service:
                    cookies_seen.add(value)
        return answer

    def begin(self, then="/"):
        """Asks to sign in; where the browser is sent."""
        answer = self.go(f"{self.service}/sign-in?then={urllib.parse.quote(then, safe='')}")
        if answer.status != 303 or not answer.header("location").startswith(place.issuer):
            raise AssertionError(f"/sign-in does not lead to the provider: {answer}")
        return answer.header("location")

    def through(self, location):
        """Signs in at the provider; the address of the callback, which was not asked yet."""
        for _ in range(8):
            answer = self.go(location)
            if answer.status == 200:
                answer = self.go(location, "POST", f"account={self.account}")
            location = urllib.parse.urljoin(location, answer.header("location"))
            if location.startswith(self.service):
                return location
        raise AssertionError(f"the provider does not let {self.account} in: {answer}")

    def sign_in(self, then="/"):
        return self.go(self.through(self.begin(then)))

    def jar(self):
        return dict(self.jars[self.service])

    def session(self):
        return self.jars[self.service].get(COOKIE)


def with_query(address, **changes):
    parts = urllib.parse.urlsplit(address)
    query = dict(urllib.parse.parse_qsl(parts.query)) | changes
    return parts._replace(query=urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})).geturl()


def query_of(address):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))


def refused(sentence, answer, hand, statuses=range(400, 500)):
    """A callback that is not believed: a page that says so, and nobody is signed in."""
    is_page = "text/html" in answer.header("content-type") or "problem+json" in answer.header("content-type")
    holds(sentence, answer.status in statuses and not hand.session() and is_page, f"{answer}; session: {bool(hand.session())}")


# Asking with a browser.


class Visitor:
    """The browser of somebody with an account at the provider."""

    def __init__(self, chromium, account):
        self.account, self.context = account, chromium.new_context()
        self.page = self.context.new_page()
        self.asked, self.console, self.status = [], [], 0
        self.page.on("request", lambda request: self.asked.append(request))
        self.page.on("console", lambda told: told.type == "error" and self.console.append(told.text))
        self.page.on("response", self.answered)

    def answered(self, response):
        if response.request.is_navigation_request() and response.frame == self.page.main_frame:
            self.status = response.status

    def visit(self, path="/"):
        """Opens a page, and signs in where that is asked for."""
        self.asked.clear()
        self.page.goto(place.service + path)
        if self.page.url.startswith(place.issuer):
            self.page.fill("input[name=account]", self.account)
            self.page.click("button")
            self.page.wait_for_url(lambda url: url.startswith(place.service))
        self.page.wait_for_load_state("networkidle")
        cookies_seen.update(one["value"] for one in self.context.cookies(place.service) if one["name"].startswith(COOKIE))
        return self

    def cookie(self):
        return next((one for one in self.context.cookies(place.service) if one["name"] == COOKIE and one["value"]), None)

    def addresses(self):
        return [request.url for request in self.asked]

    def was_at_provider(self):
        return any(address.startswith(place.issuer) for address in self.addresses())

    def sees_dashboard(self):
        return bool(self.page.query_selector("#subscriptions") and self.page.query_selector("button[data-act=sign-out]"))

    def told(self):
        return f"{self.status} {self.page.url} {self.page.inner_text('body')[:200]} {self.console[:3]}"


def readable(value):
    """What a cookie's value says to whoever looks at it: as it is, and after every base64."""
    value = urllib.parse.unquote(value)
    texts = [value]
    for piece in [value, *re.split(r"[.:|=%&!~]", value)]:
        for letters in (piece.replace("-", "+").replace("_", "/"), piece):
            for skipped in range(4):
                try:
                    whole = re.sub(r"[^A-Za-z0-9+/]", "", letters)[skipped:]
                    texts.append(base64.b64decode(whole[: len(whole) // 4 * 4]).decode("latin-1"))
                except (binascii.Error, ValueError):
                    continue
    found = [mark for text in texts for mark in MARKS if mark in text]
    # Three letters stand by chance in what is random, so they count as a word, or in what reads as a text.
    plain = [text for text in texts[1:] if sum(" " <= letter <= "~" for letter in text) > 0.9 * len(text)]
    return found + [text for text in plain if "ada" in text.lower()] + re.findall(r"\bada\b|\beyJ", value)


# What is tried, in this order.


def code_flow(chromium):
    one = f"/subscriptions/{place.id}?lang=fr"
    ada = Visitor(chromium, "ada").visit(one)
    holds("a page that was asked for without a session is where signing in ends", ada.status == 200 and ada.page.url == place.service + one, ada.told())
    begun = next((address for address in ada.addresses() if "code_challenge" in address), "")
    asked = query_of(begun)
    holds(
        "the provider is asked for a code with PKCE, state and nonce, each too long to guess",
        (asked.get("response_type"), asked.get("code_challenge_method"), asked.get("client_id")) == ("code", "S256", "churn-risk")
        and asked.get("redirect_uri") == f"{place.service}/sign-in/callback"
        and len(asked.get("code_challenge", "")) == 43
        and min(len(asked.get(name, "")) for name in ("state", "nonce")) >= 22
        and "openid" in asked.get("scope", "").split(),
        begun,
    )
    callback = next(at for at, address in enumerate(ada.addresses()) if "/sign-in/callback?" in address)
    ada.page.goto(f"{place.service}/")
    ada.page.wait_for_load_state("networkidle")
    after = ada.asked[callback + 1 :]
    later = [text for request in after for text in (request.url, request.headers.get("referer", ""))]
    leaks = [text for text in later if re.search(r"[?&#](code|state|id_token|access_token)=|eyJ", text)]
    holds("no code and no token is in an address, or told to the next page, once signing in is over", later and not leaks, leaks[:2])
    holds("no token is in a page", "eyJ" not in ada.page.content(), "there is a token in the dashboard")
    holds("with a session, other pages open without the provider", not any(request.url.startswith(place.issuer) for request in after) and ada.sees_dashboard(), ada.told())

    leaving = Visitor(chromium, "ada").visit("/")
    place.ends_at, place.leaving = time.monotonic() + 60, leaving
    place.ends_with = (leaving.cookie() or {}).get("value")
    holds("opening / ends at the dashboard, signed in as ada", leaving.sees_dashboard() and leaving.page.url == f"{place.service}/" and "ada" in words(leaving), leaving.told())
    cookie = leaving.cookie() or {}
    holds("the session's cookie is HttpOnly and SameSite=Lax", (cookie.get("httpOnly"), cookie.get("sameSite"), cookie.get("path")) == (True, "Lax", "/"), cookie.keys() and {**cookie, "value": "..."})
    holds("the session's cookie cannot be read, base64 or not", cookie and not readable(cookie["value"]), cookie and readable(cookie["value"])[:3])
    holds("scripts of the page do not see the cookie", COOKIE not in leaving.page.evaluate("document.cookie"), "document.cookie has it")
    again = Visitor(chromium, "ada").visit("/")
    holds("another session has another cookie", again.cookie() and again.cookie()["value"] != cookie.get("value"), "both are the same")
    ways = "/?period=last_6_months&lang=fr"
    again.context.clear_cookies()
    again.visit(ways)
    holds("a page is found again with all that its address says", again.page.url == place.service + ways and again.status == 200, again.told())

    hand = Hand()
    hand.begin()
    set_by = list(hand.go(f"{place.service}/sign-in").cookies())
    hows = [how for _, _, how in set_by]
    holds("the cookie of a sign-in that has begun is HttpOnly and SameSite=Lax too", hows and all("httponly" in how and how.get("samesite") == "Lax" for how in hows), hows)
    holds("and cannot be read either", not any(readable(value) or asked["state"] in value for _, value, _ in set_by), "it says something")
    unknown = ask(f"{place.service}/v1/summary", headers={"Accept": "application/json"})
    holds("without either, the interface says 401 and how one is known", unknown.status == 401 and "bearer" in unknown.header("www-authenticate").lower(), unknown)


def words(visitor):
    return set(re.findall(r"\w+", visitor.page.inner_text("body").lower()))


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


def wrong_tenant(chromium):
    mallory = Visitor(chromium, "mallory").visit("/")
    holds("mallory of another tenant is refused with a page that says why", mallory.status in (401, 403) and "tenant" in mallory.page.inner_text("body").lower(), mallory.told())
    holds("and has no session", not mallory.cookie() and not mallory.sees_dashboard(), "there is a cookie")


def callbacks(_):
    hand = Hand()
    answer = hand.go(with_query(hand.through(hand.begin()), session_state="of-the-provider"))
    holds("a callback by hand signs in, with more in its address than was asked for", answer.status == 303 and hand.session(), answer)
    holds("and leads on to the page", urllib.parse.urljoin(place.service, answer.header("location")) == f"{place.service}/", answer)

    hand = Hand()
    refused("a callback with another state is refused", hand.go(with_query(hand.through(hand.begin()), state="x" * 22)), hand)
    hand = Hand()
    refused("a callback without a state is refused", hand.go(with_query(hand.through(hand.begin()), state=None)), hand)
    hand, stranger = Hand(), Hand()
    refused("a callback without the cookie of a sign-in is refused", stranger.go(hand.through(hand.begin())), stranger)
    hand = Hand()
    callback = hand.through(hand.begin())
    before = hand.jar()
    is_in = hand.go(callback).status == 303 and hand.session()
    replayed = Hand(jar=before)
    holds("a callback that will be replayed signs in once", is_in, callback.split("?")[0])
    refused("a code that was used is refused", replayed.go(callback), replayed)
    late = Hand(jar={name: value for name, value in hand.jar().items() if name != COOKIE})
    refused("and so is its callback with what the browser has kept", late.go(callback), late)
    hand, other = Hand(), Hand("sam")
    code = query_of(other.through(other.begin()))["code"]
    callback = hand.through(hand.begin())
    refused("a code of somebody else's sign-in is refused", hand.go(with_query(callback, code=code)), hand)
    hand = Hand()
    refused("a callback without a code is refused", hand.go(with_query(hand.through(hand.begin()), code=None)), hand)
    hand = Hand()
    state = query_of(hand.begin())["state"]
    script = "<script>alert(1)</script>"
    answer = hand.go(f"{place.service}/sign-in/callback?" + urllib.parse.urlencode({"error": "access_denied", "error_description": script, "state": state}))
    refused("what the provider denies is refused", answer, hand)
    holds("and its words are no part of the page's own", script not in answer.text, "the page has its script")


def id_tokens(_):
    past = int(time.time()) - 600
    for what, spoiled in {
        "with another nonce": {"claims": {"nonce": "another"}},
        "without a nonce": {"claims": {"nonce": None}},
        "for another client": {"claims": {"aud": "another"}},
        "for the interface": {"claims": {"aud": "api://churn-risk"}},
        "of another issuer": {"claims": {"iss": "https://evil.example"}},
        "that has expired": {"claims": {"exp": past, "iat": past - 60}},
        "of another tenant": {"claims": {"tid": "tenant-2"}},
        "of no tenant": {"claims": {"tid": None}},
        "without a role": {"claims": {"roles": []}},
        "by an unknown key": {"stranger": True},
        "signed by nobody": {"alg": "none"},
        "signed with the public key": {"alg": "HS256"},
    }.items():
        hand = Hand()
        callback = hand.through(hand.begin())
        control("spoil", **spoiled)
        refused(f"an ID token {what} is refused", hand.go(callback), hand, [*range(400, 500), 502])
    hand = Hand()
    callback = hand.through(hand.begin())
    control("spoil", alg="ES256")
    holds("an ID token by the provider's ES256 key signs in", hand.go(callback).status == 303 and hand.session(), "it does not")


def ways_out(chromium):
    visitor = Visitor(chromium, "ada").visit("/")
    for then in ELSEWHERE:
        hand = Hand()
        answer = hand.go(f"{place.service}/sign-in?then={urllib.parse.quote(then, safe='')}")
        if answer.status == 303:
            answer = hand.go(hand.through(answer.header("location")))
        evil = [name for name, *_ in answer.cookies() if name == "evil"]
        strange = []
        visitor.page.on("request", noticed := lambda request: None if request.url.startswith((place.service, place.issuer)) else strange.append(request.url))
        try:
            visitor.page.goto(f"{place.service}/sign-in?then={urllib.parse.quote(then, safe='')}")
            visitor.page.wait_for_load_state("networkidle")
        except PlaywrightError as error:
            strange.append(str(error))
        visitor.page.remove_listener("request", noticed)
        holds(f"then={then!r} does not leave the site", not evil and not strange and visitor.page.url.startswith(f"{place.service}/"), f"{strange} {visitor.page.url} {answer}")


class Foreign(http.server.BaseHTTPRequestHandler):
    """A page of another origin, with a form that goes where its address says."""

    def do_GET(self):
        asked = query_of(self.path)
        fields = "".join(f"<input name='{name}' value='{value}'>" for name, value in json.loads(asked.get("fields", "{}")).items())
        attributes = " ".join(f"{name}='{asked.get(name, '')}'" for name in ("method", "enctype", "action"))
        page = f"<!doctype html><title>Another</title><form {attributes}>{fields}<button>Win</button></form>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Referrer-Policy", asked.get("policy", "unsafe-url"))
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_):
        pass


def foreign_forms(chromium):
    ada = Visitor(chromium, "ada").visit("/")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = ada.context.new_page()

    def send(host, to, fields=None, method="post", **how):
        asked = {"action": place.service + to, "fields": json.dumps(fields or {}), "method": method, **how}
        page.goto(f"http://{host}:{server.server_port}/?{urllib.parse.urlencode(asked)}")
        with page.expect_navigation() as led:
            page.click("button")
        return led.value.status

    verdict = {"verdict": "wrong", "outcome": "left", "note": "forged-from-elsewhere"}
    feedback = f"/subscriptions/{place.id}/feedback"
    for host, which in (("127.0.0.1", "another origin of the same site"), ("localhost", "another site")):
        allowed = [403] if host == "127.0.0.1" else [401, 403]
        for to, fields in (("/sign-out", {}), (feedback, verdict), ("/v1/model/reload", {})):
            status = send(host, to, fields=fields)
            holds(f"a form of {which} to {to.replace(place.id, 'ID')} is refused", status in allowed, status)
    status = send("127.0.0.1", "/sign-out", policy="no-referrer")
    holds("and one that hides where it comes from", status == 403, status)
    status = send("127.0.0.1", f"/v1{feedback}", enctype="text/plain", fields={'{"feedback_id":"forged","verdict":"wrong","note":"forged-from-elsewhere': '"}'})
    holds("and one that looks like JSON", status in (403, 415), status)
    send("127.0.0.1", "/sign-out", method="get")
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    read = page.evaluate("address => fetch(address, {credentials: 'include'}).then(answer => answer.text(), () => 'refused')", f"{place.service}/v1/summary")
    holds("a script of another origin does not read an answer", read == "refused", read)
    page.close()
    server.shutdown()
    ada.visit(f"/subscriptions/{place.id}")
    holds("the session still works after all of them", ada.status == 200 and not ada.was_at_provider(), ada.told())
    holds("and nothing that they said was kept", "forged-from-elsewhere" not in ada.page.content(), "the feedback is there")
    by_hand = ask(f"{place.service}/sign-out", "POST", {"Cookie": f"{COOKIE}={ada.cookie()['value']}", "Origin": "null", "Content-Length": "0"})
    holds("a form of an origin that is null is refused too", by_hand.status == 403, by_hand)


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


def sign_out(chromium):
    ada = Visitor(chromium, "ada").visit("/")
    cookie = ada.cookie()["value"]
    ada.asked.clear()
    ada.page.click("button[data-act=sign-out]")
    try:
        ada.page.wait_for_url(lambda url: url.startswith(place.issuer) or url.endswith("/signed-out"), timeout=5000)
        if ada.page.url.startswith(place.issuer) and ada.page.query_selector("button"):
            ada.page.click("button")
        ada.page.wait_for_url(f"{place.service}/signed-out", timeout=5000)
    except PlaywrightError as error:
        holds("the button signs out", False, f"{ada.told()}: {error}")
        return
    ended = [query_of(address) for address in ada.addresses() if address.startswith(place.issuer) and "post_logout_redirect_uri" in address]
    wanted = {"client_id": "churn-risk", "post_logout_redirect_uri": f"{place.service}/signed-out"}
    holds("the button leads through the provider back to the page of those who have left", ada.status == 200 and ended and wanted.items() <= ended[0].items(), f"{ada.told()} {ended}")
    holds("the cookie is gone from the browser", not ada.cookie(), "it is there")
    page = ask(f"{place.service}/", headers={"Accept": "text/html", "Cookie": f"{COOKIE}={cookie}"})
    interface = ask(f"{place.service}/v1/summary", headers={"Accept": "application/json", "Cookie": f"{COOKIE}={cookie}"})
    holds("and is refused when it is sent by hand", page.status == 303 and "/sign-in" in page.header("location") and interface.status == 401, f"{page} {interface}")
    shown = []
    for _ in range(3):
        try:
            ada.page.go_back(timeout=5000)
        except PlaywrightError:
            continue  # What was sent by a form is not sent again.
        shown += [ada.page.url] if ada.page.query_selector("#subscriptions") else []
    holds("going back does not show the dashboard again", not shown, shown)
    ada.page.goto(f"{place.service}/")
    holds("the next visit asks for a name again", ada.page.url.startswith(place.issuer) and ada.page.query_selector("input[name=account]"), ada.told())
    anyone = ask(f"{place.service}/signed-out", headers={"Accept": "text/html"})
    holds("that page is for anyone", anyone.status == 200, anyone)
    nothing = ask(f"{place.service}/", headers={"Accept": "text/html"})
    holds("a page without a session leads to the sign-in", (nothing.status, nothing.header("location")) == (303, "/sign-in?then=%2F"), nothing)


def expiry(_):
    time.sleep(max(0, place.ends_at + 3 - time.monotonic()))
    leaving = place.leaving
    by_hand = ask(f"{place.service}/v1/summary", headers={"Accept": "application/json", "Cookie": f"{COOKIE}={place.ends_with}"})
    holds("a session is over after its minute, whoever keeps the cookie", by_hand.status == 401, by_hand)
    leaving.visit("/")
    holds("and the next page goes through the sign-in", leaving.sees_dashboard() and leaving.was_at_provider(), f"{leaving.told()} {leaving.addresses()[:4]}")


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


def taken_within_5_s(sentence, new):
    began = time.monotonic()
    while (answer := bearing(new)).status != 200 and time.monotonic() - began < 5:
        time.sleep(0.2)
    return f"{sentence} is taken within 5 s (after {time.monotonic() - began:.1f} s)", answer.status == 200, answer


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


STEPS = [code_flow, other_key, sales, wrong_tenant, callbacks, id_tokens, ways_out, foreign_forms, bearer, sign_out, old_key, flood, outage, expiry, records]


def main():
    parser = argparse.ArgumentParser()
    for name in ("browser", "program", "work", "service", "late", "issuer", "control"):
        parser.add_argument(f"--{name}", required=True)
    parser.parse_args(namespace=place)
    began = time.monotonic()
    first = bearing(token(), "/v1/subscriptions/at-risk?limit=1")
    if first.status != 200:
        raise SystemExit(f"FAILED: a token of the provider is not taken at all: {first}")
    place.id = first.json()["data"][0]["subscription_id"]
    with sync_playwright() as play:
        # Nothing that the browser itself would ask the world for.
        chromium = play.chromium.launch(
            executable_path=place.browser,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
        )
        for step in STEPS:
            try:
                step(chromium)
            except Exception as error:  # One step that breaks off does not hide what the others find.
                line = next((frame.lineno for frame in traceback.extract_tb(error.__traceback__)[::-1] if frame.filename == __file__), 0)
                holds(f"{step.__name__} comes to its end", False, f"{type(error).__name__} {error}, at line {line}")
        chromium.close()
    print(f"{len(done)} hold, {len(faults)} do not, after {time.monotonic() - began:.0f} s")
    raise SystemExit(1 if faults else 0)


main()
