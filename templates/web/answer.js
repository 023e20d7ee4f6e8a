// The page works without this script. With it, an answer that finds no signal
// is kept on the phone and sent until the server has recorded or refused it,
// always with the same k: however often it arrives, it is one press. What
// somebody writes afterwards is kept and sent in the same way.
(function () {
  var d = document, b = d.body, path = location.pathname, wait = 2, store, timer, last, press;
  if (!window.fetch || !window.URLSearchParams) return;
  if (b.hasAttribute("data-seen")) fetch(path + "/seen?v=" + b.getAttribute("data-seen"), {method: "POST"}).catch(function () {});
  try { store = localStorage; store.getItem("q") } catch (e) { return }
  // digit is what says the same by SMS, where that is read.
  function say(what, digit) {
    var e = d.getElementById("st"), sms = digit && b.getAttribute("data-sms");
    if (e) e.textContent = b.getAttribute("data-" + what) + (sms ? " " + sms.replace("#", digit) : "");
  }
  function later(seconds) {
    clearTimeout(timer);
    timer = setTimeout(again, seconds * 1000);
  }
  function again() {
    send(path);
    send(path + "/tell");
  }
  function send(to) {
    var key = "q:" + to, v = store.getItem(key);
    if (!v) return;
    later(30);
    fetch(to + "?lang=" + d.documentElement.lang, {method: "POST", body: v + "&sent=" + Date.now(), credentials: "same-origin",
      headers: {"Content-Type": "application/x-www-form-urlencoded", "X-Fragment": "1"}
    }).then(function (r) {
      var final = r.status === 404 || r.status === 422 || r.status === 403;
      if (!r.ok && !final) throw r.status;
      return r.text().then(function (t) {
        if (store.getItem(key) !== v) return;
        store.removeItem(key);
        later(1);
        if (final) return say("refused");
        if (r.headers.get("X-Stale")) return location.replace(path); // the text has changed: all of it is read anew
        var box = d.getElementById("box"), h;
        box.innerHTML = t;
        if (location.search) history.replaceState(null, "", path); // a reload shows what is recorded
        if (h = box.querySelector(".told") || box.querySelector("h2")) { h.tabIndex = -1; h.focus() }
      });
    }).catch(function () {
      if (store.getItem(key) !== v) return;
      say("offline", new URLSearchParams(v).get("a"));
      later(wait * (1 + Math.random() / 2));
      wait = Math.min(wait * 2, 60);
    });
  }
  d.addEventListener("submit", function (e) {
    var f = e.target, t = e.submitter || d.activeElement, to = f.getAttribute("action").split("?")[0], v, said;
    if (!f.k || to.indexOf(path)) return;
    try {
      v = new URLSearchParams(new FormData(f));
      if (f.hasAttribute("data-answer")) v.set("a", t.value);
      // Another answer than the last one here is another press.
      said = to + v;
      if (said !== last) { last = said; press = Math.random().toString(36).slice(2, 10); wait = 2 }
      v.set("k", v.get("k") + "-" + press);
      v.set("said", Date.now());
      store.setItem("q:" + to, v);
    } catch (x) { return }
    e.preventDefault();
    say("sending");
    send(to);
  });
  // The place is asked for once, at a tap, and written where it can be read and
  // taken out before it is sent.
  if (navigator.geolocation) b.className = "js";
  d.addEventListener("click", function (e) {
    var t = e.target.closest("#place"), w = d.getElementById("words");
    if (t) navigator.geolocation.getCurrentPosition(function (p) {
      var c = p.coords;
      w.value += " " + c.latitude.toFixed(5) + ", " + c.longitude.toFixed(5) + " (\u00b1" + Math.round(c.accuracy) + " m)";
    }, function () {
      w.placeholder = t.getAttribute("data-none");
      w.focus();
    }, {enableHighAccuracy: true, timeout: 20000});
  });
  // Who has called for help sees who comes, without touching anything.
  setInterval(function () {
    var who = d.getElementById("who");
    if (who && !d.hidden) fetch(path + "?lang=" + d.documentElement.lang, {credentials: "same-origin", headers: {"X-Fragment": "1"}}).then(function (r) {
      if (r.ok) return r.text();
    }).then(function (t) {
      var fresh = d.createElement("div");
      fresh.innerHTML = t || "";
      if (t && fresh.textContent !== who.textContent) who.innerHTML = t;
    }).catch(function () {});
  }, 15000);
  addEventListener("online", function () { wait = 2; again() });
  again();
})();
