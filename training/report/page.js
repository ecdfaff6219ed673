// Draws the charts of the page and answers its threshold chooser. All numbers are the card's.
"use strict";
(() => {
  const card = JSON.parse(document.getElementById("card").textContent);
  const charts = drawing.charts();
  const draw = () => charts.forEach((chart) => drawing.draw(chart));

  const slider = document.getElementById("cutoff");
  const first = card.horizons[0];
  const choose = () => {
    if (!slider) return;
    const { cutoffs } = first.evaluation.curves;
    const chosen = cutoffs[Number(slider.value)];
    const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
    const share = (part, of) => `${(100 * part / Math.max(of, 1)).toFixed(1)}\u00a0%`;
    const told = {
      risk: `${(100 * chosen.risk).toFixed(1)}\u00a0%`,
      called: `${whole.format(chosen.called)} (${share(chosen.called, first.evaluation.model.rows)} of all)`,
      caught: `${whole.format(chosen.caught)} (${share(chosen.caught, first.test.churners)} of them)`,
      bothered: whole.format(chosen.called - chosen.caught),
      missed: whole.format(first.test.churners - chosen.caught),
      precision: share(chosen.caught, chosen.called),
      cost: whole.format(chosen.cost_caught),
      saved: whole.format(saved(chosen)),
    };
    for (const place of document.querySelectorAll("[data-out]")) place.textContent = told[place.dataset.out];
    slider.setAttribute("aria-valuetext", `risk from ${told.risk}: ${told.called} called, ${told.caught} caught`);
    Plotly.relayout("distribution", { "shapes[0].x0": chosen.risk, "shapes[0].x1": chosen.risk });
  };

  const assumed = (name) => Math.max(0, Number(document.getElementById(name)?.value) || 0);
  const saved = (cutoff) => (assumed("kept") / 100 * assumed("periods") * cutoff.cost_caught - assumed("call") * cutoff.called)
    / Math.max(first.test.as_of_days, 1);

  const listen = () => {
    const { cutoffs } = first.evaluation.curves;
    slider.addEventListener("input", choose);
    for (const name of ["call", "kept", "periods"]) document.getElementById(name)?.addEventListener("input", choose);
    for (const button of document.querySelectorAll("button[data-risk]")) {
      button.addEventListener("click", () => {
        slider.value = Math.max(0, cutoffs.filter((cutoff) => cutoff.risk >= Number(button.dataset.risk)).length - 1);
        choose();
      });
    }
    document.getElementById("most")?.addEventListener("click", () => {
      slider.value = cutoffs.reduce((best, cutoff, at) => (saved(cutoff) > saved(cutoffs[best]) ? at : best), 0);
      choose();
    });
  };

  draw();
  if (slider) listen();
  choose();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { draw(); choose(); });
})();
