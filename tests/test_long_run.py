"""The long run: closed forms of the literature, what must rise and fall, and what buy till you die says of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from loyalty.btyd import BetaGeometricNBD, BuyTillYouDie, ParetoNBD
from loyalty.models.long_run import lifetime_value, rate_per_period, relative_purchases

shares = st.floats(0, 1)
rates = st.floats(0.001, 2.0)


def curves(retention, periods=6):
    """Survival with a constant share that stays, one client for each."""
    return np.power.outer(np.asarray(retention, dtype=float), np.arange(1, periods + 1))


@st.composite
def lives(draw, clients=3, periods=5):
    """Curves of survival, spend in each period."""
    survival = np.cumprod(draw(arrays(float, (clients, periods), elements=shares)), axis=1)
    return survival, draw(arrays(float, (clients, periods), elements=st.floats(0, 1e6)))


class TestClosedForms:
    @given(st.floats(0, 0.999), rates, st.floats(0, 1e5), shares, st.integers(1, 40))
    def test_constant_retention_for_ever(self, retention, rate, spend, margin, periods):
        """Gupta, Lehmann and Stuart (2004): m r / (1 + d - r), and m (1 + d) / (1 + d - r) with a payment now."""
        value = {
            paid: lifetime_value(
                curves([retention], periods),
                [spend],
                discount_rate=rate,
                margin=margin,
                paid=paid,
                beyond="last retention",
            )[0]
            for paid in ("end", "middle", "start")
        }
        kept = margin * spend
        assert value["end"] == pytest.approx(kept * retention / (1 + rate - retention), rel=1e-9, abs=1e-9)
        assert value["start"] == pytest.approx(kept * (1 + rate) / (1 + rate - retention), rel=1e-9, abs=1e-9)
        assert value["middle"] == pytest.approx(value["end"] * (1 + rate) ** 0.5, rel=1e-9, abs=1e-9)

    def test_three_periods_by_hand(self):
        """100 a period at 10 %; of ten clients 8, 6 and 3 are left: 80/1.1 + 60/1.21 + 30/1.331 = 144.8535."""
        survival, spend = [[0.8, 0.6, 0.3]], [100.0]
        assert lifetime_value(survival, spend, discount_rate=0.1)[0] == pytest.approx(144.8535, abs=1e-4)
        # 100 + 80/1.1 + 60/1.21 = 222.3140 at the start of periods.
        assert lifetime_value(survival, spend, discount_rate=0.1, paid="start")[0] == pytest.approx(222.3140, abs=1e-4)
        # Half of those left stay on: 30/1.331 times 0.5/0.6 more = 18.7829.
        for_ever = lifetime_value(survival, spend, discount_rate=0.1, beyond="last retention")[0]
        assert for_ever == pytest.approx(144.8535 + 18.7829, abs=1e-4)

    def test_a_shifted_beta_geometric_falls_short_of_its_own_for_ever(self):
        """Where retention rises, the last one carried on is too low, and less so the later it is taken (ref. [3])."""
        rate = 0.1
        k = np.arange(1, 3000)
        survival = np.cumprod((1.0 + k - 1) / (1.0 + 2.0 + k - 1))[None, :]  # beta(2, 1) chances of leaving
        true = lifetime_value(survival, [1.0], discount_rate=rate)[0]
        early, late = (
            lifetime_value(survival[:, :n], [1.0], discount_rate=rate, beyond="last retention")[0] for n in (3, 12)
        )
        assert early < late < true
        assert late == pytest.approx(true, rel=0.02)

    @given(st.floats(0, 3), st.integers(1, 800))
    def test_periods_of_any_length_make_the_same_year(self, yearly, days):
        rate = rate_per_period(yearly, f"{days}d")
        assert (1 + rate) ** (365.25 / days) == pytest.approx(1 + yearly, rel=1e-9)


class TestProperties:
    @given(lives(), rates, st.sampled_from(["end", "middle", "start"]), st.sampled_from(["nothing", "last retention"]))
    def test_worth_falls_with_the_rate_and_rises_with_the_margin(self, life, rate, paid, beyond):
        ways = {"paid": paid, "beyond": beyond}
        value = lifetime_value(*life, discount_rate=rate, **ways)
        assert np.isfinite(value).all()
        assert (lifetime_value(*life, discount_rate=rate * 1.5, **ways) <= value * (1 + 1e-12)).all()
        assert lifetime_value(*life, discount_rate=rate, margin=0.3, **ways) == pytest.approx(0.3 * value)

    @given(
        shares,
        shares,
        rates,
        st.sampled_from(["end", "middle", "start"]),
        st.sampled_from(["nothing", "last retention"]),
    )
    def test_worth_rises_with_retention(self, one, other, rate, paid, beyond):
        low, high = sorted((one, other))
        less, more = lifetime_value(curves([low, high]), [10.0, 10.0], discount_rate=rate, paid=paid, beyond=beyond)
        assert less <= more * (1 + 1e-12)

    @given(lives(), rates)
    def test_the_tail_is_never_negative_and_the_whole_at_least_its_first_part(self, life, rate):
        survival, spend = life
        part = lifetime_value(survival[:, :3], spend[:, :3], discount_rate=rate)
        whole = lifetime_value(survival, spend, discount_rate=rate)
        for_ever = lifetime_value(survival, spend, discount_rate=rate, beyond="last retention")
        assert (part <= whole).all()
        assert (whole <= for_ever).all()

    @given(lives(), rates, st.permutations(range(3)))
    def test_clients_do_not_touch_each_other(self, life, rate, order):
        survival, spend = life
        value = lifetime_value(survival, spend, discount_rate=rate, beyond="last retention")
        mixed = lifetime_value(survival[order], spend[order], discount_rate=rate, beyond="last retention")
        assert np.array_equal(mixed, value[order])

    @given(lives(), st.floats(0, 2.0))
    def test_who_is_gone_is_worth_nothing(self, life, rate):
        gone = np.zeros_like(life[0])
        assert (lifetime_value(gone, life[1], discount_rate=rate, beyond="last retention") == 0).all()

    def test_one_number_is_the_same_in_every_period(self):
        survival = curves([0.9, 0.4])
        each = np.repeat([[10.0], [30.0]], 6, axis=1)
        assert np.array_equal(
            lifetime_value(survival, [10.0, 30.0], discount_rate=0.1), lifetime_value(survival, each, discount_rate=0.1)
        )

    def test_input_is_not_changed(self):
        survival, spend = curves([0.9, 0.4]), np.array([10.0, 30.0])
        before = survival.copy(), spend.copy()
        lifetime_value(survival, spend, discount_rate=0.1, beyond="last retention")
        assert np.array_equal(survival, before[0])
        assert np.array_equal(spend, before[1])

    def test_memory_laid_out_by_columns_makes_no_difference(self):
        survival = curves(np.linspace(0.5, 0.99, 40), 13)
        value = lifetime_value(survival, np.full(40, 3.7), discount_rate=0.03)
        assert np.array_equal(lifetime_value(np.asfortranarray(survival), np.full(40, 3.7), discount_rate=0.03), value)
        alone = [lifetime_value(survival[[n]], [3.7], discount_rate=0.03)[0] for n in range(40)]
        assert np.array_equal(alone, value)

    def test_nobody_is_worth_nothing(self):
        assert lifetime_value(np.empty((0, 4)), np.empty(0), discount_rate=0.1).shape == (0,)


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"survival": [0.9, 0.8]}, r"`survival` must have one row a client and one column a period; got .*\(2,\)"),
            ({"survival": [[], []]}, "`survival` must have one row a client"),
            ({"survival": [[0.9, 0.8], [0.5, 0.6]]}, r"never rise .* got \[0.5, 0.6\] at position 1"),
            ({"survival": [[0.9, 0.8], [1.5, 0.6]]}, "from 0 to 1"),
            ({"survival": [[0.9, 0.8], [np.nan, 0.6]]}, "position 1"),
            ({"spend": [1.0, 2.0, 3.0]}, r"`spend` must have one number a client, shape \(2,\).*got \(3,\)"),
            ({"spend": [1.0, np.nan]}, "`spend` must be finite; it is not at position 1"),
            ({"discount_rate": -0.1}, "`discount_rate` must be a number, finite and 0 or more.*got -0.1"),
            ({"discount_rate": np.inf}, "`discount_rate`"),
            ({"discount_rate": "10%"}, "`discount_rate`.*got '10%'"),
            ({"margin": 1.2}, "`margin` must be a number, from 0 to 1.*got 1.2"),
            ({"paid": "soon"}, "`paid` must be one of 'end', 'middle', 'start'; got 'soon'"),
            ({"beyond": "ever"}, "`beyond` must be one of 'nothing', 'last retention'; got 'ever'"),
        ],
    )
    def test_say_what_is_wrong(self, changes, message):
        right = {"survival": [[0.9, 0.8], [0.5, 0.4]], "spend": [1.0, 2.0], "discount_rate": 0.1}
        with pytest.raises(ValueError, match=message):
            lifetime_value(**(right | changes))

    def test_a_sum_without_bound_is_refused_and_names_the_client(self):
        survival, spend = [[0.9, 0.8], [1.0, 1.0]], [1.0, 1.0]
        with pytest.raises(ValueError, match=r"`discount_rate` must be above 0 .* at position 1"):
            lifetime_value(survival, spend, discount_rate=0.0, beyond="last retention")
        assert lifetime_value(survival, spend, discount_rate=0.0)[1] == 2.0
        # Who stays for ever and spends nothing is worth nothing, whatever the rate.
        assert lifetime_value(survival, [1.0, 0.0], discount_rate=0.0, beyond="last retention")[1] == 0.0

    def test_a_period_is_a_duration(self):
        with pytest.raises(ValueError, match="`period`"):
            rate_per_period(0.1, "soon")
        with pytest.raises(ValueError, match="`yearly` must be a number, finite and 0 or more"):
            rate_per_period(-0.1, "90d")

    @pytest.mark.parametrize(
        ("changes", "message"), [({"periods": 0}, "`periods`"), ({"length": 0}, "`length`"), ({"periods": 2.5}, "`pe")]
    )
    def test_periods_without_length_are_refused(self, changes, message):
        given = {"periods": 3, "length": 30, "frequency": [1], "recency": [5], "T": [9]} | changes
        with pytest.raises(ValueError, match=message):
            relative_purchases(BetaGeometricNBD(), given.pop("periods"), **given)


class TestRelativePurchases:
    frequency, recency, T = (5, 5, 0, 0, 1, 2), (50, 10, 0, 0, 9, 30), (60, 60, 30, 60, 60, 60)
    monetary = (20.0, 20.0, 0.0, 0.0, 35.0, 10.0)

    @property
    def history(self):
        return {"frequency": self.frequency, "recency": self.recency, "T": self.T}

    @pytest.mark.parametrize("kind", [BetaGeometricNBD, ParetoNBD])
    def test_begin_at_1_and_fade(self, kind):
        model = kind().fit(self.frequency, self.recency, self.T)
        fade = relative_purchases(model, 12, length=30, **self.history)
        assert fade.shape == (6, 12)
        assert (fade[:, 0] == 1).all()
        assert (np.diff(fade, axis=1) <= 0).all()
        expected = [model.expected_purchases(30 * k, self.frequency, self.recency, self.T) for k in (1, 12)]
        assert fade.sum(axis=1) * expected[0] == pytest.approx(expected[1])

    @pytest.mark.parametrize("purchases", ["bg/nbd", "pareto/nbd"])
    def test_many_short_periods_come_to_what_buy_till_you_die_says_itself(self, purchases):
        """Two ways to one sum: survival × spend, period by period, and DERT × spend in closed form.

        Paid at the start it is more, at the end less.
        """
        model = BuyTillYouDie(purchases).fit(self.frequency, self.recency, self.T, self.monetary)
        yearly, margin, days = 5.0, 0.4, 7
        itself = model.long_run_value(np.log1p(yearly) / 365.25, margin, **self.history, monetary=self.monetary)
        _, spend = model.predict(days, **self.history, monetary=self.monetary)
        fade = relative_purchases(model.purchases_, 300, length=days, **self.history)
        rate = rate_per_period(yearly, f"{days}d")
        # As purchases spread over a period, half a period's wait is between the two.
        by_period = lifetime_value(fade, spend, discount_rate=rate, margin=margin) * np.sqrt(1 + rate)
        assert by_period == pytest.approx(itself, rel=2e-3)

    def test_a_gap_is_left_out_before_the_first_period(self):
        model = ParetoNBD().fit(self.frequency, self.recency, self.T)
        fade = relative_purchases(model, 3, length=30, gap=10, **self.history)
        days = [model.expected_purchases(30, *self.history.values(), gap=10 + 30 * k) for k in range(3)]
        assert fade == pytest.approx(np.column_stack(days) / days[0][:, None])

    def test_who_will_buy_nothing_keeps_nothing(self):
        class Silent:
            def expected_purchases(self, horizon, frequency, recency, T, *, gap=0.0):
                return np.array([0.0, 2.0 / (1 + gap)])

        fade = relative_purchases(Silent(), 2, length=1, frequency=[0, 0], recency=[0, 0], T=[1, 1])
        assert fade.tolist() == [[1.0, 0.0], [1.0, 0.5]]

    def test_the_fade_of_one_client_does_not_depend_on_the_others(self):
        model = BetaGeometricNBD().fit(self.frequency, self.recency, self.T)
        alone = relative_purchases(model, 5, length=30, frequency=[2], recency=[30], T=[60])
        assert np.array_equal(alone[0], relative_purchases(model, 5, length=30, **self.history)[5])
