//! What the platform is told on the event bus, as a rule of its own sends it to a queue of its own.

use aws_sdk_eventbridge::{Client, types::Target};
use knockback::domain::Timestamp;
use local::aws::{connector::sdk_config, sqs::arn_of};
use serde_json::{Value, json};

use crate::World;

const QUEUE: &str = "Announcements";

/// An event that Knockback has put on the bus.
#[derive(Debug, Clone)]
pub struct Announced {
    /// When it was put there.
    pub at: Timestamp,
    /// Its detail type.
    pub kind: String,
    /// Its detail.
    pub detail: Value,
}

impl World {
    /// Has what Knockback announces from now on be kept for [`World::announced`].
    ///
    /// # Panics
    ///
    /// If the box refuses the queue or the rule.
    #[expect(clippy::expect_used, reason = "a bus that cannot be listened to has failed the test")]
    pub async fn listen(&self) {
        let queue = json!({"QueueName": QUEUE}).to_string();
        let answer = self.system.aws.call("AmazonSQS.CreateQueue", queue.into()).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let client = Client::new(&sdk_config(&self.system.aws));
        let bus = &self.system.context.config.bus;
        let pattern = json!({"source": ["knockback"]}).to_string();
        let rule = client.put_rule().name("announcements").event_bus_name(bus).event_pattern(pattern);
        rule.send().await.expect("a rule");
        let target = Target::builder().id("queue").arn(arn_of(QUEUE)).build().expect("a target");
        let targets = client.put_targets().rule("announcements").event_bus_name(bus).targets(target);
        targets.send().await.expect("a target");
    }

    /// What was announced since it was last asked for, in order.
    ///
    /// # Panics
    ///
    /// If [`World::listen`] was not called.
    #[expect(clippy::expect_used, reason = "an event that is none has failed the test")]
    pub fn announced(&self) -> Vec<Announced> {
        let mut announced = Vec::new();
        loop {
            let messages = self.receive(QUEUE);
            if messages.is_empty() {
                return announced;
            }
            self.delete(QUEUE, &messages);
            for message in messages {
                let event: Value = serde_json::from_str(&message.body).expect("an event");
                let at = Timestamp::parse(event["time"].as_str().expect("a time")).expect("a time");
                let kind = event["detail-type"].as_str().expect("a detail type").to_owned();
                announced.push(Announced { at, kind, detail: event["detail"].clone() });
            }
        }
    }
}
