// The way to Stripe: a link is asked for when it is wanted, since it lasts for minutes only.

import { Action } from "./action.js";
import { byId } from "./element.js";

const ERRORS = {
  no_stripe_customer: "Billing isn’t set up for your account yet, so there are no invoices. Usage is counted all the same.",
  portal_not_configured: "The billing portal isn’t available here yet. Contact support for your invoices.",
  stripe_unavailable: "Stripe can’t open the portal at the moment. Try again in a few seconds.",
  not_ready: "Your account is being read in at the moment. Try again in a few seconds.",
  unreachable: "The server can’t be reached. Check your connection and try again.",
};

/** Makes the button lead to Stripe. */
export function offerPortal(client, signedOut) {
  const act = async () => location.assign(webAddress((await client.fresh("/api/billing/portal")).url));
  const otherwise = "The portal can’t be opened at the moment. Try again in a few seconds.";
  new Action(byId("portal"), byId("portal-error"), { act, errors: ERRORS, otherwise, signedOut });
}

/** Throws unless it is a page of the web: nothing that is told from outside becomes a script. */
function webAddress(text) {
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol)) throw new TypeError(`not a web address: ${url.protocol}`);
  return url;
}
