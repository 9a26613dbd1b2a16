"""From CloudTrail's event source and name to IAM actions."""

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.authorized import (
    ALSO_POSSIBLE,
    PASSES_ROLE,
    PRIMARY_OF_OPERATION,
    compile_operations,
    facts_of,
    names_of,
)
from shared.iam.data.compile_operations import HERE, REFERENCE, SOURCE, compiled_operations, read_reference
from shared.iam.event_names import (
    ACTION_OF_EVENT,
    POSSIBLE_OF_CONSOLE_EVENT,
    PREFIXES_OF_SOURCE,
    WITHOUT_ACTION,
    WITHOUT_ROLE,
    may_pass_role,
)
from shared.iam.operations import (
    PASS_ROLE,
    OperationActions,
    OperationMap,
    Unmapped,
    UnmappedReason,
    read_entry,
    write_entry,
)
from shared.reference import OPERATIONS, load_operations
from tests.unit.documented_calls import POSSIBLE, PROVEN


def actions_of(source: str, name: str) -> OperationActions:
    found = load_operations().actions_of(f"{source}.amazonaws.com", name)
    assert isinstance(found, OperationActions), f"{source} {name}: {found}"
    return found


@cache
def services() -> Mapping[str, Any]:
    """Services of the compact reference."""
    found: Mapping[str, Any] = read_reference()["services"]
    return found


@pytest.mark.parametrize(("source", "name", "primary"), PROVEN)
def test_a_call_proves_its_action(source: str, name: str, primary: str) -> None:
    assert actions_of(source, name).primary == primary
    assert load_operations().has_action(primary)


@pytest.mark.parametrize(("source", "name", "possible"), POSSIBLE)
def test_given_one_of_several_actions_then_none_is_proven(source: str, name: str, possible: str) -> None:
    found = actions_of(source, name)
    assert found.primary is None
    assert possible in found.possible
    assert len(found.possible) > 1


def test_given_a_call_that_only_the_console_makes_then_what_the_console_needs_is_possible() -> None:
    found = actions_of("s3", "GetStorageLensDashboardDataInternal")
    assert found == OperationActions(None, ("s3:GetStorageLensDashboard",), passes_role=False)


def test_given_a_source_of_the_china_partition_then_the_service_is_known() -> None:
    found = load_operations().actions_of("ec2.amazonaws.com.cn", "StopInstances")
    assert isinstance(found, OperationActions)
    assert found.primary == "ec2:StopInstances"


def test_given_an_operation_that_passes_roles_then_it_says_so_and_lists_the_other_actions() -> None:
    assert actions_of("ec2", "RunInstances") == OperationActions(
        "ec2:RunInstances", ("ec2:CreateTags",), passes_role=True
    )
    assert actions_of("lambda", "CreateFunction20150331").passes_role
    assert not actions_of("ec2", "StopInstances").passes_role
    assert actions_of("s3", "CreateJob") == OperationActions("s3:CreateJob", (), passes_role=True)
    assert actions_of("robomaker", "CreateSimulationJob").passes_role


@pytest.mark.parametrize(
    ("source", "name", "passed"),
    [
        ("elasticbeanstalk", "CreateEnvironment", True),  # by name: the reference lists the operation without actions
        ("opsworks", "CloneStack", True),
        ("a2c", "StartDeploymentJob", True),
        ("apigateway", "CreateSomethingNew", True),
        ("lambda", "CreateWebFunction20260331", True),
        ("ec2", "StopInstancesV2", True),
        ("ec2", "DescribeInstancesV2", False),
        ("iotevents", "ListDetectorModels", False),
        ("apigateway", "GetSomethingNew", False),
        ("codecommit", "GitPull", False),
        ("ssm", "UpdateInstanceInformation", False),
        ("ssmmessages", "OpenDataChannel", False),
        ("sts", "AssumeRoleWithSAML", False),
        ("s3", "PostObject", False),
        ("s3express", "PutObject", False),
        ("ec2", "StopInstances", False),
    ],
)
def test_an_operation_that_the_reference_lacks_may_pass_a_role_unless_it_reads(
    source: str, name: str, *, passed: bool
) -> None:
    found = actions_of(source, name)
    assert not found.passes_role
    assert (PASS_ROLE in found.possible) is passed


def test_given_an_unknown_version_of_an_operation_that_passes_roles_then_that_is_said_once() -> None:
    found = actions_of("ec2", "RunInstancesV2")
    assert found.passes_role
    assert PASS_ROLE not in found.possible


def test_hardly_any_operation_of_the_reference_that_reads_by_its_name_passes_a_role() -> None:
    """What the verbs are trusted for, of operations that nobody knows."""
    operations, reading, passing = load_operations(), 0, 0
    for prefix in set(operations.services()) - WITHOUT_ROLE:
        for name in operations.operations_of(prefix):
            found = operations.operation(prefix, name)
            if found and not may_pass_role(prefix, name):
                reading += 1
                passing += found.passes_role
    assert reading > 7_500
    assert passing <= 8


def test_given_a_namesake_that_the_reference_does_not_list_then_it_is_possible() -> None:
    found = actions_of("kafka", "CreateTopic")
    assert found.primary == "kafka-cluster:CreateTopic"
    assert set(found.possible) == {"kafka-cluster:Connect", "kafka:CreateTopic"}


def test_given_only_an_auxiliary_action_then_it_is_never_what_a_call_proves() -> None:
    """For instance the tags of a new resource: the reference knows of them before it knows of the action itself."""
    found = actions_of("ec2", "CreateIpamInternetRegistryAssociation")
    assert found.primary == "ec2:CreateIpamInternetRegistryAssociation"
    assert found.possible == ("ec2:CreateTags",)


@pytest.mark.parametrize(
    ("source", "name", "reason"),
    [
        ("nosuchservice.amazonaws.com", "DoThings", UnmappedReason.UNKNOWN_SERVICE),
        ("", "", UnmappedReason.UNKNOWN_SERVICE),
        ("x" * 300, "RunInstances", UnmappedReason.UNKNOWN_SERVICE),
        ("ec2.amazonaws.com", "x" * 300, UnmappedReason.UNKNOWN_OPERATION),
        ("ec2.amazonaws.com", "NoSuchThingV2", UnmappedReason.UNKNOWN_OPERATION),
        ("ec2.amazonaws.com", "", UnmappedReason.UNKNOWN_OPERATION),
        ("lambda.amazonaws.com", "NoSuchThing20150331", UnmappedReason.UNKNOWN_OPERATION),
        ("ec2.amazonaws.com", "SharedSnapshotVolumeCreated", UnmappedReason.UNKNOWN_OPERATION),
        ("apigateway.amazonaws.com", "ponder", UnmappedReason.UNKNOWN_OPERATION),
        ("glue.amazonaws.com", "CreateGlossary", UnmappedReason.UNKNOWN_OPERATION),  # AWS has not mapped it yet
        ("codecatalyst.amazonaws.com", "ListSourceRepositories", UnmappedReason.NO_ACTION),
        ("sso.amazonaws.com", "GetRoleCredentials", UnmappedReason.NO_ACTION),
        ("signin.amazonaws.com", "ConsoleLogin", UnmappedReason.NO_ACTION),
        ("signin.amazonaws.com", "CheckMfa", UnmappedReason.NO_ACTION),
        ("signin.amazonaws.com", "SwitchRole", UnmappedReason.NO_ACTION),
    ],
)
def test_given_no_action_then_the_reason_is_named(source: str, name: str, reason: UnmappedReason) -> None:
    assert load_operations().actions_of(source, name) == Unmapped(reason)


@pytest.mark.parametrize(
    ("source", "name", "presumed"),
    [
        ("monitoring.amazonaws.com", "DoNewThings", "cloudwatch:DoNewThings"),
        ("newservice.amazonaws.com", "DoNewThings", "newservice:DoNewThings"),
        ("newservice.amazonaws.com.cn", "DoNewThings", "newservice:DoNewThings"),
        ("ec2.amazonaws.com", "no name of an action", None),
        ("runtime.newservice.amazonaws.com", "DoNewThings", "newservice:DoNewThings"),
        ("not a service", "DoNewThings", None),
        ("", "", None),
    ],
)
def test_an_unknown_call_is_presumed_to_need_the_action_of_its_name(
    source: str, name: str, presumed: str | None
) -> None:
    assert load_operations().presumed_action(source, name) == presumed
    found = load_operations().presumed_actions(source, name)
    assert found == (None if presumed is None else OperationActions(presumed, (PASS_ROLE,), passes_role=False))


def test_an_unknown_call_that_reads_is_presumed_to_pass_no_role() -> None:
    found = load_operations().presumed_actions("newservice.amazonaws.com", "GetThings")
    assert found == OperationActions("newservice:GetThings", (), passes_role=False)


@pytest.mark.parametrize(
    ("action", "templates"),
    [
        (
            "lambda:InvokeFunction",
            ("arn:${Partition}:lambda:${Region}:${Account}:function:${FunctionName}",),
        ),
        ("sqs:SendMessage", ("arn:${Partition}:sqs:${Region}:${Account}:${QueueName}",)),
        ("s3:ListBucket", ("arn:${Partition}:s3:::${BucketName}",)),
        ("sts:AssumeRole", ("arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}",)),
        ("s3:ListAllMyBuckets", ()),
        ("sqs:Nothing", ()),
        ("nothing:Nothing", ()),
        ("", ()),
    ],
)
def test_an_action_has_the_templates_of_its_resource_types(action: str, templates: tuple[str, ...]) -> None:
    found = load_operations().resource_templates(action)
    assert set(templates) <= set(found)
    assert bool(found) == bool(templates)


def test_every_template_is_one_arn() -> None:
    operations = load_operations()
    templates = {
        template
        for prefix in operations.services()
        for name in operations.known_actions_of(prefix)
        for template in operations.resource_templates(f"{prefix}:{name}")
    }
    assert len(templates) > 2_000
    assert {template for template in templates if not re.fullmatch(r"arn:[^\s,]+", template)} == set()


def test_every_operation_of_the_reference_is_mapped_to_actions_that_it_authorizes() -> None:
    operations, by_hand = load_operations(), {*PRIMARY_OF_OPERATION, *ALSO_POSSIBLE}
    unproven, unmapped, unknown, total = 0, 0, [], 0
    for prefix, service in services().items():
        for name, listed in service["operations"].items():
            total += 1
            authorized = set(names_of(listed))
            found = operations.operation(prefix, name)
            if found is None:
                assert not authorized, f"{prefix}:{name}"
                unmapped += 1
                continue
            named = {action for action in (found.primary, *found.possible) if action}
            assert authorized - {PASS_ROLE} <= named
            assert found.primary not in found.possible
            assert found.passes_role == (PASS_ROLE in authorized or f"{prefix}:{name}" in PASSES_ROLE)
            unproven += found.primary is None
            own = (f"{prefix}:{name}".lower(), f"{prefix}:{name}")
            if found.primary and f"{prefix}:{name}" not in by_hand:
                assert found.primary in authorized or found.primary.lower() == own[0]
            unknown += [action for action in named if not operations.has_action(action) and action != own[1]]
    assert total > 18_000
    assert unmapped < 850, "operations for which the reference names no action"
    assert unproven < 40, "operations of which no single action is proven"
    assert unknown == []


def test_given_a_source_named_like_its_prefix_then_the_whole_way_gives_the_operations_actions() -> None:
    operations, checked = load_operations(), 0
    for prefix in set(operations.services()) - PREFIXES_OF_SOURCE.keys():
        for name in operations.operations_of(prefix):
            assert operations.actions_of(f"{prefix}.amazonaws.com", name) == operations.operation(prefix, name)
            checked += 1
    assert checked > 17_000


def test_the_tables_by_hand_name_what_is_known() -> None:
    operations = load_operations()
    prefixes = {prefix for prefixes in PREFIXES_OF_SOURCE.values() for prefix in prefixes}
    assert {*prefixes, *(entry.partition(":")[0] for entry in WITHOUT_ACTION)} <= set(operations.services())
    several = [
        action for actions in (*POSSIBLE_OF_CONSOLE_EVENT.values(), *ALSO_POSSIBLE.values()) for action in actions
    ]
    actions = {*ACTION_OF_EVENT.values(), *PRIMARY_OF_OPERATION.values(), *several}
    assert {action for action in actions if not operations.has_action(action)} == set()
    for call in (*PRIMARY_OF_OPERATION, *ALSO_POSSIBLE):
        prefix, name = call.split(":")
        assert name in services()[prefix]["operations"], call
    for call in PASSES_ROLE:
        found = operations.operation(*call.split(":"))
        assert found is not None, call
        assert found.passes_role, call
    for call in WITHOUT_ROLE:
        assert operations.has_action(call) if ":" in call else call in operations.services(), call


def test_no_entry_by_hand_is_answered_by_the_reference_meanwhile() -> None:
    operations = load_operations()
    for call in (*ACTION_OF_EVENT, *POSSIBLE_OF_CONSOLE_EVENT, *WITHOUT_ACTION):
        prefix, _, name = call.partition(":")
        assert operations.operation(prefix, name) is None, f"{call} has actions in the reference by now"
        assert not operations.has_action(call), f"{call} is an action by now"
    for call in PASSES_ROLE:
        prefix, _, name = call.partition(":")
        listed = services().get(prefix, {"operations": {}})["operations"].get(name, ())
        assert PASS_ROLE not in names_of(listed), f"{call} passes roles in the reference by now"
    for source, prefixes in PREFIXES_OF_SOURCE.items():
        if source not in prefixes:
            assert source not in services() or not services()[source]["operations"], f"{source} is a service by now"


def test_the_compiled_file_is_what_the_script_makes_and_what_its_description_says() -> None:
    shipped = json.loads(gzip.decompress(OPERATIONS.read_bytes()))
    assert shipped == compiled_operations(read_reference())
    lines = SOURCE.read_text(encoding="utf-8").splitlines()
    for label, value in facts_of(shipped).items():
        assert f"- {label}: {value}" in lines


def test_the_reference_is_the_one_that_its_source_file_describes() -> None:
    described = (HERE / "SERVICE_REFERENCE_SOURCE.md").read_text(encoding="utf-8")
    assert f"- sha256: {hashlib.sha256(REFERENCE.read_bytes()).hexdigest()}\n" in described
    counts = [len(services()), *(sum(len(s[kind]) for s in services().values()) for kind in ("actions", "operations"))]
    assert "- content: {:,} services, {:,} actions, {:,} operations\n".format(*counts) in described
    assert read_reference()["source"].endswith(re.findall(r"(?m)^- published: (.+)$", described)[0])


NAMES = st.from_regex(r"[A-Z][A-Za-z0-9]{0,20}", fullmatch=True)
ACTIONS = st.builds("{}:{}".format, st.sampled_from(["own", "other", "iam"]), NAMES).filter(PASS_ROLE.__ne__)


@given(NAMES, st.builds(OperationActions, st.none() | ACTIONS, st.lists(ACTIONS).map(tuple), st.booleans()))
def test_an_entry_is_read_back_as_it_was_written(operation: str, actions: OperationActions) -> None:
    name, _, words = write_entry("own", operation, actions).partition(" ")
    assert (name, read_entry("own", name, words)) == (operation, actions)


def test_given_a_reference_of_its_own_when_compiled_then_the_map_answers_from_it() -> None:
    reference = {
        "source": "made up",
        "services": {
            "svc": {
                "actions": {"Do": {}, "Undo": {}, "TagResource": {}},
                "operations": {"Do": ["svc:Do", "svc:TagResource"], "Rest": [], "Mix": ["svc:Do", "svc:Undo"]},
            },
            "iam": {
                "actions": {"PassRole": {}, "Make": {}},
                "operations": {"Make": ["iam:Make", {"action": PASS_ROLE, "context": {"iam:PassedToService": ["x"]}}]},
            },
        },
    }
    operations = OperationMap(compile_operations(reference, {"svc:Do": ["arn:b", "arn:a"]}, {"svc": ["Newer"]}))

    assert operations.operation("svc", "Do") == OperationActions("svc:Do", ("svc:TagResource",), passes_role=False)
    assert operations.operation("svc", "Rest") is None
    assert operations.operation("svc", "Mix") == OperationActions(None, ("svc:Do", "svc:Undo"), passes_role=False)
    assert operations.operation("iam", "Make") == OperationActions("iam:Make", (), passes_role=True)
    assert operations.resource_templates("svc:Do") == ("arn:a", "arn:b")
    assert operations.has_action("svc:Newer")
    assert not operations.has_action("svc:newer")


def test_given_names_longer_than_any_then_they_are_not_even_looked_up() -> None:
    """Whoever writes records must not fill the memory of what was asked before."""
    long = "x" * 257
    reference = {
        "source": "made up",
        "services": {name: {"actions": {}, "operations": {long: ["a:B"], "Do": ["a:B"]}} for name in (long, "short")},
    }
    operations = OperationMap(compile_operations(reference, {}))
    assert isinstance(operations.actions_of("short", "Do"), OperationActions)
    assert operations.actions_of("short", long) == Unmapped(UnmappedReason.UNKNOWN_OPERATION)
    assert operations.actions_of(long, "Do") == Unmapped(UnmappedReason.UNKNOWN_SERVICE)


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_mapped_or_unmapped_without_an_error(source: str, name: str) -> None:
    assert isinstance(load_operations().actions_of(source, name), OperationActions | Unmapped)
    presumed = load_operations().presumed_action(source, name)
    assert presumed is None or presumed.endswith(f":{name}")


@settings(deadline=None)
@given(st.sampled_from(["ec2", "s3", "apigateway", "iam"]), st.text(max_size=60))
def test_any_event_of_a_known_service_is_mapped_or_unmapped_without_an_error(source: str, name: str) -> None:
    assert isinstance(load_operations().actions_of(f"{source}.amazonaws.com", name), OperationActions | Unmapped)
