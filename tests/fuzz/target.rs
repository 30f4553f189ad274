//! Running a target: first its files, then inputs that are made.

use std::{cell::Cell, env, panic};

use proptest::{
    prelude::*,
    test_runner::{TestError, TestRunner},
};

use crate::{corpus, inputs::mutations};

/// What is tried with bytes from outside.
pub(crate) struct Target {
    /// The name of its folder.
    pub(crate) name: &'static str,
    /// Takes an input, and panics if a promise is broken. Answers with whether the input was accepted.
    pub(crate) check: fn(&[u8]) -> bool,
    /// What mutations put in.
    pub(crate) pieces: &'static [&'static str],
}

/// How many inputs are made: what a run asks for, or else `few`.
pub(crate) fn config(few: u32) -> ProptestConfig {
    let asked = env::var_os("PROPTEST_CASES").is_some();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if asked { config } else { ProptestConfig { cases: few, ..config } }
}

/// As [`config`], for cases that go through the whole system: a thousandth of what a run asks for.
pub(crate) fn slow_config(few: u32) -> ProptestConfig {
    let config = config(few * 1000);
    ProptestConfig { cases: config.cases.div_ceil(1000), max_shrink_iters: 200, ..config }
}

impl Target {
    /// Tries every file of the folder.
    pub(crate) fn replay(&self, files_min: usize) {
        let inputs = corpus::inputs(self.name);
        assert!(inputs.len() >= files_min, "{} has {} files", self.name, inputs.len());
        for input in inputs {
            let accepted = panic::catch_unwind(|| (self.check)(&input.bytes));
            let expected = match input.name.split_once('-').map(|(verdict, _)| verdict) {
                Some("accepted") => Some(true),
                Some("refused") => Some(false),
                Some("found") => None,
                _ => panic!("{}: begins with accepted-, refused- or found-", input.name),
            };
            let Ok(accepted) = accepted else { panic!("{}: breaks a promise", input.name) };
            assert!(expected.is_none_or(|expected| expected == accepted), "{}: {accepted}", input.name);
        }
    }

    /// Tries mutations of the files, of `more` seeds and of what `made` generates. A tenth at least has to be accepted, and
    /// to be refused: a target whose inputs all end at the same door tries nothing.
    pub(crate) fn fuzz(&self, few: u32, more: Vec<Vec<u8>>, made: impl Strategy<Value = Vec<u8>> + 'static) {
        let files = corpus::inputs(self.name).into_iter().map(|input| input.bytes);
        let seeds: Vec<_> = files.chain(more).collect();
        let config = config(few);
        let cases = config.cases;
        let mut runner = TestRunner::new(config);
        let (accepted, all) = (Cell::new(0_u32), Cell::new(0_u32));
        let tried = runner.run(&mutations(seeds, made, self.pieces), |input| {
            let was_accepted = (self.check)(&input);
            all.set(all.get() + 1);
            accepted.set(accepted.get() + u32::from(was_accepted));
            Ok(())
        });
        match tried {
            Ok(()) => {}
            Err(TestError::Fail(reason, input)) => {
                let path = corpus::keep(self.name, &input);
                panic!("{}: {reason}\nkept as {}", String::from_utf8_lossy(&input), path.display());
            }
            Err(error) => panic!("{error}"),
        }
        let (accepted, all) = (accepted.get(), all.get());
        let tenth = all / 10;
        assert!(
            cases < 1000 || (tenth..=all - tenth).contains(&accepted),
            "{}: {accepted} of {all} accepted",
            self.name
        );
    }
}
