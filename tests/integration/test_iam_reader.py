"""Reading IAM: every policy in force by either way, every listing to its last page, and never less in silence."""

import json
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shared.aws import clients
from shared.aws.account_listing import AccountListing
from shared.aws.iam import IamReader, MarkerRefusedError, NamedIdentity
from shared.errors import ConflictError, DependencyError, InputError, NotFoundError
from shared.model.identity import IdentityDetail, IdentityType
from tests.builders import ACCOUNT, NOW
from tests.conftest import MAKE_API_CALL, Stack

USER, ROLE = IdentityType.USER, IdentityType.ROLE
ANA, DEPLOYER = NamedIdentity(USER, "ana"), NamedIdentity(ROLE, "deployer")


def document(action: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::a b+c%/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def managed(name: str, action: str) -> str:
    return clients.iam().create_policy(PolicyName=name, PolicyDocument=document(action))["Policy"]["Arn"]


@pytest.fixture
def reader(aws: Stack) -> IamReader:
    return IamReader(clients.iam())


@pytest.fixture
def account(aws: Stack) -> dict[str, str]:
    """ana, in the group devs, and the role deployer, each with every kind of policy; ARNs of managed policies."""
    iam = clients.iam()
    arns = {name: managed(name, f"s3:{name}") for name in ("hers", "ours", "its", "edge")}
    edge = arns["edge"]
    iam.create_user(UserName="ana", Path="/team/", Tags=[{"Key": "team", "Value": "core"}])
    iam.put_user_policy(UserName="ana", PolicyName="inline", PolicyDocument=document("s3:inline"))
    iam.attach_user_policy(UserName="ana", PolicyArn=arns["hers"])
    iam.create_group(GroupName="devs")
    iam.put_group_policy(GroupName="devs", PolicyName="limits", PolicyDocument=document("s3:limits"))
    iam.attach_group_policy(GroupName="devs", PolicyArn=arns["ours"])
    iam.add_user_to_group(GroupName="devs", UserName="ana")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"}}]})  # fmt: skip
    iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=trust, PermissionsBoundary=edge)
    iam.put_role_policy(RoleName="deployer", PolicyName="inline", PolicyDocument=document("s3:inline"))
    iam.attach_role_policy(RoleName="deployer", PolicyArn=arns["its"])
    return arns


def whole(reader: IamReader) -> list[IdentityDetail]:
    """Every identity of the account."""
    return [detail for page in AccountListing(reader, now=NOW).pages() for detail in page.details]


def held(detail: IdentityDetail) -> set[tuple[str, str]]:
    return {(str(policy.source), policy.document["Statement"][0]["Action"]) for policy in detail.policies}


@pytest.mark.parametrize("way", ["one by one", "the whole account"])
def test_an_identity_is_read_with_every_policy_in_force(reader: IamReader, account: dict[str, str], way: str) -> None:
    if way == "one by one":
        ana, deployer = reader.identity(ANA, now=NOW), reader.identity(DEPLOYER, now=NOW)
    else:
        ana, deployer = sorted(whole(reader), key=lambda detail: detail.ref.name)
    assert held(ana) == {
        ("inline inline", "s3:inline"),
        ("managed hers", "s3:hers"),
        ("group_inline devs/limits", "s3:limits"),
        ("group_managed devs/ours", "s3:ours"),
    }
    assert held(deployer) == {("inline inline", "s3:inline"), ("managed its", "s3:its")}
    assert ana.policies[0].document["Statement"][0]["Resource"] == "arn:aws:s3:::a b+c%/*"
    assert (ana.ref.path, ana.tags, ana.read_at, ana.boundary) == ("/team/", {"team": "core"}, NOW, None)
    assert deployer.boundary is not None  # moto keeps the boundaries of roles alone
    assert deployer.boundary.document["Statement"][0]["Action"] == "s3:edge"


def test_the_default_version_of_a_policy_is_in_force(reader: IamReader, account: dict[str, str]) -> None:
    arn = account["its"]
    clients.iam().create_policy_version(PolicyArn=arn, PolicyDocument=document("s3:new"), SetAsDefault=True)
    assert ("managed its", "s3:new") in held(reader.identity(DEPLOYER, now=NOW))


def test_all_pages_of_an_account_are_read(reader: IamReader) -> None:
    for number in range(120):  # moto gives a hundred a page
        clients.iam().create_user(UserName=f"user{number}")
    assert len(whole(reader)) == 120


def test_all_pages_of_an_identitys_policies_are_read(reader: IamReader, account: dict[str, str]) -> None:
    for number in range(105):
        name = f"inline{number}"
        clients.iam().put_role_policy(RoleName="deployer", PolicyName=name, PolicyDocument=document("s3:x"))
    assert len(reader.identity(DEPLOYER, now=NOW).policies) == 107


@pytest.mark.parametrize(
    "who", [NamedIdentity(USER, "nobody"), NamedIdentity(ROLE, "nobody"), NamedIdentity(USER, "deployer")]
)
def test_who_is_not_there_is_not_found(reader: IamReader, account: dict[str, str], who: NamedIdentity) -> None:
    with pytest.raises(NotFoundError):
        reader.identity(who, now=NOW)


@pytest.mark.parametrize("vanishing", ["GetUserPolicy", "GetPolicy", "GetPolicyVersion", "ListGroupPolicies"])
def test_a_policy_that_vanishes_while_it_is_read_is_a_conflict_and_never_a_gone_identity(
    reader: IamReader, account: dict[str, str], vanishing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if operation_name == vanishing:
            raise clients.iam().exceptions.NoSuchEntityException({"Error": {"Code": "NoSuchEntity"}}, vanishing)
        return MAKE_API_CALL(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", vanish)
    with pytest.raises(ConflictError, match="user ana changed while it was read"):
        reader.identity(ANA, now=NOW)


def test_a_name_that_belongs_to_someone_else_by_now_is_not_found(reader: IamReader) -> None:
    iam = clients.iam()
    iam.create_user(UserName="ana")
    old = reader.identity(ANA, now=NOW).ref
    assert reader.verified(old, now=NOW).ref == old
    iam.delete_user(UserName="ana")
    iam.create_user(UserName="ana")
    with pytest.raises(NotFoundError, match=f"by now, not {old.identity_id}"):
        reader.verified(old, now=NOW)


def test_a_group_and_a_policy_name_everyone_they_reach(reader: IamReader, account: dict[str, str]) -> None:
    assert reader.members_of_group("devs") == [ANA]
    assert {name: reader.holders_of_policy(account[name]) for name in ("hers", "ours", "its")} == {
        "hers": [ANA],
        "ours": [ANA],
        "its": [DEPLOYER],
    }


def test_a_group_or_policy_that_is_gone_reaches_nobody(reader: IamReader) -> None:
    assert reader.members_of_group("nobody") == []
    assert reader.holders_of_policy("arn:aws:iam::123456789012:policy/nothing") == []


def test_a_policy_that_the_listing_names_but_leaves_out_is_read_by_itself(
    reader: IamReader, account: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_the_boundary(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        answer = MAKE_API_CALL(self, operation_name, api_params)
        if operation_name == "GetAccountAuthorizationDetails":
            answer["Policies"] = [one for one in answer["Policies"] if one["Arn"] != account["edge"]]
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", without_the_boundary)
    (deployer,) = [detail for detail in whole(reader) if detail.ref.name == "deployer"]
    assert deployer.boundary is not None
    assert deployer.boundary.source.arn == account["edge"]
    assert deployer == reader.identity(DEPLOYER, now=NOW)


def test_a_policy_that_was_taken_away_meanwhile_makes_only_its_holders_unreadable(
    reader: IamReader, account: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        answer = MAKE_API_CALL(self, operation_name, api_params)
        if operation_name == "GetAccountAuthorizationDetails":
            for user in answer["UserDetailList"]:
                user["AttachedManagedPolicies"] = [{"PolicyArn": f"{account['its']}x", "PolicyName": "itsx"}]
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", stale)
    [page] = AccountListing(reader, now=NOW).pages()
    assert [detail.ref.name for detail in page.details] == ["deployer"]
    [why] = page.unreadable.values()
    assert "itsx is not in the authorization details" in str(why)


def test_a_listing_holds_what_is_in_force_alone(reader: IamReader, account: dict[str, str]) -> None:
    clients.iam().create_policy_version(PolicyArn=account["its"], PolicyDocument=document("s3:new"), SetAsDefault=True)
    (deployer,) = [detail for detail in whole(reader) if detail.ref.name == "deployer"]
    assert ("managed its", "s3:new") in held(deployer)
    assert AccountListing(reader, now=NOW).groups == {"devs": f"arn:aws:iam::{ACCOUNT}:group/devs"}


def test_a_page_that_has_more_and_does_not_say_where_is_an_error(
    reader: IamReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def truncated(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        return MAKE_API_CALL(self, operation_name, api_params) | {"IsTruncated": True}

    monkeypatch.setattr(BaseClient, "_make_api_call", truncated)
    with pytest.raises(DependencyError, match="not where"):
        whole(reader)


@pytest.mark.parametrize(("marker", "kind"), [("old", MarkerRefusedError), (None, InputError)])
def test_a_marker_that_is_refused_is_told_from_another_bad_request(
    reader: IamReader, monkeypatch: pytest.MonkeyPatch, marker: str | None, kind: type[InputError]
) -> None:
    def refused(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        raise ClientError({"Error": {"Code": "ValidationError", "Message": "no"}}, operation_name)

    monkeypatch.setattr(BaseClient, "_make_api_call", refused)
    with pytest.raises(InputError) as caught:
        next(reader.pages(["User"], marker=marker))
    assert type(caught.value) is kind


def test_a_name_is_told_apart_by_id_without_its_policies(reader: IamReader, account: dict[str, str]) -> None:
    for who in (ANA, DEPLOYER):
        assert reader.reference(who) == reader.identity(who, now=NOW).ref
    with pytest.raises(NotFoundError):
        reader.reference(NamedIdentity(USER, "nobody"))
