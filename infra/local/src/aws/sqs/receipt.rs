//! Receipt handles: what a receiver shows to delete or extend the message that it received.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::queue::{QueueId, Sequence};

/// One receipt of a message: another one each time that it is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt(pub(super) [u8; 16]);

/// A receipt handle taken apart: base64 of the queue, the message and the receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) queue: QueueId,
    pub(super) sequence: Sequence,
    pub(super) receipt: Receipt,
}

impl Handle {
    /// Reads a handle; `None` if it is none that this service gives out.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
        let (queue, rest) = bytes.split_first_chunk::<8>()?;
        let (sequence, receipt) = rest.split_first_chunk::<8>()?;
        Some(Self {
            queue: QueueId(i64::from_be_bytes(*queue)),
            sequence: Sequence(i64::from_be_bytes(*sequence)),
            receipt: Receipt(receipt.try_into().ok()?),
        })
    }
}

impl std::fmt::Display for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend(self.queue.0.to_be_bytes());
        bytes.extend(self.sequence.0.to_be_bytes());
        bytes.extend(self.receipt.0);
        f.write_str(&STANDARD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_as_it_was_written_and_nothing_else_is() {
        let handle = Handle { queue: QueueId(3), sequence: Sequence(1 << 40), receipt: Receipt([7; 16]) };
        assert_eq!(Handle::parse(&handle.to_string()), Some(handle));
        for text in ["", "garbage", "AAAA", &STANDARD.encode([0; 33])] {
            assert_eq!(Handle::parse(text), None, "{text}");
        }
    }
}
