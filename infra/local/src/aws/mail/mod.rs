//! Amazon SES in a box: takes mail by the second version of its API, and delivers none.
//!
//! [`MailService::call`] refuses what SES refuses and a sender could get wrong; what it does not know of a request it
//! refuses too, rather than lose it. Each mail is kept for tests, and told to whoever listens for [`MAIL`]. With a
//! folder it is a file as well, which mail programs open; the names of the files sort by time.
//!
//! Not here: identities that have to be verified, suppression, bounces, sending rates, templates, attachments.

mod address;
mod eml;
mod request;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use knockback::{
    clock::{Clock, Entropy},
    domain::Timestamp,
};
use serde_json::json;

use super::wire::Answer;
use crate::data::write_whole;

/// The target of the event that tells of a mail, with `to`, `subject` and, if there is one, `file`.
pub const MAIL: &str = "local::mail";

/// The largest mail as a file, in bytes (SES's quota).
const MAIL_BYTES_LIMIT: usize = 40 * 1024 * 1024;
/// Mails that are kept beside their files.
const KEPT_BESIDE_FILES: usize = 1000;

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What the sender was answered.
    pub id: String,
    /// When it was taken.
    pub at: Timestamp,
    /// The sender's address, with a name if it was given one.
    pub from: String,
    /// The receivers' addresses.
    pub to: Vec<String>,
    /// Where answers go; to the sender if there is none.
    pub reply_to: Vec<String>,
    /// What it is about.
    pub subject: String,
    /// What it says, without markup.
    pub text: Option<String>,
    /// What it says, as HTML.
    pub html: Option<String>,
    /// Further headers: names and values.
    pub headers: Vec<(String, String)>,
    /// What SES counts it by.
    pub tags: BTreeMap<String, String>,
    /// The configuration set that it was sent by. There is none that has to exist.
    pub configuration_set: Option<String>,
}

/// SES: takes mails and keeps them.
#[derive(Debug)]
pub struct MailService {
    /// Held while a file is written, so that one is written at a time.
    kept: Mutex<VecDeque<Mail>>,
    folder: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
enum MailError {
    /// What SES says of most of what a sender gets wrong.
    #[error("{0}")]
    BadRequest(String),
    #[error("the box has no operation {0:?}; a request without the header x-amz-target is one of SES")]
    UnknownOperation(String),
    #[error("the mail cannot be written: {0}")]
    Unwritten(#[from] io::Error),
}

/// What follows `SES.` in the name of a request: SES tells its operations apart by method and path.
pub(super) fn operation(method: &str, path: &str) -> String {
    match (method, path) {
        ("POST", "/v2/email/outbound-emails") => "SendEmail".to_owned(),
        _ => format!("{method} {path}"),
    }
}

impl MailService {
    /// A service that writes each mail to a folder, if there is one; it is made if it is not there, and closed to others.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made.
    pub fn open(
        folder: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> io::Result<Self> {
        if let Some(folder) = &folder {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        }
        Ok(Self { kept: Mutex::default(), folder, clock, entropy })
    }

    /// The mails so far, in the order in which they were taken; with a folder the latest 1000.
    pub fn mails(&self) -> Vec<Mail> {
        self.kept().iter().cloned().collect()
    }

    /// Answers one call; `operation` is what follows `SES.` in its name.
    pub fn call(&self, operation: &str, body: &[u8]) -> Answer {
        let answer = match operation {
            "SendEmail" => self.send(body),
            _ => Err(MailError::UnknownOperation(operation.to_owned())),
        };
        answer.unwrap_or_else(|error| error.answer())
    }

    fn send(&self, body: &[u8]) -> Result<Answer, MailError> {
        let mail = request::read(body, self.new_id(), self.clock.now())?;
        let eml = eml::write(&mail);
        if eml.len() > MAIL_BYTES_LIMIT {
            return Err(MailError::BadRequest(format!(
                "the mail has {} bytes, and {MAIL_BYTES_LIMIT} are permitted",
                eml.len()
            )));
        }
        let mut kept = self.kept();
        let mut file = None;
        if let Some(folder) = &self.folder {
            let name = eml::file_name(&mail);
            write_whole(folder, &name, &eml)?;
            file = Some(folder.join(name).display().to_string());
            if kept.len() == KEPT_BESIDE_FILES {
                kept.pop_front();
            }
        }
        tracing::info!(
            target: MAIL,
            to = mail.to.join(", "),
            subject = mail.subject,
            file,
        );
        let answer = Answer::ok(&json!({ "MessageId": mail.id }));
        kept.push_back(mail);
        Ok(answer)
    }

    fn new_id(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Mail>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MailError {
    fn answer(&self) -> Answer {
        let (status, kind) = match self {
            Self::BadRequest(_) => (400, "BadRequestException"),
            Self::UnknownOperation(_) => (404, "UnknownOperationException"),
            Self::Unwritten(_) => (500, "InternalServiceErrorException"),
        };
        Answer::rest_error(status, kind, &self.to_string())
    }
}
