"""What an operator has of a deployment: logs, metrics, alarms, a dashboard, schedules that fire."""

import json

from conftest import PLATFORM_TOKEN, STACK, aws, eventually


def test_an_attempt_is_one_line_without_secrets_and_is_counted(stack, company, receiver):
    url = receiver.url(200) + "?key=in-the-query"
    receiver.answers["/" + url.rsplit("/", 1)[1]] = [200]
    webhook = company.subscribe(url, http_auth_user="user", http_auth_password="the-password")
    company.report(correlation_id=f"of-{company.id}", data={"id": 8, "name": "in-the-payload"})
    receiver.wait(url)

    def the_line_of_the_attempt():
        return [line for line in stack.lines("Deliver") if line.get("correlation_id") == f"of-{company.id}"]
    line, = eventually(the_line_of_the_attempt)
    assert (line["company"], line["webhook"], line["attempt"], line["status"]) == (company.id, str(webhook["id"]), 1, 200)

    def the_metrics():
        return [it for it in stack.lines("Deliver") if "_aws" in it and it.get("Delivered")]
    directive, = eventually(the_metrics)[-1]["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Knockback", [["Stack"]])
    assert {it["Stack"] for it in the_metrics()} == {STACK}
    logs = {function: stack.log(function) for function in ("Api", "Fanout", "Deliver")}
    assert all(logs.values()), "each has written something"
    whole = "\n".join(line for log in logs.values() for line in log)
    for secret in ("in-the-query", "in-the-payload", "the-password", company.token, webhook["signing_secret"], PLATFORM_TOKEN):
        assert secret not in whole


def test_alarms_and_the_dashboard_are_there(stack):
    cloudwatch = aws("cloudwatch")
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{STACK}-")
    alarms = {alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]}
    assert {f"{STACK}-{name}" for name in ("EventsDlqNotEmpty", "DeliverErrors", "DeliveriesLate")} <= alarms
    dashboard = json.loads(cloudwatch.get_dashboard(DashboardName=f"{STACK}-{cloudwatch.meta.region_name}")["DashboardBody"])
    assert stack.resources["DeliveriesTable"] in json.dumps(dashboard)


def test_schedules_fire_the_sweeper(stack):
    def the_sweeper_has_swept():
        return [line for line in stack.lines("Sweeper") if line.get("message") == "swept"]
    # Every five minutes, and the emulator is up to ten seconds late.
    assert eventually(the_sweeper_has_swept, 330)[0]["sweep"] == "Waits"
