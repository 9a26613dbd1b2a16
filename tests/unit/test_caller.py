"""Where the deployed system is: by option, environment, the AWS profile's own key, or as it usually is."""

from pathlib import Path

import pytest

from cli.asking import Place
from shared.aws.caller import caller_of
from shared.errors import CallerError

CONFIG = """
[default]
region = eu-west-1
[profile prod]
region = eu-central-1
leastwise_stack_name = lw-prod
[profile nested]
leastwise_stack_name =
    a = b
"""

# What is named; AWS_PROFILE; the stack and the region that are meant.
CASES: list[tuple[Place, str | None, str, str | None]] = [
    (Place(), None, "leastwise", "eu-west-1"),
    (Place(profile="prod"), None, "lw-prod", "eu-central-1"),
    (Place(), "prod", "lw-prod", "eu-central-1"),
    (Place("mine", profile="prod"), None, "mine", "eu-central-1"),
    (Place("leastwise", profile="prod"), None, "leastwise", "eu-central-1"),
    (Place(region="us-west-2", profile="prod"), None, "lw-prod", "us-west-2"),
    (Place(profile="default"), "prod", "leastwise", "eu-west-1"),
    (Place(profile="nested"), None, "leastwise", None),
    (Place("", "", ""), None, "leastwise", "eu-west-1"),
]


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config"
    file.write_text(CONFIG, encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.delenv("AWS_DEFAULT_REGION")


@pytest.mark.parametrize(("place", "environment", "stack", "region"), CASES)
def test_what_is_named_counts_before_what_is_looked_up(
    place: Place, environment: str | None, stack: str, region: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if environment:
        monkeypatch.setenv("AWS_PROFILE", environment)
    caller = caller_of(place.stack_name, region=place.region, profile=place.profile)
    assert (caller.stack_name, caller.session.region_name) == (stack, region)


def test_a_profile_that_there_is_not_is_named() -> None:
    with pytest.raises(CallerError, match=r"\(nobody\) could not be found"):
        caller_of(profile="nobody")


def test_a_configuration_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").write_text("[profile", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "broken"))
    with pytest.raises(CallerError, match="can't be read"):
        caller_of()


def test_commands_that_are_proposed_lead_to_the_same_place() -> None:
    assert Place().options == ""
    assert Place("lw", "eu-west-1", "a b").options == " --stack-name lw --region eu-west-1 --profile 'a b'"
