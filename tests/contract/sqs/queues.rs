//! Queues: what they are made with, and what they tell of themselves.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::{Queue, entry};
use crate::{
    aws::{Aws, Made},
    check::refused,
    clause::{Clause, clause},
};

const UNKNOWN: &str = "AWS.SimpleQueueService.NonExistentQueue";

pub(super) fn clauses() -> Vec<Clause> {
    vec![
        clause!(a_queue_has_the_attributes_that_it_is_made_with),
        clause!(a_queue_without_attributes_has_those_of_aws),
        clause!(a_queue_is_made_again_with_the_same_attributes_only),
        clause!(an_attribute_is_changed_and_applies_from_then_on),
        clause!(attributes_have_their_bounds),
        clause!(a_queue_is_found_by_its_name),
        clause!(a_queue_that_is_not_there_is_said_to_be),
    ]
}

async fn a_queue_has_the_attributes_that_it_is_made_with(aws: Arc<Aws>) {
    let dead = Queue::new(&aws, []).await.arn().await;
    let policy = format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":5}}"#);
    let attributes = [
        (Name::VisibilityTimeout, "360"),
        (Name::MessageRetentionPeriod, "1209600"),
        (Name::MaximumMessageSize, "1048576"),
        (Name::RedrivePolicy, &policy),
    ];
    let queue = Queue::new(&aws, attributes.clone()).await;
    for (name, value) in &attributes[..3] {
        assert_eq!(queue.attribute(name.clone()).await.as_deref(), Some(*value), "{name:?}");
    }
    let told = queue.attribute(Name::RedrivePolicy).await.expect("is told");
    let told: serde_json::Value = serde_json::from_str(&told).expect("is JSON");
    assert_eq!(told["deadLetterTargetArn"], *dead);
    assert_eq!(told["maxReceiveCount"].to_string().trim_matches('"'), "5");
    let arn = queue.arn().await;
    assert!(arn.starts_with("arn:aws:sqs:us-east-1:"), "{arn}");
    assert_eq!(arn.rsplit(':').next(), queue.url.rsplit('/').next());
}

async fn a_queue_without_attributes_has_those_of_aws(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    for (name, value) in [
        (Name::VisibilityTimeout, "30"),
        (Name::MessageRetentionPeriod, "345600"),
        (Name::DelaySeconds, "0"),
        (Name::ReceiveMessageWaitTimeSeconds, "0"),
        (Name::MaximumMessageSize, "1048576"),
    ] {
        assert_eq!(queue.attribute(name.clone()).await.as_deref(), Some(value), "{name:?}");
    }
    assert_eq!(queue.attribute(Name::RedrivePolicy).await, None);
}

async fn a_queue_is_made_again_with_the_same_attributes_only(aws: Arc<Aws>) {
    let name = aws.name();
    let create = |secs: &str| {
        let attributes = HashMap::from([(Name::VisibilityTimeout, secs.to_owned())]);
        aws.sqs.create_queue().queue_name(&name).set_attributes(Some(attributes)).send()
    };
    let first = create("45").await.expect("is made").queue_url.expect("has a URL");
    aws.made(Made::Queue(first.clone()));
    assert_eq!(create("45").await.expect("is there").queue_url, Some(first));
    refused(create("46").await, "QueueAlreadyExists");
}

async fn an_attribute_is_changed_and_applies_from_then_on(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let set = aws.sqs.set_queue_attributes().queue_url(&queue.url).attributes(Name::DelaySeconds, "60");
    set.send().await.expect("is changed");
    queue.send_all(vec![entry("a", "a")]).await;
    assert_eq!(queue.depth().await, ["0", "1", "0"]);
    assert_eq!(queue.attribute(Name::DelaySeconds).await.as_deref(), Some("60"));
}

async fn attributes_have_their_bounds(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    for (name, value) in [
        (Name::VisibilityTimeout, "43201"),
        (Name::MessageRetentionPeriod, "1209601"),
        (Name::MaximumMessageSize, "1048577"),
        (Name::DelaySeconds, "901"),
        (Name::ReceiveMessageWaitTimeSeconds, "21"),
    ] {
        let set = aws.sqs.set_queue_attributes().queue_url(&queue.url).attributes(name, value);
        let code = crate::check::code(&set.send().await);
        assert_eq!(code.as_deref(), Some("InvalidAttributeValue"), "{value}");
    }
}

async fn a_queue_is_found_by_its_name(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let name = queue.url.rsplit('/').next().expect("a name");
    let found = aws.sqs.get_queue_url().queue_name(name).send().await.expect("is found");
    assert_eq!(found.queue_url(), Some(&*queue.url));
}

async fn a_queue_that_is_not_there_is_said_to_be(aws: Arc<Aws>) {
    let queue = Queue::new(&aws, []).await;
    let absent = Queue { client: aws.sqs.clone(), url: format!("{}-none", queue.url) };
    refused(absent.message("body").send().await, UNKNOWN);
    let batch = aws.sqs.send_message_batch().queue_url(&absent.url).entries(entry("a", "a"));
    refused(batch.send().await, UNKNOWN);
    refused(absent.receiving().send().await, UNKNOWN);
    refused(aws.sqs.delete_message().queue_url(&absent.url).receipt_handle("a").send().await, UNKNOWN);
    refused(aws.sqs.get_queue_url().queue_name(aws.name()).send().await, UNKNOWN);
    refused(aws.sqs.get_queue_attributes().queue_url(&absent.url).send().await, UNKNOWN);
}
