// Filters the functions as one types. The page is complete without it.
(() => {
  const field = document.querySelector("#find");
  const told = document.querySelector("#told");
  const functions = [...document.querySelectorAll("article.function")];
  const groups = [...document.querySelectorAll("section.module"), ...document.querySelectorAll("section.topic")];
  const whole = new Map();
  const text = (article) => {
    if (!whole.has(article)) whole.set(article, article.textContent.toLowerCase());
    return whole.get(article);
  };
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [decodeURIComponent(link.hash.slice(1)), link.parentElement]));
  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (said) => words.every((word) => said.includes(word));
    let found = functions.filter((article) => has(article.dataset.find));
    // A word that names nothing may still stand in a text or an example.
    const deep = found.length === 0 && words.length > 0;
    if (deep) found = functions.filter((article) => has(text(article)));
    const kept = new Set(found);
    for (const article of functions) {
      article.hidden = !kept.has(article);
      const link = links.get(article.id);
      if (link) link.hidden = article.hidden;
    }
    document.body.classList.toggle("finding", words.length > 0);
    for (const group of groups) {
      const named = words.length > 0 && has(group.dataset.find);
      const empty = words.length > 0 && !named && !group.querySelector("article.function:not([hidden])");
      group.hidden = empty;
      group.classList.toggle("named", named);
      const link = links.get(group.id);
      if (link) link.hidden = empty;
    }
    const count = found.length === 1 ? "1 function" : `${found.length} functions`;
    told.textContent = words.length === 0 ? "" : deep && found.length > 0 ? `${count}, by what their text says` : count;
  };
  document.querySelector("#search").hidden = false;
  field.addEventListener("input", show);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { field.value = ""; show(); }
    if (event.key === "Enter") document.querySelector("article.function:not([hidden])")?.scrollIntoView();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== field) { event.preventDefault(); field.focus(); }
  });
  // A link within the page leads to what the field may have hidden.
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    const target = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (target?.closest("[hidden]")) { field.value = ""; show(); }
  });
  field.value = new URLSearchParams(location.search).get("q") ?? "";
  show();
})();
