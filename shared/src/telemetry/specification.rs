//! What CloudWatch's specification of the embedded metric format asks of a line, to check lines by.

use serde_json::Value;

/// The longest line that CloudWatch Logs takes whole, by its stricter limit.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// The units that the metrics here have.
const UNITS: [&str; 2] = ["Count", "Milliseconds"];

/// Reads a line, and answers with its document.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn read(line: &str) -> Result<Value, String> {
    let check = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("{what}: {line}")) };
    check(line.len() <= LINE_BYTES_MAX && !line.contains(['\n', '\r']), "not one line")?;
    let document: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
    let (root, aws) = (document.as_object(), document["_aws"].as_object());
    let (Some(root), Some(aws)) = (root, aws) else { return Err(format!("no metadata: {line}")) };
    check(aws.len() == 2 && aws.get("Timestamp").is_some_and(Value::is_u64), "no time")?;
    let directives = aws.get("CloudWatchMetrics").and_then(Value::as_array).map(Vec::as_slice);
    let Some([directive]) = directives else { return Err(format!("not one directive: {line}")) };
    check(directive.as_object().is_some_and(|directive| directive.len() == 3), "other members")?;
    check(directive["Namespace"] == "Knockback", "another namespace")?;

    check(directive["Dimensions"] == serde_json::json!([["Stack"]]), "other dimensions")?;
    let stack = document["Stack"].as_str().map(|stack| stack.chars().count());
    check(stack.is_some_and(|chars| (1..=1024).contains(&chars)), "no value of the dimension")?;

    let metrics = directive["Metrics"].as_array().map(Vec::as_slice).unwrap_or_default();
    check((1..=100).contains(&metrics.len()), "no metrics, or too many")?;
    let mut names = std::collections::BTreeSet::from(["_aws", "Stack"]);
    for metric in metrics {
        let unit = metric["Unit"].as_str().unwrap_or_default();
        let name = metric["Name"].as_str().unwrap_or_default();
        check(metric.as_object().is_some_and(|metric| metric.len() == 2), "other members of a metric")?;
        check(UNITS.contains(&unit), "no unit")?;
        check(name.starts_with(|c: char| c.is_ascii_uppercase()), "a name that is not in PascalCase")?;
        check(names.insert(name), "a metric twice")?;
        let holds = match &document[name] {
            Value::Array(values) => (1..=100).contains(&values.len()) && values.iter().all(Value::is_u64),
            value => value.as_u64().is_some_and(|value| value > 0),
        };
        check(holds, "a value that is none")?;
    }
    check(root.keys().all(|key| names.contains(key.as_str())), "a member that no metric is")?;
    Ok(document)
}
