// What a page does beyond what its HTML does by itself: it draws the charts, says how long ago
// the tables came in, and saves a click here and there. Without it nothing is missing but pictures.
(() => {
  const locale = document.body.dataset.locale;

  // "9 hours ago", in the place of the day; the moment stays as its title.
  const ago = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const told = (seconds) => {
    for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
      if (seconds >= length) return ago.format(-Math.floor(seconds / length), unit);
    }
    return ago.format(0, "minute");
  };
  for (const moment of document.querySelectorAll("time.ago")) {
    moment.textContent = told((Date.now() - Date.parse(moment.dateTime)) / 1000);
  }

  // A chart is drawn when it comes near the window; what draws it is fetched once the page is there.
  const charts = new Map(drawing.charts().map((chart) => [chart.place, chart]));
  const drawn = new Set();
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      drawn.add(target);
      drawing.draw(charts.get(target));
    }
  }, { rootMargin: "600px" });
  const fetchLibrary = () => {
    const library = document.createElement("script");
    library.src = document.body.dataset.library;
    library.addEventListener("load", () => { for (const place of charts.keys()) near.observe(place); });
    document.head.append(library);
  };
  if (charts.size > 0) {
    if (document.readyState === "complete") fetchLibrary();
    else addEventListener("load", fetchLibrary);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach((place) => drawing.draw(charts.get(place))));

  // Escape closes what is open; so does a click beside it.
  const open = () => document.querySelectorAll(".controls details[open]");
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    for (const details of open()) {
      details.open = false;
      details.querySelector("summary").focus();
    }
    const told = document.querySelector(".defined:hover, .defined:focus-within");
    if (!told) return;
    told.classList.add("dismissed");
    for (const kind of ["pointerleave", "focusout"]) told.addEventListener(kind, () => told.classList.remove("dismissed"), { once: true });
  });
  document.addEventListener("click", ({ target }) => {
    for (const details of open()) if (!details.contains(target)) details.open = false;
  });

  // Empty fields of a form do not belong in an address.
  for (const form of document.querySelectorAll("form:not([method=post])")) {
    form.addEventListener("formdata", ({ formData }) => {
      for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
    });
  }

  // On paper a chart is its numbers.
  const numbers = () => document.querySelectorAll(".chart details");
  addEventListener("beforeprint", () => numbers().forEach((details) => { details.dataset.was = details.open; details.open = true; }));
  addEventListener("afterprint", () => numbers().forEach((details) => { details.open = details.dataset.was === "true"; }));
})();
