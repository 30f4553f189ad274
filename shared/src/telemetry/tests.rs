//! Lines as they are written: by this process to a buffer, by a process of its own to standard output.

use std::{
    io,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use super::*;
use crate::domain::Timestamp;

const AT: Timestamp = Timestamp::from_ms(1_767_225_600_000);

/// Says to this very program that it is the process whose lines are looked at.
const CHILD: &str = "KNOCKBACK_TEST_LINES";

fn parsed(metrics: Metrics) -> Vec<Value> {
    let lines = metrics.lines(Some("knockback-prod"), AT);
    lines.iter().map(|line| specification::read(line).expect("a line as specified")).collect()
}

#[test]
fn an_invocation_is_one_line_and_what_did_not_happen_is_not_in_it() {
    let metrics = Metrics::default();
    metrics.count(Count::Attempts, 2);
    metrics.count(Count::Attempts, 1);
    metrics.count(Count::Failed, 0);
    metrics.time(Time::AttemptDuration, Duration::from_millis(12));
    metrics.time(Time::AttemptDuration, Duration::from_micros(900));
    let definitions =
        json!([{"Name": "Attempts", "Unit": "Count"}, {"Name": "AttemptDuration", "Unit": "Milliseconds"}]);
    let expected = json!({
        "_aws": {"Timestamp": 1_767_225_600_000_u64, "CloudWatchMetrics": [
            {"Namespace": "Knockback", "Dimensions": [["Stack"]], "Metrics": definitions}]},
        "Stack": "knockback-prod", "Attempts": 3, "AttemptDuration": [12, 0],
    });
    assert_eq!(parsed(metrics), [expected]);
    assert_eq!(parsed(Metrics::default()), [Value::Null; 0]);

    let of_a_local_run = Metrics::default();
    of_a_local_run.count(Count::Attempts, 1);
    assert!(of_a_local_run.lines(None, AT).is_empty());
}

#[test]
fn everything_that_can_be_counted_and_measured_fits_into_one_line() {
    use Count::*;
    let counts = [
        EventsAccepted,
        WebhooksMatched,
        Attempts,
        Retries,
        Delivered,
        Failed,
        GivenUp,
        Dropped,
        Banned,
        Deactivated,
        OutcomeUnlogged,
        SweptStale,
        WaitsWoken,
        MailsSent,
        MailsFailed,
    ];
    let metrics = Metrics::default();
    for what in counts {
        metrics.count(what, usize::MAX);
    }
    for what in [Time::DeliveryLag, Time::AttemptDuration] {
        (0..100).for_each(|_| metrics.time(what, Duration::MAX));
    }
    let lines = parsed(metrics);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].as_object().map(serde_json::Map::len), Some(15 + 2 + 2));
    let readme = include_str!("../../../README.md");
    for metric in lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().into_iter().flatten() {
        let (name, unit) = (metric["Name"].as_str(), metric["Unit"].as_str());
        let row = format!("\n| `{}` | {} | ", name.unwrap_or_default(), unit.unwrap_or_default());
        assert!(readme.contains(&row), "README.md lacks {row}");
    }
}

#[test]
fn what_one_line_cannot_hold_goes_on_in_the_next_and_nothing_is_counted_twice() {
    let metrics = Metrics::default();
    metrics.count(Count::Attempts, 250);
    (0..250).for_each(|ms| metrics.time(Time::AttemptDuration, Duration::from_millis(ms)));
    (0..101).for_each(|ms| metrics.time(Time::DeliveryLag, Duration::from_millis(ms)));
    let lines = parsed(metrics);
    let values = |name: &str| {
        let lines = lines.iter().filter_map(|line| line[name].as_array());
        lines.map(|values| values.iter().filter_map(Value::as_u64).collect()).collect::<Vec<Vec<_>>>()
    };
    assert_eq!(values("AttemptDuration").iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
    assert_eq!(values("AttemptDuration").concat(), (0..250).collect::<Vec<_>>());
    assert_eq!(values("DeliveryLag").concat(), (0..101).collect::<Vec<_>>());
    let counted: Vec<_> = lines.iter().map(|line| line["Attempts"].as_u64()).collect();
    assert_eq!(counted, [Some(250), None, None]);
}

#[test]
fn a_line_that_is_not_as_specified_is_found() {
    let metrics = Metrics::default();
    metrics.count(Count::Attempts, 1);
    metrics.time(Time::DeliveryLag, Duration::ZERO);
    let line = metrics.lines(Some("a"), AT).remove(0);
    assert!(specification::read(&line).is_ok(), "{line}");
    let many = format!(r#""DeliveryLag":[{}0]"#, "0,".repeat(100));
    for (right, wrong) in [
        ("{", "\n{"),
        (r#""Stack":"a""#, r#""Stack":"""#),
        (r#""Stack":"a""#, r#""Other":"a""#),
        (r#"[["Stack"]]"#, r#"[["Company"]]"#),
        ("\"Timestamp\":1767225600000", "\"Timestamp\":\"now\""),
        (r#""Attempts":1"#, r#""Attempts":0"#),
        (r#""Attempts":1"#, r#""Attempts":"1""#),
        (r#""Attempts":1,"#, ""),
        (r#""Attempts":1"#, r#""Attempts":1,"Company":"1""#),
        (r#""DeliveryLag":[0]"#, r#""DeliveryLag":[]"#),
        (r#""DeliveryLag":[0]"#, &many),
        (r#""Unit":"Count""#, r#""Unit":"Pieces""#),
        ("Knockback", "AWS/Lambda"),
    ] {
        assert!(line.contains(right), "{right} in {line}");
        assert!(specification::read(&line.replacen(right, wrong, 1)).is_err(), "{wrong}");
    }
}

/// A writer to a buffer, and the buffer.
fn buffer() -> (impl for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static, Arc<Mutex<Vec<u8>>>) {
    struct Buffer(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a buffer").write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&bytes);
    (move || Buffer(Arc::clone(&shared)), bytes)
}

/// The lines that are written at a level of what is told at each, by Knockback and by a library; and of metrics.
fn written(level: LevelFilter) -> Vec<String> {
    let (writer, bytes) = buffer();
    tracing::subscriber::with_default(lines(level, writer), || {
        for target in ["own", "library"] {
            macro_rules! tell {
                ($level:ident) => {
                    match target {
                        "own" => tracing::$level!(target: "deliver::turn", own = stringify!($level)),
                        _ => tracing::$level!(target: "aws_smithy_runtime", library = stringify!($level)),
                    }
                };
            }
            tell!(error);
            tell!(warn);
            tell!(info);
            tell!(debug);
            tell!(trace);
        }
        tracing::info!(target: METRICS, line = r#"{"_aws":{},"Stack":"a\"b"}"#);
    });
    let text = String::from_utf8(bytes.lock().expect("a buffer").clone()).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_level_silences_what_is_below_it_but_no_metrics_and_libraries_say_nothing_below_info() {
    for (name, own, library) in [
        ("off", 0, 0),
        ("error", 1, 1),
        ("warn", 2, 2),
        ("", 3, 3),
        ("info", 3, 3),
        ("INFO", 3, 3),
        ("debug", 4, 3),
        ("trace", 5, 3),
    ] {
        let lines = written(level(name).expect("a level"));
        let count = |field: &str| lines.iter().filter(|line| line.contains(field)).count();
        assert_eq!((count(r#""own":"#), count(r#""library":"#)), (own, library), "{name}: {lines:#?}");
        assert_eq!(lines.last().map(String::as_str), Some(r#"{"_aws":{},"Stack":"a\"b"}"#), "{name}");
        assert_eq!(lines.len(), own + library + 1, "{name}");
        for line in &lines {
            assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
        }
    }
    assert_eq!((level("loud"), level("info,aws=trace")), (None, None));
}

/// The JSON lines of a process of its own, with this in `LOG_LEVEL`, that tells one thing and one metric.
fn lines_of_a_process(level: &str) -> Vec<String> {
    let this = "telemetry::tests::a_process_writes_metrics_as_documents_of_their_own_whatever_its_level_is";
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", this, "--nocapture", "--test-threads=1"])
        .env("LOG_LEVEL", level)
        .env(CHILD, "1")
        .output()
        .expect("a process");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // The test's own name may stand in front of the first line.
    let json = |line: &str| line.find('{').map(|start| line[start..].to_owned());
    text.lines().filter_map(json).collect()
}

#[test]
fn a_process_writes_metrics_as_documents_of_their_own_whatever_its_level_is() {
    let metrics = || {
        let metrics = Metrics::default();
        metrics.count(Count::Banned, 1);
        metrics.lines(Some("knockback-prod"), AT).remove(0)
    };
    if std::env::var_os(CHILD).is_some() {
        start();
        tracing::info!(target: ATTEMPT, outcome = "succeeded");
        tracing::info!(target: METRICS, line = &*metrics());
        return;
    }
    assert_eq!(lines_of_a_process("error"), [metrics()]);
    let lines = lines_of_a_process("info");
    assert_eq!((lines.len(), lines[0].contains("succeeded")), (2, true), "{lines:#?}");
    assert_eq!(lines[1], metrics());
    // One that is none is told once, and costs nothing else.
    let lines = lines_of_a_process("loud");
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines[0].contains("LOG_LEVEL is none of") && lines[0].contains("WARN"), "{lines:#?}");
    assert!(lines[1].contains("succeeded") && lines[2] == metrics(), "{lines:#?}");
}

#[test]
fn an_error_says_where_a_text_is_wrong_and_not_what_it_is() {
    #[derive(Debug, thiserror::Error)]
    #[error("a message cannot be read")]
    struct Unreadable<E: Error + 'static>(#[source] E);

    let error = serde_json::from_str::<u32>("\n\"kept to itself\"").expect_err("no number");
    assert!(error.to_string().contains("kept to itself"));
    assert_eq!(chain(&Unreadable(error)), "a message cannot be read: Data error in JSON at line 2 column 16");
    let item = |value: &str| {
        let value = aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
        serde_dynamo::from_attribute_value::<_, Option<bool>>(value).expect_err("no flag")
    };
    assert!(!chain(&Unreadable(item("kept to itself"))).contains("kept"));
}
