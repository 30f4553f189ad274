//! Addresses as SES takes them: `owner@example.com`, or with a name, `"The Owner" <owner@example.com>`.

/// What may stand in a name only between quotes.
const QUOTED_ONLY: &str = "()<>[]:;@\\,\"";
/// What the local part of an address may have beside letters, digits and dots.
const LOCAL: &str = "!#$%&'*+-/=?^_`{|}~";

/// Checks the form of an address. Stricter than SES where the difference is no address that anybody has: no quoted local
/// parts, and a domain of two labels at least.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if !text.is_ascii() {
        return Err("Address is not 7-bit ASCII: names are MIME encoded words, domains Punycode");
    }
    if text.chars().any(|char| char.is_ascii_control()) {
        return Err("Address contains control characters");
    }
    if text.len() > 320 {
        return Err("Address is longer than 320 characters");
    }
    match text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        None => check_bare(text.trim()),
        Some((name, address)) if is_name(name.trim()) => check_bare(address),
        Some(_) => Err("Illegal address"),
    }
}

fn is_name(name: &str) -> bool {
    match name.strip_prefix('"') {
        None => !name.chars().any(|char| QUOTED_ONLY.contains(char)),
        Some(quoted) => {
            let mut is_escaped = false;
            let end = quoted.find(|char| {
                let is_end = char == '"' && !is_escaped;
                is_escaped = char == '\\' && !is_escaped;
                is_end
            });
            end.is_some_and(|end| end + 1 == quoted.len())
        }
    }
}

fn check_bare(address: &str) -> Result<(), &'static str> {
    let (local, domain) = address.split_once('@').ok_or("Missing final '@domain'")?;
    if local.is_empty() {
        return Err("Missing local name");
    }
    let is_local = |label: &str| {
        !label.is_empty() && label.chars().all(|char| char.is_ascii_alphanumeric() || LOCAL.contains(char))
    };
    if local.len() > 64 || !local.split('.').all(is_local) {
        return Err("Local address contains an illegal character");
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|char| char.is_ascii_alphanumeric() || char == '-')
    };
    if domain.len() > 255 || !domain.contains('.') || !domain.split('.').all(is_label) {
        return Err("Domain contains an illegal character, or is none");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_name_and_must_have_a_domain() {
        for address in [
            "owner@example.com",
            "first.last+tag@mail.example.co",
            "<owner@example.com>",
            "The Owner <owner@example.com>",
            r#""Owner, The" <owner@example.com>"#,
            r#""The \"Owner\"" <owner@example.com>"#,
            "=?UTF-8?B?w4k=?= <owner@xn--bcher-kva.example>",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
        for address in [
            "",
            "owner",
            "@example.com",
            "owner@",
            "owner@example",
            "owner@example.com.",
            "owner@-example.com",
            "own er@example.com",
            ".owner@example.com",
            "own..er@example.com",
            "owner@exam@ple.com",
            "owner@bücher.example",
            "Élan <owner@example.com>",
            "Owner, The <owner@example.com>",
            r#""Owner <owner@example.com>"#,
            r#""Owner" "Other" <owner@example.com>"#,
            "one@example.com, two@example.com",
            "owner@example.com\r\nBcc: all@example.com",
            "The Owner <owner@example.com",
        ] {
            assert!(check(address).is_err(), "{address:?}");
        }
        assert!(check(&format!("{}@example.com", "x".repeat(65))).is_err());
    }
}
