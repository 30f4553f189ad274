"""What Knockback itself cannot do is kept in a dead-letter queue, and done once it is moved back."""

import json

import pytest
from botocore.exceptions import ClientError
from conftest import Company, aws, eventually

SOURCES = {"EventsDlq": ["EventsQueue"], "DeliveriesDlq": ["DeliveriesQueue", "RetriesQueue"], "NoticesDlq": ["NoticesQueue"]}


class Queue:
    def __init__(self, stack, name):
        self.sqs, self.url = aws("sqs"), stack.outputs[name]

    def attribute(self, name):
        return self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])["Attributes"][name]

    def set(self, **attributes):
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes=attributes)

    def send(self, body, group="1"):
        return self.sqs.send_message(QueueUrl=self.url, MessageBody=body, MessageGroupId=group)["MessageId"]

    def messages(self):
        """What it has now, left in it."""
        asked = dict(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageSystemAttributeNames=["All"])
        return self.sqs.receive_message(**asked).get("Messages", [])


@pytest.fixture(autouse=True)
def impatient_queues(stack):
    """Messages that failed come again after a second, and not after minutes: so five times are a few seconds."""
    queues = [Queue(stack, name) for names in SOURCES.values() for name in names]
    before = [queue.attribute("VisibilityTimeout") for queue in queues]
    for queue in queues:
        queue.set(VisibilityTimeout="2")
    yield
    for queue, visibility in zip(queues, before):
        queue.set(VisibilityTimeout=visibility)


def redrive(stack, name):
    """What an operator does: everything goes back to where it came from."""
    dlq = Queue(stack, name)
    try:
        dlq.sqs.start_message_move_task(SourceArn=dlq.attribute("QueueArn"))
        return
    except ClientError as error:
        # ministack has no move tasks; by hand, it is what they do: a new message with the same body and group.
        assert error.response["Error"]["Code"] in ("InvalidAction", "UnknownOperationException", "AWS.SimpleQueueService.UnsupportedOperation"), error
    for message in dlq.sqs.receive_message(
        QueueUrl=dlq.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    ).get("Messages", []):
        attributes = message["Attributes"]
        source = attributes.get("DeadLetterQueueSourceArn", "").rsplit(":", 1)[-1]
        targets = [Queue(stack, it) for it in SOURCES[name]]
        target = next((it for it in targets if it.url.rsplit("/", 1)[-1] == source), targets[0])
        target.send(message["Body"], attributes.get("MessageGroupId", "1"))
        dlq.sqs.delete_message(QueueUrl=dlq.url, ReceiptHandle=message["ReceiptHandle"])


class Broken:
    """A function that cannot do its work, because a setting of it is wrong."""

    def __init__(self, stack, function, **wrong):
        self.functions, self.name, self.wrong = aws("lambda"), stack.resources[function], wrong

    def configure(self, variables):
        self.functions.update_function_configuration(FunctionName=self.name, Environment={"Variables": variables})
        self.functions.get_waiter("function_updated_v2").wait(FunctionName=self.name)

    def __enter__(self):
        asked = self.functions.get_function_configuration(FunctionName=self.name)
        self.right = asked["Environment"]["Variables"]
        self.configure(self.right | self.wrong)

    def __exit__(self, *_):
        self.configure(self.right)


def arrives(dlq, is_it):
    """Waits until the queue has the message that is meant, and answers with it."""
    def the_dead_letter():
        return [message for message in dlq.messages() if is_it(message)]
    return eventually(the_dead_letter, 60)[0]


@pytest.mark.parametrize("source, dlq", [(source, dlq) for dlq, sources in SOURCES.items() for source in sources])
def test_a_message_that_nobody_can_read_ends_as_a_dead_letter_and_harms_no_neighbour(stack, company, receiver, source, dlq):
    url = receiver.url()
    company.subscribe(url)
    poison = json.dumps({"poison": company.id})
    Queue(stack, source).send(poison, company.id)
    company.report()
    receiver.wait(url)
    dead = arrives(Queue(stack, dlq), lambda message: message["Body"] == poison)
    assert int(dead["Attributes"]["ApproximateReceiveCount"]) >= 5
    aws("sqs").delete_message(QueueUrl=stack.outputs[dlq], ReceiptHandle=dead["ReceiptHandle"])


def test_events_that_could_not_be_fanned_out_are_delivered_after_a_redrive(stack, company, receiver):
    url = receiver.url()
    company.subscribe(url)
    with Broken(stack, "Fanout", WEBHOOKS_TABLE="absent"):
        company.report()
        arrives(Queue(stack, "EventsDlq"), lambda message: company.id in message["Body"])
        assert receiver.at(url) == []
    redrive(stack, "EventsDlq")
    receiver.wait(url)


def test_first_attempts_and_retries_that_could_not_be_made_are_made_after_a_redrive(stack, receiver):
    original, retried = Company(stack), Company(stack)
    first, second = receiver.url(), receiver.url(503, 200)
    original.subscribe(first)
    retried.subscribe(second)
    retried.report()
    receiver.wait(second)
    with Broken(stack, "Deliver", WEBHOOKS_TABLE="absent"):
        original.report()
        for company in (original, retried):
            arrives(Queue(stack, "DeliveriesDlq"), lambda message: company.id in message["Body"])
        assert (len(receiver.at(first)), len(receiver.at(second))) == (0, 1)
    redrive(stack, "DeliveriesDlq")
    receiver.wait(first)
    receiver.wait(second, 2)
    assert len({attempt.headers["webhook-id"] for attempt in receiver.at(second)}) == 1


def test_a_mail_that_could_not_be_sent_is_sent_after_a_redrive(stack, company, receiver, mails):
    shop = Company(stack, app="mailer", user=None)
    stack.platform("PUT", "/v1/apps/mailer", {"name": "Mailer", "contact": "dev@app.example", "client_secret": "x" * 32})
    path, url = f"/rs/shops/{shop.id}/webhooks", receiver.url(500)
    with Broken(stack, "Notify", DELIVERIES_TABLE="absent"):
        webhook = shop.request("POST", path, {"callbackUrl": url, "eventType": "ORDER_UPDATE"}).body
        shop.report_order("change", "58")
        arrives(Queue(stack, "NoticesDlq"), lambda message: webhook["webhookId"] in message["Body"])
        assert not [mail for mail in mails() if webhook["webhookId"] in json.dumps(mail)]
    redrive(stack, "NoticesDlq")

    def the_mail_was_sent():
        return [mail for mail in mails() if webhook["webhookId"] in json.dumps(mail)]
    assert len(eventually(the_mail_was_sent)) == 1
