"""Customers, meters, products, prices and the portal, and how lists page."""

import pytest
import stripe

from .arrange import customer, meter, metered_price
from .served import Served


class TestCustomers:
    """/v1/customers."""

    def test_create_retrieve_update(self, double: Served, client: stripe.StripeClient) -> None:
        """Metadata is merged, an empty value unsets."""
        cus = customer(client, name="A", email="a@example.com", metadata={"account": "1", "x": "y"})

        client.v1.customers.update(cus, {"name": "B", "email": "", "metadata": {"x": "", "z": "0"}})

        found = client.v1.customers.retrieve(cus)
        assert (found.name, found.email) == ("B", None)
        assert found.metadata.to_dict() == {"account": "1", "z": "0"}

    def test_a_deleted_customer_leaves_a_tombstone(self, double: Served, client: stripe.StripeClient) -> None:
        """It can be retrieved, but not listed, changed or deleted again."""
        cus = customer(client)

        assert client.v1.customers.delete(cus).deleted is True

        assert client.v1.customers.retrieve(cus).deleted is True
        assert client.v1.customers.list().data == []
        for call in (lambda: client.v1.customers.update(cus, {"name": "B"}), lambda: client.v1.customers.delete(cus)):
            with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
                call()

    def test_a_list_pages_both_ways_newest_first(self, double: Served, client: stripe.StripeClient) -> None:
        """By starting_after and by ending_before; auto-paging sees each one once."""
        newest_first = [customer(client, name=str(number)) for number in range(5)][::-1]

        page = client.v1.customers.list({"limit": 2})
        assert ([each.id for each in page.data], page.has_more) == (newest_first[:2], True)
        page = client.v1.customers.list({"limit": 3, "starting_after": newest_first[1]})
        assert ([each.id for each in page.data], page.has_more) == (newest_first[2:], False)
        page = client.v1.customers.list({"limit": 2, "ending_before": newest_first[3]})
        assert ([each.id for each in page.data], page.has_more) == (newest_first[1:3], True)
        paged = client.v1.customers.list({"limit": 2}).auto_paging_iter()
        assert [each.id for each in paged] == newest_first

    def test_a_list_can_be_of_one_address(self, double: Served, client: stripe.StripeClient) -> None:
        """The filter is exact."""
        customer(client, email="a@example.com")
        wanted = customer(client, email="b@example.com")

        assert [each.id for each in client.v1.customers.list({"email": "b@example.com"}).data] == [wanted]

    def test_an_unknown_cursor_is_refused(self, double: Served, client: stripe.StripeClient) -> None:
        """400 resource_missing."""
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.customers.list({"starting_after": "cus_x"})
        assert (caught.value.http_status, caught.value.code) == (400, "resource_missing")


class TestMeters:
    """/v1/billing/meters."""

    def test_defaults(self, double: Served, client: stripe.StripeClient) -> None:
        """The payload keys that Stripe documents, active, without a window."""
        found = client.v1.billing.meters.retrieve(meter(client))

        assert found.customer_mapping.event_payload_key == "stripe_customer_id"
        assert found.value_settings.event_payload_key == "value"
        assert (found.status, found.event_time_window, found.default_aggregation.formula) == ("active", None, "sum")

    def test_one_active_meter_per_event_name(self, double: Served, client: stripe.StripeClient) -> None:
        """A second is refused on creation and on reactivation."""
        first = meter(client)
        with pytest.raises(stripe.InvalidRequestError, match="already exists"):
            meter(client)

        client.v1.billing.meters.deactivate(first)
        meter(client)
        with pytest.raises(stripe.InvalidRequestError, match="already exists"):
            client.v1.billing.meters.reactivate(first)

    def test_deactivate_and_reactivate(self, double: Served, client: stripe.StripeClient) -> None:
        """The transition has its time, and can't be made twice."""
        mtr = meter(client)

        assert client.v1.billing.meters.deactivate(mtr).status_transitions.deactivated_at is not None
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.billing.meters.deactivate(mtr)
        assert client.v1.billing.meters.reactivate(mtr).status == "active"
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.billing.meters.reactivate(mtr)

    def test_list_by_status_and_rename(self, double: Served, client: stripe.StripeClient) -> None:
        """What was archived is listed as inactive."""
        first, second = meter(client, "one"), meter(client, "two")
        client.v1.billing.meters.deactivate(first)
        client.v1.billing.meters.update(second, {"display_name": "Renamed"})

        assert [each.id for each in client.v1.billing.meters.list({"status": "inactive"}).data] == [first]
        (active,) = client.v1.billing.meters.list({"status": "active"}).data
        assert active.display_name == "Renamed"


class TestPrices:
    """/v1/products and /v1/prices."""

    def test_a_metered_price_names_its_meter(self, double: Served, client: stripe.StripeClient) -> None:
        """With a decimal amount."""
        price = client.v1.prices.retrieve(metered_price(client))

        assert (price.recurring.usage_type, price.type) == ("metered", "recurring")
        assert (price.unit_amount, str(price.unit_amount_decimal)) == (None, "0.75")
        client.v1.billing.meters.retrieve(price.recurring.meter)
        assert client.v1.products.retrieve(price.product).name == "Telephony"
        assert [each.id for each in client.v1.prices.list({"product": price.product}).data] == [price.id]
        assert [each.id for each in client.v1.products.list({"active": True}).data] == [price.product]

    @pytest.mark.parametrize(
        "recurring",
        [
            {"interval": "month", "usage_type": "metered"},
            {"interval": "month", "usage_type": "metered", "meter": "mtr_x"},
            {"interval": "month", "usage_type": "licensed", "meter": "mtr_x"},
        ],
    )
    def test_a_wrong_meter_is_refused(
        self, recurring: dict[str, str], double: Served, client: stripe.StripeClient
    ) -> None:
        """None, an unknown one, or one for a licensed price."""
        product = client.v1.products.create({"name": "Telephony"}).id
        params = {"currency": "usd", "product": product, "unit_amount": 100, "recurring": recurring}

        with pytest.raises(stripe.InvalidRequestError):
            client.v1.prices.create(params)

    def test_an_amount_is_needed_once(self, double: Served, client: stripe.StripeClient) -> None:
        """Neither none nor two; a product must exist and its chosen id be free."""
        product = client.v1.products.create({"name": "Telephony", "id": "telephony"}).id
        for amounts in ({}, {"unit_amount": 1, "unit_amount_decimal": "1"}):
            with pytest.raises(stripe.InvalidRequestError, match="exactly one"):
                client.v1.prices.create({"currency": "usd", "product": product, **amounts})
        with pytest.raises(stripe.InvalidRequestError, match="No such product"):
            client.v1.prices.create({"currency": "usd", "product": "other", "unit_amount": 1})
        with pytest.raises(stripe.InvalidRequestError, match="already exists"):
            client.v1.products.create({"name": "Telephony", "id": "telephony"})


class TestPortal:
    """/v1/billing_portal."""

    def test_each_session_has_a_fresh_url(self, double: Served, client: stripe.StripeClient) -> None:
        """In the default configuration."""
        params = {"customer": customer(client), "return_url": "https://example.com/billing"}

        sessions = [client.v1.billing_portal.sessions.create(params) for _ in range(2)]

        assert sessions[0].url != sessions[1].url
        assert all(each.url.startswith("https://billing.stripe.com/p/session/") for each in sessions)
        assert sessions[0].return_url == "https://example.com/billing"
        (default,) = client.v1.billing_portal.configurations.list({"is_default": True}).data
        assert {each.configuration for each in sessions} == {default.id}

    def test_the_customer_must_exist(self, double: Served, client: stripe.StripeClient) -> None:
        """400 resource_missing, for a deleted one too."""
        deleted = customer(client)
        client.v1.customers.delete(deleted)
        for cus in ("cus_x", deleted):
            with pytest.raises(stripe.InvalidRequestError) as caught:
                client.v1.billing_portal.sessions.create({"customer": cus})
            assert (caught.value.http_status, caught.value.code) == (400, "resource_missing")

    def test_a_return_url_is_a_url(self, double: Served, client: stripe.StripeClient) -> None:
        """400 url_invalid."""
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.billing_portal.sessions.create({"customer": customer(client), "return_url": "home"})
        assert caught.value.code == "url_invalid"
