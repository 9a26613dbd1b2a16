"""CloudTrail records, made from a real one, that tell things in their rarer ways and in all combinations."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]


def odd_records(model: Json) -> Iterator[Json]:
    """Records that tell resources, roles, sessions and times in their rarer ways."""
    base = {
        **model,
        "recipientAccountId": "123837392027",
        "errorCode": None,
        "resources": None,
        "awsRegion": "us-east-1",
    }
    role = {
        "type": "AssumedRole",
        "principalId": "AROATFQR7NSC000000000:one",
        "arn": "arn:aws:sts::123837392027:assumed-role/app/one",
        "accountId": "123837392027",
    }
    bucket, thing = "arn:aws:s3:::photos", "arn:aws:s3:::photos/cat.jpg"
    get = {"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "eventCategory": "Data"}
    run = {"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances"}
    function = {"eventSource": "lambda.amazonaws.com", "eventName": "CreateFunction20150331"}
    passed = "arn:aws:iam::123837392027:role/app/worker"
    changes: list[Json] = [
        {**get, "resources": [{"ARN": bucket}, {"ARN": thing}], "requestParameters": {"key": "cat.jpg"}},
        {**get, "resources": [{"ARN": f"{thing}{number}"} for number in range(30)]},
        {**get, "resources": [{"ARN": thing}], "requestParameters": {"x-amz-copy-source": "/other/thing"}},
        {**get, "resources": [{"ARN": bucket}], "userIdentity": role},
        {**get, "userIdentity": {**role, "principalId": "AROATFQR7NSC000000000:two"}, "errorCode": "AccessDenied"},
        {**get, "managementEvent": False, "eventCategory": None, "awsRegion": "eu-north-1"},
        {**get, "resources": [{"ARN": thing}], "requestParameters": {"bucketName": "photos--use1-az4--x-s3"}},
        {**run, "requestParameters": {"iamInstanceProfile": {"name": "web"}}},
        {**run, "requestParameters": {"iamInstanceProfile": {}}},
        {**function, "requestParameters": {"functionName": "thumbnails", "role": passed}},
        {**function, "requestParameters": {"functionName": "thumbnails", "role": passed, "functionArn": "x"}},
        {**function, "requestParameters": {"nested": {"deep": [{"executionRole": "by-name"}]}}},
        {"eventSource": "sqs.amazonaws.com", "eventName": "SendMessage", "requestParameters": {"queueName": "jobs"}},
        {
            "eventSource": "states.amazonaws.com",
            "eventName": "DescribeActivity",
            "requestParameters": {"activityArn": "arn:aws:states:us-east-1:123837392027:activity:approve"},
        },
        {
            "eventSource": "autoscaling.amazonaws.com",
            "eventName": "PutScalingPolicy",
            "additionalEventData": {"service": "application-autoscaling"},
        },
        {"errorCode": "AccessDenied", "errorMessage": "User: x is not authorized to perform: kms:Decrypt on y"},
        {"eventType": "AwsServiceEvent", "userIdentity": None, "awsRegion": "ap-south-1"},
        {"eventName": None, "awsRegion": "sa-east-1"},
        {"eventTime": "2026-01-01T23:59:59Z"},
    ]
    return (json.loads(json.dumps({**base, **change})) for change in changes)


def random_records(model: Json, count: int) -> list[Json]:
    """Records that combine what tells one call from another, and what their requests name, in every way."""
    draw = random.Random(20_260_301)  # noqa: S311 the same records in each run
    account = "111122223333"
    issuer = {"type": "Role", "principalId": "AROAEXAMPLE00000000R1", "arn": f"arn:aws:iam::{account}:role/x/app"}
    role = f"arn:aws:iam::{account}:role/worker"
    choices: dict[str, list[Any]] = {
        "userIdentity": [
            None,
            {"type": "IAMUser", "principalId": "AIDAEXAMPLE0000000001", "arn": f"arn:aws:iam::{account}:user/a"},
            {"type": "IAMUser", "principalId": "AIDAEXAMPLE0000000001", "invokedBy": "AWS Internal"},
            *(
                {
                    "type": "AssumedRole",
                    "principalId": f"AROAEXAMPLE00000000R1:{session}",
                    "arn": f"arn:aws:sts::{account}:assumed-role/app/{session}",
                    "accountId": account,
                    **({"sessionContext": {"sessionIssuer": issuer}} if known else {}),
                }
                for session in ("one", "two")
                for known in (True, False)
            ),
            {
                "type": "AssumedRole",
                "principalId": f"{account}:aws:ec2-instance:i-1",
                "arn": f"arn:aws:sts::{account}:assumed-role/aws:ec2-instance/i-1",
                "accountId": account,
            },
            {
                "type": "FederatedUser",
                "principalId": f"{account}:bob",
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "IAMUser",
                        "principalId": "AIDAEXAMPLE0000000002",
                        "arn": f"arn:aws:iam::{account}:user/b",
                        "accountId": account,
                    }
                },
            },
            {"type": "AWSAccount", "principalId": "AIDAEXAMPLE0000000009", "accountId": "999988887777"},
            {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
            {"type": "Root", "principalId": account, "accountId": account},
            {"invokedBy": "config.amazonaws.com"},
        ],
        "call": [
            ("s3.amazonaws.com", "GetObject"),
            ("s3.amazonaws.com", "GetBucketAcl"),
            ("s3.amazonaws.com", "CopyObject"),
            ("lambda.amazonaws.com", "Invoke"),
            ("lambda.amazonaws.com", "CreateFunction20150331"),
            ("dynamodb.amazonaws.com", "Query"),
            ("sqs.amazonaws.com", "SendMessage"),
            ("ec2.amazonaws.com", "RunInstances"),
            ("sns.amazonaws.com", "Publish"),
            ("kinesis.amazonaws.com", "GetRecords"),
            ("ecr.amazonaws.com", "BatchGetImage"),
            ("autoscaling.amazonaws.com", "DescribeScalingPolicies"),
            ("sts.amazonaws.com", "AssumeRole"),
            ("unknown.amazonaws.com", "DoThings"),
            (None, None),
        ],
        "resources": [
            None,
            [],
            [{"ARN": "arn:aws:s3:::photos"}],
            [{"ARN": "arn:aws:s3:::photos/1"}, {"ARN": "arn:aws:s3:::photos"}],
            [{"ARNPrefix": "arn:aws:s3:::photos/"}],
            [{"ARN": f"arn:aws:dynamodb:us-east-1:{account}:table/orders"}],
            [{"ARN": f"arn:aws:lambda:us-east-1:{account}:function:f"}],
            [{"ARN": role}, {"ARN": None}],
        ],
        "requestParameters": [
            None,
            {},
            {"bucketName": "photos", "key": 'a"b'},
            {"bucketName": "photos", "x-amz-copy-source": "/b/c"},
            {"functionName": "f"},
            {"functionName": "f", "qualifier": "live"},
            {"functionName": None, "role": role},
            {"functionName": "f", "role": role, "environment": {"variables": {"resourceArn": "x"}}},
            {"role": "worker"},
            {"roles": [role, "other"]},
            {"roleArn": ""},
            {"iamInstanceProfile": {"arn": "x", "n": 1}},
            {"a": {"roleThing": {"b": [{"c": "d"}]}}},
            {"text": '{"roleArn":"x","functionName":"g"}'},
            {"tableName": "orders"},
            {"tableName": "orders", "indexName": "by-day"},
            {"tableName": 5},
            {"queueUrl": f"https://sqs.us-east-1.amazonaws.com/{account}/jobs"},
            {"queueName": "jobs"},
            {"queueName": "jobs", "queueOwnerAWSAccountId": "999988887777"},
            {"topicArn": f"arn:aws:sns:us-east-1:{account}:t"},
            {"topicArn": f"arn:aws:sns:us-east-1:{account}:t", "targetArn": "arn:aws:sns:us-east-1:1:endpoint/x"},
            {"repositoryName": "app/web", "registryId": account},
            {"streamName": "s", "streamARN": "nonsense"},
            {"durationSeconds": 900, "roleArn": role, "roleSessionName": "x"},
        ],
        "errorCode": [
            None,
            None,
            None,
            "AccessDenied",
            "Client.UnauthorizedOperation",
            "ThrottlingException",
            "Whatever",
        ],
        "errorMessage": [None, "not authorized to perform: s3:PutObject because", "nothing"],
        "eventCategory": [None, "Management", "Data", "Insight"],
        "managementEvent": [None, True, False],
        "readOnly": [None, True, False, False],
        "eventType": [None, "AwsApiCall", "AwsApiCall", "AwsServiceEvent", "AwsConsoleSignIn"],
        "awsRegion": ["us-east-1", "us-east-1", "eu-west-1", None, "NOT A REGION"],
        "recipientAccountId": [account, account, account, None, "nobody"],
        "additionalEventData": [None, {"service": "application-autoscaling"}, {"service": 3}],
    }
    records: list[Json] = []
    for _ in range(count):
        drawn = {name: draw.choice(values) for name, values in choices.items()}
        source, name = drawn.pop("call")
        # Many identities, so that one use which leaves its resource open doesn't hide all the others.
        drawn["userIdentity"] = json.loads(
            json.dumps(drawn["userIdentity"]).replace("EXAMPLE00", f"EXAMPLE{draw.randint(0, 999):03d}")
        )
        time = f"2026-0{draw.randint(1, 9)}-{draw.randint(10, 28)}T{draw.randint(10, 23)}:00:00Z"
        records.append({**model, **drawn, "eventSource": source, "eventName": name, "eventTime": time})
    return records
