"""From AWS's published documents to the compact service reference."""

from typing import Any

import msgspec
import pytest

from shared.iam.service_reference import Change, ServiceDocument, changes, compact, counts, restated, templates_of

# As in the Service Authorization Reference, "Simplified AWS service information for programmatic access".
DOCUMENT: dict[str, Any] = {
    "Name": "s3",
    "Actions": [
        {
            "Name": "ListBucket",
            "ActionConditionKeys": ["s3:prefix"],
            "Annotations": {
                "Properties": {
                    "IsList": True,
                    "IsPermissionManagement": False,
                    "IsTaggingOnly": False,
                    "IsWrite": False,
                }
            },
            "Resources": [{"Name": "bucket"}],
            "SupportedBy": {"IAM Access Analyzer Policy Generation": True, "IAM Action Last Accessed": False},
        },
        {
            "Name": "GetObject",
            "Annotations": {"Properties": {"IsList": False}},
            "Resources": [{"Name": "object"}, {"Name": "anything"}, {"Name": "unknown"}],
        },
        {"Name": "BypassGovernanceRetention"},
    ],
    "ConditionKeys": [{"Name": "s3:prefix", "Types": ["String"]}],
    "Operations": [
        {
            "Name": "GetObject",
            "AuthorizedActions": [
                {"Name": "GetObject", "Service": "s3"},
                {"Name": "GetObject", "Service": "s3-object-lambda"},
                {"Name": "PassRole", "Service": "iam", "Context": {"iam:PassedToService": ["s3.amazonaws.com"]}},
                {"Name": "PassRole", "Service": "iam", "Context": {"iam:PassedToService": "one.amazonaws.com"}},
            ],
            "SDK": [{"Name": "s3", "Method": "get_object", "Package": "Boto3"}],
        },
        {"Name": "CreateSession"},
    ],
    "Resources": [
        {"Name": "bucket", "ARNFormats": ["arn:${Partition}:s3:::${BucketName}"]},
        {"Name": "object", "ARNFormats": ["arn:${Partition}:s3:::${BucketName}/${ObjectName}", "arn:a b"]},
        {"Name": "anything", "ARNFormats": ["*"]},
    ],
    "Version": "v1.4",
}


def decoded(**changed: Any) -> ServiceDocument:
    return msgspec.json.decode(msgspec.json.encode({**DOCUMENT, **changed}), type=ServiceDocument)


def test_a_document_is_compacted_to_what_the_project_needs() -> None:
    assert compact([decoded()], "2026-09-21") == {
        "source": "AWS service reference (machine-readable Service Authorization Reference), as published 2026-09-21",
        "services": {
            "s3": {
                "actions": {
                    "BypassGovernanceRetention": {},
                    "GetObject": {},
                    "ListBucket": {"policy_generation": True, "properties": ["list"]},
                },
                "operations": {
                    "CreateSession": [],
                    "GetObject": [
                        "s3:GetObject",
                        "s3-object-lambda:GetObject",
                        {"action": "iam:PassRole", "context": {"iam:PassedToService": ["s3.amazonaws.com"]}},
                        {"action": "iam:PassRole", "context": {"iam:PassedToService": ["one.amazonaws.com"]}},
                    ],
                },
            }
        },
    }


def test_an_action_has_the_formats_of_its_resource_types_that_are_arns() -> None:
    assert templates_of([decoded()]) == {
        "s3:BypassGovernanceRetention": [],
        "s3:GetObject": ["arn:${Partition}:s3:::${BucketName}/${ObjectName}"],
        "s3:ListBucket": ["arn:${Partition}:s3:::${BucketName}"],
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"Name": "S3"},
        {"Name": "s3 x"},
        {"Actions": [{"Name": "Get Object"}]},
        {"Actions": [{"Name": "Get/Object"}]},
        {"Actions": [{"Name": ""}]},
        {"Operations": [{"Name": "a;b"}]},
        {"Operations": [{"Name": "Do", "AuthorizedActions": [{"Name": "Do", "Service": "s3 "}]}]},
        {"Operations": [{"Name": "Do", "AuthorizedActions": [{"Name": "Do"}]}]},
        {"Resources": [{"Name": "bucket", "ARNFormats": "arn:x"}]},
    ],
)
def test_a_name_that_the_compiled_file_could_not_hold_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoded(**changed)


def test_changes_name_what_came_and_went() -> None:
    old = compact([decoded()], "2026-01-01")
    new = compact([decoded(Actions=[{"Name": "Do"}, {"Name": "GetObject"}]), decoded(Name="new")], "2026-02-01")
    found = changes(old, new)
    assert found["services"] == Change(("new",), ())
    assert found["actions"].removed == ("s3:BypassGovernanceRetention", "s3:ListBucket")
    assert "s3:Do" in found["actions"].added
    assert found["operations"] == Change(("new:CreateSession", "new:GetObject"), ())
    assert counts(new) == {"services": 2, "actions": 5, "operations": 4}


def test_only_the_facts_of_a_description_are_restated() -> None:
    text = "# sha256: x\n- sha256: old\n  - sha256: inner\n- licence: public\n- sha256 is a digest\n- content: \n"
    assert restated(text, {"sha256": r"\1", "content": "2", "other": "3"}) == (
        "# sha256: x\n- sha256: \\1\n  - sha256: inner\n- licence: public\n- sha256 is a digest\n- content: 2\n"
    )
