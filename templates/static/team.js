// The team page and the roll call work without this script. With it, marks made
// without a signal are kept on the phone with the time at which they were made,
// and sent by themselves; both pages open without a signal; and news is told
// without anything moving under the finger.
(function () {
  var d = document, t = d.getElementById("team"), bulk = d.getElementById("bulk"), roll = d.getElementById("roll"), unsent = d.getElementById("unsent");
  var base = location.pathname.replace(/\/roll$/, ""), key = "m:" + base, code = d.currentScript && d.currentScript.src;
  var last, store, timer, wait = 2, busy = false, wrong = "";
  if (location.search.indexOf("done=") >= 0) history.replaceState(null, "", location.pathname);
  if (t && window.EventSource) new EventSource(t.getAttribute("data-events")).addEventListener("counts", function (e) {
    if (last && last !== e.data && !t.querySelector("strong")) {
      var b = d.createElement("strong");
      b.textContent = t.getAttribute("data-news") + " ";
      t.insertBefore(b, t.lastElementChild);
    }
    last = e.data;
  });
  // keep stores both pages as they are now: who opens one of them here finds both
  // at the assembly point, where there may be no signal.
  function keep() {
    if (!window.caches || !("serviceWorker" in navigator)) return;
    navigator.serviceWorker.register("/sw.js").catch(function () {});
    function put(shelf, paths) { caches.open(shelf).then(function (c) { return c.addAll(paths); }).catch(function () {}); }
    put("answers", [base, base + "/roll"]);
    if (code) put("guides", [code]);
  }
  keep();
  if (!unsent || !window.fetch || !window.URLSearchParams) return;
  try { store = localStorage; store.getItem(key) } catch (e) { return }

  function queue() { try { return JSON.parse(store.getItem(key)) || [] } catch (e) { return [] } }
  function save(q) { store.setItem(key, JSON.stringify(q)) }
  function people(q) { return q.reduce(function (n, m) { return n + m.n.length }, 0) }
  function box(i) { return d.querySelector('input[name="n"][type="checkbox"][value="' + i + '"]') }
  function show() {
    var q = queue(), n = people(q);
    unsent.textContent = wrong || (n ? unsent.getAttribute("data-waiting").replace("%s", n) : "");
    if (roll) return showRoll(q);
    q.forEach(function (m) {
      m.n.forEach(function (i) {
        var b = box(i), card = b && b.closest(".person");
        if (!card || card.querySelector(".kept")) return;
        var p = d.createElement("p");
        p.className = "kept";
        p.textContent = unsent.getAttribute("data-kept");
        card.appendChild(p);
        b.checked = false;
        b.disabled = true;
      });
    });
  }
  // drain sends the oldest mark, then the next: their order is kept.
  function drain() {
    clearTimeout(timer);
    var q = queue(), m = q[0];
    if (busy || !m) return;
    busy = true;
    fetch(base + (m.to || "/mark"), {method: "POST", credentials: "same-origin", body: m.v + "&sent=" + Date.now(),
      headers: {"Content-Type": "application/x-www-form-urlencoded", "X-Fragment": "1"}
    }).then(function (r) {
      var refused = r.status === 404 || r.status === 422 || r.status === 403;
      if (!r.ok && !refused) throw r.status;
      refused = refused || /done=too-late/.test(r.url);
      busy = false;
      wait = 2;
      q = queue();
      q.shift();
      save(q);
      if (refused) wrong = unsent.getAttribute("data-refused");
      show();
      if (q.length) return drain();
      keep();
      if (!roll && !refused) location.replace(base + "?done=marked&lang=" + d.documentElement.lang);
    }).catch(function () {
      busy = false;
      show();
      timer = setTimeout(drain, wait * 1000);
      wait = Math.min(wait * 2, 30);
    });
  }
  function add(m) {
    m.v += "&k=" + m.k + "-" + Math.random().toString(36).slice(2, 10) + "&said=" + Date.now();
    wrong = "";
    save(queue().concat({n: m.n, to: m.to, v: m.v}));
  }
  if (bulk) {
    var ticked = d.getElementById("ticked");
    d.addEventListener("change", function () {
      var n = d.querySelectorAll('input[form="bulk"]:checked').length;
      ticked.hidden = !n;
      ticked.firstElementChild.textContent = ticked.getAttribute("data-text").replace("%s", n);
    });
    bulk.addEventListener("submit", function (e) {
      var f = new FormData(bulk), n = f.getAll("n"), v = [], k = f.get("k");
      if (!n.length || !f.get("a") || !f.get("how")) return; // the server says what is missing
      f.delete("k");
      f.forEach(function (value, name) { v.push(name + "=" + encodeURIComponent(value)) });
      try { add({n: n, v: v.join("&"), k: k}) } catch (x) { return }
      e.preventDefault();
      bulk.reset();
      ticked.hidden = true;
      show();
      drain();
    });
  }

  // On the roll call a tap on a name is the mark, and another one takes it back.
  function showRoll(q) {
    var all = roll.querySelectorAll('input[type="checkbox"]'), i, b, waits;
    for (i = 0; i < all.length; i++) {
      b = all[i];
      waits = q.filter(function (m) { return m.n[0] === b.value; }).pop();
      if (waits) b.checked = waits.to !== "/undo";
      b.parentNode.querySelector(".st").textContent = waits ? unsent.getAttribute("data-kept") : b.checked ? unsent.getAttribute("data-here") : "";
    }
  }
  function tick(b) {
    var q = queue(), i;
    for (i = q.length - 1; i >= (busy ? 1 : 0); i--) if (q[i].n[0] === b.value) break;
    try {
      if (i >= (busy ? 1 : 0)) { // not sent: as if it had never been
        q.splice(i, 1);
        save(q);
      } else if (b.checked) add({n: [b.value], v: "n=" + b.value + "&a=1&how=saw&back=roll", k: roll.k.value});
      else add({n: [b.value], to: "/undo", v: "n=" + b.value + "&back=roll", k: roll.k.value});
    } catch (x) { return }
    show();
    drain();
  }
  function scanner() {
    var view = d.getElementById("view"), button = d.getElementById("scan"), found = d.getElementById("found"), reader, stream;
    function look() {
      if (!stream) return;
      reader.detect(view).then(function (all) { all.forEach(function (c) { read(c.rawValue.trim()); }); }).catch(function () {}).then(function () { setTimeout(look, 300); });
    }
    function read(number) {
      var all = roll.querySelectorAll("[data-number]"), i;
      for (i = 0; i < all.length; i++) if (all[i].getAttribute("data-number").toLowerCase() === number.toLowerCase()) {
        if (!all[i].checked) {
          all[i].checked = true;
          if (navigator.vibrate) navigator.vibrate(80);
          tick(all[i]);
        }
        found.textContent = all[i].parentNode.querySelector("b").textContent + ": " + unsent.getAttribute("data-here");
        return;
      }
      found.textContent = roll.getAttribute("data-unknown").replace("%s", number.slice(0, 40));
    }
    d.getElementById("scanner").hidden = false;
    button.onclick = function () {
      if (stream) {
        stream.getTracks().forEach(function (track) { track.stop(); });
        stream = null;
        view.hidden = true;
        return;
      }
      navigator.mediaDevices.getUserMedia({video: {facingMode: "environment"}}).then(function (s) {
        reader = reader || new BarcodeDetector();
        stream = view.srcObject = s;
        view.hidden = false;
        view.play();
        look();
      }).catch(function () { found.textContent = roll.getAttribute("data-nocamera"); });
    };
  }
  if (roll) {
    var button = d.getElementById("save"), paper = d.getElementById("print");
    if (button) button.hidden = true;
    paper.hidden = false;
    paper.onclick = function () { print(); };
    roll.addEventListener("change", function (e) { if (e.target.name === "n") tick(e.target); });
    if (roll.querySelector("[data-number]") && window.BarcodeDetector && navigator.mediaDevices) scanner();
  }
  addEventListener("online", function () { wait = 2; drain() });
  show();
  drain();
})();
