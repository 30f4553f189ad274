//! Which clauses are wanted: the arguments that `cargo test` hands on, as far as they choose tests.

/// Options of other tests that are followed by a value.
const WITH_VALUE: [&str; 4] = ["--test-threads", "--format", "--color", "--logfile"];

/// What the arguments say.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Only the names are to be told.
    pub(crate) list: bool,
    exact: bool,
    parts: Vec<String>,
    skipped: Vec<String>,
}

impl Wanted {
    /// Reads arguments; what does not choose clauses is passed over.
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut wanted = Self::default();
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--list" => wanted.list = true,
                "--exact" => wanted.exact = true,
                "--skip" => wanted.skipped.extend(arguments.next()),
                option if WITH_VALUE.contains(&option) => drop(arguments.next()),
                option if option.starts_with('-') => {}
                _ => wanted.parts.push(argument),
            }
        }
        wanted
    }

    /// Whether a clause of this name is.
    pub(crate) fn includes(&self, name: &str) -> bool {
        let is_meant =
            |part: &String| if self.exact { name == part.as_str() } else { name.contains(part.as_str()) };
        (self.parts.is_empty() || self.parts.iter().any(is_meant)) && !self.skipped.iter().any(is_meant)
    }
}
