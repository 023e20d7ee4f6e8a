// Names tick while people connect. Without this script the page is loaded again
// by hand. An opened code stays open, so nothing is renewed while one is shown.
(function () {
  var d = document, list = d.getElementById("crew");
  if (!list || !window.fetch || !window.DOMParser) return;
  setInterval(function () {
    if (d.hidden || list.querySelector("details[open]") || list.contains(d.activeElement)) return;
    fetch(location.href, {credentials: "same-origin"}).then(function (r) { if (!r.ok) throw r.status; return r.text(); }).then(function (text) {
      var fresh = new DOMParser().parseFromString(text, "text/html").getElementById("crew");
      if (fresh) list.innerHTML = fresh.innerHTML;
    }).catch(function () {});
  }, 1000 * list.getAttribute("data-renew"));
})();
