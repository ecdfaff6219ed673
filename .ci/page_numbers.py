"""The numbers of the pages, beside those of the interface's routes that the cards name."""

import json
import re
import urllib.parse
import urllib.request

faults = []


def fault(where, what):
    faults.append(f"{where}: {what}")


def api(address, path):
    with urllib.request.urlopen(address + path) as answer:
        return json.load(answer)


def values(scope, selector="data"):
    return [float(one) for one in scope.eval_on_selector_all(selector, "all => all.map(one => one.value)")]


def same(name, shown, told):
    shown, told = list(shown), list(told)
    if len(shown) != len(told) or any(abs(one - other) > 1e-9 * max(1, abs(other)) for one, other in zip(shown, told)):
        fault(name, f"shows {shown[:12]}, the interface says {told[:12]}")


def source(page, selector):
    return page.get_attribute(selector, "data-source")


def scroll_through(page):
    """Brings every chart near the window once. The page's policy forbids what Playwright's own waiting evaluates."""
    page.evaluate(
        """async () => {
            const wait = (milliseconds) => new Promise((ready) => setTimeout(ready, milliseconds));
            const left = () => document.querySelectorAll('.plot:not(.js-plotly-plot)').length;
            for (let turn = 0; turn < 100 && left() && !window.Plotly; turn++) await wait(100);
            for (let at = 0; at < document.body.scrollHeight; at += 500) { scrollTo(0, at); await wait(60); }
            for (let turn = 0; turn < 100 && left(); turn++) await wait(100);
            scrollTo(0, 0);
            if (left()) throw new Error(`${left()} charts are not drawn`);
        }"""
    )


def tiles(name, page, address):
    summary = api(address, source(page, ".tiles"))["data"]
    told = {
        "subscriptions_sold": summary["subscriptions_sold"]["value"],
        "customers_with_usage": summary["customers_with_usage"]["value"],
        "customers_without_usage": summary["customers_without_usage"]["value"],
        "subscriptions_active": summary["subscriptions_active"],
        "usage_cost": summary["usage_cost"],
        "cost_at_risk": summary["cost_at_risk"],
    }
    for tile, value in told.items():
        same(f"{name}, tile {tile}", values(page.locator(f"#tile-{tile} .figure").element_handle()), [] if value is None else [value])
    for tile in ("subscriptions_sold", "customers_with_usage", "customers_without_usage"):
        growth = summary[tile]["growth"]
        same(f"{name}, growth of {tile}", values(page.locator(f"#tile-{tile} .beside").element_handle()), [] if growth is None else [growth])
    cost = summary["cost"]["growth"] if summary["cost"] else None
    same(f"{name}, growth of the cost", values(page.locator("#tile-usage_cost .beside").element_handle()), [] if cost is None else [cost])


def query_of(path, **more):
    split = urllib.parse.urlsplit(path)
    pairs = urllib.parse.parse_qsl(split.query, keep_blank_values=True) + list(more.items())
    return f"{split.path}?{urllib.parse.urlencode(pairs)}"


def at_risk_list(name, page, address, skip=0):
    told = api(address, query_of(source(page, "#subscriptions"), limit=1000))
    rows = page.query_selector_all("#subscriptions tbody tr")
    wanted = told["data"][skip : skip + len(rows)]
    if [row.get_attribute("data-id") for row in rows] != [row["subscription_id"] for row in wanted]:
        fault(name, "the rows of the list are not those of the interface, in its order")
        return
    for row, want in zip(rows, wanted):
        numbers = [want["risk"], want["cost_30_days"], want["cost_12_months"]]
        same(f"{name}, {want['subscription_id']}", values(row, "td.number data"), [number for number in numbers if number is not None])
        days = row.eval_on_selector_all("time", "all => all.map(one => one.dateTime)")
        if days != [day for day in (want["last_used_on"], want["term_end_on"]) if day]:
            fault(name, f"{want['subscription_id']} shows days {days}")
        if row.get_attribute("data-level") != want["level"]:
            fault(name, f"{want['subscription_id']} shows another level than {want['level']}")
        reasons = row.eval_on_selector_all(".reasons li", "all => all.map(one => one.textContent.replaceAll('\u00a0', ' '))")
        if want["risk"] is not None and page.evaluate("document.documentElement.lang").startswith("en") and reasons != [want["reason_1"], want["reason_2"]]:
            fault(name, f"{want['subscription_id']} gives reasons {reasons}")
    total = re.sub(r"\D", "", page.inner_text("#subscriptions .pages p").split("of" if " of " in page.inner_text("#subscriptions .pages p") else "sur")[-1])
    if int(total) != told["meta"]["total"]:
        fault(name, f"shows {total} rows in total, the interface {told['meta']['total']}")


def levels(name, page, address):
    for chip in page.query_selector_all(".levels a"):
        level = chip.get_attribute("data-level")
        base = query_of("/v1/subscriptions/at-risk", level=level, limit=1)
        same(f"{name}, level {level}", values(chip), [api(address, base)["meta"]["total"]])


def plotted(page, chart):
    return page.evaluate("id => document.getElementById(id).data.map(trace => trace.y)", chart)


def status(name, page, address):
    buckets = api(address, source(page, "#status"))["data"]["buckets"]
    active, created, renewed, recovered, suspended, ended = plotted(page, "status-chart")
    for shown, key, sign in ((active, "active", 1), (created, "created", 1), (renewed, "renewed", 1), (recovered, "recovered", 1), (suspended, "suspended", -1), (ended, "ended", -1)):
        same(f"{name}, chart of {key}", shown, [sign * bucket[key] for bucket in buckets])
    table = [values(row) for row in page.query_selector_all("#status table.numbers tbody tr")]
    wanted = [[bucket[key] for key in ("active", "created", "renewed", "recovered", "suspended", "ended")] for bucket in buckets]
    same(f"{name}, table", sum(table, []), sum(wanted, []))
    hatched = page.evaluate("document.getElementById('status-chart').data[0].marker.pattern.shape.map(shape => shape === '/')")
    if hatched != [bucket["partial"] for bucket in buckets]:
        fault(name, "the hatched buckets are not the partial ones")
    churn = api(address, source(page, "#status"))["data"]
    facts = [churn["churn_rate"], churn["annualised"], churn["total"]["deprovisioned"], churn["total"]["created"], churn["total"]["renewed"]]
    same(f"{name}, facts", values(page.query_selector("#status .facts")), [fact for fact in facts if fact is not None])


def top(name, page, address):
    told = api(address, source(page, "#top"))["data"]
    shown = [values(row) for row in page.query_selector_all("#top tbody tr")]
    wanted = [[row[key] for key in ("value", "share", "growth", "subscriptions_used") if row[key] is not None] for row in told["rows"]]
    same(name, sum(shown, []), sum(wanted, []))


def customers(name, page, address):
    count = api(address, source(page, "#customers"))["data"]
    moves = {"new_customers": 1, "returned_customers": 1, "lost_customers": -1}
    drawn = page.query_selector("#customers-chart") is not None
    if drawn != any(bucket[key] for bucket in count["buckets"] for key in moves):
        fault(name, f"a chart is {'there' if drawn else 'not there'}")
    for shown, (key, sign) in zip(plotted(page, "customers-chart") if drawn else [], moves.items()):
        same(f"{name}, chart of {key}", shown, [sign * bucket[key] for bucket in count["buckets"]])
    total = count["total"]
    same(f"{name}, facts", values(page.query_selector("#customers .facts")), [total[key] for key in ("new_customers", "lost_customers", "returned_customers", "net", "active_customers")])


def retention(name, page, address):
    told = api(address, source(page, "#renewals"))["data"]
    same(f"{name}, renewals", values(page.query_selector("#renewals .facts")), [value for value in (told["renewal_rate"], told["due"], told["renewed_of_due"], told["renewed"]) if value is not None])
    flow = api(address, source(page, "#revenue"))["data"]["flow"]
    if flow:
        same(f"{name}, revenue", values(page.query_selector("#revenue .facts")), [value for value in (flow["grr"], flow["nrr"], flow["quick_ratio"]) if value is not None])
        amounts = page.eval_on_selector_all("#revenue tbody td:nth-child(2) data", "all => all.map(one => Number(one.value))")
        same(f"{name}, steps", amounts, [flow[key] for key in ("starting", "churned", "contraction", "expansion", "reactivation", "new", "ending")])
    cohorts = api(address, source(page, "#cohorts"))["data"]
    kind = page.evaluate("new URLSearchParams(location.search).get('cohort') || 'active'")
    shown = values(page.query_selector("#cohorts"), "td[class*=shade] data")
    if kind == "cost":
        wanted = [row["cost"] for row in cohorts if row["cost"] is not None]
    else:
        wanted = sum([[row[f"{kind}_share"], row[kind]] for row in cohorts], [])
    same(f"{name}, cohorts by {kind}", shown, wanted)


def watchlists(name, page, address):
    told = api(address, query_of(source(page, "#commitments"), limit=10))
    ids = page.eval_on_selector_all("#commitments tbody tr", "all => all.map(one => one.dataset.id)")
    if ids != [row["id"] for row in told["data"]]:
        fault(name, "the commitments are not those of the interface")
    same(f"{name}, days left", values(page.query_selector("#commitments"), "tbody data"), [row["days_to_end"] for row in told["data"]])
    told = api(address, query_of(source(page, "#anomalies"), limit=10))
    wanted = sum([[row[key] for key in ("observed", "expected", "change") if row[key] is not None] for row in told["data"]], [])
    same(f"{name}, anomalies", values(page.query_selector("#anomalies"), "tbody data"), wanted)


def model(name, page, address):
    card = api(address, "/v1/model")["data"]
    if page.get_attribute("#model .grade", "data-grade") != card["grade"]:
        fault(name, f"the grade is not {card['grade']}")
    first = card["horizons"][0]
    evaluation = first["evaluation"]
    shown = values(page.query_selector("#model .facts"))
    wanted = [first["base_rate"], first["levels"]["test_precision"], first["levels"]["test_recall"], evaluation["model"]["roc_auc"]["value"], evaluation["model"]["expected_churners"], evaluation["model"]["actual_churners"]]
    same(f"{name}, facts", shown, wanted)
    groups = evaluation["curves"]["calibration"]
    drawn = page.evaluate("document.getElementById('calibration-chart').data[1]")
    same(f"{name}, calibration", drawn["x"] + drawn["y"], [group["mean_risk"] for group in groups] + [group["churners"] / group["rows"] for group in groups])
    months = page.query_selector_all("#model .columns > div:nth-child(2) tbody tr")
    same(f"{name}, backtest", [values(month)[0] for month in months], [month["pr_auc"]["value"] for month in card["backtest"]])
    moved = card["drift"]["moved"][:5] if card["drift"] else []
    same(f"{name}, drift", values(page.query_selector("#model .columns > div:nth-child(4)"), "tbody data"), sum([[one["psi"], one["bound"]] for one in moved], []))


def widgets(name, page, address):
    scroll_through(page)
    tiles(name, page, address)
    at_risk_list(f"{name}, list", page, address)
    for check in (levels, status, top, customers, retention, watchlists, model):
        check(f"{name}, {check.__name__}", page, address)
