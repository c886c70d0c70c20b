"""Which candidate of a setting is taken, and which are supported."""

from papertrader.replay.twin.fit import Tried, chosen


def tried(*likelihoods: tuple[float, float]) -> list[Tried]:
    return [Tried(value, -likelihood / 10, likelihood) for value, likelihood in likelihoods]


def test_likeliest_is_taken_and_what_is_within_two_of_it_is_supported() -> None:
    found = chosen("join_share", tried((0.1, -9.0), (0.25, -6.5), (0.45, -5.0), (0.65, -7.1)), 0.45)
    assert (found.value, found.low, found.high) == (0.45, 0.25, 0.45)


def test_where_all_are_equally_likely_the_setting_stays() -> None:
    found = chosen("cancel_odds", tried((0.02, -5.0), (0.15, -5.0), (1.0, -5.0)), 0.15)
    assert (found.value, found.low, found.high) == (0.15, 0.02, 1.0)
