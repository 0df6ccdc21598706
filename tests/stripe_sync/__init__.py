"""Tests of the Stripe worker; a failing assertion in a helper shows what it compared."""

import pytest

pytest.register_assert_rewrite("tests.stripe_sync.world", "tests.stripe_sync.crashes")
