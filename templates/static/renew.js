// Parts of a page that renew themselves every so many seconds: names tick, texts
// and alerts come in. Without this script the page is loaded again by hand.
// Nothing moves under a finger: a part waits while somebody points at it, writes
// in it, or has something open.
(function () {
  var d = document, parts = d.querySelectorAll("[data-renew]");
  if (!parts.length || !window.fetch || !window.DOMParser) return;
  function busy(part) { return part.contains(d.activeElement) || part.querySelector("a:hover,button:hover,details[open]"); }
  var from = parts[0].getAttribute("data-from") || location.href;
  setInterval(function () {
    if (d.hidden) return;
    fetch(from, {credentials: "same-origin"}).then(function (r) { if (!r.ok || r.redirected) throw r.status; return r.text(); }).then(function (text) {
      var page = new DOMParser().parseFromString(text, "text/html");
      parts.forEach(function (part) {
        var fresh = page.getElementById(part.id);
        if (fresh && fresh.innerHTML !== part.innerHTML && !busy(part)) part.innerHTML = fresh.innerHTML;
      });
    }).catch(function () {});
  }, 1000 * parts[0].getAttribute("data-renew"));
})();
