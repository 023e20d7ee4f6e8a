// Tells that there are new answers; nothing on the page moves by itself.
(function () {
  var t = document.getElementById("team"), last;
  if (location.search.indexOf("done=") >= 0) history.replaceState(null, "", location.pathname);
  if (!t || !window.EventSource) return;
  new EventSource(t.getAttribute("data-events")).addEventListener("counts", function (e) {
    if (last && last !== e.data && !t.querySelector("strong")) {
      var b = document.createElement("strong");
      b.textContent = t.getAttribute("data-news") + " ";
      t.insertBefore(b, t.lastElementChild);
    }
    last = e.data;
  });
})();
