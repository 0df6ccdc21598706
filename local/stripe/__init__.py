"""A stateful, strict stand-in for the part of Stripe's API that metered billing needs."""
