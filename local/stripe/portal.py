"""The customer portal: /v1/billing_portal/sessions and /v1/billing_portal/configurations."""

from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, TypeAdapter, ValidationError

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError
from local.stripe.kinds import CUSTOMER, PORTAL_CONFIGURATION
from local.stripe.objects import Page
from local.stripe.parameters import Params, Text

_CONFIGURATIONS = "/v1/billing_portal/configurations"
_URL = TypeAdapter(AnyHttpUrl)


class SessionCreate(Params):
    """The portal's customer, its configuration (default: the default one), and the address to return to."""

    customer: Text
    configuration: Text | None = None
    locale: Literal["auto", "de", "en", "es", "fr", "it", "ja", "nl", "pt"] | None = None
    return_url: Annotated[str, Field(min_length=1, max_length=5000)] | None = None


class ConfigurationList(Page):
    """A page, of (in)active or of (non-)default ones if asked for."""

    active: bool | None = None
    is_default: bool | None = None


def create_session(call: Call, params: SessionCreate) -> Json:
    """Returns a portal session with a new URL."""
    call.objects.referred(CUSTOMER, params.customer, param="customer")
    _check_url(params.return_url)
    if params.configuration is not None:
        call.objects.referred(PORTAL_CONFIGURATION, params.configuration, param="configuration")
    configuration = params.configuration or _default_configuration(call)["id"]
    mode = "live" if call.livemode else "test"
    return {
        "id": call.new_id("bps"),
        "object": "billing_portal.session",
        "configuration": configuration,
        "created": call.now,
        "customer": params.customer,
        "customer_account": None,
        "flow": None,
        "livemode": call.livemode,
        "locale": params.locale,
        "on_behalf_of": None,
        "return_url": params.return_url,
        "url": f"https://billing.stripe.com/p/session/{mode}_{call.token(64)}",
    }


def list_configurations(call: Call, params: ConfigurationList) -> Json:
    """Returns a page of configurations. The default one is made when first needed, unless the portal is not set up."""
    if call.settings.portal_configured:
        _default_configuration(call)
    asked = params.model_dump(include={"active", "is_default"}, exclude_none=True)
    return call.objects.page(
        PORTAL_CONFIGURATION, params, _CONFIGURATIONS, wanted=lambda body: asked.items() <= body.items()
    )


def _check_url(url: str | None) -> None:
    try:
        if url is not None:
            _URL.validate_python(url)
    except ValidationError:
        raise StripeError("Not a valid URL", code="url_invalid", param="return_url") from None


def _default_configuration(call: Call) -> Json:
    if not call.settings.portal_configured:
        mode = "live" if call.livemode else "test"
        message = (
            f"No configuration provided and your {mode} mode default configuration has not been created. Provide a "
            "configuration or create your default by saving your customer portal settings in "
            f"{mode} mode at https://dashboard.stripe.com/test/settings/billing/portal."
        )
        raise StripeError(message)
    present = next(call.objects.every(PORTAL_CONFIGURATION), None)
    if present is not None:
        return present
    return call.objects.add(
        {
            "id": call.new_id("bpc"),
            "object": PORTAL_CONFIGURATION,
            "active": True,
            "application": None,
            "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
            "created": call.now,
            "default_return_url": None,
            "features": _FEATURES,
            "is_default": True,
            "livemode": call.livemode,
            "login_page": {"enabled": False, "url": None},
            "metadata": {},
            "name": None,
            "updated": call.now,
        }
    )


_FEATURES: Json = {
    "customer_update": {"allowed_updates": ["email", "tax_id"], "enabled": True},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True, "payment_method_configuration": None},
    "subscription_cancel": {
        "cancellation_reason": {"enabled": False, "feedback_options": None, "options": ["too_expensive", "other"]},
        "enabled": False,
        "mode": "at_period_end",
        "proration_behavior": "none",
    },
    "subscription_update": {
        "billing_cycle_anchor": None,
        "default_allowed_updates": [],
        "enabled": False,
        "products": None,
        "proration_behavior": "none",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "end_trial",
    },
}

ENDPOINTS = (
    Endpoint("POST", "/v1/billing_portal/sessions", SessionCreate, create_session),
    Endpoint("GET", _CONFIGURATIONS, ConfigurationList, list_configurations),
)
