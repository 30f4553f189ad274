//! What Knockback relies on in its template.

use super::*;
use crate::aws::iam::Permission;

#[test]
fn the_template_has_what_knockback_needs() {
    let stack = Stack::read(TEMPLATE).expect("a template");
    let tables: Vec<_> =
        stack.tables.iter().map(|(table, expiry)| (table["TableName"].clone(), expiry.as_deref())).collect();
    assert_eq!(tables, [(json!("WebhooksTable"), Some("ttl")), (json!("DeliveriesTable"), Some("ttl"))]);
    assert_eq!(stack.queues.len(), 7);
    assert!(stack.queues[..3].iter().all(|(name, _)| name.ends_with("Dlq")));
    assert_eq!(stack.buses, ["knockback-events"]);
    assert_eq!(stack.secrets.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["KeyRing"]);
    let feeds: Vec<_> = stack.mappings.iter().map(|mapping| (&*mapping.queue, &*mapping.function)).collect();
    assert_eq!(
        feeds,
        [
            ("EventsQueue", "Fanout"),
            ("DeliveriesQueue", "Deliver"),
            ("RetriesQueue", "Deliver"),
            ("NoticesQueue", "Notify")
        ]
    );
}

#[test]
fn each_function_is_a_binary_with_a_timeout() {
    let stack = Stack::read(TEMPLATE).expect("a template");
    let functions: Vec<_> =
        stack.functions.iter().map(|it| (&*it.name, &*it.binary, it.timeout_secs)).collect();
    assert_eq!(
        functions,
        [
            ("Api", "api", 29),
            ("Fanout", "fanout", 60),
            ("Deliver", "deliver", 30),
            ("Sweeper", "sweeper", 300),
            ("Notify", "notify", 60)
        ]
    );
}

#[test]
fn references_are_resolved_as_cloudformation_does() {
    let stack = Stack::read(TEMPLATE).expect("a template");
    let (_, retries) = stack.queues.iter().find(|(name, _)| name == "RetriesQueue").expect("a queue");
    let redrive: Value = serde_json::from_str(&retries["RedrivePolicy"]).expect("JSON");
    assert_eq!(redrive["deadLetterTargetArn"], "arn:aws:sqs:us-east-1:000000000000:DeliveriesDlq");
    let (rule, targets) = &stack.rules[0];
    assert_eq!(rule["EventPattern"], r#"{"detail-type":["webhook.event","app.removed","app.uninstalled"]}"#);
    assert_eq!(targets["EventBusName"], "knockback-events");
    assert_eq!(targets["Targets"][0]["Arn"], "arn:aws:sqs:us-east-1:000000000000:EventsQueue");
}

/// What a rule cannot send goes to a dead-letter queue of its own, never to a function that cannot read it.
#[test]
fn owners_are_told_of_few_of_the_events_by_a_queue_of_their_own() {
    let stack = Stack::read(TEMPLATE).expect("a template");
    let names: Vec<_> = stack.rules.iter().map(|(rule, _)| &rule["Name"]).collect();
    assert_eq!(names, ["EventsFromBus", "NoticesFromBus"]);
    let (rule, targets) = &stack.rules[1];
    let pattern: Value = serde_json::from_str(rule["EventPattern"].as_str().expect("text")).expect("JSON");
    let expected = json!({"source": ["knockback"], "$or": [
        {"detail-type": ["webhook.deactivated", "webhook.expiring"]},
        {"detail-type": ["webhook.deleted"], "detail": {"reason": ["stale"]}},
    ]});
    assert_eq!(pattern, expected);
    let target = &targets["Targets"][0];
    assert_eq!(target["Arn"], "arn:aws:sqs:us-east-1:000000000000:NoticesQueue");
    assert_eq!(target["DeadLetterConfig"]["Arn"], "arn:aws:sqs:us-east-1:000000000000:NoticesDlq");
}

#[test]
fn each_function_has_a_role_that_names_what_it_uses() {
    let stack = Stack::read(TEMPLATE).expect("a template");
    let functions: Vec<_> = stack.roles.iter().map(|(function, _)| &**function).collect();
    assert_eq!(functions, ["Api", "Fanout", "Deliver", "Sweeper", "Notify"]);
    for (function, role) in &stack.roles {
        for Permission { action, resource } in role.permissions() {
            assert!(!action.contains('*') && action.contains(':'), "{function}: {action}");
            // Of a log group, its streams.
            assert_eq!(
                resource.ends_with('*'),
                action.starts_with("logs:"),
                "{function}: {action} on {resource}"
            );
            assert!(resource.len() > 1 && !resource.contains("::::"), "{function}: {action} on {resource}");
        }
    }
}

#[test]
fn notify_may_send_mail_from_the_address_that_is_set_or_its_domain() {
    let resources = |parameters: &[(&str, &str)]| {
        let stack = Stack::read_with(TEMPLATE, parameters).expect("a template");
        let (_, role) = stack.roles.iter().find(|(of, _)| of == "Notify").expect("a role");
        let of_ses = role.permissions().iter().filter(|it| it.action == "ses:SendEmail");
        of_ses.map(|it| it.resource.rsplit(':').next().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let hooks = ("MailFrom", "hooks@example.com");
    assert_eq!(resources(&[hooks]), ["identity/hooks@example.com", "identity/example.com"]);
    assert_eq!(resources(&[hooks, ("MailConfigurationSet", "sent")])[2..], ["configuration-set/sent"],);
    assert_eq!(resources(&[]), ["identity/", "identity/none"]);
}

#[test]
fn a_mapping_takes_its_concurrency_from_the_size_of_the_account() {
    let concurrency = |parameters: &[(&str, &str)]| {
        let stack = Stack::read_with(TEMPLATE, parameters).expect("a template");
        stack.mappings.iter().map(|mapping| mapping.concurrency).collect::<Vec<_>>()
    };
    assert_eq!(concurrency(&[]), [2, 2, 2, 2]);
    assert_eq!(concurrency(&[("AccountConcurrency", "1000")]), [100, 400, 200, 2]);
}

/// A copy of an event finds that its mail was sent, however late it comes.
#[test]
fn what_is_noted_of_a_mail_outlives_its_event() {
    let stack = Stack::read(TEMPLATE).expect("a template");
    for name in ["NoticesQueue", "NoticesDlq"] {
        let (_, attributes) = stack.queues.iter().find(|(of, _)| of == name).expect(name);
        let kept_secs: u64 = attributes["MessageRetentionPeriod"].parse().expect("a number");
        assert!(kept_secs < knockback::store::NOTICE_KEPT.as_secs());
    }
}

/// Ten mails to an SES that does not answer fit into the time of one invocation.
#[test]
fn notify_has_the_time_for_a_whole_batch() {
    let stack = Stack::read(TEMPLATE).expect("a template");
    let mapping = stack.mappings.iter().find(|mapping| mapping.function == "Notify").expect("a mapping");
    let batch = u64::try_from(mapping.batch_size).expect("small");
    assert!(batch * knockback::mail::SEND_TIMEOUT.as_secs() < mapping.timeout_secs);
}

/// Lambda stops a function that feeds its own queue after about 16 rounds, unless this is said.
#[test]
fn functions_that_continue_themselves_may() {
    let template = Template::read(TEMPLATE, &[]).expect("YAML");
    for name in ["Fanout", "Deliver"] {
        let (_, _, properties) = template.resources().find(|(of, _, _)| *of == name).expect(name);
        assert_eq!(properties["RecursiveLoop"], "Allow", "{name}");
    }
}

/// When a message comes again, the lease of who died with it is over; and a function has ended before its lease has.
#[test]
fn the_lease_ends_between_the_functions_timeout_and_the_visibility_timeout() {
    let stack = Stack::read(TEMPLATE).expect("a template");
    for mapping in &stack.mappings {
        let lease_secs = match &*mapping.function {
            "Deliver" => knockback::domain::LEASE.as_secs(),
            "Fanout" => knockback::domain::PAGE_LEASE.as_secs(),
            "Notify" => knockback::domain::NOTICE_LEASE.as_secs(),
            other => panic!("{other} has no lease"),
        };
        let (_, attributes) = stack.queues.iter().find(|(name, _)| *name == mapping.queue).expect("a queue");
        let visibility_secs: u64 = attributes["VisibilityTimeout"].parse().expect("a number");
        assert_eq!(visibility_secs, 6 * mapping.timeout_secs, "as Lambda asks");
        assert!(mapping.timeout_secs < lease_secs && lease_secs < visibility_secs);
    }
}
