// Keeps the numbers of the board right without moving anything: new answers
// wait behind a link, and only calls for help come in by themselves.
(function () {
  var d = document, b = d.getElementById("board"), c = d.getElementById("conn"), help = -1, first = -1, asked = Date.now(), timer;
  // What was done is said once, not again after a reload.
  if (location.search.indexOf("done=") >= 0) history.replaceState(null, "", location.pathname);
  if (!b || !window.EventSource) return;
  var lang = d.documentElement.lang, states = ["need_help", "no_answer", "unreachable", "opened", "confirmed", "not_on_site"];
  function put(k, v) {
    d.querySelectorAll('[data-n="' + k + '"]').forEach(function (e) {
      e.textContent = v.toLocaleString(lang);
      if (e.parentNode.classList.contains("tile")) e.parentNode.classList.toggle("zero", !v);
    });
  }
  // The time at the place of the alert, as everywhere on the page.
  function now() { return new Date().toLocaleTimeString(lang, {timeZone: c.getAttribute("data-zone") || "Asia/Jakarta", hour12: false}) + " " + c.getAttribute("data-word"); }
  // The parts beside the list of people, unless somebody is at work in them.
  function renew() {
    asked = Date.now();
    fetch(location.pathname, {credentials: "same-origin"}).then(function (r) { return r.text(); }).then(function (t) {
      var page = new DOMParser().parseFromString(t, "text/html"), old = d.getElementById("help"), fresh = page.getElementById("help"), known = [];
      if (!old || !fresh) return;
      old.querySelectorAll("[data-name]").forEach(function (e) { known.push(e.getAttribute("data-name")); });
      fresh.querySelectorAll("[data-name]").forEach(function (e) {
        var name = e.getAttribute("data-name");
        if (known.indexOf(name) < 0) d.getElementById("urgent").textContent = b.getAttribute("data-needs").replace("%s", name);
      });
      if (!old.contains(d.activeElement)) old.replaceWith(fresh);
      var side = d.getElementById("side");
      if (!side.contains(d.activeElement) && !side.querySelector("details[open]")) side.replaceWith(page.getElementById("side"));
    }).catch(function () {});
  }
  // Calls for help come at once, the rest at most every 15 seconds while somebody
  // looks: it is read from the whole history.
  function later() {
    clearTimeout(timer);
    timer = setTimeout(function () { if (!d.hidden) renew(); }, Math.max(1000, asked + 15000 - Date.now()));
  }
  var es = new EventSource(b.getAttribute("data-events"));
  es.addEventListener("counts", function (e) {
    var n = JSON.parse(e.data), x = 0, a = n.need_help + n.confirmed + n.not_on_site;
    states.forEach(function (k) {
      put(k, n[k]);
      var r = d.querySelector('[data-bar="' + k + '"]'), w = n.recipients ? 100 * n[k] / n.recipients : 0;
      if (r) { r.setAttribute("x", x); r.setAttribute("width", w); }
      x += w;
    });
    put("answered", a);
    put("recipients", n.recipients);
    put("outstanding", n.no_answer + n.unreachable + n.opened);
    put("percent", n.recipients ? Math.floor(100 * a / n.recipients) : 0);
    if (first < 0) first = a;
    if (a > first) { put("news", a - first); d.getElementById("news").hidden = false; }
    d.title = (n.need_help ? "(" + n.need_help + " " + b.getAttribute("data-help") + ") " : "") + b.getAttribute("data-title");
    if (help >= 0 && n.need_help !== help) renew();
    else later();
    help = n.need_help;
    c.textContent = c.getAttribute("data-live") + " " + now();
    c.className = "";
  });
  es.onerror = function () {
    c.textContent = c.getAttribute("data-lost") + " " + now();
    c.className = "lost";
  };
})();
