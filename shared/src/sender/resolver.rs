//! Looking names up, and refusing those that lead where nobody may go.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::connection::looking_up;
use crate::domain::{AddressPolicy, Refused};

/// How long the creation of a webhook waits for a name. One that does not answer is accepted.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Says where names lead. It is handed in, so that a test can change a name's mind.
pub trait Resolver: fmt::Debug + Send + Sync + 'static {
    /// Looks a name up; the ports of what it finds mean nothing.
    ///
    /// # Errors
    ///
    /// If the name leads nowhere, or nobody says where.
    fn look_up(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The machine's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn look_up(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    }
}

/// Looks names up for the client, at the time of dialling, whatever they led to before.
#[derive(Debug, Clone)]
pub(super) struct Guarded {
    resolver: Arc<dyn Resolver>,
    addresses: Arc<AddressPolicy>,
}

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
struct NoAddress;

impl Guarded {
    pub(super) fn new(resolver: Arc<dyn Resolver>, addresses: Arc<AddressPolicy>) -> Self {
        Self { resolver, addresses }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, addresses) = (self.resolver.look_up(name.as_str()), Arc::clone(&self.addresses));
        Box::pin(looking_up(async move {
            let mut found = found.await?;
            if found.is_empty() {
                return Err(NoAddress.into());
            }
            permit(&addresses, found.iter().map(SocketAddr::ip))?;
            // The URL's port is the one that was checked.
            for found in &mut found {
                found.set_port(0);
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        }))
    }
}

/// Checks where a host leads when a webhook is created. A name that does not resolve is accepted: it may do so later.
///
/// # Errors
///
/// If it leads, also, to an address that may not be reached.
pub async fn check_host(
    host: &str,
    addresses: &AddressPolicy,
    resolver: &dyn Resolver,
) -> Result<(), Refused> {
    match tokio::time::timeout(CHECK_TIMEOUT, resolver.look_up(host)).await {
        Ok(Ok(found)) => permit(addresses, found.iter().map(SocketAddr::ip)),
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

/// A name must lead to permitted addresses only: of a mix, the next connection could take the other.
fn permit(addresses: &AddressPolicy, mut found: impl Iterator<Item = IpAddr>) -> Result<(), Refused> {
    found.try_for_each(|found| addresses.check_address(found))
}
