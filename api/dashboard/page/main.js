// Wires the page: signed out or signed in. From one customer to the next it is loaded anew, so that nothing stays.

import { Action } from "./action.js";
import { Billing } from "./billing.js";
import { Client, Problem } from "./client.js";
import { offerCsv } from "./csv.js";
import { byId, say } from "./element.js";
import { offerPortal } from "./portal.js";
import { Refresh } from "./refresh.js";
import { SignIn } from "./sign_in.js";
import { readSummary } from "./summary.js";

let led = problemInAddress();
const client = new Client();
const billing = new Billing(() => client.now());
const refresh = new Refresh(load);
const signIn = new SignIn((key) => client.signIn(key), () => refresh.start());
let account = null; // who is signed in, once that is known

async function load(current) {
  try {
    const who = await client.fresh("/dashboard/session");
    if (!current()) return;
    if (account && account !== who.account) return leave(); // somebody else signed in, in another tab
    account = who.account;
    open();
    const summary = await readSummary(client);
    if (current()) billing.show(summary);
  } catch (problem) {
    if (!(problem instanceof Problem)) console.error(problem); // a fault of this page
    if (current()) fail(problem);
    throw problem;
  }
}

function fail(problem) {
  if (!problem.signedOut) {
    open();
    billing.trouble(problem);
  } else if (account) {
    leave("?problem=invalid_session");
  } else {
    refresh.stop();
    document.title = "Sign in to billing";
    signIn.show(led ?? problem);
    led = null;
  }
}

function open() {
  say(byId("account"), account ?? "");
  if (!byId("billing").hidden) return;
  signIn.hide();
  byId("who").hidden = byId("billing").hidden = byId("footer").hidden = false;
  document.title = "Usage and billing";
  byId("billing-title").focus();
}

function leave(why = "") {
  refresh.stop();
  location.replace(location.pathname + why);
}

/** What an earlier page, or a form that was sent before this script ran, led here with. It is told once. */
function problemInAddress() {
  const code = new URLSearchParams(location.search).get("problem");
  if (code) history.replaceState(null, "", location.pathname);
  return code && new Problem(code);
}

offerPortal(client, fail);
offerCsv(client, () => billing.dailyPath(), fail);
new Action(byId("sign-out"), byId("sign-out-error"), {
  act: async () => {
    await client.signOut();
    leave();
  },
  otherwise: "You are still signed in: signing out failed. Try again in a few seconds.",
  signedOut: fail,
});
refresh.start();
