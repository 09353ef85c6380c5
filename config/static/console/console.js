// What the console's pages do beyond plain HTML: times that stay right, live parts that ask with an ETag, keys, copying.
// Every page works without it.
(() => {
  "use strict";
  const tags = new Map(); // address of a live part -> the ETag of what is shown

  // --- Live parts ---------------------------------------------------------------------------------------------------
  document.addEventListener("htmx:configRequest", (event) => {
    const { verb, path, headers, elt } = event.detail;
    if (verb === "get" && elt.dataset.tag) {
      tags.set(path, elt.dataset.tag);
      delete elt.dataset.tag;
    }
    if (verb === "get" && tags.has(path)) headers["If-None-Match"] = tags.get(path);
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const busy = event.detail.elt.querySelector?.("input:checked, [data-sent]"); // somebody is choosing or sending
    if (event.detail.requestConfig.verb === "get" && (document.hidden || busy)) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, pathInfo, target } = event.detail;
    if (xhr.status === 304) event.detail.shouldSwap = false;
    const tag = xhr.getResponseHeader("ETag");
    if (tag && xhr.status === 200) tags.set(pathInfo.requestPath, tag);
    if (event.detail.shouldSwap) remember(target);
  });
  document.addEventListener("htmx:afterSwap", () => { restore(); refreshTimes(); });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { xhr } = event.detail;
    if (xhr && xhr.status > 0 && xhr.status < 500) offline(false);
  });
  document.addEventListener("htmx:sendError", () => offline(true));
  document.addEventListener("htmx:responseError", (event) => offline(event.detail.xhr.status >= 500));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) document.querySelectorAll("[data-live]").forEach((part) => htmx.trigger(part, "refresh"));
  });

  let open = [];
  let focused = "";
  function remember(target) {
    open = [...target.querySelectorAll("details[open][id]")].map((one) => one.id);
    focused = target.contains(document.activeElement) ? document.activeElement.id : "";
  }
  function restore() {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus();
    [open, focused] = [[], ""];
  }

  let lost = null;
  function offline(yes) {
    let band = document.getElementById("offline");
    if (!yes) { lost = null; band?.remove(); return; }
    lost ??= new Date();
    if (!band) {
      band = document.createElement("div");
      band.id = "offline";
      band.className = "band band-red";
      band.setAttribute("role", "alert");
      document.body.append(band);
    }
    band.textContent = `No answer from Tocsin since ${lost.toTimeString().slice(0, 5)}: what you see may be old. Trying again.`;
  }

  // --- Times --------------------------------------------------------------------------------------------------------
  function rough(seconds) {
    if (seconds >= 86400) return `${Math.floor(seconds / 86400)} d`;
    if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h`;
    if (seconds >= 60) return `${Math.floor(seconds / 60)} min`;
    return `${Math.floor(seconds)} s`;
  }
  function refreshTimes() {
    const now = Date.now();
    for (const one of document.querySelectorAll("time[data-time=relative], time[data-time=age]")) {
      if (one.dataset.opened) continue;
      const seconds = (new Date(one.dateTime) - now) / 1000;
      const words = rough(Math.abs(seconds));
      one.textContent = one.dataset.time === "age" ? rough(Math.max(-seconds, 0))
        : Math.abs(seconds) < 1 ? "now" : seconds > 0 ? `in ${words}` : `${words} ago`;
    }
  }
  setInterval(refreshTimes, 10000);
  function toggleTime(one) {
    if (one.dataset.opened) {
      one.textContent = one.dataset.opened;
      delete one.dataset.opened;
      refreshTimes();
    } else {
      one.dataset.opened = one.textContent;
      one.textContent = one.title;
    }
  }

  // --- Clicks and forms -----------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const time = event.target.closest("time[data-time]");
    if (time && !event.target.closest("a, button")) { event.preventDefault(); toggleTime(time); return; }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const words = document.getElementById(copy.dataset.copy).textContent;
      navigator.clipboard?.writeText(words).then(() => {
        const before = copy.textContent;
        copy.textContent = "Copied";
        setTimeout(() => { copy.textContent = before; }, 1500);
      });
      return;
    }
    const picker = event.target.closest("[data-all]");
    if (picker) document.querySelectorAll(picker.dataset.all).forEach((box) => { box.checked = picker.checked; });
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
    if (event.target.closest("[data-keys]")) document.querySelector("dialog.keys")?.showModal();
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("input[type=checkbox]")) return;
    const bar = document.querySelector("[data-bulk]");
    if (!bar) return;
    const chosen = document.querySelectorAll("input[name=number]:checked").length;
    bar.hidden = chosen === 0;
    bar.querySelector("[data-chosen]").textContent = chosen;
  });
  document.addEventListener("submit", (event) => {
    const words = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
    if (words && !window.confirm(words)) { event.preventDefault(); return; }
    if (!event.target.matches("[data-once]")) return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "1";
    setTimeout(() => buttons(event.target).forEach((one) => { one.disabled = true; }), 0);
  });
  function buttons(form) {
    return [...form.elements].filter((one) => one.type === "submit");
  }
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      buttons(form).forEach((one) => { one.disabled = false; });
    }
  });

  // --- Keys: j k Enter in lists, / to search, ? for help, and whatever a button names by data-key ----------------------
  let here = -1;
  function move(step) {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return;
    rows[here]?.classList.remove("here");
    here = Math.min(Math.max(here + step, 0), rows.length - 1);
    rows[here].classList.add("here");
    rows[here].scrollIntoView({ block: "nearest" });
    rows[here].querySelector("a")?.focus({ preventScroll: true });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea, [contenteditable]")) return;
    if (document.querySelector("dialog[open]") && event.key !== "Escape") return;
    if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
    else if (event.key === "/" && document.querySelector("[data-search]")) document.querySelector("[data-search]").focus();
    else if (event.key === "?") document.querySelector("dialog.keys")?.showModal();
    else {
      const rows = document.querySelectorAll("[data-row]");
      const button = (rows[here] ?? document).querySelector(`[data-key="${CSS.escape(event.key)}"]`) ?? document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (!button || event.repeat) return;
      button.click();
    }
    event.preventDefault();
  });
})();
