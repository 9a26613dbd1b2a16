"""The escalation paths that leastwise ships, and how they are read from pathfinding's prose."""

import json
from typing import Any

import pytest

from shared.iam.data import compile_catalogue
from shared.iam.data.compile_catalogue import CATEGORIES, PREREQUISITES, RISK, SERVICE_OF_WORKLOAD, compile_paths
from shared.iam.patterns import globs
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityType
from shared.model.score import RiskClass
from shared.pci.corrections import CORRECTIONS, Correction
from shared.pci.known_paths import (
    EXISTING_PASSROLE,
    POWER_OVER_IAM,
    RULE_OF_CATEGORY,
    SELF_ESCALATION,
    TARGET_OF_ACTION,
    WORKLOAD_OF_ACTION,
    Prerequisites,
)
from shared.pci.risk import RiskTable
from shared.reference import load_operations

ARTEFACT = json.loads(RISK.read_text(encoding="utf-8"))
PATHS = ARTEFACT["paths"]
LAMBDA, EC2 = "lambda.amazonaws.com", "ec2.amazonaws.com"


def path(name: str = "x-001", category: str = "principal-access", **more: Any) -> dict[str, Any]:
    permissions = {"required": [{"permission": "iam:PassRole"}, {"permission": "lambda:CreateFunction"}]}
    return {"id": name, "name": "a + b", "category": category, "permissions": permissions, **more}


def tables(
    monkeypatch: pytest.MonkeyPatch, prerequisites: dict[str, Any] | None = None, categories: Any = None
) -> None:
    """Replace the script's tables by these."""
    monkeypatch.setattr(compile_catalogue, "PREREQUISITES", prerequisites or {})
    monkeypatch.setattr(compile_catalogue, "CATEGORIES", categories or {})


@pytest.mark.parametrize(
    ("prerequisites", "needs"),
    [
        (None, {}),
        (["Principal must be a user (not a role)"], {"principal": "user"}),
        (["Principal must be a role (not a user, since IAM users cannot have one)"], {"principal": "role"}),
        ({"admin": [f"A role must exist that trusts {LAMBDA} to assume it"]}, {"services": [LAMBDA]}),
        ({"admin": ["A role must exist that trusts b.amazonaws.com or a.b.amazonaws.com"]},
         {"services": ["a.b.amazonaws.com", "b.amazonaws.com"]}),
        ({"admin": [], "lateral": [f"A role must exist that trusts {LAMBDA}"]}, {}),
        ({"admin": ["The role must have administrative permissions (e.g., AdministratorAccess)"]},
         {"privileged": True}),
        (["A group must exist with administrative permissions (e.g., AdministratorAccess)"], {"privileged": True}),
        (["An AWS-managed or customer-managed policy with administrative permissions must exist"], {}),
        (["The role must have an instance profile associated with it"], {"instance_profile": True}),
    ],
)  # fmt: skip
def test_prerequisites_are_read_from_prose(
    prerequisites: Any, needs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables(monkeypatch)

    (found,) = compile_paths([path(prerequisites=prerequisites)])

    assert found == {
        "id": "x-001",
        "name": "a + b",
        "category": "principal-access",
        "required": ["iam:passrole", "lambda:createfunction"],
        "needs": needs,
    }


@pytest.mark.parametrize(
    ("prerequisites", "needs"),
    [
        (["A Lambda function must exist"], {"services": [LAMBDA], "privileged": True}),
        ({"admin": ["A launch template must exist"]},
         {"services": [EC2], "privileged": True, "instance_profile": True}),
        (["EC2 instance must exist", "A CloudFormation stack must exist"],
         {"services": ["cloudformation.amazonaws.com", EC2], "privileged": True, "instance_profile": True}),
    ],
)  # fmt: skip
def test_the_role_of_a_workload_is_of_its_service_and_has_power(
    prerequisites: Any, needs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables(monkeypatch)

    (found,) = compile_paths([path(category=EXISTING_PASSROLE, prerequisites=prerequisites)])

    assert found["needs"] == needs


@pytest.mark.parametrize(
    ("table", "categories", "listed", "message"),
    [
        ({}, {}, path(category="new-passrole"), "no service that the role is for: x-001"),
        ({}, {}, path(category=EXISTING_PASSROLE, prerequisites=["A thing must exist"]), "no service .*: x-001"),
        ({}, {"x-001": EXISTING_PASSROLE}, path(), "no service .*: x-001"),
        ({"y-001": {"privileged": True}}, {}, path(), "without effect: y-001"),
        ({"x-001": {}}, {}, path(), "without effect: x-001"),
        ({}, {"y-001": EXISTING_PASSROLE}, path(), "without effect: y-001"),
        ({}, {"x-001": "principal-access"}, path(), "without effect: x-001"),
    ],
)
def test_prose_that_says_too_little_or_a_table_that_says_nothing_new_stops_the_script(
    table: dict[str, Any],
    categories: dict[str, str],
    listed: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables(monkeypatch, table, categories)

    with pytest.raises(ValueError, match=message):
        compile_paths([listed])


def test_every_path_that_passes_a_new_role_has_its_services() -> None:
    passing = {one["id"]: one["needs"] for one in PATHS if one["category"] == "new-passrole"}

    assert len(passing) == 26
    assert all(service.endswith(".amazonaws.com") for needs in passing.values() for service in needs["services"])
    assert all(needs["privileged"] for needs in passing.values()), "what is passed is all that is gained"
    assert [name for name, needs in passing.items() if "instance_profile" in needs] == ["ec2-001", "ec2-003"]


def test_every_path_by_a_workload_has_its_service() -> None:
    taking = {one["id"]: one["needs"] for one in PATHS if one["category"] == EXISTING_PASSROLE}
    services = {service for needs in taking.values() for service in needs["services"]}

    assert len(taking) == 17
    assert all(needs["privileged"] and len(needs["services"]) == 1 for needs in taking.values())
    assert services == set(SERVICE_OF_WORKLOAD.values())
    assert [name for name, needs in taking.items() if "instance_profile" in needs] == [
        name for name, needs in taking.items() if needs["services"] == [EC2]
    ]


def test_the_tables_are_in_the_artefact() -> None:
    shipped = {one["id"]: one for one in PATHS}

    assert {name: shipped[name]["needs"] for name in PREREQUISITES} == PREREQUISITES
    assert {name: shipped[name]["category"] for name in CATEGORIES} == CATEGORIES


def test_every_path_is_aimed_at_something() -> None:
    """Self-escalation is decided by what its actions are aimed at, and so is access to another principal."""
    for one in load_risk().paths:
        aimed = {TARGET_OF_ACTION[key] for key in one.required if key in TARGET_OF_ACTION}
        assert aimed or one.category == EXISTING_PASSROLE, one.id
        if one.category == SELF_ESCALATION:
            assert one.required <= TARGET_OF_ACTION.keys(), one.id


def test_targets_are_actions_of_the_catalogue() -> None:
    assert [key for key in (*TARGET_OF_ACTION, *POWER_OVER_IAM) if key not in load_catalogue()] == []


def test_every_path_by_a_workload_acts_on_one() -> None:
    acting = [set(one["required"]) for one in PATHS if one["category"] == EXISTING_PASSROLE]

    assert all(required & WORKLOAD_OF_ACTION.keys() for required in acting)
    assert set().union(*acting) - WORKLOAD_OF_ACTION.keys() == {
        "ec2:describeinstances",  # has no resource
        "sagemaker:createnotebookinstancelifecycleconfig",  # makes what another action gives to a notebook
    }


@pytest.mark.parametrize(("action", "workloads"), WORKLOAD_OF_ACTION.items(), ids=list(WORKLOAD_OF_ACTION))
def test_the_workloads_of_an_action_are_a_resource_type_of_it(action: str, workloads: str) -> None:
    templates = load_operations().resource_templates(load_catalogue().name(action))

    assert any(globs.matches(f"arn:*:{workloads}", template) for template in templates)


def test_the_table_of_risks_reads_the_paths_that_count() -> None:
    paths = {one.id: one for one in load_risk().paths}

    assert len(PATHS) == 65
    assert {one["category"] for one in PATHS} == set(RULE_OF_CATEGORY)
    assert paths.keys() == {one["id"] for one in PATHS}
    assert paths["ec2-001"].name == "iam:PassRole + ec2:RunInstances"
    assert paths["ec2-001"].needs == Prerequisites(("ec2.amazonaws.com",), privileged=True, instance_profile=True)
    assert paths["iam-005"].needs == Prerequisites(principal=IdentityType.ROLE)


@pytest.mark.parametrize(("action", "correction"), CORRECTIONS.items(), ids=list(CORRECTIONS))
def test_an_action_that_no_list_names_has_the_class_of_its_like(action: str, correction: Correction) -> None:
    catalogue, listed = load_catalogue(), {key for keys in ARTEFACT["classes"].values() for key in keys}
    worst_first = list(RiskClass)
    uncorrected = RiskTable(ARTEFACT, catalogue, corrections={})

    assert catalogue.name(action.lower()) == action, "as AWS writes it"
    assert action.lower() not in listed, "its correction is superfluous"
    assert load_risk().risk_of(action.lower()) is correction.risk
    assert uncorrected.risk_of(correction.like.lower()) is correction.risk
    assert worst_first.index(uncorrected.risk_of(action.lower())) > worst_first.index(correction.risk)
