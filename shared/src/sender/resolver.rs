//! Looking names up, and refusing those that lead where nobody may go.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::domain::{AddressPolicy, Refused};

/// How long the creation of a webhook waits for a name. One that does not answer is accepted.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Looks names up for the client, at the time of dialling, whatever they led to before.
#[derive(Debug, Clone)]
pub(super) struct Guarded(Arc<AddressPolicy>);

impl Guarded {
    pub(super) fn new(addresses: Arc<AddressPolicy>) -> Self {
        Self(addresses)
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = Arc::clone(&self.0);
        Box::pin(async move {
            let found = look_up(name.as_str()).await?;
            permit(&addresses, &found)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Checks where a host leads when a webhook is created. A name that does not resolve is accepted: it may do so later.
///
/// # Errors
///
/// If it leads, also, to an address that may not be reached.
pub async fn check_host(host: &str, addresses: &AddressPolicy) -> Result<(), Refused> {
    if addresses.allow_private {
        return Ok(());
    }
    match tokio::time::timeout(CHECK_TIMEOUT, look_up(host)).await {
        Ok(Ok(found)) => permit(addresses, &found),
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

async fn look_up(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host, 0)).await?.collect())
}

/// A name must lead to permitted addresses only: of a mix, the next connection could take the other.
fn permit(addresses: &AddressPolicy, found: &[SocketAddr]) -> Result<(), Refused> {
    found.iter().try_for_each(|found| addresses.check_address(found.ip()))
}
