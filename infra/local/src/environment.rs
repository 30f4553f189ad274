//! The environment of functions in other processes: what template.yaml gives them, with the runner's values, and the way to
//! the box.
//!
//! It holds no secret: of the platform's token the hash, of the keys the name under which the box has them.

use std::{fmt, net::SocketAddr};

use knockback::{config::Config, domain::Network};

use crate::{
    aws::sqs::{ACCOUNT, REGION},
    cli::Cli,
};

/// Variables of the environment, as a file that `cargo lambda watch --env-file` and shells read.
#[derive(Debug, Clone)]
pub struct Environment(Vec<(&'static str, String)>);

impl Environment {
    /// That of a system's functions, which reach the box at this address.
    pub fn new(cli: &Cli, config: &Config, aws_address: SocketAddr) -> Self {
        let endpoint = format!("http://{aws_address}");
        let queue = |name| format!("{endpoint}/{ACCOUNT}/{name}");
        let days = config.retention.as_secs() / (24 * 60 * 60);
        let allowed: Vec<_> = config.addresses.allowed.iter().map(Network::to_string).collect();
        Self(vec![
            ("AWS_ENDPOINT_URL", endpoint.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "box".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "box".to_owned()),
            ("LOG_LEVEL", "info".to_owned()),
            ("WEBHOOKS_TABLE", config.webhooks_table.clone()),
            ("DELIVERIES_TABLE", config.deliveries_table.clone()),
            ("EVENTS_QUEUE_URL", queue("EventsQueue")),
            ("DELIVERIES_QUEUE_URL", queue("DeliveriesQueue")),
            ("RETRIES_QUEUE_URL", queue("RetriesQueue")),
            ("BUS_NAME", config.bus.clone()),
            ("PLATFORM_TOKEN_SHA256", config.platform_tokens.join(",")),
            ("POLICY", cli.policy.join(" ")),
            ("OBJECTS", cli.objects.clone()),
            ("BUDGET", cli.budget.clone()),
            ("RETENTION_DAYS", days.to_string()),
            ("HOST", config.host.clone().unwrap_or_default()),
            ("OWN_HOSTS", config.addresses.own_hosts.join(" ")),
            ("ALLOW_NETWORKS", allowed.join(" ")),
            ("MAIL_FROM", config.mail_from.clone().unwrap_or_default()),
            ("KEY_RING", config.key_ring.clone().unwrap_or_default()),
        ])
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No value has a quote in it: each is made here, or was checked as a flag.
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "{name}=\"{value}\""))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        sync::Arc,
    };

    use clap::Parser as _;
    use knockback::{
        clock::{SystemClock, SystemEntropy},
        domain::{AddressPolicy, Objects, Policies},
        sender::Internet,
    };
    use serde_norway::Value as Yaml;

    use super::*;
    use crate::{
        system::{Settings, Surroundings, System},
        template::TEMPLATE,
    };

    const FLAGS: [&str; 7] = [
        "--policy=pipedrive.ban=5s pipedrive.retries=1s,2s",
        "--policy=pipedrive.strikes=3",
        "--objects=order shipment",
        "--budget=100",
        "--allow-networks=127.0.0.0/8 ::1",
        "--invoke=http://127.0.0.1:9001",
        "--memory",
    ];

    /// What is written for those flags, read by a shell's rules.
    async fn written() -> BTreeMap<String, String> {
        let cli = Cli::try_parse_from(["knockback"].iter().chain(&FLAGS)).expect("flags");
        let settings = Settings {
            policies: cli.policies(),
            objects: cli.objects(),
            budget: cli.budget(),
            addresses: AddressPolicy {
                allowed: cli.allow_networks.0.clone(),
                own_hosts: cli.invoke.as_ref().expect("a URL").own_hosts(),
            },
            host: "127.0.0.1:9001".to_owned(),
            mail_from: Some("knockback@aws.box.localhost".to_owned()),
            ..Settings::of_a_test()
        };
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let surroundings = Surroundings { clock, entropy, internet: Internet::default(), settings };
        let system = System::start(None, surroundings).await.expect("a system");
        let aws_address = "127.0.0.1:4566".parse().expect("an address");
        let file = Environment::new(&cli, &system.context.config, aws_address).to_string();
        let variable = |line: &str| {
            let (name, value) = line.split_once('=').expect("a variable");
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).expect("quotes");
            assert!(!value.contains(['"', '\\', '$', '`']), "{line}");
            (name.to_owned(), value.to_owned())
        };
        file.lines().map(variable).collect()
    }

    #[tokio::test]
    async fn functions_elsewhere_have_the_settings_that_the_flags_say() {
        let written = written().await;
        let config = Config::read(|name| written.get(name).cloned()).expect("a configuration");
        let policies = "pipedrive.ban=5s pipedrive.retries=1s,2s pipedrive.strikes=3";
        assert_eq!(config.policies, Policies::default().with(policies).expect("policies"));
        assert_eq!(config.objects, Objects::parse("order shipment").expect("objects"));
        assert_eq!(config.budget, "100".parse().expect("a budget"));
        let allowed: Vec<_> = config.addresses.allowed.iter().map(Network::to_string).collect();
        assert_eq!(allowed, ["127.0.0.0/8", "::1"]);
        assert_eq!(config.addresses.own_hosts, ["127.0.0.1:9001", "localhost:9001"]);
        assert_eq!(config.platform_tokens, ["0".repeat(64)]);
        assert_eq!(config.bus, "knockback-events");
        assert_eq!(config.mail_from.as_deref(), Some("knockback@aws.box.localhost"));
        assert_eq!(config.retention, std::time::Duration::from_hours(7 * 24));
        assert_eq!(config.host.as_deref(), Some("127.0.0.1:9001"));
        assert_eq!(config.key_ring.as_deref(), Some("KeyRing"));
        // Over the port, and not by the name that only this process knows.
        assert_eq!(config.queues.retries, "http://127.0.0.1:4566/000000000000/RetriesQueue");
    }

    #[tokio::test]
    async fn no_variable_of_the_template_is_missing() {
        let template: Yaml = serde_norway::from_str(TEMPLATE).expect("YAML");
        let variables = |of: &Yaml| -> Vec<String> {
            let variables = of.get("Environment").and_then(|it| it.get("Variables"));
            let names = variables.and_then(Yaml::as_mapping).into_iter().flat_map(|it| it.keys());
            names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let mut names: BTreeSet<_> = template
            .get("Globals")
            .and_then(|it| it.get("Function"))
            .map(variables)
            .into_iter()
            .flatten()
            .collect();
        for resource in template["Resources"].as_mapping().expect("resources").values() {
            names.extend(resource.get("Properties").map(variables).into_iter().flatten());
        }
        assert!(names.contains("KEY_RING") && names.contains("BUS_NAME"), "{names:?}");
        let written = written().await;
        // Metrics are for CloudWatch, and a terminal is better off without.
        assert!(names.remove("STACK"));
        let missing: Vec<_> = names.iter().filter(|name| !written.contains_key(*name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
