// Rows of a small table: add one, take one away, move one up. Without this the empty row at the end still serves.
(() => {
  "use strict";
  function blank(row) {
    const fresh = row.cloneNode(true);
    for (const cell of fresh.querySelectorAll("input")) {
      cell.value = "";
      if (cell.type === "password") cell.placeholder = "";
    }
    for (const cell of fresh.querySelectorAll("select")) cell.selectedIndex = 0;
    return fresh;
  }
  document.addEventListener("click", (event) => {
    const entries = event.target.closest("[data-entries]");
    if (!entries) return;
    const rows = [...entries.querySelectorAll("[data-entry]")];
    if (event.target.closest("[data-entry-add]")) {
      const fresh = blank(rows.at(-1));
      rows.at(-1).after(fresh);
      fresh.querySelector("input:not([type=hidden]), select").focus();
      return;
    }
    const row = event.target.closest("[data-entry]");
    if (!row) return;
    if (event.target.closest("[data-entry-up]")) row.previousElementSibling?.before(row);
    if (event.target.closest("[data-entry-remove]")) {
      if (rows.length === 1) row.replaceWith(blank(row));
      else row.remove();
    }
  });
})();
