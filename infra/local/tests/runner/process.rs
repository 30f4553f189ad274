//! A runner in a process of its own, and what it prints.

use std::{
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long anything may take that a test waits for: many times what it takes on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The last words of the greeting.
const GREETED: &str = "Ctrl-C finishes what is in flight.";

/// The first words of the greeting.
const UP: &str = "Knockback is up on ";

/// A runner that is up. It is killed when this is dropped.
pub(crate) struct Runner {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    /// Where the API is, or is to be, without a slash at the end.
    pub(crate) url: String,
    pub(crate) platform_token: String,
    pub(crate) caller_token: String,
    client: Client,
}

/// What a process has printed so far.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn follow(output: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let into = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                into.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        lines
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The runner's command with these arguments, without what the environment would add to them.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    for name in ["LISTEN", "DATA", "PLATFORM_TOKEN", "ALLOW_NETWORKS", "POLICY", "INVOKE", "AWS_LISTEN"] {
        command.env_remove(format!("KNOCKBACK_{name}"));
    }
    command.env_remove("RUST_LOG").args(args).stdin(Stdio::null());
    command
}

/// Waits until `look` has something to show.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

impl Runner {
    /// Starts one on a free port with its data in `folder`.
    pub(crate) async fn on(folder: &Path, args: &[&str]) -> Self {
        let data = folder.to_str().expect("a path in UTF-8");
        Self::start(&[&["--data", data], args].concat()).await
    }

    /// Starts one on a free port that keeps nothing.
    pub(crate) async fn in_memory(args: &[&str]) -> Self {
        Self::start(&[&["--memory"], args].concat()).await
    }

    async fn start(args: &[&str]) -> Self {
        let listen: &[&str] = if args.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let mut child = command(&[listen, args].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the runner starts");
        let stdout = Lines::follow(child.stdout.take().expect("a pipe"));
        let stderr = Lines::follow(child.stderr.take().expect("a pipe"));
        let client = Client::builder().no_proxy().build().expect("a client");
        let mut runner = Self {
            child,
            stdout,
            stderr,
            url: String::new(),
            platform_token: String::new(),
            caller_token: String::new(),
            client,
        };
        until("the greeting", async || {
            let greeted = runner.lines().iter().any(|line| line.ends_with(GREETED));
            let ended = runner.child.try_wait().expect("a process");
            assert_eq!(ended, None, "the runner ended: {:?}", runner.problems());
            greeted.then_some(())
        })
        .await;
        let label = if args.contains(&"--invoke") { "Knockback's functions are invoked at " } else { UP };
        runner.url = runner.word_after(label).replace(',', "");
        runner.platform_token = runner.word_after("platform token  ");
        runner.caller_token = runner.word_after("caller's token  ");
        runner
    }

    /// What it has printed so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.stdout.all()
    }

    /// What it has printed on standard error so far.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.stderr.all()
    }

    /// The lines of attempts so far that say `what`.
    pub(crate) fn attempts(&self, what: &str) -> usize {
        self.lines().iter().filter(|line| line.contains("  attempt ") && line.contains(what)).count()
    }

    /// The first word after a label that it has printed.
    pub(crate) fn word_after(&self, label: &str) -> String {
        let lines = self.lines();
        let rest = lines.iter().find_map(|line| line.strip_prefix(label));
        let word = rest.and_then(|rest| rest.split_whitespace().next());
        word.unwrap_or_else(|| panic!("no {label:?} in {lines:?}")).to_owned()
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Makes a request of the API.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let mut request =
            self.client.request(method, format!("{}{path}", self.url)).header("x-api-token", token);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let body = response.text().await.expect("a body");
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// Subscribes `url` to everything that happens to deals, and answers what the API answered.
    pub(crate) async fn subscribe(&self, url: &str) -> (StatusCode, Value) {
        let body = json!({"subscription_url": url, "event_action": "*", "event_object": "deal"});
        self.request(Method::POST, "/v1/webhooks", &self.caller_token, Some(&body)).await
    }

    /// Subscribes `url`, which has to be accepted.
    pub(crate) async fn subscribed(&self, url: &str) {
        let (status, answer) = self.subscribe(url).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// Reports `count` events in one request.
    pub(crate) async fn report(&self, count: usize) {
        let event = json!({"company_id": "1", "object": "deal", "action": "create", "entity_id": "8", "data": {"id": 8}});
        let events = Value::Array(vec![event; count]);
        let (status, answer) =
            self.request(Method::POST, "/v1/events", &self.platform_token, Some(&events)).await;
        assert_eq!(status, 202, "{answer}");
    }

    /// The only webhook, as the API shows it.
    pub(crate) async fn webhook(&self) -> Value {
        let (status, mut answer) = self.request(Method::GET, "/v1/webhooks", &self.caller_token, None).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"][0].take()
    }

    /// Sends a signal, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status();
        assert!(sent.expect("kill is there").success(), "the runner is gone");
    }

    /// Waits for its end, and for all that it printed.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let status = until("the runner's end", async || child.try_wait().expect("a process")).await;
        until("the end of its output", async || {
            // Those who follow the output hold the lines, too.
            let is_read = |lines: &Lines| Arc::strong_count(&lines.0) == 1;
            (is_read(&self.stdout) && is_read(&self.stderr)).then_some(())
        })
        .await;
        status
    }

    /// Kills it, as a crash does.
    pub(crate) async fn kill(mut self) {
        self.child.kill().expect("a process");
        self.ended().await;
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long `doing` takes.
pub(crate) async fn timed<T>(doing: impl Future<Output = T>) -> (T, Duration) {
    let begun_at = Instant::now();
    let done = doing.await;
    (done, begun_at.elapsed())
}

/// Tells what was measured, to those who run the tests with `--nocapture`.
#[expect(clippy::print_stderr, reason = "a test has nobody else to tell")]
pub(crate) fn tell(measured: &str) {
    eprintln!("{measured}");
}
