"""What must hold of alarms and the dashboard: that they look at what template.yaml makes, and where AWS counts it."""

import json
import re
import unittest

from rendered import ROOT, of_type, rendered, source

TEMPLATE = rendered()
RESOURCES = TEMPLATE["Resources"]
FUNCTIONS = of_type(TEMPLATE, "AWS::Lambda::Function")
QUEUES = of_type(TEMPLATE, "AWS::SQS::Queue")
MONITORING = ["infra/alarms.yaml", "infra/dashboard.yaml"]
ALARMS = {name: it["Properties"] for name, it in of_type(source(MONITORING[0]), "AWS::CloudWatch::Alarm").items()}
DASHBOARD = source(MONITORING[1])["Resources"]["Dashboard"]["Properties"]
WIDGETS = json.loads(DASHBOARD["DashboardBody"]["Fn::Sub"])["widgets"]

# Of each alarm: namespace, metric, dimension, what that is, statistic, seconds, periods, threshold. Another word in one of
# them, and it never rings.
EXPECTED = {
    "EventsDlqNotEmpty": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "EventsDlq", "Maximum", 60, 1, 0),
    "DeliveriesDlqNotEmpty": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "DeliveriesDlq", "Maximum", 60, 1, 0),
    "NoticesDlqNotEmpty": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "NoticesDlq", "Maximum", 60, 1, 0),
    "EventsQueueOld": ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "EventsQueue", "Maximum", 60, 5, 300),
    "DeliveriesQueueOld": ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "DeliveriesQueue", "Maximum", 60, 5, 300),
    "RetriesQueueOld": ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "RetriesQueue", "Maximum", 60, 5, 1800),
    "NoticesQueueOld": ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "NoticesQueue", "Maximum", 60, 5, 3600),
    "ApiErrors": ("AWS/Lambda", "Errors", "FunctionName", "Api", "Sum", 300, 2, 0),
    "FanoutErrors": ("AWS/Lambda", "Errors", "FunctionName", "Fanout", "Sum", 300, 2, 0),
    "DeliverErrors": ("AWS/Lambda", "Errors", "FunctionName", "Deliver", "Sum", 300, 2, 0),
    # Its hourly run falls into one period.
    "SweeperErrors": ("AWS/Lambda", "Errors", "FunctionName", "Sweeper", "Sum", 300, 1, 0),
    "NotifyErrors": ("AWS/Lambda", "Errors", "FunctionName", "Notify", "Sum", 300, 2, 0),
    "ApiThrottled": ("AWS/Lambda", "Throttles", "FunctionName", "Api", "Sum", 300, 2, 0),
    "FanoutThrottled": ("AWS/Lambda", "Throttles", "FunctionName", "Fanout", "Sum", 300, 2, 0),
    "DeliverThrottled": ("AWS/Lambda", "Throttles", "FunctionName", "Deliver", "Sum", 300, 2, 0),
    "SweeperSilent": ("AWS/Lambda", "Invocations", "FunctionName", "Sweeper", "Sum", 900, 1, 1),
    "ApiFails": ("AWS/ApiGateway", "5xx", "ApiId", "ApiId", "Sum", 300, 1, 5),
    "DeliveriesLate": ("Knockback", "DeliveryLag", "Stack", "Stack", "p99", 300, 3, 60_000),
    "OutcomesUnlogged": ("Knockback", "OutcomeUnlogged", "Stack", "Stack", "Sum", 300, 1, 0),
}

# By the namespace of its metrics: the dimensions that AWS, or a function's log, counts each of them by.
DIMENSIONS = {
    "Knockback": [("Stack",)],
    "AWS/SQS": [("QueueName",)],
    "AWS/Lambda": [("FunctionName",)],
    "AWS/ApiGateway": [("ApiId",)],
    "AWS/DynamoDB": [("TableName",), ("TableName", "GlobalSecondaryIndexName")],
    "AWS/Logs": [("LogGroupName",)],
}


def shown():
    """Each metric of the dashboard: namespace, metric, dimensions with their values."""
    for widget in WIDGETS:
        for metric in widget["properties"].get("metrics", []):
            namespace, name, *dimensions = [it for it in metric if isinstance(it, str)]
            yield namespace, name, tuple(zip(dimensions[::2], dimensions[1::2], strict=True))


class Nested(unittest.TestCase):
    def test_what_alarms_and_the_dashboard_ask_for_is_given_to_them(self):
        for name, path in zip(["Alarms", "Dashboard"], MONITORING, strict=True):
            nested = RESOURCES[name]["Properties"]
            self.assertEqual(nested["TemplateURL"], path)
            self.assertEqual(set(nested["Parameters"]), set(source(path)["Parameters"]))
            self.assertEqual(nested["Parameters"]["Stack"], {"Ref": "AWS::StackName"})
            for parameter, value in nested["Parameters"].items():
                if parameter in RESOURCES:
                    of_queue = {"Fn::GetAtt": [parameter, "QueueName"]}
                    self.assertEqual(value, of_queue if parameter in QUEUES else {"Ref": parameter})


class Alarms(unittest.TestCase):
    def test_every_queue_and_function_has_its_alarms(self):
        watched = {(metric, of) for _, metric, _, of, *_ in EXPECTED.values()}
        for queue in QUEUES:
            is_dlq = queue.endswith("Dlq")
            metric = "ApproximateNumberOfMessagesVisible" if is_dlq else "ApproximateAgeOfOldestMessage"
            self.assertIn((metric, queue), watched)
        for function in FUNCTIONS:
            self.assertIn(("Errors", function), watched)
        # Of the others it shows by what they do not do.
        for function in ("Api", "Fanout", "Deliver"):
            self.assertIn(("Throttles", function), watched)

    def test_each_looks_at_what_is_counted_and_rings_when_it_should(self):
        self.assertEqual(set(ALARMS), set(EXPECTED))
        for name, (namespace, metric, dimension, of, statistic, seconds, periods, threshold) in EXPECTED.items():
            alarm = ALARMS[name]
            self.assertEqual((alarm["Namespace"], alarm["MetricName"]), (namespace, metric), name)
            self.assertEqual(alarm["Dimensions"], [{"Name": dimension, "Value": {"Ref": of}}], name)
            key = "ExtendedStatistic" if statistic.startswith("p") else "Statistic"
            self.assertEqual({key: statistic}, {it: alarm[it] for it in alarm if it.endswith("Statistic")}, name)
            self.assertEqual((alarm["Period"], alarm["EvaluationPeriods"]), (seconds, periods), name)
            # As many as there are periods, all of them.
            self.assertNotIn("DatapointsToAlarm", alarm, name)
            # Silence is what a quiet deployment sounds like, but the sweeper is never quiet.
            below = name == "SweeperSilent"
            self.assertEqual(alarm["TreatMissingData"], "breaching" if below else "notBreaching", name)
            comparison = "LessThanThreshold" if below else "GreaterThanThreshold"
            self.assertEqual((alarm["ComparisonOperator"], alarm["Threshold"]), (comparison, threshold), name)

    def test_each_says_what_to_do_and_tells_the_topic_of_its_end_too(self):
        told = {"Fn::If": ["HasTopic", [{"Ref": "Topic"}], {"Ref": "AWS::NoValue"}]}
        for name, alarm in ALARMS.items():
            self.assertEqual(alarm["AlarmName"], {"Fn::Sub": f"${{Stack}}-{name}"})
            self.assertRegex(alarm["AlarmDescription"], r"Look|log|Raise", name)
            self.assertEqual([alarm["AlarmActions"], alarm["OKActions"]], [told, told], name)


class Dashboard(unittest.TestCase):
    def test_its_name_is_no_other_deployments(self):
        # Dashboards are of the account: the same stack may be in another region.
        self.assertEqual(DASHBOARD["DashboardName"], {"Fn::Sub": "${Stack}-${AWS::Region}"})

    def test_it_fits_the_screen(self):
        taken = set()
        for widget in WIDGETS:
            across, down = widget["x"] + widget["width"], widget["y"] + widget["height"]
            self.assertLessEqual(across, 24)
            cells = {(x, y) for x in range(widget["x"], across) for y in range(widget["y"], down)}
            self.assertFalse(cells & taken, "two widgets lie on each other")
            taken |= cells

    def test_each_metric_is_named_by_the_dimensions_that_it_is_counted_by(self):
        values = {
            "Stack": {"${Stack}"},
            "QueueName": {f"${{{name}}}" for name in QUEUES},
            "FunctionName": {f"${{{name}}}" for name in FUNCTIONS},
            "ApiId": {"${ApiId}"},
        }
        for namespace, metric, dimensions in shown():
            self.assertIn(tuple(name for name, _ in dimensions), DIMENSIONS[namespace], metric)
            for name, value in dimensions:
                if name in values:
                    self.assertIn(value, values[name], metric)

    def test_each_log_and_each_index_is_among_what_costs(self):
        logs = {value for namespace, _, ((_, value), *_) in shown() if namespace == "AWS/Logs"}
        groups = of_type(TEMPLATE, "AWS::Logs::LogGroup").values()
        names = {it["Properties"]["LogGroupName"]["Fn::Sub"] for it in groups}
        self.assertEqual(logs, {name.replace("${AWS::StackName}", "${Stack}") for name in names})
        # What an index uses is not among what its table uses.
        counted = {}
        for namespace, metric, dimensions in shown():
            if namespace == "AWS/DynamoDB":
                counted.setdefault(metric, []).append(dimensions)
        there_is = []
        for name, table in of_type(TEMPLATE, "AWS::DynamoDB::Table").items():
            of_table = ("TableName", f"${{{name}}}")
            there_is.append((of_table,))
            for index in table["Properties"]["GlobalSecondaryIndexes"]:
                there_is.append((of_table, ("GlobalSecondaryIndexName", index["IndexName"])))
        metrics = {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"}
        self.assertEqual(set(counted), metrics)
        for metric, dimensions in counted.items():
            self.assertEqual(sorted(dimensions), sorted(there_is), metric)

    def test_every_metric_of_knockbacks_own_is_one_that_it_writes(self):
        words = (ROOT / "shared/src/telemetry/metrics.rs").read_text()
        asked = {metric for namespace, metric, _ in shown() if namespace == "Knockback"}
        asked |= {metric for namespace, metric, *_ in EXPECTED.values() if namespace == "Knockback"}
        # Metrics are named by the variants of two enums.
        written = set(re.findall(r"^    ([A-Z][A-Za-z]+),$", words, re.MULTILINE))
        self.assertEqual({name for name in asked if name not in written}, set())
        self.assertGreater(len(asked), 10)


if __name__ == "__main__":
    unittest.main(verbosity=1)
