"""What `evaluate` is measured with: one user's policies, and distinct requests of that user.

The identity policy has eight statements: Allow and Deny, wildcards, NotAction, conditions and a policy variable. A
permissions boundary and one organization level limit it. No request occurs twice, so that no memory of whole decisions
could help.
"""

import random
from collections.abc import Mapping
from typing import Any

from benchmarks.managed import Document

ACCOUNT = "111122223333"
PRINCIPAL = f"arn:aws:iam::{ACCOUNT}:user/team/alice"

IDENTITY: Document = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ReadOrders",
            "Effect": "Allow",
            "Action": ["s3:Get*", "s3:List*"],
            "Resource": ["arn:aws:s3:::orders-*", "arn:aws:s3:::orders-*/*"],
        },
        {
            "Sid": "OwnFolder",
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:DeleteObject"],
            "Resource": "arn:aws:s3:::orders-data/home/${aws:username}/*",
        },
        {
            "Sid": "Tables",
            "Effect": "Allow",
            "Action": ["dynamodb:*Item", "dynamodb:Query"],
            "Resource": f"arn:aws:dynamodb:*:{ACCOUNT}:table/orders-*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}},
        },
        {"Sid": "Look", "Effect": "Allow", "Action": ["ec2:Describe*", "cloudwatch:Get*"], "Resource": "*"},
        {
            "Sid": "TheRestWithMfa",
            "Effect": "Allow",
            "NotAction": ["iam:*", "organizations:*", "ec2:*", "s3:*", "dynamodb:*", "kms:*"],
            "Resource": "*",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        },
        {
            "Sid": "OwnInstances",
            "Effect": "Allow",
            "Action": ["ec2:StartInstances", "ec2:StopInstances"],
            "Resource": f"arn:aws:ec2:*:{ACCOUNT}:instance/*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "orders"}},
        },
        {"Sid": "Secrets", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::*-secret/*"},
        {
            "Sid": "FromOffice",
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {
                "NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24", "198.51.100.0/24"]},
                "Bool": {"aws:ViaAWSService": "false"},
            },
        },
    ],
}
BOUNDARY: Document = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:*", "dynamodb:*", "ec2:*", "sqs:*", "lambda:*", "logs:*"],
            "Resource": "*",
        },
        {"Effect": "Deny", "Action": "lambda:Delete*", "Resource": "*"},
    ],
}
SERVICE_CONTROL: Document = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {
            "Effect": "Deny",
            "NotAction": ["iam:*", "sts:*", "s3:*"],
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}},
        },
    ],
}
POLICIES: Mapping[str, Any] = {
    "identity_policies": [IDENTITY],
    "permissions_boundaries": [BOUNDARY],
    "service_control_policies": [[SERVICE_CONTROL]],
}

# Action → pattern of the resources that it is asked for; {n} makes each request another one.
ASKED: Mapping[str, tuple[str, ...]] = {
    "s3:GetObject": ("arn:aws:s3:::orders-data/{year}/{n}.json", "arn:aws:s3:::orders-secret/{n}"),
    "s3:ListBucket": ("arn:aws:s3:::orders-{n}", "arn:aws:s3:::archive-{n}"),
    "s3:PutObject": ("arn:aws:s3:::orders-data/home/alice/{n}", "arn:aws:s3:::orders-data/home/bob/{n}"),
    "s3:DeleteObject": ("arn:aws:s3:::orders-data/home/alice/{n}",),
    "dynamodb:GetItem": (f"arn:aws:dynamodb:{{region}}:{ACCOUNT}:table/orders-{{n}}",),
    "dynamodb:PutItem": (f"arn:aws:dynamodb:{{region}}:{ACCOUNT}:table/billing-{{n}}",),
    "dynamodb:Query": (f"arn:aws:dynamodb:{{region}}:{ACCOUNT}:table/orders-{{n}}/index/by-day",),
    "ec2:DescribeInstances": ("*",),
    "ec2:StopInstances": (f"arn:aws:ec2:{{region}}:{ACCOUNT}:instance/i-{{n}}",),
    "ec2:TerminateInstances": (f"arn:aws:ec2:{{region}}:{ACCOUNT}:instance/i-{{n}}",),
    "sqs:SendMessage": (f"arn:aws:sqs:{{region}}:{ACCOUNT}:orders-{{n}}",),
    "lambda:InvokeFunction": (f"arn:aws:lambda:{{region}}:{ACCOUNT}:function:orders-{{n}}",),
    "lambda:DeleteFunction": (f"arn:aws:lambda:{{region}}:{ACCOUNT}:function:orders-{{n}}",),
    "logs:PutLogEvents": (f"arn:aws:logs:{{region}}:{ACCOUNT}:log-group:/orders/{{n}}",),
    "iam:PassRole": (f"arn:aws:iam::{ACCOUNT}:role/app-{{n}}",),
    "kms:Decrypt": (f"arn:aws:kms:{{region}}:{ACCOUNT}:alias/{{n}}",),
}
REGIONS = ("eu-west-1", "us-east-1", "ap-southeast-2")


def requests(count: int, batch: int) -> list[dict[str, Any]]:
    """`count` requests in the form of a case of `leastwise policy evaluate`; no two are equal, in no two batches."""
    dice = random.Random(batch)  # noqa: S311 the same requests in every run, not a secret
    return [_request(dice, batch * count + place) for place in range(count)]


def _request(dice: random.Random, number: int) -> dict[str, Any]:
    action = dice.choice(tuple(ASKED))
    region = dice.choice(REGIONS)
    resource = dice.choice(ASKED[action]).format(n=number, region=region, year=2024 + number % 3)
    return {
        "principal": PRINCIPAL,
        "action": action,
        "resource": resource,
        "context": {
            "aws:CurrentTime": f"2026-11-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
            "aws:EpochTime": 1793491200 + number,
            "aws:MultiFactorAuthPresent": dice.random() < 0.7,  # noqa: PLR2004 most sessions
            "aws:RequestedRegion": region,
            "aws:ResourceTag/team": dice.choice(("orders", "billing")),
            "aws:SourceIp": f"{dice.choice(('203.0.113', '203.0.113', '198.51.100', '192.0.2'))}.{number % 256}",
            "aws:ViaAWSService": False,
        },
    }
