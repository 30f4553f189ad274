//! Secrets Manager in a box: secrets with the versions that AWS tells apart by stage, `AWSCURRENT` and `AWSPREVIOUS`.
//!
//! With a folder they are in a file there, which nobody else may read. Not here: rotation by a function, replication,
//! deletion, binary secrets, resource policies.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use knockback::{
    clock::{Clock, Entropy},
    domain::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    sqs::{ACCOUNT, REGION},
    wire::Answer,
};
use crate::data::write_whole;

const FILE: &str = "secrets-manager.json";
const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// The longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 65_536;
/// The longest password that is made.
const PASSWORD_CHARS_MAX: usize = 4096;
const LETTERS_AND_DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const PUNCTUATION: &[u8] = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Secrets Manager: the secrets of the account.
#[derive(Debug)]
pub struct SecretService {
    secrets: Mutex<BTreeMap<String, Secret>>,
    folder: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Secret {
    arn: String,
    current: Version,
    previous: Option<Version>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Version {
    id: String,
    text: String,
    added_at: Timestamp,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("arn", &self.arn).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Create {
    name: String,
    secret_string: String,
    client_request_token: Option<String>,
    #[serde(rename = "Description")]
    _description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Put {
    secret_id: String,
    secret_string: String,
    client_request_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Get {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MakePassword {
    password_length: Option<usize>,
    #[serde(default)]
    exclude_punctuation: bool,
}

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
enum SecretError {
    #[error("{0}")]
    Invalid(String),
    #[error("Secrets Manager can't find the specified secret.")]
    NotFound,
    #[error("The operation failed because the secret {0} already exists.")]
    Exists(String),
    #[error("the box has no operation {0:?}")]
    UnknownOperation(String),
    #[error("the secrets cannot be written: {0}")]
    Unwritten(#[from] io::Error),
}

impl SecretError {
    fn kind(&self) -> (u16, &'static str) {
        match self {
            Self::Invalid(_) => (400, "InvalidParameterException"),
            Self::NotFound => (400, "ResourceNotFoundException"),
            Self::Exists(_) => (400, "ResourceExistsException"),
            Self::UnknownOperation(_) => (400, "UnknownOperationException"),
            Self::Unwritten(_) => (500, "InternalServiceError"),
        }
    }
}

impl SecretService {
    /// A service with the secrets that are in a folder, or with none.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub fn open(
        folder: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> io::Result<Self> {
        let secrets = match folder.as_ref().map(|folder| fs::read(folder.join(FILE))) {
            None => BTreeMap::new(),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Some(json) => serde_json::from_slice(&json?)?,
        };
        Ok(Self { secrets: Mutex::new(secrets), folder, clock, entropy })
    }

    /// Answers one call; `operation` is what follows `secretsmanager.` in `x-amz-target`.
    pub fn call(&self, operation: &str, body: &[u8]) -> Answer {
        match self.run(operation, body) {
            Ok(answer) => Answer::ok(&answer),
            Err(error) => {
                let (status, kind) = error.kind();
                Answer::error(status, kind, &error.to_string())
            }
        }
    }

    fn run(&self, operation: &str, body: &[u8]) -> Result<Value, SecretError> {
        match operation {
            "CreateSecret" => self.create(read(body)?),
            "PutSecretValue" => self.put(read(body)?),
            "GetSecretValue" => self.get(&read(body)?),
            "GetRandomPassword" => self.make_password(&read(body)?),
            _ => Err(SecretError::UnknownOperation(operation.to_owned())),
        }
    }

    fn create(&self, request: Create) -> Result<Value, SecretError> {
        let Create { name, secret_string, client_request_token, .. } = request;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
        if name.is_empty() || name.len() > 512 || !name.chars().all(is_name) {
            return Err(SecretError::Invalid("Invalid name.".to_owned()));
        }
        let mut secrets = self.secrets();
        if secrets.contains_key(&name) {
            return Err(SecretError::Exists(name));
        }
        let suffix = self.password(6, LETTERS_AND_DIGITS);
        let arn = format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-{suffix}");
        let current = self.version(secret_string, client_request_token)?;
        let answer = json!({"ARN": arn, "Name": name, "VersionId": current.id});
        secrets.insert(name, Secret { arn, current, previous: None });
        self.write(&secrets)?;
        Ok(answer)
    }

    fn put(&self, request: Put) -> Result<Value, SecretError> {
        let Put { secret_id, secret_string, client_request_token } = request;
        let mut secrets = self.secrets();
        let (name, secret) = find(&mut secrets, &secret_id)?;
        let current = self.version(secret_string, client_request_token)?;
        if secret.current.id == current.id && secret.current.text != current.text {
            let message = "A version with this token exists already, with another value.";
            return Err(SecretError::Invalid(message.to_owned()));
        }
        let answer =
            json!({"ARN": secret.arn, "Name": name, "VersionId": current.id, "VersionStages": [CURRENT]});
        if secret.current.id != current.id {
            secret.previous = Some(std::mem::replace(&mut secret.current, current));
        }
        self.write(&secrets)?;
        Ok(answer)
    }

    fn get(&self, request: &Get) -> Result<Value, SecretError> {
        let mut secrets = self.secrets();
        let (name, secret) = find(&mut secrets, &request.secret_id)?;
        let stage_of = |version: &Version| if version.id == secret.current.id { CURRENT } else { PREVIOUS };
        let is_asked_for = |version: &&Version| match (&request.version_id, &request.version_stage) {
            (None, None) => stage_of(version) == CURRENT,
            (id, stage) => {
                id.as_ref().is_none_or(|id| *id == version.id)
                    && stage.as_ref().is_none_or(|stage| stage == stage_of(version))
            }
        };
        let mut versions = [Some(&secret.current), secret.previous.as_ref()].into_iter().flatten();
        let version = versions.find(is_asked_for).ok_or(SecretError::NotFound)?;
        // As AWS writes times here: seconds, with a fraction.
        let created = f64::from(u32::try_from(version.added_at.as_secs()).unwrap_or(u32::MAX));
        Ok(json!({
            "ARN": secret.arn,
            "Name": name,
            "VersionId": version.id,
            "SecretString": version.text,
            "VersionStages": [stage_of(version)],
            "CreatedDate": created,
        }))
    }

    fn make_password(&self, request: &MakePassword) -> Result<Value, SecretError> {
        let length = request.password_length.unwrap_or(32);
        if !(1..=PASSWORD_CHARS_MAX).contains(&length) {
            return Err(SecretError::Invalid(format!("PasswordLength is from 1 to {PASSWORD_CHARS_MAX}.")));
        }
        let mut alphabet = LETTERS_AND_DIGITS.to_vec();
        if !request.exclude_punctuation {
            alphabet.extend_from_slice(PUNCTUATION);
        }
        Ok(json!({"RandomPassword": self.password(length, &alphabet)}))
    }

    fn version(&self, text: String, token: Option<String>) -> Result<Version, SecretError> {
        if text.is_empty() || text.len() > SECRET_BYTES_MAX {
            return Err(SecretError::Invalid(format!("SecretString is from 1 to {SECRET_BYTES_MAX} bytes.")));
        }
        let id = token.unwrap_or_else(|| {
            let mut bytes = [0; 16];
            self.entropy.fill(&mut bytes);
            uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
        });
        Ok(Version { id, text, added_at: self.clock.now() })
    }

    fn password(&self, length: usize, alphabet: &[u8]) -> String {
        let mut password = String::with_capacity(length);
        // What is left of a byte above the last multiple would favour the first letters.
        let fair = 256 / alphabet.len() * alphabet.len();
        while password.len() < length {
            let mut bytes = [0; 64];
            self.entropy.fill(&mut bytes);
            let letters = bytes.into_iter().map(usize::from).filter(|byte| *byte < fair);
            let letters = letters.map(|byte| char::from(alphabet[byte % alphabet.len()]));
            password.extend(letters.take(length - password.len()));
        }
        password
    }

    fn write(&self, secrets: &BTreeMap<String, Secret>) -> Result<(), SecretError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let json = serde_json::to_vec_pretty(secrets).map_err(io::Error::from)?;
        Ok(write_whole(folder, FILE, &json)?)
    }

    fn secrets(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A secret by its name or its ARN.
fn find<'a>(
    secrets: &'a mut BTreeMap<String, Secret>,
    id: &str,
) -> Result<(String, &'a mut Secret), SecretError> {
    let mut found = secrets.iter_mut().filter(|(name, secret)| *name == id || secret.arn == id);
    found.next().map(|(name, secret)| (name.clone(), secret)).ok_or(SecretError::NotFound)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, SecretError> {
    serde_json::from_slice(body).map_err(|error| SecretError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aws_sdk_secretsmanager::Client;
    use knockback::clock::{SystemClock, SystemEntropy};

    use crate::aws::{AwsBox, connector::sdk_config};

    fn client(folder: Option<&Path>) -> Client {
        let aws = AwsBox::open(folder, Arc::new(SystemClock), Arc::new(SystemEntropy)).expect("a box");
        Client::new(&sdk_config(&Arc::new(aws)))
    }

    use super::*;

    #[tokio::test]
    async fn a_secret_is_found_by_name_and_arn_and_the_one_before_by_its_stage() {
        let client = client(None);
        let created = client.create_secret().name("ring").secret_string("one").send().await.expect("created");
        client.put_secret_value().secret_id("ring").secret_string("two").send().await.expect("is put");
        let get = client.get_secret_value().secret_id(created.arn().expect("an ARN")).send().await;
        let found = get.expect("is found");
        assert_eq!((found.secret_string(), found.name()), (Some("two"), Some("ring")));
        assert_eq!(found.version_stages(), [CURRENT]);
        let get = client.get_secret_value().secret_id("ring").version_stage(PREVIOUS).send().await;
        let found = get.expect("is found");
        assert_eq!(found.secret_string(), Some("one"));
        assert_eq!(found.version_id(), created.version_id());
    }

    #[tokio::test]
    async fn what_aws_refuses_is_refused() {
        let client = client(None);
        let missing = client.get_secret_value().secret_id("ring").send().await.expect_err("is missing");
        assert!(missing.into_service_error().is_resource_not_found_exception());
        let create = || client.create_secret().name("ring").secret_string("one").send();
        create().await.expect("created");
        let again = create().await.expect_err("is there");
        assert!(again.into_service_error().is_resource_exists_exception());
        let put = |text: &str| {
            let put = client.put_secret_value().secret_id("ring").client_request_token("t".repeat(32));
            put.secret_string(text).send()
        };
        put("two").await.expect("is put");
        put("two").await.expect("a repeat");
        assert!(put("three").await.is_err());
        assert!(put("").await.is_err());
        let long = client.get_random_password().password_length(5000).send().await;
        assert!(long.is_err());
    }

    #[tokio::test]
    async fn a_password_is_as_long_as_asked_for_and_without_punctuation_if_asked_for() {
        let client = client(None);
        let make = client.get_random_password().password_length(500).exclude_punctuation(true).send().await;
        let password = make.expect("made").random_password.expect("a password");
        assert!(password.len() == 500 && password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let make = client.get_random_password().send().await;
        assert_eq!(make.expect("made").random_password.expect("a password").len(), 32);
    }

    #[tokio::test]
    async fn a_folder_keeps_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let create = client(Some(folder.path())).create_secret().name("ring").secret_string("one");
        create.send().await.expect("created");
        let get = client(Some(folder.path())).get_secret_value().secret_id("ring").send().await;
        assert_eq!(get.expect("is found").secret_string(), Some("one"));
    }
}
