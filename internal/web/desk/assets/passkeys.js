// Passkeys: asks the server what to ask the authenticator, and sends its answer back.
// Without this script, or without passkeys in the browser, the password works: what
// needs it is hidden until it is here.
"use strict";
(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  // read makes what browsers take of what JSON can say.
  function read(options) {
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    for (const list of [options.excludeCredentials, options.allowCredentials]) {
      for (const entry of list ?? []) entry.id = bytes(entry.id);
    }
    return options;
  }

  // write makes JSON of what browsers give.
  function write(credential) {
    const from = credential.response, response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (from[name]) response[name] = text(from[name]);
    }
    if (from.getTransports) response.transports = from.getTransports();
    return {
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      authenticatorAttachment: credential.authenticatorAttachment ?? undefined, clientExtensionResults: {},
    };
  }

  async function post(address, body) {
    const answer = await fetch(address, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), redirect: "error", cache: "no-store",
    });
    if (answer.headers.get("Content-Type") !== "application/json") {
      if (answer.status === 401 || answer.status === 404) location.reload(); // signed out, or a link that is used up
      throw new Error("The server could not be asked. Try again.");
    }
    const said = await answer.json();
    if (said.problem) throw new Error(said.problem);
    return said;
  }

  // words are for what browsers throw.
  function words(error) {
    switch (error.name) {
      case "NotAllowedError": return "Nothing was done: it was cancelled, or there is no passkey for this site here.";
      case "InvalidStateError": return "There is a passkey of yours on this device already.";
      case "TypeError": return "The server could not be reached. Try again.";
    }
    return error.message;
  }

  for (const place of document.querySelectorAll("[data-passkey]")) {
    const button = place.querySelector("button"), problem = place.querySelector("[role=alert]");
    const field = (name) => place.dataset[name] ? document.getElementById(place.dataset[name]) : null;
    place.hidden = false;
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      const named = field("named");
      if (named && !named.reportValidity()) return;
      problem.hidden = true;
      button.disabled = true;
      try {
        const { publicKey } = await post(place.dataset.ask, {});
        const credential = await navigator.credentials[place.dataset.passkey]({ publicKey: read(publicKey) });
        const { to } = await post(place.dataset.answer, {
          credential: write(credential), name: named?.value ?? "", next: field("next")?.value ?? "",
        });
        location.assign(to);
      } catch (error) {
        problem.textContent = words(error);
        problem.hidden = false;
        button.disabled = false;
      }
    });
  }
})();
