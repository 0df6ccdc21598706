"""The kinds of object that the double keeps: Stripe's `object` values."""

CORE_EVENT = "v2.core.event"
CUSTOMER = "customer"
METER = "billing.meter"
PORTAL_CONFIGURATION = "billing_portal.configuration"
PRICE = "price"
PRODUCT = "product"
SUBSCRIPTION = "subscription"
