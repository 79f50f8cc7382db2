// Sorting and paging of tables. The page is complete without it: every row stands in the text.
(() => {
  const PAGE = 20;
  const number = (text) => (/^[-+\u2212]?[\d,]*\.?\d+(e[-+]?\d+)?$/i.test(text) ? Number(text.replace(/,/g, "").replace("\u2212", "-")) : NaN);
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    return Number.isNaN(x) === Number.isNaN(y) ? a.localeCompare(b) : Number.isNaN(x) ? 1 : -1;
  };
  for (const figure of document.querySelectorAll("figure.table")) {
    const body = figure.querySelector("tbody");
    const heads = [...figure.querySelectorAll("thead th")];
    let rows = [...body.rows];
    let page = 0;
    let show = () => {};
    // One row more is no reason to turn pages.
    if (rows.length > PAGE + 1) {
      const bar = document.createElement("div");
      const place = document.createElement("span");
      const button = (label, act) => {
        const made = document.createElement("button");
        made.type = "button";
        made.textContent = label;
        made.addEventListener("click", () => { act(); show(); });
        return made;
      };
      let all = false;
      const last = Math.ceil(rows.length / PAGE) - 1;
      const back = button("\u2039 Back", () => { page = Math.max(0, page - 1); });
      const next = button("Next \u203a", () => { page = Math.min(last, page + 1); });
      const whole = button("All rows", () => { all = !all; });
      show = () => {
        const from = all ? 0 : page * PAGE;
        const to = all ? rows.length : Math.min(from + PAGE, rows.length);
        rows.forEach((row, index) => { row.hidden = index < from || index >= to; });
        place.textContent = `rows ${from + 1} to ${to} of ${rows.length}`;
        back.disabled = all || page === 0;
        next.disabled = all || page === last;
        whole.textContent = all ? "Pages" : "All rows";
      };
      bar.className = "pages";
      bar.append(back, place, next, whole);
      figure.querySelector(".scroll").after(bar);
      show();
    }
    heads.forEach((head, column) => {
      let up = false;
      const sort = () => {
        up = !up;
        const text = (row) => row.cells[column]?.textContent ?? "";
        const none = (row) => row.cells[column]?.classList.contains("none");
        rows.sort((a, b) => none(a) - none(b) || (up ? 1 : -1) * compare(text(a), text(b)));
        body.append(...rows);
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        page = 0;
        show();
      };
      head.tabIndex = 0;
      head.title = "Sort by this column";
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
    });
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((folded) => { folded.open = true; }));
})();
