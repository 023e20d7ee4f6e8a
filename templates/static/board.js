// Keeps a board right without moving anything. The server says at most once a
// second how it stands ("pulse"), and which parts have changed; htmx then asks
// for those parts, and idiomorph changes them in place. New answers wait behind a
// link. Without this script the page is whole and has a link to refresh it.
(function () {
  var d = document, b = d.getElementById("board"), c = d.getElementById("conn"), lang = d.documentElement.lang;
  // What was done is said once, not again after a reload.
  if (/[?&]done=/.test(location.search)) history.replaceState(null, "", location.pathname + location.search.replace(/([?&])done=[^&]*&?/, "$1").replace(/[?&]$/, ""));
  if (!b || !window.htmx || !b.hasAttribute("sse-connect")) return;
  var states = ["need_help", "no_answer", "unreachable", "opened", "confirmed", "not_on_site"];
  var at = b.getAttribute("data-at"), base = location.pathname.split("/").slice(0, 3).join("/");
  var last = Date.now(), asOf = new Date(), lost = 0, tries = 0, answered = -1, shown = -1;
  function id(name) { return d.getElementById(name); }
  function word(name) { return b.getAttribute("data-" + name); }
  function num(n) { return n.toLocaleString(lang); }
  // The time at the place of the alert, as everywhere on the page.
  function clock(t) { return t.toLocaleTimeString("en-GB", {timeZone: c.getAttribute("data-zone") || "Asia/Jakarta", hour12: false}) + " " + c.getAttribute("data-word"); }
  function put(k, v) {
    d.querySelectorAll('[data-n="' + k + '"]').forEach(function (e) {
      e.textContent = num(v);
      if (e.parentNode.classList.contains("tile")) e.parentNode.classList.toggle("zero", !v);
    });
  }
  // The rule of Share in words.go: never as if it were nobody or everybody.
  function share(part, all) {
    var p = all ? Math.round(100 * part / all) : 0;
    return part && !p ? word("under") : (part < all ? Math.min(p, 99) : p) + " %";
  }
  function rows() {
    return [].map.call(d.querySelectorAll("#rows > tr"), function (r) { return r.id.slice(1); }).join(".");
  }

  // Screen readers hear of new answers at most every 15 seconds.
  var said = 0, saying;
  function say(n) {
    clearTimeout(saying);
    saying = setTimeout(function () {
      said = Date.now();
      id("announce").textContent = word("said").replace("%1", num(answered - shown)).replace("%2", num(answered)).replace("%3", num(n.recipients));
    }, Math.max(0, said + 15000 - Date.now()));
  }

  // Parts beside the list: calls for help at once, the rest at most every 5 seconds.
  var asked = 0, asking;
  function renew(name) { if (id(name)) window.htmx.trigger(id(name), "renew"); }
  function renewSide() {
    clearTimeout(asking);
    asking = setTimeout(function () {
      if (d.hidden) return;
      asked = Date.now();
      renew("side");
    }, Math.max(0, asked + 5000 - Date.now()));
  }
  var changed = [], fetching;
  function renewRows(list) {
    list.forEach(function (n) { if (changed.indexOf(n) < 0) changed.push(n); });
    if (!changed.length || fetching) return;
    fetching = setTimeout(function () {
      fetching = 0;
      var which = changed.splice(0).join(".");
      window.htmx.ajax("GET", base + "/part/rows?rows=" + which, {source: "#rows", target: "#rows", swap: "none"});
    }, 1000);
  }

  function take(n) {
    var x = 0, a = n.need_help + n.confirmed + n.not_on_site;
    last = Date.now();
    asOf = new Date();
    at = n.at;
    states.forEach(function (k) {
      put(k, n[k]);
      var r = d.querySelector('[data-bar="' + k + '"]'), w = n.recipients ? 100 * n[k] / n.recipients : 0;
      if (r) { r.setAttribute("x", x); r.setAttribute("width", w); }
      x += w;
    });
    put("answered", a);
    put("recipients", n.recipients);
    put("outstanding", n.no_answer + n.unreachable + n.opened);
    d.querySelectorAll('[data-n="share"]').forEach(function (e) { e.textContent = share(a, n.recipients); });
    answered = a;
    if (shown < 0) shown = a;
    if (a > shown) {
      put("news", a - shown);
      if (id("news")) id("news").hidden = false;
      say(n);
    }
    d.title = (n.need_help ? "(" + num(n.need_help) + " " + word("help") + ") " : "") + word("title");
    if (n.help || n.need_help !== take.help) renew("help");
    take.help = n.need_help;
    renewRows(n.rows || []);
    renewSide();
    if (n.closed && id("ended")) id("ended").hidden = false;
  }
  take.help = +((d.querySelector('[data-n="need_help"]') || {}).textContent || "0").replace(/\D/g, "");

  // The connection, and what is shown while it is lost.
  function show() {
    id("strip").hidden = !lost;
    if (lost) {
      d.querySelector("[data-slot=since]").textContent = clock(new Date(lost));
      d.querySelector("[data-slot=try]").textContent = num(Math.max(tries, 1));
    }
    d.querySelectorAll("[data-asof]").forEach(function (e) {
      e.hidden = !lost;
      e.textContent = lost ? word("old").replace("%s", clock(asOf)) : "";
    });
    c.textContent = (lost ? word("old") : c.getAttribute("data-live")).replace("%s", clock(asOf));
  }
  function alive() {
    last = Date.now();
    lost = tries = 0;
    asOf = new Date();
    show();
  }
  function lose() {
    if (!lost) { lost = last; wait = 10000; poll(); }
    tries++;
    show();
  }
  // Without the stream the numbers are asked for, ever more seldom and never while
  // nobody looks.
  var wait = 10000, polling;
  function poll() {
    clearTimeout(polling);
    polling = setTimeout(function () {
      if (!lost) return;
      if (d.hidden) return poll();
      fetch(base + "/now?after=" + at + "&rows=" + rows(), {credentials: "same-origin"}).then(function (r) {
        if (!r.ok) throw r.status;
        return r.json();
      }).then(function (n) { if (lost) { take(n); show(); } }, function () { wait = Math.min(wait * 2, 60000); }).then(poll);
    }, wait);
  }
  b.addEventListener("htmx:sseBeforeMessage", function (e) {
    if (e.target !== b) return;
    e.preventDefault(); // numbers, not a piece of page
    if (e.detail.type === "pulse") take(JSON.parse(e.detail.data));
    alive();
  });
  var stream;
  b.addEventListener("htmx:sseOpen", function (e) { stream = e.detail.source; alive(); });
  // A browser has six connections to a house: a page that is left gives its own
  // back, and comes back fresh.
  window.addEventListener("pagehide", function () { if (stream) stream.close(); });
  window.addEventListener("pageshow", function (e) { if (e.persisted) location.reload(); });
  b.addEventListener("htmx:sseError", lose);
  window.addEventListener("offline", lose);
  // A network that fell silent: the server is heard from every 15 seconds.
  setInterval(function () { if (!lost && Date.now() - last > 35000) lose(); }, 5000);

  // A new call for help is read out with its name. While somebody is at work among
  // the calls, the new list waits until they have moved on.
  var waiting = false;
  function busy() { var h = id("help"); return h.contains(d.activeElement) || h.matches(":hover"); }
  b.addEventListener("htmx:beforeSwap", function (e) {
    var h = id("help");
    if (e.detail.target !== h) return;
    var fresh = new DOMParser().parseFromString(e.detail.serverResponse, "text/html"), names = [], gone = true;
    fresh.querySelectorAll("[data-name]").forEach(function (p) {
      if (!id(p.id) && heard.indexOf(p.id) < 0) { heard.push(p.id); names.push(p.getAttribute("data-name")); }
    });
    if (names.length) id("urgent").textContent = word("needs").replace("%s", names.join(", "));
    if (busy()) {
      waiting = true;
      e.detail.shouldSwap = false;
    }
  });
  var heard = [];
  function moved() {
    setTimeout(function () { if (waiting && !busy()) { waiting = false; renew("help"); } }, 200);
  }
  d.addEventListener("focusout", moved);
  d.addEventListener("mouseover", moved);
  // What came anew is as old as the rest of the page.
  b.addEventListener("htmx:afterSettle", function () { if (lost) show(); });
  d.addEventListener("visibilitychange", function () { if (!d.hidden) renewSide(); });
})();
