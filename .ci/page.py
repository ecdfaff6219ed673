"""What .ci/page does in the browser, as a person would. A fault is a sentence."""

import argparse
import csv
import io
import re
import traceback
import urllib.parse
from contextlib import contextmanager

from playwright.sync_api import sync_playwright

from page_numbers import api, at_risk_list, fault, faults, plotted, query_of, same, scroll_through, source, status, tiles, top, values, widgets

done = []


class Visitor:
    """A browser that writes down what goes wrong in every page that it opens."""

    def __init__(self, chromium, address, axe):
        self.chromium, self.address, self.axe = chromium, address, axe
        self.host = urllib.parse.urlsplit(address).netloc

    @contextmanager
    def page(self, name, path="/", width=1280, scheme="light", locale="en-GB", scripts=True, height=900, quiet=()):
        context = self.chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale=locale, java_script_enabled=scripts, accept_downloads=True
        )
        page = context.new_page()
        page.on("console", lambda told: told.type in ("error", "warning") and not any(part in told.text for part in quiet) and fault(name, f"console: {told.text}"))
        page.on("pageerror", lambda error: fault(name, f"script: {error}"))
        page.on("request", lambda asked: urllib.parse.urlsplit(asked.url).netloc != self.host and fault(name, f"asks for {asked.url}"))
        page.goto(self.address + path)
        page.wait_for_load_state("networkidle")
        try:
            yield page
        except Exception as error:  # One visit that breaks off does not hide what the others find.
            fault(name, f"breaks off: {' '.join(str(error).split())[:300]}, at {next((frame.lineno for frame in traceback.extract_tb(error.__traceback__)[::-1] if frame.filename == __file__), 0)}")
        context.close()
        done.append(name)

    def accessible(self, name, page):
        page.evaluate(self.axe)
        found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})")
        for violation in found["violations"]:
            nodes = "; ".join(" ".join(node["target"]) + " " + (node.get("failureSummary") or "")[:160].replace("\n", " ") for node in violation["nodes"][:3])
            fault(name, f"axe {violation['id']} ({len(violation['nodes'])}): {nodes}")

    def fits(self, name, page):
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide = page.evaluate("[...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map(one => one.tagName + '.' + one.className)")
            fault(name, f"the page is wider than its window: {wide}")


# What a person does.


def walk(visitor):
    """Tabs, search, sort, pages, levels, download, period, filter, language."""
    address = visitor.address
    with visitor.page("the first page") as page:
        widgets("the first page", page, address)
        visitor.accessible("the first page", page)

        page.click("#subscriptions thead a:has-text('Cost, 30 days')")
        at_risk_list("ordered by cost", page, address)
        costs = page.eval_on_selector_all("#subscriptions tbody td:nth-child(5) data", "all => all.map(one => Number(one.value))")
        if costs != sorted(costs, reverse=True) or page.get_attribute("#subscriptions th:has-text('Cost, 30 days')", "aria-sort") != "descending":
            fault("ordered by cost", f"costs do not fall: {costs[:5]}")
        page.click("#subscriptions thead a:has-text('Customer')")
        at_risk_list("ordered by customer", page, address)
        page.click("#subscriptions .pages [rel=next]")
        at_risk_list("second page", page, address, skip=15)
        page.click("#subscriptions .pages [rel=prev]")
        page.click(".levels a[data-level=high]")
        at_risk_list("level high", page, address)
        if set(page.eval_on_selector_all("#subscriptions tbody tr", "all => all.map(one => one.dataset.level)")) - {"high"}:
            fault("level high", "other levels are in the list")
        page.click(".levels a[data-level=high]")

        name = page.inner_text("#subscriptions tbody tr:nth-child(3) td:first-child a")
        page.fill("#search", name.lower())
        page.press("#search", "Enter")
        page.wait_for_load_state("networkidle")
        at_risk_list("search", page, address)
        found = page.eval_on_selector_all("#subscriptions tbody td:first-child a", "all => all.map(one => one.textContent)")
        if not found or any(name.lower() not in one.lower() for one in found):
            fault("search", f"{name} finds {found[:3]}")
        with page.expect_download() as download:
            page.click("#subscriptions .sources a:has-text('CSV')")
        text = open(download.value.path(), encoding="utf-8-sig").read()
        ids = [row["subscription_id"] for row in csv.DictReader(io.StringIO(text))]
        listed = [row["subscription_id"] for row in api(address, query_of(source(page, "#subscriptions"), limit=1000))["data"]]
        if ids != listed:
            fault("download", f"the file has {len(ids)} rows, the list {len(listed)}")
        page.fill("#search", "no such name at all")
        page.press("#search", "Enter")
        page.wait_for_selector(".nobody")
        page.click(".nobody a")

        page.click(".tabs a:has-text('Without usage')")
        told = api(address, query_of(source(page, "#subscriptions"), limit=1000))["data"]
        ids = page.eval_on_selector_all("#subscriptions tbody tr", "all => all.map(one => one.dataset.id)")
        if ids != [row["subscription_id"] for row in told][: len(ids)] or (told and not ids):
            fault("without usage", "the rows are not those of the interface")
        page.click(".tabs a:has-text('At risk')")

        page.click(".periods a:has-text('6 months')")
        widgets("six months", page, address)
        if "period=last_6_months" not in source(page, ".tiles"):
            fault("six months", "the figures are of another period")
        page.click("#status .choices a:has-text('Month')")
        widgets("by month", page, address)
        page.click("#cohorts .choices a:has-text('Cost')")
        widgets("cohorts by cost", page, address)
        page.click("summary:has-text('Custom')")
        page.fill("input[name=from]", "2026-09-01")
        page.fill("input[name=to]", "2026-09-20")
        page.click(".custom button")
        widgets("own period", page, address)
        if "from=2026-09-01&to=2026-09-20" not in source(page, ".tiles"):
            fault("own period", "the figures are of another period")

        page.click("summary:has-text('Add a filter')")
        page.fill("input[name=country]", "DE")
        page.click(".add button")
        page.wait_for_selector(".chip.filter:has-text('DE')")
        tiles("filtered", page, address)
        if "country=DE" not in source(page, ".tiles") or "country=DE" not in source(page, "#subscriptions"):
            fault("filtered", "the figures are of everybody")
        page.click(".chip.filter")
        page.wait_for_load_state("networkidle")
        if page.query_selector(".chip.filter"):
            fault("filtered", "the filter does not go away")
        page.click("#top tbody th a")
        page.wait_for_selector(".chip.filter")
        tiles("one customer", page, address)
        page.click(".chip.filter")

        page.select_option("select[name=top_category]", index=1)
        page.click("#top form button")
        page.wait_for_load_state("networkidle")
        if "measure=quantity" not in source(page, "#top"):
            fault("top by quantity", source(page, "#top"))
        top("top by quantity", page, address)

        page.click(".languages a[lang=fr]")
        if page.evaluate("document.documentElement.lang") != "fr" or "À risque" not in page.inner_text(".tabs"):
            fault("French", "the page is not in French")
        at_risk_list("French", page, address)
        visitor.accessible("French", page)
        english = [word for word in ("Customer", "Subscription", "usage for", "typical is", "Last used") if word in page.inner_text("main")]
        if english:
            fault("French", f"English is left: {english}")


def drill_down(visitor):
    address = visitor.address
    with visitor.page("one subscription") as page:
        page.click("#subscriptions tbody tr:first-child th a")
        page.wait_for_selector("#risk")
        scroll_through(page)
        risk = api(address, source(page, "#risk"))["data"]
        same("its risk", values(page.query_selector("#risk .verdict")), [risk["risk"]])
        pushes = page.eval_on_selector_all("#risk tr[data-feature]", "all => all.map(one => [one.dataset.feature, Number(one.querySelector('data').value)])")
        if [name for name, _ in pushes] != [factor["feature"] for factor in risk["factors"]]:
            fault("waterfall", "its features are not those of the interface, in its order")
        same("waterfall", [push for _, push in pushes], [factor["contribution"] for factor in risk["factors"]])
        if risk["counterfactual"] and "instead of" not in page.inner_text("#risk"):
            fault("counterfactual", "is not told")
        used = api(address, source(page, "#usage"))["data"]
        drawn = sum(sum(map(abs, trace)) for trace in plotted(page, "usage-chart"))
        cost = sum(abs(row["cost"] or 0) for row in used["daily"])
        if abs(drawn - cost) > 1e-6 * max(1, cost):
            fault("usage", f"bars come to {drawn}, the interface to {cost}")
        totals = sum([[total["quantity"], total["cost"], total["usage_days"]] for total in used["totals"]], [])
        same("totals", values(page.query_selector("#usage > .scrolls")), [one for one in totals if one is not None])
        if len(page.query_selector_all(".events li")) != len(used["states"]) + len(used["renewals"]):
            fault("events", "are not those of the interface")
        if risk["history"]:
            same("score history", plotted(page, "history-chart")[0], [past["risk"] for past in risk["history"] if past["risk"] is not None])
        visitor.accessible("one subscription", page)

        page.check("input[name=verdict][value=wrong]", force=True)
        page.fill("textarea[name=note]", "Projet prolongé d'un an – voir ticket 17")
        page.click("form.feedback button")
        page.wait_for_selector(".kept")
        if "Projet prolongé d'un an – voir ticket 17" not in page.inner_text(".said") or "Wrong" not in page.inner_text(".said"):
            fault("feedback", page.inner_text(".said"))
        page.click("#usage > .scrolls tbody th a")
        page.wait_for_selector("#usage-chart.js-plotly-plot")
        quantity = sum(row["quantity"] for row in used["daily"] if (row["category"], row["unit"]) == (used["totals"][0]["category"], used["totals"][0]["unit"]))
        same("quantity", [sum(plotted(page, "usage-chart")[0])], [quantity])
        page.click(".crumbs a")
        page.wait_for_selector("#subscriptions")
    with visitor.page("no such subscription", "/subscriptions/nobody", quiet=("404",)) as page:
        if "nobody" not in page.inner_text("main"):
            fault("no such subscription", page.inner_text("main"))
        visitor.accessible("no such subscription", page)
    with visitor.page("a wrong address in French", "/?lang=fr&from=2026-09-02&to=2026-09-01", quiet=("422",)) as page:
        if "finit avant de commencer" not in page.inner_text("main") or page.evaluate("document.documentElement.lang") != "fr":
            fault("a wrong address in French", page.inner_text("main"))
    with visitor.page("a wrong address", "/?period=last_year&level=huge", quiet=("400",)) as page:
        if "last_year" not in page.inner_text("main") or "huge" not in page.inner_text("main"):
            fault("a wrong address", page.inner_text("main"))


def focused(page):
    return page.evaluate("(() => { const one = document.activeElement; return one === document.body ? '' : (one.textContent || one.name || one.tagName).trim().slice(0, 60); })()")


def keyboard(visitor):
    """From the address bar to feedback without a mouse."""
    with visitor.page("keyboard") as page:
        page.keyboard.press("Tab")
        if focused(page) != "Skip to the figures":
            fault("keyboard", f"the first stop is {focused(page)!r}")
        page.keyboard.press("Enter")
        if page.evaluate("document.activeElement.id") != "main":
            fault("keyboard", "the skip link leads nowhere")

        def reach(selector, key="Tab", most=160):
            for _ in range(most):
                page.keyboard.press(key)
                if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                    return True
            fault("keyboard", f"{selector} is not reached in {most} steps")
            return False

        if reach(".tile button.word"):
            page.wait_for_timeout(250)
            if not page.locator(".tile .meaning").first.is_visible():
                fault("keyboard", "a definition does not open at the focus")
            page.keyboard.press("Escape")
            if page.locator(".tile .meaning").first.is_visible():
                fault("keyboard", "Escape does not close a definition")
        reach("#search")
        if reach(".levels a[data-level=high]"):
            with page.expect_navigation(wait_until="networkidle"):
                page.keyboard.press("Enter")
        if reach("#subscriptions tbody th a"):
            page.keyboard.press("Enter")
            page.wait_for_selector("form.feedback")
        if reach("input[name=verdict]"):
            page.keyboard.press("Space")
            reach("textarea")
            page.keyboard.type("by keyboard")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            page.wait_for_selector(".kept")
            if "by keyboard" not in page.inner_text(".said"):
                fault("keyboard", "the feedback was not kept")
        stops = page.evaluate("[...document.querySelectorAll('a, button, summary, input, select, textarea')].filter(one => one.tabIndex < 0).length")
        if stops:
            fault("keyboard", f"{stops} controls are out of reach")


def without_scripts(visitor):
    address = visitor.address
    with visitor.page("without scripts", scripts=False) as page:
        told = api(address, source(page, ".tiles"))["data"]
        shown = page.get_attribute("#tile-subscriptions_sold .figure data", "value")
        if float(shown) != told["subscriptions_sold"]["value"]:
            fault("without scripts", f"sold {shown}")
        if page.locator(".plot").first.is_visible():
            fault("without scripts", "there is an empty place for a chart")
        page.click("#status details summary")
        if not page.locator("#status table.numbers").is_visible():
            fault("without scripts", "the numbers of a chart cannot be opened")
        page.click("summary:has-text('Add a filter')")
        page.fill("input[name=country]", "DE")
        page.click(".add button")
        if not page.query_selector(".chip.filter"):
            fault("without scripts", "a filter cannot be set")
        page.fill("#search", "a")
        page.click(".search button")
        page.click("#subscriptions tbody th a")
        page.check("input[name=verdict][value=right]", force=True)
        page.fill("textarea", "without scripts")
        page.click("form.feedback button")
        if "without scripts" not in page.inner_text(".said"):
            fault("without scripts", "feedback cannot be given")


def languages(visitor):
    for locale, lang, sample in (("fr-FR", "fr-FR", "\u202f"), ("fr-CA", "fr-CA", "\u00a0"), ("de-DE", "en", ","), ("en-US", "en-US", ",")):
        with visitor.page(f"a reader of {locale}", locale=locale) as page:
            if page.evaluate("document.documentElement.lang") != lang:
                fault(locale, f"the page is in {page.evaluate('document.documentElement.lang')}")
            exact = float(page.get_attribute("#tile-usage_cost .figure data", "value"))
            expected = page.evaluate("([lang, exact]) => new Intl.NumberFormat(lang, {maximumFractionDigits: 0}).format(exact)", [lang, exact])
            if page.text_content("#tile-usage_cost .figure data") != expected:
                fault(locale, f"writes {page.text_content('#tile-usage_cost .figure data')!r}, the browser {expected!r}")
            if exact >= 1000 and sample not in expected:
                fault(locale, f"{expected!r} has no {sample!r}")
            if not re.search(r"\d|now|maintenant|cette|this", page.inner_text("time.ago")) or "UTC" in page.inner_text("time.ago"):
                fault(locale, f"last updated {page.inner_text('time.ago')!r}")


def unfolded(name, page):
    """What opens is in the window: the form of filters, and every definition."""
    inside = "one => { const box = one.getBoundingClientRect(); return box.width > 0 && box.left >= -0.5 && box.right <= innerWidth + 0.5; }"
    for summary in page.query_selector_all(".controls details summary"):
        summary.click()
        if not summary.evaluate(f"one => ({inside})(one.parentElement.querySelector('form'))"):
            fault(name, f"{summary.inner_text()!r} opens outside the window")
        page.keyboard.press("Escape")
    for word in page.query_selector_all("button.word"):
        word.focus()
        page.keyboard.press("Shift")
        if not word.evaluate(f"one => ({inside})(one.nextElementSibling)"):
            fault(name, f"the definition of {word.inner_text()!r} is cut off or not there")
        page.keyboard.press("Escape")
        if word.evaluate("one => one.nextElementSibling.getBoundingClientRect().width > 0"):
            fault(name, f"Escape does not close the definition of {word.inner_text()!r}")


def on_paper(visitor):
    with visitor.page("on paper") as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        if not page.locator("#status table.numbers").is_visible() or page.locator(".plot").first.is_visible():
            fault("on paper", "the numbers of a chart are not there")


def going_back(visitor):
    """Fields that were empty when a form was sent can be filled in after going back."""
    with visitor.page("going back") as page:
        page.press("#search", "Enter")
        page.wait_for_timeout(200)
        if page.is_disabled("#search"):
            fault("going back", "the search is dead")
        page.focus("select[name=top_category]")
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(300)
        if not page.evaluate("document.activeElement.matches('select[name=top_category]')"):
            fault("going back", "a choice by keyboard leaves the page")


def sizes(visitor, shots, name, path="/"):
    for width in (360, 400, 768, 1280, 1920, 2560):
        for scheme in ("light", "dark"):
            label = f"{name}-{width}-{scheme}"
            with visitor.page(label, path, width=width, scheme=scheme) as page:
                visitor.fits(label, page)
                if scheme == "light":
                    unfolded(label, page)
                if page.query_selector(".plot"):
                    scroll_through(page)
                if width in (400, 1280):
                    visitor.accessible(label, page)
                if shots and width in (400, 1280, 1920):
                    page.wait_for_timeout(300)
                    page.screenshot(path=f"{shots}/{label}.png", full_page=True)


def other_states(chromium, axe, empty, one, shots):
    visitor = Visitor(chromium, empty, axe)
    with visitor.page("an empty lake") as page:
        if "churn-risk import" not in page.inner_text("main"):
            fault("an empty lake", page.inner_text("main"))
        visitor.accessible("an empty lake", page)
        if shots:
            page.screenshot(path=f"{shots}/empty.png")
    visitor = Visitor(chromium, one, axe)
    with visitor.page("one subscription and no model") as page:
        if "no model" not in page.inner_text("#subscriptions") or "no model" not in page.inner_text("#model"):
            fault("no model", "is not told")
        scroll_through(page)
        tiles("one subscription", page, one)
        status("one subscription", page, one)
        visitor.accessible("one subscription and no model", page)
        if shots:
            page.screenshot(path=f"{shots}/one.png", full_page=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ("browser", "axe", "shots", "full", "empty", "one"):
        parser.add_argument(f"--{name}", default="")
    asked = parser.parse_args()
    axe = open(asked.axe, encoding="utf-8").read()
    with sync_playwright() as play:
        # Nothing that the browser itself would ask the world for.
        chromium = play.chromium.launch(
            executable_path=asked.browser,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
        )
        visitor = Visitor(chromium, asked.full, axe)
        for check in (walk, drill_down, keyboard, without_scripts, languages, on_paper, going_back):
            check(visitor)
        first = api(asked.full, "/v1/subscriptions/at-risk?limit=1")["data"][0]["subscription_id"]
        sizes(visitor, asked.shots, "overview")
        sizes(visitor, asked.shots, "subscription", f"/subscriptions/{first}")
        if asked.empty:
            other_states(chromium, axe, asked.empty, asked.one, asked.shots)
        chromium.close()
    for one in faults:
        print(one)
    if faults:
        print(f"{len(faults)} faults")
        raise SystemExit(1)
    print(f"{len(done)} visits: every number is the interface's, axe finds nothing, the console is silent, nothing leaves the host")


main()
