"""What .ci/sign-in does: signs in as a person, as a job and as whoever should not. Each thing that
holds is a line; a fault is a sentence that begins with FAILED. The steps of a browser are here, those
of tokens and of the audit log in sign_in_tokens.py, and what both ask with in sign_in_tools.py."""

import argparse
import http.server
import json
import os
import re
import threading
import time
import traceback
import urllib.parse

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from sign_in_tokens import bearer, flood, old_key, other_key, outage, records, sales
from sign_in_tools import COOKIE, Hand, Visitor, ask, bearing, control, place, query_of, readable, refused, token, with_query, words
from witness import ended, holds

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


# What is tried, in this order.
STEPS = [code_flow, other_key, sales, wrong_tenant, callbacks, id_tokens, ways_out, foreign_forms, bearer, sign_out, old_key, flood, outage, expiry, records]


def main():
    parser = argparse.ArgumentParser()
    for name in ("browser", "program", "work", "service", "late", "issuer", "control"):
        parser.add_argument(f"--{name}", required=True)
    parser.parse_args(namespace=place)
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
                at = next(frame for frame in traceback.extract_tb(error.__traceback__)[::-1] if os.path.basename(frame.filename).startswith("sign_in"))
                holds(f"{step.__name__} comes to its end", False, f"{type(error).__name__} {error}, at line {at.lineno} of {os.path.basename(at.filename)}")
        chromium.close()
    ended()


main()
