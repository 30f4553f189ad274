//! A clause: one thing that has to hold, and where it is known not to.

use std::{
    panic,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;

use crate::{
    aws::{Aws, Endpoint},
    emulator::Emulator,
};

/// How long a clause may take. The longest wait in one is a few seconds.
const TIMEOUT: Duration = Duration::from_secs(90);

/// What a panic says, for the clause that it happens in.
type Said = Arc<Mutex<Option<String>>>;

tokio::task_local! {
    static SAID: Said;
}

/// One thing that has to hold: if it does not, `run` panics.
pub(crate) struct Clause {
    /// Its file and its function.
    pub(crate) name: String,
    run: fn(Arc<Aws>) -> BoxFuture<'static, ()>,
    known: Vec<Known>,
}

/// A difference that is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    emulator: Emulator,
    /// Part of what the clause says when it does not hold there.
    shows: &'static str,
    /// What is different, and why that is no harm.
    pub(crate) reason: &'static str,
}

/// What became of a clause.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It holds.
    Holds,
    /// It does not, as is known.
    Known(Known),
    /// It does not, or does where it is known not to.
    Broken(String),
}

/// The clause that a function of this file is.
macro_rules! clause {
    ($function:ident) => {
        $crate::clause::Clause::new(module_path!(), stringify!($function), |aws| Box::pin($function(aws)))
    };
}
pub(crate) use clause;

impl Clause {
    /// A clause that holds everywhere, so far.
    pub(crate) fn new(module: &str, function: &str, run: fn(Arc<Aws>) -> BoxFuture<'static, ()>) -> Self {
        let module = module.split_once("::").map_or(module, |(_, module)| module);
        Self { name: format!("{module}::{function}"), run, known: Vec::new() }
    }

    /// Says that it does not hold on an emulator: which words of its failure show that, and what there is to know of it.
    pub(crate) fn known(mut self, emulator: Emulator, shows: &'static str, reason: &'static str) -> Self {
        self.known.push(Known { emulator, shows, reason });
        self
    }

    /// Tries it, with a client and things of its own, and clears away what it has made.
    pub(crate) async fn try_on(self, endpoint: &Endpoint) -> Outcome {
        let aws = Arc::new(endpoint.aws());
        let said = Said::default();
        let run = SAID.scope(Arc::clone(&said), (self.run)(Arc::clone(&aws)));
        let result = match tokio::spawn(tokio::time::timeout(TIMEOUT, run)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(format!("it has not ended within {} s", TIMEOUT.as_secs())),
            Err(panicked) => {
                let said = said.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(said.unwrap_or_else(|| panicked.to_string()))
            }
        };
        aws.clear_away().await;
        self.judge(endpoint.emulator, result)
    }

    fn judge(&self, emulator: Emulator, result: Result<(), String>) -> Outcome {
        let known = self.known.iter().find(|known| known.emulator == emulator);
        match (result, known) {
            (Ok(()), None) => Outcome::Holds,
            (Err(said), None) => Outcome::Broken(said),
            (Err(said), Some(&known)) if said.contains(known.shows) => Outcome::Known(known),
            (Err(said), Some(known)) => Outcome::Broken(format!(
                "it is known to differ here ({}), but otherwise: {said}",
                known.shows
            )),
            (Ok(()), Some(known)) => Outcome::Broken(format!(
                "it holds here, and is known not to ({}): that line can go",
                known.reason
            )),
        }
    }
}

/// Keeps what panics say with the clause that they happen in, instead of showing it at once: some are expected.
pub(crate) fn listen_to_panics() {
    let show = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let keep =
            |said: &Said| *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.to_string());
        if SAID.try_with(keep).is_err() {
            show(info);
        }
    }));
}
