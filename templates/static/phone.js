// Every page of an employee's own phone works without this script. With it the
// phone keeps the guides, hears of new alerts, and repairs its push subscription
// at every visit: a browser may change or drop it silently.
(function () {
  var d = document, m = d.getElementById("main"), key = m.getAttribute("data-key"), allow = d.getElementById("allow"), open;
  function bytes(text) {
    var raw = atob((text + "===".slice((text.length + 3) % 4)).replace(/-/g, "+").replace(/_/g, "/")), a = new Uint8Array(raw.length), i;
    for (i = 0; i < raw.length; i++) a[i] = raw.charCodeAt(i);
    return a;
  }
  var phone = window.phone = {
    pushes: key && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window,
    // on connects this browser to web push, again at every visit.
    on: function () {
      return navigator.serviceWorker.ready.then(function (r) {
        var options = {userVisibleOnly: true, applicationServerKey: bytes(key)};
        return r.pushManager.subscribe(options).catch(function (e) {
          if (e.name !== "InvalidStateError") throw e;
          // It is bound to another key of ours: begin anew.
          return r.pushManager.getSubscription().then(function (s) { return s && s.unsubscribe(); }).then(function () { return r.pushManager.subscribe(options); });
        });
      }).then(function (s) {
        return fetch("/me/subscribe", {method: "POST", credentials: "same-origin", headers: {"Content-Type": "application/json"}, body: JSON.stringify(s)});
      }).then(function (r) { if (!r.ok) throw r.status; });
    }
  };
  function offer(hidden) { if (allow) allow.hidden = hidden; }
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(function () {});
  if (phone.pushes && Notification.permission === "granted") {
    if (m.getAttribute("data-page") !== "allow") phone.on().then(function () { offer(true); }, function () { offer(false); });
  } else offer(false);
  if (d.getElementById("news") && window.EventSource) new EventSource("/me/events").addEventListener("open", function (e) {
    if (open !== undefined && open !== e.data) {
      if (+e.data > +open) d.getElementById("news").textContent = m.getAttribute("data-news");
      setTimeout(function () { location.reload(); }, 300);
    }
    open = e.data;
  });
})();
