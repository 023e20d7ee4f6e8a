// The steps after connecting: notifications, the Home Screen, a test. Without
// this script the pages say in words what it does.
(function () {
  var d = document, m = d.getElementById("main"), page = m.getAttribute("data-page"), status = d.getElementById("st"), phone = window.phone || {};
  var agent = navigator.userAgent, iphone = /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1);
  var app = navigator.standalone || matchMedia("(display-mode: standalone)").matches;

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
  var pages = {
    allow: function () {
      function next() { location.href = m.getAttribute("data-next"); }
      if (!phone.pushes) { step(iphone && !app ? "iphone" : "other"); return; }
      if (Notification.permission === "granted") { phone.on().then(next, function () { step("failed"); }); return; }
      if (Notification.permission === "denied" || session("denied")) { step("denied"); return; }
      step("ask");
      el("on").onclick = function () {
        var quiet = setTimeout(function () { d.querySelector("[data-step=quiet]").hidden = false; }, 4000);
        Notification.requestPermission().then(function (p) {
          clearTimeout(quiet);
          if (p === "granted") return phone.on().then(next, function () { step("failed"); });
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
          if (s.came && timer) { clearInterval(timer); timer = 0; status.textContent = m.getAttribute("data-came"); el("sec").hidden = bar.hidden = true; step("none"); }
        }).catch(function () {});
      }
      timer = setInterval(function () {
        var s = Math.round((Date.now() - begun) / 1000);
        bar.value = Math.min(s, 60);
        if (s % 3 === 0) look();
        if (timer && s < 60) el("sec").textContent = m.getAttribute("data-waiting").replace("%s", s);
        if (s === 60) { status.textContent = m.getAttribute("data-late"); el("sec").hidden = true; step("late"); }
        if (s > 300) clearInterval(timer);
      }, 1000);
      look();
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
