// The pages of an employee's own phone work without this script. With it they
// ask for notifications, install the app, wait for the test, and repair the
// push subscription at every visit: a browser may change or drop it silently.
(function () {
  var d = document, m = d.getElementById("main"), page = m.getAttribute("data-page"), key = m.getAttribute("data-key"), status = d.getElementById("st");
  var agent = navigator.userAgent, iphone = /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1);
  var app = navigator.standalone || matchMedia("(display-mode: standalone)").matches;
  var pushes = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

  function el(id) { return d.getElementById(id); }
  // step shows one of the parts of a page that depend on the phone.
  function step(name) {
    var all = d.querySelectorAll("[data-step]"), i;
    for (i = 0; i < all.length; i++) all[i].hidden = all[i].getAttribute("data-step") !== name;
  }
  // session remembers what was said in this session; some browsers forbid that.
  function session(name, value) {
    try {
      if (value) sessionStorage.setItem(name, value);
      return sessionStorage.getItem(name);
    } catch (e) { return null; }
  }
  function bytes(text) {
    var raw = atob((text + "===".slice((text.length + 3) % 4)).replace(/-/g, "+").replace(/_/g, "/")), a = new Uint8Array(raw.length), i;
    for (i = 0; i < raw.length; i++) a[i] = raw.charCodeAt(i);
    return a;
  }
  // on connects this browser to web push, again at every visit.
  function on() {
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
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(function () {});
  var granted = pushes && key && Notification.permission === "granted";
  if (granted && page !== "allow") on().then(function () { if (el("allow")) el("allow").hidden = true; }).catch(function () { if (el("allow")) el("allow").hidden = false; });
  else if (el("allow")) el("allow").hidden = false;

  var pages = {
    me: function () {
      var open;
      if (window.EventSource) new EventSource("/me/events").addEventListener("open", function (e) {
        if (open !== undefined && open !== e.data) {
          if (+e.data > +open) el("news").textContent = m.getAttribute("data-news");
          setTimeout(function () { location.reload(); }, 300);
        }
        open = e.data;
      });
    },
    allow: function () {
      function next() { location.href = m.getAttribute("data-next"); }
      if (!pushes || !key) { step(iphone && !app ? "iphone" : "other"); return; }
      if (granted) { on().then(next, function () { step("failed"); }); return; }
      if (Notification.permission === "denied" || session("denied")) { step("denied"); return; }
      step("ask");
      el("on").onclick = function () {
        var quiet = setTimeout(function () { d.querySelector("[data-step=quiet]").hidden = false; }, 4000);
        Notification.requestPermission().then(function (p) {
          clearTimeout(quiet);
          if (p === "granted") return on().then(next, function () { step("failed"); });
          if (p === "denied") { session("denied", "1"); step("denied"); return; }
          d.querySelector("[data-step=quiet]").hidden = false;
        });
      };
    },
    install: function () {
      if (app) { step("none"); return; }
      step(iphone ? "iphone" : "android");
      addEventListener("beforeinstallprompt", function (e) {
        e.preventDefault();
        step("prompt");
        el("install").onclick = function () { e.prompt(); };
      });
      addEventListener("appinstalled", function () { step("none"); });
    },
    test: function () {
      var bar = el("bar"), begun = Date.now(), timer;
      if (!bar) return;
      bar.hidden = false;
      step("none");
      function look() {
        fetch("/me/test/state?at=" + m.getAttribute("data-at"), {credentials: "same-origin"}).then(function (r) { return r.json(); }).then(function (s) {
          if (s.came && timer) { clearInterval(timer); timer = 0; status.className = "done"; status.textContent = m.getAttribute("data-came"); bar.hidden = true; step("none"); }
        }).catch(function () {});
      }
      timer = setInterval(function () {
        var s = Math.round((Date.now() - begun) / 1000);
        bar.value = Math.min(s, 60);
        if (s % 3 === 0) look();
        if (s < 60) bar.setAttribute("aria-valuetext", m.getAttribute("data-waiting").replace("%s", s));
        if (s === 60) { status.className = "done"; status.textContent = m.getAttribute("data-late"); step("late"); }
        if (s > 300) clearInterval(timer);
      }, 1000);
      status.textContent = m.getAttribute("data-waiting").replace("%s", 0);
      look();
    },
    offline: function () {
      var list = el("kept"), waiting = 0, i;
      function show() {
        if (!waiting) return;
        el("queue").hidden = false;
        el("queue").textContent = waiting === 1 ? m.getAttribute("data-one") : m.getAttribute("data-many").replace("%s", waiting);
      }
      try { for (i = 0; i < localStorage.length; i++) if (/^q:/.test(localStorage.key(i))) waiting++; } catch (e) { /* not allowed here */ }
      show();
      if (window.indexedDB) {
        var open = indexedDB.open("kentongan", 1);
        open.onupgradeneeded = function () { open.transaction.abort(); };
        open.onsuccess = function () {
          try {
            var asked = open.result.transaction("answers").objectStore("answers").count();
            asked.onsuccess = function () { waiting += asked.result; show(); };
          } catch (e) { /* nothing was ever kept */ }
        };
        open.onerror = function (e) { e.preventDefault(); };
      }
      if (window.caches) caches.open("answers").then(function (c) {
        return c.keys().then(function (all) {
          all.reverse().forEach(function (k) {
            c.match(k).then(function (r) { return r.text(); }).then(function (text) {
              var title = new DOMParser().parseFromString(text, "text/html").title, li = d.createElement("li"), a = d.createElement("a");
              a.href = new URL(k.url).pathname;
              a.textContent = title;
              li.appendChild(a);
              list.appendChild(li);
            });
          });
        });
      });
      addEventListener("online", function () { location.reload(); });
    }
  };
  if (pages[page]) pages[page]();

  // An app inside another app cannot show alerts; Chrome is asked to open the link.
  var chrome = el("chrome"), copy = el("copy"), again = el("again"), left;
  if (chrome && /Android/.test(agent)) chrome.href = chrome.href.replace(/^(https?):\/\//, "intent://") + "#Intent;scheme=" + location.protocol.slice(0, -1) + ";package=com.android.chrome;end";
  if (copy) copy.onclick = function () {
    var said = function () { copy.lastElementChild.textContent = copy.getAttribute("data-copied"); };
    if (navigator.clipboard) navigator.clipboard.writeText(copy.getAttribute("data-link")).then(said, function () { prompt("", copy.getAttribute("data-link")); });
    else prompt("", copy.getAttribute("data-link"));
  };
  // A code is sent again after 30 s at the earliest: texts overtake each other.
  if (again) {
    left = +again.getAttribute("data-wait");
    again.disabled = true;
    (function count() {
      again.textContent = again.getAttribute("data-words") + (left ? " (" + left + ")" : "");
      again.disabled = left > 0;
      if (left-- > 0) setTimeout(count, 1000);
    })();
  }
})();
