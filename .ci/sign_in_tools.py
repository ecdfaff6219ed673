"""What the steps of .ci/sign_in.py ask with: requests by hand, a browser, and the provider's control."""

import argparse
import base64
import binascii
import http.client
import json
import re
import time
import urllib.parse

from witness import holds, somewhere

COOKIE = "churn-risk"
# What a session or a token is made of; none of it can be read off a cookie.
MARKS = ("ChurnRisk.", "GlobalAdmin", "tenant-1", "Ada Marsh", "ada@partner", '"ada"', "user:ada", '"sub"', '"roles"')

# Everything that may stand in no log: cookies of the service, as they come.
cookies_seen = set()
place = argparse.Namespace()


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


def taken_within_5_s(sentence, new):
    began = time.monotonic()
    while (answer := bearing(new)).status != 200 and time.monotonic() - began < 5:
        time.sleep(0.2)
    return f"{sentence} is taken within 5 s (after {time.monotonic() - began:.1f} s)", answer.status == 200, answer


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


def words(visitor):
    return set(re.findall(r"\w+", visitor.page.inner_text("body").lower()))


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
