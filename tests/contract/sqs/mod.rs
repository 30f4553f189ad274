//! SQS: what `queues` relies on, and who feeds functions from queues, and operators.

mod moves;
mod queues;
mod receiving;
mod redrive;
mod sending;

use std::collections::HashMap;

use aws_sdk_sqs::{
    Client,
    operation::{
        receive_message::builders::ReceiveMessageFluentBuilder,
        send_message::builders::SendMessageFluentBuilder, send_message_batch::SendMessageBatchOutput,
    },
    types::{
        Message, MessageSystemAttributeName as System, QueueAttributeName, SendMessageBatchRequestEntry,
    },
};

use crate::{
    aws::{Aws, Made},
    clause::Clause,
};

/// All clauses of this service.
pub(crate) fn clauses() -> Vec<Clause> {
    [sending::clauses(), receiving::clauses(), redrive::clauses(), moves::clauses(), queues::clauses()]
        .into_iter()
        .flatten()
        .collect()
}

/// A queue.
pub(crate) struct Queue {
    pub(crate) client: Client,
    pub(crate) url: String,
}

/// An entry of a batch.
pub(crate) fn entry(id: &str, body: impl Into<String>) -> SendMessageBatchRequestEntry {
    delayed(id, body, None)
}

pub(crate) fn delayed(
    id: &str,
    body: impl Into<String>,
    delay_secs: Option<i32>,
) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body);
    entry.set_delay_seconds(delay_secs).build().expect("is complete")
}

/// What messages say, sorted: a queue has no order.
pub(crate) fn bodies(messages: &[Message]) -> Vec<&str> {
    let mut bodies: Vec<_> = messages.iter().map(|message| message.body().unwrap_or_default()).collect();
    bodies.sort_unstable();
    bodies
}

/// What SQS says of a message.
#[track_caller]
pub(crate) fn system(message: &Message, name: &System) -> Option<String> {
    message.attributes().and_then(|attributes| attributes.get(name)).cloned()
}

impl Queue {
    /// Makes one with these attributes.
    pub(crate) async fn new<const N: usize>(aws: &Aws, attributes: [(QueueAttributeName, &str); N]) -> Self {
        let client = aws.sqs.clone();
        let attributes = attributes.map(|(name, value)| (name, value.to_owned()));
        let create =
            client.create_queue().queue_name(aws.name()).set_attributes(Some(HashMap::from(attributes)));
        let url = create.send().await.expect("a queue is made").queue_url.expect("has a URL");
        aws.made(Made::Queue(url.clone()));
        Self { client, url }
    }

    /// Makes one whose messages go to `dead` when they have been received so often.
    pub(crate) async fn of_dead(aws: &Aws, dead: &Self, max_receive_count: u32) -> Self {
        let arn = dead.arn().await;
        let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{max_receive_count}}}"#);
        Self::new(aws, [(QueueAttributeName::RedrivePolicy, &policy)]).await
    }

    pub(crate) async fn attribute(&self, name: QueueAttributeName) -> Option<String> {
        let get = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        get.send().await.expect("are told").attributes?.remove(&name)
    }

    pub(crate) async fn arn(&self) -> String {
        self.attribute(QueueAttributeName::QueueArn).await.expect("has an ARN")
    }

    /// How many messages are visible, delayed and in flight.
    pub(crate) async fn depth(&self) -> [String; 3] {
        use QueueAttributeName as Name;
        let [visible, delayed, in_flight] = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesDelayed,
            Name::ApproximateNumberOfMessagesNotVisible,
        ]
        .map(|name| self.attribute(name));
        [visible.await, delayed.await, in_flight.await].map(Option::unwrap_or_default)
    }

    pub(crate) fn message(&self, body: impl Into<String>) -> SendMessageFluentBuilder {
        self.client.send_message().queue_url(&self.url).message_body(body)
    }

    /// Sends a message, and answers its id.
    pub(crate) async fn send(&self, body: &str) -> String {
        self.message(body).send().await.expect("is sent").message_id.expect("has an id")
    }

    pub(crate) async fn send_all(
        &self,
        entries: Vec<SendMessageBatchRequestEntry>,
    ) -> SendMessageBatchOutput {
        let batch = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        batch.send().await.expect("is answered")
    }

    /// A receive of ten messages with all that is told of them.
    pub(crate) fn receiving(&self) -> ReceiveMessageFluentBuilder {
        let receive = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        receive.message_system_attribute_names(System::All)
    }

    /// What is visible now.
    pub(crate) async fn receive(&self) -> Vec<Message> {
        self.receiving().send().await.expect("is answered").messages.unwrap_or_default()
    }

    /// This many messages, which come in one receive or in several.
    pub(crate) async fn expect(&self, count: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        for _ in 0..5 {
            let receive = self.receiving().wait_time_seconds(1).send().await.expect("is answered");
            messages.extend(receive.messages.unwrap_or_default());
            if messages.len() >= count {
                break;
            }
        }
        assert_eq!(messages.len(), count, "{:?} are received", bodies(&messages));
        messages
    }

    /// The one message that there is.
    pub(crate) async fn expect_one(&self) -> Message {
        self.expect(1).await.remove(0)
    }

    /// Receives the one message and lets it be visible again at once.
    pub(crate) async fn receive_and_drop(&self) -> Message {
        let receive = self.receiving().visibility_timeout(0).wait_time_seconds(1).send().await;
        receive.expect("is answered").messages.unwrap_or_default().pop().expect("is received")
    }
}
