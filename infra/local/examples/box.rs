//! AWS in a box on a port, and nothing else: `cargo run -p local --example box -- --port 4599`.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::Parser;
use knockback::clock::{SystemClock, SystemEntropy};
use local::aws::{AwsBox, port};
use tokio::net::TcpListener;

/// Serves AWS in a box on a loopback port.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port on 127.0.0.1.
    #[arg(long, default_value_t = 4599)]
    port: u16,
    /// Folder to keep everything in; without it, everything is in memory.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { port, data } = Arguments::parse();
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    if let Some(data) = &data {
        std::fs::create_dir_all(data).with_context(|| format!("cannot create {}", data.display()))?;
    }
    let aws_box = Arc::new(AwsBox::open(data.as_deref(), clock, entropy)?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.context("cannot listen")?;
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok(port::serve(listener, aws_box, interrupted).await?)
}
