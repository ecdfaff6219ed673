// How a chart of ours becomes one of plotly's.
"use strict";
const drawing = (() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Colours stand in the charts by their names in the style sheet; no other text is one.
  const coloured = (value, key = "") => {
    if (typeof value === "string") return key.endsWith("color") && value.startsWith("--") ? colour(value) : value;
    if (Array.isArray(value)) return value.map((inner) => coloured(inner, key));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, coloured(inner, name)]));
  };

  const layoutOf = ({ small, ...given }) => {
    const axis = { gridcolor: "--grid", linecolor: "--rule", zeroline: false, automargin: true, fixedrange: true };
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, hovermode: "closest",
      font: { family: "system-ui, sans-serif", size: small ? 11 : 13, color: "--ink" },
      margin: { l: small ? 40 : 56, r: small ? 12 : 26, t: small ? 8 : 34, b: small ? 48 : 52 },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      hoverlabel: { bgcolor: "--panel", bordercolor: "--rule", font: { color: "--ink" } }, ...given,
    };
    for (const name of ["xaxis", "yaxis", "yaxis2"]) if (given[name] || name !== "yaxis2") layout[name] = { ...axis, ...given[name] };
    return coloured(layout);
  };

  // Every chart of the page: its place, what is drawn in it, and its layout.
  const charts = () => [...document.querySelectorAll("script[data-chart]")].map((script) => (
    { place: document.getElementById(script.dataset.chart), ...JSON.parse(script.textContent) }));

  const draw = ({ place, data, layout: given }) => {
    const layout = layoutOf(given);
    // As many labels as a narrow chart has room for.
    if (layout.xaxis.nticks > 4 && place.clientWidth < 520) layout.xaxis.nticks = 4;
    return Plotly.react(place, coloured(data), layout, { displayModeBar: false, displaylogo: false, responsive: true });
  };

  return { charts, draw };
})();
