//! Opening what was not sealed, and reading key rings that are none.

use knockback::{domain::Sealed, seal::KeyRing};
use proptest::{prelude::*, sample::select};

use crate::target::Target;

const TARGET: Target = Target {
    name: "seals",
    check,
    pieces: &[
        ".", "k1", "k1.", "k2.", "=", "A", "AAAA", "-", "_", "+/", "\"", "{", "}", "current", "é", "\u{0}",
        " ",
    ],
};

const RING: &str = r#"{"current":"k1","k1":"0123456789abcdef0123456789abcdef"}"#;
const PLACE: &str = "C#1#W#7";

/// Rings of keys that may be too short, and values that were sealed, or are close to it.
fn rings_and_values() -> impl Strategy<Value = Vec<u8>> {
    let ring = (select(&["k1", "k2", "", "a.b"][..]), select(&["k1", "k2", ""][..]), 28..36_usize).prop_map(
        |(current, name, bytes)| format!(r#"{{"current":"{current}","{name}":"{}"}}"#, "k".repeat(bytes)),
    );
    let value = (".{0,12}", any::<[u8; 12]>()).prop_map(|(text, nonce)| {
        let ring = KeyRing::parse(RING).expect("a ring");
        ring.seal(&text, PLACE, nonce).expect("sealed").0
    });
    prop_oneof![ring, value].prop_map(String::into_bytes)
}

fn check(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let own = KeyRing::parse(RING).expect("a ring");
    let sealed = Sealed(text.to_owned());
    let opened = own.open(&sealed, PLACE).ok();
    if let Some(opened) = &opened {
        assert!(own.open(&sealed, "C#1#W#8").is_err(), "sealed for another place");
        let again = own.seal(opened, PLACE, [9; 12]).expect("sealed");
        assert_eq!(own.open(&again, PLACE).as_ref(), Ok(opened));
    }
    let ring = KeyRing::parse(text).ok();
    if let Some(ring) = &ring {
        let sealed = ring.seal("secret", PLACE, [7; 12]).expect("sealed");
        assert_eq!(ring.open(&sealed, PLACE).as_deref(), Ok("secret"));
        assert!(!sealed.0.contains("secret"));
        let mut shown = format!("{ring:?}");
        shown.truncate(2000);
        assert!(!shown.contains(&"k".repeat(28)), "a key is shown");
    }
    opened.is_some() || ring.is_some()
}

#[test]
fn every_file_keeps_the_promises_of_a_seal() {
    TARGET.replay(8);
}

#[test]
fn any_text_keeps_the_promises_of_a_seal() {
    TARGET.fuzz(1000, Vec::new(), rings_and_values());
}
