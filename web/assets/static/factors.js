// The second factor: passkeys (WebAuthn), codes that are sent, recovery codes. Without
// this script a code of an app is typed, and all else stays hidden.
"use strict";

(function () {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  // What the form says, without passwords and codes.
  function plain(form) {
    const data = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      const field = form.elements[name];
      if (!(field && (field.type === "password" || field.classList && field.classList.contains("code")))) data.append(name, value);
    }
    return data;
  }

  async function ask(address, form) {
    const answer = await fetch(address, { method: "POST", body: plain(form), credentials: "same-origin", headers: { Accept: "application/json" } });
    const said = await answer.json();
    if (!answer.ok) throw new Error([said.title, said.detail].filter(Boolean).join(". "));
    return said;
  }

  const listed = (list) => (list || []).map((c) => Object.assign({}, c, { id: bytes(c.id) }));

  // What the browser answers, as WebAuthn Level 3 §5.1 (toJSON) writes it.
  function written(credential) {
    const r = credential.response, response = { clientDataJSON: text(r.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (r[name]) response[name] = text(r[name]);
    }
    if (r.getTransports) response.transports = r.getTransports();
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      authenticatorAttachment: credential.authenticatorAttachment || undefined, clientExtensionResults: credential.getClientExtensionResults() });
  }

  async function register(form) {
    const o = (await ask(form.dataset.register, form)).options;
    const publicKey = Object.assign({}, o, { challenge: bytes(o.challenge), user: Object.assign({}, o.user, { id: bytes(o.user.id) }),
      excludeCredentials: listed(o.excludeCredentials) });
    form.elements.registration.value = written(await navigator.credentials.create({ publicKey }));
  }

  async function prove(box, form) {
    const o = (await ask(box.dataset.challenge, form)).options;
    const publicKey = Object.assign({}, o, { challenge: bytes(o.challenge), allowCredentials: listed(o.allowCredentials) });
    form.elements.passkey.value = written(await navigator.credentials.get({ publicKey }));
  }

  document.querySelectorAll(".second-factor").forEach((box) => {
    const form = box.closest("form"), status = box.querySelector(".factor-status"), code = box.querySelector("input.code");
    const others = box.querySelector(".other-factors"), wanting = form.dataset.register;
    const can = !!(window.PublicKeyCredential && navigator.credentials);
    if (others) others.hidden = false;
    box.querySelectorAll("[data-use=passkey]").forEach((b) => { b.hidden = !can; });

    async function working(what) {
      status.textContent = box.dataset.asking;
      try {
        await what();
      } catch (e) {
        form.elements.passkey && (form.elements.passkey.value = "");
        code.required = true;
        status.textContent = e.name === "Error" && e.message ? e.message : box.dataset.failed;
      }
    }

    box.addEventListener("click", (e) => {
      const use = e.target.dataset && e.target.dataset.use;
      if (use === "recovery") {
        code.inputMode = "text";
        code.autocomplete = "off";
        code.classList.add("wide");
        box.querySelector("label").textContent = box.dataset.recovery;
        box.querySelector(".field .help").textContent = box.dataset.recoveryHelp;
        e.target.hidden = true;
        code.focus();
      } else if (use === "send") {
        const who = form.elements.username; // where nobody is signed in
        if (who && who.type !== "hidden" && !who.reportValidity()) return;
        working(async () => {
          await ask(box.dataset.send, form);
          status.textContent = box.dataset.sent;
          code.focus();
        });
      } else if (use === "passkey") {
        code.required = false;
        if (!form.reportValidity()) {
          code.required = true;
          return;
        }
        working(async () => {
          if (wanting && !form.elements.registration.value) await register(form);
          await prove(box, form);
          code.value = "";
          status.textContent = box.dataset.signed;
          form.requestSubmit();
        });
      }
    });

    // A passkey is made before its form goes.
    if (wanting) form.addEventListener("submit", (e) => {
      if (form.elements.registration.value) return;
      e.preventDefault();
      e.stopImmediatePropagation();
      working(async () => {
        await register(form);
        form.requestSubmit();
      });
    }, true);
  });

  document.querySelectorAll("[data-print]").forEach((b) => {
    b.hidden = false;
    b.addEventListener("click", () => window.print());
  });
})();
