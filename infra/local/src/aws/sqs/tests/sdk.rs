use aws_sdk_sqs::{
    Client,
    error::ProvideErrorMetadata as _,
    operation::{
        create_queue::CreateQueueError, delete_message::DeleteMessageError, get_queue_url::GetQueueUrlError,
        send_message::SendMessageError,
    },
    types::{
        DeleteMessageBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeName,
        QueueAttributeName, SendMessageBatchRequestEntry,
    },
};

use super::*;
use crate::aws::{AwsBox, connector::sdk_config};

fn client(clock: &VirtualClock) -> (Arc<AwsBox>, Client) {
    let aws_box =
        Arc::new(AwsBox::open(None, Arc::new(clock.clone()), Arc::new(Counter::default())).expect("a box"));
    let client = Client::new(&sdk_config(&aws_box));
    (aws_box, client)
}

#[tokio::test]
async fn the_sdk_sends_receives_deletes_and_redrives_in_virtual_time() {
    let clock = clock();
    let (aws_box, client) = client(&clock);
    create_pair(&aws_box.sqs, 2);
    let url = client.get_queue_url().queue_name("work").send().await.expect("exists");
    let url = url.queue_url().expect("has a URL");
    let entry = |id: &str, delay| {
        let attribute = MessageAttributeValue::builder().data_type("String").string_value("value");
        SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body(format!("body of {id}"))
            .message_group_id("acme")
            .message_attributes("key", attribute.build().expect("is complete"))
            .delay_seconds(delay)
            .build()
            .expect("is complete")
    };
    let batch =
        client.send_message_batch().queue_url(url).entries(entry("now", 0)).entries(entry("later", 900));
    let sent = batch.send().await.expect("is sent");
    assert_eq!((sent.successful().len(), sent.failed().len()), (2, 0));
    assert_eq!(sent.successful()[0].md5_of_message_body(), super::super::content::md5_of_text("body of now"));

    let receive = || {
        client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
    };
    let received = receive().send().await.expect("receives");
    let [message] = received.messages() else { panic!("one message is due") };
    assert_eq!(
        (message.body(), message.message_id()),
        (Some("body of now"), Some(sent.successful()[0].message_id()))
    );
    let system = message.attributes().expect("were asked for");
    assert_eq!(system[&MessageSystemAttributeName::MessageGroupId], "acme");
    assert_eq!(system[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    assert_eq!(system[&MessageSystemAttributeName::SentTimestamp], "1750000000000");
    let values = message.message_attributes().expect("were asked for");
    assert_eq!(values["key"].string_value(), Some("value"));
    assert!(message.md5_of_message_attributes().is_some());
    let handle = message.receipt_handle().expect("has a handle");
    let entry = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().expect("is complete")
    };
    let batch = client
        .delete_message_batch()
        .queue_url(url)
        .entries(entry("good", handle))
        .entries(entry("bad", "none"));
    let deleted = batch.send().await.expect("answers");
    assert_eq!(deleted.successful()[0].id(), "good");
    assert_eq!((deleted.failed()[0].id(), deleted.failed()[0].code()), ("bad", "ReceiptHandleIsInvalid"));

    clock.advance(900 * SECOND);
    for _ in 0..2 {
        assert_eq!(receive().send().await.expect("receives").messages().len(), 1);
        clock.advance(30 * SECOND);
    }
    assert!(receive().send().await.expect("receives").messages().is_empty());
    let dead = client.get_queue_url().queue_name("dead").send().await.expect("exists");
    let names = [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::QueueArn];
    let attributes = client
        .get_queue_attributes()
        .queue_url(dead.queue_url().expect("has a URL"))
        .set_attribute_names(Some(names.to_vec()))
        .send()
        .await
        .expect("exists");
    let attributes = attributes.attributes().expect("were asked for");
    assert_eq!(attributes[&names[0]], "1");
    assert_eq!(attributes[&names[1]], arn_of("dead"));
}

#[tokio::test]
async fn the_sdk_recognises_the_errors() {
    let (aws_box, client) = client(&clock());
    let url = "http://aws.box.localhost/000000000000/queue";
    let missing =
        client.send_message().queue_url(url).message_body("body").send().await.expect_err("is missing");
    assert!(missing.as_service_error().is_some_and(SendMessageError::is_queue_does_not_exist), "{missing:?}");
    assert_eq!(missing.code(), Some("AWS.SimpleQueueService.NonExistentQueue"));
    let missing = client.get_queue_url().queue_name("queue").send().await.expect_err("is missing");
    assert!(missing.as_service_error().is_some_and(GetQueueUrlError::is_queue_does_not_exist), "{missing:?}");

    aws_box.sqs.create_queue("queue", &Attributes::new()).expect("is created");
    let other = client.create_queue().queue_name("queue").attributes(QueueAttributeName::DelaySeconds, "1");
    let other = other.send().await.expect_err("has other attributes");
    assert!(other.as_service_error().is_some_and(CreateQueueError::is_queue_name_exists), "{other:?}");
    let delete = client.delete_message().queue_url(url).receipt_handle("none").send();
    let invalid = delete.await.expect_err("is no handle");
    assert!(
        invalid.as_service_error().is_some_and(DeleteMessageError::is_receipt_handle_is_invalid),
        "{invalid:?}"
    );
}
