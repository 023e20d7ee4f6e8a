// The summary of faults takes the focus, so that nobody looks for it. Its links
// move the focus to the field, or to the first of a group.
(function () {
  var d = document, box = d.getElementById("faults");
  box.focus();
  box.addEventListener("click", function (e) {
    var link = e.target.closest("a"), at = link && d.getElementById(decodeURIComponent(link.hash.slice(1))), kinds = "input:not([type=hidden]),select,textarea,button";
    if (!at) return;
    for (var p = at; p; p = p.parentElement) if (p.tagName === "DETAILS") p.open = true;
    var field = at.matches(kinds) ? at : at.querySelector(kinds);
    if (!field) return;
    e.preventDefault();
    field.focus();
  });
})();
