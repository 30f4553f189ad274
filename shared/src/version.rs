//! The version that every item and message carries.

use serde::{Deserialize, Serialize};

/// The one version that there is. A later one is refused: while a new release is deployed, an old function puts back
/// what it cannot know how to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Version1;

const NUMBER: u8 = 1;

impl TryFrom<u8> for Version1 {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        if number == NUMBER {
            Ok(Self)
        } else {
            Err(format!("version {number} is none that this release knows"))
        }
    }
}

impl From<Version1> for u8 {
    fn from(_: Version1) -> Self {
        NUMBER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_is_refused() {
        assert_eq!(serde_json::from_str::<Version1>("1").ok(), Some(Version1));
        assert_eq!(serde_json::to_string(&Version1).ok().as_deref(), Some("1"));
        assert!(serde_json::from_str::<Version1>("2").is_err());
    }
}
