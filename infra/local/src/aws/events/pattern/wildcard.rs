//! The `wildcard` operator: `*` stands for any characters, `\*` and `\\` for themselves.

/// A compiled wildcard expression; `None` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wildcard(Vec<Option<char>>);

impl Wildcard {
    /// Compiles an expression, or says why it is none.
    pub(super) fn compile(text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            parts.push(match character {
                '*' if parts.last() == Some(&None) => return Err("consecutive wildcard characters"),
                '*' => None,
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => Some(escaped),
                    _ => return Err("invalid escape character"),
                },
                other => Some(other),
            });
        }
        Ok(Self(parts))
    }

    /// Whether the whole of `text` matches. Takes at most the product of both lengths: after a mismatch only the
    /// last `*` is tried again.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut part, mut at) = (0, 0);
        let mut last_star: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(part) {
                Some(None) => {
                    last_star = Some((part, at));
                    part += 1;
                }
                Some(Some(expected)) if *expected == text[at] => {
                    part += 1;
                    at += 1;
                }
                _ => {
                    let Some((star, began_at)) = last_star else { return false };
                    last_star = Some((star, began_at + 1));
                    part = star + 1;
                    at = began_at + 1;
                }
            }
        }
        self.0[part..].iter().all(Option::is_none)
    }
}
