"use strict";
// The dark or light look, set before anything is painted. Chosen to be as the system's, it follows the system again.
(() => {
  const KEY = "voicera.look";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;

  function chosen() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage is switched off: then it is not remembered
    }
  }

  function keep(look) {
    try {
      if (look === null) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, look);
    } catch {
      // as above
    }
  }

  function show(look) {
    if (look === "dark" || look === "light") root.dataset.look = look;
    else delete root.dataset.look;
    const dark = (root.dataset.look ?? (system.matches ? "dark" : "light")) === "dark";
    document.getElementById("look")?.setAttribute("aria-pressed", String(dark));
    document.dispatchEvent(new CustomEvent("look"));
    return dark;
  }

  let dark = show(chosen());
  system.addEventListener("change", () => { dark = show(chosen()); });
  document.addEventListener("DOMContentLoaded", () => {
    dark = show(chosen());
    document.getElementById("look").addEventListener("click", () => {
      const next = dark ? "light" : "dark";
      keep((next === "dark") === system.matches ? null : next);
      dark = show((next === "dark") === system.matches ? null : next);
    });
  });
})();
