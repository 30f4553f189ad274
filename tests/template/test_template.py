"""What must hold of template.yaml once SAM has rendered it: what no linter knows, because it is this system's."""

import json
import re
import unittest

from rendered import ROOT, TOKEN, many, named, of_type, rendered, source

TEMPLATE = rendered()
RESOURCES = TEMPLATE["Resources"]
FUNCTIONS = of_type(TEMPLATE, "AWS::Lambda::Function")
QUEUES = of_type(TEMPLATE, "AWS::SQS::Queue")
ROLES = of_type(TEMPLATE, "AWS::IAM::Role")
MAPPINGS = of_type(TEMPLATE, "AWS::Lambda::EventSourceMapping")


POLICIES_RIGHT = [
    "",
    " ",
    "pipedrive.retries=3s,30s,150s pipedrive.timeout=10s",
    " epages.hold=1m  epages.timeout=9s pipedrive.timeout=20s epages.timeout=9999ms pipedrive.timeout=19s ",
    "pipedrive.retries=none epages.retries=" + ",".join(["500ms", "0s", "86400s", "9999m", "99h", "7d"] * 3 + ["1s", "2s"]),
    "pipedrive.strikes=1 pipedrive.strikes=999999 pipedrive.quota=0 pipedrive.quota=999999 pipedrive.ban=0s",
    "pipedrive.stale=1s pipedrive.stale=30m pipedrive.stale=72h pipedrive.stale=3d pipedrive.stale=100d pipedrive.stale=365d",
]
# Each of them stops every function that reads it.
POLICIES_WRONG = [
    "ban=1",
    "other.ban=1m",
    "pipedrive.ban",
    "pipedrive.ban = 3s",
    "pipedrive.ban=3",
    "pipedrive.ban=soon",
    "pipedrive.ban=8d",
    "pipedrive.ban=169h",
    "pipedrive.ban=1epages.hold=2",
    "pipedrive.ban=1sepages.hold=2s",
    "pipedrive.retry=3s",
    "pipedrive.retries=",
    "pipedrive.retries=,,,",
    "pipedrive.retries=3s,",
    "pipedrive.retries=3s,none",
    "pipedrive.retries=3s, 30s",
    "pipedrive.retries=" + ",".join(["1s"] * 21),
    "pipedrive.timeout=0s",
    "pipedrive.timeout=0ms",
    "pipedrive.timeout=21s",
    "pipedrive.timeout=1m",
    "pipedrive.timeout=99h",
    "pipedrive.strikes=0",
    "pipedrive.strikes=3s",
    "pipedrive.strikes=1000001",
    "pipedrive.quota=1000001",
    "pipedrive.stale=0s",
    "pipedrive.stale=0d",
    "pipedrive.stale=366d",
    "pipedrive.hold=1m",
    "epages.strikes=3",
    "epages.ban=1m",
    "epages.stale=3d",
    "epages.quota=3",
]


def statements(policy):
    return many(policy["PolicyDocument"]["Statement"])


def default(name):
    return TEMPLATE["Parameters"][name]["Default"]


def permissions_of(role):
    """Each action on each resource that a role permits."""
    return {
        (action, named(resource))
        for policy in RESOURCES[role]["Properties"]["Policies"]
        for statement in statements(policy)
        for resource in many(statement["Resource"])
        for action in many(statement["Action"])
    }


class Permissions(unittest.TestCase):
    def test_each_function_may_do_what_the_table_says_and_nothing_else(self):
        lines = (ROOT / "infra/permissions.tsv").read_text().splitlines()[1:]
        table = {}
        for line in lines:
            function, action, resource, _ = line.split("\t")
            table.setdefault(function, set()).add((action, resource))
        roles = {name: function["Properties"]["Role"] for name, function in FUNCTIONS.items()}
        self.assertEqual(table, {name: permissions_of(named(role)) for name, role in roles.items()})
        self.assertEqual(len(lines), sum(map(len, table.values())), "a line is there twice")
        self.assertEqual(len({named(role) for role in roles.values()}), len(FUNCTIONS), "a role for each")

    def test_a_schedule_may_invoke_its_function(self):
        for name, schedule in of_type(TEMPLATE, "AWS::Scheduler::Schedule").items():
            target = schedule["Properties"]["Target"]
            permitted = permissions_of(named(target["RoleArn"]))
            self.assertEqual(permitted, {("lambda:InvokeFunction", named(target["Arn"]))}, name)

    def test_no_role_has_a_wildcard_or_a_policy_from_elsewhere(self):
        for name, role in ROLES.items():
            self.assertEqual(set(role["Properties"]) - {"AssumeRolePolicyDocument", "Policies", "Tags"}, set(), name)
            for policy in role["Properties"]["Policies"]:
                self.assertNotIn("*", json.dumps(policy), name)
                for statement in statements(policy):
                    self.assertEqual(statement["Effect"], "Allow")
                    self.assertFalse({"NotAction", "NotResource"} & set(statement), name)

    def test_roles_are_for_lambda_and_the_scheduler_only(self):
        for name, role in ROLES.items():
            statement, = many(role["Properties"]["AssumeRolePolicyDocument"]["Statement"])
            service, = many(statement["Principal"]["Service"])
            by = "scheduler" if name.startswith("Sweeper") and name != "SweeperRole" else "lambda"
            self.assertEqual(service, f"{by}.amazonaws.com", name)

    def test_mail_comes_from_the_sender_only(self):
        of_mail = [
            statement
            for policy in RESOURCES["NotifyRole"]["Properties"]["Policies"]
            for statement in statements(policy)
            if many(statement["Action"]) == ["ses:SendEmail"]
        ]
        self.assertEqual(len(of_mail), 1)
        self.assertEqual(of_mail[0]["Condition"], {"StringEquals": {"ses:FromAddress": {"Ref": "MailFrom"}}})

    def test_only_the_http_api_may_invoke_the_api(self):
        permission, = of_type(TEMPLATE, "AWS::Lambda::Permission").values()
        permitted = permission["Properties"]
        self.assertEqual(permitted["FunctionName"], {"Ref": "Api"})
        self.assertEqual(permitted["Principal"], "apigateway.amazonaws.com")
        self.assertEqual(named(permitted["SourceArn"]), "${HttpApi}/*")


class Functions(unittest.TestCase):
    def test_they_run_on_what_they_are_built_for(self):
        self.assertEqual(set(FUNCTIONS), {"Api", "Fanout", "Deliver", "Sweeper", "Notify"})
        for name, function in FUNCTIONS.items():
            self.assertEqual(function["Properties"]["Runtime"], "provided.al2023", name)
            self.assertEqual(function["Properties"]["Architectures"], [{"Ref": "Architecture"}], name)
        self.assertEqual(default("Architecture"), "arm64")
        self.assertEqual(FUNCTIONS["Deliver"]["Properties"]["MemorySize"], 512)

    def test_whoever_continues_itself_is_not_stopped_by_lambda(self):
        permitted = {name for name, it in FUNCTIONS.items() if it["Properties"].get("RecursiveLoop") == "Allow"}
        self.assertEqual(permitted, {"Fanout", "Deliver"})

    def test_the_api_answers_before_the_gateway_gives_up(self):
        integration, = of_type(TEMPLATE, "AWS::ApiGatewayV2::Integration").values()
        self.assertEqual(integration["Properties"]["TimeoutInMillis"], 30_000)
        self.assertLess(FUNCTIONS["Api"]["Properties"]["Timeout"], 30)

    def test_each_writes_to_a_log_that_is_kept_for_a_while_only(self):
        groups = of_type(TEMPLATE, "AWS::Logs::LogGroup")
        for name, function in FUNCTIONS.items():
            self.assertEqual(function["Properties"]["LoggingConfig"]["LogGroup"], {"Ref": f"{name}Logs"})
        self.assertEqual(set(groups), {f"{name}Logs" for name in [*FUNCTIONS, "Access"]})
        for name, group in groups.items():
            self.assertEqual(group["Properties"]["RetentionInDays"], {"Ref": "LogRetentionDays"}, name)
            # A name of its own, or two deployments could not be in one account.
            self.assertIn("${AWS::StackName}", group["Properties"]["LogGroupName"]["Fn::Sub"], name)

    def test_each_knows_its_deployment_and_how_much_to_log(self):
        for name, function in FUNCTIONS.items():
            variables = function["Properties"]["Environment"]["Variables"]
            self.assertEqual(variables["STACK"], {"Ref": "AWS::StackName"}, name)
            self.assertEqual(variables["LOG_LEVEL"], {"Ref": "LogLevel"}, name)

    def test_the_key_ring_is_named_to_those_who_may_read_it(self):
        for name, function in FUNCTIONS.items():
            reads = ("secretsmanager:GetSecretValue", "KeyRing") in permissions_of(f"{name}Role")
            self.assertEqual("KEY_RING" in function["Properties"]["Environment"]["Variables"], reads, name)


class Queues(unittest.TestCase):
    def test_each_that_feeds_a_function_has_dead_letters_and_six_times_its_time(self):
        fed = set()
        for name, mapping in MAPPINGS.items():
            properties = mapping["Properties"]
            queue = named(properties["EventSourceArn"])
            fed.add(queue)
            timeout = FUNCTIONS[properties["FunctionName"]["Ref"]]["Properties"]["Timeout"]
            self.assertEqual(QUEUES[queue]["Properties"]["VisibilityTimeout"], 6 * timeout, name)
            redrive = QUEUES[queue]["Properties"]["RedrivePolicy"]
            self.assertEqual(redrive["maxReceiveCount"], 5, name)
            self.assertIn(named(redrive["deadLetterTargetArn"]), QUEUES)
            self.assertEqual(properties["FunctionResponseTypes"], ["ReportBatchItemFailures"], name)
            self.assertLessEqual(properties["BatchSize"], 10, name)
        self.assertEqual(fed, {name for name in QUEUES if not name.endswith("Dlq")})

    def test_what_waits_is_encrypted_and_kept_as_long_as_it_can_be(self):
        for name, queue in QUEUES.items():
            self.assertIs(queue["Properties"]["SqsManagedSseEnabled"], True, name)
            self.assertEqual(queue["Properties"]["MessageRetentionPeriod"], 14 * 24 * 3600, name)
            # A stack whose queues have names of their own could be in an account once only.
            self.assertNotIn("QueueName", queue["Properties"], name)

    def test_functions_that_are_fed_or_scheduled_leave_room_for_the_api(self):
        limits = TEMPLATE["Parameters"]["AccountConcurrency"]["AllowedValues"]
        for limit in limits:
            # Each schedule may have a run at the same time.
            most = len(of_type(TEMPLATE, "AWS::Scheduler::Schedule"))
            for name, mapping in MAPPINGS.items():
                concurrency = mapping["Properties"]["ScalingConfig"]["MaximumConcurrency"]
                if isinstance(concurrency, dict):
                    table, key, row = concurrency["Fn::FindInMap"]
                    self.assertEqual(key, {"Ref": "AccountConcurrency"})
                    concurrency = TEMPLATE["Mappings"][table][limit][row]
                self.assertTrue(2 <= concurrency <= 1000, f"{name}: what Lambda takes")
                most += concurrency
                if limit == "10":
                    self.assertEqual(concurrency, 2, f"{name}: the least that Lambda takes")
            # Of 10 there is nothing left that is sure to be the API's, and the README says so.
            self.assertLessEqual(most, int(limit) * (1 if limit == "10" else 0.8), f"of {limit}")
        # Too low only slows.
        self.assertEqual(default("AccountConcurrency"), min(limits, key=int))
        for name, function in FUNCTIONS.items():
            self.assertNotIn("ReservedConcurrentExecutions", function["Properties"], f"{name}: none of 10 can be")


class Bus(unittest.TestCase):
    def test_what_a_rule_cannot_send_is_kept_and_the_rule_may_do_both(self):
        permitted = {}
        for name, policy in of_type(TEMPLATE, "AWS::SQS::QueuePolicy").items():
            # SQS takes a policy about its own queue only.
            queue, = policy["Properties"]["Queues"]
            statement, = statements(policy["Properties"])
            self.assertEqual(statement["Resource"], {"Fn::GetAtt": [queue["Ref"], "Arn"]}, name)
            self.assertEqual((statement["Effect"], statement["Action"]), ("Allow", "sqs:SendMessage"), name)
            self.assertEqual(statement["Principal"], {"Service": "events.amazonaws.com"}, name)
            self.assertNotIn(queue["Ref"], permitted, "of two policies, one would be lost")
            permitted[queue["Ref"]] = statement["Condition"]
        rules = of_type(TEMPLATE, "AWS::Events::Rule")
        self.assertEqual(set(rules), {"EventsFromBus", "NoticesFromBus"})
        needed = {}
        for name, rule in rules.items():
            target, = rule["Properties"]["Targets"]
            for queue in (named(target["Arn"]), named(target["DeadLetterConfig"]["Arn"])):
                self.assertIn(queue, QUEUES)
                needed[queue] = {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [name, "Arn"]}}}
        self.assertEqual(permitted, needed)

    def test_schedules_say_how_often_in_words_that_aws_takes(self):
        # Of an hour or a minute it is the singular; no linter says so.
        expressions = {
            name: schedule["Properties"]["ScheduleExpression"]
            for name, schedule in of_type(TEMPLATE, "AWS::Scheduler::Schedule").items()
        }
        self.assertEqual(expressions, {"SweeperStale": "rate(1 hour)", "SweeperWaits": "rate(5 minutes)"})
        for name, schedule in of_type(TEMPLATE, "AWS::Scheduler::Schedule").items():
            self.assertNotIn("Name", schedule["Properties"], "two deployments could not be in one account")
            self.assertEqual(schedule["Properties"]["FlexibleTimeWindow"], {"Mode": "OFF"}, name)
            json.loads(schedule["Properties"]["Target"]["Input"])


class Data(unittest.TestCase):
    def test_webhooks_and_keys_outlive_the_stack_and_nothing_else_does(self):
        # Delete is what resources of these types have by default.
        policies = {name: it.get("DeletionPolicy", "Delete") for name, it in RESOURCES.items()}
        kept = {name: policy for name, policy in policies.items() if policy != "Delete"}
        # When a first deployment is rolled back: a table that refuses to be deleted would make that fail, and a ring that
        # has sealed nothing is of no use.
        self.assertEqual(kept, {"WebhooksTable": "Retain", "KeyRing": "RetainExceptOnCreate"})
        for name, resource in RESOURCES.items():
            replaced = resource.get("UpdateReplacePolicy", "Delete")
            self.assertEqual(replaced, "Retain" if name in kept else "Delete", name)

    def test_the_key_ring_is_made_once_and_never_anew(self):
        # Another block is another ring to CloudFormation, and nothing that is sealed would open.
        once = {
            "SecretStringTemplate": '{"current":"k1"}',
            "GenerateStringKey": "k1",
            "PasswordLength": 64,
            "ExcludePunctuation": True,
        }
        self.assertEqual(RESOURCES["KeyRing"]["Properties"]["GenerateSecretString"], once)
        # Another name is another secret, and a value here would be the ring again at each deployment that changes it.
        self.assertEqual(set(RESOURCES["KeyRing"]["Properties"]), {"Description", "GenerateSecretString"})

    def test_a_table_is_taken_up_as_the_template_has_it_and_alone(self):
        table = json.loads(json.dumps(RESOURCES["WebhooksTable"]))
        table["Properties"]["DeletionProtectionEnabled"] = True
        imported = source("infra/import.yaml")
        self.assertEqual(imported["Resources"], {"WebhooksTable": table})
        self.assertEqual(set(imported), {"AWSTemplateFormatVersion", "Description", "Resources"})

    def test_the_table_of_webhooks_can_be_restored_and_is_not_deleted_by_mistake(self):
        webhooks = RESOURCES["WebhooksTable"]["Properties"]
        self.assertIs(webhooks["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], True)
        self.assertEqual(webhooks["DeletionProtectionEnabled"], {"Ref": "DeletionProtection"})
        self.assertEqual(default("DeletionProtection"), "true")

    def test_tables_cost_nothing_idle_and_forget_what_has_expired(self):
        for name, table in of_type(TEMPLATE, "AWS::DynamoDB::Table").items():
            self.assertEqual(table["Properties"]["BillingMode"], "PAY_PER_REQUEST", name)
            expiry = table["Properties"]["TimeToLiveSpecification"]
            self.assertEqual(expiry, {"AttributeName": "ttl", "Enabled": True}, name)


class Api(unittest.TestCase):
    def test_every_path_goes_to_the_function_and_all_callers_together_are_bounded(self):
        route, = of_type(TEMPLATE, "AWS::ApiGatewayV2::Route").values()
        self.assertEqual(route["Properties"]["RouteKey"], "$default")
        integration, = of_type(TEMPLATE, "AWS::ApiGatewayV2::Integration").values()
        self.assertEqual(integration["Properties"]["PayloadFormatVersion"], "2.0", "what the function reads")
        stage, = of_type(TEMPLATE, "AWS::ApiGatewayV2::Stage").values()
        # Another name would be a part of every path.
        self.assertEqual(stage["Properties"]["StageName"], "$default")
        throttled = stage["Properties"]["DefaultRouteSettings"]
        self.assertEqual(throttled["ThrottlingRateLimit"], {"Ref": "ThrottlingRate"})
        self.assertEqual(throttled["ThrottlingBurstLimit"], {"Ref": "ThrottlingBurst"})

    def test_the_access_log_is_json_and_has_no_query_in_which_a_token_may_be(self):
        stage, = of_type(TEMPLATE, "AWS::ApiGatewayV2::Stage").values()
        line = stage["Properties"]["AccessLogSettings"]["Format"]
        self.assertNotIn("\n", line)
        self.assertEqual(json.loads(line)["path"], "$context.path")
        variables = set(re.findall(r"\$context[\w.]*", line))
        self.assertFalse({it for it in variables if re.search("query|authorizer|header|protocol|routeKey", it)})


class Parameters(unittest.TestCase):
    def test_each_is_described_and_only_the_platforms_token_has_to_be_given(self):
        for name, parameter in TEMPLATE["Parameters"].items():
            self.assertGreater(len(parameter.get("Description", "")), 20, name)
            self.assertEqual("Default" in parameter, name != "PlatformTokenSha256", name)
        groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        grouped = [name for group in groups for name in group["Parameters"]]
        self.assertEqual(sorted(grouped), sorted(TEMPLATE["Parameters"]), "in one group each")

    def test_each_is_used(self):
        used = json.dumps([TEMPLATE["Resources"], TEMPLATE["Conditions"]])
        for name in TEMPLATE["Parameters"]:
            self.assertTrue(f'{{"Ref": "{name}"}}' in used or f"${{{name}}}" in used, name)

    def test_patterns_take_what_is_right_and_nothing_else(self):
        arn = "arn:aws:sns:eu-central-1:000000000000:alarms"
        for name, right, wrong in [
            ("PlatformTokenSha256", [TOKEN, f"{TOKEN},{'f' * 64}"], ["", "secret", TOKEN.upper().replace("0", "A"), f"{TOKEN},"]),
            ("Policy", POLICIES_RIGHT, POLICIES_WRONG),
            ("Objects", ["", "order shipment", " webhooks  a ", "o" * 64],
             ["order,shipment", "webhook", "order webhook", "7", "-order", "_", "o" * 65]),
            ("Host", ["", "acme.example.com", "localhost:8080"], ["https://acme.example.com", "a b"]),
            ("OwnHosts", ["", "api.example.com hooks.example.com", "localhost:8080 api"],
             ["https://api.example.com", "api.example.com:1hooks.example.com", "a..b", "api.example.com:99999", "1.2.3.999"]),
            ("MailFrom", ["", "hooks@example.com", "web.hooks+us@mail.example.com"],
             ["Hooks <hooks@example.com>", "example.com", "a@b@c", "a b@c", "a@[1.2.3.4]", "a:b@c", '"a"@b', "a\\b@c", "(a)@b"]),
            ("MailConfigurationSet", ["", "transactional"], ["a b"]),
            ("AllowNetworks", ["", "127.0.0.0/8", "127.0.0.0/8 ::1 172.17.0.0/16  192.168.1.0/24 192.0.2.7 10.0.0.4/31 fd00::/8"],
             ["example.com", "10.0.0.0/8,10.1.0.0/16", "10.0.0.1/8", "10.1.0.0/8", "10.1.2.0/16", "10.0.0.1/24", "10.0.0.0/33",
              "0.0.0.0/0", "::/0", "::1/129", "10", "10.0.0.0/", "127.0.0.0/8::1", "localhost"]),
            ("AlarmTopic", ["", arn, arn.replace("aws", "aws-cn", 1)], ["alarms", arn.replace("sns", "sqs")]),
        ]:
            # CloudFormation holds the whole value against it.
            pattern = re.compile(TEMPLATE["Parameters"][name]["AllowedPattern"])
            for value in right:
                self.assertTrue(pattern.fullmatch(value), f"{name}: {value}")
            for value in wrong:
                self.assertFalse(pattern.fullmatch(value), f"{name}: {value}")


if __name__ == "__main__":
    unittest.main(verbosity=1)
