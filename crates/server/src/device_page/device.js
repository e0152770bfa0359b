// Lets a command line in: finds out who is signed in, signs in, confirms the code. Nothing of the
// address is shown but as the value of the field for the code.
"use strict";

const element = (id) => document.getElementById(id);
const message = element("message");
const loginForm = element("login-form");
const confirmForm = element("confirm-form");

/** Says how it is; `kind` is "good", "bad" or nothing. */
function say(text, kind = "") {
  message.className = `message ${kind}`;
  message.textContent = text;
}

function csrfToken() {
  const pair = document.cookie.split("; ").find((pair) => pair.startsWith("tilde_csrf="));
  return pair ? pair.slice("tilde_csrf=".length) : "";
}

/** The answer of the API, its body decoded; `status` 0 where the server cannot be reached. */
async function call(method, path, body) {
  const headers = { "X-CSRF-Token": csrfToken() };
  const init = { method, headers, credentials: "same-origin", redirect: "error" };
  if (body) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(`/api/v1${path}`, init);
    const answer = await response.json().catch(() => ({}));
    return { status: response.status, retry: response.headers.get("Retry-After"), body: answer };
  } catch {
    return { status: 0, retry: null, body: {} };
  }
}

/** A sentence for an answer that is not what was hoped for. */
function sentence(answer) {
  if (answer.status === 0) return "The server cannot be reached. Try again.";
  if (answer.status === 429) {
    const minutes = Math.ceil(Number(answer.retry || 60) / 60);
    return `Too many attempts. Try again in ${minutes === 1 ? "a minute" : `${minutes} minutes`}.`;
  }
  if (answer.status >= 500) return "The server cannot do this now. Try again later.";
  const text = answer.body.message || "This did not work.";
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function showLogin() {
  confirmForm.hidden = true;
  loginForm.hidden = false;
  element("login").focus();
}

function showConfirm(user) {
  loginForm.hidden = true;
  confirmForm.hidden = false;
  element("user").textContent = user.username;
  // Not the button: the code is to be compared first, also where the address brought it.
  element("code").focus();
}

/** Runs `work` once at a time: the form's buttons rest meanwhile. */
async function busy(form, work) {
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => { button.disabled = true; });
  try {
    await work();
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
}

async function logIn() {
  const [login, password] = [element("login"), element("password")];
  const answer = await call("POST", "/auth/login", { login: login.value, password: password.value });
  password.value = "";
  if (answer.status === 200) {
    say("");
    return showConfirm(answer.body.user);
  }
  say(answer.status === 401 ? "Username or password is wrong." : sentence(answer), "bad");
  password.focus();
}

async function confirmCode() {
  const code = element("code");
  const answer = await call("POST", "/auth/device/confirm", { user_code: code.value.trim() });
  if (answer.status === 200) {
    confirmForm.hidden = true;
    say("Done: the command line is let in. You can close this page.", "good");
    message.focus();
  } else if (answer.status === 401) {
    say("You have been signed out meanwhile. Sign in again.", "bad");
    showLogin();
  } else if (answer.status === 404) {
    say("No device waits with this code. Compare it with the one that the command line shows; " +
      "codes expire after 15 minutes, then start again there.", "bad");
    code.focus();
  } else {
    say(sentence(answer), "bad");
  }
}

async function logOut() {
  const answer = await call("POST", "/auth/logout");
  if (answer.status !== 204 && answer.status !== 401) return say(sentence(answer), "bad");
  say("You are signed out.");
  showLogin();
}

function on(form, work) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(form, work);
  });
}

async function start() {
  element("code").value = (new URLSearchParams(location.search).get("user_code") || "").slice(0, 32);
  on(loginForm, logIn);
  on(confirmForm, confirmCode);
  element("logout").addEventListener("click", () => busy(confirmForm, logOut));
  const me = await call("GET", "/auth/me");
  if (me.status === 200) showConfirm(me.body.user);
  else if (me.status === 401) showLogin();
  else say(sentence(me), "bad");
}

start();
