//! EventBridge: what `bus` relies on, and what reaches queues by the rules of template.yaml.

mod putting;
mod rules;

use aws_sdk_eventbridge::{
    Client,
    operation::put_events::{PutEventsOutput, builders::PutEventsFluentBuilder},
    types::{PutEventsRequestEntry, Target},
};
use aws_sdk_sqs::types::Message;
use serde_json::Value;

use crate::{
    aws::{Aws, Made},
    clause::Clause,
    sqs::Queue,
};

/// All clauses of this service.
pub(crate) fn clauses() -> Vec<Clause> {
    [putting::clauses(), rules::clauses()].into_iter().flatten().collect()
}

/// A bus.
pub(crate) struct Bus {
    client: Client,
    name: String,
}

/// The pattern of a rule of template.yaml.
pub(crate) fn pattern_of_template(rule: &str) -> String {
    let stack = local::template::Stack::read(local::template::TEMPLATE).expect("a template");
    let (rule, _) = stack.rules.into_iter().find(|(put, _)| put["Name"] == *rule).expect("has the rule");
    rule["EventPattern"].as_str().expect("is text").to_owned()
}

impl Bus {
    pub(crate) async fn new(aws: &Aws) -> Self {
        let (client, name) = (aws.events.clone(), aws.name());
        client.create_event_bus().name(&name).send().await.expect("a bus is made");
        aws.made(Made::Bus(name.clone()));
        Self { client, name }
    }

    /// A rule by this name, without targets.
    pub(crate) async fn rule(&self, name: &str, pattern: &str) {
        let rule = self.client.put_rule().event_bus_name(&self.name).name(name).event_pattern(pattern);
        rule.send().await.expect("a rule is made");
    }

    /// Has a rule send to this target.
    pub(crate) async fn target(&self, rule: &str, target: Target) {
        let put = self.client.put_targets().event_bus_name(&self.name).rule(rule).targets(target);
        assert_eq!(put.send().await.expect("is answered").failed_entry_count, 0);
    }

    /// A rule that sends what matches to a queue of its own.
    pub(crate) async fn queue(&self, aws: &Aws, name: &str, pattern: &str) -> Queue {
        let queue = Queue::new(aws, []).await;
        self.rule(name, pattern).await;
        let target = Target::builder().id(name).arn(queue.arn().await).build().expect("is complete");
        self.target(name, target).await;
        queue
    }

    /// An event of this bus, to be completed.
    pub(crate) fn entry(&self, source: &str, detail_type: &str, detail: &str) -> PutEventsRequestEntry {
        let entry = PutEventsRequestEntry::builder().event_bus_name(&self.name).source(source);
        entry.detail_type(detail_type).detail(detail).build()
    }

    pub(crate) fn putting(&self, entries: Vec<PutEventsRequestEntry>) -> PutEventsFluentBuilder {
        self.client.put_events().set_entries(Some(entries))
    }

    pub(crate) async fn put(&self, entries: Vec<PutEventsRequestEntry>) -> PutEventsOutput {
        self.putting(entries).send().await.expect("is answered")
    }
}

/// The event in a message.
pub(crate) fn event(message: &Message) -> Value {
    serde_json::from_str(message.body().unwrap_or_default()).expect("is JSON")
}

/// The details of the events in this many messages of a queue, sorted.
pub(crate) async fn details(queue: &Queue, count: usize) -> Vec<String> {
    let messages = queue.expect(count).await;
    let mut details: Vec<_> = messages.iter().map(|message| event(message)["detail"].to_string()).collect();
    details.sort_unstable();
    details
}
