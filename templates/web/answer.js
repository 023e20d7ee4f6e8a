// The page works without this script. With it, an answer that finds no signal
// is kept on the phone and sent until the server has recorded or refused it,
// always with the same k: however often it arrives, it is one press.
(function () {
  var d = document, b = d.body, path = location.pathname, key = "q:" + path, wait = 2, store, timer, last, press;
  if (!window.fetch) return;
  if (b.hasAttribute("data-seen")) fetch(path + "/seen", {method: "POST"}).catch(function () {});
  try { store = localStorage; store.getItem(key) } catch (e) { return }
  function say(what) {
    var e = d.getElementById("st");
    if (e) e.textContent = b.getAttribute("data-" + what);
  }
  function again() {
    var v = store.getItem(key);
    if (v) send(v);
  }
  function send(v) {
    clearTimeout(timer);
    timer = setTimeout(again, 30000);
    fetch(path + "?lang=" + d.documentElement.lang, {method: "POST", body: v + "&sent=" + Date.now(), credentials: "same-origin",
      headers: {"Content-Type": "application/x-www-form-urlencoded", "X-Fragment": "1"}
    }).then(function (r) {
      var final = r.status === 404 || r.status === 422 || r.status === 403;
      if (!r.ok && !final) throw r.status;
      return r.text().then(function (t) {
        if (store.getItem(key) !== v) return;
        store.removeItem(key);
        clearTimeout(timer);
        if (final) return say("refused");
        var box = d.getElementById("box"), h;
        box.innerHTML = t;
        if (location.search) history.replaceState(null, "", path); // a reload shows what is recorded
        if (h = box.querySelector("h2")) { h.tabIndex = -1; h.focus() }
      });
    }).catch(function () {
      if (store.getItem(key) !== v) return;
      say("offline");
      clearTimeout(timer);
      timer = setTimeout(again, wait * 1000 * (1 + Math.random() / 2));
      wait = Math.min(wait * 2, 60);
    });
  }
  d.addEventListener("submit", function (e) {
    var f = e.target, t = e.submitter || d.activeElement, a = t && t.value;
    if (!a || !f.k) return;
    // Another answer than the last one here is another press.
    if (a !== last) { last = a; press = Math.random().toString(36).slice(2, 10); wait = 2 }
    var v = "a=" + a + "&k=" + encodeURIComponent(f.k.value + "-" + press) + "&said=" + Date.now();
    try { store.setItem(key, v) } catch (x) { return }
    e.preventDefault();
    say("sending");
    send(v);
  });
  addEventListener("online", function () { wait = 2; again() });
  again();
})();
