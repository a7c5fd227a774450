// Runs before anything is drawn, so that the page does not flash in the other colours first.
(() => {
  try {
    const chosen = JSON.parse(localStorage.getItem("sleevenotes theme"));
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // a browser that keeps nothing follows the system
    delete document.documentElement.dataset.theme;
  }
})();
