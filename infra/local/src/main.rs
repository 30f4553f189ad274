//! The runner: all of Knockback on this machine, from one command.

mod elsewhere;
mod greeting;
mod lines;

use std::{io::Write, net::SocketAddr, process::ExitCode, str::FromStr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Router, extract::Request, http::HeaderValue, middleware::map_request};
use clap::Parser;
use knockback::{
    clock::{Clock, Entropy, SystemClock, SystemEntropy},
    domain::{AddressPolicy, Generation, Member, Pages, Scope, Secret},
    sender::Internet,
    store::Token,
    telemetry::ATTEMPT,
    token::sha256_hex,
};
use local::{
    aws::{mail::MAIL, port},
    cli::Cli,
    data::{DataFolder, Secrets},
    environment::Environment,
    invoke::InvokeUrl,
    pump::Pump,
    receiver,
    schedules::Ticker,
    system::{Settings, Surroundings, System},
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{Directive, LevelFilter, Targets},
    prelude::*,
};

use self::{
    elsewhere::{Elsewhere, EnvironmentFile},
    greeting::{COMPANY, Greeting, USER, reached_at},
    lines::Lines,
};

/// How long the runner waits, when it is stopped, for what is in flight: longer than any attempt takes.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(25);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.context("the runtime cannot be started").and_then(|runtime| {
        let result = runtime.block_on(run(cli));
        // A look-up of a name can take minutes, and nobody waits for it any more.
        runtime.shutdown_background();
        result
    });
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
    start_telemetry(&cli, Arc::clone(&clock))?;
    let listener = listen(cli.listen, "--listen").await?;
    let aws_listener = match cli.aws_address() {
        Some(address) => Some(listen(address, "--aws-listen").await?),
        None => None,
    };
    let address = listener.local_addr()?;
    let reached_at = reached_at(address);
    let mut signals = Signals::new().context("cannot wait for Ctrl-C")?;
    let folder = if cli.memory { None } else { Some(DataFolder::open(&cli.data)?) };
    let mut secrets = match &folder {
        Some(folder) => folder.secrets(&*entropy)?,
        None => Secrets::new(&*entropy),
    };
    if let Some(token) = &cli.platform_token {
        secrets.platform_token.clone_from(token);
    }
    let own_hosts = match &cli.invoke {
        Some(url) => url.own_hosts(),
        None => vec![reached_at.to_string(), format!("localhost:{}", address.port())],
    };
    let host = cli.invoke.as_ref().map_or_else(|| reached_at.to_string(), |url| url.authority().to_owned());
    let settings = Settings {
        platform_token_sha256: sha256_hex(&secrets.platform_token),
        key_ring: secrets.key_ring.clone().map(Secret),
        policies: cli.policies(),
        objects: cli.objects(),
        budget: cli.budget(),
        addresses: AddressPolicy { allowed: cli.allow_networks.0.clone(), own_hosts },
        pages: Pages::default(),
        host,
        mail_from: Some("knockback@aws.box.localhost".to_owned()),
        stack: None,
    };
    let addresses = settings.addresses.clone();
    let surroundings = Surroundings { clock, entropy, internet: Internet::default(), settings };
    let system = start(folder.as_ref(), cli.invoke.clone(), surroundings, &secrets.caller_token).await?;
    let aws_address = aws_listener.as_ref().map(TcpListener::local_addr).transpose()?;
    let elsewhere = match (&cli.invoke, aws_address) {
        (Some(url), Some(aws_address)) => {
            let environment = Environment::new(&cli, &system.context.config, aws_address);
            Some(Elsewhere { url, environment: EnvironmentFile::write(folder.as_ref(), &environment)? })
        }
        _ => None,
    };

    let pumps = system.mappings.iter().map(|mapping| Pump::start(&system, mapping)).collect();
    let tickers = system.schedules.iter().map(|schedule| Ticker::start(&system, schedule)).collect();
    let greeting = Greeting {
        address,
        aws_address,
        elsewhere: elsewhere.as_ref(),
        data: folder.as_ref().map(|folder| folder.path().display().to_string()),
        platform_token: &secrets.platform_token,
        caller_token: &secrets.caller_token,
        addresses: &addresses,
        quiet: cli.quiet,
    };
    if let Err(error) = write!(std::io::stdout(), "{greeting}") {
        tracing::warn!(%error, "the greeting could not be printed");
    }
    if let Some(listener) = aws_listener {
        // For as long as the process lives: what is in flight uses the box to the end.
        tokio::spawn(port::serve(listener, Arc::clone(&system.aws), std::future::pending()));
    }
    if elsewhere.is_some() {
        let system = system.clone();
        tokio::spawn(async move {
            system.ready().await;
            let _ = writeln!(std::io::stdout(), "The functions are up.");
        });
    }
    let router = system.router().merge(receiver::router()).layer(map_request(behind_no_gateway));
    serve(listener, router, (pumps, tickers), &mut signals).await
}

async fn listen(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ({flag})"))
}

/// Starts the system on the data in a folder, and takes up what the last run left undone.
async fn start(
    folder: Option<&DataFolder>,
    invoke: Option<InvokeUrl>,
    surroundings: Surroundings,
    caller_token: &str,
) -> anyhow::Result<System> {
    let taken_up = async {
        let data = folder.map(DataFolder::path);
        let system = match invoke {
            Some(url) => System::start_invoking(url, data, surroundings).await?,
            None => System::start(data, surroundings).await?,
        };
        give_token(&system, caller_token).await?;
        // Whoever had received these died with the last run.
        system.aws.sqs.release_in_flight()?;
        anyhow::Ok(system)
    };
    let system = taken_up.await;
    match folder {
        Some(folder) => system.with_context(|| {
            let folder = folder.path().display();
            format!("cannot start on the data in {folder} (restore it, or choose another folder with --data)")
        }),
        None => system,
    }
}

/// The lines of attempts and mails on standard output, unless they are not wanted; what went wrong on standard error.
fn start_telemetry(cli: &Cli, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    // Attempts and mails have lines of their own.
    let off = |target: &str| Directive::from_str(&format!("{target}=off"));
    let filter = filter.add_directive(off(ATTEMPT)?).add_directive(off(MAIL)?);
    let problems =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).compact().with_filter(filter);
    // Nothing else is listened to, so that the SDK's traces cost nothing.
    let only_theirs =
        Targets::new().with_target(ATTEMPT, LevelFilter::INFO).with_target(MAIL, LevelFilter::INFO);
    let lines = (!cli.quiet).then(|| Lines::new(clock).with_filter(only_theirs));
    Ok(tracing_subscriber::registry().with(problems).with(lines).try_init()?)
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
        generation: Generation::default(),
    };
    let token = Token { sha256: sha256_hex(token), member, added_at: system.context.now(), full_at: None };
    // The platform's own caller has no app that could be removed.
    system.context.store.add_token(token).await?;
    Ok(())
}

/// Says what a gateway would: that here, callers come over http.
async fn behind_no_gateway(mut request: Request) -> Request {
    let scheme = HeaderValue::from_static("http");
    request.headers_mut().entry("x-forwarded-proto").or_insert(scheme);
    request
}

/// Serves until a signal comes, then finishes what is in flight. A second signal ends it at once.
async fn serve(
    listener: TcpListener,
    router: Router,
    (pumps, tickers): (Vec<Pump>, Vec<Ticker>),
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut until_stopped = stopped.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        // A sender that is gone has stopped too.
        let _ = until_stopped.wait_for(|stopped| *stopped).await;
    });
    let server = tokio::spawn(server.into_future());
    signals.next().await;
    let _ = writeln!(std::io::stdout(), "\nFinishing what is in flight; Ctrl-C again ends at once.");
    let finish = async {
        tokio::join!(Pump::stop_all(pumps), Ticker::stop_all(tickers));
        stop.send_replace(true);
        server.await
    };
    tokio::select! {
        server = finish => Ok(server??),
        () = tokio::time::sleep(SHUTDOWN_GRACE) => Ok(()),
        () = signals.next() => Ok(()),
    }
}

/// Ctrl-C and requests to terminate: from the moment this is made, none of them is lost.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate })
    }

    /// Waits for the next.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
