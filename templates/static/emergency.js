// Reports work without this script. With it they go through the outbox, so that one
// that finds no signal waits; a photo is made small before it is sent; and who has
// seen a report is told without touching anything.
(function () {
  var d = document, f = d.getElementById("report"), progress = d.getElementById("progress");
  if (!window.fetch) return;
  if (progress) setInterval(function () {
    if (!d.hidden) fetch(location.pathname + "?lang=" + d.documentElement.lang, {credentials: "same-origin", headers: {"X-Fragment": "1"}}).then(function (r) { if (r.ok) return r.text(); }).then(function (t) {
      var fresh = d.createElement("div");
      fresh.innerHTML = t || "";
      if (t && fresh.textContent !== progress.textContent) progress.innerHTML = t;
    }).catch(function () {});
  }, 15000);
  if (!f || !window.outbox) return;

  // small gives a picture as a JPEG of at most 150 KB, without what the camera
  // wrote into it, such as the place.
  var most = 150 * 1024 * 4 / 3, picture = "";
  function small(file) {
    return new Promise(function (done, fail) {
      var img = new Image(), reader = new FileReader();
      img.onerror = fail;
      img.onload = function () {
        var canvas = d.createElement("canvas"), side = 1280, scale, out;
        do {
          scale = Math.min(1, side / Math.max(img.width, img.height));
          canvas.width = img.width * scale;
          canvas.height = img.height * scale;
          canvas.getContext("2d").drawImage(img, 0, 0, canvas.width, canvas.height);
          out = canvas.toDataURL("image/jpeg", 0.6).split(",")[1];
          side *= 0.8;
        } while (out.length > most);
        done(out);
      };
      reader.onload = function () { img.src = reader.result; };
      reader.readAsDataURL(file);
    });
  }
  var photo = d.getElementById("photo"), made = Promise.resolve();
  d.getElementById("camera").hidden = false;
  photo.onchange = function () {
    picture = "";
    if (photo.files[0]) made = small(photo.files[0]).then(function (out) { picture = out; }, function () {});
  };
  f.addEventListener("submit", function (e) {
    if (!f.elements.kind.value || !f.where.value.trim()) return; // the server says what is missing
    e.preventDefault();
    made.then(function () {
      var v = new URLSearchParams(new FormData(f));
      v.set("said", Date.now());
      if (picture) v.set("photo", picture);
      try { outbox(f.k.value, v); } catch (x) { f.submit(); }
    });
  });
})();
