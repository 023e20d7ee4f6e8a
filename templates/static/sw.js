"use strict";
// The service worker shows calls on a phone whose pages are closed, sends
// answers from notification buttons, and keeps what a person needs readable
// without a signal: the guides, the last alerts, their own page.

const words = {
  id: {safe: "Saya aman", help: "Butuh bantuan", read: "Paham", problem: "Ada kendala", recorded: "Tercatat", refused: "TIDAK DITERIMA. Ketuk untuk menjawab.",
    waiting: "BELUM TERKIRIM. Dicoba lagi sendiri. Ketuk untuk melihat.", call: "Peringatan darurat", open: "Ketuk untuk membaca dan menjawab.", copy: "Tidak ada sinyal. Salinan tersimpan dari "},
  en: {safe: "I'm safe", help: "Need help", read: "Understood", problem: "I have a problem", recorded: "Recorded", refused: "NOT ACCEPTED. Tap to answer.",
    waiting: "NOT SENT YET. It is tried again by itself. Tap to look.", call: "Emergency alert", open: "Tap to read and answer.", copy: "No signal. Saved copy from "}
};
function say(lang) { return words[lang === "en" ? "en" : "id"]; }

self.addEventListener("install", function (e) { e.waitUntil(keepGuides().then(function () { return self.skipWaiting(); })); });
self.addEventListener("activate", function (e) { e.waitUntil(self.clients.claim().then(sendWaiting)); });

// A push that shows nothing is punished by browsers, so the notification comes
// first, whatever the message looks like, and everything else after it.
self.addEventListener("push", function (e) {
  let m = {};
  try { m = e.data.json() || {}; } catch (x) { /* shown all the same */ }
  const n = m.notification || {}, w = say(n.lang), read = m.answers === "read";
  const options = {
    body: n.body || w.open, lang: n.lang || "id", dir: n.dir || "auto", tag: n.tag || "kentongan", renotify: true, requireInteraction: true,
    silent: n.silent === true, timestamp: n.timestamp || Date.now(), icon: "/static/icon-192.png", data: {token: m.token || "", v: m.version || 1, go: n.navigate || "/me", answers: m.answers, title: n.title || w.call}
  };
  if (!options.silent) options.vibrate = [400, 200, 400]; // both at once are refused
  if (m.asks && m.token) options.actions = [{action: "1", title: read ? w.read : w.safe}, {action: "2", title: read ? w.problem : w.help}];
  e.waitUntil(self.registration.showNotification(n.title || w.call, options).then(function () {
    const seen = m.token ? fetch("/r/" + m.token + "/seen?c=webpush&v=" + options.data.v, {method: "POST", keepalive: true}).catch(function () {}) : null;
    return Promise.all([seen, sendWaiting()]);
  }));
});

self.addEventListener("notificationclick", function (e) {
  const n = e.notification, d = n.data || {};
  n.close();
  if (!e.action || !d.token) { e.waitUntil(self.clients.openWindow(d.go || "/me")); return; }
  // k is made once, at the tap: however often this is sent, it is one press.
  const press = {token: d.token, v: d.v || 1, k: "push-" + crypto.getRandomValues(new Uint32Array(3)).join("-"), a: e.action, said: Date.now(),
    lang: n.lang, tag: n.tag, data: d};
  e.waitUntil(keep(press).catch(function () {}).then(function () { return send(press, true); }));
});

self.addEventListener("sync", function (e) { if (e.tag === "answers") e.waitUntil(sendWaiting()); });

function answerWord(p) {
  const w = say(p.lang), read = p.data.answers === "read";
  return p.a === "2" ? (read ? w.problem : w.help) : (read ? w.read : w.safe);
}

function tell(p, title) {
  return self.registration.showNotification(title, {tag: p.tag, body: p.data.title || "", lang: p.lang, requireInteraction: true,
    icon: "/static/icon-192.png", data: p.data});
}

// send posts one answer. Recorded and refused are final and end the waiting;
// anything else is tried again.
function send(p, first) {
  const body = new URLSearchParams({a: p.a, v: p.v || 1, k: p.k, said: p.said, sent: Date.now(), via: "push"});
  return fetch("/r/" + p.token, {method: "POST", headers: {"X-Fragment": "1"}, body: body}).then(function (r) {
    if (r.ok) return forget(p).then(function () { return tell(p, say(p.lang).recorded + ": " + answerWord(p)); });
    if ([401, 403, 404, 422].indexOf(r.status) >= 0) return forget(p).then(function () { return tell(p, say(p.lang).refused); });
    throw new Error("not recorded");
  }).catch(function () {
    const later = self.registration.sync ? self.registration.sync.register("answers").catch(function () {}) : Promise.resolve();
    return first ? later.then(function () { return tell(p, say(p.lang).waiting); }) : later;
  });
}

function sendWaiting() {
  return store("readonly", function (s) { return s.getAll(); }).then(function (all) {
    return Promise.all(all.map(function (p) { return send(p, false); }));
  }).catch(function () {});
}

// The store holds at most one answer of each link: the last one said.
function store(mode, act) {
  return new Promise(function (done, fail) {
    const open = indexedDB.open("kentongan", 1);
    open.onupgradeneeded = function () { open.result.createObjectStore("answers", {keyPath: "token"}); };
    open.onerror = function () { fail(open.error); };
    open.onsuccess = function () {
      const t = open.result.transaction("answers", mode), asked = act(t.objectStore("answers"));
      t.oncomplete = function () { open.result.close(); done(asked && asked.result); };
      t.onabort = t.onerror = function () { open.result.close(); fail(t.error); };
    };
  });
}

function keep(p) { return store("readwrite", function (s) { s.put(p); }); }

// forget leaves a newer answer of the same link alone.
function forget(p) {
  return store("readwrite", function (s) {
    const g = s.get(p.token);
    g.onsuccess = function () { if (g.result && g.result.k === p.k) s.delete(p.token); };
  }).catch(function () {});
}

// A browser that changes the subscription tells the server at once.
self.addEventListener("pushsubscriptionchange", function (e) {
  const old = e.oldSubscription;
  if (!e.newSubscription && (!old || !old.options)) return;
  e.waitUntil(Promise.resolve(e.newSubscription || self.registration.pushManager.subscribe(old.options)).then(function (s) {
    return fetch("/me/subscribe", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(s)});
  }));
});

// keepGuides stores the guides and the page for when there is no signal. What
// cannot be had now is stored when it is next opened.
function keepGuides() {
  return caches.open("guides").then(function (c) {
    function add(path) { return fetch(path, {credentials: "same-origin"}).then(function (r) { return r.ok ? c.put(new URL(path, location).pathname, r.clone()).then(function () { return r.text(); }) : ""; }).catch(function () { return ""; }); }
    return Promise.all(["/guides", "/offline", "/me/emergency"].map(add)).then(function (texts) {
      const more = {"/static/icon-192.png": 1};
      texts.forEach(function (t) { (t.match(/"\/(?:guides\/[a-z_]+|static\/[a-z]+\.js\?v=[0-9a-f]+)"/g) || []).forEach(function (m) { more[m.slice(1, -1)] = 1; }); });
      return Promise.all(Object.keys(more).map(add));
    });
  }).catch(function () {});
}

// repair tells the server of the subscription that this browser has now: a visit
// to any page is enough.
let repaired = 0;
function repair() {
  if (!self.registration.pushManager || Date.now() - repaired < 3600000) return Promise.resolve();
  repaired = Date.now();
  return self.registration.pushManager.getSubscription().then(function (s) {
    return s && fetch("/me/subscribe", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(s)});
  }).catch(function () {});
}

// Pages come from the network first, because an old instruction must not pass
// for a new one. A network that says nothing for so long counts as none.
const patience = 3000;

// shelf says where a copy of a page is kept; nothing for pages that are not.
function shelf(path) {
  if (/^\/(r\/[^\/]+|t\/[^\/]+(\/roll)?)$/.test(path)) return "answers";
  if (path === "/me" || path === "/me/emergency") return "me";
  if (/^\/guides(\/[a-z_]+)?$/.test(path) || path === "/offline") return "guides";
  return "";
}

self.addEventListener("fetch", function (e) {
  const r = e.request, path = new URL(r.url).pathname;
  if (r.method !== "GET") return;
  if (/^\/static\/[a-z0-9-]+\.(js|png)$/.test(path)) {
    e.respondWith(fetch(r).catch(function () {
      return caches.open("guides").then(function (c) { return c.match(path, {ignoreSearch: true}); }).then(function (kept) { return kept || Response.error(); });
    }));
    return;
  }
  if (r.mode !== "navigate") return;
  e.waitUntil(Promise.all([sendWaiting(), repair()]));
  const name = shelf(path);
  const fresh = fetch(r).then(function (got) {
    if (name) e.waitUntil(note(name, path, got.ok && !got.redirected ? got.clone() : null, got.status));
    return got;
  });
  const late = new Promise(function (done) { setTimeout(done, patience); });
  e.respondWith(Promise.race([fresh, late.then(function () { return name ? copyOf(name, path) : null; })]).catch(function () {
    return name ? copyOf(name, path) : null;
  }).then(function (got) {
    return got || fresh.catch(function () { return copyOf("guides", "/offline"); }).then(function (r) { return r || Response.error(); });
  }));
  e.waitUntil(fresh.catch(function () {}));
});

// refresh renews all guides once in a while: in another language, or with a new
// assembly point. The age is that of a copy, because a worker is ended and begun
// again all the time and remembers nothing.
function refresh() {
  return caches.open("guides").then(function (c) { return c.match("/offline"); }).then(function (kept) {
    if (!kept || Date.now() - new Date(kept.headers.get("Date")) > 3600000) return keepGuides();
  });
}

// note keeps a page as it is now, or forgets one that is no more.
function note(name, path, copy, status) {
  return caches.open(name).then(function (c) {
    if (copy) return c.put(path, copy).then(function () {
      if (name === "answers") return trim(c);
      if (path === "/guides" || path === "/me") return refresh();
    });
    if (status === 401 || status === 404) return c.delete(path);
  }).catch(function () {});
}

// copyOf is the kept page, with its age in view.
function copyOf(name, path) {
  return caches.open(name).then(function (c) { return c.match(path); }).then(function (r) {
    return r || caches.match(path);
  }).then(function (r) {
    if (!r || name === "guides") return r;
    return r.text().then(function (text) {
      const lang = /<html lang="en"/.test(text) ? "en" : "id", at = new Date(r.headers.get("Date")).toLocaleString(lang, {dateStyle: "medium", timeStyle: "short"});
      const label = '<p class="net" role="status">' + say(lang).copy + at + "</p>";
      return new Response(text.replace(/<body[^>]*>/, function (tag) { return tag + label; }), {status: 200, headers: r.headers});
    });
  });
}

// trim keeps the newest alerts.
function trim(cache) {
  return cache.keys().then(function (all) {
    return Promise.all(all.slice(0, Math.max(0, all.length - 20)).map(function (k) { return cache.delete(k); }));
  });
}
