// Connects this phone to web push, and keeps the connection right on every
// visit: a browser may change or drop its subscription without telling anybody.
(function () {
  var m = document.getElementById("me"), button = document.getElementById("push"), status = document.getElementById("st"), open;
  if (window.EventSource) new EventSource("/me/events").addEventListener("open", function (e) {
    if (open !== undefined && open !== e.data) location.reload();
    open = e.data;
  });
  if (!("serviceWorker" in navigator) || !("PushManager" in window) || !window.Notification) return;
  function bytes(text) {
    var raw = atob((text + "===".slice((text.length + 3) % 4)).replace(/-/g, "+").replace(/_/g, "/")), a = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) a[i] = raw.charCodeAt(i);
    return a;
  }
  function on() {
    return navigator.serviceWorker.register("/sw.js").then(function () {
      return navigator.serviceWorker.ready;
    }).then(function (r) {
      return r.pushManager.subscribe({userVisibleOnly: true, applicationServerKey: bytes(m.getAttribute("data-key"))});
    }).then(function (s) {
      return fetch("/me/subscribe", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(s)});
    }).then(function (r) {
      if (!r.ok) throw r.status;
      status.textContent = m.getAttribute("data-on");
      button.hidden = true;
    });
  }
  function off() { status.textContent = m.getAttribute("data-off"); }
  if (Notification.permission === "granted") { on().catch(off); return; }
  if (Notification.permission === "denied") { off(); return; }
  button.hidden = false;
  button.onclick = function () {
    Notification.requestPermission().then(function (p) {
      if (p === "granted") return on();
      button.hidden = true;
      off();
    }).catch(off);
  };
})();
