//! What somebody who starts the functions in other processes has to know: the file with their environment, and the command.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use local::{data::DataFolder, environment::Environment, invoke::InvokeUrl};
use tempfile::TempPath;

/// The functions' environment in the data folder.
const FILE: &str = "functions.env";

/// Functions that run in other processes.
#[derive(Debug)]
pub(crate) struct Elsewhere<'a> {
    /// Where they are invoked.
    pub(crate) url: &'a InvokeUrl,
    pub(crate) environment: EnvironmentFile,
}

/// A file that holds the functions' environment.
#[derive(Debug)]
pub(crate) enum EnvironmentFile {
    /// With the data, and kept like them.
    Kept(PathBuf),
    /// Of a runner that keeps nothing: gone when it has ended.
    Passing(TempPath),
}

impl EnvironmentFile {
    /// Writes the environment beside the data, or for a while if there is no folder.
    pub(crate) fn write(folder: Option<&DataFolder>, environment: &Environment) -> anyhow::Result<Self> {
        let text = environment.to_string();
        if let Some(folder) = folder {
            return Ok(Self::Kept(folder.write(FILE, &text)?));
        }
        let written = || {
            let mut file = tempfile::Builder::new().prefix("knockback-").suffix(".env").tempfile()?;
            file.write_all(text.as_bytes())?;
            std::io::Result::Ok(file.into_temp_path())
        };
        written().map(Self::Passing).context("cannot write the functions' environment")
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing(path) => path,
        }
    }
}

impl Elsewhere<'_> {
    /// The command that runs the functions on this machine; `None` if their URL is another machine's, or needs a certificate.
    pub(crate) fn command(&self) -> Option<String> {
        let (address, port) = self.url.listen()?;
        let file = quoted(&self.environment.path().display().to_string());
        Some(format!("cargo lambda watch -A {address} -P {port} --env-file {file}"))
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(url: &str, file: &str) -> Option<String> {
        let environment = EnvironmentFile::Kept(PathBuf::from(file));
        Elsewhere { url: &url.parse().expect("a URL"), environment }.command()
    }

    #[test]
    fn the_command_listens_where_the_functions_are_invoked() {
        let expected = |address: &str, file: &str| {
            Some(format!("cargo lambda watch -A {address} -P 9001 --env-file {file}"))
        };
        let file = ".knockback/functions.env";
        assert_eq!(command("http://127.0.0.1:9001", file), expected("127.0.0.1", file));
        assert_eq!(command("http://localhost:9001/", file), expected("127.0.0.1", file));
        assert_eq!(command("http://[::1]:9001", file), expected("::1", file));
        assert_eq!(
            command("http://127.0.0.1:9001", "my data/it's"),
            expected("127.0.0.1", r"'my data/it'\''s'")
        );
        for url in ["https://127.0.0.1:9001", "http://192.0.2.1:9001", "http://lambda.example"] {
            assert_eq!(command(url, file), None, "{url}");
        }
    }
}
