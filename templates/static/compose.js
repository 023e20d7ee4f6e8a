// Measures the SMS, or counts the people, while somebody writes or chooses. The
// buttons of the form do the same without it.
(function () {
  var d = document, f = d.querySelector("form[data-live]"), timer, busy, again;
  function ask() {
    if (busy) { again = true; return; }
    busy = true;
    fetch(f.getAttribute("data-live") + location.search, {method: "POST", credentials: "same-origin", body: new URLSearchParams(new FormData(f))})
      .then(function (r) { return r.ok ? r.text() : ""; })
      .then(function (t) {
        new DOMParser().parseFromString(t, "text/html").querySelectorAll("[data-part]").forEach(function (part) {
          var old = d.getElementById(part.id);
          if (old && old.innerHTML !== part.innerHTML) old.innerHTML = part.innerHTML;
        });
      })
      .catch(function () {}) // the form's own button counts
      .then(function () {
        busy = false;
        if (again) { again = false; ask(); }
      });
  }
  function soon() { clearTimeout(timer); timer = setTimeout(ask, 150); }
  // A known site has an assembly point; one that somebody wrote stays.
  function fill() {
    var site = d.getElementById("f.site"), muster = d.getElementById("f.muster"), own;
    if (!site || !muster) return;
    d.querySelectorAll("#sites option").forEach(function (o) { if (o.value === site.value) own = o.getAttribute("data-muster"); });
    if (own && (!muster.value || muster.value === fill.last)) muster.value = fill.last = own;
  }
  f.addEventListener("input", function (e) { if (e.target.id === "f.site") fill(); soon(); });
  f.addEventListener("change", soon);
})();
