"""Deletes the stack. It is the last of these tests, and run by itself."""

import json

from conftest import STACK, Stack, aws

# By AWS's name for it: how to list all that there is of a kind.
KINDS = {
    "AWS::DynamoDB::Table": ("dynamodb", "list_tables", "TableNames"),
    "AWS::SecretsManager::Secret": ("secretsmanager", "list_secrets", "SecretList"),
    "AWS::SQS::Queue": ("sqs", "list_queues", "QueueUrls"),
    "AWS::Lambda::Function": ("lambda", "list_functions", "Functions"),
    "AWS::Lambda::EventSourceMapping": ("lambda", "list_event_source_mappings", "EventSourceMappings"),
    "AWS::Events::EventBus": ("events", "list_event_buses", "EventBuses"),
    "AWS::Scheduler::Schedule": ("scheduler", "list_schedules", "Schedules"),
    "AWS::Logs::LogGroup": ("logs", "describe_log_groups", "logGroups"),
    "AWS::IAM::Role": ("iam", "list_roles", "Roles"),
    "AWS::ApiGatewayV2::Api": ("apigatewayv2", "get_apis", "Items"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "describe_alarms", "MetricAlarms"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch", "list_dashboards", "DashboardEntries"),
}


def what_there_is():
    there_is = {}
    for kind, (service, operation, key) in KINDS.items():
        items = json.dumps(getattr(aws(service), operation)().get(key, []), default=str)
        there_is[kind] = items
    return there_is


def test_what_outlives_the_stack_is_what_the_template_retains():
    stack = Stack()
    nested = [stack.resources[name] for name in ("Alarms", "Dashboard")]
    before = what_there_is()
    of_kind = {}
    cloudformation = aws("cloudformation")
    for name in [STACK, *nested]:
        for it in cloudformation.describe_stack_resources(StackName=name)["StackResources"]:
            if it["ResourceType"] in KINDS:
                of_kind.setdefault(it["ResourceType"], {})[it["LogicalResourceId"]] = it["PhysicalResourceId"]
    for kind, resources in of_kind.items():
        for name, physical in resources.items():
            assert physical.rsplit("/", 1)[-1] in before[kind], f"{kind} {name} was not there"
    assert set(of_kind) == set(KINDS), "each kind that is looked for is one that the stack has"

    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    after = what_there_is()
    left = {
        name
        for kind, resources in of_kind.items()
        for name, physical in resources.items()
        if physical.rsplit("/", 1)[-1] in after[kind]
    }
    assert left == {"WebhooksTable", "KeyRing"}
