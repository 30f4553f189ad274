//! The schedules of a function: its events of type `ScheduleV2`.
//!
//! Only rates can be done, without a window or an end; whatever else a schedule may say is refused rather than ignored.

use std::time::Duration;

use serde_json::Value;

use super::TemplateError;

/// What has a function run again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The function's name in the template.
    pub function: String,
    /// The event's name in the function.
    pub name: String,
    /// The time from one run to the next: a minute at least.
    pub every: Duration,
    /// What the function is given.
    pub input: Value,
}

/// Properties that do not change when a schedule fires, or what with, on the box.
const HARMLESS: [&str; 9] = [
    "DeadLetterConfig",
    "Description",
    "GroupName",
    "KmsKeyArn",
    "Name",
    "OmitName",
    "PermissionsBoundary",
    "RetryPolicy",
    "RoleArn",
];

const MINUTE_SECS: u64 = 60;
const HOUR_SECS: u64 = 60 * MINUTE_SECS;
const DAY_SECS: u64 = 24 * HOUR_SECS;

/// The schedules among the events of a function.
pub(super) fn schedules(function: &str, properties: &Value) -> Result<Vec<Schedule>, TemplateError> {
    let events = properties.get("Events").and_then(Value::as_object).into_iter().flatten();
    let mut schedules = Vec::new();
    for (name, event) in events {
        let wrong = |reason| TemplateError::Schedule {
            function: function.to_owned(),
            schedule: name.clone(),
            reason,
        };
        match event["Type"].as_str() {
            Some("ScheduleV2") => {
                let (every, input) = read(&event["Properties"]).map_err(wrong)?;
                let (function, name) = (function.to_owned(), name.clone());
                schedules.push(Schedule { function, name, every, input });
            }
            Some("Schedule") => return Err(wrong("its type must be ScheduleV2".to_owned())),
            _ => {}
        }
    }
    Ok(schedules)
}

fn read(properties: &Value) -> Result<(Duration, Value), String> {
    for (name, value) in properties.as_object().into_iter().flatten() {
        let is_known = match name.as_str() {
            "ScheduleExpression" | "Input" => true,
            "State" => value == "ENABLED",
            "FlexibleTimeWindow" => value["Mode"] == "OFF",
            name => HARMLESS.contains(&name),
        };
        if !is_known {
            return Err(format!("the box cannot do {name}: {value}"));
        }
    }
    let expression = properties["ScheduleExpression"].as_str().ok_or("it has no ScheduleExpression")?;
    let every = rate(expression).ok_or_else(|| {
        format!("{expression:?} is no rate such as rate(1 minute), rate(2 hours) or rate(3 days)")
    })?;
    let input = properties["Input"].as_str().ok_or("it has no Input as a text")?;
    let input = serde_json::from_str(input).map_err(|error| format!("its Input is not JSON: {error}"))?;
    Ok((every, input))
}

/// The period of `rate(1 hour)` and its like. As on AWS, a unit stands in the singular after 1 and only there.
fn rate(expression: &str) -> Option<Duration> {
    let (number, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = number.parse().ok().filter(|number| *number > 0)?;
    let singular = if number == 1 { unit } else { unit.strip_suffix('s')? };
    let secs = match singular {
        "minute" => MINUTE_SECS,
        "hour" => HOUR_SECS,
        "day" => DAY_SECS,
        _ => return None,
    };
    Some(Duration::from_secs(u64::from(number) * secs))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::Stack;

    fn template(properties: &str) -> String {
        format!(
            "Resources:\n  Sweeper:\n    Type: AWS::Serverless::Function\n    Properties:\n      Events:\n        Stale:\n          \
             Type: ScheduleV2\n          Properties: {{ {properties} }}\n"
        )
    }

    #[test]
    fn a_schedule_is_read_with_its_period_and_its_input() {
        let stack = Stack::read(&template(
            r#"ScheduleExpression: rate(1 hour), Input: '{"sweep":"stale"}', State: ENABLED, RetryPolicy: { MaximumRetryAttempts: 0 }"#,
        ));
        let expected = Schedule {
            function: "Sweeper".to_owned(),
            name: "Stale".to_owned(),
            every: Duration::from_hours(1),
            input: json!({"sweep": "stale"}),
        };
        assert_eq!(stack.expect("a template").schedules, [expected]);
    }

    #[test]
    fn a_rate_is_a_number_and_its_unit_in_the_right_form() {
        for (expression, secs) in [
            ("rate(1 minute)", 60),
            ("rate(5 minutes)", 300),
            ("rate(1 hour)", 3_600),
            ("rate(12 hours)", 43_200),
            ("rate(1 day)", 86_400),
            ("rate(3 days)", 259_200),
        ] {
            assert_eq!(rate(expression), Some(Duration::from_secs(secs)), "{expression}");
        }
        for expression in [
            "rate(1 minutes)",
            "rate(2 minute)",
            "rate(0 minutes)",
            "rate(-1 minutes)",
            "rate(+2 minutes)",
            "rate(1.5 hours)",
            "rate(2  hours)",
            "rate(2 weeks)",
            "rate(2 hours",
            "rate( minutes)",
            "rate(99999999999 days)",
            "cron(0 * * * ? *)",
            "at(2026-01-01T00:00:00)",
            "",
        ] {
            assert_eq!(rate(expression), None, "{expression}");
        }
    }

    #[test]
    fn what_the_box_cannot_do_is_an_error_that_names_the_function_and_the_schedule() {
        for (properties, reason) in [
            ("ScheduleExpression: cron(0 * * * ? *), Input: '{}'", "cron(0 * * * ? *)"),
            ("Input: '{}'", "ScheduleExpression"),
            ("ScheduleExpression: rate(1 hour)", "Input"),
            ("ScheduleExpression: rate(1 hour), Input: '{'", "JSON"),
            ("ScheduleExpression: rate(1 hour), Input: '{}', State: DISABLED", "DISABLED"),
            ("ScheduleExpression: rate(1 hour), Input: '{}', EndDate: '2030-01-01T00:00:00Z'", "EndDate"),
        ] {
            let error = Stack::read(&template(properties)).expect_err(properties).to_string();
            assert!(
                error.contains("Sweeper") && error.contains("Stale") && error.contains(reason),
                "{error}"
            );
        }
        let older = template("Schedule: rate(1 hour)").replace("ScheduleV2", "Schedule");
        assert!(Stack::read(&older).expect_err("not done").to_string().contains("ScheduleV2"));
    }
}
