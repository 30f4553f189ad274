"""A deployed stack, from outside: its API, its outputs, AWS itself by boto3, and receivers of its deliveries.

KNOCKBACK_STACK names the stack and KNOCKBACK_PLATFORM_TOKEN is the platform's token; AWS is where boto3's own variables
say. .ci/deployed has the parameters that these tests expect.
"""

import collections
import http.server
import json
import os
import threading
import time
import urllib.error
import urllib.request
import uuid

import boto3
import pytest

STACK = os.environ["KNOCKBACK_STACK"]
MAIL_FROM = "hooks@example.com"
PLATFORM_TOKEN = os.environ["KNOCKBACK_PLATFORM_TOKEN"]

Answer = collections.namedtuple("Answer", "status body")
Received = collections.namedtuple("Received", "at headers body")


def eventually(what, seconds=30):
    """Waits until `what` answers with something, and answers with that. The only way in which these tests wait."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"not within {seconds} seconds: {what.__name__}"
        time.sleep(0.1)
    return found


def aws(service):
    return boto3.client(service)


class Stack:
    """What the deployment has told of itself."""

    def __init__(self):
        stack, = aws("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        resources = aws("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        self.resources = {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in resources}

    def request(self, method, path, body=None, token=None):
        """Asks the deployed API."""
        headers = {"x-api-token": token} if token else {}
        data = None if body is None else json.dumps(body).encode()
        url = os.environ.get("KNOCKBACK_API_URL", self.outputs["ApiUrl"]).replace("{api}", self.resources["HttpApi"])
        request = urllib.request.Request(url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, json.loads(answer.read() or "null"))
        except urllib.error.HTTPError as refusal:
            return Answer(refusal.code, json.loads(refusal.read() or "null"))

    def platform(self, method, path, body=None):
        """Asks as the platform, which is refused nothing in these tests."""
        answer = self.request(method, path, body, PLATFORM_TOKEN)
        assert 200 <= answer.status < 300, answer
        return answer.body

    def log(self, function):
        """What a function has written, line by line."""
        logs, group = aws("logs"), self.resources[f"{function}Logs"]
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [line for page in pages for event in page["events"] for line in event["message"].splitlines()]

    def lines(self, function):
        """Those of its lines that are JSON."""
        return [json.loads(line) for line in self.log(function) if line.startswith("{")]


class Company:
    """A company of its own for each test, so that tests do not see each other's."""

    def __init__(self, stack, app=None, company=None, user="10"):
        self.stack, self.app = stack, app
        self.id = company or str(int(uuid.uuid4()) % 10**9)
        caller = {"company_id": self.id, "user_id": user, "admin": True, "app": app, "contact": "owner@example.com"}
        if user is None:
            del caller["user_id"]
        self.token = stack.platform("POST", "/v1/tokens", caller)["data"]["token"]

    def request(self, method, path, body=None):
        return self.stack.request(method, path, body, self.token)

    def subscribe(self, url, **more):
        pattern = {"subscription_url": url, "event_action": "*", "event_object": "deal"} | more
        answer = self.request("POST", "/v1/webhooks", pattern)
        assert answer.status == 201, answer
        return answer.body["data"]

    def webhook(self, webhook):
        answer = self.request("GET", f"/v1/webhooks/{webhook['id']}")
        assert answer.status == 200, answer
        return answer.body["data"]

    def event(self, **more):
        event = {"company_id": self.id, "object": "deal", "action": "change", "entity_id": "8", "user_id": "10",
                 "data": {"id": 8, "value": 1.10}, "previous": {"id": 8, "value": 1.0}} | more
        return event

    def report(self, **more):
        return self.stack.platform("POST", "/v1/events", self.event(**more))["data"][0]["id"]

    def report_order(self, action, entity):
        """Reports an order of a shop."""
        order = {"object": "order", "action": action, "entity_id": entity, "data": {"orderId": entity}}
        self.stack.platform("POST", "/v1/events", {"company_id": self.id, "host": "shop.example.com", **order})


class Receiver:
    """Somebody's endpoint: each path keeps what it got, and answers what it was told to, or else 200."""

    def __init__(self):
        self.received = collections.defaultdict(list)
        self.answers = collections.defaultdict(list)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                # Names of headers in lower case, as the packages that verify signatures ask for them.
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received[self.path].append(Received(time.time(), headers, body))
                answers = receiver.answers[self.path]
                status = answers[0] if len(answers) == 1 else answers.pop(0) if answers else 200
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, *answers):
        """A new URL. It gives these answers one after the other, and the last one again and again."""
        path = f"/{uuid.uuid4()}"
        self.answers[path] = list(answers)
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def at(self, url):
        """What has come to a URL so far."""
        return self.received["/" + url.rsplit("/", 1)[1]]

    def wait(self, url, count=1, seconds=30):
        """What has come to a URL, once it is as much as this."""
        def enough_deliveries():
            return len(self.at(url)) >= count
        eventually(enough_deliveries, seconds)
        return self.at(url)


@pytest.fixture(scope="session")
def stack():
    return Stack()


@pytest.fixture(scope="session")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()


@pytest.fixture(scope="session")
def mails():
    """All mails that were sent: ministack keeps them to look at. As on AWS, their sender has to be verified."""
    aws("sesv2").create_email_identity(EmailIdentity=MAIL_FROM)

    def sent():
        with urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_ministack/ses/messages", timeout=30) as answer:
            return [mail for of_account in json.load(answer)["messages"].values() for mail in of_account]
    return sent


@pytest.fixture
def company(stack):
    return Company(stack)


@pytest.fixture(scope="session")
def announcements(stack):
    """What Knockback tells the platform on the bus: a queue that gets all of it, and what it has had so far."""
    sqs, events = aws("sqs"), aws("events")
    bus, name = stack.outputs["BusName"], f"{STACK}-announcements"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["knockback"]}))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    heard = []

    def of(webhook, kind):
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            heard.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [it for it in heard if it["detail-type"] == kind and it["detail"]["webhook_id"] == webhook["id"]]

    yield of
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)
