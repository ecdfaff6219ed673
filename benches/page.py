"""What the first page costs, in a browser and on the server: the figures that Lighthouse tells, and CPU.

    .ci/page ADDRESS                                     installs the browser and what drives it
    TOOLS/playwright/bin/python benches/page.py ADDRESS PID [ROUNDS]

ADDRESS is that of a service on this machine, PID its process. Each round opens the page with an empty cache, as it is kept and
as it is worked out anew (`Cache-Control: no-cache`); medians and ranges are printed.
"""

import os
import shutil
import statistics
import sys
import urllib.request

from playwright.sync_api import sync_playwright

address, pid = sys.argv[1], sys.argv[2]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
targets = ["/", "/?period=last_7_days", "/?period=last_12_months", "/?country=DE", "/?sort=-cost_30_days", "/?search=iron", "/?tab=without-usage", "/?lang=fr"]
ticks_a_second = os.sysconf("SC_CLK_TCK")

WATCH = """
window.seen = {shift: 0, lcp: 0, long: 0};
new PerformanceObserver(list => list.getEntries().forEach(one => { if (!one.hadRecentInput) seen.shift += one.value; })).observe({type: 'layout-shift', buffered: true});
new PerformanceObserver(list => list.getEntries().forEach(one => { seen.lcp = one.startTime; })).observe({type: 'largest-contentful-paint', buffered: true});
new PerformanceObserver(list => list.getEntries().forEach(one => { seen.long += Math.max(0, one.duration - 50); })).observe({type: 'longtask', buffered: true});
"""
TOLD = """() => {
  const [page] = performance.getEntriesByType('navigation'), files = performance.getEntriesByType('resource');
  const bytes = (kind) => files.filter(one => one.name.endsWith(kind)).reduce((sum, one) => sum + one.transferSize, 0);
  return {
    'first byte, ms': page.responseStart, 'first contentful paint, ms': performance.getEntriesByName('first-contentful-paint')[0].startTime,
    'largest contentful paint, ms': seen.lcp, 'load event, ms': page.loadEventEnd, 'blocking time, ms': seen.long, 'layout shift': seen.shift,
    'page, bytes': page.transferSize, 'scripts, bytes': bytes('.js'), 'styles, bytes': bytes('.css'),
    'total, bytes': page.transferSize + files.reduce((sum, one) => sum + one.transferSize, 0),
    'requests': 1 + files.length, 'elements': document.querySelectorAll('*').length,
  };
}"""
DRAWN = """async () => { const first = document.querySelector('.plot'); first.scrollIntoView();
  while (!first.classList.contains('js-plotly-plot')) await new Promise(requestAnimationFrame); return performance.now(); }"""


def cpu():
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / ticks_a_second


def ask(target, **headers):
    asked = urllib.request.Request(address + target, headers={"accept-encoding": "br", "accept-language": "en", **headers})
    with urllib.request.urlopen(asked) as answer:
        return len(answer.read())


def told(name, values):
    values = sorted(values)
    print(f"{name:34} {statistics.median(values):10.1f}   ({values[0]:.1f}-{values[-1]:.1f})")


figures = {}
with sync_playwright() as play:
    chromium = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"])
    for _ in range(rounds):
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(address + "/", wait_until="load")
        page.evaluate("async () => { while (!performance.getEntriesByName('first-contentful-paint').length) await new Promise(requestAnimationFrame); }")
        told_by_page = page.evaluate(TOLD)
        # The first chart stands below the list: a person who scrolls to it at once waits this long from the click.
        for name, value in {**told_by_page, "first chart, from the click, ms": page.evaluate(DRAWN)}.items():
            figures.setdefault(name, []).append(value)
        # From the moment at which a chart comes near the window until it is drawn.
        slowest = page.evaluate(
            """async () => { let slowest = 0; for (const plot of document.querySelectorAll('.plot:not(.js-plotly-plot)')) {
            const began = performance.now(); plot.scrollIntoView(); while (!plot.classList.contains('js-plotly-plot')) await new Promise(requestAnimationFrame);
            slowest = Math.max(slowest, performance.now() - began); } return slowest; }"""
        )
        figures.setdefault("slowest further chart, ms", []).append(slowest)
        context.close()
    chromium.close()
for name, values in figures.items():
    told(name, values)
for target in targets:
    anew = []
    for _ in range(rounds):
        began = cpu()
        size = ask(target, **{"cache-control": "no-cache"})
        anew.append((cpu() - began) * 1000)
    told(f"{target} anew, CPU ms ({size} B)", anew)
began = cpu()
for _ in range(2000):
    ask("/")
print(f"kept, one connection each: {(cpu() - began) / 2000 * 1e6:.0f} us of CPU")
