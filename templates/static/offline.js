// Lists what this phone has kept: alerts that can still be read, and answers
// that wait for a signal.
(function () {
  var d = document, m = d.getElementById("main");
  function el(id) { return d.getElementById(id); }
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
          var page = new DOMParser().parseFromString(text, "text/html"), li = d.createElement("li"), a = d.createElement("a");
          a.href = new URL(k.url).pathname;
          a.textContent = page.title || list.getAttribute("data-page");
          if (page.title) a.lang = page.documentElement.lang; // kept before the person chose another language
          li.appendChild(a);
          list.appendChild(li);
        });
      });
    });
  });
  // A browser says "online" before anything can be fetched, and also for a moment
  // in between. The page that was wanted comes back only once the server answers,
  // and never in place of another to which the person is already on their way.
  var leaving = 0;
  addEventListener("beforeunload", function () { leaving = Date.now(); });
  function back() {
    fetch(location.href, {credentials: "same-origin"}).then(function () {
      if (Date.now() - leaving > 10000) location.reload();
    }).catch(function () { if (navigator.onLine) setTimeout(back, 5000); });
  }
  addEventListener("online", back);
})();
