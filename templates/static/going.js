// Looks every second how far it is, and opens what came of it. Without this
// script there is the link.
(function () {
  var d = document, part = d.getElementById("going");
  if (!part || !window.fetch || !window.DOMParser) return;
  function look() {
    if (d.hidden) return;
    fetch(location.href, {credentials: "same-origin"}).then(function (r) {
      if (!r.ok) throw r.status;
      if (r.redirected) { location.replace(r.url); return; }
      var type = r.headers.get("Content-Type") || "";
      return type.indexOf("text/html") ? location.reload() : r.text();
    }).then(function (text) {
      if (!text) return;
      var fresh = new DOMParser().parseFromString(text, "text/html").getElementById("going");
      if (!fresh) location.reload();
      else if (fresh.innerHTML !== part.innerHTML) part.innerHTML = fresh.innerHTML;
    }).catch(function () {});
  }
  setInterval(look, 1000);
})();
