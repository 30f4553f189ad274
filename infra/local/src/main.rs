//! The runner: all of Knockback on this machine, from one command.

mod greeting;
mod lines;

use std::{io::Write, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use clap::Parser;
use knockback::{
    clock::{Clock, Entropy, SystemClock, SystemEntropy},
    domain::{AddressPolicy, Member, Scope},
    store::Token,
    token::sha256_hex,
};
use local::{
    cli::Cli,
    data::{DataFolder, Secrets},
    pump::Pump,
    receiver,
    system::{Settings, Surroundings, System},
};
use tokio::{net::TcpListener, signal};
use tracing_subscriber::{EnvFilter, Layer as _, filter::LevelFilter, prelude::*};

use self::{
    greeting::{COMPANY, Greeting, USER},
    lines::AttemptLines,
};

/// How long the runner waits, when it is stopped, for what is in flight: longer than any attempt takes.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(25);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result =
        runtime.context("the runtime cannot be started").and_then(|runtime| runtime.block_on(run(cli)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "knockback: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) =
        (Arc::new(SystemClock), Arc::new(SystemEntropy));
    start_telemetry(&cli, Arc::clone(&clock));
    let listener = TcpListener::bind(cli.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {} (--listen)", cli.listen))?;
    let address = listener.local_addr()?;
    let folder = if cli.memory { None } else { Some(DataFolder::open(&cli.data)?) };
    let mut secrets = match &folder {
        Some(folder) => folder.secrets(&*entropy)?,
        None => Secrets::new(&*entropy),
    };
    if let Some(token) = &cli.platform_token {
        secrets.platform_token.clone_from(token);
    }
    let settings = Settings {
        platform_token_sha256: sha256_hex(&secrets.platform_token),
        key_ring: secrets.key_ring.clone(),
        policies: cli.policies(),
        addresses: AddressPolicy {
            allow_private: cli.allow_private,
            own_hosts: vec![address.to_string(), format!("localhost:{}", address.port())],
        },
        host: address.to_string(),
    };
    let surroundings = Surroundings { clock, entropy, settings };
    let system = System::start(folder.as_ref().map(DataFolder::path), surroundings).await?;
    give_token(&system, &secrets.caller_token).await?;
    // Whoever had received these died with the last run.
    system.aws.sqs.release_in_flight()?;

    let pumps: Vec<_> = system.mappings.iter().map(|mapping| Pump::start(&system, mapping)).collect();
    let url = format!("http://{address}");
    let greeting = Greeting {
        url: &url,
        data: folder.as_ref().map(|folder| folder.path().display().to_string()),
        platform_token: &secrets.platform_token,
        caller_token: &secrets.caller_token,
        allow_private: cli.allow_private,
    };
    write!(std::io::stdout(), "{greeting}").context("the terminal is gone")?;
    let router = system.router().merge(receiver::router());
    serve(listener, router, pumps).await
}

/// The lines of attempts on standard output, unless they are not wanted; what went wrong on standard error.
fn start_telemetry(cli: &Cli, clock: Arc<dyn Clock>) {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    let problems =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).compact().with_filter(filter);
    let attempts = (!cli.quiet).then(|| AttemptLines::new(clock));
    tracing_subscriber::registry().with(problems).with(attempts).init();
}

/// Gives the printed token to a caller, so that there is somebody to try things as.
async fn give_token(system: &System, token: &str) -> anyhow::Result<()> {
    let member = Member {
        company: COMPANY.parse()?,
        user: USER.parse()?,
        app: None,
        admin: true,
        scopes: vec![Scope::Admin],
        contact: None,
    };
    let token = Token { sha256: sha256_hex(token), member, added_at: system.context.now() };
    Ok(system.context.store.add_token(&token).await?)
}

/// Serves until a signal comes, then finishes what is in flight. A second signal ends it at once.
async fn serve(listener: TcpListener, router: Router, pumps: Vec<Pump>) -> anyhow::Result<()> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut until_stopped = stopped.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        // A sender that is gone has stopped too.
        let _ = until_stopped.wait_for(|stopped| *stopped).await;
    });
    let server = tokio::spawn(server.into_future());
    interrupted().await;
    let _ = writeln!(std::io::stdout(), "\nFinishing what is in flight; Ctrl-C again ends at once.");
    let finish = async {
        for pump in pumps {
            pump.stop().await;
        }
        stop.send_replace(true);
        server.await
    };
    tokio::select! {
        server = finish => Ok(server??),
        () = tokio::time::sleep(SHUTDOWN_GRACE) => Ok(()),
        () = interrupted() => Ok(()),
    }
}

/// Waits for Ctrl-C or a request to terminate.
async fn interrupted() {
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => signals.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminated => {}
    }
}
