//! Where names lead, as a test says: nobody is asked but this.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::{BoxFuture, ready};
use knockback::sender::Resolver;

/// A resolver that a test tells what to answer; at first it knows `localhost`. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<Mutex<HashMap<String, Entry>>>);

#[derive(Debug, Default)]
struct Entry {
    answers: Vec<Vec<SocketAddr>>,
    asked: usize,
}

impl Names {
    /// Answers so from now on when asked for a name: with the first answer, then with the next, and with the last for ever.
    /// An answer is addresses with white space between them.
    ///
    /// # Panics
    ///
    /// If something in them is no address.
    #[expect(clippy::expect_used, reason = "a test with a wrong address has failed")]
    pub fn answer(&self, name: &str, answers: &[&str]) {
        let address = |text: &str| SocketAddr::new(text.parse().expect(text), 0);
        let answer = |text: &&str| text.split_whitespace().map(address).collect();
        let entry = Entry { answers: answers.iter().map(answer).collect(), asked: 0 };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), entry);
    }

    /// How often a name was asked for, since it was said what to answer.
    pub fn asked(&self, name: &str) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).map_or(0, |entry| entry.asked)
    }
}

impl Resolver for Names {
    fn look_up(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = names.get_mut(name).and_then(|entry| {
            entry.asked += 1;
            entry.answers.get(entry.asked - 1).or(entry.answers.last()).cloned()
        });
        let localhost = || (name == "localhost").then(|| vec![(Ipv4Addr::LOCALHOST, 0).into()]);
        let answer = answer.or_else(localhost);
        Box::pin(ready(answer.ok_or_else(|| io::Error::other("the name is not known"))))
    }
}
