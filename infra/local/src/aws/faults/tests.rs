use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, PutRequest, WriteRequest};
use aws_sdk_sqs::{
    error::ProvideErrorMetadata as _,
    types::{BatchResultErrorEntry, SendMessageBatchRequestEntry},
};
use knockback::clock::{SystemClock, SystemEntropy};

use super::*;
use crate::aws::{
    connector::{sdk_config, sdk_config_of},
    iam::Role,
    sqs::{REGION, arn_of},
};

const URL: &str = "http://aws.box.localhost/000000000000/work";

/// A box with a queue and a table, and a function's clients for them.
async fn open() -> (Arc<AwsBox>, aws_sdk_sqs::Client, aws_sdk_dynamodb::Client) {
    let aws = Arc::new(AwsBox::open(None, Arc::new(SystemClock), Arc::new(SystemEntropy)).expect("a box"));
    aws.sqs.create_queue("work", &[].into()).expect("is created");
    let table = json!({"TableName": "things", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]});
    assert_eq!(aws.call("DynamoDB_20120810.CreateTable", table.to_string().into()).await.status, 200);
    let permits = |actions: &[&str], resource: String| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    let statements = [
        permits(&["sqs:SendMessage"], arn_of("work")),
        permits(
            &["dynamodb:PutItem", "dynamodb:BatchWriteItem", "dynamodb:BatchGetItem"],
            format!("arn:aws:dynamodb:{REGION}:000000000000:table/things"),
        ),
    ];
    let role = Role::read(&json!([{"PolicyDocument": {"Statement": statements}}])).expect("a role");
    aws.roles.assign("Function", role);
    let config = sdk_config_of(&aws, "Function");
    (Arc::clone(&aws), aws_sdk_sqs::Client::new(&config), aws_sdk_dynamodb::Client::new(&config))
}

/// Sends a message with a fault, and answers with what came of it: the error's code, or `""` for an error without one;
/// how many messages there are; and how many calls were struck.
async fn send_with(fault: Fault) -> (Result<(), String>, usize, usize) {
    let (aws, sqs, _) = open().await;
    aws.faults.plan([(0, fault)]);
    let sent = sqs.send_message().queue_url(URL).message_body("a").send().await;
    let struck = aws.faults.end().iter().filter(|call| call.fault == Some(fault)).count();
    let sent = sent.map(drop).map_err(|error| error.code().unwrap_or_default().to_owned());
    (sent, aws.sqs.depth("work").expect("a queue").visible, struck)
}

#[tokio::test]
async fn a_refused_call_is_not_performed_and_its_repeats_are_refused_where_that_is_said() {
    let throttled = "com.amazonaws.sqs#RequestThrottled".rsplit('#').next().map(str::to_owned);
    let (sent, messages, struck) = send_with(Fault::Throttled).await;
    assert_eq!((sent.err(), messages, struck), (throttled, 0, TRIES));
    let (sent, messages, struck) = send_with(Fault::Cut).await;
    assert_eq!((sent, messages, struck), (Err(String::new()), 0, TRIES));
    let (sent, messages, struck) = send_with(Fault::Failed).await;
    assert_eq!((sent, messages, struck), (Ok(()), 1, 1), "the SDK has repeated it");
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_performed_once_more_each_time_it_is_repeated() {
    assert_eq!(send_with(Fault::AnswerLost).await, (Ok(()), 2, 1));
    assert_eq!(send_with(Fault::NeverAnswered).await, (Err(String::new()), 3, TRIES));
    assert_eq!(send_with(Fault::Twice).await, (Ok(()), 2, 1));
}

#[tokio::test]
async fn who_is_killed_gets_no_further() {
    for (fault, messages) in [(Fault::KilledBefore, 0), (Fault::KilledAfter, 1)] {
        let (aws, sqs, _) = open().await;
        aws.faults.plan([(0, fault)]);
        let ended =
            living(async { sqs.send_message().queue_url(URL).message_body("a").send().await.is_ok() });
        assert_eq!(ended.await, None, "{fault:?}");
        assert_eq!(aws.sqs.depth("work").expect("a queue").visible, messages, "{fault:?}");
    }
    assert_eq!(living(async { 1 }).await, Some(1));
}

#[tokio::test]
async fn of_a_batch_one_half_is_left_and_the_answer_says_which() {
    let (aws, sqs, dynamodb) = open().await;
    let entry =
        |id: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(id).build().expect("an entry");
    aws.faults.plan([(0, Fault::Partly), (1, Fault::Partly), (2, Fault::Partly)]);
    let batch = sqs.send_message_batch().queue_url(URL);
    let sent = batch.set_entries(Some(["a", "b", "c"].map(entry).into())).send().await.expect("an answer");
    let failed: Vec<_> = sent.failed().iter().map(BatchResultErrorEntry::id).collect();
    assert_eq!((failed, sent.successful().len()), (vec!["a"], 2));

    let key = |text: &str| [("pk".to_owned(), AttributeValue::S(text.to_owned()))].into();
    let put = |text: &&str| {
        let put = PutRequest::builder().set_item(Some(key(text))).build().expect("a put");
        WriteRequest::builder().put_request(put).build()
    };
    let write = dynamodb.batch_write_item().request_items("things", ["a", "b"].iter().map(put).collect());
    let left = write.send().await.expect("an answer").unprocessed_items.expect("some");
    assert_eq!(left["things"], [put(&"a")]);

    let keys = KeysAndAttributes::builder().set_keys(Some(vec![key("a"), key("b")])).consistent_read(true);
    let read = dynamodb.batch_get_item().request_items("things", keys.build().expect("keys"));
    let answer = read.send().await.expect("an answer");
    assert_eq!(answer.responses.expect("some")["things"], [key("b")]);
    let left = &answer.unprocessed_keys.expect("some")["things"];
    assert_eq!((left.keys(), left.consistent_read()), (&[key("a")][..], Some(true)));
}

#[tokio::test]
async fn time_passes_for_an_answer_that_is_late() {
    let (aws, sqs, _) = open().await;
    let waited = Arc::new(Mutex::new(Vec::new()));
    let waits = Arc::clone(&waited);
    aws.faults.wait_by(move |time| waits.lock().expect("no panic").push(time));
    aws.faults.plan([(1, Fault::Late)]);
    for _ in 0..3 {
        sqs.send_message().queue_url(URL).message_body("a").send().await.expect("is sent");
    }
    assert_eq!(*waited.lock().expect("no panic"), [LATE]);
    let calls: Vec<_> = aws.faults.end().into_iter().map(|call| call.fault).collect();
    assert_eq!(calls, [None, Some(Fault::Late), None]);
}

#[tokio::test]
async fn a_fault_that_does_not_fit_a_call_and_a_call_of_the_tests_own_are_let_be() {
    let (aws, sqs, _) = open().await;
    aws.faults.plan([(0, Fault::Conflict), (1, Fault::Partly), (2, Fault::Cut)]);
    let own = aws_sdk_sqs::Client::new(&sdk_config(&aws));
    own.send_message().queue_url(URL).message_body("a").send().await.expect("is sent");
    for _ in 0..2 {
        sqs.send_message().queue_url(URL).message_body("a").send().await.expect("is sent");
    }
    assert!(aws.faults.end().iter().all(|call| call.fault.is_none()));
}
