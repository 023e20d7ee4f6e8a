// What a browser can tell about the page it shows. Every function returns what is
// wrong, one line for each fault; nothing is changed for good.
window.checks = (function () {
  "use strict";
  const all = (css, under) => Array.from((under || document).querySelectorAll(css));
  const seen = (e) => e.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true}) && e.getBoundingClientRect().width > 0;
  const hiddenForEyes = (e) => { const r = e.getBoundingClientRect(); return r.width <= 1 && r.height <= 1; };
  const words = (e) => String(e.innerText || e.value || e.getAttribute("aria-label") || "").trim().replace(/\s+/g, " ").slice(0, 40);
  const call = (e) => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (e.className && e.className.baseVal === undefined ? "." + e.className.trim().replace(/\s+/g, ".") : "") + ' "' + words(e) + '"';
  const sheet = new CSSStyleSheet();

  // wearing applies a style that a reader may have, for the time of one check.
  function wearing(css, check) {
    sheet.replaceSync(css);
    document.adoptedStyleSheets = [sheet];
    try { return check(); } finally { document.adoptedStyleSheets = []; }
  }

  function scrolls(e) {
    for (let p = e; p && p !== document.body; p = p.parentElement) {
      const o = getComputedStyle(p).overflowX;
      if (o === "auto" || o === "scroll" || o === "hidden") return true;
    }
    return false;
  }

  function sideways() {
    const width = innerWidth, wide = document.documentElement.scrollWidth;
    if (wide <= width) return [];
    const out = all("body *").filter((e) => { const r = e.getBoundingClientRect(); return r.width > 0 && (r.right > width + 1 || r.left < -1) && !scrolls(e); });
    const inner = out.filter((e) => !out.some((o) => o !== e && e.contains(o)));
    return ["is " + wide + " px wide on " + width + ": " + inner.slice(0, 3).map(call).join("; ")];
  }

  // cut lists controls whose words do not fit into them.
  function cut() {
    const out = [];
    for (const e of all(".btn,button,.tag,.chip,.tile,.pick,.face,summary,legend,label,h1,h2,h3,th,td,dt,dd,.sev p")) {
      if (!seen(e) || hiddenForEyes(e) || e.closest(".vh")) continue;
      const r = e.getBoundingClientRect(), range = document.createRange(), clips = ["hidden", "clip"].includes(getComputedStyle(e).overflowX);
      const walk = document.createTreeWalker(e, NodeFilter.SHOW_TEXT, (n) => n.parentElement.closest(".vh") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
      let bad = false;
      for (let n = walk.nextNode(); n && !bad; n = walk.nextNode()) {
        range.selectNodeContents(n);
        bad = Array.from(range.getClientRects()).some((c) => c.width > 1 && (c.right > r.right + 1.5 || c.left < r.left - 1.5 || (clips && c.bottom > r.bottom + 1.5)));
      }
      if (bad) out.push(call(e) + " does not hold its words");
    }
    return out;
  }

  const bigText = "html{font-size:200%!important}";
  const wideText = "*{line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important}p{margin-bottom:2em!important}";

  // reflow: WCAG 1.4.4, 1.4.10 and 1.4.12, and right to left.
  function reflow() {
    const out = [], note = (how, faults) => faults.forEach((f) => out.push(how + ": " + f));
    note("plain", sideways());
    note("text at 200 %", wearing(bigText, sideways));
    note("wide text", wearing(wideText, () => sideways().concat(cut())));
    document.documentElement.dir = "rtl";
    note("right to left", sideways());
    document.documentElement.dir = "ltr";
    return out;
  }

  function clipped() {
    const out = cut().map((f) => "left to right: " + f).concat(sideways());
    document.documentElement.dir = "rtl";
    cut().concat(sideways()).forEach((f) => out.push("right to left: " + f));
    document.documentElement.dir = "ltr";
    return out;
  }

  const union = (a, b) => ({width: Math.max(a.right, b.right) - Math.min(a.left, b.left), height: Math.max(a.bottom, b.bottom) - Math.min(a.top, b.top)});

  // targets: WCAG 2.5.8. A link within a sentence may be as high as its line.
  function targets(least) {
    const out = [];
    for (const e of all("a[href],button,input:not([type=hidden]),select,textarea,summary")) {
      if (!seen(e) || hiddenForEyes(e)) continue;
      let r = e.getBoundingClientRect();
      if (e.type === "checkbox" || e.type === "radio") {
        const l = e.closest("label") || document.querySelector('label[for="' + CSS.escape(e.id) + '"]');
        if (l) r = union(r, l.getBoundingClientRect());
      }
      const said = (n) => n.textContent.replace(/\s+/g, "").length;
      const inSentence = e.tagName === "A" && getComputedStyle(e).display === "inline" && said(e.parentElement) > said(e);
      if (!inSentence && (r.width < least - 0.5 || r.height < least - 0.5)) out.push(call(e) + " is " + Math.round(r.width) + " x " + Math.round(r.height) + ", want " + least);
    }
    return out;
  }

  // covered: an icon lies on no text of what it belongs to.
  function covered() {
    const out = [];
    for (const icon of all("svg.i")) {
      if (!seen(icon)) continue;
      const i = icon.getBoundingClientRect(), texts = document.createTreeWalker(icon.parentElement, NodeFilter.SHOW_TEXT);
      for (let t = texts.nextNode(); t; t = texts.nextNode()) {
        if (!t.textContent.trim() || hiddenForEyes(t.parentElement)) continue;
        const r = document.createRange();
        r.selectNodeContents(t);
        for (const b of r.getClientRects()) {
          if (Math.min(i.right, b.right) - Math.max(i.left, b.left) > 2 && Math.min(i.bottom, b.bottom) - Math.max(i.top, b.top) > 2) out.push("an icon lies on “" + t.textContent.trim() + "”");
        }
      }
    }
    return [...new Set(out)];
  }

  // Every English sentence of ours has one of these, and none is an Indonesian word.
  const english = /\b(the|and|is|are|was|of|with|not|your|you|their|they|who|has|have|been|this|that|from|sent|people|answer|answered|nobody)\b/i;

  const key = /\b[a-z_]+\.[a-z_][a-z_.]*\b/;

  // language: the page says its language, and nothing of ours is a key or was left
  // in English.
  function language(want) {
    const out = [];
    if (document.documentElement.lang !== want) out.push("lang is " + document.documentElement.lang);
    for (const a of all("a[hreflang]")) if (a.lang !== a.hreflang) out.push(call(a) + " does not say its own language");
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let n = walk.nextNode(); n; n = walk.nextNode()) {
      if (n.parentElement.closest("script,style,code,.sms,.lock")) continue;
      const m = key.exec(n.data.replace(/\S*\.example\S*/g, "").replace(/\S+\.(csv|xlsx|pdf)\b/g, ""));
      if (m) out.push("untranslated key " + m[0]);
      if (want === "id" && !n.parentElement.closest("[lang=en],.bubble,textarea,option[lang]") && english.test(n.data)) out.push("English in Indonesian: " + n.data.trim().slice(0, 80));
    }
    return out;
  }

  // errors: what went wrong is said first, and leads to the field.
  function errors() {
    const out = [], box = document.getElementById("faults");
    if (!/^(Error:|Kesalahan:)/.test(document.title)) out.push("the title does not start with Error: or Kesalahan: but is " + document.title);
    if (!box) return out.concat("there is no summary of what is wrong");
    if (document.activeElement !== box) out.push("the summary has no focus, but " + call(document.activeElement));
    if (!all("a", box).length) out.push("the summary has no links");
    for (const a of all("a", box)) {
      const field = document.getElementById(decodeURIComponent(a.hash.slice(1)));
      if (!field) { out.push(call(a) + " leads nowhere: " + a.hash); continue; }
      a.click();
      const inField = field === document.activeElement || field.contains(document.activeElement);
      if (!inField) { out.push(call(a) + " does not move the focus to " + call(field)); continue; }
      if (document.activeElement.tagName === "BUTTON") continue; // the act itself was refused
      const e = document.activeElement, by = (e.getAttribute("aria-describedby") || (e.closest("fieldset[aria-describedby]") || e).getAttribute("aria-describedby") || "").split(/\s+/);
      if (!by.some((id) => { const d = id && document.getElementById(id); return d && (d.classList.contains("fault") || d === box); })) out.push(call(e) + " is not described by what is wrong with it");
    }
    box.focus();
    return out;
  }

  // under reports whether the number of a tile lies under its mark.
  function under(e) {
    const mark = e.querySelector("svg"), range = document.createRange();
    range.selectNodeContents(e.querySelector("b"));
    const a = mark && mark.getBoundingClientRect(), b = range.getBoundingClientRect();
    return mark && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  }

  // marks: colour is never alone.
  function marks() {
    return all(".tag[class*=tag-]").filter((e) => !e.closest(".tasks")).filter((e) => !/^[!\u2713~ox\u2013] ?\s*\S{2,}/.test(e.textContent.trim())).map((e) => call(e) + " lacks a mark or a word")
      .concat(all(".tile").filter((e) => !e.querySelector("svg") && !/[!\u2713~ox\u2013]/.test(e.textContent)).map((e) => call(e) + " lacks a mark"))
      .concat(all("a.tile").filter(under).map((e) => call(e) + " has its mark over its number"));
  }

  // borders: in forced colours backgrounds are gone.
  function borders() {
    return all(".tag,.tile,svg.bar,.btn,.chip,.face").filter(seen).filter((e) => {
      const s = getComputedStyle(e);
      return s.borderTopStyle === "none" || parseFloat(s.borderTopWidth) < 1;
    }).map((e) => call(e) + " has no border");
  }

  // printed: names, numbers and states on white, nothing to press.
  function printed() {
    const out = all("button,.btn,nav,form.tools,.net,.skip,summary,video").filter(seen).filter((e) => !hiddenForEyes(e)).map((e) => call(e) + " is printed");
    const s = getComputedStyle(document.body);
    if (s.backgroundColor !== "rgb(255, 255, 255)") out.push("the paper is " + s.backgroundColor);
    for (const e of all("main h1,main h2,main p,main th,main td,.sev h1,.sev p,.tag,.tile,.hint").filter(seen)) {
      const c = getComputedStyle(e).color, [r, g, b] = c.match(/[\d.]+/g).map(Number);
      if (Math.max(r, g, b) > 110) { out.push(call(e) + " is printed in " + c); break; }
    }
    for (const row of all("table.people tbody tr")) {
      const head = row.querySelector("th");
      if (!seen(head) || !row.querySelector(".tag")) { out.push("a person is printed without name or state"); break; }
      if (!/\u2610/.test(getComputedStyle(head, "::before").content)) { out.push("there is no empty box before a name"); break; }
      if (!/\+?\d[\d -]{5,}/.test(row.innerText) && row.querySelector("a[href^='tel:']")) { out.push("a person is printed without their number"); break; }
    }
    return out;
  }

  // tabbable lists what the Tab key must reach.
  let wanted = [], met = new Set(), hurt = [];
  function tabbable() {
    const groups = new Set();
    return all("a[href],button,input:not([type=hidden]),select,textarea,summary,[tabindex='0']").filter((e) => {
      if (e.disabled || !e.checkVisibility({visibilityProperty: true})) return false;
      if (e.type !== "radio") return true;
      const g = e.name + "|" + (e.form && e.form.action), on = e.form && Array.from(e.form.elements).some((o) => o.type === "radio" && o.name === e.name && o.checked);
      if (on) return e.checked;
      if (groups.has(g)) return false;
      groups.add(g);
      return true;
    });
  }
  function look() {
    const e = document.activeElement;
    if (!e || e === document.body || met.has(e)) return;
    met.add(e);
    const s = getComputedStyle(e), face = e.closest("label") && e.closest("label").querySelector(".face"), f = face && getComputedStyle(face);
    const ring = (c) => c && c.outlineStyle !== "none" && parseFloat(c.outlineWidth) >= 2;
    if (!ring(s) && !ring(f)) hurt.push(call(e) + " shows no focus");
    const r = e.getBoundingClientRect();
    for (const h of all("header,.sticky,.top,.acts")) {
      const hs = getComputedStyle(h);
      if ((hs.position !== "sticky" && hs.position !== "fixed") || h.contains(e)) continue;
      const on = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
      if (on && on !== e && h.contains(on) && !e.contains(on)) hurt.push(call(e) + " lies under " + call(h));
    }
    if (r.height > 1 && (r.bottom < 0 || r.top > innerHeight)) hurt.push(call(e) + " has the focus out of sight");
  }
  function startTabbing() {
    wanted = tabbable(); met = new Set(); hurt = [];
    document.addEventListener("keydown", look, true);
    scrollTo(0, 0);
    if (wanted[0]) wanted[0].focus();
    // A field for a date is four stops: day, month, year and the calendar.
    return wanted.length + 3 * all("input[type=date]").length;
  }
  function endTabbing() {
    look();
    document.removeEventListener("keydown", look, true);
    return hurt.concat(wanted.filter((e) => !met.has(e)).map((e) => call(e) + " is not reached by Tab"));
  }

  // settled looks at a page whose bars do not float: what they cover can be scrolled.
  async function settled(check) {
    const floats = all("*").filter((e) => ["sticky", "fixed"].includes(getComputedStyle(e).position));
    floats.forEach((e) => { e.style.position = "static"; });
    try { return await check(); } finally { floats.forEach((e) => { e.style.position = ""; }); }
  }

  // kinds lists one element of each look, with where it is on the page. What was
  // scrolled out at the side is no picture; another page has it in view.
  function kinds(css) {
    const known = new Set(), out = [];
    for (const e of all(css)) {
      const k = e.tagName + "." + e.className, r = e.getBoundingClientRect();
      if (known.has(k) || !seen(e) || r.width < 8 || r.left < 0 || e.closest("details:not([open])")) continue;
      known.add(k);
      out.push({kind: k, name: call(e), index: all(css).indexOf(e), x: r.left + scrollX, y: r.top + scrollY, width: r.width, height: r.height, large: parseFloat(getComputedStyle(e).fontSize) >= 24});
    }
    return out;
  }

  return {settled, reflow, clipped, targets, covered, language, errors, marks, borders, printed, startTabbing, endTabbing, kinds, sideways, cut, focusOn(css, i) { all(css)[i].focus({preventScroll: true}); }};
})();
