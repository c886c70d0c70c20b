from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from papertrader.shared.service.config import Settings, SettingsError, load


class QuoterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    levels: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    half_spread_bps: Annotated[float, msgspec.Meta(ge=0, le=100)] = 5.0
    post_only: bool = True
    strategy: str = "glft"
    assets: tuple[str, ...] = ()
    tape: Path = Path("none")
    limit_s: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()


def written(folder: Path, text: str, name: str = "paper.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def quoter(path: Path | None = None, account: str | None = None, **environment: str) -> QuoterSettings:
    return load(path, environment).section("quoter", QuoterSettings, account)


def refusal(path: Path | None = None, account: str | None = None, **environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        quoter(path, account, **environment)
    return str(caught.value)


def test_no_file_and_no_environment_give_the_defaults() -> None:
    assert quoter() == QuoterSettings()
    assert load(None, {}).accounts == ("main",)


def test_file_sets_what_it_names(tmp_path: Path) -> None:
    path = written(tmp_path, '[quoter]\nlevels = 5\nassets = ["BTC", "ETH"]\ntape = "a.gz"')
    assert quoter(path) == QuoterSettings(levels=5, assets=("BTC", "ETH"), tape=Path("a.gz"))


def test_whole_number_serves_as_a_float(tmp_path: Path) -> None:
    assert quoter(written(tmp_path, "[quoter]\nhalf_spread_bps = 7")).half_spread_bps == 7.0


def test_json_file_is_read_by_its_ending(tmp_path: Path) -> None:
    assert quoter(written(tmp_path, '{"quoter": {"levels": 4}}', "paper.json")).levels == 4


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[quoter]\nlevels = 5\nhalf_spread_bps = 9.0")
    settings = quoter(path, PAPER_QUOTER_LEVELS="2", PAPER_QUOTER_STRATEGY="my.module:Class", HOME="/root")
    assert settings == QuoterSettings(levels=2, half_spread_bps=9.0, strategy="my.module:Class")


def test_environment_names_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[quoter]\nlevels = 5")
    assert quoter(PAPER_SETTINGS=str(path)).levels == 5


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("POST_ONLY", "false", False),
        ("ASSETS", '["BTC"]', ("BTC",)),
        ("HALF_SPREAD_BPS", "1e1", 10.0),
        ("STRATEGY", "plain text", "plain text"),
        ("STRATEGY", "2024-01-01", "2024-01-01"),
        ("TAPE", "/a/b.gz", Path("/a/b.gz")),
    ],
)
def test_environment_value_is_read_as_toml_or_as_text(key: str, text: str, value: Any) -> None:
    assert getattr(quoter(**{f"PAPER_QUOTER_{key}": text}), key.lower()) == value


def test_longest_section_name_wins_in_the_environment() -> None:
    settings = load(None, {"PAPER_OUTCOME_TRACKER_LEVELS": "2", "PAPER_FILL_SIM_LEVELS": "3"})
    assert settings.tables == {"outcome_tracker": {"levels": 2}, "fill_sim": {"levels": 3}}


def test_accounts_override_their_own_section_only(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "[quoter]\nlevels = 5\n[accounts.bold.quoter]\nhalf_spread_bps = 1.0\n[accounts.shy]",
    )
    settings = load(path, {})
    assert settings.accounts == ("bold", "shy")
    assert settings.by_account("quoter", QuoterSettings) == {
        "bold": QuoterSettings(levels=5, half_spread_bps=1.0),
        "shy": QuoterSettings(levels=5),
    }
    assert settings.section("quoter", QuoterSettings) == QuoterSettings(levels=5)


def test_unknown_section_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    text = refusal(written(tmp_path, "[quotr]\nlevels = 1"))
    assert text == "unknown section [quotr]; did you mean 'quoter'?"


def test_unknown_key_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    text = refusal(written(tmp_path, "[quoter]\nlevel = 1"))
    assert text == "[quoter]: unknown setting 'level'; did you mean 'levels'?"


def test_unknown_key_that_resembles_nothing_lists_what_there_is() -> None:
    text = refusal(PAPER_QUOTER_XYZZY="1")
    assert "unknown setting 'xyzzy'" in text
    assert "levels, half_spread_bps" in text


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('levels = "many"', "Expected `int`, got `str` - at `$.levels`"),
        ("levels = 0", "Expected `int` >= 1 - at `$.levels`"),
        ("levels = 2.5", "$.levels"),
        ("half_spread_bps = nan", "$.half_spread_bps"),
        ("half_spread_bps = inf", "$.half_spread_bps"),
        ("limit_s = inf", "Expected a finite number, got inf - at `$.limit_s`"),
        ("limit_s = '-Infinity'", "Expected a finite number"),
        ("knots = [[0.5, 80], [1, nan]]", "at `$.knots`"),
        ('post_only = "perhaps"', "$.post_only"),
        ('assets = "BTC"', "$.assets"),
        ("tape = 3", "Expected a path in quotes, got 3 - at `$.tape`"),
    ],
)
def test_wrong_value_is_refused_naming_section_and_key(tmp_path: Path, setting: str, expected: str) -> None:
    text = refusal(written(tmp_path, f"[quoter]\n{setting}"))
    assert text.startswith("[quoter]: ")
    assert expected in text


def test_wrong_override_of_an_account_names_the_account(tmp_path: Path) -> None:
    path = written(tmp_path, "[accounts.bold.quoter]\nlevels = 99")
    assert refusal(path, "bold").startswith("[quoter] or [accounts.bold.quoter]: Expected `int` <= 10")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[accounts.bold.quotr]\nlevels = 1", "unknown section [accounts.bold.quotr]; did you mean 'quoter'?"),
        ("[accounts]\nbold = 3", "[accounts.bold] must be a table of sections"),
        ("[accounts.bold]\nquoter = 3", "[accounts.bold] quoter must be a table"),
        ('[accounts."a.b".quoter]', "[accounts.a.b]: an account is named with"),
        ('[accounts."a b".quoter]', "[accounts.a b]: an account is named with"),
        ('[accounts."*".quoter]', "an account is named with"),
        ('[accounts."".quoter]', "an account is named with"),
    ],
)
def test_accounts_that_cannot_be_are_refused_at_once(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, text), {})
    assert expected in str(caught.value)


@pytest.mark.parametrize("name", ["PAPER_QUOTR_LEVELS", "PAPER_QUOTER", "PAPER_", "PAPER_ACCOUNTS_MAIN"])
def test_environment_variable_of_no_section_is_refused(name: str) -> None:
    assert f"the environment variable {name} names no section" in refusal(**{name: "1"})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("paper.toml", b"[quoter\n"),
        ("paper.toml", b"\xff\xfe"),
        ("paper.toml", b"quoter = 3"),
        ("paper.json", b"{"),
        ("paper.json", b"[1]"),
        ("paper.json", b'{"quoter": 3}'),
        ("paper.json", b"\xff"),
    ],
)
def test_unreadable_content_is_refused_naming_the_file(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert str(path) in refusal(path)


def test_missing_file_is_refused_naming_it(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal(tmp_path / "absent.toml")
    assert "cannot be read: Is a directory" in refusal(tmp_path)


def test_settings_do_not_change_the_tables_they_were_given() -> None:
    tables = {"quoter": {"levels": 5}, "accounts": {"bold": {"quoter": {"levels": 7}}}}
    Settings(tables).by_account("quoter", QuoterSettings)
    assert tables == {"quoter": {"levels": 5}, "accounts": {"bold": {"quoter": {"levels": 7}}}}
