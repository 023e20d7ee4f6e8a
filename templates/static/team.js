// The team page works without this script. With it, marks made without a signal
// are kept on the phone with the time at which they were made, and sent by
// themselves; and news is told without anything moving under the finger.
(function () {
  var d = document, t = d.getElementById("team"), bulk = d.getElementById("bulk"), unsent = d.getElementById("unsent"), key = "m:" + location.pathname;
  var last, store, timer, wait = 2, busy = false;
  if (location.search.indexOf("done=") >= 0) history.replaceState(null, "", location.pathname);
  if (t && window.EventSource) new EventSource(t.getAttribute("data-events")).addEventListener("counts", function (e) {
    if (last && last !== e.data && !t.querySelector("strong")) {
      var b = d.createElement("strong");
      b.textContent = t.getAttribute("data-news") + " ";
      t.insertBefore(b, t.lastElementChild);
    }
    last = e.data;
  });
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(function () {});
  if (!unsent || !window.fetch || !window.URLSearchParams) return;
  try { store = localStorage; store.getItem(key) } catch (e) { return }

  function queue() { try { return JSON.parse(store.getItem(key)) || [] } catch (e) { return [] } }
  function save(q) { store.setItem(key, JSON.stringify(q)) }
  function people(q) { return q.reduce(function (n, m) { return n + m.n.length }, 0) }
  function show() {
    var q = queue(), n = people(q);
    unsent.textContent = n ? unsent.getAttribute("data-waiting").replace("%s", n) : "";
    q.forEach(function (m) {
      m.n.forEach(function (i) {
        var box = d.querySelector('input[form="bulk"][value="' + i + '"]'), card = box && box.closest(".person");
        if (!card || card.querySelector(".kept")) return;
        var p = d.createElement("p");
        p.className = "kept";
        p.textContent = unsent.getAttribute("data-kept");
        card.appendChild(p);
        box.checked = false;
        box.disabled = true;
      });
    });
  }
  // drain sends the oldest mark, then the next: their order is kept.
  function drain() {
    clearTimeout(timer);
    var q = queue(), m = q[0];
    if (busy || !m) return;
    busy = true;
    fetch(location.pathname + "/mark", {method: "POST", credentials: "same-origin", body: m.v + "&sent=" + Date.now(),
      headers: {"Content-Type": "application/x-www-form-urlencoded", "X-Fragment": "1"}
    }).then(function (r) {
      var refused = r.status === 404 || r.status === 422 || r.status === 403;
      if (!r.ok && !refused) throw r.status;
      busy = false;
      wait = 2;
      q = queue();
      q.shift();
      save(q);
      show();
      if (refused) { unsent.textContent = unsent.getAttribute("data-refused"); return drain() }
      if (q.length) return drain();
      location.replace(location.pathname + "?done=marked&lang=" + d.documentElement.lang);
    }).catch(function () {
      busy = false;
      show();
      timer = setTimeout(drain, wait * 1000);
      wait = Math.min(wait * 2, 30);
    });
  }
  if (bulk) {
    var ticked = d.getElementById("ticked");
    d.addEventListener("change", function () {
      var n = d.querySelectorAll('input[form="bulk"]:checked').length;
      ticked.hidden = !n;
      ticked.firstElementChild.textContent = ticked.getAttribute("data-text").replace("%s", n);
    });
    bulk.addEventListener("submit", function (e) {
      var f = new FormData(bulk), n = f.getAll("n"), v = [];
      if (!n.length || !f.get("a") || !f.get("how")) return; // the server says what is missing
      f.set("k", f.get("k") + "-" + Math.random().toString(36).slice(2, 10));
      f.append("said", Date.now());
      f.forEach(function (value, name) { v.push(name + "=" + encodeURIComponent(value)) });
      try { save(queue().concat({n: n, v: v.join("&")})) } catch (x) { return }
      e.preventDefault();
      bulk.reset();
      ticked.hidden = true;
      show();
      drain();
    });
  }
  addEventListener("online", function () { wait = 2; drain() });
  show();
  drain();
})();
