// Counts down without loading the page each second, so that the focus stays on
// the button. Without it the page loads itself again.
addEventListener("load", function () {
  var h = document.getElementById("left"), end;
  if (!h) return;
  window.stop(); // the page's own reload
  end = Date.now() + Number(h.getAttribute("data-left"));
  (function tick() {
    var s = Math.ceil((end - Date.now()) / 1000), text;
    if (s < 1) {
      h.textContent = document.title = h.getAttribute("data-last");
      setTimeout(function () { location.reload(); }, 400);
      return;
    }
    text = h.getAttribute("data-say").replace("%s", s);
    if (h.textContent !== text) h.textContent = document.title = text;
    setTimeout(tick, 200);
  })();
});
