"""Policy documents are judged as IAM judges them, for the right reason, and everything wrong is told at once."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.iam.aws_managed_policies import aws_managed_policies_data

from shared.errors import PolicyDocumentError
from shared.iam.grammar.elements import Elements
from shared.iam.grammar.findings import RULES
from shared.iam.grammar.kinds import RULES_OF
from shared.iam.policy import parse_document
from shared.iam.validate import Code, PolicyKind, Severity, recognise, validate
from shared.knowledge import load_catalogue

DATA = Path(__file__).parents[1] / "data" / "policy-validation"
CORPUS = json.loads((DATA / "policy_documents.json").read_text(encoding="utf-8"))
REFUSED = CORPUS["invalid_policy_document_test_cases"]
ACCEPTED = CORPUS["valid_policy_documents"]
CODES = json.loads((DATA / "codes.json").read_text(encoding="utf-8"))
MANAGED = {name: body["Document"] for name, body in json.loads(aws_managed_policies_data).items()}

ROLE = "arn:aws:iam::111122223333:role/app"
IDENTITY = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}
BUCKET = IDENTITY | {"Principal": {"AWS": ROLE}}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
GUARD = {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Principal": "*"}
WITHOUT = object()  # stands for an element that is left out


def document(statement: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A document of one statement with changed elements."""
    changed = {**statement, **changes}
    body = {name: value for name, value in changed.items() if value is not WITHOUT}
    return {"Version": "2012-10-17", "Statement": [body]}


def codes(body: Any, kind: PolicyKind = PolicyKind.IDENTITY, *severities: Severity) -> set[str]:
    findings = validate(body, kind, load_catalogue())
    return {finding.code.value for finding in findings if not severities or finding.severity in severities}


def errors(body: Any, kind: PolicyKind = PolicyKind.IDENTITY) -> set[str]:
    return codes(body, kind, Severity.ERROR)


# ---- documents of which IAM's own judgement is known


@pytest.mark.parametrize(("case", "code"), list(zip(REFUSED, CODES, strict=True)))
def test_given_a_document_that_iam_refuses_then_an_error_tells_iams_reason(case: Any, code: str) -> None:
    assert code in errors(case["document"]), case["error_message"]


@pytest.mark.parametrize("body", ACCEPTED)
def test_given_a_document_that_iam_accepts_then_there_is_no_error_and_it_can_be_parsed(body: Any) -> None:
    assert errors(body) == set()
    assert parse_document(body)


def test_given_every_policy_that_aws_manages_then_none_has_an_error_and_all_can_be_parsed() -> None:
    wrong = {name: found for name, body in MANAGED.items() if (found := errors(body))}
    assert wrong == {}
    assert len(MANAGED) > 1000
    assert all(parse_document(body) for body in MANAGED.values())


def test_the_corpus_is_as_its_source_says() -> None:
    digest = hashlib.sha256((DATA / "policy_documents.json").read_bytes()).hexdigest()
    assert digest in (DATA / "SOURCE.md").read_text(encoding="utf-8")
    assert (len(REFUSED), len(ACCEPTED)) == (78, 54)


# ---- one by one: what brings each finding about, by kind of policy

CONDITION = "Condition"
LONG = "arn:aws:s3:::bucket/" + "a" * 6200
FOUND: list[tuple[Code, PolicyKind, Any]] = [
    (Code.ACTION_AND_NOT_ACTION, PolicyKind.IDENTITY, document(IDENTITY, NotAction="s3:*")),
    (Code.ACTION_CHARACTERS, PolicyKind.IDENTITY, document(IDENTITY, Action="s3:Get Object")),
    (Code.ACTION_COLONS, PolicyKind.IDENTITY, document(IDENTITY, Action="s3:Get:Object")),
    (Code.ACTION_VARIABLE, PolicyKind.IDENTITY, document(IDENTITY, Action="s3:*${x, 'Object'}")),
    (Code.ACTION_VENDOR, PolicyKind.IDENTITY, document(IDENTITY, Action=["s3:Get*", "GetObject"])),
    (Code.ACTION_VENDOR_CHARACTERS, PolicyKind.IDENTITY, document(IDENTITY, Action="s*:GetObject")),
    (Code.ARN_ACCOUNT, PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:aws:sqs:us-east-1:12345:queue")),
    (Code.ARN_FIELDS, PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:aws:s3::bucket")),
    (Code.ARN_PARTITION, PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:amazon:s3:::bucket")),
    (Code.ARN_PREFIX, PolicyKind.IDENTITY, document(IDENTITY, Resource="am:aws:s3:::bucket")),
    (Code.ARN_REGION, PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:aws:s3:us-east-1::bucket")),
    (Code.ARN_REGION, PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:aws:iam:us-east-1::user/a")),
    (Code.ARN_SERVICE, PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:aws:s*:::bucket")),
    (Code.ARN_SHORT, PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:aws:s3")),
    (Code.CHARACTERS, PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:aws:s3:::b\u20ac")),
    (Code.CONDITION, PolicyKind.IDENTITY, document(IDENTITY, Condition=None)),
    (Code.CONDITION, PolicyKind.IDENTITY, document(IDENTITY, Condition={"Bool": ["true"]})),
    (Code.CONDITION_EMPTY, PolicyKind.IDENTITY, document(IDENTITY, Condition={"StringEquals": {"aws:x": []}})),
    (Code.CONDITION_KEY_FORM, PolicyKind.IDENTITY, document(IDENTITY, Condition={"Bool": {"SecureTransport": "true"}})),
    (
        Code.CONDITION_KEY_TYPE,
        PolicyKind.IDENTITY,
        document(IDENTITY, Condition={"StringEquals": {"aws:SourceIp": "10.0.0.0/8"}}),
    ),
    (Code.CONDITION_OPERATOR, PolicyKind.IDENTITY, document(IDENTITY, Condition={"StringIs": {"aws:x": "a"}})),
    (Code.CONDITION_OPERATOR, PolicyKind.IDENTITY, document(IDENTITY, Condition={"NullIfExists": {"aws:x": "true"}})),
    (
        Code.CONDITION_SET_OPERATOR,
        PolicyKind.IDENTITY,
        document(IDENTITY, Condition={"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
    ),
    (
        Code.CONDITION_SET_OPERATOR,
        PolicyKind.IDENTITY,
        document(IDENTITY, Condition={"StringEquals": {"aws:TagKeys": "team"}}),
    ),
    (Code.CONDITION_VALUE, PolicyKind.IDENTITY, document(IDENTITY, Condition={"StringEquals": {"aws:x": {}}})),
    (Code.CONDITION_VALUE, PolicyKind.IDENTITY, document(IDENTITY, Condition={"StringEquals": {"aws:x": [None]}})),
    *(
        (Code.CONDITION_VALUE_FORM, PolicyKind.IDENTITY, document(IDENTITY, Condition={operator: {"aws:x": value}}))
        for operator, value in (
            ("DateLessThan", "tomorrow"),
            ("NumericLessThanIfExists", "ten"),
            ("Bool", "yes"),
            ("Null", "maybe"),
            ("NotIpAddress", "10.0.0.0/64"),
            ("ForAnyValue:IpAddress", ["10.0.0.1", "here"]),
            ("BinaryEquals", "?"),
        )
    ),
    (
        Code.CONDITION_VARIABLE,
        PolicyKind.IDENTITY,
        document(IDENTITY, Condition={"NumericEquals": {"aws:x": "${aws:userid}"}}),
    ),
    (Code.CONDITION_WILDCARD, PolicyKind.IDENTITY, document(IDENTITY, Condition={"StringEquals": {"aws:x": "a*"}})),
    (Code.DUPLICATE_KEY, PolicyKind.IDENTITY, document(IDENTITY, action="s3:*")),
    (Code.DUPLICATE_KEY, PolicyKind.IDENTITY, '{"Version": "2012-10-17", "Version": "2008-10-17"}'),
    (Code.EFFECT, PolicyKind.IDENTITY, document(IDENTITY, Effect="ALLOW")),
    (Code.EFFECT, PolicyKind.IDENTITY, document(IDENTITY, Effect=WITHOUT)),
    (Code.EFFECT, PolicyKind.IDENTITY, document(IDENTITY, Effect=["Allow"])),
    (Code.ELEMENT_CASE, PolicyKind.IDENTITY, document(IDENTITY, Effect=WITHOUT, effect="Allow")),
    (Code.ELEMENT_CASE, PolicyKind.IDENTITY, document(IDENTITY, Condition={"bool": {"aws:SecureTransport": "true"}})),
    (Code.ELEMENT_TYPE, PolicyKind.IDENTITY, document(IDENTITY, Sid=7)),
    (Code.ELEMENT_TYPE, PolicyKind.IDENTITY, document(IDENTITY, Action=["s3:*", 7])),
    (Code.FULL_ADMINISTRATION, PolicyKind.IDENTITY, document(IDENTITY, Action="*", Resource="*")),
    (Code.IAM_PATH, PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:aws:iam::111122223333:roles/a")),
    (Code.MISSING_ACTION, PolicyKind.IDENTITY, document(IDENTITY, Action=WITHOUT)),
    (Code.MISSING_ACTION, PolicyKind.IDENTITY, document(IDENTITY, Action=[None])),
    (Code.MISSING_PRINCIPAL, PolicyKind.RESOURCE, document(BUCKET, Principal=WITHOUT)),
    (Code.MISSING_PRINCIPAL, PolicyKind.TRUST, document(TRUST, Principal=WITHOUT)),
    (Code.MISSING_PRINCIPAL, PolicyKind.RCP, document(GUARD, Principal=WITHOUT)),
    (Code.MISSING_RESOURCE, PolicyKind.IDENTITY, document(IDENTITY, Resource=WITHOUT)),
    (Code.MISSING_RESOURCE, PolicyKind.SCP, document(IDENTITY, Resource=WITHOUT)),
    (Code.MISSING_RESOURCE, PolicyKind.RESOURCE, document(BUCKET, Resource=[])),
    (Code.MISSING_STATEMENT, PolicyKind.IDENTITY, {"Version": "2012-10-17"}),
    (Code.NOT_AN_OBJECT, PolicyKind.IDENTITY, {"Version": "2012-10-17", "Statement": "Allow"}),
    (Code.NOT_AN_OBJECT, PolicyKind.IDENTITY, "[]"),
    (Code.NOT_ACTION_ALLOWED, PolicyKind.IDENTITY, document(IDENTITY, Action=WITHOUT, NotAction="iam:*")),
    (Code.NOT_JSON, PolicyKind.IDENTITY, '{"Version": }'),
    (Code.NOT_JSON, PolicyKind.IDENTITY, document(IDENTITY, Resource={1})),
    (Code.NOT_JSON, PolicyKind.IDENTITY, "[" * 100_000),
    (Code.NOT_PRINCIPAL_ALLOWED, PolicyKind.RESOURCE, document(BUCKET, Principal=WITHOUT, NotPrincipal={"AWS": ROLE})),
    (Code.NOT_RESOURCE_ALLOWED, PolicyKind.IDENTITY, document(IDENTITY, Resource=WITHOUT, NotResource=ROLE)),
    (Code.NULL_IN_LIST, PolicyKind.IDENTITY, document(IDENTITY, Resource=["*", None])),
    (Code.PASS_ROLE_ANYWHERE, PolicyKind.IDENTITY, document(IDENTITY, Action="iam:Pass*", Resource="*")),
    (Code.PRINCIPAL, PolicyKind.RESOURCE, document(BUCKET, Principal={"AWS": "arn:aws:iam::111122223333:role/*"})),
    (Code.PRINCIPAL, PolicyKind.RESOURCE, document(BUCKET, Principal={"AWS": "arn:aws:iam::111122223333:group/a"})),
    (Code.PRINCIPAL, PolicyKind.RESOURCE, document(BUCKET, Principal={"AWS": []})),
    (Code.PRINCIPAL, PolicyKind.RESOURCE, document(BUCKET, Principal={"Amazon": "*"})),
    (Code.PRINCIPAL, PolicyKind.RESOURCE, document(BUCKET, Principal=ROLE)),
    (Code.PRINCIPAL, PolicyKind.RESOURCE, document(BUCKET, Principal={"CanonicalUser": "me"})),
    (Code.PRINCIPAL, PolicyKind.TRUST, document(TRUST, Principal={"Federated": "a provider"})),
    (Code.PRINCIPAL_AND_NOT_PRINCIPAL, PolicyKind.RESOURCE, document(BUCKET, NotPrincipal="*")),
    (Code.PRINCIPAL_DELETED, PolicyKind.RESOURCE, document(BUCKET, Principal={"AWS": "AROAEXAMPLE1234567890"})),
    *((Code.PRINCIPAL_FORBIDDEN, kind, document(BUCKET)) for kind in (PolicyKind.IDENTITY, PolicyKind.SCP)),
    (Code.PRINCIPAL_FORBIDDEN, PolicyKind.BOUNDARY, document(BUCKET)),
    (Code.PRINCIPAL_FORBIDDEN, PolicyKind.SESSION, document(BUCKET)),
    (Code.PRINCIPAL_FORBIDDEN, PolicyKind.TRUST, document(TRUST, Principal=WITHOUT, NotPrincipal={"AWS": ROLE})),
    (Code.PRINCIPAL_SERVICE, PolicyKind.TRUST, document(TRUST, Principal={"Service": "ec2"})),
    (Code.PUBLIC, PolicyKind.RESOURCE, document(BUCKET, Principal="*")),
    (Code.PUBLIC, PolicyKind.TRUST, document(TRUST, Principal={"AWS": ["*"]})),
    (Code.RCP_ACTION, PolicyKind.RCP, document(GUARD, Action="*")),
    (Code.RCP_ACTION, PolicyKind.RCP, document(GUARD, Action=WITHOUT, NotAction="s3:*")),
    (Code.RCP_EFFECT, PolicyKind.RCP, document(GUARD, Effect="Allow")),
    (Code.RCP_PRINCIPAL, PolicyKind.RCP, document(GUARD, Principal={"AWS": "*"})),
    (Code.RCP_PRINCIPAL, PolicyKind.RCP, document(GUARD, Principal=WITHOUT, NotPrincipal="*")),
    (Code.REPEATED_VALUE, PolicyKind.IDENTITY, document(IDENTITY, Action=["s3:Get*", "S3:get*"])),
    (Code.RESOURCE_AND_NOT_RESOURCE, PolicyKind.RESOURCE, document(BUCKET, NotResource="*")),
    (Code.RESOURCE_FORBIDDEN, PolicyKind.TRUST, document(TRUST, Resource="*")),
    (Code.RESOURCE_FORM, PolicyKind.IDENTITY, document(IDENTITY, Resource="bucket*")),
    (Code.SID_CHARACTERS, PolicyKind.IDENTITY, document(IDENTITY, Sid="read_objects")),
    (Code.SID_FORM, PolicyKind.IDENTITY, document(IDENTITY, Sid="read objects")),
    (Code.SID_REPEATED, PolicyKind.SCP, {"Version": "2012-10-17", "Statement": [IDENTITY | {"Sid": "A"}] * 2}),
    (Code.TOO_LONG, PolicyKind.MANAGED, document(IDENTITY, Resource=[LONG, "*"])),
    (Code.TRUST_ACTION, PolicyKind.TRUST, document(TRUST, Action="s3:GetObject")),
    (Code.TRUST_ACTION, PolicyKind.TRUST, document(TRUST, Action=WITHOUT, NotAction="sts:TagSession")),
    (
        Code.TRUST_FEDERATED,
        PolicyKind.TRUST,
        document(TRUST, Action="sts:AssumeRoleWithWebIdentity", Principal={"Federated": "accounts.google.com"}),
    ),
    (Code.UNKNOWN_ACTION, PolicyKind.IDENTITY, document(IDENTITY, Action="s3:GetObjects")),
    (Code.UNKNOWN_ACTION, PolicyKind.IDENTITY, document(IDENTITY, Action="s3:Got*")),
    (Code.UNKNOWN_ELEMENT, PolicyKind.IDENTITY, document(IDENTITY, Resources="*")),
    (Code.UNKNOWN_SERVICE, PolicyKind.IDENTITY, document(IDENTITY, Action="s4:GetObject")),
    (
        Code.VARIABLE_WITHOUT_VERSION,
        PolicyKind.RESOURCE,
        document(BUCKET, Resource="arn:aws:s3:::b/${aws:userid}") | {"Version": "2008-10-17"},
    ),
    (Code.VERSION, PolicyKind.IDENTITY, document(IDENTITY) | {"Version": 20121017}),
    (Code.VERSION_OLD, PolicyKind.SCP, {"Statement": IDENTITY}),
]


@pytest.mark.parametrize(("code", "kind", "body"), FOUND)
def test_given_a_flaw_then_it_is_found(code: Code, kind: PolicyKind, body: Any) -> None:
    severities = {finding.severity for finding in validate(body, kind, load_catalogue()) if finding.code is code}
    assert severities == {RULES[code].severity}


def test_every_code_is_in_the_table_and_brought_about_by_a_case() -> None:
    assert set(RULES) == set(Code)
    assert {code for code, _, _ in FOUND} == set(Code)


CLEAN: list[tuple[PolicyKind, Any]] = [
    *((kind, document(IDENTITY)) for kind in PolicyKind if kind not in {"resource", "trust", "rcp"}),
    (PolicyKind.RESOURCE, document(BUCKET)),
    (PolicyKind.RESOURCE, document(BUCKET, Resource=WITHOUT)),
    (PolicyKind.RESOURCE, document(BUCKET, Sid="read by app: all")),
    (PolicyKind.RESOURCE, document(BUCKET, Effect="Deny", Principal=WITHOUT, NotPrincipal={"AWS": ROLE})),
    (PolicyKind.RESOURCE, document(BUCKET, Principal={"AWS": ["111122223333", "arn:aws:iam::111122223333:root"]})),
    (PolicyKind.RESOURCE, document(BUCKET, Principal={"AWS": "arn:aws:sts::111122223333:assumed-role/app/session"})),
    (PolicyKind.RESOURCE, document(BUCKET, Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})),
    (PolicyKind.TRUST, document(TRUST)),
    (PolicyKind.TRUST, document(TRUST, Principal={"Federated": "arn:aws:iam::111122223333:saml-provider/ADFS"})),
    (PolicyKind.RCP, document(GUARD)),
    (PolicyKind.RCP, document(GUARD, Effect="Allow", Action=["*"], Sid="RCPFullAWSAccess")),
    (PolicyKind.SCP, document(IDENTITY, Action="*", Resource="*")),
    (PolicyKind.SCP, document(IDENTITY, Condition={"Bool": {"aws:SecureTransport": "true"}})),
    (PolicyKind.SCP, document(IDENTITY, Action=WITHOUT, NotAction="iam:*", Resource=WITHOUT, NotResource=ROLE)),
    (PolicyKind.IDENTITY, document(IDENTITY, Action="s3:*Object*", Sid="")),
    (PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:*:s3:*:111122223333:accesspoint/a")),
    (PolicyKind.IDENTITY, document(IDENTITY, Resource="arn:aws-us-gov:iam::*:role/${aws:username}")),
    (PolicyKind.IDENTITY, document(IDENTITY, Condition={"NumericEquals": {"aws:MultiFactorAuthAge": 60}})),
    (PolicyKind.IDENTITY, document(IDENTITY, Condition={"IpAddress": {"aws:SourceIp": ["10.0.0.1", "2001:db8::/32"]}})),
    (PolicyKind.IDENTITY, document(IDENTITY, Condition={"ForAnyValue:StringLike": {"aws:TagKeys": "t*"}})),
    (PolicyKind.IDENTITY, document(IDENTITY, Condition={"StringEquals": {"aws:x": "a${*}"}})),
    (PolicyKind.IDENTITY, document(IDENTITY, Condition={"Null": {"aws:TokenIssueTime": True}})),
]


@pytest.mark.parametrize(("kind", "body"), CLEAN)
def test_given_a_good_policy_of_a_kind_then_nothing_is_found(kind: PolicyKind, body: Any) -> None:
    assert validate(body, kind, load_catalogue()) == ()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.VERSION_OLD, PolicyKind.RESOURCE),
        (Code.VERSION_OLD, PolicyKind.TRUST),
        (Code.SID_REPEATED, PolicyKind.RESOURCE),
        (Code.TOO_LONG, PolicyKind.IDENTITY),
        (Code.TOO_LONG, PolicyKind.TRUST),
    ],
)
def test_given_a_flaw_that_a_kind_tolerates_then_it_is_a_warning(code: Code, kind: PolicyKind) -> None:
    base = TRUST if kind is PolicyKind.TRUST else BUCKET if kind is PolicyKind.RESOURCE else IDENTITY
    twice = [base | {"Sid": "A", "Condition": {"StringEquals": {"aws:x": LONG}}}] * 2
    findings = validate({"Statement": twice}, kind)

    assert {finding.severity for finding in findings if finding.code is code} == {Severity.WARNING}


def test_given_several_flaws_then_all_are_told_with_place_and_reason() -> None:
    body = {
        "Version": "2012-10-17",
        "Statement": [IDENTITY, IDENTITY | {"Effect": "allow", "Action": ["s3:*", "Get"], "Resource": "bucket"}],
    }
    assert [(finding.code, finding.path, finding.message) for finding in validate(body, PolicyKind.IDENTITY)] == [
        (Code.EFFECT, "$.Statement[1].Effect", "'allow' is neither Allow nor Deny"),
        (Code.ACTION_VENDOR, "$.Statement[1].Action[1]", "'Get' does not say of which service: service:ActionName"),
        (Code.RESOURCE_FORM, "$.Statement[1].Resource", "'bucket' is neither an ARN nor \"*\""),
    ]


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        (PolicyKind.MANAGED, 6144),
        (PolicyKind.USER_INLINE, 2048),
        (PolicyKind.ROLE_INLINE, 10_240),
        (PolicyKind.GROUP_INLINE, 5120),
        (PolicyKind.SCP, 5120),
    ],
)
def test_given_the_longest_document_of_a_kind_then_one_character_more_is_too_long(kind: PolicyKind, limit: int) -> None:
    empty = len(json.dumps(document(IDENTITY, Resource="arn:aws:s3:::"), separators=(",", ":")))
    longest, longer = (document(IDENTITY, Resource="arn:aws:s3:::" + "a" * (limit - empty + more)) for more in (0, 1))
    assert errors(longest, kind) == set()
    assert errors(longer, kind) == {"too_long"}
    spaced = json.dumps(longest, indent=4)
    assert errors(spaced, kind) == ({"too_long"} if kind is PolicyKind.SCP else set()), "SCPs count white space"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (document(IDENTITY), PolicyKind.IDENTITY),
        (document(BUCKET), PolicyKind.RESOURCE),
        (document(GUARD), PolicyKind.RESOURCE),
        (document(TRUST), PolicyKind.TRUST),
        (document(TRUST, Action=["sts:AssumeRole", "sts:TagSession"]), PolicyKind.TRUST),
        (document(TRUST, Resource="*"), PolicyKind.RESOURCE),
        (document(TRUST, Action="ecr:GetDownloadUrlForLayer"), PolicyKind.RESOURCE),
        (json.dumps(document(TRUST)), PolicyKind.TRUST),
        ("no JSON", PolicyKind.IDENTITY),
    ],
)
def test_given_a_document_then_its_kind_is_recognised(body: Any, kind: PolicyKind) -> None:
    assert recognise(body) is kind


# ---- whatever else a document may hold

SCRAPS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["*", "Allow", "s3:*", "2012-10-17", "arn:aws:s3:::b", "${aws:userid}", "Action", "AWS", ""]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["Action", "AWS", "Bool", "aws:x", "Sid", "", "StringLike"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
WHOLE = [*ACCEPTED, *(body for _, body in CLEAN), *list(MANAGED.values())[:40]]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A good document in which one or two values, at any depth, are replaced, removed or added."""
    body = json.loads(json.dumps(draw(st.sampled_from(WHOLE))))
    for _ in range(draw(st.integers(1, 2))):
        holder = body
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(holder[key], dict | list) and holder[key] and draw(st.integers(0, 3)):
                holder = holder[key]
                continue
            if draw(st.booleans()):
                holder[key] = draw(SCRAPS)
            else:
                del holder[key]
            break
        if isinstance(holder, dict) and draw(st.integers(0, 4)) == 0:
            holder[draw(st.sampled_from(["Principal", "NotAction", "effect", "Condition", "x", ""]))] = draw(SCRAPS)
    return body


def listed(*values: Any) -> st.SearchStrategy[Any]:
    """One of the values by itself, or a list of some, perhaps with a null or of none at all."""
    return st.sampled_from(values) | st.lists(st.sampled_from([*values, None]), max_size=3)


CONDITIONS = st.dictionaries(
    st.sampled_from(["StringLike", "ForAnyValue:StringEquals", "bool", "Null", "DateLessThan", "Other"]),
    st.dictionaries(
        st.sampled_from(["aws:x", "aws:TagKeys"]), listed("true", "2026-01-01", "${aws:userid}", 7, ""), max_size=2
    ),
    max_size=2,
)
PLAUSIBLE = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": listed("s3:Get*", "sts:AssumeRole", "sts:TagSession")},
    optional={
        "Sid": st.sampled_from(["", "A", "B"]),
        "Resource": listed("*", "arn:aws:s3:::b/${aws:userid}", "arn:aws:iam::111122223333:role/a"),
        "Condition": CONDITIONS,
        "Principal": st.sampled_from(["*", {"AWS": ROLE}, {"AWS": []}, {"Service": "ec2.amazonaws.com"}]),
    },
)
BODIES = st.fixed_dictionaries(
    {"Version": st.sampled_from(["2012-10-17", "2008-10-17"]), "Statement": st.lists(PLAUSIBLE, min_size=1, max_size=2)}
)


@given(mutated() | BODIES, st.none() | st.sampled_from(PolicyKind))
@settings(deadline=None, max_examples=400)
def test_whatever_a_document_holds_it_is_judged_and_what_passes_can_be_parsed(
    body: Any, kind: PolicyKind | None
) -> None:
    found = validate(body, kind or recognise(body), load_catalogue())
    assert all(finding.path.startswith("$") and finding.message for finding in found)
    if any(finding.severity is Severity.ERROR for finding in found):
        with contextlib.suppress(PolicyDocumentError):
            parse_document(body)
    else:
        assert parse_document(body)


@given(st.text(max_size=40) | st.from_regex(r'\{"[A-Za-z]*": ?[\[{"]?.{0,20}', fullmatch=True))
@settings(deadline=None)
def test_whatever_a_text_holds_it_is_judged(text: str) -> None:
    assert any(finding.severity is Severity.ERROR for finding in validate(text, PolicyKind.IDENTITY))


def test_the_statement_of_aws_that_allows_all_is_told_apart_by_every_element() -> None:
    full = document(GUARD, Effect="Allow", Action="*")
    assert errors(full, PolicyKind.RCP) == set()
    narrower = document(GUARD, Effect="Allow", Action="*", Condition={"Bool": {"aws:SecureTransport": "true"}})
    assert errors(narrower, PolicyKind.RCP) == {"rcp_effect", "rcp_action"}


def test_a_statement_of_no_known_form_has_no_texts() -> None:
    fields = {"Action": 7, "Condition": {"Bool": 3, "Null": {"k": object()}}}
    odd = Elements(fields, "$", RULES_OF[PolicyKind.IDENTITY], with_variables=True)
    assert list(odd.texts("Action", "Resource")) == []
    assert list(odd.conditions()) == []
