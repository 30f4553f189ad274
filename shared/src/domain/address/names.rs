//! The names that never lead to the public internet, whatever a resolver says of them.

/// The last labels of such names.
const LOCAL: &[&str] = &[
    // This machine (RFC 6761), and what systems call it in their own tables
    "localhost",
    "localdomain",
    "localdomain4",
    "localdomain6",
    // IANA's Special-Use Domain Names: RFC 6761, RFC 6762, RFC 7686, RFC 9476. `example` is one too, but leads nowhere.
    "test",
    "invalid",
    "local",
    "onion",
    "alt",
    // The reverse trees, home.arpa, ipv4only.arpa, resolver.arpa, service.arpa: infrastructure, and no host is there
    "arpa",
    // Kept for private use by ICANN
    "internal",
    // Never given out because so many private networks use them: ICANN's name collisions, RFC 6762 appendix G
    "corp",
    "home",
    "intranet",
    "lan",
    "mail",
    "private",
    // Usual in private networks, and not given out
    "domain",
    "localnet",
    "workgroup",
];

/// The longest name, and the longest part between two dots, in bytes (RFC 1035).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// A name without the one dot that may end it.
pub(super) fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether a name, in ASCII, could be one of a host. The last label begins with a letter, so that nobody takes it for an
/// address.
pub(super) fn is_name(name: &str) -> bool {
    let name = without_root(name);
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label =
        |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(is_of_name);
    name.len() <= NAME_BYTES_MAX
        && name.split('.').all(is_label)
        && name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Whether a name, in lower case, never leads to the public internet; one without a dot is a name of the own network.
pub(super) fn is_local(name: &str) -> bool {
    without_root(name).rsplit_once('.').is_none_or(|(_, last)| LOCAL.contains(&last))
}
