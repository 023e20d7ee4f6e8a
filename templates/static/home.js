// n begins a new alert, as a click on the button does. It sends nothing.
document.addEventListener("keydown", function (e) {
  if (e.key !== "n" || e.ctrlKey || e.metaKey || e.altKey || /INPUT|TEXTAREA|SELECT/.test(e.target.tagName)) return;
  document.querySelector(".btn-new").click();
});
