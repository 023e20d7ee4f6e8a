// Sends the reports of emergencies that this phone has kept, oldest key first,
// until the server has taken or refused each: from whatever page is open.
(function () {
  var d = document, m = d.getElementById("main"), unsent = d.getElementById("unsent"), prefix = "q:/me/emergency ", wait = 2, busy, timer, store;
  if (!window.fetch) return;
  try { store = localStorage; store.getItem(prefix) } catch (e) { return }
  function first() {
    for (var i = 0; i < store.length; i++) if (store.key(i).indexOf(prefix) === 0) return store.key(i);
  }
  function tell(what) {
    if (!unsent) return;
    unsent.hidden = !what;
    unsent.textContent = what ? m.getAttribute("data-" + what) : "";
  }
  function drain() {
    var key = first();
    clearTimeout(timer);
    if (busy || !key) return;
    busy = true;
    fetch("/me/emergency", {method: "POST", credentials: "same-origin", body: store.getItem(key) + "&sent=" + Date.now(),
      headers: {"Content-Type": "application/x-www-form-urlencoded"}
    }).then(function (r) {
      var refused = r.status === 422 || r.status === 401 || r.status === 404 || r.status === 403;
      if (!r.ok && !refused) throw r.status;
      busy = false;
      store.removeItem(key);
      tell(refused ? "refused" : "");
      if (first()) return drain();
      if (!refused && d.getElementById("report")) location.replace(r.url);
    }).catch(function () {
      busy = false;
      tell("waiting");
      timer = setTimeout(drain, wait * 1000);
      wait = Math.min(wait * 2, 30);
    });
  }
  window.outbox = function (k, v) { store.setItem(prefix + k, v); drain(); };
  addEventListener("online", function () { wait = 2; drain() });
  drain();
})();
