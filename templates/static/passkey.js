// Passkeys: sign in with one, or make one. Without this script, or without
// passkeys in the browser, the page offers a password instead.
(function () {
  var d = document, box = d.getElementById("passkey");
  if (!box || !window.PublicKeyCredential || !navigator.credentials) return;
  var base = box.getAttribute("data-base"), makes = box.hasAttribute("data-new"), said = d.getElementById("pst");
  box.hidden = false;

  // The server speaks base64url, the browser wants bytes.
  function bytes(s) {
    s = atob(s.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(s, function (c) { return c.charCodeAt(0); });
  }
  function text(b) {
    return btoa(String.fromCharCode.apply(null, new Uint8Array(b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  }
  function named(list) { return (list || []).map(function (c) { return Object.assign({}, c, {id: bytes(c.id)}); }); }

  function post(path, body) {
    return fetch(path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body || {})}).then(function (r) {
      if (!r.ok) throw new Error(r.status);
      return r.status === 204 ? null : r.json();
    });
  }
  function ask(asked) {
    var o = asked.options.publicKey;
    o.challenge = bytes(o.challenge);
    if (!makes) {
      o.allowCredentials = named(o.allowCredentials);
      return navigator.credentials.get({publicKey: o});
    }
    o.user.id = bytes(o.user.id);
    o.excludeCredentials = named(o.excludeCredentials);
    return navigator.credentials.create({publicKey: o});
  }
  function reply(c) {
    var r = c.response, out = {id: c.id, rawId: text(c.rawId), type: c.type, clientExtensionResults: c.getClientExtensionResults(), response: {clientDataJSON: text(r.clientDataJSON)}};
    if (makes) {
      out.response.attestationObject = text(r.attestationObject);
      if (r.getTransports) out.response.transports = r.getTransports();
    } else {
      out.response.authenticatorData = text(r.authenticatorData);
      out.response.signature = text(r.signature);
      if (r.userHandle) out.response.userHandle = text(r.userHandle);
    }
    return out;
  }
  box.querySelector("button").onclick = function () {
    said.textContent = said.getAttribute("data-wait");
    var state;
    post(base + "/ask").then(function (asked) { state = asked.state; return ask(asked); }).then(function (c) {
      return post(base, {state: state, response: reply(c)});
    }).then(function () {
      // The form of the page knows where to go on.
      var form = d.getElementById(box.getAttribute("data-form"));
      if (form) form.submit(); else location.href = box.getAttribute("data-next");
    }).catch(function (e) {
      said.textContent = said.getAttribute(e && e.name === "NotAllowedError" ? "data-none" : "data-failed");
    });
  };
})();
