use std::{fs, path::Path};

use super::*;

const QUEUE: &str = "work";

fn open(path: &Path, clock: &VirtualClock) -> Sqs {
    Sqs::open(path, Arc::new(clock.clone()), Arc::new(Counter::default())).expect("opens")
}

/// Messages in every state: visible, delayed, in flight, and given up.
fn fill(sqs: &Sqs, clock: &VirtualClock) {
    create_pair(sqs, 1);
    sqs.send(QUEUE, "given up", None, None).expect("is sent");
    sqs.receive(QUEUE, 1, Some(Duration::ZERO)).expect("receives");
    sqs.receive(QUEUE, 1, None).expect("gives up");
    sqs.send(QUEUE, "deleted", None, None).expect("is sent");
    let deleted = sqs.receive(QUEUE, 1, None).expect("receives").remove(0);
    sqs.delete(QUEUE, &deleted.receipt_handle).expect("is deleted");
    sqs.send(QUEUE, "in flight", None, Some("acme")).expect("is sent");
    sqs.receive(QUEUE, 1, Some(40 * SECOND)).expect("receives");
    sqs.send(QUEUE, "delayed", Some(60 * SECOND), None).expect("is sent");
    let attributes = MessageAttributes::from([("key".to_owned(), AttributeValue::string("value"))]);
    let outgoing = Outgoing { body: "visible".to_owned(), attributes, ..Outgoing::default() };
    sqs.send_message(QUEUE, outgoing).expect("is sent");
    clock.advance(SECOND);
}

/// Checks that everything is as [`fill`] left it.
fn check(sqs: &Sqs, clock: &VirtualClock) {
    assert_eq!((depth(sqs, QUEUE), depth(sqs, "dead")), ((1, 1, 1), (1, 0, 0)));
    let bodies = |queue_name: &str| -> Vec<_> {
        let received = sqs.receive(queue_name, 10, Some(3600 * SECOND)).expect("receives");
        received.into_iter().map(|message| (message.body, message.receive_count)).collect()
    };
    let visible = sqs.receive(QUEUE, 10, Some(3600 * SECOND)).expect("receives").remove(0);
    assert_eq!(
        (visible.body.as_str(), visible.attributes["key"].string_value.as_deref()),
        ("visible", Some("value"))
    );
    assert_eq!(sqs.next_change().expect("reads"), Some(clock.now() + 39 * SECOND));
    clock.advance(39 * SECOND);
    assert!(bodies(QUEUE).is_empty(), "what was in flight has used up its one receive");
    clock.advance(20 * SECOND);
    assert_eq!(bodies(QUEUE), [("delayed".to_owned(), 1)]);
    let mut dead = bodies("dead");
    dead.sort_unstable();
    assert_eq!(dead, [("given up".to_owned(), 2), ("in flight".to_owned(), 2)]);
}

#[test]
fn a_service_that_is_dropped_loses_nothing() {
    let folder = tempfile::tempdir().expect("has a folder");
    let (path, clock) = (folder.path().join("sqs.sqlite"), clock());
    let sqs = open(&path, &clock);
    fill(&sqs, &clock);
    drop(sqs);
    check(&open(&path, &clock), &clock);
}

/// A copy of the files while they are in use is what a killed process leaves.
#[test]
fn a_process_that_is_killed_loses_nothing() {
    let (folder, left) =
        (tempfile::tempdir().expect("has a folder"), tempfile::tempdir().expect("has a folder"));
    let clock = clock();
    let sqs = open(&folder.path().join("sqs.sqlite"), &clock);
    fill(&sqs, &clock);
    for file in fs::read_dir(folder.path()).expect("is a folder") {
        let file = file.expect("is a file");
        fs::copy(file.path(), left.path().join(file.file_name())).expect("is copied");
    }
    check(&open(&left.path().join("sqs.sqlite"), &clock), &clock);
    drop(sqs);
}

#[test]
fn a_start_makes_visible_what_the_old_process_had_in_flight() {
    let folder = tempfile::tempdir().expect("has a folder");
    let (path, clock) = (folder.path().join("sqs.sqlite"), clock());
    let sqs = open(&path, &clock);
    sqs.create_queue(QUEUE, &Attributes::new()).expect("is created");
    sqs.send(QUEUE, "body", None, None).expect("is sent");
    let received = sqs.receive(QUEUE, 1, None).expect("receives").remove(0);
    drop(sqs);
    let sqs = open(&path, &clock);
    assert_eq!(sqs.release_in_flight().expect("releases"), 1);
    let again = sqs.receive(QUEUE, 1, None).expect("receives").remove(0);
    assert_eq!((again.message_id, again.receive_count), (received.message_id, 2));
    sqs.delete(QUEUE, &again.receipt_handle).expect("is deleted");
    drop(sqs);
    assert_eq!(depth(&open(&path, &clock), QUEUE), (0, 0, 0));
}

#[test]
fn a_handle_from_before_the_crash_still_deletes() {
    let folder = tempfile::tempdir().expect("has a folder");
    let (path, clock) = (folder.path().join("sqs.sqlite"), clock());
    let sqs = open(&path, &clock);
    sqs.create_queue(QUEUE, &Attributes::new()).expect("is created");
    sqs.send(QUEUE, "body", None, None).expect("is sent");
    let received = sqs.receive(QUEUE, 1, None).expect("receives").remove(0);
    drop(sqs);
    let sqs = open(&path, &clock);
    sqs.delete(QUEUE, &received.receipt_handle).expect("is deleted");
    assert_eq!(depth(&sqs, QUEUE), (0, 0, 0));
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_its_path_and_the_reason() {
    let folder = tempfile::tempdir().expect("has a folder");
    let path = folder.path().join("sqs.sqlite");
    let refused = |path: &Path| {
        Sqs::open(path, Arc::new(clock()), Arc::new(Counter::default())).expect_err("cannot be used")
    };
    fs::write(&path, "this is no database, and it is long enough to have a header".repeat(20))
        .expect("writes");
    let error = refused(&path);
    assert!(matches!(error, JournalError::Open { .. }), "{error:?}");
    assert!(error.to_string().contains("sqs.sqlite") && std::error::Error::source(&error).is_some());

    fs::remove_file(&path).expect("exists");
    let other = rusqlite::Connection::open(&path).expect("opens");
    other.execute_batch("CREATE TABLE other (x)").expect("creates");
    drop(other);
    assert!(matches!(refused(&path), JournalError::Version { found: 0, .. }));
    assert!(matches!(refused(&folder.path().join("missing/sqs.sqlite")), JournalError::Open { .. }));
}

#[test]
fn a_second_process_cannot_open_the_file() {
    let folder = tempfile::tempdir().expect("has a folder");
    let path = folder.path().join("sqs.sqlite");
    let _first = open(&path, &clock());
    let second = Sqs::open(&path, Arc::new(clock()), Arc::new(Counter::default()));
    assert!(matches!(second, Err(JournalError::Open { .. })));
}

#[test]
fn a_call_that_the_file_refuses_changes_nothing() {
    let clock = clock();
    let sqs = in_memory(&clock);
    sqs.create_queue(QUEUE, &Attributes::new()).expect("is created");
    sqs.send(QUEUE, "body", None, None).expect("is sent");
    let fail = |sql| sqs.core().expect("is healthy").0.journal.execute(sql);
    fail("CREATE TRIGGER refusal BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    assert!(matches!(sqs.receive(QUEUE, 1, None), Err(SqsError::Journal(_))));
    assert!(matches!(sqs.send(QUEUE, "another", None, None), Err(SqsError::Journal(_))));
    assert_eq!(depth(&sqs, QUEUE), (1, 0, 0));
    fail("DROP TRIGGER refusal");
    assert_eq!(sqs.receive(QUEUE, 10, None).expect("receives")[0].receive_count, 1);
}
