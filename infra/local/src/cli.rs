//! The runner's flags.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr as _,
};

use clap::Parser;
use knockback::domain::{Budget, NUMBERS, Network, Objects, Policies};

use crate::invoke::InvokeUrl;

/// This machine and private networks of IPv4, and no more: not what is link-local or unique-local, where clouds keep their
/// credentials.
const PRIVATE: &str = "127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16";

/// Where functions in other processes find the box, unless said otherwise: where emulators of AWS are expected.
const AWS_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4566);

/// What permits no network.
const NONE: &str = "none";

/// Runs all of Knockback on this machine: the API, fan-out and deliver, on AWS in a box.
#[derive(Debug, Clone, Parser)]
#[command(name = "knockback", override_usage = "cargo run -- [OPTIONS]", version, after_help = after_help())]
pub struct Cli {
    /// Where the API listens; port 0 takes any free one.
    #[arg(long, env = "KNOCKBACK_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:9000", value_parser = address)]
    pub listen: SocketAddr,
    /// Invoke the functions at this URL, where `cargo lambda watch` runs them, instead of in this process.
    #[arg(long, env = "KNOCKBACK_INVOKE", value_name = "URL", value_parser = InvokeUrl::from_str)]
    pub invoke: Option<InvokeUrl>,
    /// Serve AWS in a box on this loopback address too, for aws-cli and SDKs; with --invoke on 127.0.0.1:4566 unless set.
    #[arg(long, env = "KNOCKBACK_AWS_LISTEN", value_name = "ADDR", value_parser = loopback)]
    pub aws_listen: Option<SocketAddr>,
    /// Keep nothing: all data is in memory, whatever folder is set.
    #[arg(long)]
    pub memory: bool,
    /// Where the data is kept.
    #[arg(long, env = "KNOCKBACK_DATA", value_name = "DIR", default_value = ".knockback")]
    pub data: PathBuf,
    /// The platform's token; made and kept with the data unless given.
    #[arg(long, env = "KNOCKBACK_PLATFORM_TOKEN", hide_env_values = true, value_name = "TOKEN", value_parser = token)]
    pub platform_token: Option<String>,
    /// Permit receivers in these networks although they are not public, and http; "none" makes it as strict as a deployment.
    #[arg(long, env = "KNOCKBACK_ALLOW_NETWORKS", value_name = "NETWORKS", default_value = PRIVATE, value_parser = networks)]
    pub allow_networks: Networks,
    /// Print no line for each attempt and mail.
    #[arg(long)]
    pub quiet: bool,
    /// Change numbers of a policy, such as "pipedrive.ban=5s"; can be repeated, and hold several.
    #[arg(long, env = "KNOCKBACK_POLICY", value_name = "NAME=VALUE", value_parser = policy)]
    pub policy: Vec<String>,
    /// The units that each token may spend in a minute: a GET, POST, PUT or PATCH costs 10, a DELETE 6.
    #[arg(long, env = "KNOCKBACK_BUDGET", value_name = "UNITS", default_value = "12000", value_parser = budget)]
    pub budget: String,
    /// Objects that webhooks can ask for beside the known ones, such as "order shipment".
    #[arg(long, env = "KNOCKBACK_OBJECTS", value_name = "NAMES", default_value = "", value_parser = objects)]
    pub objects: String,
}

/// Networks that may be reached although they are not public.
#[derive(Debug, Clone)]
pub struct Networks(pub Vec<Network>);

impl Cli {
    /// The numbers of the dialects, as changed by the flags.
    pub fn policies(&self) -> Policies {
        // Each assignment was checked as it was parsed, like what follows.
        Policies::default().with(&self.policy.join(" ")).unwrap_or_default()
    }

    /// What each token may ask for in a minute.
    pub fn budget(&self) -> Budget {
        self.budget.parse().unwrap_or_default()
    }

    /// What webhooks can ask for.
    pub fn objects(&self) -> Objects {
        Objects::parse(&self.objects).unwrap_or_default()
    }

    /// Where AWS in a box listens, if it does: functions in other processes have to reach it.
    pub fn aws_address(&self) -> Option<SocketAddr> {
        self.aws_listen.or_else(|| self.invoke.is_some().then_some(AWS_ADDRESS))
    }
}

fn after_help() -> String {
    format!(
        "The numbers of the policies: {NUMBERS}.\nDurations are written as 500ms, 3s, 30m or 2days, several with \
         commas: --policy pipedrive.retries=1s,2s,3s"
    )
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:9000 or [::1]:9000".to_owned())
}

/// The box asks nobody for credentials.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = address(text)?;
    if address.ip().is_loopback() { Ok(address) } else { Err("must be a loopback address".to_owned()) }
}

fn networks(text: &str) -> Result<Networks, String> {
    if text.trim() == NONE {
        return Ok(Networks(Vec::new()));
    }
    let networks = Network::parse_all(text).map_err(|error| error.to_string())?;
    if networks.is_empty() { Err(format!("must be networks, or {NONE}")) } else { Ok(Networks(networks)) }
}

fn policy(text: &str) -> Result<String, String> {
    Policies::default().with(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn budget(text: &str) -> Result<String, &'static str> {
    Budget::from_str(text).map(|_| text.to_owned())
}

fn objects(text: &str) -> Result<String, String> {
    Objects::parse(text).map(|_| text.to_owned())
}

fn token(text: &str) -> Result<String, String> {
    let is_token = (16..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_token
        .then(|| text.to_owned())
        .ok_or_else(|| "must be 16 to 512 printable characters without spaces".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Cli, String> {
        Cli::try_parse_from(["knockback"].iter().chain(args)).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_changed_by_as_many_flags_as_are_given() {
        let cli =
            parse(&["--policy", "pipedrive.ban=5s pipedrive.strikes=2", "--policy", "pipedrive.retries=1s"]);
        let policy = cli.expect("flags").policies().pipedrive;
        let ban = policy.ban.expect("a ban");
        assert_eq!((ban.lasts.as_secs(), ban.strikes, policy.retries.len()), (5, 2, 1));
    }

    #[test]
    fn private_networks_are_permitted_unless_said_otherwise_and_metadata_services_are_not() {
        let permits = |args: &[&str], address: &str| {
            let Networks(networks) = parse(args).expect("flags").allow_networks;
            networks.iter().any(|network| network.contains(address.parse().expect("an address")))
        };
        for address in ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1"] {
            assert!(permits(&[], address), "{address}");
            assert!(!permits(&["--allow-networks", "none"], address), "{address}");
        }
        for address in ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "::ffff:127.0.0.1"] {
            assert!(!permits(&[], address), "{address}");
        }
        assert!(permits(&["--allow-networks", "192.0.2.0/24 ::1"], "192.0.2.7"));
        assert!(!permits(&["--allow-networks", "192.0.2.0/24 ::1"], "127.0.0.1"));
    }

    #[test]
    fn the_box_is_on_a_port_if_the_functions_are_elsewhere_or_it_is_asked_for() {
        let address = |args: &[&str]| parse(args).expect("flags").aws_address().map(|it| it.to_string());
        let invoke = ["--invoke", "http://127.0.0.1:9001"];
        assert_eq!(address(&[]), None);
        assert_eq!(address(&invoke), Some("127.0.0.1:4566".to_owned()));
        let own = ["--aws-listen", "127.0.0.1:4000"];
        assert_eq!(address(&own), Some("127.0.0.1:4000".to_owned()));
        assert_eq!(address(&[invoke, own].concat()), Some("127.0.0.1:4000".to_owned()));
    }

    #[test]
    fn a_bad_flag_says_what_would_be_right() {
        assert!(
            parse(&["--policy", "pipedrive.ban=soon"]).expect_err("wrong").contains("a duration such as 30m")
        );
        for (networks, right) in
            [("10.0.0.1/8", "write 10.0.0.0/8"), ("true", "such as 10.0.0.0/8"), ("", "or none")]
        {
            let problem = parse(&["--allow-networks", networks]).expect_err(networks);
            assert!(problem.contains(right), "{problem}");
        }
        assert!(parse(&["--policy", "ban=1s"]).expect_err("wrong").contains("pipedrive.ban"));
        assert!(
            parse(&["--listen", "localhost:9000"]).expect_err("wrong").contains("such as 127.0.0.1:9000")
        );
        for (url, right) in [
            ("127.0.0.1:9001", "such as http://127.0.0.1:9001"),
            ("localhost:9001", "must begin with http://"),
            ("ftp://127.0.0.1", "must begin with http://"),
            ("http://user@127.0.0.1:9001", "user or password"),
            ("http://127.0.0.1:9001/2015-03-31", "must end after the host"),
            ("http://127.0.0.1:9001?x", "must end after the host"),
        ] {
            let problem = parse(&["--invoke", url]).expect_err(url);
            assert!(problem.contains(right), "{problem}");
        }
        assert!(parse(&["--budget", "9"]).expect_err("wrong").contains("from 10 to 60000"));
        for args in [&["--platform-token", "a b"][..], &["--aws-listen", "0.0.0.0:4566"], &["--nope"]] {
            assert!(parse(args).is_err(), "{args:?}");
        }
    }
}
