use serde_json::{Value, json};

use super::*;

async fn call(sqs: &Sqs, operation: &str, body: Value) -> (u16, Value) {
    let answer = sqs.call(operation, body.to_string().as_bytes()).await;
    (answer.status, serde_json::from_slice(&answer.body).expect("answers JSON"))
}

#[test]
fn a_message_that_is_given_up_keeps_its_id_time_and_count_and_names_its_source() {
    let clock = clock();
    let sqs = in_memory(&clock);
    create_pair(&sqs, 2);
    let sent_at = clock.now();
    let id = sqs.send("work", "poison", None, Some("acme")).expect("is sent");
    for _ in 0..2 {
        assert_eq!(sqs.receive("work", 10, None).expect("receives").len(), 1);
        clock.advance(30 * SECOND);
    }
    assert!(sqs.receive("work", 10, None).expect("receives").is_empty());
    let dead = sqs.receive("dead", 10, None).expect("receives").remove(0);
    assert_eq!((dead.message_id, dead.sent_at, dead.receive_count), (id, sent_at, 3));
    assert_eq!((dead.body.as_str(), dead.group.as_deref()), ("poison", Some("acme")));
    assert_eq!(dead.dead_letter_source_arn, Some(arn_of("work")));
}

#[test]
fn nothing_is_given_up_while_the_dead_letter_queue_is_gone() {
    let clock = clock();
    let sqs = in_memory(&clock);
    create_pair(&sqs, 1);
    sqs.send("work", "poison", None, None).expect("is sent");
    sqs.delete_queue("dead").expect("exists");
    for count in 1..4 {
        assert_eq!(sqs.receive("work", 1, None).expect("receives")[0].receive_count, count);
        clock.advance(30 * SECOND);
    }
}

#[tokio::test]
async fn a_move_task_sends_the_dead_back_as_new_messages() {
    let clock = clock();
    let sqs = in_memory(&clock);
    create_pair(&sqs, 1);
    let id = sqs.send("work", "poison", None, None).expect("is sent");
    sqs.receive("work", 1, Some(Duration::ZERO)).expect("receives");
    sqs.receive("work", 1, None).expect("gives up");
    sqs.send("dead", "sent here directly", None, None).expect("is sent");
    assert_eq!((depth(&sqs, "work"), depth(&sqs, "dead")), ((0, 0, 0), (2, 0, 0)));
    let source = json!({ "SourceArn": arn_of("dead"), "MaxResults": 10 });
    assert_eq!(call(&sqs, "StartMessageMoveTask", source.clone()).await.0, 200);
    assert_eq!((depth(&sqs, "work"), depth(&sqs, "dead")), ((1, 0, 0), (1, 0, 0)));
    let moved = sqs.receive("work", 1, None).expect("receives").remove(0);
    assert_eq!((moved.body.as_str(), moved.receive_count), ("poison", 1));
    assert_ne!(moved.message_id, id);
    let (_, list) = call(&sqs, "ListMessageMoveTasks", source).await;
    assert_eq!(list["Results"][0]["ApproximateNumberOfMessagesMoved"], 1);
    assert_eq!(list["Results"][0]["FailureReason"], "CouldNotDetermineMessageSource");
    let missing = json!({ "SourceArn": arn_of("missing") });
    assert_eq!(call(&sqs, "StartMessageMoveTask", missing).await.0, 404);
    let no_dead_letter_queue = json!({ "SourceArn": arn_of("work") });
    assert_eq!(call(&sqs, "StartMessageMoveTask", no_dead_letter_queue).await.0, 400);
}

#[test]
fn the_delay_of_a_message_overrides_that_of_its_queue() {
    let clock = clock();
    let sqs = in_memory(&clock);
    sqs.create_queue("slow", &attributes(&[("DelaySeconds", "60")])).expect("is created");
    sqs.send("slow", "by the queue", None, None).expect("is sent");
    sqs.send("slow", "at once", Some(Duration::ZERO), None).expect("is sent");
    sqs.send("slow", "longest", Some(900 * SECOND), None).expect("is sent");
    assert!(sqs.send("slow", "too long", Some(901 * SECOND), None).is_err());
    assert_eq!(depth(&sqs, "slow"), (1, 2, 0));
    assert_eq!(sqs.next_change().expect("reads"), Some(clock.now() + 60 * SECOND));
    clock.advance(60 * SECOND);
    assert_eq!(sqs.next_change().expect("reads"), Some(clock.now() + 840 * SECOND));
    clock.advance(840 * SECOND);
    assert_eq!((depth(&sqs, "slow"), sqs.next_change().expect("reads")), ((3, 0, 0), None));
}

#[test]
fn a_body_sent_to_an_arn_arrives_in_its_queue() {
    let sqs = in_memory(&clock());
    sqs.create_queue("events", &Attributes::new()).expect("is created");
    sqs.send_to_arn(&arn_of("events"), "event").expect("is sent");
    assert_eq!(sqs.receive("events", 1, None).expect("receives")[0].body, "event");
    assert!(matches!(sqs.send_to_arn(&arn_of("none"), "event"), Err(SqsError::QueueDoesNotExist)));
}

#[test]
fn a_handle_of_another_queue_is_invalid_and_a_stale_one_deletes_nothing() {
    let clock = clock();
    let sqs = in_memory(&clock);
    create_pair(&sqs, 5);
    sqs.send("work", "body", None, None).expect("is sent");
    let stale = sqs.receive("work", 1, Some(Duration::ZERO)).expect("receives").remove(0).receipt_handle;
    sqs.receive("work", 1, None).expect("receives");
    assert!(matches!(sqs.delete("dead", &stale), Err(SqsError::ReceiptHandleIsInvalid)));
    sqs.delete("work", &stale).expect("is no error");
    assert_eq!(depth(&sqs, "work"), (0, 0, 1));
}

#[tokio::test]
async fn a_batch_is_refused_as_a_whole_or_entry_by_entry() {
    let sqs = in_memory(&clock());
    sqs.create_queue("queue", &Attributes::new()).expect("is created");
    let send = |entries: Value| {
        let body = json!({ "QueueUrl": "http://x/1/queue", "Entries": entries });
        let sqs = &sqs;
        async move { call(sqs, "SendMessageBatch", body).await }
    };
    let entry = |id: &str, body: &str| json!({ "Id": id, "MessageBody": body });
    let large = "x".repeat(600_000);
    let eleven: Vec<_> = (0..11).map(|id| entry(&id.to_string(), "x")).collect();
    for (entries, error) in [
        (json!([]), "EmptyBatchRequest"),
        (json!(eleven), "TooManyEntriesInBatchRequest"),
        (json!([entry("a", "x"), entry("a", "x")]), "BatchEntryIdsNotDistinct"),
        (json!([entry("a b", "x")]), "InvalidBatchEntryId"),
        (json!([entry("a", &large), entry("b", &large)]), "BatchRequestTooLong"),
    ] {
        let (status, answer) = send(entries).await;
        assert_eq!((status, answer["__type"].as_str()), (400, Some(&*format!("com.amazonaws.sqs#{error}"))));
    }
    let late = json!({ "Id": "late", "MessageBody": "x", "DelaySeconds": 901 });
    let (status, answer) = send(json!([entry("a", "x"), late, entry("c", "\u{1}")])).await;
    assert_eq!((status, &answer["Successful"][0]["Id"]), (200, &json!("a")));
    let failed = |n: usize| (answer["Failed"][n]["Id"].clone(), answer["Failed"][n]["Code"].clone());
    assert_eq!(failed(0), (json!("late"), json!("InvalidParameterValue")));
    assert_eq!(failed(1), (json!("c"), json!("InvalidMessageContents")));
    assert_eq!(depth(&sqs, "queue"), (1, 0, 0));
}

#[tokio::test]
async fn every_limit_of_a_receive_and_of_a_message_is_kept() {
    let sqs = in_memory(&clock());
    sqs.create_queue("queue", &attributes(&[("MaximumMessageSize", "1024")])).expect("is created");
    let url = "http://anywhere/000000000000/queue";
    for (operation, field, value) in [
        ("ReceiveMessage", "MaxNumberOfMessages", json!(0)),
        ("ReceiveMessage", "MaxNumberOfMessages", json!(11)),
        ("ReceiveMessage", "WaitTimeSeconds", json!(21)),
        ("ReceiveMessage", "VisibilityTimeout", json!(43_201)),
        ("SendMessage", "DelaySeconds", json!(-1)),
        ("SendMessage", "DelaySeconds", json!(901)),
        ("SendMessage", "MessageBody", json!("x".repeat(1025))),
        ("SendMessage", "MessageGroupId", json!("with space")),
        ("SendMessage", "MessageGroupId", json!("g".repeat(129))),
        ("SendMessage", "MessageDeduplicationId", json!("once")),
    ] {
        let mut body = json!({ "QueueUrl": url, "MessageBody": "x" });
        body[field] = value;
        let (status, answer) = call(&sqs, operation, body).await;
        let kind = answer["__type"].as_str().unwrap_or_default();
        assert!(status == 400 && kind.ends_with("#InvalidParameterValueException"), "{field}: {answer}");
    }
    for (operation, body) in [
        ("PurgeQueue", json!({ "QueueUrl": url })),
        ("CreateQueue", json!({ "QueueName": "queue.fifo" })),
        ("CreateQueue", json!({ "QueueName": "q", "Attributes": { "FifoQueue": "true" } })),
    ] {
        let (_, answer) = call(&sqs, operation, body).await;
        assert_eq!(answer["__type"], "com.amazonaws.sqs#UnsupportedOperation", "{answer}");
    }
    assert_eq!(
        call(&sqs, "SendMessage", json!([1])).await.1["__type"],
        "com.amazon.coral.service#SerializationException"
    );
}

#[tokio::test]
async fn queues_are_listed_in_pages_and_told_with_the_advertised_host() {
    let sqs = in_memory(&clock());
    for name in ["a1", "a2", "a3", "b1"] {
        sqs.create_queue(name, &Attributes::new()).expect("is created");
    }
    sqs.advertise("127.0.0.1:4599");
    let (_, first) = call(&sqs, "ListQueues", json!({ "QueueNamePrefix": "a", "MaxResults": 2 })).await;
    assert_eq!(first["QueueUrls"][1], "http://127.0.0.1:4599/000000000000/a2");
    let next = json!({ "QueueNamePrefix": "a", "MaxResults": 2, "NextToken": first["NextToken"] });
    let (_, second) = call(&sqs, "ListQueues", next).await;
    assert_eq!(second, json!({ "QueueUrls": ["http://127.0.0.1:4599/000000000000/a3"] }));
}

#[tokio::test]
async fn a_long_poll_ends_at_the_first_message_and_otherwise_after_its_wait() {
    let clock = clock();
    let sqs = Arc::new(in_memory(&clock));
    sqs.create_queue("queue", &Attributes::new()).expect("is created");
    let poll = |wait| {
        let sqs = Arc::clone(&sqs);
        tokio::spawn(
            async move { sqs.receive_within("queue", 10, None, wait).await.expect("receives").len() },
        )
    };
    assert_eq!(poll(Duration::ZERO).await.expect("ends"), 0);
    assert_eq!(poll(Duration::from_millis(1)).await.expect("ends"), 0);
    let waiting = poll(20 * SECOND);
    tokio::task::yield_now().await;
    sqs.send("queue", "body", None, None).expect("is sent");
    assert_eq!(waiting.await.expect("ends"), 1);
    let waiting = poll(20 * SECOND);
    tokio::task::yield_now().await;
    clock.advance(30 * SECOND);
    sqs.wake();
    assert_eq!(waiting.await.expect("ends"), 1, "the clock was moved to the end of the visibility timeout");
}

#[tokio::test]
async fn changes_miss_nothing_and_wait_for_what_is_due() {
    let clock = clock();
    let sqs = in_memory(&clock);
    sqs.create_queue("queue", &Attributes::new()).expect("is created");
    let mut changes = sqs.changes("queue").expect("exists");
    sqs.send("queue", "before the wait", None, None).expect("is sent");
    assert!(changes.changed().await);
    assert_eq!(sqs.receive("queue", 10, None).expect("receives").len(), 1);
    assert!(changes.changed().await, "the visibility timeout is earlier than what was waited for");
    clock.advance(Duration::from_millis(29_999));
    assert!(changes.changed().await, "the last millisecond is waited for");
    clock.advance(SECOND);
    assert_eq!(sqs.receive("queue", 10, None).expect("receives").len(), 1);
    sqs.delete_queue("queue").expect("exists");
    while changes.changed().await {}
}
